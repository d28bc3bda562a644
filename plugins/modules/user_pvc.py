#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_pvc
short_description: Provision, adopt, expand, retire and delete the homes of JupyterHub users
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Manages the homes of any number of users in one call. A home is the PersistentVolumeClaim that KubeSpawner mounts as
    the home of a user, or of one named server of a user.
  - New homes have the name, labels and annotations that KubeSpawner would set. A home that is provisioned in advance is
    identical to a home that the hub creates at first launch.
  - A home belongs to the user in its annotation C(hub.jupyter.org/username), never to a user whose name resembles its own.
  - Sizes only grow. A home is deleted only after it was retired for longer than O(retention).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.k8s
  - odh.persistency.connection
  - odh.persistency.users
  - odh.persistency.result
  - odh.persistency.hub
attributes:
  check_mode:
    support: full
    details:
      - The API server validates each request (server-side dry run).
      - In a namespace that does not exist yet nothing can be validated. A warning says so, and the plan is shown.
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
  create_namespace:
    description:
      - Whether to create O(namespace) if it does not exist. It is the first item of the plan, and nothing is asked or written
        if the namespace has claims.
      - On OpenShift a Project is requested in its place, if the login may do so, which needs the C(openshift) package. In check
        mode it is only reported, because OpenShift would fulfil a dry run.
    type: bool
    default: false
  size:
    description:
      - The size of homes whose entry has no C(size), as a Kubernetes quantity.
    type: str
    default: 10Gi
  storage_class:
    description:
      - The storage class of new homes whose entry has no C(storage_class). Without it, the cluster's default class is
        used. An empty string means no class.
      - An existing home keeps its class. A difference is a warning.
    type: str
  access_modes:
    description:
      - The access modes of new homes.
      - An existing home keeps its access modes. A difference is a warning.
    type: list
    elements: str
    default: [ReadWriteOnce]
  state:
    description:
      - V(present) creates missing homes, adopts and expands existing ones, and removes the retirement mark.
      - V(retired) marks the homes of these users and keeps them.
      - V(absent) deletes the homes of these users that have been retired for longer than O(retention), are not mounted by
        any pod, and were not used since they were retired, according to O(hub) or O(assume_unused). Other homes stay.
    type: str
    choices: [present, retired, absent]
    default: present
  retention:
    description:
      - The minimum time that a home stays after it was retired, as a number with a unit of C(s), C(m), C(h), C(d) or C(w).
    type: str
    default: 30d
  keep_volume:
    description:
      - Whether to set the reclaim policy of a bound volume to C(Retain) before its claim is deleted, so that the data
        stays until somebody deletes the volume. Needs permission to patch PersistentVolumes.
    type: bool
    default: true
  assume_unused:
    description:
      - Whether to assume that nobody used a home since it was retired, if O(hub) is not set or the hub does not know.
        A home that the hub reports as used stays in any case.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the homes are bound and have the requested capacity.
      - Does not wait for a claim that waits for its first consumer, nor for a file system that is resized at its next
        mount. A warning names the latter.
    type: bool
    default: false
  wait_timeout:
    description:
      - The maximum time to wait, in seconds.
    type: int
    default: 120
  wait_sleep:
    description:
      - The time between two checks, in seconds.
    type: int
    default: 2
notes:
  - If a user owns several claims, C(claim) in the user's entry selects the home. The other claims are reported and not
    changed. C(claim) is also the only way to adopt a claim without an owner.
  - A user is left out, with a warning in each run, if a claim of somebody else has the name of the user's new home, or if the
    user's own claim is being deleted. The others get their homes. C(claim) with the claim of another owner, and two users
    whose homes would share a claim, are rejected.
  - If anything is rejected, the task fails before its first write and lists all reasons at once. What the cluster cannot
    do (shrink a claim, expand an unbound claim, change a class) is a warning, and the rest of the run proceeds.
  - Needs the verbs C(list), C(get), C(create), C(patch) and C(delete) on C(persistentvolumeclaims) in the namespace, as
    far as O(state) uses them, and C(list) on C(pods) for V(absent). Optionally C(get) on the namespace, C(list) on
    C(resourcequotas) and on C(storageclasses).
seealso:
  - module: odh.persistency.user_pvc_info
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
  - PyYAML >= 5.1, for O(users_file) in YAML
  - openshift >= 0.13.2, for O(create_namespace) on OpenShift
"""

EXAMPLES = r"""
- name: Provision a home for every user of the course
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

- name: Provision ten thousand homes from a file
  odh.persistency.user_pvc:
    namespace: jupyterhub
    users_file: "{{ playbook_dir }}/users.json"

- name: Provision homes for all users of a classic Open Data Hub
  odh.persistency.user_pvc:
    namespace: opendatahub
    naming: odh
    users_from: hub
    hub:
      url: https://jupyterhub.example.org/hub/api
      token: "{{ hub_token }}"

- name: Select the claim that Carol has had since before the upgrade
  odh.persistency.user_pvc:
    namespace: jupyterhub
    users:
      - name: carol.meier
        claim: claim-carol-2emeier

- name: Retire the homes of users who left, and keep their data
  odh.persistency.user_pvc:
    namespace: jupyterhub
    state: retired
    users: [dave@example.org]

- name: Delete homes that were retired more than 90 days ago, and keep their volumes
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
  description: All changes of the plan.
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
      description: The name of the claim. Empty if the entry was rejected before it had one.
      type: str
    owner:
      description: The user, as the hub names them.
      type: str
    reason:
      description: The reason, as a sentence.
      type: str
    before:
      description: The line of the diff before the change, at most 200 characters of it.
      returned: when the object exists
      type: str
    after:
      description: The line of the diff after the change, at most 200 characters of it.
      returned: when the object exists afterwards
      type: str
  sample:
    - action: create
      kind: home
      namespace: jupyterhub
      name: claim-alice-example-org---0c2a6a3b
      owner: alice@example.org
      reason: alice@example.org has no home yet
summary:
  description: The count per action.
  returned: always
  type: dict
  sample: {create: 2, keep: 38}
missing_namespaces:
  description: The namespaces that do not exist, in check mode, where an earlier task may create them.
  returned: if there are any, in check mode
  type: list
  elements: str
  sample: [nightly-jobs]
omitted:
  description: How many items of each list are left out because of O(max_changes).
  returned: when a list was shortened
  type: dict
  sample:
    changes: 9500
unreconcilable:
  description: What differs and the cluster cannot change, and users who are left out. The warnings say the same.
  returned: when the cluster was read
  type: list
  elements: dict
failed_items:
  description:
    - The items that could not be applied, each with its C(reason), the message of the C(api), and whether a rerun helps
      (C(retryable)).
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module, run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.user_pvc import (
    argument_spec,
    manage_homes,
)


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, manage_homes, "home")


if __name__ == "__main__":
    main()
