#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: share_pvc
short_description: Provision, adopt, expand, retire and delete the claims and volumes of shares
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Gives each share a ReadWriteMany PersistentVolumeClaim in each of its namespaces, over the same data in all of them.
  - With the backends V(nfs), V(csi) and V(host_path) each namespace gets its own static volume, with the reclaim policy
    C(Retain) and reserved for its claim. With V(storage_class) the class provisions a volume in the first namespace, and
    the other namespaces get static volumes over the same data, if the provisioner supports it. With V(existing_claim) the
    claim is managed by something else.
  - Claims and volumes that were created by hand are adopted if they hold the data that the share describes. Otherwise they
    are rejected with the difference.
  - A share that is created, adopted, reused or brought back from retirement is compared with all volumes of the cluster.
    Data that another share or a home uses is rejected, in every namespace.
  - The data of a share is never deleted. The module verifies that a volume is C(Retain) before it shares the volume with
    another namespace or deletes its claim.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.k8s
  - odh.persistency.connection
  - odh.persistency.shares
  - odh.persistency.result
attributes:
  check_mode:
    support: full
    details:
      - The API server validates each request (server-side dry run).
      - In a namespace that does not exist yet nothing can be validated. A warning says so, and the plan is shown.
      - A claim of V(existing_claim) that does not exist is a warning, because an earlier task may create it.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A share of a storage class in several namespaces takes two runs, because its volume exists once its claim is bound.
      - A reused volume of a class keeps its size at first. The next run expands it.
options:
  namespaces:
    description:
      - The namespaces of shares whose entry has no C(namespaces). A storage class provisions the volume of a new share in
        the first one. After that the order has no effect.
      - Removing a namespace from the list deletes nothing there.
    type: list
    elements: str
    default: []
  create_namespace:
    description:
      - Whether to create O(namespaces), and the namespaces that shares name, if they do not exist. They are the first items of
        the plan. On OpenShift they are requested as Projects, as in M(odh.persistency.user_pvc).
    type: bool
    default: false
  size:
    description:
      - The size of shares whose entry has no C(size), as a Kubernetes quantity.
      - Sizes only grow, and only if a class provisioned the volume and allows expansion. Otherwise there is a warning.
    type: str
  state:
    description:
      - V(present) creates missing claims and volumes, adopts and expands existing ones, reuses a volume that an earlier
        claim of the same share left, and removes the retirement mark.
      - V(retired) marks the claims of these shares and their static volumes, and keeps them.
      - V(absent) deletes the claims of these shares that have been retired for longer than O(retention) and are not mounted
        by any pod, and then the static volumes that this module created. Volumes that a class provisioned, and volumes that
        were created by hand, are set to C(Retain) and stay. A claim of V(existing_claim), which has the annotation
        C(odh.persistency/found), also stays. It and its volume lose all marks of this collection.
    type: str
    choices: [present, retired, absent]
    default: present
  only_states:
    description:
      - Change only shares in these states. The others are validated and otherwise ignored.
      - Lets one list be applied in two steps, with the access list (M(odh.persistency.share_acl)) in between. New shares get
        their claims before they are granted, and nobody is granted a share whose claims are retired or deleted.
      - Without it, shares in all states are changed.
    type: list
    elements: str
    choices: [present, retired, absent]
  declassify:
    description:
      - Names of shares whose level this run may lower. Claims and volumes carry the level of their share in the annotation
        C(odh.persistency/level), and data keeps its level when a share is taken off the list, retired or renamed.
      - The same option of M(odh.persistency.share_acl) is about the published access list.
    type: list
    elements: str
    default: []
  retention:
    description:
      - The minimum time that a share stays after it was retired, as a number with a unit of C(s), C(m), C(h), C(d) or
        C(w).
    type: str
    default: 30d
  wait:
    description:
      - Whether to wait until the claims are bound and have the requested capacity.
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
  - Access modes do not prevent anybody from writing. A share is made read-only on the claim's volume and mount when a
    server starts, as the access list says (M(odh.persistency.share_acl)).
  - A change that would mean other data (another server, path, handle, file system, existing claim or backend) is rejected,
    and the message explains how to move a share. Another storage class or access mode is a warning.
  - A volume of C(nfs.csi.k8s.io) or CephFS gets its own C(volumeHandle) in each namespace. For other CSI drivers set
    O(shares[].backend.volume_handle) or O(shares[].backend.volume_handles). CephFS mounts static volumes with a Secret that
    holds C(userID) and C(userKey). If the Secret of the class holds other keys, set O(shares[].backend.node_stage_secret).
  - Volumes of a class are copied to other namespaces if they are in-tree NFS or C(nfs.csi.k8s.io). For other CSI drivers
    set O(shares[].backend.clone=true), if the driver can mount one volume under several PersistentVolumes.
  - Needs the verbs C(list), C(get), C(create), C(patch) and C(delete) on C(persistentvolumeclaims) in each namespace and on
    C(persistentvolumes) in the cluster, as far as O(state) and the backends use them, and C(list) on C(pods) for V(absent).
    Optionally C(list) on C(persistentvolumeclaims) in the cluster (one request instead of one for each namespace if there
    are more than three, and a warning about claims with a new share's name in other namespaces), C(get) on
    C(persistentvolumeclaims) in other namespaces (to find the owner of data that a new share overlaps; without it such a
    share is rejected), C(get) on the namespaces, C(list) on C(resourcequotas) and on C(storageclasses).
  - A public share of a storage class, or with an existing claim, in a single namespace needs no permission on volumes until
    it is deleted. Others need none either, but a warning says that their volumes are not compared and not marked.
seealso:
  - module: odh.persistency.share_acl
  - module: odh.persistency.share_directory
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
  - PyYAML >= 5.1, for O(shares_file) in YAML
  - openshift >= 0.13.2, for O(create_namespace) on OpenShift
"""

EXAMPLES = r"""
- name: Provision two shares in the namespaces of two hubs
  odh.persistency.share_pvc:
    namespaces: [jupyterhub, jupyterhub-gpu]
    shares:
      - name: shared-data-public
        level: public
        size: 500Gi
        backend:
          type: nfs
          server: nas.example.org
          path: /exports/public
          mount_options: [nfsvers=4.1]
      - name: shared-notebooks
        level: private
        size: 20Gi
        backend:
          type: storage_class
          storage_class: nfs-csi
        read:
          groups: [analysts]

- name: Use an existing directory on CephFS
  odh.persistency.share_pvc:
    namespaces: [jupyterhub]
    shares:
      - name: shared-models
        level: private
        size: 2Ti
        backend:
          type: csi
          driver: rook-ceph.cephfs.csi.ceph.com
          attributes:
            clusterID: rook-ceph
            fsName: myfs
            rootPath: /volumes/shared/models
          node_stage_secret:
            name: cephfs-static-user
            namespace: rook-ceph
        read:
          groups: [analysts]

- name: Retire a share and keep its data
  odh.persistency.share_pvc:
    namespaces: [jupyterhub, jupyterhub-gpu]
    state: retired
    shares:
      - name: shared-notebooks

- name: Delete the claims and volumes of a share that was retired more than 90 days ago, and keep its data
  odh.persistency.share_pvc:
    namespaces: [jupyterhub, jupyterhub-gpu]
    state: absent
    retention: 90d
    shares:
      - name: shared-notebooks
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
      description: V(share).
      type: str
    namespace:
      description: The namespace.
      type: str
    name:
      description: The name of the claim.
      type: str
    reason:
      description: The reason, and what happens to the volume, as a sentence.
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
      kind: share
      namespace: jupyterhub
      name: shared-data-public
      reason: the share is not in jupyterhub yet
summary:
  description: The count of claims per action.
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
  description: What differs and the cluster cannot change. The warnings say the same.
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
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_pvc import (
    argument_spec,
    manage_shares,
)


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, manage_shares, "share")


if __name__ == "__main__":
    main()
