"""The outcome of a plan, collected from the results of its changes."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.odh.persistency.plugins.module_utils._core.outcome import Applied, collect
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import (
    CREATE,
    KEEP,
    UPDATE,
    Change,
    Failure,
    Plan,
)

FIRST, SECOND, THIRD = (Change(CREATE, "home", "ns", name, "new", operations=("do",)) for name in "abc")
KEPT = Change(KEEP, "home", "ns", "k", "is up to date")
PLAN = Plan((KEPT, FIRST, SECOND, THIRD))


def test_nothing_to_do() -> None:
    outcome = collect(Plan((KEPT,)), {})
    assert outcome.plan.changes == (KEPT,)
    assert not outcome.changed


def test_failures_leave_the_plan_and_replanned_changes_replace_their_own() -> None:
    failure = Failure(SECOND, "no")
    again = replace(THIRD, action=UPDATE)
    outcome = collect(PLAN, {1: Applied(FIRST, wrote=True), 2: Applied(SECOND, failure), 3: Applied(again)})
    assert outcome.plan.changes == (KEPT, FIRST, again)
    assert outcome.failures == [failure]
    assert outcome.wrote
    assert outcome.changed


def test_half_of_a_failed_change_is_a_change() -> None:
    outcome = collect(Plan((FIRST,)), {0: Applied(FIRST, Failure(FIRST, "no"), wrote=True)})
    assert not outcome.plan.changes
    assert outcome.changed
    assert not collect(Plan((FIRST,)), {0: Applied(FIRST, Failure(FIRST, "no"))}).changed


def test_equal_warnings_are_one_with_a_count() -> None:
    results = {number: Applied(PLAN.changes[number], warning="It could not be validated") for number in (1, 2)}
    assert collect(PLAN, results).warnings == [
        "It could not be validated (the plan is shown anyway; changes not validated: 2)"
    ]
