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
  - Lists the homes of a namespace, whatever scheme their names follow and whoever created them.
  - Given users, it also takes a census. It reports for each user the name under each scheme, the claims that exist, and
    which of them is the home; orphans, duplicates and collisions; and the users who would get an empty home, or somebody
    else's, if the hub computed names by O(naming) and O(name_template).
  - RV(census.adoption) is the list that prevents this, in the form of O(odh.persistency.user_pvc#module:users).
  - Before an upgrade of the hub, run it with the naming of the new version.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.info
  - odh.persistency.attributes.k8s
  - odh.persistency.connection
  - odh.persistency.users
  - odh.persistency.hub
options:
  namespace:
    description:
      - The namespace in which the homes are.
    type: str
    required: true
notes:
  - Needs the verb C(list) on C(persistentvolumeclaims) in the namespace, and on C(pods) to report which homes are mounted.
seealso:
  - module: odh.persistency.user_pvc
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
  - PyYAML >= 5.1, for O(users_file) in YAML
"""

EXAMPLES = r"""
- name: List the homes of a namespace
  odh.persistency.user_pvc_info:
    namespace: jupyterhub
  register: found

- name: Show the table
  ansible.builtin.debug:
    msg: "{{ found.text.splitlines() }}"

- name: Find users who would lose their home in the upgrade to KubeSpawner 7
  odh.persistency.user_pvc_info:
    namespace: jupyterhub
    naming: safe
    users_from: hub
    hub:
      url: https://jupyterhub.example.org/hub/api
      token: "{{ hub_token }}"
  register: upgrade

- name: Show the census
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
  description: The homes, sorted by the name of the claim.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the claim.
      type: str
    owner:
      description: The user in the annotation C(hub.jupyter.org/username).
      type: str
    server:
      description: The named server. Empty for the default server.
      type: str
    size:
      description: The size that the claim requests.
      type: str
    capacity:
      description: The capacity of its volume.
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
      description: The time when the claim was created.
      type: str
    age:
      description: The time since then.
      type: str
    schemes:
      description: The schemes whose default template gives this owner this name.
      type: list
      elements: str
    pods:
      description: The pods that mount it. Null if pods may not be listed.
      type: list
      elements: str
    primary:
      description: Whether it is marked as the home to mount if its owner has several.
      type: bool
    retired_at:
      description: The time when it was retired.
      type: str
    managed:
      description: Whether it has this collection's labels.
      type: bool
text:
  description: The homes as a table.
  returned: success
  type: str
census:
  description: What the given users would find.
  returned: when users are given
  type: dict
  contains:
    users:
      description: >-
        For each user (and server) the C(names) under each scheme and as C(given), the claims that C(exists) lists, and the
        C(home).
      type: list
      elements: dict
    lost:
      description: Homes whose PersistentVolume does not exist any more, with the C(volume).
      type: list
      elements: dict
    orphans:
      description: Homes whose owner is not listed.
      type: list
      elements: dict
    duplicates:
      description: Owners of several homes, with the C(primary) if one is marked.
      type: list
      elements: dict
    collisions:
      description: Names that several users would share, by C(scheme).
      type: list
      elements: dict
    moves:
      description:
        - What happens if the hub uses a scheme, for each scheme and as C(given). C(empty) are users who would get an
          empty home, C(takeovers) are users who would get somebody else's, C(switched) are users who would get another
          home of their own, and C(unnamed) are users for whom the scheme has no valid name.
      type: dict
    adoption:
      description: Users for M(odh.persistency.user_pvc), with the C(claim) that keeps each one's home.
      type: list
      elements: dict
    undecided:
      description: What a person must decide before anything is adopted.
      type: list
      elements: dict
census_text:
  description: The census as sentences.
  returned: when users are given
  type: str
"""

from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module, run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.user_pvc_info import (
    argument_spec,
    show_homes,
)


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, show_homes, "home")


if __name__ == "__main__":
    main()
