#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: share_directory
short_description: Create the directories of shares on the NFS server, or on a host that mounts its export
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Creates the directory of each share, and the C(directories) inside it, with the share's C(owner), C(gid) and C(mode).
    The default mode V("2770") lets new files belong to the share's group. Handles all shares in one call.
  - The owner, group and mode of a directory that has content change only with O(adopt). The content of a directory is never
    changed, nothing is recursive, and nothing is deleted.
  - Symbolic links below O(path) are rejected, and cannot be swapped in while the module runs.
  - Needs no cluster, and only Python on the host.
extends_documentation_fragment:
  - odh.persistency.attributes
  - odh.persistency.shares
  - odh.persistency.result
attributes:
  check_mode:
    support: full
    details:
      - Check mode also rejects what the user who runs the task may not do. Limits that only the server knows, such as quotas
        and root squashing, show when the changes are made.
      - If O(path) does not exist yet, or nothing is mounted there yet, a warning says so, and the plan is shown as for an
        empty folder.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  path:
    description:
      - The folder, on the host that runs the task, that contains the directories of shares. It must exist, and is never
        changed.
      - The directory of a share is its C(directory), which defaults to its name. With O(export) it follows from the path of
        the backend. Missing parent directories are created with the mode 0755. Existing ones stay as they are.
    type: path
    required: true
  export:
    description:
      - The path that backends use for O(path), such as V(/exports). A share with the backend path V(/exports/teams/a) then
        has the directory C(teams/a) in O(path). A share with a backend path outside of it is rejected.
      - Needed unless all shares are directly in one folder under their names.
      - Applies to the backends V(nfs), V(host_path), and V(csi) with the attributes of nfs.csi.k8s.io (C(server),
        C(share), C(subDir)) or CephFS (C(rootPath)). Shares with other backends have no directory here unless they set
        O(shares[].directory).
    type: str
  server:
    description:
      - The NFS server that exports O(path), as backends call it. Shares on other servers are left out.
      - Needed if the shares are on several servers.
    type: str
  elsewhere:
    description:
      - Names of shares that are not in O(path). They are left out.
    type: list
    elements: str
    default: []
  mounted:
    description:
      - Whether to fail unless something is mounted at O(path), so that the folder below an unmounted export is never filled.
      - Defaults to V(true) if O(export) is set and differs from O(path), because this host then sees the export through a
        mount.
    type: bool
  adopt:
    description:
      - Whether a directory that has content may get the owner, group and mode of its share. Only the directory itself is
        changed, never its content.
    type: bool
    default: false
notes:
  - Directories of shares whose C(state) is V(retired) or V(absent), and of shares that are no longer listed, are not changed.
  - The directory that the entry of a retired or absent share names is given to no other share.
  - On an export that squashes root, clients cannot change owners. Run the module on the server instead.
  - O(shares_file) is a path on the host that runs the task, as O(path) is.
seealso:
  - module: odh.persistency.share_pvc
  - module: odh.persistency.share_acl
requirements:
  - python >= 3.9
  - PyYAML >= 5.1, for O(shares_file) in YAML
"""

EXAMPLES = r"""
- name: Create the directories of all shares on the NFS server
  odh.persistency.share_directory:
    path: /exports
    shares:
      - name: shared-data-public
        level: public
        size: 100Gi
        gid: 5000
        directories: [capacity_data_sets, testing_data_sets]
        backend: {type: nfs, server: nfs.example.org, path: /exports/shared-data-public}
  become: true
  delegate_to: nfs.example.org

- name: Create them from a host that mounts the export at another path
  odh.persistency.share_directory:
    path: /mnt/nfs
    export: /exports
    shares: "{{ shares }}"
  become: true

- name: Adopt directories that are already in use
  odh.persistency.share_directory:
    path: /exports
    export: /exports
    adopt: true
    shares_file: /etc/persistency/shares.yml
  become: true
"""

RETURN = r"""
root_error:
  description:
    - Why O(path) cannot be used yet (it does not exist, or nothing is mounted there), empty if it can.
    - Only in check mode, because an earlier task may create or mount it. Otherwise this is an error.
  returned: success
  type: str
  sample: ''
changes:
  description: All changes of the plan.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update), V(adopt) (a directory with content) or V(refuse).
      type: str
    kind:
      description: V(directory).
      type: str
    namespace:
      description: Empty, because directories have no namespace.
      type: str
    name:
      description: The path of the directory on the host that runs the task. Empty if the input itself is rejected.
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
      kind: directory
      namespace: ""
      name: /exports/shared-data-public
      reason: share shared-data-public has no directory yet
summary:
  description: The count per action. Shares that have no directory here count as kept.
  returned: always
  type: dict
  sample: {create: 3, keep: 12}
omitted:
  description: How many items of each list are left out because of O(max_changes).
  returned: when a list was shortened
  type: dict
  sample:
    changes: 9500
unreconcilable:
  description: >-
    Directories inside a share that cannot become what its entry describes, because its members may change everything there,
    such as C(directories) that were replaced by a link. They are left out.
  returned: always
  type: list
  elements: dict
failed_items:
  description:
    - The items that could not be applied, each with its C(reason), the error of the system (C(api), such as C(ENOSPC)), and
      whether a rerun helps (C(retryable)).
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module, run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_directory import (
    argument_spec,
    manage_directories,
)


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, manage_directories, "directory")


if __name__ == "__main__":
    main()
