#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lmod_release_info
short_description: Read the releases of a software tree
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Lists the releases of a tree, the content of one, the difference between two, and what M(odh.persistency.lmod_release) with
    C(state=pruned) would delete.
  - With O(digests), reads every installation and reports those that have changed since they were built.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.info
  - odh.persistency.attributes.k8s
  - odh.persistency.connection
  - odh.persistency.software
  - odh.persistency.software_builder
options:
  release:
    description: The release whose content is returned. Defaults to the current one.
    type: str
  compare_with:
    description: The release that O(release) is compared with. Defaults to the one that was current before.
    type: str
  digests:
    description: Whether to read all installations and compare them with the digests of their builds. This takes minutes.
    type: bool
    default: false
  keep:
    description:
      - How many releases stay in RV(reclaimable). By default all stay, and only store entries that none of them needs count.
    type: int
  minimum_age:
    description:
      - How long a release stays after it was last current, and a store entry after it was built, as a number with a unit of
        C(s), C(m), C(h), C(d) or C(w).
    type: str
    default: 7d
seealso:
  - module: odh.persistency.lmod_release
requirements:
  - Linux
  - python >= 3.9
"""

EXAMPLES = r"""
- name: Read the releases
  odh.persistency.lmod_release_info:
    prefix: /opt/apps
    build_user: easybuild
  become: true
  register: software

- name: Show what changed in the current release
  ansible.builtin.debug:
    var: software.difference

- name: Find installations that somebody changed
  odh.persistency.lmod_release_info:
    prefix: /opt/apps
    build_user: easybuild
    digests: true
  become: true
  register: software
  failed_when: software.changed_entries | length > 0
"""

RETURN = r"""
current:
  description: The current release, null if there is none.
  returned: success
  type: str
  sample: 20261129T101500Z-0a1b2c3d
previous:
  description: The release that a rollback would make current, null if there is none.
  returned: success
  type: str
  sample: 20261120T090000Z-4e5f6a7b
releases:
  description: All releases, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The id of the release.
      type: str
    current:
      description: Whether it is current.
      type: bool
    created_at:
      description: When it was made.
      type: str
    created_by:
      description: Who made it, as USER@HOST.
      type: str
    current_from:
      description: The times at which it became current.
      type: list
      elements: str
    modules:
      description: How many modules it has.
      type: int
    size:
      description: The bytes of its installations. Releases share installations.
      type: int
    easybuild:
      description: The version of EasyBuild that resolved it.
      type: str
    lmod:
      description: The version of Lmod that built its cache.
      type: str
    damaged:
      description: Whether its manifest is missing or unreadable.
      type: bool
content:
  description: The manifest of O(release), with its C(entries), C(defaults), C(collections), C(tests) and C(failed).
  returned: success
  type: dict
difference:
  description: What differs between O(compare_with) and O(release).
  returned: success
  type: dict
  contains:
    from:
      description: The release before.
      type: str
    to:
      description: The release after.
      type: str
    added:
      description: Modules that only the second one has.
      type: list
      elements: str
    removed:
      description: Modules that only the first one has.
      type: list
      elements: str
    changed:
      description: Modules that both have with another installation, default version or place.
      type: list
      elements: str
    defaults:
      description: The default versions before and after, by name, where they differ.
      type: dict
store:
  description: The C(entries) of the store and their C(size) in bytes.
  returned: success
  type: dict
free:
  description: The free bytes of the file system.
  returned: success
  type: int
reclaimable:
  description: The C(releases), C(store) entries and C(staging) folders that nothing needs, and their C(bytes) on the disk.
  returned: success
  type: dict
changed_entries:
  description: With O(digests), the store entries whose files have changed since they were built.
  returned: success
  type: list
  elements: str
  sample: [bzip2/1.0.8-0a1b2c3d4e5f]
lock:
  description: The run that changes the tree right now, null if there is none.
  returned: success
  type: dict
"""

from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module, run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.lmod_release_info import (
    argument_spec,
    release_info,
)


def main() -> None:
    module = Module(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, release_info, "release")


if __name__ == "__main__":
    main()
