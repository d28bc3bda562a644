# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that modules share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and report the changes without making them.
  diff_mode:
    description: Reports each change, or in check mode each predicted change, as one line.
  idempotent:
    description: When run twice in a row, and nothing else writes in between, the second run changes nothing.
"""

    K8S = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/odh.persistency.k8s) in C(module_defaults) to set the connection options once.
    support: full
    membership:
      - odh.persistency.k8s
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Changes nothing in any mode.
  diff_mode:
    support: N/A
    details:
      - Changes nothing.
  idempotent:
    support: full
"""
