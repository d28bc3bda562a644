#!/usr/bin/python
# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: share_access_info
short_description: Show who gets what of which share, by which rule, and what an input would change
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Answers from the ACL that a hub reads when a server starts, with the very rules that the hub goes by.
  - Without a question it shows all shares and the first hundred people, as a matrix in RV(text). O(for_users),
    O(for_groups) and O(for_shares) ask for particular ones, and are answered in full, with the rule for each grant.
  - Given O(shares), it says as well what would change if the ACL were compiled from them, without changing it.
  - A cell is V(ro), V(rw), V(ask) (a secret share, mounted when its member asks for it) or V(-).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - odh.persistency.attributes
  - odh.persistency.attributes.info
  - odh.persistency.attributes.k8s
  - odh.persistency.shares
  - odh.persistency.shares.groups
options:
  namespace:
    description:
      - The namespace in which the hub starts its servers, and in which the ACL is.
    type: str
    required: true
  acl_from:
    description:
      - With V(cluster), answers come from the ACL that stands in O(namespace). O(shares) and O(groups), where given, are
        compared with it, and RV(what_if) says what they would change.
      - With V(input), answers come from O(shares) and O(groups) alone. The cluster is asked for nothing but the members of
        groups of C(openshift:), where shares name such groups.
    type: str
    choices: [cluster, input]
    default: cluster
  for_users:
    description:
      - The people who are asked about, by the names that the hub has for them, exactly.
      - Somebody whom nothing names gets what anybody gets; a warning says so.
    type: list
    elements: str
    default: []
  for_groups:
    description:
      - The groups that are asked about, with their source, such as C(analysts), C(hub:analysts), C(openshift:analysts).
    type: list
    elements: str
    default: []
  for_shares:
    description:
      - The shares that are asked about. RV(shares) then lists everyone who can reach them.
      - Beside O(for_users) or O(for_groups) these are answered for these shares only.
    type: list
    elements: str
    default: []
  hub_groups:
    description:
      - The groups that the hub knows of people, where you know them. Each person's name with a list of names of groups,
        without C(hub:).
      - The ACL has the names of such groups only. Whoever is in them, the hub tells when a server starts.
    type: dict
    default: {}
  asked:
    description:
      - The secret shares that O(for_users) ask for when their servers start. Answers then are what is mounted in these
        servers, where everything of a lower level is read-only.
    type: list
    elements: str
    default: []
  own_view:
    description:
      - Show what O(for_users) may know themselves. Private and secret shares that do not name them are left out.
    type: bool
    default: false
  as_of:
    description:
      - The day that is asked about, in UTC, such as C(2027-04-01), to see what has ended by then. Default is today, by
        the clock of the API server.
    type: str
  matrix:
    description:
      - Of how many people RV(text) has a row where O(for_users) names none. V(first) are the first hundred, V(all) are all.
      - With V(csv), all of them are in RV(csv). Take this for thousands of people.
    type: str
    choices: [first, all, csv]
    default: first
notes:
  - An ACL that cannot be read grants nothing, and this module fails with the reason. Where there is none yet, a warning
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
- name: Who gets what
  odh.persistency.share_access_info:
    namespace: jupyterhub
  register: access

- name: Show it
  ansible.builtin.debug:
    msg: "{{ access.text.splitlines() }}"

- name: Why has Alice no shared-notebooks?
  odh.persistency.share_access_info:
    namespace: jupyterhub
    for_users: [alice@example.org]
    hub_groups:
      alice@example.org: [editors]

- name: Everyone who can reach a share
  odh.persistency.share_access_info:
    namespace: jupyterhub
    for_shares: [shared-data-private]

- name: What Bob's server mounts when he asks for the secret share
  odh.persistency.share_access_info:
    namespace: jupyterhub
    for_users: [bob@example.org]
    asked: [shared-data-secret]

- name: What would the edited inventory change?
  odh.persistency.share_access_info:
    namespace: jupyterhub
    shares: "{{ shares_list }}"
    groups: "{{ shares_groups }}"

- name: The matrix of ten thousand people
  odh.persistency.share_access_info:
    namespace: jupyterhub
    matrix: csv
  register: access

- name: Keep it as a file
  ansible.builtin.copy:
    content: "{{ access.csv }}"
    dest: /srv/reports/access.csv
    mode: "0600"
"""

RETURN = r"""
text:
  description: The answer for people. A matrix, and the rules for whom or what was asked about.
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
  description: The matrix, a line for each person and a column for each share.
  returned: when O(matrix) is V(csv)
  type: str
users:
  description:
    - The people who were asked about. Without any question, the first hundred by name.
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
      description: The secret shares that the person gets by asking for them.
      type: list
      elements: str
    shares:
      description: What becomes of each share.
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
          description: Why.
          type: str
        mount_path:
          description: Where it is mounted, if it is.
          type: str
        visible:
          description: Whether the person may know that there is such a share.
          type: bool
        unless:
          description:
            - The groups of the hub by which the person would have more, where O(hub_groups) does not say which are theirs.
          returned: without O(own_view)
          type: list
          elements: str
users_left_out:
  description: How many people are not in RV(users).
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
      description: Its members; of a group of the hub those that O(hub_groups) says.
      type: list
      elements: str
    shares:
      description: What a member gets who is in no other group and named nowhere, as in RV(users[].shares).
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
      description: Whether the ACL has it. If not, nothing else is said of it.
      type: bool
    level:
      description: Its level.
      type: str
    claim:
      description: Its claim in the namespace.
      type: str
    mount_path:
      description: Where it is mounted.
      type: str
    gid:
      description: The group of its files.
      type: int
    until:
      description: The last day on which it is granted.
      type: str
    grants_nothing:
      description: Why nobody gets it, though it may name people; empty where there is no such reason.
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
      description: The groups of the hub whose members, whoever they are, get C(rw), and those whose members get C(ro).
      type: dict
    counts:
      description: How many people get C(rw) and C(ro) of it, those left out who read it as everyone does.
      type: dict
    rw:
      description:
        - Who writes to it, each person once; a list of C(rule) and C(people). Of a secret share, those who may once they
          asked for it.
      returned: when O(for_shares) is given
      type: list
      elements: dict
    ro:
      description: Who reads it and writes nothing, likewise. Whom RV(shares[].everyone) means is not listed.
      returned: when O(for_shares) is given
      type: list
      elements: dict
everyone:
  description: The shares that everyone reads, named or not.
  returned: success
  type: list
  elements: str
people:
  description: How many people the ACL and O(hub_groups) name.
  returned: unless O(for_users) is all that is asked
  type: int
what_if:
  description: What would change if O(shares) and O(groups) became the ACL.
  returned: when O(shares) or O(shares_file) is given, and O(acl_from) is V(cluster)
  type: dict
  contains:
    sentences:
      description: The changes as sentences; none where there are no changes.
      type: list
      elements: str
    gains:
      description: How many grants are new or wider.
      type: int
    withdrawals:
      description: How many grants are gone or narrower, counted as for O(odh.persistency.share_acl#module:max_withdrawals).
      type: int
    effects:
      description:
        - The first 5,000 changes of access as data, with C(share), C(kind) (C(person), C(hub group) or C(everyone)), C(who),
          C(old), C(new) (V(ro), V(rw) or null) and C(cause).
      type: list
      elements: dict
digest:
  description: The digest of the ACL that the answer is by; empty where there is none.
  returned: success
  type: str
published:
  description: Whether that ACL stands on the cluster.
  returned: success
  type: bool
as_of:
  description: The day that the answer is for.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odh.persistency.plugins.module_utils._io.module import run
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_access_info import (
    argument_spec,
    show_access,
)


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, show_access, "acl")


if __name__ == "__main__":
    main()
