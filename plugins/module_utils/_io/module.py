# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frame of every module: what is missing is said, what failed is said, and the result is printed from the plan."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Optional

from ansible.module_utils.basic import missing_required_lib

from .._core.outcome import Outcome
from .._core.plan import REFUSE, Change, Plan, failure_message, refusal_message, unready_message
from .errors import ExternalError

if TYPE_CHECKING:
    from .kubernetes.api import Api


class PlanRejected(Exception):
    """The run is refused before its first write, for these reasons (sentences without a full stop)."""

    def __init__(self, reasons: list[str], plan: Optional[Plan] = None) -> None:
        self.reasons = [reason.rstrip(".") for reason in reasons]
        super().__init__(refusal_message(self.reasons))
        self.plan = plan or Plan()
        #: What else is returned with the refusal.
        self.more: dict[str, Any] = {}


def open_api(module: Any) -> Api:
    """Return the API server that the module's connection options describe, or fail with what is missing."""
    # Here, for some modules need neither the kubernetes client nor the half second that it takes to load.
    from .kubernetes import connection
    from .kubernetes.api import CONNECTIONS, Api

    if connection.COLLECTION_ERROR is not None:
        module.fail_json(
            msg="The collection kubernetes.core (6.0.0 or newer) is needed for the connection options: "
            "ansible-galaxy collection install kubernetes.core",
            exception=str(connection.COLLECTION_ERROR),
        )
    if connection.IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=str(connection.IMPORT_ERROR))
    return Api(connection.connect(module, CONNECTIONS))


def run(module: Any, body: Callable[[Any], dict[str, Any]], kind: str) -> None:
    """Run a module's body and exit; turn refusals and outside failures into one message each.

    `kind` is what the module manages, for refusals that no object stands behind yet.
    """
    try:
        result = body(module)
    except PlanRejected as refused:
        plan = refused.plan
        changes = [change.as_result() for change in plan.refusals]
        # What is wrong with the input itself has no object yet: a refusal each, all the same.
        changes = changes or [_refused_input(module, kind, reason) for reason in refused.reasons]
        module.fail_json(
            msg=str(refused),
            changed=False,
            changes=changes,
            summary={"refuse": len(changes)},
            unreconcilable=[],
            failed_items=[],
            **refused.more,
        )
    except ExternalError as error:
        sentence = str(error) if str(error).endswith("?") else f"{error}."
        module.fail_json(msg=sentence, changed=False, changes=[], summary={}, unreconcilable=[], failed_items=[])
    else:
        module.exit_json(**result)


def _refused_input(module: Any, kind: str, reason: str) -> dict[str, Any]:
    return Change(REFUSE, kind, module.params.get("namespace") or "", "", reason).as_result()


def timings_result(timings: dict[str, float]) -> dict[str, Any]:
    """Return how many seconds each phase took, for the benchmarks, and nothing unless these ask for it."""
    return {"timings": timings} if os.environ.get("ODH_PERSISTENCY_TIMINGS") == "1" else {}


def refuse(plan: Plan) -> None:
    """Raise Refused when the plan holds refusals: all of them at once."""
    if plan.refusals:
        raise PlanRejected([change.reason for change in plan.refusals], plan)


def finish(module: Any, outcome: Outcome, kind: str, **more: Any) -> dict[str, Any]:
    """Return the module's result, printed from the outcome's plan; fail when something could not be carried out."""
    plan = outcome.plan
    for sentence in [*plan.warnings(), *outcome.warnings]:
        module.warn(sentence)
    summary = plan.summary()
    result: dict[str, Any] = {
        "changed": outcome.changed,
        "changes": plan.results(),
        "summary": summary,
        "unreconcilable": [unreconcilable.as_result() for unreconcilable in plan.unreconcilable],
        **more,
    }
    if module._diff:
        result["diff"] = plan.diff()
    messages = []
    if outcome.failures:
        messages.append(failure_message(outcome.failures, len(plan.pending), kind))
    if outcome.unready:
        messages.append(unready_message(outcome.unready))
    if messages:
        failed = [failure.as_result() for failure in [*outcome.failures, *outcome.unready]]
        module.fail_json(msg="\n".join(messages), failed_items=failed, **result)
    return result
