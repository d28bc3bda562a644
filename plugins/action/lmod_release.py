# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shlex
import uuid
from typing import Any, Optional

from ansible_collections.odh.persistency.plugins.plugin_utils.action import KeyCheckingAction
from ansible_collections.odh.persistency.plugins.plugin_utils.progress import ProgressDisplay

#: The others end within seconds.
LONG_STATES = ("present", "built", "promoted")


class ActionModule(KeyCheckingAction):
    """Checks the keys of the options, then runs the module, and shows what it builds while it runs."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return the result of the module."""
        args = self._task.args
        is_short = self._task.check_mode or args.get("state", "present") not in LONG_STATES
        if is_short or args.get("progress_file") or self._task.async_val:
            return super().run(tmp, task_vars)
        path = f"/tmp/odh-persistency-{uuid.uuid4().hex}"
        self._task.args = {**args, "progress_file": path}
        try:
            host = (task_vars or {}).get("inventory_hostname", "")
            with ProgressDisplay(self._connection, self._play_context, path, host):
                return super().run(tmp, task_vars)
        finally:
            self._task.args = args
            self._low_level_execute_command(f"rm -f {shlex.quote(path)}")
