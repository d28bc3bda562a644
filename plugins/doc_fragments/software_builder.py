# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that say where the steps of a run for a software tree run."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  builder:
    description:
      - V(local) runs every step on the host that runs the task, which sees the tree.
      - V(job) runs every step in a Kubernetes Job that has the claim O(builder_claim) mounted at O(prefix). The host that runs
        the task only needs the API server. The pods satisfy the Pod Security Standard C(restricted) and OpenShift's
        C(restricted-v2) SCC.
      - With V(job), O(easybuild) and O(lmod_cmd) are paths in O(builder_image). The files C(examples/rbac/software.yml) has
        the permissions that the login needs.
    type: str
    choices: [local, job]
    default: local
  builder_namespace:
    description:
      - The namespace of the Jobs, which has O(builder_claim). Required if O(builder=job). With O(builder=local), only used by
        M(odh.persistency.lmod_release), for its C(server_images).
    type: str
  builder_claim:
    description:
      - The claim of the tree, with access mode C(ReadWriteMany), as M(odh.persistency.lmod_tree) creates it in its
        C(builder_namespace). Required if O(builder=job).
    type: str
  builder_image:
    description:
      - The image of the Jobs, with EasyBuild's environment, the Lmod and the operating system of the servers, and what builds
        need, such as a compiler. Required if O(builder=job).
      - If it has no numeric user other than root, set O(builder_uid).
    type: str
  builder_resources:
    description:
      - The C(requests) and C(limits) of each Job. A build runs as many processes as it may use processors, which is
        C(limits.cpu), else C(requests.cpu), else one.
    type: dict
    default: {}
  builder_service_account:
    description: The service account of the pods. They get no token. Defaults to C(default).
    type: str
  builder_uid:
    description:
      - The user id of the pods, which must be able to write to the tree. Leave it out on OpenShift, which assigns one to each
        namespace.
    type: int
  builder_gid:
    description: The group id of the pods. Leave it out on OpenShift.
    type: int
  builder_node_selector:
    description: The labels of nodes that the pods may run on.
    type: dict
    default: {}
  builder_tolerations:
    description: The tolerations of the pods, as in their C(spec).
    type: list
    elements: dict
    default: []
  builder_pull_secrets:
    description: The names of Secrets in O(builder_namespace) that pull O(builder_image).
    type: list
    elements: str
    default: []
  builder_start_timeout:
    description:
      - How many seconds the pod of a Job may wait for a node and its image. Set more if the cluster adds nodes on demand.
    type: int
    default: 600
"""
