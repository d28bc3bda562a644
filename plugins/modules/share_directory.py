#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: share_directory
short_description: Make the directories of shares on the NFS server, or wherever their export is mounted
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Makes the directory of each share, and the C(directories) that the share lists inside it, with the share's C(owner),
    C(gid) and C(mode) (C("2770") where it says none, so that what is put in belongs to its group). All shares in one call.
  - A directory that has content is not given another owner, group or mode unless O(adopt) says so. What is in a directory
    is never touched, nothing is done recursively, and nothing is deleted.
  - Symbolic links below O(path) are refused, and cannot be swapped in while this runs.
  - Needs no cluster, and no more on its host than Python.
extends_documentation_fragment:
  - odh.persistency.attributes
  - odh.persistency.shares
attributes:
  check_mode:
    support: full
    details:
      - What the user who runs it may not do is refused in check mode as well. What only a server knows beforehand, such as a
        quota or that it squashes root, shows when it is done.
      - Where O(path) does not exist yet, or nothing is mounted there yet, a warning says so, and the plan is shown as for an
        empty folder.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  path:
    description:
      - The folder on the host that runs the task in which the directories of shares lie. It must exist, and is never changed
        itself.
      - A share lies in it under its C(directory), which is its name where it says none, or, with O(export), where its backend
        says. Directories on the way that are missing are made with the mode 0755; those that exist stay as they are.
    type: path
    required: true
  export:
    description:
      - What O(path) is called in the paths of backends, such as C(/exports). A share whose backend's path is
        C(/exports/teams/a) then lies at C(teams/a) in O(path); one whose backend's path is outside is refused.
      - Needed where shares are not all directly in one folder under their names.
      - It is looked for in the backends C(nfs), C(host_path), and C(csi) with the attributes of nfs.csi.k8s.io (C(server),
        C(share), C(subDir)) or of CephFS (C(rootPath)). Shares with other backends have no directory here unless they name
        their C(directory).
    type: str
  server:
    description:
      - The NFS server whose export O(path) is, as backends call it. Shares that lie elsewhere are left out.
      - Needed where the shares lie on several servers.
    type: str
  elsewhere:
    description:
      - Names of shares that do not lie in O(path), and are left out.
    type: list
    elements: str
    default: []
  mounted:
    description:
      - Refuse to run unless something is mounted at O(path), so that the folder below an export that is not mounted is never
        filled.
      - Without it, that is so where O(export) is given and is another path than O(path), for then this host sees the export
        through a mount.
    type: bool
  adopt:
    description:
      - Whether a directory that has content may be given the owner, group and mode of its share. Only the directory itself
        is, never what is in it.
    type: bool
    default: false
notes:
  - Shares whose C(state) is C(retired) or C(absent) are left alone, and so are directories of shares that are listed no more.
  - Where the entry of such a share still says where it lies, that directory is given to no other share.
  - An export that squashes root lets nobody change owners from a client; run this on the server then.
  - In check mode and otherwise, O(shares_file) is a path on the host that runs the task, as O(path) is.
seealso:
  - module: odh.persistency.share_pvc
  - module: odh.persistency.share_acl
requirements:
  - python >= 3.9
  - PyYAML >= 5.1, for O(shares_file) in YAML
"""

EXAMPLES = r"""
- name: The directories of all shares, on the NFS server itself
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

- name: The same from a host that has the export mounted elsewhere
  odh.persistency.share_directory:
    path: /mnt/nfs
    export: /exports
    shares: "{{ shares }}"
  become: true

- name: Take over directories that were in use before, as they are inside
  odh.persistency.share_directory:
    path: /exports
    export: /exports
    adopt: true
    shares_file: /etc/persistency/shares.yml
  become: true
"""

RETURN = r"""
changes:
  description: Everything that is not a plain keep.
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
      description: Empty, for directories are in no namespace.
      type: str
    name:
      description: The path of the directory on the host that runs the task; empty where a refusal is about the input itself.
      type: str
    reason:
      description: Why, as a sentence.
      type: str
  sample:
    - action: create
      kind: directory
      namespace: ""
      name: /exports/shared-data-public
      reason: share shared-data-public has no directory yet
summary:
  description: How often each action occurs. Shares that have no directory here count as kept.
  returned: always
  type: dict
  sample: {create: 3, keep: 12}
unreconcilable:
  description: Empty; a directory is either brought to what its share says, or refused.
  returned: always
  type: list
  elements: dict
failed_items:
  description:
    - What could not be carried out, each with its C(reason), what the system said (C(api), such as C(ENOSPC)), and whether a
      second run mends it (C(retryable)).
  returned: failure
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odh.persistency.plugins.module_utils._io.module import run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_directory import (
    argument_spec,
    manage_directories,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        required_one_of=[("shares", "shares_file")],
        supports_check_mode=True,
    )
    run(module, manage_directories, "directory")


if __name__ == "__main__":
    main()
