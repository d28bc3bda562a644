# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sentences about changes of access, without full stops: first what happens to a share, then to everyone, then to people."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any, NamedTuple, Optional

from ..shares.groups import source_of
from ..text import quote_list
from ..validation import quoted
from .changes import EVERYONE, HUB_GROUP, PERSON, AccessChange
from .model import RO, Acl, last_day_if_expired

#: Up to this many people with the same change on one share get a sentence each; more of them share one.
MOST_PEOPLE = 10

GAIN = "gain"
LOSS = "loss"
CHANGE = "change"

_Share = Mapping[str, Any]


class Description(NamedTuple):
    """A sentence: its share ("" if it is about none), its person (None if it is about none or several), whether access is
    gained, lost or changed, and the text."""

    share: str
    person: Optional[str]
    kind: str
    text: str


@dataclass(frozen=True)
class Difference:
    """Two ACLs that are not equal, and what differs between them on a day.

    `changes` are those of each share, `named` has the number of people with access to shares whose level changes,
    `causes` says why shares are no longer in the new ACL.
    """

    old: Acl
    new: Acl
    today: date
    changes: Mapping[str, Sequence[AccessChange]]
    named: Mapping[str, int]
    causes: Mapping[str, str]


def describe_difference(difference: Difference) -> tuple[Description, ...]:
    """Return the sentences about a difference; never empty."""
    old, new = difference.old, difference.new
    found: list[Description] = []
    for name in sorted({*old.by_name, *new.by_name}):
        kind = LOSS if name not in new.by_name else CHANGE if name in old.by_name else GAIN
        found += [Description(name, None, kind, text) for text in _describe_share(name, difference)]
        found += _describe_access(name, difference)
    return tuple(found) or (Description("", None, CHANGE, _describe_no_change(old, new)),)


def person_name(name: str) -> str:
    """Return the name of a person for a sentence, quoted if it could be misread."""
    if not unicodedata.is_normalized("NFC", name):
        return ascii(name)  # looks like another name but differs from it
    plain = name.isprintable() and name != "everyone" and not any(letter in name for letter in " ,:;()'\"")
    return name if plain else quoted(name)


def people_list(names: Sequence[str]) -> str:
    """Return the first of these names and the number of the others."""
    first = [person_name(name) for name in names[: MOST_PEOPLE - 1]]
    return quote_list([*first, *names[len(first) :]], most=MOST_PEOPLE - 2)


def describe_expired(name: str, share: _Share, today: date) -> str:
    """Return a sentence if a share has expired, or ""."""
    last = last_day_if_expired(share, today)
    return f"{name} expired after {last}: nobody has access" if last else ""


def describe_change(change: AccessChange, who: str, several: bool) -> str:
    """Return a sentence with `who` as its subject: `amara gains rw on shared-notebooks (group analysts)`."""
    s = "" if several else "s"
    if change.new is None:
        return f"{who} lose{s} {change.old} on {change.share} ({change.cause})"
    if change.narrows:
        return f"{who} keep{s} only {change.new} on {change.share} ({change.cause}), instead of {change.old}"
    before = f", instead of {change.old}" if change.old else ""
    return f"{who} gain{s} {change.new} on {change.share} ({change.cause}){before}"


def _describe_share(name: str, difference: Difference) -> Iterator[str]:
    old, new, today = difference.old, difference.new, difference.today
    before, after = old.by_name.get(name), new.by_name.get(name)
    if after is None:
        if not difference.changes[name]:
            why = "it had expired" if before is not None and last_day_if_expired(before, today) else "nobody had access"
            yield f"{name} leaves the ACL ({difference.causes.get(name, 'share removed')}): {why}"
        return
    if before is None:
        until = f", until {after['until']}" if "until" in after else ""
        nobody = "" if difference.changes[name] or last_day_if_expired(after, today) else ": nobody has access yet"
        yield f"{name} is new: {after['level']}, claim {after['claim']} at {after['mount_path']}{until}{nobody}"
        if last_day_if_expired(after, today):
            yield describe_expired(name, after, today)
        return
    if before["level"] != after["level"]:
        in_force = not last_day_if_expired(before, today) and not last_day_if_expired(after, today)
        groups = sorted({*after["read"]["groups"], *after["write"]["groups"]})
        people = difference.named.get(name, 0)
        consequence = _level_consequence(before["level"], after["level"], people, groups) if in_force else ""
        yield f"{name} becomes {after['level']}{consequence}"
    if before["mount_path"] != after["mount_path"]:
        yield f"{name} moves from {before['mount_path']} to {after['mount_path']}"
    if before["claim"] != after["claim"]:
        yield f"{name} uses claim {after['claim']} instead of claim {before['claim']}"
    if before.get("gid") != after.get("gid"):
        gids = [f"gid {share['gid']}" if "gid" in share else "no gid" for share in (before, after)]
        yield f"{name} is mounted with {gids[1]} instead of {gids[0]}"
    if before.get("until") != after.get("until"):
        days = [f"until {share['until']}" if "until" in share else "without an end date" for share in (before, after)]
        yield describe_expired(name, after, today) or f"{name} is granted {days[1]} instead of {days[0]}"


def _level_consequence(before: str, after: str, people: int, groups: Sequence[str]) -> str:
    """Return what another level means for those who have access afterwards."""
    hub_groups = [group for group in groups if source_of(group) == "hub"]
    single = people == 1 and not hub_groups
    named = [f"{people} named {'person' if people == 1 else 'people'}"] if people else []
    named += [f"members of {quote_list(hub_groups)}"] if hub_groups else []
    who = " and ".join(named)
    if after == "public":
        return ": everyone can read it" + (" without asking" if before == "secret" else "")
    if not who:
        return ": nobody is named" + (", everyone loses access" if before == "public" else "")
    if before == "public":
        keep = f"keep{'s' if single else ''} access" if after == "private" else "can ask for it when a server starts"
        return f": {who} {keep}, everyone else loses access"
    if after == "secret":
        return f": {who} must ask for it when a server starts, and other shares are then ro"
    return f": {who} get{'s' if single else ''} it without asking"


def _describe_access(name: str, difference: Difference) -> Iterator[Description]:
    old, new, today = difference.old, difference.new, difference.today
    levels = [acl.by_name[name]["level"] for acl in (old, new) if name in acl.by_name]
    in_force = not any(name in acl.by_name and last_day_if_expired(acl.by_name[name], today) for acl in (old, new))
    people: defaultdict[tuple[object, ...], list[AccessChange]] = defaultdict(list)
    for change in difference.changes[name]:
        if change.kind == PERSON:
            people[change[3:]].append(change)  # old, new and cause
        elif change.kind == HUB_GROUP:
            text = describe_change(change, f"members of {change.who}", several=True)
            yield Description(name, None, _kind_of(change), text)
        elif change.kind == EVERYONE and not (len(set(levels)) == 2 and in_force):
            yield Description(name, None, _kind_of(change), describe_change(change, "everyone", several=False))
    found: list[tuple[str, Description]] = []
    for alike in people.values():
        names = [change.who or "" for change in alike]
        kind, exception = _kind_of(alike[0]), _hub_group_exception(alike[0], new, today)
        if len(alike) <= MOST_PEOPLE:
            for who in names:
                text = describe_change(alike[0], person_name(who), several=False) + exception
                found.append((who, Description(name, who, kind, text)))
        else:
            sentence = describe_change(alike[0], f"{len(names)} people", several=True)
            found.append((names[0], Description(name, None, kind, f"{sentence}{exception}: {people_list(names)}")))
    yield from (one for _first, one in sorted(found, key=lambda item: (item[0], item[1].text)))


def _kind_of(change: AccessChange) -> str:
    return GAIN if change.old is None else LOSS if change.new is None else CHANGE


def _hub_group_exception(change: AccessChange, new: Acl, today: date) -> str:
    """Return the groups of the hub whose members keep access that others lose: only the hub knows who they are."""
    share = new.by_name.get(change.share)
    if not change.narrows or share is None or last_day_if_expired(share, today):
        return ""
    rights = ("write",) if change.new == RO else ("read", "write")
    groups = sorted({*chain.from_iterable(share[right]["groups"] for right in rights)})
    hub_groups = [group for group in groups if source_of(group) == "hub"]
    return f", except members of {quote_list(hub_groups)}" if hub_groups else ""


def _describe_no_change(old: Acl, new: Acl) -> str:
    """Return what differs between ACLs that grant the same access."""
    people = [who for who in sorted({*old.people, *new.people}) if old.people.get(who) != new.people.get(who)]
    shares = [name for name in new.by_name if old.by_name.get(name) != new.by_name[name]]
    groups = set()
    for who in people:
        before, after = (acl.people.get(who, {}).get("groups", ()) for acl in (old, new))
        groups |= {*before} ^ {*after}
    reasons = []
    if groups:
        reasons.append(f"the members of {quote_list(sorted(groups))} change ({people_list(people)})")
    elif people:
        reasons.append(f"{people_list(people)} {'has' if len(people) == 1 else 'have'} equivalent grants")
    if shares:
        reasons.append(f"{quote_list(sorted(shares))} {'has' if len(shares) == 1 else 'have'} equivalent grants")
    return f"nobody's access changes: {', and '.join(reasons) or 'only the format differs'}"
