# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a new ACL changes for people: effective access before and after, as data and as sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Any, Optional

from . import descriptions
from .effects import EVERYONE, HUB_GROUP, PERSON, Causes, Effect
from .model import EMPTY, RO, RW, Acl
from .reach import Reach, Rights, numbers_of


@dataclass(frozen=True)
class Comparison:
    """What changes between two ACLs.

    `effects` are all changes of access, by share; of one share everyone's first, then those of the hub's groups, then
    those of people by name. A person who merely goes with everyone has no effect of their own. `told` tells the same to
    people, in that order, together with what changes of the shares themselves; it is empty only when the two ACLs are
    equal. `notes` are about what is in force and no change: shares that have ended. `along` says for shares on which
    everyone's access changes how many of the people whom the ACLs know go with everyone.
    """

    effects: tuple[Effect, ...]
    told: tuple[descriptions.Told, ...]
    notes: tuple[str, ...]
    along: Mapping[str, int] = field(default_factory=dict)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is told, as text."""
        return tuple(one.text for one in self.told)

    @property
    def withdrawals(self) -> tuple[Effect, ...]:
        """The effects that narrow somebody's access."""
        return tuple(effect for effect in self.effects if effect.narrows)

    def grants(self, effects: Iterable[Effect]) -> int:
        """Count what effects are about as grants: what one person has of one share.

        Everyone's is the grant of each person whom the ACLs know and who has no effect of their own, that of a group of the
        hub's, whose members nobody knows here, one.
        """
        return sum(max(1, self.along.get(effect.share, 0)) if effect.kind == EVERYONE else 1 for effect in effects)

    @property
    def gains(self) -> tuple[Effect, ...]:
        """The effects that widen somebody's access."""
        return tuple(effect for effect in self.effects if effect.widens)


NO_CHANGE = Comparison((), (), ())


def as_data(comparison: Comparison, most: int = 5_000) -> dict[str, Any]:
    """Return a comparison as modules return it: how many grants are gained and withdrawn, and the first changes as data."""
    return {
        "gains": comparison.grants(comparison.gains),
        "withdrawals": comparison.grants(comparison.withdrawals),
        "effects": [effect._asdict() for effect in comparison.effects[:most]],
    }


def compare(old: Optional[Acl], new: Acl, today: date, causes: Optional[Mapping[str, str]] = None) -> Comparison:
    """Compare the ACL that stands (None: there is none yet) with the one that is to stand.

    Both are looked at as of `today`, a day in UTC. So a share whose last day passes is no change: it was nobody's
    before the run (`notes` say so); a last day that is set to a day gone by is one. A share with another claim is other data:
    who had it loses that, and gains what is behind the new claim. `causes` may say, by share, why a share is in the new ACL
    no more (`share retired`); otherwise that is `share removed`.
    """
    before = EMPTY if old is None else old
    names = sorted({*before.by_name, *new.by_name})
    about = (descriptions.about_ended(name, new.by_name[name], today) for name in names if name in new.by_name)
    notes = tuple(sentence for sentence in about if sentence)
    if before == new:
        return Comparison((), (), notes)
    why = Causes(before, new, today, causes or {})
    found = _Effects(before, new, names, today, why)
    told = descriptions.sentences_of(before, new, today, found.by_share, found.named, causes or {})
    effects = tuple(chain.from_iterable(found.by_share[name] for name in names))
    return Comparison(effects, told, notes, found.along)


class _Effects:
    """The effects by share; for each share whose level changes, how many people have it afterwards; and how many people go
    with everyone, for each share where that changes."""

    def __init__(self, old: Acl, new: Acl, names: list[str], today: date, causes: Causes) -> None:
        self.by_share: dict[str, list[Effect]] = {name: [] for name in names}
        self.named: Counter[str] = Counter()
        self.along: Counter[str] = Counter()
        before, after = Reach(old, names, today), Reach(new, names, today)
        everyone = (before.everyone, after.everyone)
        levels, moved = (_that_differ(old, new, names, key) for key in ("level", "claim"))
        for number in numbers_of(_changes(everyone, moved)):
            share, bit = names[number], 1 << number
            modes = (everyone[0].mode(bit), everyone[1].mode(bit))
            self._note(share, EVERYONE, None, modes, causes.of_everyone(share), bool(moved & bit))
        for group in sorted({*before.hub_groups, *after.hub_groups}):
            rights = (before.of_group(group), after.of_group(group))
            for number in numbers_of(_changes(rights, moved) & _own(rights, everyone)):
                share, bit = names[number], 1 << number
                modes = (rights[0].mode(bit), rights[1].mode(bit))
                self._note(share, HUB_GROUP, group, modes, causes.of_hub_group(share, *modes), bool(moved & bit))
        along: Counter[int] = Counter()
        for person in sorted({*old.people, *new.people}):
            rights = (before.of_person(person), after.of_person(person))
            changed = _changes(rights, moved)
            own = changed & _own(rights, everyone) if changed else 0
            for number in numbers_of(own):
                share, bit = names[number], 1 << number
                # As Rights.mode() has it; there may be half a million of these.
                was = RW if rights[0].write & bit else RO if rights[0].read & bit else None
                becomes = RW if rights[1].write & bit else RO if rights[1].read & bit else None
                cause = causes.of_person(share, person, was, becomes)
                if moved & bit:
                    self._note(share, PERSON, person, (was, becomes), cause, True)
                else:
                    self.by_share[share].append(Effect(share, PERSON, person, was, becomes, cause))
            along[changed ^ own] += 1
            for number in numbers_of(rights[1].read & levels):
                self.named[names[number]] += 1
        for bits, people in along.items():
            for number in numbers_of(bits):
                self.along[names[number]] += people

    def _note(
        self, share: str, kind: str, who: Optional[str], modes: tuple[Optional[str], ...], cause: str, moved: bool
    ) -> None:
        """Note an effect: of a share that has moved to another claim two, what is lost and what is gained."""
        was, becomes = modes
        pairs = [(was, None), (None, becomes)] if moved else [(was, becomes)]
        self.by_share[share] += [Effect(share, kind, who, *pair, cause) for pair in pairs if pair[0] != pair[1]]


def _changes(rights: tuple[Rights, Rights], moved: int) -> int:
    """Return the shares on which rights change, `moved` being those whose data changes."""
    changed = (rights[0].read ^ rights[1].read) | (rights[0].write ^ rights[1].write)
    return changed | (moved & (rights[0].read | rights[1].read)) if moved else changed


def _own(rights: tuple[Rights, Rights], everyone: tuple[Rights, Rights]) -> int:
    """Return the shares on which rights are not everyone's both before and after."""
    own = 0
    for mine, theirs in zip(rights, everyone):
        own |= (mine.read ^ theirs.read) | (mine.write ^ theirs.write)
    return own


def _that_differ(old: Acl, new: Acl, names: list[str], key: str) -> int:
    """Return the shares that both ACLs have, with another value under a key."""
    bits = 0
    for number, name in enumerate(names):
        pair = old.by_name.get(name), new.by_name.get(name)
        if pair[0] is not None and pair[1] is not None and pair[0][key] != pair[1][key]:
            bits |= 1 << number
    return bits
