#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lmod_release
short_description: Build software with EasyBuild and publish it as a release that Lmod loads from
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Brings a software tree to a stack, which is an EasyBuild easystack with a few more keys. Entries that the store lacks are
    built with EasyBuild, each into a directory of its own that never changes afterwards. The modulefiles of all entries
    become a release with Lmod's cache. The release is verified, and becomes current by one rename.
  - A run that fails, or that is killed, leaves the current release as it is. The next run continues with what is missing.
  - If nothing differs, EasyBuild resolves the stack, and nothing is built or published.
  - Rolls back to an earlier release, promotes a release of another tree, and deletes what nothing needs.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.k8s
  - odh.persistency.connection
  - odh.persistency.software
  - odh.persistency.software_builder
  - odh.persistency.result
attributes:
  check_mode:
    support: full
    details:
      - Check mode resolves the stack with EasyBuild, and shows what would be built and which modules would change.
      - Whether builds and checks succeed shows only when they run.
      - With O(builder=job), check mode creates Jobs that only read the tree, and ConfigMaps for them, and deletes them.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) builds what is missing, and makes a release of it current.
      - V(built) builds what is missing into the store. No release changes.
      - V(rolled_back) makes O(release) current again, or the release before the current one. Without O(release), a second
        run stays where the first one went.
      - V(promoted) copies O(release), or the current one, from the tree O(source), verifies it, and makes it current.
        Store entries that exist are not copied.
      - V(pruned) deletes releases beyond O(keep) that no running server may use, store entries that no release needs any more,
        and what runs left behind that did not end. The current release is never deleted.
    type: str
    choices: [built, present, rolled_back, promoted, pruned]
    default: present
  stack:
    description:
      - The stack, as data. O(state=present) and O(state=built) need either this or O(stack_file).
      - The key C(easyconfigs) lists the easyconfigs. An item is a file name, or a mapping from the file name to its keys.
        C(options) has options of EasyBuild for this easyconfig. The release does without an easyconfig that is C(optional) and
        cannot be built, and keeps its last good installation. The version with C(default) is what C(module load NAME) loads.
        Modules that are C(featured) are also in C(modules/featured). C(tests) are commands that must succeed with the module
        loaded.
      - C(easybuild) is the version of EasyBuild that the stack is for. C(robot_paths) are folders with more easyconfigs,
        relative to the file. C(tests) has commands by module, also for dependencies. C(collections) has lists of
        modules by name, which must load together.
    type: dict
  stack_file:
    description:
      - The stack, as a YAML file on the host that runs the task. Error messages name its lines.
      - A relative name is looked up next to the inventory, next to the playbook and in the current folder, which in AWX
        is the project. Two files of that name are rejected. On another host it is a name on that host.
    type: path
  easybuild_options:
    description:
      - Options of EasyBuild for all easyconfigs, by long name without dashes. C(optarch) is V(GENERIC) unless it is set,
        because the host that builds and the servers may have different processors.
    type: dict
    default: {}
  robot_paths:
    description: More folders with easyconfigs on the host that runs the task.
    type: list
    elements: path
    default: []
  source_paths:
    description: Folders with sources on the host that runs the task. They can have the layout of EasyBuild's own, or be flat.
    type: list
    elements: path
    default: []
  download:
    description:
      - Whether EasyBuild may download sources that are missing. Otherwise a missing source is rejected before anything is
        built, with the expected file name and SHA256.
    type: bool
    default: false
  build_path:
    description:
      - A folder for temporary files of builds on the host that builds, which the build user can write to. A build of a large
        application needs several gigabytes. It cannot be on the tree.
      - Defaults to the folder for temporary files of that host, usually C(/tmp).
    type: path
  jobs:
    description:
      - How many processes one build may run at a time. Defaults to the number of processors.
      - With O(builder=job), how many Jobs build at a time, one by default. Each builds one entry whose dependencies are built.
        See O(builder_resources) for the processes of each.
    type: int
  rebuild:
    description:
      - Modules to build again if their installation was built by another version of EasyBuild or of the easyblock
        (RV(rebuild_available)), or has changed since, and optional modules to try again that failed.
      - The new installation gets a directory of its own. Runs that do not name the module use it once a release has it.
    type: list
    elements: str
    default: []
  verify:
    description:
      - Which modules are checked before a release is published. V(changed) checks those that changed, and every module that
        depends on one of them.
    type: str
    choices: [changed, all]
    default: changed
  server_python:
    description:
      - The Python of the notebook servers on this host, or in O(builder_image), which must import C(ipykernel) with each module
        loaded.
      - With O(server_images), the path of Python in these images instead.
    type: path
  server_images:
    description:
      - The images of notebook servers. Before a release is published, a Job in each of them loads every module that
        O(verify) covers, and starts a notebook kernel with it. If that fails in one image, nothing is published, and the message
        names the module and the image.
      - The pods have the tree mounted read-only at O(prefix), and the options for Jobs (C(builder_*)) except O(builder_image)
        apply to them. An image needs Bash, Lmod at O(lmod_cmd) in the version that made the cache, and Python 3.9 or later as
        C(python3) or at O(server_python).
      - With O(builder=local), O(builder_namespace) and O(builder_claim) are also needed. They name a claim of the
        tree, such as the read-only one of the servers.
    type: list
    elements: str
    default: []
  release:
    description: The id of a release, for O(state=rolled_back) and O(state=promoted).
    type: str
  source:
    description:
      - The path of another tree on the host that runs the task, for O(state=promoted). Its releases must be for the same
        O(prefix).
    type: path
  source_claim:
    description:
      - The claim of another tree in O(builder_namespace), for O(state=promoted) with O(builder=job). It takes the place of
        O(source).
    type: str
  keep:
    description: How many releases stay, the current one included. Required for O(state=pruned).
    type: int
  minimum_age:
    description:
      - How long a release stays after it was last current, and a store entry after it was built, as a number with a unit of
        C(s), C(m), C(h), C(d) or C(w).
      - With O(server_namespaces), releases stay by the running servers instead, and this applies to store entries only.
    type: str
    default: 7d
  server_namespaces:
    description:
      - The namespaces of servers that load from the tree. Every release that was current since the oldest running server
        started stays, and so does one since another running pod that mounts the tree was created, such as a worker.
      - A namespace that does not exist is rejected. Without this option, O(state=pruned) asks no cluster.
    type: list
    elements: str
    default: []
  when_locked:
    description: Whether to wait while another run changes the tree, or to fail at once.
    type: str
    choices: [wait, reject]
    default: wait
  lock_timeout:
    description: How many seconds to wait for another run.
    type: int
    default: 3600
  progress_file:
    description:
      - A file on the host that runs the task, which gets a line for each step of each build.
      - If it is not set, the lines are shown in the output of the task.
    type: path
notes:
  - The connection options are used only with O(builder=job), with O(server_images), and with O(server_namespaces), which needs
    C(list) on C(pods) there, and C(get) on a namespace without pods.
  - With O(builder=job), O(robot_paths), O(source_paths) and C(robot_paths) of the stack are paths that the pods see, so they are
    on the tree or in the image. O(source_paths) defaults to the folder C(sources) of the tree.
  - A Job that failed stays for a week, with its log. All others are deleted when they end. A run that is cancelled deletes its
    Jobs, and the next run deletes those of a run that was killed.
seealso:
  - module: odh.persistency.lmod_tree
  - module: odh.persistency.lmod_release_info
requirements:
  - Linux
  - python >= 3.9
  - PyYAML >= 5.1, for O(stack_file)
  - EasyBuild 5, in the environment O(easybuild)
  - Lmod >= 8.6
  - kubernetes >= 24.2.0, for O(builder=job), O(server_images) and O(server_namespaces)
"""

EXAMPLES = r"""
- name: Build and publish the stack
  odh.persistency.lmod_release:
    prefix: /opt/apps
    path: /srv/nfs/apps
    easybuild: /opt/easybuild
    build_user: easybuild
    stack_file: /etc/persistency/stack.yml
    source_paths: [/srv/sources]
  become: true

- name: The same with the stack in the inventory
  odh.persistency.lmod_release:
    prefix: /opt/apps
    easybuild: /opt/easybuild
    build_user: easybuild
    stack:
      easybuild: 5.4.1
      easyconfigs:
        - zlib-1.3.1.eb
        - bzip2-1.0.8.eb:
            default: true
            tests: [bzip2 --version]
        - R-4.4.2-gfbf-2024a.eb:
            optional: true
            featured: true
    source_paths: [/srv/sources]
  become: true

- name: Build again what a newer EasyBuild builds better
  odh.persistency.lmod_release:
    prefix: /opt/apps
    easybuild: /opt/easybuild
    build_user: easybuild
    stack_file: /etc/persistency/stack.yml
    rebuild: [zlib/1.3.1]
  become: true

- name: Build and publish in Jobs, with sources that lie in the folder sources of the tree
  odh.persistency.lmod_release:
    prefix: /opt/apps
    easybuild: /opt/easybuild
    stack_file: stack.yml
    builder: job
    builder_namespace: software
    builder_claim: apps
    builder_image: registry.example.org/builder:2026.11
    builder_resources:
      requests: {cpu: 2, memory: 4Gi}
      limits: {cpu: 4, memory: 8Gi}
    jobs: 3

- name: Build on this host, and try the kernels of two images of servers in Jobs before publication
  odh.persistency.lmod_release:
    prefix: /opt/apps
    path: /srv/nfs/apps
    easybuild: /opt/easybuild
    build_user: easybuild
    stack_file: /etc/persistency/stack.yml
    server_images:
      - registry.example.org/notebook:2026.11
      - registry.example.org/notebook-gpu:2026.11
    server_python: /opt/conda/bin/python
    builder_namespace: jupyterhub
    builder_claim: software
  become: true

- name: Roll back to the release before
  odh.persistency.lmod_release:
    prefix: /opt/apps
    build_user: easybuild
    state: rolled_back
  become: true

- name: Promote the current release of the staging tree
  odh.persistency.lmod_release:
    prefix: /opt/apps
    path: /srv/production/apps
    source: /srv/staging/apps
    build_user: easybuild
    state: promoted
  become: true

- name: Delete all but five releases, and what only they needed
  odh.persistency.lmod_release:
    prefix: /opt/apps
    build_user: easybuild
    state: pruned
    keep: 5
    server_namespaces: [jupyterhub]
  become: true
"""

RETURN = r"""
release:
  description: The release that is current after the run, null if there is none.
  returned: success
  type: str
  sample: 20261129T101500Z-0a1b2c3d
previous:
  description: The release that was current before it, null if there is none.
  returned: success
  type: str
  sample: 20261120T090000Z-4e5f6a7b
modules:
  description: The modules of the release. In check mode, and if the run fails, those that it would have.
  returned: O(state=present) and O(state=built)
  type: list
  elements: str
  sample: [bzip2/1.0.8, zlib/1.3.1]
entries:
  description:
    - The same with the C(path) of each in the store, its C(hash), its C(size) in bytes, and its C(state). V(built) is new,
      V(carried) was in the store, and V(kept) replaces an optional one that cannot be built.
  returned: O(state=present) and O(state=built)
  type: list
  elements: dict
failed_modules:
  description: Modules that are not built, each with its C(reason) and C(log).
  returned: O(state=present) and O(state=built)
  type: list
  elements: dict
rebuild_available:
  description: Modules that were built by another EasyBuild or easyblock than a build would use now, see O(rebuild).
  returned: O(state=present) and O(state=built)
  type: list
  elements: str
missing_sources:
  description: Sources that are missing, or have another checksum, each with its C(module), C(file), C(sha256) and C(urls).
  returned: O(state=present) and O(state=built)
  type: list
  elements: dict
bytes:
  description: How many bytes were deleted or copied, in check mode how many would be deleted.
  returned: O(state=pruned) and O(state=promoted)
  type: int
changes:
  description: All changes of the plan.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update), V(delete) or V(refuse).
      type: str
    kind:
      description: V(entry) (of the store), V(module) (of the release), V(release), V(store), V(incomplete),
        V(staging) or V(logs) (of a run).
      type: str
    namespace:
      description: Empty, because these have no namespace.
      type: str
    name:
      description: The module, or the path of the link to the current release. Empty if the input itself is rejected.
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
      kind: entry
      namespace: ""
      name: bzip2/1.0.8
      reason: "is not in the store: EasyBuild builds it into store/bzip2/1.0.8-0a1b2c3d4e5f"
summary:
  description: The count per action.
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
  description: Empty.
  returned: always
  type: list
  elements: dict
failed_items:
  description: The builds that failed and that the release needs, each with its C(reason).
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module, run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.lmod_release import (
    argument_spec,
    manage_release,
)


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, manage_release, "release")


if __name__ == "__main__":
    main()
