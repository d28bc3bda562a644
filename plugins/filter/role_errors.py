# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Callable

DOCUMENTATION = r"""
name: role_errors
short_description: Validate the variables of a role of this collection
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Returns a sentence for each error in the variables of a role. An empty list means that there are none.
  - Reports what Ansible's own validation of role arguments does not see, such as misspelt names of variables, texts in place of
    lists, entries on two lists, and overrides of unknown shares.
  - The roles of this collection use it. It is not meant for playbooks.
positional: _input
options:
  _input:
    description: The names of all variables that are set and begin with the prefix of the role.
    type: list
    elements: str
    required: true
  role:
    description: The name of the role. Its variables begin with this name and C(_).
    type: str
    required: true
  known:
    description: The variables that the role documents.
    type: list
    elements: str
    required: true
  results:
    description: The variables that the role registers.
    type: list
    elements: str
    required: true
  values:
    description: The values of variables that hold lists of entries or overrides, by name of the variable.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Validate variables
  ansible.builtin.assert:
    that: not errors
    fail_msg: "{{ errors | join(' ') }}"
  vars:
    errors: "{{ query('ansible.builtin.varnames', '^homes_') | odh.persistency.role_errors(role='homes',
      known=['homes_namespace', 'homes_users'], results=['homes_result'], values={'homes_users': homes_users}) }}"
"""

RETURN = r"""
_value:
  description: The errors, a sentence each.
  type: list
  elements: str
"""

from ansible_collections.odh.persistency.plugins.module_utils._core import inventory


def role_errors(names: Any, role: str, known: Any, results: Any, values: Any) -> list[str]:
    """Return the errors in the variables of a role, as sentences with a full stop."""
    errors = inventory.role_errors(list(names), role, list(known), list(results), dict(values))
    return [f"{error}." for error in errors]


class FilterModule:
    """The filter, as Ansible looks it up."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"role_errors": role_errors}
