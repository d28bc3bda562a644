# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `lmod_sync`: options to result."""

from __future__ import annotations

import uuid
from typing import Any

from ..._core.outcome import Outcome
from ..._core.plan import Failure, Plan
from ..._core.software.sync_plan import plan_sync
from ..module import PlanRejected, finish
from ..options.result import RESULT_SPEC
from ..options.software import open_executor
from ..software.executor import PhaseFailed
from ..software.local import LocalExecutor


def argument_spec() -> dict[str, Any]:
    """Return the options of `lmod_sync`."""
    return {
        **RESULT_SPEC,
        "prefix": {"type": "path", "required": True},
        "path": {"type": "path"},
        "build_user": {"type": "str"},
        "target": {"type": "str", "required": True},
        "ssh_args": {"type": "list", "elements": "str", "default": []},
        "release": {"type": "str"},
        "when_locked": {"type": "str", "choices": ["wait", "reject"], "default": "wait"},
        "lock_timeout": {"type": "int", "default": 3600},
    }


def manage_sync(module: Any) -> dict[str, Any]:
    """Bring a release to a file server; in check mode, return what would be sent."""
    params = module.params
    keys = ("target", "ssh_args", "release", "when_locked", "lock_timeout")
    request = {"run": uuid.uuid4().hex[:12], **{key: params[key] for key in keys}}
    with open_executor({**params, "easybuild": None}) as executor:
        try:
            planned = executor.run("sync", {**request, "plan": True})
        except PhaseFailed as failed:
            if failed.kind == "rejected":
                raise PlanRejected([str(failed)]) from failed
            raise
        plan = plan_sync(params["target"], planned)
        outcome = Outcome(plan) if module.check_mode or not plan.changed else _send(executor, request, plan)
    return finish(module, outcome, "item", release=planned["release"], bytes=planned["bytes"])


def _send(executor: LocalExecutor, request: dict[str, Any], plan: Plan) -> Outcome:
    try:
        executor.run("sync", request)
    except PhaseFailed as failed:
        # What was sent stays in the staging folder of the other side, and the next run goes on with it.
        helps = failed.kind != "rejected"
        failures = [Failure(change, str(failed), retryable=helps) for change in plan.pending[:1]]
        return Outcome(Plan(), failures=failures, wrote=True)
    return Outcome(plan, wrote=True)
