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
from ..options.connection import argument_spec as connection_spec
from ..options.result import RESULT_SPEC
from ..options.software import open_executor
from ..software.executor import PhaseFailed
from ..software.local import LocalExecutor
from ..software.progress import Progress
from ..software.release_run import ReleaseRun
from ..software.remote import RemoteExecutor
from ..software.switching import pruning

PRESENT, PRUNED = "present", "pruned"
_LOCK = ("when_locked", "lock_timeout")


def argument_spec() -> dict[str, Any]:
    """Return the options of `lmod_sync`."""
    return {
        **connection_spec(),
        **RESULT_SPEC,
        "state": {"type": "str", "choices": [PRESENT, PRUNED], "default": PRESENT},
        "prefix": {"type": "path", "required": True},
        "path": {"type": "path"},
        "build_user": {"type": "str"},
        "target": {"type": "str", "required": True},
        "ssh_args": {"type": "list", "elements": "str", "default": []},
        "release": {"type": "str"},
        "keep": {"type": "int"},
        "minimum_age": {"type": "str", "default": "7d"},
        "server_namespaces": {"type": "list", "elements": "str", "default": []},
        "when_locked": {"type": "str", "choices": ["wait", "reject"], "default": "wait"},
        "lock_timeout": {"type": "int", "default": 3600},
    }


def manage_sync(module: Any) -> dict[str, Any]:
    """Bring a release to a file server, or delete there what nothing needs; in check mode, return what would be done."""
    with open_executor({**module.params, "easybuild": None}) as executor:
        try:
            return _prune(module, executor) if module.params["state"] == PRUNED else _sync(module, executor)
        except PhaseFailed as failed:
            if failed.kind == "rejected":
                raise PlanRejected([str(failed)]) from failed
            raise


def _sync(module: Any, executor: LocalExecutor) -> dict[str, Any]:
    params = module.params
    keys = ("target", "ssh_args", "release", *_LOCK)
    request = {"run": uuid.uuid4().hex[:12], **{key: params[key] for key in keys}}
    planned = executor.run("sync", {**request, "plan": True})
    plan = plan_sync(params["target"], planned)
    outcome = Outcome(plan) if module.check_mode or not plan.changed else _send(executor, request, plan)
    return finish(module, outcome, "item", release=planned["release"], bytes=planned["bytes"])


def _prune(module: Any, executor: LocalExecutor) -> dict[str, Any]:
    """Delete as `lmod_release` does with this state, on the other host."""
    params = module.params
    remote = RemoteExecutor(executor, params["target"], params["ssh_args"])
    run = ReleaseRun(remote, {key: params[key] for key in _LOCK}, Progress())
    switching = pruning(run, run.observe, module)
    results = switching.results
    if switching.plan.changed and not module.check_mode:
        results = {**results, **switching.apply()}
    return finish(module, Outcome(switching.plan), "item", release=results["release"], bytes=results["bytes"])


def _send(executor: LocalExecutor, request: dict[str, Any], plan: Plan) -> Outcome:
    try:
        executor.run("sync", request)
    except PhaseFailed as failed:
        # What was sent stays in the staging folder of the other side, and the next run goes on with it.
        helps = failed.kind != "rejected"
        failures = [Failure(change, str(failed), retryable=helps) for change in plan.pending[:1]]
        return Outcome(Plan(), failures=failures, wrote=True)
    return Outcome(plan, wrote=True)
