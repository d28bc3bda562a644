# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.odh.persistency.plugins.plugin_utils.action import KeyCheckingAction


class ActionModule(KeyCheckingAction):
    """Checks the keys of the options, then runs the module."""

    # The results of the role shares have the names shares_result_volumes and so on.
    report_name = "shares_result"
