# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options about the result, which every module that changes something has."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  max_changes:
    description:
      - How many items RV(ignore:changes), RV(ignore:unreconcilable), RV(ignore:failed_items) and RV(ignore:access.changes) have
        at most. RV(ignore:omitted) says how many others there are, and RV(ignore:summary) counts all of them.
      - AWX drops a result of more than 700,000 bytes. With the default, the result of 10,000 new homes stays below half of that.
      - A result of more than 350,000 bytes of JSON without its diff has fewer items, in other lists and texts as well.
        RV(ignore:omitted) counts them, and O(report_file) has all of them.
    type: int
    default: 500
  report_file:
    description:
      - A file on the host that runs the task, which is replaced by all items and texts as JSON, in check mode too. Its
        directory must exist.
    type: path
  report_folder:
    description:
      - A folder on the host that runs the task, in which O(report_file) is C(HOST-RESULT.json). RESULT is the variable that the
        task registers, or else the name of the module. The roles of this collection set it to C(persistency_report_folder).
    type: path
"""
