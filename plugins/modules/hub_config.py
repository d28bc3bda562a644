#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hub_config
short_description: Configure a JupyterHub to mount homes by owner and shares by access list
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Adds the spawn hook of this collection to the configuration of a hub, gives the hub the permissions that the hook needs, and
    registers the service with which servers are read and stopped.
  - For the Helm chart Zero to JupyterHub it writes a file of Helm values. For classic Open Data Hub it writes the ConfigMap
    C(jupyterhub-cfg).
  - Keys of others stay as they are. With O(state=absent), the file and the ConfigMap are what they were before.
  - Runs neither Helm nor a rollout. RV(next_step) is the command for that.
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
      - The API server validates each request (server-side dry run), except bindings of roles that do not exist yet.
  diff_mode:
    support: full
    details:
      - One line for each object, and the changes of the hub's configuration in full. Values of others are not shown.
  idempotent:
    support: full
options:
  namespace:
    description: The namespace in which the hub runs.
    type: str
    required: true
  flavor:
    description:
      - How the hub is installed. V(z2jh) is the Helm chart Zero to JupyterHub, V(odh) is classic Open Data Hub.
    type: str
    choices: [z2jh, odh]
    default: z2jh
  state:
    description:
      - With V(present), the hub is configured.
      - With V(absent), everything that this module has added is removed.
    type: str
    choices: [present, absent]
    default: present
  new:
    description:
      - Whether the hub need not exist yet, because RV(next_step) installs it. By default a namespace without the service account
        of the hub is rejected.
    type: bool
    default: false
  create_namespace:
    description:
      - Whether to create the namespaces of the hub and of its servers if they do not exist, for a hub that is not installed yet
        (O(new)). On OpenShift they are requested as Projects.
    type: bool
    default: false
  servers_namespace:
    description:
      - The namespace in which the hub starts its servers, if it is another one. It contains the access list.
      - With O(flavor=odh) the default is C(NOTEBOOK_NAMESPACE) of the Deployment or DeploymentConfig whose pods run as
        O(service_account). What contradicts it is rejected. RV(servers_namespace) is the namespace in use.
    type: str
  service_account:
    description:
      - The service account of the hub. The default is that of the Helm values for O(flavor=z2jh), which is V(hub) unless they
        name another one, and V(jupyterhub-hub) for O(flavor=odh).
    type: str
  values_file:
    description:
      - The path of the file of Helm values, on the host that runs the task. Required for O(flavor=z2jh).
      - If the file exists, the keys are added to it, between two comments. A conflict is rejected with its line.
      - A relative name is looked up next to the inventory, next to the playbook and in the current folder. If there is no such
        file, it is created in the current folder.
    type: path
  release:
    description: The name of the Helm release.
    type: str
    default: jupyterhub
  chart:
    description: The name of the chart, for RV(next_step).
    type: str
    default: jupyterhub/jupyterhub
  permissions:
    description: Whether to create Roles and RoleBindings. If it is false, somebody with more rights must create them.
    type: bool
    default: true
  rbac:
    description:
      - With V(chart), the chart's own Role stays, and an additional one is created. The chart's Role lets the hub delete claims.
      - With V(replace), the values have C(rbac.create=false), and all Roles that the chart then omits are created, without the
        right to delete claims. O(values_file) should then contain all values of the hub, because they say which parts the hub has
        (user scheduler, image puller, HTTPS) and what its service accounts are called. A ClusterRole is created for the user
        scheduler.
    type: str
    choices: [chart, replace]
    default: chart
  manage_groups:
    description:
      - Whether the authenticator manages the groups of the hub and reads them again when a server starts (C(manage_groups),
        C(refresh_pre_spawn), C(auth_refresh_strict)).
      - V(auto) means yes if the published access list names groups of C(hub:). V(never) is for hubs whose administrators edit the
        groups.
    type: str
    choices: [auto, always, never]
    default: auto
  home:
    description:
      - What the hub mounts as the home. V(claim) is a claim for each user or named server, V(static) is one claim with a
        directory for each user, and V(none) is no home.
      - With V(static) and V(none) the hook leaves the mount of the home alone.
    type: str
    choices: [claim, static, none]
    default: claim
  home_path:
    description: Where a server mounts the home. The default is V(/home/jovyan).
    type: str
  mount_roots:
    description: Further directories below which shares may be mounted.
    type: list
    elements: str
  policy:
    description:
      - What happens if the access list cannot be read or is invalid. With V(home_only) a server starts without shares and says
        so. With V(deny) it does not start.
    type: str
    choices: [home_only, deny]
    default: home_only
  api_timeout:
    description: The time limit in seconds for each request of the hook to the Kubernetes API. The default is V(5).
    type: int
  mount_points:
    description:
      - Who creates the mount points of shares in the home. V(runtime) is the container runtime, and V(init) an init container
        that runs as the user, for homes on NFS with C(root_squash).
    type: str
    choices: [runtime, init]
    default: runtime
  software:
    description:
      - The volume with shared software, which every server mounts read-only. What is set here counts more than what follows
        from O(software_tree), and an empty dictionary means that servers mount none.
    type: dict
    suboptions:
      claim:
        description: The name of the claim. Required without O(software_tree).
        type: str
      mount_path:
        description: Where servers mount it. The default is V(/opt/software).
        type: str
      environment:
        description: Variables that servers get with it, besides those of Lmod.
        type: dict
  software_tree:
    description:
      - The tree of M(odh.persistency.lmod_tree) that every server mounts read-only, with the environment in which Lmod uses the
        cache of the current release. It has no effect without O(software_tree.prefix).
    type: dict
    suboptions:
      prefix:
        description: The prefix of the tree. Servers mount it there, because modulefiles contain it.
        type: str
      claim:
        description: The name of the claim, which is that of the tree.
        type: str
        default: software
      lmod_cmd:
        description: The C(lmod) program in the image of the servers (C(LMOD_CMD)).
        type: str
        default: /usr/share/lmod/lmod/libexec/lmod
      system_name:
        description:
          - A name for C(LMOD_SYSTEM_NAME). Hubs that share homes and have different software need one each, so that users have
            separate collections of modules.
        type: str
notes:
  - The namespace must have a hub, that is, its service account, unless O(new) is set.
  - On OpenShift, groups (C(gid)) of shares that no security context constraint of the servers allows are rejected.
  - Needs the verbs C(get), C(create), C(patch) and C(delete) on C(roles) and C(rolebindings) in the namespaces, C(get) on
    C(serviceaccounts) and C(configmaps), and the rights that it grants to the hub. O(flavor=odh) needs C(create) and C(patch) on
    C(configmaps), and C(get), C(create) and C(delete) on C(secrets). O(rbac=replace) needs the verbs on C(clusterroles) and
    C(clusterrolebindings). O(create_namespace) needs C(create) on C(namespaces), or C(create) and C(list) on
    C(projectrequests) of OpenShift. Optionally C(get) on the namespaces, C(list) on C(deployments) and C(deploymentconfigs) for
    O(flavor=odh), C(list) on C(securitycontextconstraints) and C(create) on C(subjectaccessreviews).
seealso:
  - module: odh.persistency.share_acl
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
  - PyYAML >= 5.1
  - openshift >= 0.13.2, on OpenShift
"""

EXAMPLES = r"""
- name: Add the spawn hook to the values of a hub
  odh.persistency.hub_config:
    namespace: jupyterhub
    values_file: /srv/hub/values.yaml

- name: Configure classic Open Data Hub, whose servers run in another namespace
  odh.persistency.hub_config:
    flavor: odh
    namespace: opendatahub
    servers_namespace: notebooks
    home_path: /opt/app-root/src

- name: Mount shared software, and start no server without the access list
  odh.persistency.hub_config:
    namespace: jupyterhub
    values_file: /srv/hub/values.yaml
    policy: deny
    software_tree:
      prefix: /opt/apps

- name: Go back
  odh.persistency.hub_config:
    namespace: jupyterhub
    values_file: /srv/hub/values.yaml
    state: absent
"""

RETURN = r"""
changes:
  description: Each object and file that is written or deleted.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update), V(delete) or V(refuse).
      type: str
    kind:
      description: V(Role), V(RoleBinding), V(ConfigMap), V(Secret), V(HelmValues) and so on.
      type: str
    namespace:
      description: The namespace.
      type: str
    name:
      description: The name of the object, or the path of the file.
      type: str
    reason:
      description: Why, as a clause.
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
    - action: update
      kind: HelmValues
      namespace: jupyterhub
      name: /srv/hub/values.yaml
      reason: its keys of this role change
summary:
  description: The count per action.
  returned: always
  type: dict
  sample: {create: 2, update: 1, keep: 0}
next_step:
  description: The command that brings the configuration into the hub. The hub restarts.
  returned: success
  type: str
  sample: helm upgrade jupyterhub jupyterhub/jupyterhub --namespace jupyterhub --version 4.4.0 -f /srv/hub/values.yaml
servers_namespace:
  description: The namespace in which the hub starts its servers.
  returned: success
  type: str
  sample: notebooks
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
  description: What the cluster does not keep as it is written.
  returned: always
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
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.hub_config import argument_spec, manage_hub


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, manage_hub, "hub")


if __name__ == "__main__":
    main()
