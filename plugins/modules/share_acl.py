#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: share_acl
short_description: Publish the access list of shares, which a hub reads at each spawn
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Compiles shares, groups and memberships into one access list (ACL) and stores it in ConfigMaps in the hub's namespace.
  - At any moment readers get either the old ACL or the new ACL in full, even if the run fails.
  - The diff describes in sentences how people's access changes.
  - An empty list means nobody, and whatever cannot be read grants nothing.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.k8s
  - odh.persistency.connection
  - odh.persistency.shares
  - odh.persistency.shares.groups
  - odh.persistency.result
attributes:
  check_mode:
    support: full
    details:
      - The API server validates each request (server-side dry run).
      - In a namespace that does not exist yet nothing can be validated. A warning says so, and the plan is shown.
  diff_mode:
    support: full
    details:
      - One sentence for each change of somebody's access. Beyond a thousand the rest is counted. RV(changes) has all of
        them, and RV(access) has each person.
  idempotent:
    support: full
options:
  namespace:
    description:
      - The namespace in which the hub starts its servers, and in which the ACL is stored.
    type: str
    required: true
  state:
    description:
      - With V(present), the ACL is what O(shares) and O(groups) describe.
      - With V(absent), there is no ACL, and nobody gets a share. O(shares) and O(groups) are ignored. O(max_withdrawals)
        applies.
    type: str
    choices: [present, absent]
    default: present
  format:
    description:
      - With V(acl), the access list of this collection.
      - With V(jsp), the ConfigMap C(odh-persistency-shares-profiles) for the singleuser-profiles of classic Open Data Hub,
        with those parts of the ACL that it can express. Groups are expanded to users. Secret shares and shares that have
        ended are left out. Groups of C(hub:) are rejected, because their members are not known. The profiles only offer
        mounts and enforce nothing.
    type: str
    choices: [acl, jsp]
    default: acl
  profiles_namespace:
    description:
      - With O(format=jsp), the namespace of the hub, which reads the profiles there, if its servers run in O(namespace) and
        not beside it (C(NOTEBOOK_NAMESPACE)).
    type: str
  max_withdrawals:
    description:
      - The number of grants that one run may withdraw. More are rejected, and the message names the people.
      - A grant is one share that one person, or the members of one of the hub's groups, lose in full or in part. What
        everyone loses counts once for each person whom the ACLs know. A share that gets another claim is lost by everyone
        who had it.
      - V(-1) sets no limit.
      - Counts what the last run published and the options no longer grant. What somebody else wrote into the ACL is withdrawn
        without consent, and so are shares that are left out because their claim cannot be a share.
    type: int
    default: 50
  allow_empty:
    description:
      - Whether the ACL may be left without any share, if the published one has some. Also allows everything that this
        withdraws.
    type: bool
    default: false
  declassify:
    description:
      - The shares whose level may be lowered, from V(secret) to V(private) or V(public), or from V(private) to V(public).
      - The level of a share is that in the published ACL, that in the annotation C(odh.persistency/level) of its claim, or that
        in an earlier publication, so it does not help to take a share off the list for a while or to choose another O(format).
      - Names that no share has are rejected.
    type: list
    elements: str
    default: []
  allow_source_change:
    description:
      - The groups whose grants may move to a group of the same name from another source (V(analysts), V(hub:analysts),
        V(openshift:analysts)), if somebody gains access by that, or if only the hub knows.
    type: list
    elements: str
    default: []
  volumes_results:
    description:
      - What M(odh.persistency.share_pvc) returned in the same run, if that may have failed. New shares whose claims it did not
        create are left out of the ACL and reported. Everything else goes ahead, because no withdrawal of access waits for claims.
    type: list
    elements: dict
    default: []
notes:
  - A share whose C(namespaces) do not include O(namespace), and a share that is retired or absent, is not in the ACL.
  - The ACL is one index, C(odh-persistency-acl), and parts that it names by their digest. Parts are written first and read
    back. Then the index is written, only over the index that was planned against. If another run was faster, everything is
    read and planned again, guards included. A later run deletes parts that nothing names any more, after an hour at the
    earliest.
  - An ACL that is damaged, or that somebody else changed, is reported and written again. Guards compare with what the last run
    published. If nothing of that exists any more, they hold nothing back.
  - An ACL that a newer version published with a newer schema is rejected.
  - Each run checks the claims of all shares. A claim is no share if it is a home, a copy of one, the database of a hub, a raw
    block device, another share's, or being deleted, and a name that spawners give is enough. If it is granted anew, the run is
    rejected, or, if the run also withdraws access to other shares, the share is left out. If it was granted before, the share
    is left out. What is left out is in RV(unreconcilable). A claim that cannot be read is not granted anew.
  - Members of groups of C(openshift:) are read at each run, one Group with C(get) and several with one C(list). A Group
    that does not exist or has no valid list of users keeps its members of the last run, and is reported. If it is granted
    anew, the run is rejected. If Groups cannot be read at all, the task fails and the published ACL stays in force.
  - Needs the verbs C(list), C(get), C(create), C(patch) and C(delete) on C(configmaps) and C(list) and C(get) on
    C(persistentvolumeclaims) in the namespace, and C(get) and C(list) on C(groups) of C(user.openshift.io) for groups of
    C(openshift:). Optionally C(get) on the namespace, C(list) on C(resourcequotas), and C(get) on C(volumesnapshots) of
    C(snapshot.storage.k8s.io) for claims that were made from a snapshot.
seealso:
  - module: odh.persistency.share_access_info
  - module: odh.persistency.share_pvc
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0
  - openshift >= 0.13.2, for groups of C(openshift:)
  - PyYAML >= 5.1, for O(shares_file) and O(groups_file) in YAML
"""

EXAMPLES = r"""
- name: Let analysts write to the notebooks, and everyone read the public data
  odh.persistency.share_acl:
    namespace: jupyterhub
    groups:
      analysts: [alice@example.org, bob@example.org]
    shares:
      - name: shared-data-public
        level: public
        size: 100Gi
        write: {groups: [analysts]}
      - name: shared-notebooks
        level: private
        size: 50Gi
        read: {groups: [hub:guests]}
        write: {groups: [analysts], users: [carol@example.org]}
      - name: shared-data-secret
        level: secret
        size: 50Gi
        until: 2027-03-31
        read: {groups: [openshift:auditors]}

- name: Publish hundreds of shares and thousands of people from files
  odh.persistency.share_acl:
    namespace: jupyterhub
    shares_file: /srv/inventory/shares.yml
    groups_file: /srv/inventory/groups.csv

- name: Allow a private share to become public
  odh.persistency.share_acl:
    namespace: jupyterhub
    shares_file: /srv/inventory/shares.yml
    groups_file: /srv/inventory/groups.csv
    declassify: [shared-data-private]

- name: Allow the withdrawals at the end of a summer school with a hundred people
  odh.persistency.share_acl:
    namespace: jupyterhub
    shares_file: /srv/inventory/shares.yml
    groups_file: /srv/inventory/groups.csv
    max_withdrawals: 200

- name: Publish profiles for classic Open Data Hub
  odh.persistency.share_acl:
    namespace: opendatahub
    shares_file: /srv/inventory/shares.yml
    groups_file: /srv/inventory/groups.csv
    format: jsp

- name: Remove the access list of a hub that has no shares any more
  odh.persistency.share_acl:
    namespace: jupyterhub
    state: absent
    max_withdrawals: -1
"""

RETURN = r"""
changes:
  description: How people's access changes, and each object that is written or deleted.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update), V(delete) or V(refuse). New access is V(create), and withdrawn access is V(delete).
      type: str
    kind:
      description:
        - V(acl) for people's access, V(acl-index) and V(acl-part) for the objects, V(acl-profiles) for the ConfigMap of
          O(format=jsp).
      type: str
    namespace:
      description: The namespace.
      type: str
    name:
      description: The share, or the object.
      type: str
    owner:
      description: The person, if the change is about one.
      type: str
    reason:
      description: What changes, or why, as a sentence.
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
      kind: acl
      namespace: jupyterhub
      name: shared-notebooks
      owner: alice@example.org
      reason: alice@example.org gains rw on shared-notebooks (group analysts)
    - action: update
      kind: acl-index
      namespace: jupyterhub
      name: odh-persistency-acl
      reason: ACL 0f3a5cd1b2c4 replaces ACL 5d1f7c0e2a9b
summary:
  description: The count per action.
  returned: always
  type: dict
  sample: {create: 1, update: 1, keep: 2}
acl:
  description: The ACL that is published after the run. In check mode, the ACL that would be published.
  returned: with O(format=acl), when the cluster was read
  type: dict
  contains:
    digest:
      description: Its digest. Empty if there is none. Servers record it with what they were granted.
      type: str
    shares:
      description: The number of its shares. Null if another run published it.
      type: int
    people:
      description: The number of people that it names. Null if another run published it.
      type: int
    parts:
      description: The number of its parts. Null if another run published it.
      type: int
    published:
      description: The time of its publication (RFC 3339, UTC). Empty in check mode if it would be published now.
      type: str
  sample:
    digest: 0f3a5cd1b2c41a2ef07c3d2b8c0f0d9f3c7f5f7c6a3f4de0c2b1a0f9e8d7c6b5
    shares: 3
    people: 5
    parts: 2
    published: "2026-11-24T08:00:00Z"
access:
  description: All changes of access, person by person. RV(changes) and messages combine several people.
  returned: when the cluster was read, also if the plan is rejected
  type: dict
  contains:
    gains:
      description: The number of grants that are new or wider.
      type: int
    withdrawals:
      description: The number of grants that are gone or narrower, counted as for O(max_withdrawals).
      type: int
    changes:
      description:
        - The first 5,000 changes of access, with C(share), C(kind) (C(person), C(hub group) or C(everyone)), C(who), C(old),
          C(new) (V(ro), V(rw) or null) and C(cause).
      type: list
      elements: dict
  sample:
    gains: 1
    withdrawals: 0
    changes:
      - share: shared-notebooks
        kind: person
        who: alice@example.org
        old: null
        new: rw
        cause: group analysts
needs_consent:
  description: The options that would allow a rejected plan. Empty if no option helps.
  returned: when a guard rejects the plan
  type: list
  elements: dict
  contains:
    option:
      description: The option, such as V(max_withdrawals) or V(declassify).
      type: str
    value:
      description: The value that allows it. For a list, the items to add.
      type: raw
    shares:
      description: The shares concerned.
      type: list
      elements: str
  sample:
    - option: declassify
      value: [shared-data-private]
      shares: [shared-data-private]
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
  description: The shares that are left out, or granted as before although something is wrong, and Groups that cannot be read.
  returned: when the cluster was read
  type: list
  elements: dict
failed_items:
  description:
    - The items that could not be applied, each with its C(reason), the message of the C(api), and whether a rerun helps
      (C(retryable)). The C(reason) says which ACL is published.
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module, run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_acl import (
    argument_spec,
    manage_acl,
)


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, manage_acl, "acl")


if __name__ == "__main__":
    main()
