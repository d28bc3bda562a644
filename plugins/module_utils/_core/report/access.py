# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who gets what of an ACL, asked from either side: what people and groups get, and who can reach a share.

Nothing is decided here: every answer is that of `pure/access.py`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Optional

from ..._hub.access import (
    HUB,
    SCHEMA,
    AccessError,
    Decision,
    Grant,
    SharesPart,
    Verdict,
    decide,
    grants_of,
    place_error,
)
from ..access.model import RO, RW, Acl, ended
from ..shares.groups import source_of
from ..shares.paths import normalised

ASK = "ask"
NONE = "-"
EVERYONE = "everyone"

_NOBODY = "somebody whom nothing names"


@dataclass(frozen=True)
class Frame:
    """What an answer depends on besides the ACL: the day (UTC), where this hub mounts shares, and the groups that the hub
    knows of people, by the person's name and without `hub:`."""

    today: date
    home: str = ""
    roots: Sequence[str] = ()
    hub_groups: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Access:
    """Answers about one ACL. Raises AccessError where its shares do not validate."""

    def __init__(self, acl: Acl, frame: Frame) -> None:
        shares = acl.by_name
        self._part = acl.shares if isinstance(acl.shares, SharesPart) else SharesPart(acl.shares)
        self._acl = acl
        self._frame = frame
        home = normalised(frame.home) if frame.home else ""
        roots = [normalised(root) for root in frame.roots]
        self._misplaced = {name: place_error(share["mount_path"], home, roots) for name, share in shares.items()}
        placed = {name: share for name, share in shares.items() if not self._misplaced[name]}
        self._placed = self._part if len(placed) == len(shares) else SharesPart({**acl.shares, "shares": placed})
        self._secret = {name for name, share in shares.items() if share["level"] == "secret"}
        #: The names of all shares.
        self.shares: tuple[str, ...] = tuple(sorted(shares))
        #: Everybody whom the ACL or the hub's groups name.
        self.people: tuple[str, ...] = tuple(sorted({*acl.people, *frame.hub_groups}))
        #: The shares that everyone reads, whoever it is.
        self.everyone: tuple[str, ...] = tuple(grants_of(self._placed, None, (), frame.today))

    def has_share(self, name: str) -> bool:
        """Whether there is such a share."""
        return name in self._acl.by_name

    def level(self, name: str) -> str:
        """Return the level of a share."""
        level: str = self._acl.by_name[name]["level"]
        return level

    def decision(self, person: str, asked: Iterable[str] = ()) -> Decision:
        """Return what becomes of a person's server: a verdict for each share."""
        return self._decided(person, self._acl.people.get(person), self._frame.hub_groups.get(person, ()), asked)

    def grants(self, person: str) -> dict[str, Grant]:
        """Return what a person may mount, by share; a secret share with what it would be once it was asked for.

        This is quick: for all people at once.
        """
        record, groups = self._acl.people.get(person), self._frame.hub_groups.get(person, ())
        return grants_of(self._placed, record, groups, self._frame.today)

    def cells(self, grants: Mapping[str, Grant]) -> dict[str, str]:
        """Return `ro`, `rw` or `ask` for each share of somebody's grants."""
        secret = self._secret
        return {name: ASK if name in secret else grant[0] for name, grant in grants.items()}

    def user_row(
        self, person: str, asked: Iterable[str] = (), only: Optional[Container[str]] = None, own: bool = False
    ) -> dict[str, Any]:
        """Return what one person gets, with the verdict and its rule for each share.

        `only`: of these shares, all by default. `own`: the person's own view, without shares that the person must not
        know of.
        """
        verdicts = self.decision(person, asked).verdicts
        shown = [
            verdict for verdict in verdicts if (only is None or verdict.share in only) and (verdict.visible or not own)
        ]
        row = self.short_row(person, {verdict.share: verdict.outcome for verdict in shown})
        row["shares"] = [self._verdict_row(verdict) for verdict in shown]
        if not own:
            grants = self.grants(person)
            for one in row["shares"]:
                grant = grants.get(one["share"])
                one["unless"] = self._unless(person, one["share"], grant.mode if grant else NONE)
        return row

    def _unless(self, person: str, share: str, mode: str) -> list[str]:
        """Return the hub's groups by which a person would have more of a share; none where it is known which theirs are."""
        if person in self._frame.hub_groups or mode == RW:
            return []
        groups = self.open_groups(share)
        return groups[RW] + (groups[RO] if mode == NONE else [])

    def short_row(self, person: str, cells: Mapping[str, str]) -> dict[str, Any]:
        """Return what one person gets, as lists of the names of shares."""
        row: dict[str, Any] = {"name": person, "known": self.knows(person), "groups": self.groups_of(person)}
        for outcome in (RW, RO, ASK):
            row[outcome] = [share for share, cell in cells.items() if cell == outcome]
        return row

    def knows(self, person: str) -> bool:
        """Whether the ACL, or the hub's groups, name the person at all."""
        return person in self._acl.people or person in self._frame.hub_groups

    def groups_of(self, person: str) -> list[str]:
        """Return the groups of a person, the hub's with `hub:`."""
        stored = self._acl.people.get(person, {}).get("groups", ())
        return sorted({*stored, *(HUB + group for group in self._frame.hub_groups.get(person, ()))})

    def group_row(self, group: str, only: Optional[Container[str]] = None) -> dict[str, Any]:
        """Return what being a member of one group gives, what everyone gets included, and who is one.

        Of a `hub:` group only those members are known whom the frame has.
        """
        is_hub = source_of(group) == "hub"
        record = {} if is_hub else {"groups": [group]}
        hub_groups = [group[len(HUB) :]] if is_hub else []
        # Nobody's name is needed for what a group gives: whoever it is has this one group.
        verdicts = self._decided(_NOBODY, record, hub_groups, ()).verdicts
        members = self._members(group)
        return {
            "name": group,
            "known": group in self.groups,
            "source": source_of(group),
            "members": members,
            "shares": [self._verdict_row(verdict) for verdict in verdicts if only is None or verdict.share in only],
        }

    def _verdict_row(self, verdict: Verdict) -> dict[str, Any]:
        return {
            "share": verdict.share,
            "level": verdict.level,
            "grant": verdict.outcome,
            "rule": verdict.rule,
            "mount_path": self._acl.by_name[verdict.share]["mount_path"],
            "visible": verdict.visible,
        }

    @cached_property
    def groups(self) -> frozenset[str]:
        """All groups that shares or people's records name."""
        named = {
            group
            for share in self._acl.by_name.values()
            for right in ("read", "write")
            for group in share[right]["groups"]
        }
        for record in self._acl.people.values():
            named.update(record.get("groups", ()))
        for groups in self._frame.hub_groups.values():
            named.update(HUB + group for group in groups)
        return frozenset(named)

    def _members(self, group: str) -> list[str]:
        if source_of(group) != "hub":
            return sorted(person for person, record in self._acl.people.items() if group in record.get("groups", ()))
        name = group[len(HUB) :]
        return sorted(person for person, groups in self._frame.hub_groups.items() if name in groups)

    def _decided(
        self, person: str, record: Optional[Mapping[str, Any]], hub_groups: Iterable[str], asked: Iterable[str]
    ) -> Decision:
        members = None if record is None else {"schema": SCHEMA, "people": {person: record}}
        frame = self._frame
        found = decide(self._part, members, person, hub_groups, asked, frame.today, frame.home, frame.roots)
        if found.errors:
            raise AccessError(found.errors)
        return found

    # -- the reverse ---------------------------------------------------------------------------------------------

    def share_row(self, name: str, reverse: Reverse) -> dict[str, Any]:
        """Return one share, as the ACL has it, and how many people can reach it how: `reverse` has seen all of them."""
        share = self._acl.by_name[name]
        return {
            "name": name,
            "known": True,
            "level": share["level"],
            "claim": share["claim"],
            "mount_path": share["mount_path"],
            "gid": share.get("gid"),
            "until": share.get("until"),
            "grants_nothing": self.grants_nothing(name),
            "everyone": name in self.everyone,
            "read_groups": list(share["read"]["groups"]),
            "write_groups": list(share["write"]["groups"]),
            # Who is in these is the hub's to tell, when a server starts.
            "hub_groups": self.open_groups(name),
            "counts": reverse.counts(name),
        }

    def grants_nothing(self, name: str) -> str:
        """Return why nobody at all gets a share, though it names people; "" where there is no such reason."""
        last = ended(self._acl.by_name[name], self._frame.today)
        if last:
            return f"its last day was {last}"
        return f"its mount path {self._misplaced[name]}" if self._misplaced[name] else ""

    def open_groups(self, name: str) -> dict[str, list[str]]:
        """Return the hub's groups that a share is granted to, those with rw and those with ro alone."""
        share = self._acl.by_name[name]
        if self.grants_nothing(name):
            return {RW: [], RO: []}
        write, read = (
            {group for group in share[right]["groups"] if group.startswith(HUB)} for right in ("write", "read")
        )
        return {RW: sorted(write), RO: sorted(read - write)}


class Reverse:
    """Who can reach which share: filled by looking at each person once, for all people are many.

    Whom a share reaches as everyone is noted nowhere: these are all others.
    """

    def __init__(self, shares: Iterable[str]) -> None:
        self._people: dict[str, dict[str, dict[str, list[str]]]] = {share: {RW: {}, RO: {}} for share in shares}

    def add(self, person: str, grants: Mapping[str, Grant]) -> None:
        """Note what one person may mount."""
        people = self._people
        for share, (mode, rule) in grants.items():
            if rule != EVERYONE and share in people:
                people[share][mode].setdefault(rule, []).append(person)

    def by_rule(self, share: str) -> dict[str, list[dict[str, Any]]]:
        """Return for `rw` and `ro` the rules by which people reach a share, and the people: each of them once."""
        return {
            mode: [{"rule": rule, "people": rules[rule]} for rule in sorted(rules)]
            for mode, rules in self._people[share].items()
        }

    def counts(self, share: str) -> dict[str, int]:
        """Return how many people are named, or members of what is named, by what they get."""
        return {mode: sum(map(len, rules.values())) for mode, rules in self._people[share].items()}
