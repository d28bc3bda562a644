# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules about homes: whose, and how their claims are named."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  users:
    description:
      - The users, each as a name or as a dictionary. Names are those of the hub, exactly; nothing is trimmed or folded.
      - The keys of a dictionary are C(name), C(server) (a named server's home), C(claim) (the existing claim that is
        the home; see the notes), C(size), C(storage_class), C(labels), C(annotations) and C(state), which goes before
        that of the run.
      - Lists of thousands of dictionaries are better given as O(users_file); Ansible takes seconds to carry them here.
    type: list
    elements: raw
  users_file:
    description:
      - Path of a file of users on the host that runs the task, opened by the module itself.
      - JSON and YAML files hold a list of what O(users) takes, or a dictionary with the one key C(users). CSV files have
        a header with C(name) and any of C(server), C(claim), C(size), C(storage_class), C(state), C(label:KEY) and
        C(annotation:KEY).
      - May be given beside O(users); a user in both is refused.
      - For tens of thousands of users take JSON or CSV; YAML takes a hundred times as long to read.
    type: path
  users_from:
    description:
      - With V(hub), the users and named servers that the hub knows are added, as its REST API lists them.
      - What O(users) and O(users_file) say of a user goes before it.
    type: str
    choices: [hub]
  hub:
    description:
      - The JupyterHub to ask for its users, and for when they were last active.
      - The token is that of a service with the scopes C(list:users), C(read:users:name), C(read:users:activity) and
        C(read:servers).
    type: dict
    suboptions:
      url:
        description:
          - Address of the hub or of its API, such as C(https://hub.example.org/hub/api).
        type: str
        required: true
      token:
        description:
          - API token.
        type: str
        required: true
      validate_certs:
        description:
          - Whether the hub's certificate is verified.
        type: bool
        default: true
      ca_cert:
        description:
          - File with the CA certificates that the hub's certificate is verified with, instead of the system's.
        type: path
  naming:
    description:
      - How the hub names claims.
      - V(safe) is KubeSpawner 7 (C(slug_scheme=safe)), V(escape) is KubeSpawner 6 and before, and 7 with
        C(slug_scheme=escape), V(odh) is classic Open Data Hub.
    type: str
    choices: [safe, escape, odh]
    default: safe
  name_template:
    description:
      - The hub's C(pvc_name_template), where it is not the default of O(naming).
      - A template without a field for the server means one home a user, which all of the user's named servers share.
      - C({userid}) cannot be used, for only the hub knows it.
    type: str
  hub_namespace:
    description:
      - The namespace that the hub itself runs in, for templates with C({hubnamespace}).
    type: str
"""
