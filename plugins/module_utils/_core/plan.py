# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: what a run would do and why, before anything is done.

Every state-changing module turns what is desired and what is live into one Plan. Diff, `changed`, the returned
changes and summary are printed from it and from nothing else, so check mode and the real run cannot differ. The
engine knows nothing of homes or shares: a Change carries sentences for people and steps for whoever carries it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

CREATE = "create"
UPDATE = "update"
ADOPT = "adopt"
KEEP = "keep"
REFUSE = "refuse"
RETIRE = "retire"
DELETE = "delete"
ACTIONS = (CREATE, UPDATE, ADOPT, KEEP, REFUSE, RETIRE, DELETE)

#: How many refusals a failure message spells out; the rest is counted there, and complete in `changes`.
MOST_REFUSALS = 25
#: How many effects the diff spells out; all of them are in `changes`.
MOST_EFFECTS = 1000
#: How many warnings of one run are spelt out; beyond it the run says how many more there are (all are in `unreconcilable`).
MOST_WARNINGS = 100


@dataclass(frozen=True)
class Change:
    """One thing and what becomes of it.

    `before` and `after` are one line each, as the diff shows it (None: it does not exist then). `steps` are what
    carries the change out, in order, in the executor's own terms; a keep and a refusal have none. `subject` is the
    desired thing it came from, handed back when a conflict asks for planning it again. An `effect` is what other changes
    of the plan bring about: it has no steps of its own, and is told with them.
    """

    action: str
    kind: str
    namespace: str
    name: str
    reason: str
    owner: Optional[str] = None
    before: Optional[str] = None
    after: Optional[str] = None
    operations: tuple[Any, ...] = ()
    subject: Any = None
    effect: bool = False

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"unknown action {self.action!r}")
        if self.operations and self.action in (KEEP, REFUSE):
            raise ValueError(f"a {self.action} of {self.name} cannot have steps")
        if self.effect and self.operations:
            raise ValueError(f"an effect on {self.name} cannot have steps")

    def as_result(self) -> dict[str, Any]:
        """Return the change as modules return it: action, kind, namespace, name, reason, and owner where there is one."""
        result = {
            "action": self.action,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "reason": self.reason,
        }
        if self.owner is not None:
            result["owner"] = self.owner
        return result


@dataclass(frozen=True)
class Unreconcilable:
    """What differs from what is wanted and may not, or cannot, be corrected: one warning, everything else goes on."""

    kind: str
    namespace: str
    name: str
    reason: str
    owner: Optional[str] = None

    def as_result(self) -> dict[str, Any]:
        """Return the drift as modules return it."""
        result = {"kind": self.kind, "namespace": self.namespace, "name": self.name, "reason": self.reason}
        if self.owner is not None:
            result["owner"] = self.owner
        return result


@dataclass(frozen=True)
class Failure:
    """A change that could not be carried out: why, what the API said, and whether a second run will mend it."""

    change: Change
    reason: str
    api: str = ""
    retryable: bool = True

    def as_result(self) -> dict[str, Any]:
        """Return the failure as an item of `failed_items`."""
        result = self.change.as_result()
        result.update(reason=self.reason, api=self.api, retryable=self.retryable)
        return result


@dataclass(frozen=True)
class Plan:
    """What a run would do. Immutable: planning an item again gives a new plan (`replaced`)."""

    changes: tuple[Change, ...] = ()
    unreconcilable: tuple[Unreconcilable, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def refusals(self) -> list[Change]:
        """The changes that would be wrong to carry out; one is enough to stop the whole run before its first write."""
        return [change for change in self.changes if change.action == REFUSE]

    @property
    def pending(self) -> list[Change]:
        """The changes that there is something to do for."""
        return [change for change in self.changes if change.operations]

    @property
    def changed(self) -> bool:
        """Whether carrying it out changes anything."""
        return any(change.operations for change in self.changes)

    def summary(self) -> dict[str, int]:
        """Count each action that occurs; `keep` always, so that "nothing to do" has a number."""
        counts = dict.fromkeys(ACTIONS, 0)
        for change in self.changes:
            counts[change.action] += 1
        return {action: count for action, count in counts.items() if count or action == KEEP}

    def results(self) -> list[dict[str, Any]]:
        """Return everything that is not a plain keep, as `changes`."""
        return [change.as_result() for change in self.changes if change.action != KEEP]

    def diff(self) -> dict[str, str]:
        """Return Ansible's before/after: one line for each thing that changes, in the order of names, then the effects."""
        before, after = [], []
        effects = [change for change in self.changes if change.effect]
        for change in sorted(self.pending, key=lambda item: (item.kind, item.namespace, item.name)):
            if change.before is not None:
                before.append(change.before + "\n")
            if change.after is not None:
                after.append(change.after + "\n")
        after += [change.reason + "\n" for change in effects[:MOST_EFFECTS]]
        if len(effects) > MOST_EFFECTS:
            after.append(f"and {len(effects) - MOST_EFFECTS} more; all are listed in `changes`\n")
        return {"before": "".join(before), "after": "".join(after)}

    def warnings(self) -> list[str]:
        """Return the sentences a run warns with: notes first, then one for each drift, bounded."""
        sentences = list(self.notes)
        sentences.extend(unreconcilable.reason for unreconcilable in self.unreconcilable[:MOST_WARNINGS])
        if len(self.unreconcilable) > MOST_WARNINGS:
            rest = len(self.unreconcilable) - MOST_WARNINGS
            sentences.append(f"{rest} more differ in ways that cannot be corrected; all are listed in `unreconcilable`")
        return sentences

    def without(self, dropped: Iterable[int]) -> Plan:
        """Return the plan less the changes at these positions: what a failed run did do."""
        positions = set(dropped)
        kept = tuple(change for number, change in enumerate(self.changes) if number not in positions)
        return replace(self, changes=kept)

    def replaced(self, changes: Mapping[int, Change]) -> Plan:
        """Return the plan with the changes at these positions planned again."""
        return replace(self, changes=tuple(changes.get(number, old) for number, old in enumerate(self.changes)))

    def joined(self, other: Plan) -> Plan:
        """Return both plans as one."""
        return Plan(self.changes + other.changes, self.unreconcilable + other.unreconcilable, self.notes + other.notes)


def refusal_message(reasons: Sequence[str]) -> str:
    """Return the failure message for refusals: all of them, or the first of them and a count."""
    shown = list(dict.fromkeys(reasons))
    lines = shown[:MOST_REFUSALS]
    if len(shown) > MOST_REFUSALS:
        lines.append(f"and {len(shown) - MOST_REFUSALS} more of the kind; all are listed in `changes`")
    if len(lines) == 1:
        return f"{lines[0]}. Nothing was changed."
    return "Nothing was changed, for {} reasons:\n{}".format(len(shown), "\n".join(f"- {line}" for line in lines))


def failure_message(failures: Sequence[Failure], done: int, kind: str) -> str:
    """Return the failure message for changes that were tried and failed, when the others were carried out."""
    retryable = sum(1 for failure in failures if failure.retryable)
    lines = [f"- {failure.change.name}: {failure.reason}" for failure in failures[:MOST_REFUSALS]]
    if len(failures) > MOST_REFUSALS:
        lines.append(f"- and {len(failures) - MOST_REFUSALS} more; all are listed in `failed_items`")
    if retryable == len(failures):
        outlook = "the next run does just what is missing"
    elif retryable:
        outlook = f"the next run mends {retryable} of them, the others need a hand"
    else:
        outlook = "another run will not mend this by itself"
    head = f"{len(failures)} of {len(failures) + done} changes of kind {kind} could not be carried out ({outlook}):"
    return "\n".join([head, *lines])


def unready_message(failures: Sequence[Failure]) -> str:
    """Return the failure message for things that were waited for in vain; what was to be done to them is done."""
    lines = [f"- {failure.change.name}: {failure.reason}" for failure in failures[:MOST_REFUSALS]]
    if len(failures) > MOST_REFUSALS:
        lines.append(f"- and {len(failures) - MOST_REFUSALS} more; all are listed in `failed_items`")
    return "\n".join([f"{len(failures)} of what was waited for is not ready:", *lines])
