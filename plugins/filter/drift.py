# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

DOCUMENTATION = r"""
name: drift
short_description: Collect what a run would change from the results of all roles of this collection
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Collects the results that the roles of this collection registered in check mode. The playbook C(odh.persistency.drift) shows
    them as a table, and sets them as artifacts of AWX.
positional: _input, hosts, reached, max_changes, fail_on_unreconcilable
options:
  _input:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
  hosts:
    description: The names of the hosts to collect.
    type: list
    elements: str
    required: true
  reached:
    description: The hosts that have not failed, C(ansible_play_hosts). The others are failures.
    type: list
    elements: str
    required: true
  max_changes:
    description: How many changes are listed. The counts always include all of them.
    type: int
    default: 200
  fail_on_unreconcilable:
    description: Whether C(message) also says that there are differences that the cluster cannot change.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Table
  ansible.builtin.debug:
    msg: "{{ (hostvars | odh.persistency.drift(ansible_play_hosts_all, ansible_play_hosts)).text.splitlines() }}"
"""

RETURN = r"""
_value:
  description:
    - C(total), C(parts) (a count per part and action), C(hosts) (a count per host), C(changes), C(omitted),
      C(unreconcilable), C(unreconcilable_total), C(failures), C(text) (the table), and C(message), which is empty if there is
      no reason to fail.
  type: dict
"""

from ansible_collections.odh.persistency.plugins.module_utils._core.report import drift


def collect(
    variables: Mapping[str, Any],
    hosts: Sequence[str],
    reached: Sequence[str],
    max_changes: int = 200,
    fail_on_unreconcilable: bool = False,
) -> dict[str, Any]:
    """Return the drift of hosts, and the message with which a check fails."""
    lost = [host for host in hosts if host not in reached]
    found = drift.drift({host: variables[host] for host in hosts}, int(max_changes), lost)
    return {**found, "message": drift.drift_message(found, bool(fail_on_unreconcilable))}


class FilterModule:
    """The filter, as Ansible looks it up."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"drift": collect}
