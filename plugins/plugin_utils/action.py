# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of every module that runs on the controller: it checks what JSON would change, and finds the files of the operator."""

from __future__ import annotations

import os
from typing import Any, Optional

from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible_collections.odh.persistency.plugins.module_utils._core.inventory import typed_errors
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import refusal_message
from ansible_collections.odh.persistency.plugins.plugin_utils import file_names


class KeyCheckingAction(NormalAction):
    """Runs the module of the task if its options reach it as they are written."""

    #: The name of the result in the name of the report file, if it is neither what the task registers nor its module.
    report_name = ""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return the result of the module, or the failure that its options cannot be passed on."""
        errors = typed_errors(self._task.args)
        # On another host names mean files of that host.
        if self._connection.transport == "local":
            paths, missing = file_names.resolve(self._task.args, file_names.folders(task_vars or {}))
            errors += missing
            self._task.args = {**self._task.args, **paths}
        errors += self._name_report((task_vars or {}).get("inventory_hostname", ""))
        if errors:
            return {"failed": True, "changed": False, "msg": refusal_message(errors)}
        result: dict[str, Any] = super().run(tmp, task_vars)
        return result

    def _name_report(self, host: str) -> list[str]:
        """Replace `report_folder` by a `report_file` in it, and return what is wrong with them."""
        args = dict(self._task.args)
        folder = args.pop("report_folder", None)
        if not folder:
            return []
        if args.get("report_file"):
            return ["`report_file` and `report_folder` exclude each other: remove one of them"]
        result = self.report_name or self._task.register or self._task.action.rpartition(".")[2]
        self._task.args = {**args, "report_file": os.path.join(folder, f"{host}-{result}.json")}
        return []
