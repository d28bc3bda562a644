# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of applying a plan, whatever applied it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Optional

from .plan import Change, Failure, Plan, Unreconcilable

#: How often one change is tried when others keep writing its object, each time planned again.
CONFLICT_TRIES = 4
#: Starts the text about a change that a dry run could not try.
NOT_TRIED = "The API server could not validate: "


class Applied(NamedTuple):
    """The result of applying one change: the change as applied (after a conflict, a new one), or why it failed."""

    change: Change
    failure: Optional[Failure] = None
    wrote: bool = False
    warning: str = ""
    #: The labels and annotations that did not stay.
    lost_marks: Optional[Unreconcilable] = None


@dataclass
class Outcome:
    """The result of applying a plan: the applied changes, the failures, and whether anything was written."""

    plan: Plan
    failures: list[Failure] = field(default_factory=list)
    unready: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    wrote: bool = False
    #: Why dry runs could not be tried, one text for each change.
    untried: list[str] = field(default_factory=list)
    #: Namespaces that do not exist: in check mode, an earlier task may create them.
    missing: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether the run changed anything (in check mode: would change), a change that failed half-way included."""
        return self.plan.changed or self.wrote

    def followed_by(self, other: Outcome) -> Outcome:
        """Return the outcome of this plan and of another one that was applied after it."""
        untried = [*self.untried, *other.untried]
        sentences = [
            sentence
            for outcome in (self, other)
            for sentence in outcome.warnings
            if sentence not in untried_warnings(outcome.untried)
        ]
        return Outcome(
            self.plan.joined(other.plan),
            [*self.failures, *other.failures],
            [*self.unready, *other.unready],
            [*untried_warnings(untried), *sentences],
            self.wrote or other.wrote,
            untried,
            [*self.missing, *other.missing],
        )


def collect(plan: Plan, results: Mapping[int, Applied]) -> Outcome:
    """Return the outcome of a plan, given the results of its changes by position."""
    outcome = Outcome(plan, wrote=any(result.wrote for result in results.values()))
    outcome.failures = [result.failure for result in results.values() if result.failure is not None]
    failed = [number for number, result in results.items() if result.failure is not None]
    replanned = {number: result.change for number, result in results.items() if number not in failed}
    outcome.plan = plan.replaced(replanned).without(failed)
    lost = tuple(result.lost_marks for result in results.values() if result.lost_marks is not None)
    outcome.plan = replace(outcome.plan, unreconcilable=outcome.plan.unreconcilable + lost)
    outcome.untried = [result.warning for result in results.values() if result.warning]
    outcome.warnings = untried_warnings(outcome.untried)
    return outcome


def untried_warnings(texts: Sequence[str]) -> list[str]:
    """Return one warning for all changes that a dry run could not try, given why for each of them; none without any."""
    if not texts:
        return []
    first, *others = dict.fromkeys(texts)
    reasons = "; ".join([first, *(text.replace(NOT_TRIED, "", 1) for text in others)])
    return [f"{reasons} (the plan is shown anyway; changes not validated: {len(texts)})"]
