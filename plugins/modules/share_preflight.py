#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: share_preflight
short_description: Validate a run over shares before anything is changed
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Previews in one call what M(odh.persistency.share_acl), M(odh.persistency.share_pvc), and with O(path)
    M(odh.persistency.share_directory) would do, and fails with everything that any of them would reject.
  - A namespace or a claim (C(existing_claim)) that does not exist is rejected too, except in check mode, where an earlier task
    may create it.
  - If claims, volumes or directories are rejected and the access list withdraws access from somebody, the module does not fail
    but returns a RV(rejection), so that no withdrawal waits for what others may have made.
  - If there is nothing to do, RV(nothing_to_do) is true, RV(previews) has what the modules would return, and they need not run.
  - The API server validates the requests for claims and volumes only if something else is changed before them (the access
    list if shares are retired or absent), or if the run is rejected anyway. Otherwise M(odh.persistency.share_pvc) is the first
    to run, and rejects before its first write.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.k8s
  - odh.persistency.connection
  - odh.persistency.attributes.info
  - odh.persistency.result
  - odh.persistency.shares
  - odh.persistency.shares.groups
options:
  namespace:
    description:
      - The namespace in which the hub starts its servers, and in which the access list is stored.
    type: str
    required: true
  namespaces:
    description:
      - The namespaces in which shares have claims, as in M(odh.persistency.share_pvc).
    type: list
    elements: str
    default: []
  create_namespace:
    description:
      - As in M(odh.persistency.share_pvc). RV(missing_namespaces) lists what would be created.
    type: bool
    default: false
    aliases: [create_namespaces]
  path:
    description:
      - As in M(odh.persistency.share_directory). Without it, no directories are previewed.
    type: path
  export:
    description:
      - As in M(odh.persistency.share_directory).
    type: str
  server:
    description:
      - As in M(odh.persistency.share_directory).
    type: str
  elsewhere:
    description:
      - As in M(odh.persistency.share_directory).
    type: list
    elements: str
    default: []
  mounted:
    description:
      - As in M(odh.persistency.share_directory).
    type: bool
  adopt:
    description:
      - As in M(odh.persistency.share_directory).
    type: bool
    default: false
  report_file:
    description:
      - If there is nothing to do, the report files that the previewed modules would write are written, or removed if the module
        would not run. Their names are this one with C(_volumes), C(_directories), C(_acl) or C(_deletion) before the extension.
    type: path
  report_folder:
    description:
      - A folder on the host that runs the task, in which O(report_file) is C(HOST-shares_result.json). The role sets it to
        C(persistency_report_folder).
    type: path
  other_results:
    description:
      - What other modules of this collection returned in check mode, such as M(odh.persistency.share_directory) on another host,
        if the host that runs this module does not see the directories. What they rejected is reported together with the rest.
    type: list
    elements: dict
    default: []
  size:
    description:
      - As in M(odh.persistency.share_pvc).
    type: str
  retention:
    description:
      - As in M(odh.persistency.share_pvc).
    type: str
    default: 30d
  format:
    description:
      - As in M(odh.persistency.share_acl).
    type: str
    choices: [acl, jsp]
    default: acl
  profiles_namespace:
    description:
      - As in M(odh.persistency.share_acl).
    type: str
  max_withdrawals:
    description:
      - As in M(odh.persistency.share_acl).
    type: int
    default: 50
  allow_empty:
    description:
      - As in M(odh.persistency.share_acl).
    type: bool
    default: false
  declassify:
    description:
      - As in M(odh.persistency.share_acl).
    type: list
    elements: str
    default: []
  allow_source_change:
    description:
      - As in M(odh.persistency.share_acl).
    type: list
    elements: str
    default: []
notes:
  - Needs the permissions that M(odh.persistency.share_acl) and M(odh.persistency.share_pvc) need in check mode.
seealso:
  - module: odh.persistency.share_acl
  - module: odh.persistency.share_pvc
  - module: odh.persistency.share_directory
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
  - openshift >= 0.13.2, for groups of C(openshift:)
  - PyYAML >= 5.1, for O(shares_file) and O(groups_file) in YAML
"""

EXAMPLES = r"""
- name: Preview the directories on the file server
  odh.persistency.share_directory:
    path: /srv/exports
    export: /exports
    shares_file: /srv/inventory/shares.yml
  delegate_to: nfs.example.org
  check_mode: true
  failed_when: false
  register: directories

- name: Reject the run if anything is wrong
  odh.persistency.share_preflight:
    namespace: jupyterhub
    namespaces: [jupyterhub, nightly-jobs]
    shares_file: /srv/inventory/shares.yml
    groups_file: /srv/inventory/groups.csv
    other_results: ["{{ directories }}"]
"""

RETURN = r"""
missing_namespaces:
  description: The namespaces that do not exist and are needed, if O(create_namespace) is set.
  returned: success
  type: list
  elements: str
  sample: [nightly-jobs]
nothing_to_do:
  description: Whether the access list, claims, volumes, directories and O(other_results) are as desired.
  returned: success
  type: bool
  sample: true
rejection:
  description:
    - Why the run is rejected, if it must withdraw access first. Others may have made what is rejected, and no withdrawal waits
      for that. M(odh.persistency.share_acl) runs with RV(volumes_results), nothing else does, and then the run fails with this.
    - It is empty if nothing is rejected.
  returned: success
  type: str
  sample: ""
volumes_results:
  description: What to give to O(odh.persistency.share_acl#module:volumes_results).
  returned: success
  type: list
  elements: dict
  sample: []
previews:
  description:
    - What the modules would return. RV(previews.volumes) is M(odh.persistency.share_pvc) for present shares,
      RV(previews.directories) M(odh.persistency.share_directory), RV(previews.acl) M(odh.persistency.share_acl), and
      RV(previews.deletion) M(odh.persistency.share_pvc) for retired and absent shares.
  returned: if there is nothing to do
  type: dict
  contains:
    volumes:
      description: The result for present shares.
      type: dict
    directories:
      description: The result for directories. It has C(skipped) without O(path).
      type: dict
    acl:
      description: The result for the access list.
      type: dict
    deletion:
      description: The result for retired and absent shares.
      type: dict
deletions:
  description: How many shares are retired or absent.
  returned: success
  type: int
  sample: 0
changes:
  description: What is rejected. Each element has C(action) V(refuse) and a C(reason).
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module, run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_preflight import (
    argument_spec,
    preflight,
)


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, preflight, "share")


if __name__ == "__main__":
    main()
