#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lmod_tree
short_description: Provision, adopt, retire and delete the claims and volumes of a software tree
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Gives a software tree a PersistentVolumeClaim in each namespace, over the same data in all of them. Claims are
    ReadOnlyMany, except for one ReadWriteMany claim in the namespace of the builder.
  - Each namespace gets its own static volume, with the reclaim policy C(Retain) and reserved for its claim. Volumes of
    servers have the mount option C(ro), so that no pod can write to the tree through them.
  - Claims and volumes that were created by hand are adopted if they hold the data that O(backend) describes. Otherwise they
    are rejected with the difference.
  - A tree that is created, adopted or brought back from retirement is compared with all volumes of the cluster. Data that a
    share, a home or another tree uses is rejected, in every namespace. M(odh.persistency.share_pvc) rejects shares over the
    data of a tree in the same way.
  - The data of a tree is never deleted.
  - On the host that runs the task, it creates the directories that an empty tree consists of, if O(path) is set. A task
    with O(path) alone needs no cluster.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.k8s
  - odh.persistency.connection
  - odh.persistency.result
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
  name:
    description:
      - The name of the tree, and of its claim in each namespace.
    type: str
    default: software
  state:
    description:
      - V(present) creates missing claims and volumes, adopts existing ones, and removes the retirement mark.
      - V(retired) marks the claims of the tree and its volumes, and keeps them.
      - V(absent) deletes claims that have been retired for longer than O(retention) and are not mounted by any pod, and then
        the volumes that this module created. The data is kept.
    type: str
    choices: [present, retired, absent]
    default: present
  namespaces:
    description:
      - The namespaces of servers. Their claims are read-only.
      - Removing a namespace from the list deletes nothing there.
    type: list
    elements: str
    default: []
  builder_namespace:
    description:
      - The namespace in which Jobs build software. Its claim can be written to.
      - If it is one of O(namespaces) too, its servers mount the claim that can be written to, and only their mounts are
        read-only.
    type: str
  create_namespace:
    description:
      - Whether to create namespaces that do not exist.
    type: bool
    default: false
  size:
    description:
      - The size of the volumes, as a Kubernetes quantity. It is nominal, because the server decides what fits.
      - Required for O(state=present), if there are namespaces.
    type: str
  backend:
    description:
      - Where the data is stored. Required for O(state=present), if there are namespaces.
    type: dict
    suboptions:
      type:
        description:
          - The type of the backend.
        type: str
        choices: [nfs, csi, host_path]
        required: true
      server:
        description:
          - With V(nfs), the host name or address of the server. Required.
        type: str
      path:
        description:
          - With V(nfs), the exported path. With V(host_path), the path on the node. Required for both.
        type: str
      mount_options:
        description:
          - With V(nfs) and V(csi), the mount options of the volumes.
        type: list
        elements: str
      driver:
        description:
          - With V(csi), the name of the CSI driver. Required.
        type: str
      volume_handle:
        description:
          - With V(csi), the handle of the volume. For C(nfs.csi.k8s.io) and CephFS each namespace gets a handle derived from
            it.
        type: str
      volume_handles:
        description:
          - With V(csi), the handle for each namespace, for drivers other than C(nfs.csi.k8s.io) and CephFS.
        type: dict
      attributes:
        description:
          - With V(csi), the volume attributes of the driver.
        type: dict
      fs_type:
        description:
          - With V(csi), the file system type.
        type: str
      node_stage_secret:
        description:
          - With V(csi), the Secret that the node uses to mount the volume.
        type: dict
        suboptions:
          name:
            description: The name of the Secret.
            type: str
            required: true
          namespace:
            description: The namespace of the Secret.
            type: str
            required: true
      clone:
        description:
          - With V(csi), whether the driver can mount one volume under several PersistentVolumes. Needed for one
            O(backend.volume_handle) in several namespaces.
        type: bool
  path:
    description:
      - The directory of the tree on the host that runs the task, which must exist. The directories C(store), C(releases) and
        C(locks) are created in it, and nothing else. They are not created for another O(state) than V(present).
    type: path
  prefix:
    description:
      - The directory in which servers mount the tree. Modulefiles contain it. Defaults to O(path).
    type: path
  mounted:
    description:
      - Whether a file system must be mounted at O(path), so that the empty directory below the mount point is never filled.
      - By default it must if O(backend) has another path.
    type: bool
  build_user:
    description:
      - The user who builds and publishes software on this host, and owns the directories. The task acts as this user in
        O(path), because file servers usually let root write nothing.
      - By default it is the user who runs the task.
    type: str
  group:
    description:
      - The group of the directories, of which the build user must be a member.
    type: str
  mode:
    description:
      - The mode of the directories, as octal digits. Servers run as any user and must be able to read them.
    type: str
    default: "0755"
  adopt:
    description:
      - Consent to make what EasyBuild installed at O(path) before (C(software) and C(modules/all)) the first release of the
        tree. No file is moved or changed. The store gets an entry with a copy of each modulefile, and C(current) leads to
        the release. O(path) must be seen at O(prefix), which modulefiles contain. A module that the checks of a release
        reject is a warning, because servers have been using it. The checks run modulefiles, so root needs O(build_user). Once
        the tree has a release, nothing is adopted.
      - Consent to use directories of the skeleton that exist, have content, and have another owner, group or mode. Only the
        directories themselves change.
    type: bool
    default: false
  lmod_cmd:
    description:
      - With O(adopt), the C(lmod) program of the Lmod that servers run, which makes the cache of the first release.
    type: path
    default: /usr/share/lmod/lmod/libexec/lmod
  distinct_from:
    description:
      - Names of shares whose data differs from the tree's although everything that can be compared is equal.
    type: list
    elements: str
    default: []
  retention:
    description:
      - The minimum time that a tree stays after it was retired, as a number with a unit of C(s), C(m), C(h), C(d) or C(w).
    type: str
    default: 30d
  wait:
    description:
      - Whether to wait until the claims are bound.
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
  - Host paths have no mount options. A tree on them is read-only because servers mount it read-only.
  - Needs the verbs C(list), C(get), C(create), C(patch) and C(delete) on C(persistentvolumeclaims) in each namespace and on
    C(persistentvolumes) in the cluster, as far as O(state) uses them, and C(list) on C(pods) for V(absent).
seealso:
  - module: odh.persistency.share_pvc
  - module: odh.persistency.hub_config
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
"""

EXAMPLES = r"""
- name: Provision the software tree for two hubs and for the namespace that builds it
  odh.persistency.lmod_tree:
    namespaces: [jupyterhub, jupyterhub-gpu]
    builder_namespace: software-builder
    size: 500Gi
    backend:
      type: nfs
      server: nas.example.org
      path: /exports/software
      mount_options: [nfsvers=4.1]

- name: Create the directories of the tree on a host that mounts it
  odh.persistency.lmod_tree:
    path: /opt/apps
    mounted: true
    build_user: easybuild
  delegate_to: build.example.org
  become: true

- name: Make an existing tree of EasyBuild the first release
  odh.persistency.lmod_tree:
    path: /opt/apps
    build_user: easybuild
    adopt: true
  delegate_to: build.example.org
  become: true

- name: Retire the tree and keep its data
  odh.persistency.lmod_tree:
    state: retired
    namespaces: [jupyterhub, jupyterhub-gpu]
    builder_namespace: software-builder
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
      description: V(tree), or V(directory) on the host that runs the task.
      type: str
    namespace:
      description: The namespace.
      type: str
    name:
      description: The name of the claim, or the path of the directory.
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
      kind: tree
      namespace: jupyterhub
      name: software
      reason: the tree is not in jupyterhub yet
summary:
  description: The count of items per action.
  returned: always
  type: dict
  sample: {create: 1, keep: 2}
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
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.lmod_tree import (
    argument_spec,
    manage_tree,
)


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, manage_tree, "tree")


if __name__ == "__main__":
    main()
