# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guards: changes of access that are published only if an operator agrees to them by an option of share_acl."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from ..._hub.acl_format import HUB, LEVELS, OPENSHIFT
from ..shares.groups import source_of
from ..text import did_you_mean, quote_list
from ..validation import quoted
from .changes import EVERYONE, HUB_GROUP, PERSON, AccessChange
from .descriptions import person_name
from .diff import Comparison
from .model import RO, Acl

#: The number of shares that one sentence lists.
_MOST_SHARES = 5

_READ = 1
_WRITE = 2


@dataclass(frozen=True)
class Consent:
    """The options by which an operator agrees to changes that guards hold back."""

    allow_empty: bool = False
    max_withdrawals: int = 50
    declassify: Collection[str] = ()
    allow_source_change: Collection[str] = ()


class Rejection(NamedTuple):
    """A reason not to publish: a sentence without a full stop, and the consent that it takes.

    `option` and `value` are the option to set and its value ("" and None if no option helps), `shares` the shares concerned.
    """

    sentence: str
    option: str = ""
    value: Any = None
    shares: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """The change that guards examine, from the published ACL `old` (None if there is none) to `new`.

    `known` are the names of further shares, such as those of other namespaces. `declared` are the shares of the inventory for
    this namespace, also those that are left out of the new ACL because of their claims.
    """

    old: Optional[Acl]
    new: Acl
    comparison: Comparison
    known: Collection[str] = ()
    declared: Collection[str] = ()


def guard(proposal: Proposal, consent: Consent) -> list[Rejection]:
    """Return all reasons not to publish the new ACL.

    - The inventory has no shares, but the published ACL has. `allow_empty` accepts this and all withdrawals that it implies.
    - It withdraws more than `max_withdrawals` grants (no limit if negative). A grant is one share of one person, or of the
      members of one group of the hub, that is lost or reduced. What everyone loses counts for each known person. A
      last day that passes is no withdrawal. A last day set to a past day and another claim are, for all who had access.
    - It lowers the level of a share, or of the claim that a share had, unless `declassify` has the name of the share.
      Names that need no consent are accepted, because the option may stay in an inventory. Unknown names are rejected as
      misspelt, and so are names in `allow_source_change` that no share grants anything to.
    - A grant moves to a group with the same name from another source, and somebody gains access, or only the hub knows
      whether somebody does. `allow_source_change` accepts the plain name or the full name of the new group.
    """
    old, new = proposal.old, proposal.new
    rejections = [*_unknown_shares(proposal, consent), *_unknown_groups(proposal, consent)]
    lowered = list(_lowered_levels(proposal, consent))
    if old is None:
        return rejections + lowered
    if old.by_name and not new.by_name and not proposal.declared:
        return rejections if consent.allow_empty else [*rejections, _emptied(old, proposal.comparison)]
    rejections += excess_withdrawals(proposal.comparison, consent.max_withdrawals)
    rejections += lowered
    rejections += _changed_sources(old, proposal, consent.allow_source_change)
    return rejections


def excess_withdrawals(comparison: Comparison, most: int) -> Iterator[Rejection]:
    """Yield a rejection if more than `most` grants are withdrawn. A negative `most` is no limit."""
    withdrawals = comparison.withdrawals
    count = comparison.count_grants(withdrawals)
    if most < 0 or count <= most:
        return
    by_share: defaultdict[str, list[AccessChange]] = defaultdict(list)
    for change in withdrawals:
        by_share[change.share].append(change)
    listed = [f"{name} from {_subjects(changes)}" for name, changes in list(by_share.items())[:_MOST_SHARES]]
    more = len(by_share) - len(listed)
    yield Rejection(
        f"{count} {'grant' if count == 1 else 'grants'} would be withdrawn in one run, but `max_withdrawals` is {most}: "
        f"{'; '.join(listed)}{f'; and {more} more shares' if more else ''}; set `max_withdrawals: {count}` to allow this "
        "(-1 for no limit), or correct the shares and groups",
        "max_withdrawals",
        count,
        tuple(by_share),
    )


def _unknown_shares(proposal: Proposal, consent: Consent) -> Iterator[Rejection]:
    known = {*proposal.new.by_name, *(proposal.old.by_name if proposal.old else ()), *proposal.known}
    for name in sorted({*consent.declassify} - known):
        yield Rejection(
            f"declassify names {quoted(name)}, which is not a share{did_you_mean(name, sorted(known))}: correct or remove it"
        )


def _unknown_groups(proposal: Proposal, consent: Consent) -> Iterator[Rejection]:
    if not consent.allow_source_change:
        return
    acls = [acl for acl in (proposal.new, proposal.old) if acl is not None]
    groups = {group for acl in acls for share in acl.by_name.values() for group in _modes(share)}
    names = groups | {_plain_name(group) for group in groups}
    for name in sorted({*consent.allow_source_change} - names):
        near = did_you_mean(name, sorted(names))
        yield Rejection(
            f"allow_source_change names {quoted(name)}, which no share grants anything to{near}: correct or remove it"
        )


def _emptied(old: Acl, comparison: Comparison) -> Rejection:
    names = sorted(old.by_name)
    losers = _subjects(comparison.withdrawals)
    return Rejection(
        f"the new ACL has no shares, but the published one has {quote_list(names)}"
        f"{f', and {losers} would lose access' if losers else ''}: list the shares, or set `allow_empty: true` to withdraw all",
        "allow_empty",
        True,
        tuple(names),
    )


def _lowered_levels(proposal: Proposal, consent: Consent) -> Iterator[Rejection]:
    """Yield shares that get a lower level than the same data had: by the name of the share, and by its claim."""
    old, new = proposal.old, proposal.new
    if old is None:
        return
    owners = {share["claim"]: name for name, share in old.by_name.items()}
    for name, share in sorted(new.by_name.items()):
        owner = owners.get(share["claim"], name)
        previous = [name] if name in old.by_name else []
        previous += [owner] if owner != name else []
        for before in previous:
            level = old.by_name[before]["level"]
            if LEVELS.index(share["level"]) >= LEVELS.index(level):
                continue
            if not {name, before}.isdisjoint(consent.declassify):
                continue
            what = (
                name
                if before == name
                else f"claim {share['claim']}, which belongs to {before} and would belong to {name},"
            )
            yield Rejection(
                f"{what} is {level} and would become {share['level']}{_who_gets_it(proposal, name, level)}: "
                f"set `declassify: [{name}]` to accept this, or keep the level {level}",
                "declassify",
                [name],
                (name,),
            )


def _who_gets_it(proposal: Proposal, name: str, level: str) -> str:
    """Return who gains or keeps access to a share whose level is lowered, as part of a sentence."""
    gains = _subjects([change for change in proposal.comparison.gains if change.share == name])
    if gains:
        return f", and {gains} would gain access"
    holders = _holders(proposal.new, name)
    if not holders:
        return ""
    return f", and {holders} would {'get it without asking' if level == 'secret' else 'keep access'}"


def _holders(acl: Acl, name: str) -> str:
    """Return who has access to a share: everyone, or members of groups of the hub and people by name."""
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


def _changed_sources(old: Acl, proposal: Proposal, allowed: Collection[str]) -> Iterator[Rejection]:
    new = proposal.new
    gains: defaultdict[str, list[AccessChange]] = defaultdict(list)
    for change in proposal.comparison.gains:
        gains[change.share].append(change)
    shares: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    gained: defaultdict[tuple[str, str], list[AccessChange]] = defaultdict(list)
    for name in sorted(gains):
        if name not in old.by_name:
            continue
        before, after = _modes(old.by_name[name]), _modes(new.by_name[name])
        reduced = [group for group in before if after.get(group, 0) < before[group]]
        for group in sorted(after):
            if after[group] <= before.get(group, 0) or not {_plain_name(group), group}.isdisjoint(allowed):
                continue
            # Those who gain more than the group has been granted gain it through another grant.
            through_group = [
                change
                for change in gains[name]
                if _is_member(change, group, new) and (change.new == RO or after[group] == _WRITE)
            ]
            for other in sorted(reduced):
                if through_group and _plain_name(other) == _plain_name(group):
                    shares[other, group].append(name)
                    gained[other, group] += through_group
    for (other, group), names in sorted(shares.items()):
        unknown = " (known only to the hub)" if source_of(group) == "hub" else ""
        yield Rejection(
            f"{quote_list(names, _MOST_SHARES)} would be granted to {group} instead of {other}, which is another group with the "
            f"same name, and {_subjects(gained[other, group])}{unknown} would gain access: set "
            f"`allow_source_change: [{_plain_name(group)}]` to accept this, or grant to {other} again",
            "allow_source_change",
            [_plain_name(group)],
            tuple(names),
        )


def _modes(share: Mapping[str, Any]) -> dict[str, int]:
    """Return the access of each group; more is greater."""
    modes = dict.fromkeys(share["read"]["groups"], _READ)
    modes.update(dict.fromkeys(share["write"]["groups"], _WRITE))
    return modes


def _plain_name(group: str) -> str:
    """Return the name of a group without its source."""
    for prefix in (HUB, OPENSHIFT):
        if group.startswith(prefix):
            return group[len(prefix) :]
    return group


def _is_member(change: AccessChange, group: str, acl: Acl) -> bool:
    if change.kind == HUB_GROUP:
        return change.who == group
    return change.kind == PERSON and group in acl.people.get(change.who or "", {}).get("groups", ())


def _subjects(changes: Sequence[AccessChange]) -> str:
    """Return the subjects of changes, each once: everyone, the members of groups, people."""
    names: dict[str, None] = {}
    kinds = (EVERYONE, HUB_GROUP, PERSON)
    for change in sorted(changes, key=lambda change: kinds.index(change.kind)):
        who = change.who or ""
        if change.kind == EVERYONE:
            names["everyone"] = None
        else:
            names[person_name(who) if change.kind == PERSON else f"members of {who}"] = None
    return quote_list(names)
