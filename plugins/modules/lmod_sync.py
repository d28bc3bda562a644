#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lmod_sync
short_description: Send a release of a software tree to a file server with rsync over SSH, and prune there
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Brings a release to a tree on another host, typically the file server that servers mount and the builder does not.
  - Sends the store entries that are missing there, then the release, and then renames C(current) there and reads it back.
    Each part is complete before it has its name, so servers never see a half.
  - What an interrupted run sent is not sent again.
  - Deletes old releases there, and what only they needed, with O(state=pruned).
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
      - Connects to the other host, and returns what would be sent or deleted, with the bytes. Nothing is written.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) sends O(release), and makes it current.
      - V(pruned) sends nothing, and deletes on the other host what M(odh.persistency.lmod_release) with this state deletes in its
        tree. These are releases beyond O(keep) that no running server may use, store entries that no release there needs any
        more, and what earlier runs left there. The current release is never deleted. A run that was interrupted goes on.
    type: str
    choices: [present, pruned]
    default: present
  prefix:
    description:
      - The directory in which servers mount the tree. Modulefiles contain it.
    type: path
    required: true
  path:
    description:
      - The directory of the tree on the host that runs the task. Defaults to O(prefix).
    type: path
  build_user:
    description:
      - The user who builds, and whose SSH keys and known hosts are used. By default the user who runs the task.
    type: str
  target:
    description:
      - The tree on the other host, as C([USER@]HOST:/PATH). It must exist (M(odh.persistency.lmod_tree)).
    type: str
    required: true
  ssh_args:
    description:
      - More arguments of C(ssh), such as a port or a key. SSH never asks for a password.
    type: list
    elements: str
    default: []
  release:
    description:
      - The release to send, which becomes current there. By default the current one.
    type: str
  keep:
    description:
      - How many releases stay on the other host, the current one included. Required for O(state=pruned).
    type: int
  minimum_age:
    description:
      - How long a release stays there after it was last current, and a store entry after it was built, as a number with a unit
        of C(s), C(m), C(h), C(d) or C(w).
      - With O(server_namespaces), releases stay by the running servers instead, and this applies to store entries only.
    type: str
    default: 7d
  server_namespaces:
    description:
      - The namespaces of servers that load from the tree on the other host. Every release that was current since the oldest
        running server started stays, and so does one since another running pod that mounts the tree was created, such as a
        worker.
      - A namespace that does not exist is rejected. Without this option, O(state=pruned) asks no cluster.
    type: list
    elements: str
    default: []
  when_locked:
    description:
      - What to do if another run changes the tree. V(wait) waits for O(lock_timeout) seconds.
    type: str
    choices: [wait, reject]
    default: wait
  lock_timeout:
    description:
      - The maximum time to wait for another run, in seconds.
    type: int
    default: 3600
notes:
  - The other host needs C(rsync), a POSIX shell, and the tools of GNU or BusyBox, but no Python. The login must be able to write
    in the tree.
  - O(state=present) deletes nothing on the other host but what earlier runs sent in part.
  - The connection options are used only with O(server_namespaces), which needs C(list) on C(pods) there, and
    C(get) on a namespace without pods.
  - Modules of a release that M(odh.persistency.lmod_tree) adopted cannot be sent, because they are not in the store.
seealso:
  - module: odh.persistency.lmod_release
  - module: odh.persistency.lmod_tree
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0, for O(server_namespaces)
  - rsync >= 3.1 and OpenSSH, on both hosts
"""

EXAMPLES = r"""
- name: Send the current release to the file server
  odh.persistency.lmod_sync:
    prefix: /opt/apps
    build_user: easybuild
    target: software@nas.example.org:/srv/exports/software
  delegate_to: build.example.org
  become: true

- name: Send a release, with a key of its own
  odh.persistency.lmod_sync:
    prefix: /opt/apps
    target: software@nas.example.org:/srv/exports/software
    ssh_args: ["-i", /etc/odh-persistency/sync_key, "-p", "2222"]
    release: 20261129T101500Z-0a1b2c3d

- name: Delete all but five releases on the file server, and what only they needed
  odh.persistency.lmod_sync:
    state: pruned
    prefix: /opt/apps
    build_user: easybuild
    target: software@nas.example.org:/srv/exports/software
    keep: 5
    server_namespaces: [jupyterhub]
  delegate_to: build.example.org
  become: true
"""

RETURN = r"""
changes:
  description: The store entries and the release that were sent, and the link; with O(state=pruned), what was deleted.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update) or V(delete).
      type: str
    kind:
      description:
        - V(entry), V(release) or V(link); with O(state=pruned), V(release), V(store), V(incomplete), V(staging) or V(logs).
      type: str
    namespace:
      description: Always empty.
      type: str
    name:
      description: The module, the release, or V(current); with O(state=pruned), the release, the path in the store, or the run.
      type: str
    reason:
      description: The reason, as a sentence.
      type: str
summary:
  description: The count of items per action.
  returned: always
  type: dict
  sample: {create: 2, update: 1, keep: 0}
omitted:
  description: How many items of each list are left out because of O(max_changes).
  returned: when a list was shortened
  type: dict
  sample:
    changes: 9500
release:
  description: The release that was sent; with O(state=pruned), the current one there.
  returned: success
  type: str
bytes:
  description: The size of the store entries that were missing, or of what was deleted; in check mode, of what would be.
  returned: success
  type: int
failed_items:
  description: What could not be sent, with its C(reason), and whether a rerun helps (C(retryable)).
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module, run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.lmod_sync import (
    argument_spec,
    manage_sync,
)


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, manage_sync, "release")


if __name__ == "__main__":
    main()
