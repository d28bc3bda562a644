# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying a plan out: all pending changes in parallel, or, in check mode, shown to the API server as dry-runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, Optional

from ..._core.outcome import Outcome
from ..._core.plan import DELETE, KEEP, REFUSE, Change, Failure, Plan
from ..errors import ApiError, ExternalError, UnexpectedAnswer
from .api import CONNECTIONS, Api

#: How often one item is planned again when others keep writing it.
ROUNDS = 4

Replan = Callable[[Change], Change]


@dataclass
class _Item:
    change: Optional[Change]
    failure: Optional[Failure] = None
    warning: str = ""
    wrote: bool = False


def apply_plan(api: Api, plan: Plan, replan: Replan, dry_run: bool, workers: int = CONNECTIONS) -> Outcome:
    """Carry out every pending change of a plan; one that fails does not stop the others.

    A 409 (and a 404 of the object itself) means that somebody else wrote: `replan` reads that item again and returns
    its new change. In a dry-run nothing is stored; what RBAC or a webhook does not allow to be tried is a warning.
    """
    positions = [number for number, change in enumerate(plan.changes) if change.operations]
    if not positions:
        return Outcome(plan)

    def one(number: int) -> _Item:
        return _apply_change(api, plan.changes[number], replan, dry_run)

    if len(positions) == 1:
        items = [one(positions[0])]
    else:
        with ThreadPoolExecutor(max_workers=min(workers, len(positions))) as pool:
            items = list(pool.map(one, positions))

    replaced: dict[int, Change] = {}
    failed: list[int] = []
    outcome = Outcome(plan)
    warned: dict[str, int] = {}
    for number, item in zip(positions, items):
        outcome.wrote = outcome.wrote or (item.wrote and not dry_run)
        if item.failure is not None:
            failed.append(number)
            outcome.failures.append(item.failure)
        elif item.change is not None and item.change is not plan.changes[number]:
            replaced[number] = item.change
        if item.warning:
            warned[item.warning] = warned.get(item.warning, 0) + 1
    outcome.plan = plan.replaced(replaced).without(failed)
    outcome.warnings = [
        f"{text} (the plan is shown all the same; {count} of its changes could not be tried)"
        for text, count in warned.items()
    ]
    return outcome


def _apply_change(api: Api, change: Change, replan: Replan, dry_run: bool) -> _Item:
    asked = change
    wrote = wrote_before = False
    for round_number in range(ROUNDS):
        left = len(change.operations)
        try:
            for step in change.operations:
                left -= 1
                api.write(step, dry_run)
                wrote = True
            # A deletion that was begun and planned again half-way is still all of it.
            is_rest = wrote_before and asked.action == change.action == DELETE
            return _Item(asked if is_rest else change, wrote=wrote)
        except ApiError as error:
            if dry_run and untried(error):
                return _Item(change, warning=f"The API server could not be asked to validate: {error}")
            if not is_conflict(error) or round_number == ROUNDS - 1:
                return _Item(None, Failure(change, str(error), error.api_message, error.retryable), wrote=wrote)
            again, failure = _planned_again(change, replan)
            if failure is not None:
                return _Item(None, failure, wrote=wrote)
            if again.action == KEEP and left and asked.action == DELETE and (error.unsure or wrote):
                reason = f"its deletion was begun and is not complete, for {again.reason}"
                return _Item(None, Failure(asked, reason, error.api_message, retryable=True), wrote=True)
            if again.action == KEEP and (error.unsure or wrote):
                return _Item(asked, wrote=True)  # the answer was lost, the write was not
            if again.action == REFUSE:
                return _Item(None, Failure(change, again.reason, error.api_message, retryable=False), wrote=wrote)
            if not again.operations:
                return _Item(again, wrote=wrote)
            wrote_before = wrote or error.unsure
            change = again
        except ExternalError as error:
            wrote = wrote or isinstance(error, UnexpectedAnswer)
            return _Item(None, Failure(change, str(error), "", error.retryable), wrote=wrote)
    raise AssertionError("unreachable: the last round returns")


def _planned_again(change: Change, replan: Replan) -> tuple[Change, Optional[Failure]]:
    try:
        return replan(change), None
    except ExternalError as error:
        return change, Failure(change, str(error), "", error.retryable)


def is_conflict(error: ApiError) -> bool:
    """Whether somebody else wrote: the object is another one, or is gone, or is there already."""
    if error.status == 409 or error.is_outdated:
        return True
    return error.status == 404 and not error.is_namespace_missing


def untried(error: ApiError) -> bool:
    """Whether a dry-run was turned away as such: no right to write, or a webhook in the way that cannot dry-run."""
    if error.status == 403 and not error.is_quota:
        return True
    return error.status == 400 and "dry run" in error.api_message.lower().replace("-", " ").replace("dryrun", "dry run")
