#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_pvc_info
short_description: Show the homes of a namespace, and what a set of users would find there
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Lists the homes of a namespace, whatever scheme their names follow and whoever made them.
  - Given users, it takes the census. For each user the name under each scheme, what exists, and which claim is the home;
    orphans, duplicates and collisions; and who would find an empty home, or somebody else's, once the hub computes names by
    O(naming) and O(name_template).
  - RV(census.adoption) is the list that prevents it, in the form that O(odh.persistency.user_pvc#module:users) takes.
  - Run it with the names of the version that you are about to upgrade to.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.info
  - odh.persistency.attributes.k8s
  - odh.persistency.users
options:
  namespace:
    description:
      - The namespace in which the homes are.
    type: str
    required: true
notes:
  - Needs the verb C(list) on C(persistentvolumeclaims) in the namespace, and on C(pods) to know which homes are mounted.
seealso:
  - module: odh.persistency.user_pvc
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
  - PyYAML >= 5.1, for O(users_file) in YAML
"""

EXAMPLES = r"""
- name: The homes of a namespace, as a table
  odh.persistency.user_pvc_info:
    namespace: jupyterhub
  register: found

- name: Show it
  ansible.builtin.debug:
    msg: "{{ found.text.splitlines() }}"

- name: Before the upgrade to KubeSpawner 7, who would lose a home?
  odh.persistency.user_pvc_info:
    namespace: jupyterhub
    naming: safe
    users_from: hub
    hub:
      url: https://jupyterhub.example.org/hub/api
      token: "{{ hub_token }}"
  register: upgrade

- name: Show it
  ansible.builtin.debug:
    msg: "{{ upgrade.census_text.splitlines() }}"

- name: Keep everybody's home
  odh.persistency.user_pvc:
    namespace: jupyterhub
    naming: safe
    users: "{{ upgrade.census.adoption }}"
"""

RETURN = r"""
homes:
  description: The homes, in the order of the names of their claims.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the claim.
      type: str
    owner:
      description: The user, as the annotation C(hub.jupyter.org/username) has it.
      type: str
    server:
      description: The named server, empty for the default one.
      type: str
    size:
      description: What the claim asks for.
      type: str
    capacity:
      description: What its volume has.
      type: str
    phase:
      description: The phase of the claim, or V(Terminating).
      type: str
    storage_class:
      description: The storage class.
      type: str
    access_modes:
      description: The access modes.
      type: list
      elements: str
    volume:
      description: The PersistentVolume that the claim is bound to.
      type: str
    created:
      description: When the claim was made.
      type: str
    age:
      description: How long ago that is.
      type: str
    schemes:
      description: The schemes whose default template gives this owner this name.
      type: list
      elements: str
    pods:
      description: The pods that mount it; null where pods may not be listed.
      type: list
      elements: str
    primary:
      description: Whether it is marked as the one to mount of several.
      type: bool
    retired_at:
      description: Since when it is retired.
      type: str
    managed:
      description: Whether it carries this collection's labels.
      type: bool
text:
  description: The homes as a table for people.
  returned: success
  type: str
census:
  description: What the given users would find.
  returned: when users are given
  type: dict
  contains:
    users:
      description: For each user (and server) the C(names) under each scheme and as C(given), what C(exists), and the C(home).
      type: list
      elements: dict
    orphans:
      description: Homes of nobody listed.
      type: list
      elements: dict
    duplicates:
      description: Owners of several homes, with the C(primary) where one is marked.
      type: list
      elements: dict
    collisions:
      description: Names that several users come to, by C(scheme).
      type: list
      elements: dict
    moves:
      description:
        - For each scheme, and as C(given), what happens once the hub names by it. C(empty) are users who would find an
          empty home, C(takeovers) those who would be given somebody else's, C(switched) those who would find another
          home of their own, C(unnamed) those who would get no valid name.
      type: dict
    adoption:
      description: Users for M(odh.persistency.user_pvc), with the C(claim) that keeps each one's home.
      type: list
      elements: dict
    undecided:
      description: What a person must decide before anything adopts it.
      type: list
      elements: dict
census_text:
  description: The census as sentences for people.
  returned: when users are given
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odh.persistency.plugins.module_utils._io.module import run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.user_pvc_info import (
    argument_spec,
    show_homes,
)


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, show_homes, "home")


if __name__ == "__main__":
    main()
