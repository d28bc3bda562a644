# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Callable

DOCUMENTATION = r"""
name: summary_text
short_description: Show the summary of a module of this collection in one line
version_added: 0.1.0
author:
  - odh.persistency contributors (@odh-persistency)
description:
  - Returns the counts in C(summary) of a registered result as one line.
positional: _input, label
options:
  _input:
    description: The registered result. Without C(summary), as after a skipped task, the text is empty.
    type: dict
    required: true
  label:
    description: What to write before the counts.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Summary
  ansible.builtin.debug:
    msg: "{{ homes_result | odh.persistency.summary_text('homes') }}"
    # homes: create 2, keep 38
"""

RETURN = r"""
_value:
  description: The summary.
  type: str
"""

from ansible_collections.odh.persistency.plugins.module_utils._core.report import summary


class FilterModule:
    """The filter, as Ansible looks it up."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"summary_text": summary.summary_text}
