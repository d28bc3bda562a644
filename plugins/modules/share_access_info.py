#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: share_access_info
short_description: Show who has access to which share, by which rule, and what an input would change
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Answers from the ACL that a hub reads when a server starts, with the same rules that the hub applies.
  - By default it shows all shares and the first hundred people, as a matrix in RV(text). O(for_users), O(for_groups) and
    O(for_shares) ask about particular ones, and the answer then includes the rule for each grant.
  - Given O(shares), it also shows what would change if the ACL were compiled from them, without changing it.
  - A cell is V(ro), V(rw), V(ask) (a secret share, mounted on request) or V(-).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.info
  - odh.persistency.attributes.k8s
  - odh.persistency.connection
  - odh.persistency.shares
  - odh.persistency.shares.groups
options:
  namespace:
    description:
      - The namespace in which the hub starts its servers, and in which the ACL is stored.
    type: str
    required: true
  acl_from:
    description:
      - With V(cluster), answers come from the ACL that is published in O(namespace). O(shares) and O(groups), if given, are
        compared with it, and RV(what_if) shows what they would change.
      - With V(input), answers come from O(shares) and O(groups) only. The cluster is asked only for the members of groups of
        C(openshift:), if shares name such groups.
    type: str
    choices: [cluster, input]
    default: cluster
  for_users:
    description:
      - The people to report, by their exact names in the hub.
      - A person whom nothing names gets what everyone gets. A warning says so.
    type: list
    elements: str
    default: []
  for_groups:
    description:
      - The groups to report, with their source, such as V(analysts), V(hub:analysts), V(openshift:analysts).
    type: list
    elements: str
    default: []
  for_shares:
    description:
      - The shares to report. RV(shares) then lists everyone who can reach them.
      - Together with O(for_users) or O(for_groups), limits those answers to these shares.
    type: list
    elements: str
    default: []
  hub_groups:
    description:
      - The groups that the hub knows of people, if you know them. A dictionary of each person's name and a list of names of
        groups, without C(hub:).
      - The ACL has only the names of such groups. The hub provides their members when a server starts.
    type: dict
    default: {}
  requested:
    description:
      - The secret shares that O(for_users) request when their servers start. The answers then show what these servers
        mount, with everything of a lower level read-only.
    type: list
    elements: str
    default: []
  own_view:
    description:
      - Whether to show only what O(for_users) may know themselves. Private and secret shares that do not name them are left
        out.
    type: bool
    default: false
  as_of:
    description:
      - The day to report, in UTC, such as V(2027-04-01), to see which grants have ended by then. Defaults to today, by the
        clock of the API server.
    type: str
  matrix:
    description:
      - The people who have a row in RV(text) if O(for_users) names none. V(first) shows the first hundred, V(all) shows all.
      - With V(csv), RV(csv) has all of them. Use this for thousands of people.
    type: str
    choices: [first, all, csv]
    default: first
notes:
  - If the ACL cannot be read, it grants nothing, and this module fails with the reason. If there is none yet, a warning
    says so.
  - Needs the verb C(list) on C(configmaps) in the namespace, and C(get) for questions about eight people or fewer.
seealso:
  - module: odh.persistency.share_acl
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0, unless O(acl_from=input)
  - openshift, for groups of C(openshift:)
  - PyYAML >= 5.1, for O(shares_file) and O(groups_file) in YAML
"""

EXAMPLES = r"""
- name: Show who gets what
  odh.persistency.share_access_info:
    namespace: jupyterhub
  register: access

- name: Show the matrix
  ansible.builtin.debug:
    msg: "{{ access.text.splitlines() }}"

- name: Find out why Alice does not get shared-notebooks
  odh.persistency.share_access_info:
    namespace: jupyterhub
    for_users: [alice@example.org]
    hub_groups:
      alice@example.org: [editors]

- name: Find everyone who can reach a share
  odh.persistency.share_access_info:
    namespace: jupyterhub
    for_shares: [shared-data-private]

- name: Show what Bob's server mounts when he requests the secret share
  odh.persistency.share_access_info:
    namespace: jupyterhub
    for_users: [bob@example.org]
    requested: [shared-data-secret]

- name: Show what the edited inventory would change
  odh.persistency.share_access_info:
    namespace: jupyterhub
    shares: "{{ shares_list }}"
    groups: "{{ shares_groups }}"

- name: Get the matrix of ten thousand people
  odh.persistency.share_access_info:
    namespace: jupyterhub
    matrix: csv
  register: access

- name: Save it as a file
  ansible.builtin.copy:
    content: "{{ access.csv }}"
    dest: /srv/reports/access.csv
    mode: "0600"
"""

RETURN = r"""
text:
  description: The answer as text. A matrix, and the rules for the people, groups or shares that were asked about.
  returned: success
  type: str
  sample: |-
    ACL 5d1f7c0e2a9b in namespace jupyterhub, on 2026-11-24: 3 shares, 2 people

    USER               shared-data-private  shared-data-public  shared-data-secret
                       private              public              secret
    alice@example.org  rw                   ro                  -
    bob@example.org    -                    ro                  ask
    (anybody else)     -                    ro                  -
csv:
  description: The matrix, with one line for each person and one column for each share.
  returned: when O(matrix) is V(csv)
  type: str
users:
  description:
    - The people who were asked about. By default, the first hundred by name.
  returned: when O(for_users) is given, or no question
  type: list
  elements: dict
  contains:
    name:
      description: The person.
      type: str
    known:
      description: Whether the ACL or O(hub_groups) name the person at all.
      type: bool
    groups:
      description: The groups of the person, with their source.
      type: list
      elements: str
    rw:
      description: The shares that the person writes to.
      type: list
      elements: str
    ro:
      description: The shares that the person reads.
      type: list
      elements: str
    ask:
      description: The secret shares that the person gets on request.
      type: list
      elements: str
    shares:
      description: The person's access to each share.
      returned: when O(for_users) is given
      type: list
      elements: dict
      contains:
        share:
          description: The share.
          type: str
        level:
          description: Its level.
          type: str
        grant:
          description: V(ro), V(rw), V(ask) or V(-).
          type: str
        rule:
          description: The rule that decides it.
          type: str
        mount_path:
          description: The path at which it is mounted, if it is.
          type: str
        visible:
          description: Whether the person may know that the share exists.
          type: bool
        unless:
          description:
            - The groups of the hub that would give the person more access, if O(hub_groups) does not say which groups the
              person is in.
          returned: without O(own_view)
          type: list
          elements: str
users_left_out:
  description: The number of people who are not in RV(users).
  returned: when nothing in particular is asked
  type: int
groups:
  description: The groups that were asked about.
  returned: when O(for_groups) is given
  type: list
  elements: dict
  contains:
    name:
      description: The group, with its source.
      type: str
    known:
      description: Whether anything names it.
      type: bool
    source:
      description: V(inventory), V(hub) or V(openshift).
      type: str
    members:
      description: Its members. For a group of the hub, those in O(hub_groups).
      type: list
      elements: str
    shares:
      description: The access of a member who is in no other group and not named directly, as in RV(users[].shares).
      type: list
      elements: dict
shares:
  description: The shares that were asked about, or all of them.
  returned: when O(for_shares) is given, when nothing in particular is asked, or when O(matrix) is not V(first)
  type: list
  elements: dict
  contains:
    name:
      description: The share.
      type: str
    known:
      description: Whether the ACL has it. If not, the other keys are missing.
      type: bool
    level:
      description: Its level.
      type: str
    claim:
      description: Its claim in the namespace.
      type: str
    mount_path:
      description: The path at which it is mounted.
      type: str
    gid:
      description: The group of its files.
      type: int
    until:
      description: The last day on which it is granted.
      type: str
    grants_nothing:
      description: The reason why nobody gets it, even if it names people. Empty if there is no such reason.
      type: str
    everyone:
      description: Whether everyone reads it.
      type: bool
    read_groups:
      description: The groups that it names under C(read).
      type: list
      elements: str
    write_groups:
      description: The groups that it names under C(write).
      type: list
      elements: str
    hub_groups:
      description: The groups of the hub whose members get C(rw), and those whose members get C(ro).
      type: dict
    counts:
      description: The number of people who get C(rw) and C(ro), without those who read it only because everyone does.
      type: dict
    rw:
      description:
        - The people who write to it, each once, as a list of C(rule) and C(people). For a secret share, those who may write
          once they request it.
      returned: when O(for_shares) is given
      type: list
      elements: dict
    ro:
      description: The people who only read it, likewise. People who read it because of RV(shares[].everyone) are not listed.
      returned: when O(for_shares) is given
      type: list
      elements: dict
everyone:
  description: The shares that everyone reads.
  returned: success
  type: list
  elements: str
people:
  description: The number of people that the ACL and O(hub_groups) name.
  returned: unless O(for_users) is all that is asked
  type: int
what_if:
  description: What would change if O(shares) and O(groups) became the ACL.
  returned: when O(shares) or O(shares_file) is given, and O(acl_from) is V(cluster)
  type: dict
  contains:
    sentences:
      description: The changes as sentences. Empty if there are no changes.
      type: list
      elements: str
    gains:
      description: The number of grants that are new or wider.
      type: int
    withdrawals:
      description: >-
        The number of grants that are gone or narrower, counted as for
        O(odh.persistency.share_acl#module:max_withdrawals).
      type: int
    changes:
      description:
        - The first 5,000 changes of access as data, with C(share), C(kind) (C(person), C(hub group) or C(everyone)), C(who),
          C(old), C(new) (V(ro), V(rw) or null) and C(cause).
      type: list
      elements: dict
digest:
  description: The digest of the ACL behind the answer. Empty if there is none.
  returned: success
  type: str
published:
  description: Whether that ACL is published on the cluster.
  returned: success
  type: bool
as_of:
  description: The day of the answer.
  returned: success
  type: str
"""

from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module, run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_access_info import (
    argument_spec,
    show_access,
)


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, show_access, "acl")


if __name__ == "__main__":
    main()
