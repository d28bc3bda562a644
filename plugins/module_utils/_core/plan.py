# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: what a run would change and why, before the first write.

Every state-changing module turns the desired and the observed state into one Plan. `changed`, `diff`, `changes` and
`summary` come from the plan alone, so check mode and a real run cannot differ. This module knows nothing of homes or
shares: a Change carries texts for people, and operations for the code that applies it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from .visible import visible

CREATE = "create"
UPDATE = "update"
ADOPT = "adopt"
KEEP = "keep"
REFUSE = "refuse"
RETIRE = "retire"
DELETE = "delete"
STOP = "stop"
ACTIONS = (CREATE, UPDATE, ADOPT, KEEP, REFUSE, RETIRE, DELETE, STOP)

#: How many reasons a failure message lists. It counts the others, and `changes` has all of them.
MOST_REFUSALS = 25
#: How many effects the diff lists. `changes` has all of them.
MOST_EFFECTS = 1000
#: How many characters of a line of the diff are repeated in `changes`.
LONGEST_LINE = 200
#: How many unreconcilable differences a run warns of. It counts the others, and `unreconcilable` has all of them.
MOST_WARNINGS = 100


@dataclass(frozen=True)
class Change:
    """What a run does to one object.

    `before` and `after` are one line of the diff each (None: the object does not exist). `operations` apply the change,
    in order, in the terms of the code that applies it; a keep and a refusal have none. `subject` is the desired object
    that the change comes from, to plan it again after a conflict. An `effect` results from other changes of the plan:
    it has no operations of its own and is reported with them.
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
            raise ValueError(f"a {self.action} of {self.name} cannot have operations")
        if self.effect and self.operations:
            raise ValueError(f"an effect on {self.name} cannot have operations")

    def as_result(self) -> dict[str, Any]:
        """Return the change as modules return it.

        That is action, kind, namespace, name and reason, the owner if there is one, and the lines of the diff.
        """
        result = {
            "action": self.action,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "reason": visible(self.reason),
        }
        if self.owner is not None:
            result["owner"] = self.owner
        for key, line in (("before", self.before), ("after", self.after)):
            if line is not None:
                result[key] = visible(line) if len(line) <= LONGEST_LINE else visible(line[:LONGEST_LINE]) + "..."
        return result


@dataclass(frozen=True)
class Unreconcilable:
    """A difference that the cluster cannot change, or that must not be changed: a warning. The run continues."""

    kind: str
    namespace: str
    name: str
    reason: str
    owner: Optional[str] = None

    def as_result(self) -> dict[str, Any]:
        """Return the difference as an item of `unreconcilable`."""
        result = {"kind": self.kind, "namespace": self.namespace, "name": self.name, "reason": visible(self.reason)}
        if self.owner is not None:
            result["owner"] = self.owner
        return result


@dataclass(frozen=True)
class Failure:
    """A change that was not applied: why, the message of the API server, and whether a rerun can help."""

    change: Change
    reason: str
    api: str = ""
    retryable: bool = True

    def as_result(self) -> dict[str, Any]:
        """Return the failure as an item of `failed_items`."""
        result = self.change.as_result()
        result.update(reason=visible(self.reason), api=visible(self.api), retryable=self.retryable)
        return result


@dataclass(frozen=True)
class Plan:
    """What a run would do. Immutable: planning an item again returns a new plan (see `replaced`)."""

    changes: tuple[Change, ...] = ()
    unreconcilable: tuple[Unreconcilable, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def refusals(self) -> list[Change]:
        """The rejected changes. A single one stops the run before its first write."""
        return [change for change in self.changes if change.action == REFUSE]

    @property
    def pending(self) -> list[Change]:
        """The changes that have operations to apply."""
        return [change for change in self.changes if change.operations]

    @property
    def changed(self) -> bool:
        """Whether applying the plan changes anything."""
        return any(change.operations for change in self.changes)

    def summary(self) -> dict[str, int]:
        """Count each action that occurs, and `keep` always, so that a run without changes has a number too."""
        counts = dict.fromkeys(ACTIONS, 0)
        for change in self.changes:
            counts[change.action] += 1
        return {action: count for action, count in counts.items() if count or action == KEEP}

    def results(self) -> list[dict[str, Any]]:
        """Return all changes but the keeps, as `changes`."""
        return [change.as_result() for change in self.changes if change.action != KEEP]

    def diff(self, longest: Optional[int] = None) -> dict[str, str]:
        """Return the before and after of Ansible's diff: a line for each changed object, sorted by name, then the effects.

        Objects that would make it longer than `longest` characters are counted in its last line.
        """
        before, after = [], []
        effects = [change for change in self.changes if change.effect]
        pending = sorted(self.pending, key=lambda item: (item.kind, item.namespace, item.name))
        size = 0
        for number, change in enumerate(pending):
            size += len(change.before or "") + len(change.after or "") + 2
            if longest is not None and size > longest:
                more = f"and {len(pending) - number} more changes; `report_file` has all of them\n"
                before.append(more)
                after.append(more)
                break
            if change.before is not None:
                before.append(visible(change.before) + "\n")
            if change.after is not None:
                after.append(visible(change.after) + "\n")
        after += [visible(change.reason) + "\n" for change in effects[:MOST_EFFECTS]]
        if len(effects) > MOST_EFFECTS:
            after.append(f"and {len(effects) - MOST_EFFECTS} more; `changes` lists all of them\n")
        return {"before": "".join(before), "after": "".join(after)}

    def warnings(self) -> list[str]:
        """Return the warnings of the run: its notes, then at most MOST_WARNINGS unreconcilable differences."""
        sentences = list(self.notes)
        sentences.extend(unreconcilable.reason for unreconcilable in self.unreconcilable[:MOST_WARNINGS])
        if len(self.unreconcilable) > MOST_WARNINGS:
            rest = len(self.unreconcilable) - MOST_WARNINGS
            sentences.append(
                f"{rest} more objects have differences that cannot be changed; `unreconcilable` lists all of them"
            )
        return [visible(sentence) for sentence in sentences]

    def without(self, dropped: Iterable[int]) -> Plan:
        """Return the plan without the changes at these positions, for instance those that failed."""
        positions = set(dropped)
        kept = tuple(change for number, change in enumerate(self.changes) if number not in positions)
        return replace(self, changes=kept)

    def replaced(self, changes: Mapping[int, Change]) -> Plan:
        """Return the plan with new changes at these positions."""
        return replace(self, changes=tuple(changes.get(number, old) for number, old in enumerate(self.changes)))

    def joined(self, other: Plan) -> Plan:
        """Return both plans as one."""
        return Plan(self.changes + other.changes, self.unreconcilable + other.unreconcilable, self.notes + other.notes)


class Unchanged(Exception):
    """Raised while one object is planned: the run keeps it as it is.

    `reason` is a clause without a full stop. `name` is the object, "" for the one that is being planned. `warns` says
    that the user expects a change, so the reason is also a warning.
    """

    def __init__(self, reason: str, name: str = "", warns: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.name = name
        self.warns = warns


class Rejected(Exception):
    """Raised while one object is planned: applying the plan would be wrong, so the run must not write anything.

    `reason` is a clause without a full stop that ends in the way out. `name` is the object, "" for the one that is
    being planned. The planner of the object turns it into a Change with the action REFUSE.
    """

    def __init__(self, reason: str, name: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.name = name


#: Lines of an inventory that a reason asks to paste, after line breaks in it were made visible.
_LINES_TO_PASTE = re.compile(r"\\n( {4}- name: [a-z0-9.-]+)\\n( {6}adopt: true)\\n {2}")


def refusal_message(reasons: Sequence[str]) -> str:
    """Return the failure message of a rejected run: all reasons, or the first of them and a count."""
    shown = list(dict.fromkeys(_LINES_TO_PASTE.sub(r"\n\1\n\2\n  ", visible(reason)) for reason in reasons))
    lines = shown[:MOST_REFUSALS]
    if len(shown) > MOST_REFUSALS:
        lines.append(f"and {len(shown) - MOST_REFUSALS} more; `changes` lists all of them")
    if len(lines) == 1:
        return f"{lines[0]}. Nothing was changed."
    return "Nothing was changed, for {} reasons:\n{}".format(len(shown), "\n".join(f"- {line}" for line in lines))


def failure_message(failures: Sequence[Failure], done: int, kind: str) -> str:
    """Return the failure message when some changes failed and `done` others were applied."""
    retryable = sum(1 for failure in failures if failure.retryable)
    if retryable == len(failures):
        outlook = "run again to apply what is missing"
    elif retryable:
        outlook = f"rerunning helps with {retryable} of them, the others need a correction first"
    else:
        outlook = "rerunning will not help"
    head = f"{len(failures)} of {len(failures) + done} changes of kind {kind} failed ({outlook}):"
    return "\n".join([head, *_failure_lines(failures)])


def unready_message(failures: Sequence[Failure]) -> str:
    """Return the failure message for objects that were changed and are not ready in time."""
    return "\n".join(
        [f"{len(failures)} of the objects that the run waited for are not ready:", *_failure_lines(failures)]
    )


def _failure_lines(failures: Sequence[Failure]) -> list[str]:
    lines = [f"- {failure.change.name}: {visible(failure.reason)}" for failure in failures[:MOST_REFUSALS]]
    if len(failures) > MOST_REFUSALS:
        lines.append(f"- and {len(failures) - MOST_REFUSALS} more; `failed_items` lists all of them")
    return lines
