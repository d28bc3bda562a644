# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules for homes: the users, and how their claims are named."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  users:
    description:
      - The users. Each element is the name of a user, or a dictionary with the keys below.
      - Names are exactly those of the hub. They are not trimmed or case-folded.
      - For thousands of dictionaries use O(users_file), because Ansible takes seconds to pass them to a module.
    type: list
    elements: raw
    suboptions:
      name:
        description:
          - The name of the user.
        type: str
        required: true
      server:
        description:
          - The named server that the home belongs to. Without it, the home of the default server.
        type: str
      claim:
        description:
          - The name of the existing claim that is the home. See the notes of M(odh.persistency.user_pvc).
        type: str
      size:
        description:
          - The size of the home, as a Kubernetes quantity. Overrides the size of the run.
        type: str
      storage_class:
        description:
          - The storage class of a new home. Overrides the storage class of the run. An empty string means no class.
        type: str
      labels:
        description:
          - Labels for the claim. They are added and updated, never removed.
        type: dict
        default: {}
      annotations:
        description:
          - Annotations for the claim. They are added and updated, never removed.
        type: dict
        default: {}
      state:
        description:
          - The state of this home. Overrides the state of the run.
        type: str
        choices: [present, retired, absent]
  users_file:
    description:
      - Path of a file of users on the host that runs the task. The module opens it.
      - A relative name is looked up next to the inventory, next to the playbook and in the current folder, which in AWX
        is the project. Two files of that name are rejected. On another host it is a name on that host.
      - JSON and YAML files hold a list of what O(users) takes, or a dictionary with the single key C(users). CSV files have
        a header with C(name) and any of C(server), C(claim), C(size), C(storage_class), C(state), C(label:KEY) and
        C(annotation:KEY).
      - Can be combined with O(users). A user in both is rejected.
      - For tens of thousands of users use JSON or CSV. Reading YAML takes a hundred times as long.
    type: path
  users_from:
    description:
      - With V(hub), adds the users and named servers that the hub's REST API lists.
      - An entry in O(users) or O(users_file) overrides what the hub says about that user.
      - A home that cannot be named, or that would share its claim with another one, is left out with a warning.
    type: str
    choices: [hub]
  retired:
    description:
      - Users whose homes are retired, a list of what O(users) takes. The same as O(users) with O(users[].state) set to
        V(retired), and rejected if an entry says something else.
      - A user in two of O(users), O(users_file), O(retired) and O(absent) is rejected.
    type: raw
  absent:
    description:
      - Users whose homes are deleted, a list of what O(users) takes. The same as O(users) with O(users[].state) set to
        V(absent), and rejected if an entry says something else.
    type: raw
  naming:
    description:
      - How the hub names claims.
      - V(safe) is KubeSpawner 7 (C(slug_scheme=safe)). V(escape) is KubeSpawner 6 and earlier, and version 7 with
        C(slug_scheme=escape). V(odh) is classic Open Data Hub.
    type: str
    choices: [safe, escape, odh]
    default: safe
  name_template:
    description:
      - The hub's C(pvc_name_template), if it differs from the default of O(naming).
      - A template without a field for the server means one home per user, which all named servers of the user share.
      - C({userid}) is not supported, because only the hub knows it.
    type: str
  hub_namespace:
    description:
      - The namespace in which the hub itself runs, for templates with C({hubnamespace}).
    type: str
"""
