#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: server_access
short_description: Compare running servers with the access list, and stop those with excess access
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Kubernetes cannot unmount a volume from a running pod. Whoever loses access to a share keeps it until the server stops.
  - This module compares what each running server mounts with what the access list and the groups of its user in the hub grant
    now. It reads the volumes and mounts of all containers of the pod, not only what the spawn hook recorded there.
  - B(Excess) is access that is not granted. A share that is not granted any more, has expired or is not on the access list; a
    share mounted read and write that is granted read only, or is mounted next to a secret share; the home of another user; the
    database of a hub.
  - B(Missing) is what a new server would get in addition. Secret shares are not missing, because they are mounted on request.
  - B(Stale) is what a new server would get in another way, such as a share at another path or without its group.
  - With O(state=reported) the module writes nothing. With O(state=revoked) it stops servers with excess access through the
    hub's API. It never stops a server that merely misses something.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.k8s
  - odh.persistency.connection
  - odh.persistency.result
  - odh.persistency.hub.servers
options:
  namespace:
    description:
      - The namespace in which the hub starts servers.
    type: str
    required: true
  acl_namespace:
    description:
      - The namespace of the access list. Defaults to O(namespace).
    type: str
  state:
    description:
      - V(reported) lists excess, missing and stale access.
      - V(revoked) also stops servers with excess access after O(grace).
    type: str
    choices: [reported, revoked]
    default: reported
  grace:
    description:
      - The time that users get to save their work, such as V(30m), V(1h) or V(0s).
      - It counts from the first run with O(state=revoked) that finds the excess access. This run writes the annotation
        C(odh.persistency/excess-since) on the pod, and C(odh.persistency/excess-claims) with the claims that it is about.
        A run that finds that the access was granted again removes them.
      - With V(0s) the first run stops the servers, and writes no annotation.
    type: str
    default: 1h
  max_stops:
    description:
      - The number of servers that one run may stop. The servers whose access has been in excess for the longest time are stopped
        first. The others are a warning, and later runs stop them.
      - V(-1) means no limit.
    type: int
    default: 10
  allow_empty:
    description:
      - Consent to stop servers if the access list does not exist or has no shares. Without it, such a run is rejected.
      - An access list that is damaged, or that this version cannot read, is always rejected.
    type: bool
    default: false
  home_path:
    description:
      - Where servers mount the home. With it, a share that the hub does not mount because of its path is not missing.
      - Excess does not depend on it.
    type: str
  mount_roots:
    description:
      - Other paths below which the hub mounts shares. Needs O(home_path), and must not be that path or above it.
    type: list
    elements: str
    default: []
  static_home:
    description:
      - For a hub that mounts a folder of one claim as the home of each user, so that the role C(hub) has C(hub_home=static).
      - The folder of another user, and a folder that has homes of others, are excess. Folders that are nobody's home are not
        compared. Without this option, the folders of a claim are not compared.
    type: dict
    suboptions:
      claim:
        description:
          - The claim with the homes.
        type: str
        required: true
      sub_path:
        description:
          - The template of C(subPath) that the hub has, such as C(singleuser.storage.static.subPath) of Zero to JupyterHub.
          - It may have the fields of KubeSpawner for the user and the server, without formats.
        type: str
        default: "{username}"
      naming:
        description:
          - How the hub writes names. V(safe) is KubeSpawner 7 (C(slug_scheme=safe)). V(escape) is KubeSpawner 6 and earlier, and
            version 7 with C(slug_scheme=escape).
        type: str
        choices: [safe, escape]
        default: safe
attributes:
  check_mode:
    support: full
    details:
      - Names the servers that would be stopped, and sends nothing to the hub but reads. The API server validates the
        annotations.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - While nothing else changes, a second run writes nothing, unless more than O(max_stops) servers are due or a time of grace
        ends in between.
notes:
  - Needs the verb C(list) on C(pods), C(persistentvolumeclaims) and C(configmaps), and with O(state=revoked) the verbs C(get) and
    C(patch) on C(pods).
  - The user and the server of a pod come from the environment variables C(JUPYTERHUB_USER) and C(JUPYTERHUB_SERVER_NAME) of its
    container, which nobody can change in a pod that exists.
  - A pod that the hub does not confirm as a running server of its user is reported, and never stopped.
seealso:
  - module: odh.persistency.share_acl
  - module: odh.persistency.share_access_info
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
"""

EXAMPLES = r"""
- name: Report what running servers mount without a grant
  odh.persistency.server_access:
    namespace: jupyterhub
    hub:
      url: https://jupyterhub.example.org
      token: "{{ hub_token }}"
  register: access

- name: Show it
  ansible.builtin.debug:
    msg: "{{ access.text.splitlines() }}"

- name: Stop servers with excess access, half an hour after the first run that finds it
  odh.persistency.server_access:
    namespace: jupyterhub
    hub:
      url: https://jupyterhub.example.org
      token: "{{ hub_token }}"
    state: revoked
    grace: 30m
    max_stops: 5
"""

RETURN = r"""
servers:
  description: The servers with a difference, and those that the hub does not confirm, sorted by user and server.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: The user.
      type: str
    server:
      description: The named server. Empty for the default server.
      type: str
    pod:
      description: The name of the pod.
      type: str
    acl:
      description: The digest of the access list that the spawn hook applied. Empty if the hook did not start the server.
      type: str
    excess:
      description:
        - The access that is not granted. Each item has the C(claim), the C(share) (empty if the claim is none on the access
          list), how it is C(mounted) and C(granted) (V(ro), V(rw) or empty), and the C(reason).
      type: list
      elements: dict
    missing:
      description: What a new server would get in addition, with the same keys.
      type: list
      elements: dict
    stale:
      description: What a new server would get in another way, with the same keys.
      type: list
      elements: dict
    excess_since:
      description: The time since which its access is in excess, by the annotation of the pod. Null without one.
      type: str
    doubt:
      description: Why it is not certain that this is a running server of the hub, so that it is never stopped. Empty if it is.
      type: str
    action:
      description: What the run does, V(stop), V(update) for its annotation, or V(keep).
      type: str
unchanged_excess:
  description: How many servers with excess access the run leaves as they are, such as all of them with O(state=reported).
  returned: success
  type: int
compared:
  description: The number of running servers.
  returned: success
  type: int
text:
  description: The differences as text.
  returned: success
  type: str
changes:
  description: The servers that are stopped, and the annotations that are written or removed.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(stop) for a server that is stopped, V(update) for an annotation, V(refuse) for rejected input.
      type: str
    kind:
      description: Always V(server).
      type: str
    namespace:
      description: The namespace.
      type: str
    name:
      description: The name of the pod.
      type: str
    owner:
      description: The user.
      type: str
    reason:
      description: Why.
      type: str
    before:
      description: The line of the diff before the change, at most 200 characters of it.
      returned: when the object exists
      type: str
    after:
      description: The line of the diff after the change, at most 200 characters of it.
      returned: when the object exists afterwards
      type: str
summary:
  description: The number of servers per action.
  returned: always
  type: dict
omitted:
  description: How many items of each list are left out because of O(max_changes).
  returned: when a list was shortened
  type: dict
  sample:
    changes: 9500
unreconcilable:
  description: Annotations that a policy or webhook of the cluster removes, with the reason.
  returned: always
  type: list
  elements: dict
failed_items:
  description: The changes that failed, with the reason, the message of the API server, and whether a rerun helps (C(retryable)).
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.odh.persistency.plugins.module_utils._core.servers.plan import KIND
from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module, run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.server_access import (
    argument_spec,
    manage_access,
)


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, manage_access, KIND)


if __name__ == "__main__":
    main()
