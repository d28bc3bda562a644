# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applying a plan to the API server: all pending changes in parallel, as dry runs in check mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Callable, Optional

from ..._core.outcome import CONFLICT_TRIES, NOT_TRIED, Applied, Outcome, collect
from ..._core.plan import DELETE, KEEP, REFUSE, Change, Failure, Plan, Unreconcilable
from ..._core.requests import ApiRequest
from ..errors import ExternalError
from .api import Api
from .errors import ApiError, UnexpectedAnswer
from .parallel import in_parallel

Replan = Callable[[Change], Change]
_TITLES = {"persistentvolumeclaims": "Claim", "persistentvolumes": "Volume", "configmaps": "ConfigMap"}


def apply_plan(api: Api, plan: Plan, replan: Replan, dry_run: bool) -> Outcome:
    """Apply every pending change of a plan; one that fails does not stop the others.

    After a conflict (409, or 404 of the object itself) `replan` reads the object again and returns its new change. A dry
    run stores nothing; a change that RBAC or a webhook does not allow to try is a warning there.
    """
    positions = [number for number, change in enumerate(plan.changes) if change.operations]

    def apply_one(number: int) -> Applied:
        return _apply_change(api, plan.changes[number], replan, dry_run)

    outcome = collect(plan, dict(zip(positions, in_parallel(apply_one, positions))))
    outcome.wrote = outcome.wrote and not dry_run
    return outcome


def _apply_change(api: Api, planned: Change, replan: Replan, dry_run: bool) -> Applied:
    change = planned
    wrote = is_resumed = False
    untried: list[str] = []
    marks = Marks()
    for tries in range(1, CONFLICT_TRIES + 1):
        left = len(change.operations)
        try:
            for request in change.operations:
                left -= 1
                answer = _try(api, request, dry_run, untried)
                if answer is not None and marks.note(request, answer):
                    wrote = True
            # A deletion that was planned again half-way is reported as the whole deletion.
            is_rest = is_resumed and planned.action == change.action == DELETE
            applied = Applied(planned if is_rest else change, wrote=wrote, warning=_not_tried(untried))
            return marks.result(applied, has_effect=wrote or bool(untried))
        except ApiError as error:
            if not error.is_conflict or tries == CONFLICT_TRIES:
                return Applied(change, _failure(change, error), wrote)
            may_be_written = wrote or error.may_be_applied
            try:
                again = replan(change)
            except ExternalError as failure:
                return Applied(change, _failure(change, failure), wrote)
            if again.action == KEEP and left and planned.action == DELETE and may_be_written:
                reason = f"its deletion was started and is not complete: {again.reason}"
                return Applied(planned, Failure(planned, reason, error.api_message, retryable=True), wrote=True)
            if again.action == KEEP and may_be_written:
                return Applied(planned, wrote=True)  # the answer was lost, not the write
            if again.action == REFUSE:
                return Applied(change, Failure(change, again.reason, error.api_message, retryable=False), wrote)
            if not again.operations:
                return Applied(again, wrote=wrote)
            is_resumed = may_be_written
            change = again
        except ExternalError as error:
            return Applied(change, _failure(change, error), wrote or isinstance(error, UnexpectedAnswer))
    raise AssertionError("unreachable: the last try returns")


class Marks:
    """The labels and annotations of one change that did not stay: a policy or webhook removes them from what is written."""

    def __init__(self) -> None:
        self._lost: dict[str, list[str]] = {}
        #: Their keys.
        self.lost_keys: set[str] = set()

    def note(self, request: ApiRequest, answer: Mapping[str, Any]) -> bool:
        """Note what the answer to a write does not show; return whether the write had an effect."""
        lost = request.lost_marks(answer)
        self.lost_keys.update(key for _kind, key in lost)
        if lost:
            title = f"{_TITLES.get(request.resource.plural, request.resource.plural)} {request.name}"
            found = self._lost.setdefault(title, [])
            for kind in ("label", "annotation"):
                keys = sorted(key for where, key in lost if where == f"{kind}s")
                if keys:
                    found.append(f"{kind}{'s' if len(keys) > 1 else ''} {', '.join(keys)}")
        return not (request.sets_only_marks and len(lost) == len(request.marks) > 0)

    @property
    def reason(self) -> str:
        """What did not stay, and why, "" if everything did."""
        marks = "; ".join(f"{title} does not keep the {' and '.join(found)}" for title, found in self._lost.items())
        if not marks:
            return ""
        return (
            f"{marks}: a policy or webhook of the cluster removes or changes what is written, exempt these keys there"
        )

    def result(self, applied: Applied, has_effect: bool) -> Applied:
        """Return the result with a warning about what did not stay. A change that has no effect is none."""
        if not self._lost:
            return applied
        change = applied.change
        lost = Unreconcilable(change.kind, change.namespace, change.name, self.reason, change.owner)
        return applied._replace(change=change if has_effect else without_effect(change, self.reason), lost_marks=lost)


def without_effect(change: Change, reason: str) -> Change:
    """Return a change whose request changed nothing."""
    return replace(change, action=KEEP, reason=reason, before=None, after=None, operations=())


def _try(api: Api, request: ApiRequest, dry_run: bool, untried: list[str]) -> Optional[Mapping[str, Any]]:
    """Send a request; return the answer. None, with the reason in `untried`: a dry run that could not be tried."""
    try:
        return api.write(request, dry_run)
    except ApiError as error:
        if not (dry_run and error.is_dry_run_unsupported):
            raise
        untried.append(error.untried)
        return None


def _not_tried(reasons: list[str]) -> str:
    return NOT_TRIED + "; ".join(dict.fromkeys(reasons)) if reasons else ""


def _failure(change: Change, error: ExternalError) -> Failure:
    return Failure(change, str(error), api_message(error), error.retryable)


def api_message(error: Exception) -> str:
    """Return the API server's own message, or nothing when it did not answer."""
    return error.api_message if isinstance(error, ApiError) else ""
