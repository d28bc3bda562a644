# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adopting what EasyBuild installed before this collection: planned, and published as the first release."""

from __future__ import annotations

import getpass
import platform
import socket
import uuid
from datetime import datetime, timezone
from typing import Any

from ..._core.outcome import Outcome
from ..._core.plan import Failure, Plan
from ..._core.software.tree_adoption import Builder, adopted_manifest, plan_adoption
from .executor import RELEASE, TREE, Executor, PhaseFailed

#: How many modules that fail the gate are named one by one.
_SHOWN = 20


class Adoption:
    """One adoption. What the gate finds is only reported: servers have been using these modules."""

    def __init__(self, executor: Executor, path: str, lmod_cmd: str) -> None:
        self.executor = executor
        self.path = path
        self.request = {"run": uuid.uuid4().hex[:12], "lmod_cmd": lmod_cmd}
        self._found: dict[str, Any] = {}
        self._manifest: dict[str, Any] = {}

    def _phase(self, phase: str, view: str = TREE, **more: Any) -> Any:
        return self.executor.run(phase, {**self.request, **more}, view)

    def plan(self) -> Plan:
        """Return the plan. Raises PhaseFailed if the modules cannot be a release."""
        self._found = self._phase("adopt", plan=True)
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        name = f"{getpass.getuser()}@{socket.gethostname()}"
        builder = Builder(name, now, platform.machine(), self._found.get("lmod") or "")
        self._manifest = adopted_manifest(self._found, builder)
        return plan_adoption(self.path, self._found, self._manifest)

    def apply(self, plan: Plan) -> Outcome:
        """Publish the release. If that fails, nothing has changed for servers."""
        if not plan.pending:
            return Outcome(plan)
        try:
            return self._publish(plan)
        except PhaseFailed as failed:
            change = plan.pending[0]
            return Outcome(Plan(), failures=[Failure(change, str(failed), retryable=failed.retryable)], wrote=True)

    def _publish(self, plan: Plan) -> Outcome:
        if self._found["releases"]:
            self._phase("publish", release=self._found["releases"][-1], expected_current=None)
            return Outcome(plan, wrote=True)
        release = self._manifest["id"]
        self._phase("adopt")
        self._phase("assemble", release=release, manifest=self._manifest)
        self._phase("cache", RELEASE, release=release)
        checked = self._phase("verify", RELEASE, release=release, scope="all", previous=None, python=None)
        self._phase("publish", release=release, expected_current=None)
        failures = checked["failures"]
        warnings = [f"{item['module']}: {item['reason']} ({item['check']})" for item in failures[:_SHOWN]]
        if len(failures) > _SHOWN:
            warnings.append(f"{len(failures) - _SHOWN} more checks of modules failed")
        return Outcome(plan, warnings=warnings, wrote=True)
