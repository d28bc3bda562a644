#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_pvc
short_description: Provision, adopt, grow, retire and delete the homes of JupyterHub users
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Manages the homes of any number of users in one call. A home is the PersistentVolumeClaim that KubeSpawner mounts as
    the home of a user, or of one of the user's named servers.
  - New homes have the name, labels and annotations that KubeSpawner would give them, so that a home made beforehand and
    one made at first launch are alike.
  - A home belongs to whom its annotation C(hub.jupyter.org/username) names, never to whom its name suggests.
  - Sizes only grow. Nothing is deleted that was not retired for longer than O(retention).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.k8s
  - odh.persistency.users
attributes:
  check_mode:
    support: full
    details:
      - The API server validates what would be sent (server dry-run).
      - In a namespace that does not exist yet nothing can be validated; a warning says so, and the plan is shown.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  namespace:
    description:
      - The namespace in which the hub starts its servers, and in which the homes are.
    type: str
    required: true
  size:
    description:
      - The size of a home that says none itself, as a Kubernetes quantity.
    type: str
    default: 10Gi
  storage_class:
    description:
      - The storage class of new homes that say none themselves. Without it, the cluster's default is used; an empty
        string means no class at all.
      - An existing home keeps its class; a difference is a warning.
    type: str
  access_modes:
    description:
      - The access modes of new homes.
      - An existing home keeps its own; a difference is a warning.
    type: list
    elements: str
    default: [ReadWriteOnce]
  state:
    description:
      - V(present) makes the homes that are missing, adopts and grows those that exist, and takes a retirement mark off.
      - V(retired) marks the homes of these users and keeps them.
      - V(absent) deletes the homes of these users that have been retired for longer than O(retention), are mounted by no pod,
        and were not used since they were retired, as O(hub) or O(assume_unused) says. Homes that are still held stay.
    type: str
    choices: [present, retired, absent]
    default: present
  retention:
    description:
      - How long a home stays at least after it was retired, as a number and one of C(s), C(m), C(h), C(d), C(w).
    type: str
    default: 30d
  keep_volume:
    description:
      - Set the reclaim policy of a bound volume to C(Retain) before its claim is deleted, so that the data stays until
        somebody removes the volume. Takes the right to patch PersistentVolumes.
    type: bool
    default: true
  assume_unused:
    description:
      - Take it that nobody used a home since it was retired, where no O(hub) is given or where it cannot say. What the
        hub knows to be used stays all the same.
    type: bool
    default: false
  wait:
    description:
      - Wait until the homes are bound and have the capacity that they ask for.
      - A claim that waits for its first consumer is not waited for, nor is a file system that is resized at its next
        mount, which a warning names.
    type: bool
    default: false
  wait_timeout:
    description:
      - How many seconds to wait at most.
    type: int
    default: 120
  wait_sleep:
    description:
      - How many seconds to wait between two looks.
    type: int
    default: 2
notes:
  - Where a person owns several claims, C(claim) in the user's entry says which one is the home; the others are reported
    and left alone. It is also the only way to adopt a claim that names no owner.
  - A refusal fails the task before its first write, and all refusals are listed at once. What the cluster cannot do
    (shrink, grow an unbound claim, change a class) is a warning, and everything else goes ahead.
  - Needs the verbs C(list), C(get), C(create), C(patch) and C(delete) on C(persistentvolumeclaims) in the namespace, as
    far as O(state) uses them; C(list) on C(pods) for V(absent); optionally C(get) on the namespace, C(list) on
    C(resourcequotas) and on C(storageclasses).
seealso:
  - module: odh.persistency.user_pvc_info
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
  - PyYAML >= 5.1, for O(users_file) in YAML
"""

EXAMPLES = r"""
- name: Every user of the course has a home before the first lecture
  odh.persistency.user_pvc:
    namespace: jupyterhub
    size: 10Gi
    storage_class: standard
    users:
      - alice@example.org
      - name: bob@example.org
        size: 50Gi
      - name: bob@example.org
        server: gpu

- name: Ten thousand users, from a file that the module opens itself
  odh.persistency.user_pvc:
    namespace: jupyterhub
    users_file: "{{ playbook_dir }}/users.json"

- name: Whoever the hub knows, on classic Open Data Hub
  odh.persistency.user_pvc:
    namespace: opendatahub
    naming: odh
    users_from: hub
    hub:
      url: https://jupyterhub.example.org/hub/api
      token: "{{ hub_token }}"

- name: Carol's home is the claim that she has had since before the upgrade
  odh.persistency.user_pvc:
    namespace: jupyterhub
    users:
      - name: carol.meier
        claim: claim-carol-2emeier

- name: Those who left are retired; their data stays
  odh.persistency.user_pvc:
    namespace: jupyterhub
    state: retired
    users: [dave@example.org]

- name: What was retired three months ago goes, and its volumes are kept
  odh.persistency.user_pvc:
    namespace: jupyterhub
    state: absent
    retention: 90d
    users: [dave@example.org]
    hub:
      url: https://jupyterhub.example.org/hub/api
      token: "{{ hub_token }}"
"""

RETURN = r"""
changes:
  description: Everything that is not a plain keep.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update), V(adopt), V(retire), V(delete) or V(refuse).
      type: str
    kind:
      description: V(home).
      type: str
    namespace:
      description: The namespace.
      type: str
    name:
      description: The name of the claim; empty where a refusal kept it from getting one.
      type: str
    owner:
      description: The user, as the hub names them.
      type: str
    reason:
      description: Why, as a sentence.
      type: str
  sample:
    - action: create
      kind: home
      namespace: jupyterhub
      name: claim-alice-example-org---0c2a6a3b
      owner: alice@example.org
      reason: alice@example.org has no home yet
summary:
  description: How often each action occurs.
  returned: always
  type: dict
  sample: {create: 2, keep: 38}
unreconcilable:
  description: What differs and may not, or cannot, be corrected. The warnings say the same.
  returned: when the cluster was read
  type: list
  elements: dict
failed_items:
  description:
    - What could not be carried out, each with its C(reason), what the C(api) said, and whether a second run mends it
      (C(retryable)).
  returned: failure
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odh.persistency.plugins.module_utils._io.module import run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.user_pvc import (
    argument_spec,
    manage_homes,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        required_one_of=[("users", "users_file", "users_from")],
        supports_check_mode=True,
    )
    run(module, manage_homes, "home")


if __name__ == "__main__":
    main()
