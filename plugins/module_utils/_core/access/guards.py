# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guards against surprise: what an ACL is not published for unless somebody said so. Sentences, without full stops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional

from ..._hub.access import LEVELS
from ..shares.groups import HUB, OPENSHIFT, source_of
from ..text import did_you_mean, quote_list
from ..validation import shown
from .descriptions import person_name
from .diff import Comparison
from .effects import EVERYONE, HUB_GROUP, PERSON, Effect
from .model import RO, Acl

#: How many shares one sentence goes into.
_MOST_SHARES = 5

_READ = 1
_WRITE = 2


def guard(
    old: Optional[Acl],
    new: Acl,
    comparison: Comparison,
    *,
    allow_empty: bool = False,
    max_withdrawals: int = 50,
    declassify: Collection[str] = (),
    allow_source_change: Collection[str] = (),
    known: Iterable[str] = (),
    levels: Optional[Acl] = None,
) -> list[str]:
    """Return why the new ACL is not to be published over the old one (None: there is none yet), all reasons at once.

    - No share is left, and there were some: unless `allow_empty`, which consents to everything that goes with that.
    - More than `max_withdrawals` (below 0: no bound) grants withdrawn: each is one share that one person, or the members of
      one of the hub's groups, have less of or not at all; what everyone loses, each person whom the ACLs know loses. A last day
      that passes withdraws nothing in this sense; a last day that is set to one gone by does, for everybody who had the share,
      and so does another claim.
    - A level lowered, of a share or of the claim it had, unless `declassify` has the share's name. `levels` has the shares to
      go by where they are not the old ACL's, which could not be read whole, or stands no more. Names in `declassify` that
      are not lowered do no harm, for the option may stand in an inventory; names that no share has, in either ACL or in
      `known` (the shares of other namespaces, say), are refused, for they are misspelt. So are words in
      `allow_source_change` that no group of a share has.
    - A grant to a group that becomes one to a group of the same word from another source, where somebody gains by it or
      only the hub knows: unless `allow_source_change` has the word, or the whole name of the group it becomes.
    """
    errors = list(_unknown(declassify, {*new.by_name, *(old.by_name if old else ()), *known}))
    errors += _unknown_words(allow_source_change, [*new.by_name.values(), *(old.by_name.values() if old else ())])
    levels = levels or old
    lowered = [] if levels is None else list(_lowered(levels, new, comparison, declassify))
    if old is None:
        return errors + lowered
    if old.by_name and not new.by_name:
        return errors if allow_empty else [*errors, _emptied(old, comparison)]
    errors += withdrawn(comparison, max_withdrawals)
    errors += lowered
    errors += _moved_sources(old, new, comparison, allow_source_change)
    return errors


def unknown_levels(new: Acl, declassify: Collection[str]) -> list[str]:
    """Return why shares are not published over an ACL whose levels nobody can read: any of them might be lowered."""
    names = [
        name for name, share in sorted(new.by_name.items()) if share["level"] != LEVELS[-1] and name not in declassify
    ]
    if not names:
        return []
    return [
        "the levels of the shares that stood cannot be read, so any of them might be lowered: publish the shares as they were "
        f"then, or set `declassify: [{', '.join(names)}]` if each of these may be what it says, whatever it was"
    ]


def _unknown(declassify: Collection[str], known: Collection[str]) -> Iterator[str]:
    for name in sorted({*declassify} - {*known}):
        yield f"declassify names {shown(name)}, which is no share{did_you_mean(name, sorted(known))}: correct it, or take it out"


def _unknown_words(allowed: Collection[str], shares: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A word that no group of a share has, before or after, is misspelt."""
    groups = {group for share in shares for group in _modes(share)} if allowed else set()
    words = groups | {_word(group) for group in groups}
    for name in sorted({*allowed} - words):
        near = did_you_mean(name, sorted(words))
        yield f"allow_source_change names {shown(name)}, which no share grants anything to{near}: correct it, or take it out"


def _emptied(old: Acl, comparison: Comparison) -> str:
    names = sorted(old.by_name)
    losers = _who(comparison.withdrawals)
    return (
        f"no share is left, and the ACL that stands has {quote_list(names)}{f', which {losers} would lose' if losers else ''}: "
        "list the shares, or set `allow_empty: true` if nobody is to have any"
    )


def withdrawn(comparison: Comparison, most: int) -> Iterator[str]:
    """Yield why so many withdrawals are not made in one run: nothing, where there are `most` at most, or it is below 0."""
    gone = comparison.withdrawals
    count = comparison.grants(gone)
    if most < 0 or count <= most:
        return
    by_share: defaultdict[str, list[Effect]] = defaultdict(list)
    for effect in gone:
        by_share[effect.share].append(effect)
    told = [f"of {name} from {_who(effects)}" for name, effects in list(by_share.items())[:_MOST_SHARES]]
    more = len(by_share) - len(told)
    yield (
        f"{count} grants would be withdrawn in one run, and `max_withdrawals` is {most}: {'; '.join(told)}"
        f"{f'; and of {more} more shares' if more else ''}; set `max_withdrawals: {count}` if that is meant (-1 sets no "
        "bound), or correct the shares and groups"
    )


def _lowered(old: Acl, new: Acl, comparison: Comparison, declassify: Collection[str]) -> Iterator[str]:
    """The same data is a share's by its name, and by its claim where that went to another share."""
    owners = {share["claim"]: name for name, share in old.by_name.items()}
    for name, share in sorted(new.by_name.items()):
        same = [name] if name in old.by_name else []
        owner = owners.get(share["claim"], name)
        if owner != name:
            same.append(owner)
        for before in same:
            level = old.by_name[before]["level"]
            if LEVELS.index(share["level"]) >= LEVELS.index(level) or not {name, before}.isdisjoint(declassify):
                continue
            what = name if before == name else f"claim {share['claim']}, which is {before}'s and would be {name}'s,"
            gains = _who([effect for effect in comparison.gains if effect.share == name])
            holders = "" if gains else _holders(new, name)
            fate = f", by which {gains} would gain access" if gains else ""
            fate = (
                f", and {holders} would get it {'without asking' if level == 'secret' else 'as before'}"
                if holders
                else fate
            )
            yield (
                f"{what} is {level} and would become {share['level']}{fate}: "
                f"set `declassify: [{name}]` if that is meant, or leave the level at {level}"
            )


def _holders(acl: Acl, name: str) -> str:
    """Return who has a share: everyone, members of the hub's groups, people by name."""
    groups = _modes(acl.by_name[name])
    if acl.by_name[name]["read"]["everyone"]:
        return "everyone"
    known = [
        person_name(person)
        for person, record in sorted(acl.people.items())
        if name in record.get("read", ())
        or name in record.get("write", ())
        or not groups.keys().isdisjoint(record.get("groups", ()))
    ]
    return quote_list([*(f"members of {group}" for group in sorted(groups) if source_of(group) == "hub"), *known])


def _moved_sources(old: Acl, new: Acl, comparison: Comparison, allowed: Collection[str]) -> Iterator[str]:
    gains: defaultdict[str, list[Effect]] = defaultdict(list)
    for effect in comparison.gains:
        gains[effect.share].append(effect)
    moved: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    gained: defaultdict[tuple[str, str], list[Effect]] = defaultdict(list)
    for name in sorted(gains):
        if name not in old.by_name:
            continue
        before, after = _modes(old.by_name[name]), _modes(new.by_name[name])
        less = [group for group in before if after.get(group, 0) < before[group]]
        for group in sorted(after):
            if after[group] <= before.get(group, 0) or not {_word(group), group}.isdisjoint(allowed):
                continue
            # Who gains more than the group is granted gains it by another grant.
            mine = [
                effect
                for effect in gains[name]
                if _is_in(effect, group, new) and (effect.new == RO or after[group] == _WRITE)
            ]
            for other in sorted(less):
                if mine and _word(other) == _word(group):
                    moved[other, group].append(name)
                    gained[other, group] += mine
    for (other, group), names in sorted(moved.items()):
        who = _who(gained[other, group])
        unknown = ", whom only the hub knows," if source_of(group) == "hub" else ""
        yield (
            f"what {other} had of {quote_list(names, _MOST_SHARES)} would be {group}'s, another group of the same word, by "
            f"which {who}{unknown} would gain access: set `allow_source_change: [{_word(group)}]` if that is meant, or name "
            f"{other} again"
        )


def _modes(share: Mapping[str, Any]) -> dict[str, int]:
    """Return what each group is granted, the more the greater."""
    modes = dict.fromkeys(share["read"]["groups"], _READ)
    modes.update(dict.fromkeys(share["write"]["groups"], _WRITE))
    return modes


def _word(group: str) -> str:
    for prefix in (HUB, OPENSHIFT):
        if group.startswith(prefix):
            return group[len(prefix) :]
    return group


def _is_in(effect: Effect, group: str, acl: Acl) -> bool:
    if effect.kind == HUB_GROUP:
        return effect.who == group
    return effect.kind == PERSON and group in acl.people.get(effect.who or "", {}).get("groups", ())


def _who(effects: Sequence[Effect]) -> str:
    """Return whom effects are about, each once: everyone, the members of groups, people."""
    named: dict[str, None] = {}
    kinds = (EVERYONE, HUB_GROUP, PERSON)
    for effect in sorted(effects, key=lambda effect: kinds.index(effect.kind)):
        who = effect.who or ""
        if effect.kind == EVERYONE:
            named["everyone"] = None
        else:
            named[person_name(who) if effect.kind == PERSON else f"members of {who}"] = None
    return quote_list(named)
