#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: share_acl
short_description: Publish who may use which share, as an access list that a hub reads at each spawn
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Compiles shares, groups and memberships into one access list (ACL) and stores it in ConfigMaps in the hub's namespace.
  - Whoever reads the ACL gets the old one or the new one, whole, at any moment and whatever becomes of this run.
  - The diff tells what changes for people, in sentences.
  - An empty list means nobody, and what cannot be read grants nothing.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.k8s
  - odh.persistency.shares
  - odh.persistency.shares.groups
attributes:
  check_mode:
    support: full
    details:
      - The API server validates what would be sent (server dry-run).
      - In a namespace that does not exist yet nothing can be validated; a warning says so, and the plan is shown.
  diff_mode:
    support: full
    details:
      - A sentence for each change of somebody's access. Beyond a thousand the rest is counted; RV(changes) has them all,
        and RV(access) has each person.
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
      - With V(present), the ACL is what O(shares) and O(groups) say.
      - With V(absent), there is no ACL. Nobody gets a share then. O(shares) and O(groups) play no part, O(max_withdrawals)
        holds.
    type: str
    choices: [present, absent]
    default: present
  format:
    description:
      - With V(acl), the access list of this collection.
      - With V(jsp), the ConfigMap C(odh-persistency-shares-profiles) for the singleuser-profiles of classic Open Data Hub,
        with what of the ACL it can carry. Groups are expanded to users, and secret shares and those that have ended are left
        out. Groups of C(hub:) are refused, for it knows none. There it only offers mounts and enforces nothing.
    type: str
    choices: [acl, jsp]
    default: acl
  max_withdrawals:
    description:
      - How many grants one run may withdraw. More are refused, with the people whom that concerns.
      - One grant is one share that one person, or the members of one of the hub's groups, have less of or not at all. What
        everyone loses counts for each person whom the ACLs know. A share that gets another claim is lost by all who had it.
      - V(-1) sets no bound.
      - V(-1) is also what it takes to replace an ACL that cannot be read whole, for then nobody can say what would be
        withdrawn. To publish the same ACL again repairs it, and takes no option.
    type: int
    default: 50
  allow_empty:
    description:
      - Whether the ACL may be left without any share, when the one that stands has some. Consents to everything that is
        withdrawn by that.
    type: bool
    default: false
  declassify:
    description:
      - The shares whose level may be lowered, from secret to private or public, or from private to public.
      - Names that no share has are refused.
    type: list
    elements: str
    default: []
  allow_source_change:
    description:
      - The groups whose grants may go to a group of the same word from another source (C(analysts), C(hub:analysts),
        C(openshift:analysts)) where somebody gains access by that, or only the hub knows.
    type: list
    elements: str
    default: []
notes:
  - A share whose C(namespaces) leave O(namespace) out, and one that is retired or absent, is not in the ACL.
  - The ACL is one index, C(odh-persistency-acl), and parts that it names by their digest. Parts are written first and read back,
    then the index, over the very one that was planned against. When another run was faster, all is read and planned anew,
    guards included. Parts that nothing names any more are removed by a later run, an hour afterwards at the earliest.
  - An ACL that was damaged (an index edited by hand, a part missing or changed) is told and written anew.
  - An ACL of a newer schema is refused.
  - Members of groups of C(openshift:) are read at each run, one Group by a C(get) and several by one C(list). A Group that
    cannot be read fails the task, and the ACL that stands is kept.
  - Needs the verbs C(list), C(get), C(create), C(patch) and C(delete) on C(configmaps) in the namespace; optionally C(get) on
    the namespace and C(list) on C(resourcequotas); C(get) and C(list) on C(groups) of C(user.openshift.io) for groups of
    C(openshift:).
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
- name: Analysts work in the notebooks, and everyone reads the public data
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

- name: Hundreds of shares and thousands of people, from files that the module opens itself
  odh.persistency.share_acl:
    namespace: jupyterhub
    shares_file: /srv/inventory/shares.yml
    groups_file: /srv/inventory/groups.csv

- name: What was private is public from now on, and that is meant
  odh.persistency.share_acl:
    namespace: jupyterhub
    shares_file: /srv/inventory/shares.yml
    groups_file: /srv/inventory/groups.csv
    declassify: [shared-data-private]

- name: The summer school is over, and its hundred people leave
  odh.persistency.share_acl:
    namespace: jupyterhub
    shares_file: /srv/inventory/shares.yml
    groups_file: /srv/inventory/groups.csv
    max_withdrawals: 200

- name: For classic Open Data Hub
  odh.persistency.share_acl:
    namespace: opendatahub
    shares_file: /srv/inventory/shares.yml
    groups_file: /srv/inventory/groups.csv
    format: jsp

- name: This hub has no shares any more
  odh.persistency.share_acl:
    namespace: jupyterhub
    state: absent
    max_withdrawals: -1
"""

RETURN = r"""
changes:
  description: What changes for people, and each object that is written or removed.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update), V(delete) or V(refuse). Access that is new is created, access that is gone deleted.
      type: str
    kind:
      description:
        - V(acl) for what changes for people, V(acl-index) and V(acl-part) for the objects, V(acl-profiles) for the
          ConfigMap of O(format=jsp).
      type: str
    namespace:
      description: The namespace.
      type: str
    name:
      description: The share, or the object.
      type: str
    owner:
      description: The person, where it is about one.
      type: str
    reason:
      description: What changes, or why, as a sentence.
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
      reason: ACL 0f3a5cd1b2c4 is published over ACL 5d1f7c0e2a9b
summary:
  description: How often each action occurs.
  returned: always
  type: dict
  sample: {create: 1, update: 1, keep: 2}
acl:
  description: The ACL that stands after the run; in check mode, the one that would.
  returned: with O(format=acl), when the cluster was read
  type: dict
  contains:
    digest:
      description: Its digest, empty where none stands. Servers name it in what they were granted.
      type: str
    shares:
      description: How many shares it has; null where it is another run's.
      type: int
    people:
      description: How many people it names; null where it is another run's.
      type: int
    parts:
      description: How many parts it has; null where it is another run's.
      type: int
    published:
      description: When it was published (RFC 3339, UTC); empty in check mode where it would be now.
      type: str
  sample:
    digest: 0f3a5cd1b2c41a2ef07c3d2b8c0f0d9f3c7f5f7c6a3f4de0c2b1a0f9e8d7c6b5
    shares: 3
    people: 5
    parts: 2
    published: "2026-11-24T08:00:00Z"
access:
  description: What becomes different for people, or would have. All of it, where RV(changes) and messages put people together.
  returned: when the cluster was read, also with a refusal
  type: dict
  contains:
    gains:
      description: How many grants are new or wider.
      type: int
    withdrawals:
      description: How many grants are gone or narrower, counted as for O(max_withdrawals).
      type: int
    effects:
      description:
        - The first 5,000 changes of access, with C(share), C(kind) (C(person), C(hub group) or C(everyone)), C(who), C(old),
          C(new) (V(ro), V(rw) or null) and C(cause).
      type: list
      elements: dict
  sample:
    gains: 1
    withdrawals: 0
    effects:
      - share: shared-notebooks
        kind: person
        who: alice@example.org
        old: null
        new: rw
        cause: group analysts
unreconcilable:
  description: What differs and may not be corrected; empty for an ACL.
  returned: when the cluster was read
  type: list
  elements: dict
failed_items:
  description:
    - What could not be carried out, each with its C(reason), what the C(api) said, and whether a second run mends it
      (C(retryable)). The C(reason) says which ACL stands.
  returned: failure
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odh.persistency.plugins.module_utils._io.module import run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_acl import (
    argument_spec,
    manage_acl,
)


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, manage_acl, "acl")


if __name__ == "__main__":
    main()
