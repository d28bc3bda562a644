# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a new ACL changes for people: effective access before and after, as data and as sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Optional

from . import sentences
from .effects import EVERYONE, HUB_GROUP, PERSON, Causes, Effect
from .model import EMPTY, RO, RW, Acl
from .reach import Reach, Rights, numbers_of


@dataclass(frozen=True)
class Comparison:
    """What changes between two ACLs.

    `effects` are all changes of access, by share; of one share everyone's first, then those of the hub's groups, then
    those of people by name. A person who merely goes with everyone has no effect of their own. `told` tells the same to
    people, in that order, together with what changes of the shares themselves; it is empty only when the two ACLs are
    equal. `notes` are about what is in force and no change: shares that have ended.
    """

    effects: tuple[Effect, ...]
    told: tuple[sentences.Told, ...]
    notes: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is told, as text."""
        return tuple(one.text for one in self.told)

    @property
    def withdrawals(self) -> tuple[Effect, ...]:
        """The effects that narrow somebody's access."""
        return tuple(effect for effect in self.effects if effect.narrows)

    @property
    def gains(self) -> tuple[Effect, ...]:
        """The effects that widen somebody's access."""
        return tuple(effect for effect in self.effects if effect.widens)


def compare(old: Optional[Acl], new: Acl, today: date, causes: Optional[Mapping[str, str]] = None) -> Comparison:
    """Compare the ACL that stands (None: there is none yet) with the one that is to stand.

    Both are looked at as of `today`, a day in UTC. So a share whose last day passes is no change: it was nobody's
    before the run (`notes` say so); a last day that is set to a day gone by is one. `causes` may say, by share, why a share
    is in the new ACL no more (`share retired`); otherwise that is `share removed`.
    """
    before = EMPTY if old is None else old
    names = sorted({*before.by_name, *new.by_name})
    about = (sentences.about_ended(name, new.by_name[name], today) for name in names if name in new.by_name)
    notes = tuple(sentence for sentence in about if sentence)
    if before == new:
        return Comparison((), (), notes)
    why = Causes(before, new, today, causes or {})
    found = _Effects(before, new, names, today, why)
    told = sentences.sentences_of(before, new, today, found.by_share, found.named, causes or {})
    effects = tuple(chain.from_iterable(found.by_share[name] for name in names))
    return Comparison(effects, told, notes)


class _Effects:
    """The effects by share, and for each share whose level changes how many people have it afterwards."""

    def __init__(self, old: Acl, new: Acl, names: list[str], today: date, causes: Causes) -> None:
        self.by_share: dict[str, list[Effect]] = {name: [] for name in names}
        self.named: Counter[str] = Counter()
        before, after = Reach(old, names, today), Reach(new, names, today)
        everyone = (before.everyone, after.everyone)
        for number in numbers_of(everyone[0].read ^ everyone[1].read):
            share, bit = names[number], 1 << number
            modes = (everyone[0].mode(bit), everyone[1].mode(bit))
            self.by_share[share].append(Effect(share, EVERYONE, None, *modes, causes.of_everyone(share)))
        for group in sorted({*before.hub_groups, *after.hub_groups}):
            rights = (before.of_group(group), after.of_group(group))
            for number in numbers_of(_own_changes(rights, everyone)):
                share, bit = names[number], 1 << number
                modes = (rights[0].mode(bit), rights[1].mode(bit))
                cause = causes.of_hub_group(share, *modes)
                self.by_share[share].append(Effect(share, HUB_GROUP, group, *modes, cause))
        levels = _level_changes(old, new, names)
        for person in sorted({*old.people, *new.people}):
            rights = (before.of_person(person), after.of_person(person))
            for number in numbers_of(_own_changes(rights, everyone)):
                share, bit = names[number], 1 << number
                # As Rights.mode() has it; there may be half a million of these.
                was = RW if rights[0].write & bit else RO if rights[0].read & bit else None
                becomes = RW if rights[1].write & bit else RO if rights[1].read & bit else None
                cause = causes.of_person(share, person, was, becomes)
                self.by_share[share].append(Effect(share, PERSON, person, was, becomes, cause))
            for number in numbers_of(rights[1].read & levels):
                self.named[names[number]] += 1


def _own_changes(rights: tuple[Rights, Rights], everyone: tuple[Rights, Rights]) -> int:
    """Return the shares on which rights change, save those where they are everyone's both before and after."""
    changed = (rights[0].read ^ rights[1].read) | (rights[0].write ^ rights[1].write)
    if not changed:
        return 0
    own = 0
    for mine, theirs in zip(rights, everyone):
        own |= (mine.read ^ theirs.read) | (mine.write ^ theirs.write)
    return changed & own


def _level_changes(old: Acl, new: Acl, names: list[str]) -> int:
    bits = 0
    for number, name in enumerate(names):
        pair = old.by_name.get(name), new.by_name.get(name)
        if pair[0] is not None and pair[1] is not None and pair[0]["level"] != pair[1]["level"]:
            bits |= 1 << number
    return bits
