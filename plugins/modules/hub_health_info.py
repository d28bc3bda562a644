#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hub_health_info
short_description: Find what endangers homes and shares in a hub and its namespace
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Checks the configuration of a JupyterHub, its permissions, its access list, and what surrounds its servers. Each finding
    has a reason and what to do.
  - Settings are read as data, from the Secret of the chart Zero to JupyterHub or from the ConfigMap C(jupyterhub-cfg) of
    classic Open Data Hub. Python in them is parsed, and never run. A value that only the hub can compute is reported as
    V(unknown).
  - What the login may not read is V(unknown) too, with the right that is missing. It is never V(ok).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.info
  - odh.persistency.attributes.k8s
  - odh.persistency.connection
options:
  namespace:
    description:
      - The namespace in which the hub runs.
    type: str
    required: true
  flavor:
    description:
      - How the hub is installed. V(z2jh) is the Helm chart Zero to JupyterHub, and V(odh) is classic Open Data Hub.
    type: str
    choices: [z2jh, odh]
    default: z2jh
  secret:
    description:
      - The Secret in which the chart keeps its values. It is V(hub) unless the chart's C(fullnameOverride) changes names.
    type: str
    default: hub
  service_account:
    description:
      - The service account of the hub. Defaults to the one in the chart's values, and to C(jupyterhub-hub) for O(flavor=odh).
    type: str
  servers_namespace:
    description:
      - The namespace in which the hub starts its servers. Defaults to O(namespace), and with O(flavor=odh) to
        C(NOTEBOOK_NAMESPACE) of the hub's Deployment or DeploymentConfig. What contradicts it is rejected.
    type: str
  nfs_servers:
    description:
      - IP addresses or names of NFS servers that servers of users must not reach, besides those of the volumes that this module
        reads.
      - Name the addresses of a server whose volumes have its name only, because policies have addresses.
    type: list
    elements: str
    default: []
notes:
  - Sends no write. Access reviews and the question for the login's own name are POST requests that store nothing.
  - Needs the verbs in C(examples/rbac/hub_health_info.yml). With less, the checks that need more are V(unknown).
  - The Secret of the hub contains its passwords. The module returns none of its values except numbers and booleans.
  - That a NetworkPolicy forbids a connection does not prove that the network of the cluster enforces it.
seealso:
  - module: odh.persistency.share_access_info
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
  - PyYAML >= 5.1, for O(flavor=z2jh)
"""

EXAMPLES = r"""
- name: Examine the hub
  odh.persistency.hub_health_info:
    namespace: jupyterhub
    nfs_servers: [10.20.0.5]
  register: health

- name: Show what to do
  ansible.builtin.debug:
    msg: "{{ health.text.splitlines() }}"

- name: Stop here if homes or shares are in danger
  ansible.builtin.assert:
    that: health.summary.error == 0

- name: Examine a hub of classic Open Data Hub
  odh.persistency.hub_health_info:
    namespace: opendatahub
    flavor: odh
    servers_namespace: opendatahub-notebooks
"""

RETURN = r"""
findings:
  description: The findings, the most urgent first.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description:
        - V(spawn_hook) is whether the hub has the spawn hook of this version, and whether it has the last word.
          V(running_servers) is whether the servers that run started with it.
        - V(delete_pvc), V(remember_pvc_name), V(user_namespaces) and V(failure_limit) are settings of the spawner.
        - V(hub_permissions) is what the service account of the hub may do. V(claim_deletion) is who else may delete claims.
        - V(access_list) is whether there is a valid access list. V(groups) is whether the hub refreshes the groups that it
          names. V(share_claims) is whether the claims of its shares can be mounted. V(server_sharing) is whether users can let
          others into servers that mount secret shares.
        - V(fs_group) is whether starts change the groups of files. V(selinux_labels) is whether OpenShift separates the
          namespaces of a share. V(nfs_port) is whether NetworkPolicies let servers connect to NFS servers.
      type: str
      sample: delete_pvc
    object:
      description: What was checked.
      type: str
      sample: KubeSpawner.delete_pvc
    severity:
      description: V(error), V(warning), V(unknown) or V(ok).
      type: str
      sample: error
    reason:
      description: What was found, or why nothing was found.
      type: str
      sample: Deleting a user of the hub deletes the home, because the trait is true by default.
    remedy:
      description: What to do. Empty if there is nothing to do.
      type: str
      sample: Run the playbook hub.yml, and apply what it writes, or set `c.KubeSpawner.delete_pvc = False`.
summary:
  description: The number of findings by severity.
  returned: success
  type: dict
  sample: {error: 1, warning: 0, unknown: 2, ok: 14}
text:
  description: The findings as a table. What to do is in the line below a finding.
  returned: success
  type: str
"""

from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module, run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.hub_health_info import (
    argument_spec,
    show_health,
)


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, show_health, "hub")


if __name__ == "__main__":
    main()
