# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of access in sentences, without full stops: what happens to a share, then to everyone, then to each person."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Any, NamedTuple, Optional

from ..shares.groups import source_of
from ..text import quote_list
from ..validation import shown
from .effects import EVERYONE, HUB_GROUP, PERSON, Effect
from .model import RO, Acl, ended

#: Up to so many people whom one cause hits on one share get a sentence each; more get one together.
MOST_PEOPLE = 10

GAIN = "gain"
LOSS = "loss"
CHANGE = "change"

_Share = Mapping[str, Any]


class Told(NamedTuple):
    """One sentence: the share that it is about ("" for none in particular), the one person whom it is about (None: nobody,
    or more than one), whether something is gained that was not there before, lost altogether, or changed, and the text."""

    share: str
    who: Optional[str]
    what: str
    text: str


def sentences_of(
    old: Acl,
    new: Acl,
    today: date,
    effects: Mapping[str, Sequence[Effect]],
    named: Mapping[str, int],
    causes: Mapping[str, str],
) -> tuple[Told, ...]:
    """Return what changes between two ACLs that are not equal; never empty.

    `effects` are those of each share, `named` says how many people have a share whose level changes, `causes` why
    shares are gone.
    """
    told: list[Told] = []
    for name in sorted({*old.by_name, *new.by_name}):
        what = LOSS if name not in new.by_name else CHANGE if name in old.by_name else GAIN
        about = _about_share(name, old, new, today, effects[name], named.get(name, 0), causes)
        told += [Told(name, None, what, text) for text in about]
        told += _about_access(name, old, new, today, effects[name])
    return tuple(told) or (Told("", None, CHANGE, _about_nothing(old, new)),)


def person_name(name: str) -> str:
    """Return a person's name for a sentence: in quotes where it could be read as something else."""
    if not unicodedata.is_normalized("NFC", name):
        return ascii(name)  # it looks like another name, and is not that one
    plain = name.isprintable() and name != "everyone" and not any(letter in name for letter in " ,:;()'\"")
    return name if plain else shown(name)


def people_list(names: Sequence[str]) -> str:
    """Return the first of these names, and how many more there are."""
    first = [person_name(name) for name in names[: MOST_PEOPLE - 1]]
    return quote_list([*first, *names[len(first) :]], most=MOST_PEOPLE - 2)


def about_ended(name: str, share: _Share, today: date) -> str:
    """Return that a share has ended; "" when it has not."""
    last = ended(share, today)
    return f"{name} has ended on {last}: nobody has it any more" if last else ""


def access_sentence(effect: Effect, who: str, several: bool) -> str:
    """Return what changes, with whom it is about in front: `amara gains rw on shared-notebooks (group analysts)`."""
    s = "" if several else "s"
    if effect.new is None:
        return f"{who} lose{s} {effect.old} on {effect.share} ({effect.cause})"
    if effect.narrows:
        return f"{who} keep{s} {effect.new} instead of {effect.old} on {effect.share} ({effect.cause})"
    before = f" in place of {effect.old}" if effect.old else ""
    return f"{who} gain{s} {effect.new} on {effect.share} ({effect.cause}){before}"


def _about_share(
    name: str,
    old: Acl,
    new: Acl,
    today: date,
    effects: Sequence[Effect],
    named: int,
    causes: Mapping[str, str],
) -> Iterator[str]:
    before, after = old.by_name.get(name), new.by_name.get(name)
    if after is None:
        if not effects:
            why = "had ended" if before is not None and ended(before, today) else "nobody had it"
            yield f"{name} is gone ({causes.get(name, 'share removed')}): {why}"
        return
    if before is None:
        until = f", until {after['until']}" if "until" in after else ""
        fate = "" if effects or ended(after, today) else ": nobody has it yet"
        yield f"{name} is new: {after['level']}, claim {after['claim']} at {after['mount_path']}{until}{fate}"
        if ended(after, today):
            yield about_ended(name, after, today)
        return
    if before["level"] != after["level"]:
        lives = not ended(before, today) and not ended(after, today)
        groups = sorted({*after["read"]["groups"], *after["write"]["groups"]})
        consequence = _level_consequence(before["level"], after["level"], named, groups) if lives else ""
        yield f"{name} becomes {after['level']}{consequence}"
    if before["mount_path"] != after["mount_path"]:
        yield f"{name} moves from {before['mount_path']} to {after['mount_path']}"
    if before["claim"] != after["claim"]:
        yield f"{name} is claim {after['claim']} from now on, no more claim {before['claim']}"
    if before.get("gid") != after.get("gid"):
        gids = [f"gid {share['gid']}" if "gid" in share else "no gid" for share in (before, after)]
        yield f"{name} is mounted with {gids[1]} instead of {gids[0]}"
    if before.get("until") != after.get("until"):
        days = [f"until {share['until']}" if "until" in share else "without an end" for share in (before, after)]
        yield about_ended(name, after, today) or f"{name} is granted {days[1]} instead of {days[0]}"


def _level_consequence(before: str, after: str, people: int, groups: Sequence[str]) -> str:
    """Return what follows from another level, for those who have the share afterwards."""
    hub_groups = [group for group in groups if source_of(group) == "hub"]
    few = people == 1 and not hub_groups
    named = [f"{people} {'person' if people == 1 else 'people'} named"] if people else []
    named += [f"members of {quote_list(hub_groups)}"] if hub_groups else []
    who = " and ".join(named)
    if after == "public":
        return ": everyone reads it" + (" without asking" if before == "secret" else "")
    if not who:
        return ": nobody is named" + (", everyone loses it" if before == "public" else "")
    if before == "public":
        keep = f"keep{'s' if few else ''} access" if after == "private" else "may ask for it when a server starts"
        return f": {who} {keep}, everyone else loses it"
    if after == "secret":
        return f": {who} {'has' if few else 'have'} to ask for it when a server starts, other shares are ro meanwhile"
    return f": {who} get{'s' if few else ''} it without asking"


def _about_access(name: str, old: Acl, new: Acl, today: date, effects: Sequence[Effect]) -> Iterator[Told]:
    levels = [acl.by_name[name]["level"] for acl in (old, new) if name in acl.by_name]
    lasting = not any(name in acl.by_name and ended(acl.by_name[name], today) for acl in (old, new))
    people: defaultdict[tuple[object, ...], list[Effect]] = defaultdict(list)
    for effect in effects:
        if effect.kind == PERSON:
            people[effect[3:]].append(effect)  # old, new and cause
        elif effect.kind == HUB_GROUP:
            text = access_sentence(effect, f"members of {effect.who}", several=True)
            yield Told(name, None, _what(effect), text)
        elif effect.kind == EVERYONE and not (len(set(levels)) == 2 and lasting):
            yield Told(name, None, _what(effect), access_sentence(effect, "everyone", several=False))
    told: list[tuple[str, Told]] = []
    for alike in people.values():
        names = [effect.who or "" for effect in alike]
        doubt = _doubt(alike[0], new, today)
        if len(alike) <= MOST_PEOPLE:
            for who in names:
                text = access_sentence(alike[0], person_name(who), several=False) + doubt
                told.append((who, Told(name, who, _what(alike[0]), text)))
        else:
            sentence = access_sentence(alike[0], f"{len(names)} people", several=True)
            text = f"{sentence}{doubt}: {people_list(names)}"
            told.append((names[0], Told(name, None, _what(alike[0]), text)))
    yield from (one for _first, one in sorted(told, key=lambda item: (item[0], item[1].text)))


def _what(effect: Effect) -> str:
    return GAIN if effect.old is None else LOSS if effect.new is None else CHANGE


def _doubt(effect: Effect, new: Acl, today: date) -> str:
    """Return by which of the hub's groups somebody who loses access may still have it: only the hub knows."""
    share = new.by_name.get(effect.share)
    if not effect.narrows or share is None or ended(share, today):
        return ""
    rights = ("write",) if effect.new == RO else ("read", "write")
    groups = sorted({*chain.from_iterable(share[right]["groups"] for right in rights)})
    still = [group for group in groups if source_of(group) == "hub"]
    return f", unless in {quote_list(still)}" if still else ""


def _about_nothing(old: Acl, new: Acl) -> str:
    """Return what differs between ACLs under which everybody has the same."""
    people = [who for who in sorted({*old.people, *new.people}) if old.people.get(who) != new.people.get(who)]
    shares = [name for name in new.by_name if old.by_name.get(name) != new.by_name[name]]
    groups = set()
    for who in people:
        before, after = (acl.people.get(who, {}).get("groups", ()) for acl in (old, new))
        groups |= {*before} ^ {*after}
    told = []
    if groups:
        told.append(f"other people are in {quote_list(sorted(groups))} ({people_list(people)})")
    elif people:
        told.append(f"{people_list(people)} {'is' if len(people) == 1 else 'are'} named otherwise")
    if shares:
        told.append(f"{quote_list(sorted(shares))} {'is' if len(shares) == 1 else 'are'} granted in other words")
    return f"no one's access changes: {', and '.join(told) or 'it is written in another form'}"
