#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: share_pvc
short_description: Provision, adopt, grow, retire and remove the claims and volumes of shares
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Gives each share a ReadWriteMany PersistentVolumeClaim in each of its namespaces, over the same data in all of them.
  - With the backends C(nfs), C(csi) and C(host_path) each namespace gets a static volume of its own, C(Retain) and reserved
    for its claim. With C(storage_class) the class makes a volume in the first namespace, and the other namespaces get static
    volumes over the same data, where what made it allows that. With C(existing_claim) the claim is somebody else's.
  - Claims and volumes that were made by hand are adopted when they hold the data that is meant, and refused with the
    difference when they do not.
  - What is made, adopted, taken up or taken out of retirement is held against all volumes of the cluster. Data that another
    share or a home has is refused, wherever that is.
  - The data of a share is never deleted. Every volume of a share is seen to be C(Retain) before it is shared with another
    namespace, or its claim removed.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.k8s
  - odh.persistency.shares
attributes:
  check_mode:
    support: full
    details:
      - The API server validates what would be sent (server dry-run).
      - In a namespace that does not exist yet nothing can be validated; a warning says so, and the plan is shown.
      - A claim of C(existing_claim) that does not exist is a warning, for an earlier task may be what makes it.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A share of a storage class in several namespaces takes two runs, for its volume is there once its claim is bound.
      - A volume of a class that is taken up again has the size that it had; what is asked beyond that comes with the next run.
options:
  namespaces:
    description:
      - The namespaces of shares that name none themselves. The first one is where a storage class makes the volume of a
        share that is nowhere yet; after that the order means nothing.
      - Taking a namespace off the list removes nothing there.
    type: list
    elements: str
    default: []
  size:
    description:
      - The size of a share that says none itself, as a Kubernetes quantity.
      - Sizes only grow, and only where a class made the volume and expands it. What cannot grow is a warning.
    type: str
  state:
    description:
      - V(present) makes the claims and volumes that are missing, adopts and grows those that exist, takes up again a volume
        that an earlier claim of the same share left, and takes a retirement mark off.
      - V(retired) marks the claims of these shares, and their static volumes, and keeps them.
      - V(absent) deletes the claims of these shares that have been retired for longer than O(retention) and are mounted by no
        pod, and then the static volumes that this module made. Volumes that a class made, and those that were made by hand,
        are set to C(Retain) and stay. A claim of C(existing_claim) stays too, as its annotation C(odh.persistency/found)
        says, and loses our marks, as its volume does.
    type: str
    choices: [present, retired, absent]
    default: present
  retention:
    description:
      - How long a share stays at least after it was retired, as a number and one of C(s), C(m), C(h), C(d), C(w).
    type: str
    default: 30d
  wait:
    description:
      - Wait until the claims are bound and have the capacity that they ask for.
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
  - Access modes do not keep anybody from writing. Read-only is set on the claim's volume and on the mount when a server
    starts, as the access list says (M(odh.persistency.share_acl)).
  - What would be other data (another server, path, handle, file system, existing claim or backend) is refused, with the way
    to move a share. Another storage class or access mode is a warning.
  - A volume of C(nfs.csi.k8s.io) or CephFS gets a C(volumeHandle) of its own in each namespace. For other CSI drivers give
    C(volume_handle) or C(volume_handles). CephFS mounts static volumes with a Secret that holds C(userID) and C(userKey);
    where the Secret of the class holds other keys, name one in C(node_stage_secret) of the backend.
  - Copies of the volume of a class are made of in-tree NFS and of C(nfs.csi.k8s.io); of other CSI drivers only with
    C(clone) set to V(true) in the share's backend, which says that the driver mounts one volume under several
    PersistentVolumes.
  - Needs the verbs C(list), C(get), C(create), C(patch) and C(delete) on C(persistentvolumeclaims) in each namespace and on
    C(persistentvolumes) in the cluster, as far as O(state) and the backends use them; C(list) on C(pods) for V(absent);
    optionally C(list) on C(persistentvolumeclaims) in the cluster (one request instead of one a namespace, where there are
    more than three, and a warning of claims of a new share's name elsewhere), C(get) on C(persistentvolumeclaims) in other
    namespaces (whose the data is that a new share overlaps; without it such a share is refused), C(get) on the namespaces,
    C(list) on C(resourcequotas) and on C(storageclasses).
  - A share of a storage class, or with an existing claim, in a single namespace takes no right on volumes until it is
    removed.
seealso:
  - module: odh.persistency.share_acl
  - module: odh.persistency.share_directory
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
  - PyYAML >= 5.1, for O(shares_file) in YAML
"""

EXAMPLES = r"""
- name: Two shares, in the namespaces of two hubs
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

- name: CephFS, a directory that is there
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

- name: A share goes out of use; its data stays
  odh.persistency.share_pvc:
    namespaces: [jupyterhub, jupyterhub-gpu]
    state: retired
    shares:
      - name: shared-notebooks

- name: What was retired three months ago goes, and its data stays where it is
  odh.persistency.share_pvc:
    namespaces: [jupyterhub, jupyterhub-gpu]
    state: absent
    retention: 90d
    shares:
      - name: shared-notebooks
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
      description: V(share).
      type: str
    namespace:
      description: The namespace.
      type: str
    name:
      description: The name of the claim.
      type: str
    reason:
      description: Why, and what becomes of the volume, as a sentence.
      type: str
  sample:
    - action: create
      kind: share
      namespace: jupyterhub
      name: shared-data-public
      reason: the share is not in jupyterhub yet
summary:
  description: How often each action occurs, counted in claims.
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
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_pvc import (
    argument_spec,
    manage_shares,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        required_one_of=[("shares", "shares_file")],
        supports_check_mode=True,
    )
    run(module, manage_shares, "share")


if __name__ == "__main__":
    main()
