# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The comparison of two ACLs: effective access before and after, as data and as sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Any, Optional

from .changes import EVERYONE, HUB_GROUP, PERSON, AccessChange, Causes
from .descriptions import Description, Difference, describe_difference, describe_expired
from .model import EMPTY, RO, RW, Acl
from .rights import AccessIndex, Rights, numbers_of


@dataclass(frozen=True)
class Comparison:
    """What changes between two ACLs.

    `changes` are all changes of access by share; within a share first everyone's, then those of groups of the hub, then
    those of people by name. A person whose access changes exactly as everyone's has no change of their own.
    `descriptions` say the same in sentences, in the same order, along with changes of the shares themselves; they are empty
    only if the two ACLs are equal. `notes` are about expired shares, which is no change. `with_everyone` has, for shares on
    which everyone's access changes, the number of known people who have no change of their own.
    """

    changes: tuple[AccessChange, ...]
    descriptions: tuple[Description, ...]
    notes: tuple[str, ...]
    with_everyone: Mapping[str, int] = field(default_factory=dict)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The descriptions as text."""
        return tuple(one.text for one in self.descriptions)

    @property
    def withdrawals(self) -> tuple[AccessChange, ...]:
        """The changes that narrow access."""
        return tuple(change for change in self.changes if change.narrows)

    @property
    def gains(self) -> tuple[AccessChange, ...]:
        """The changes that widen access."""
        return tuple(change for change in self.changes if change.widens)

    def count_grants(self, changes: Iterable[AccessChange]) -> int:
        """Count the grants that changes affect. One grant is what one person has of one share.

        A change for everyone counts each known person without a change of their own. A change for a group of the hub,
        whose members are unknown here, counts one.
        """
        return sum(
            max(1, self.with_everyone.get(change.share, 0)) if change.kind == EVERYONE else 1 for change in changes
        )


NO_CHANGE = Comparison((), (), ())


def as_data(comparison: Comparison, most: int = 5_000) -> dict[str, Any]:
    """Return a comparison as modules return it: the numbers of grants gained and withdrawn, and the first changes."""
    return {
        "gains": comparison.count_grants(comparison.gains),
        "withdrawals": comparison.count_grants(comparison.withdrawals),
        "changes": [change._asdict() for change in comparison.changes[:most]],
    }


def compare(old: Optional[Acl], new: Acl, today: date, causes: Optional[Mapping[str, str]] = None) -> Comparison:
    """Compare the published ACL (None if there is none) with the desired one.

    Both are evaluated on `today`, a day in UTC. A share whose last day passes is therefore no change: nobody had it before
    the run (`notes` mention it). A last day that is set to a past day is one. A share with another claim is different data:
    people lose access to the old claim and gain access to the new one. `causes` says by share why a share is no longer in
    the new ACL (`share retired`); the default is `share removed`.
    """
    before = EMPTY if old is None else old
    names = sorted({*before.by_name, *new.by_name})
    expired = (describe_expired(name, new.by_name[name], today) for name in names if name in new.by_name)
    notes = tuple(sentence for sentence in expired if sentence)
    if before == new:
        return Comparison((), (), notes)
    found = _Changes(before, new, names, today, Causes(before, new, today, causes or {}))
    descriptions = describe_difference(Difference(before, new, today, found.by_share, found.named, causes or {}))
    changes = tuple(chain.from_iterable(found.by_share[name] for name in names))
    return Comparison(changes, descriptions, notes, found.with_everyone)


class _Changes:
    """The changes by share; the number of people with access to each share whose level changes; and the number of people
    whose access changes only as everyone's does, by share."""

    def __init__(self, old: Acl, new: Acl, names: list[str], today: date, causes: Causes) -> None:
        self.by_share: dict[str, list[AccessChange]] = {name: [] for name in names}
        self.named: Counter[str] = Counter()
        self.with_everyone: Counter[str] = Counter()
        before, after = AccessIndex(old, names, today), AccessIndex(new, names, today)
        everyone = (before.everyone, after.everyone)
        levels, moved = (_shares_that_differ(old, new, names, key) for key in ("level", "claim"))
        for number in numbers_of(_changed(everyone, moved)):
            share, bit = names[number], 1 << number
            change = AccessChange(
                share, EVERYONE, None, everyone[0].mode(bit), everyone[1].mode(bit), causes.of_everyone(share)
            )
            self._add(change, bool(moved & bit))
        for group in sorted({*before.hub_groups, *after.hub_groups}):
            rights = (before.of_group(group), after.of_group(group))
            for number in numbers_of(_changed(rights, moved) & _own(rights, everyone)):
                share, bit = names[number], 1 << number
                was, becomes = rights[0].mode(bit), rights[1].mode(bit)
                cause = causes.of_hub_group(share, was, becomes)
                self._add(AccessChange(share, HUB_GROUP, group, was, becomes, cause), bool(moved & bit))
        with_everyone: Counter[int] = Counter()
        for person in sorted({*old.people, *new.people}):
            rights = (before.of_person(person), after.of_person(person))
            changed = _changed(rights, moved)
            own = changed & _own(rights, everyone) if changed else 0
            for number in numbers_of(own):
                share, bit = names[number], 1 << number
                # Inlined Rights.mode(): there can be half a million of these.
                was = RW if rights[0].write & bit else RO if rights[0].read & bit else None
                becomes = RW if rights[1].write & bit else RO if rights[1].read & bit else None
                change = AccessChange(
                    share, PERSON, person, was, becomes, causes.of_person(share, person, was, becomes)
                )
                if moved & bit:
                    self._add(change, True)
                else:
                    self.by_share[share].append(change)
            with_everyone[changed ^ own] += 1
            for number in numbers_of(rights[1].read & levels):
                self.named[names[number]] += 1
        for bits, people in with_everyone.items():
            for number in numbers_of(bits):
                self.with_everyone[names[number]] += people

    def _add(self, change: AccessChange, moved: bool) -> None:
        """Add a change. For a share that moved to another claim add two: the loss and the gain."""
        pairs = [(change.old, None), (None, change.new)] if moved else [(change.old, change.new)]
        self.by_share[change.share] += [change._replace(old=old, new=new) for old, new in pairs if old != new]


def _changed(rights: tuple[Rights, Rights], moved: int) -> int:
    """Return the shares on which rights change; `moved` are those whose data changes."""
    changed = (rights[0].read ^ rights[1].read) | (rights[0].write ^ rights[1].write)
    return changed | (moved & (rights[0].read | rights[1].read)) if moved else changed


def _own(rights: tuple[Rights, Rights], everyone: tuple[Rights, Rights]) -> int:
    """Return the shares on which rights differ from everyone's before or after."""
    own = 0
    for mine, theirs in zip(rights, everyone):
        own |= (mine.read ^ theirs.read) | (mine.write ^ theirs.write)
    return own


def _shares_that_differ(old: Acl, new: Acl, names: list[str], key: str) -> int:
    """Return the shares that both ACLs have with different values under a key."""
    bits = 0
    for number, name in enumerate(names):
        pair = old.by_name.get(name), new.by_name.get(name)
        if pair[0] is not None and pair[1] is not None and pair[0][key] != pair[1][key]:
            bits |= 1 << number
    return bits
