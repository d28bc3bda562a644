# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of reports on an ACL: what people and groups get, and who has access to a share.

All decisions are those of `_hub/access.py`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Optional

from ..._hub.access import Decision, Grant, SharesPart, SpawnRequest, Verdict, decide, grants_of
from ..._hub.acl_format import HUB, SCHEMA, AccessError, place_error
from ..access.model import RO, RW, Acl, last_day_if_expired
from ..shares.groups import source_of
from ..shares.paths import normalised

ASK = "ask"
NONE = "-"
EVERYONE = "everyone"

#: Stands for a member in decisions about groups, which are the same for every member.
_ANY_MEMBER = "any member"


@dataclass(frozen=True)
class ReportContext:
    """What a report depends on besides the ACL.

    The day in UTC, the paths where this hub mounts shares, and people's groups in the hub by the person's name, without `hub:`.
    """

    today: date
    home: str = ""
    roots: Sequence[str] = ()
    hub_groups: Mapping[str, Sequence[str]] = field(default_factory=dict)


class AccessReport:
    """The rows of reports on one ACL. Raises AccessError if its shares are invalid."""

    def __init__(self, acl: Acl, context: ReportContext) -> None:
        shares = acl.by_name
        self._part = acl.shares if isinstance(acl.shares, SharesPart) else SharesPart(acl.shares)
        self._acl = acl
        self._context = context
        home = normalised(context.home) if context.home else ""
        roots = [normalised(root) for root in context.roots]
        self._misplaced = {name: place_error(share["mount_path"], home, roots) for name, share in shares.items()}
        placed = {name: share for name, share in shares.items() if not self._misplaced[name]}
        self._placed = self._part if len(placed) == len(shares) else SharesPart({**acl.shares, "shares": placed})
        self._secret = {name for name, share in shares.items() if share["level"] == "secret"}
        #: The names of all shares.
        self.shares: tuple[str, ...] = tuple(sorted(shares))
        #: All people whom the ACL or the groups of the hub name.
        self.people: tuple[str, ...] = tuple(sorted({*acl.people, *context.hub_groups}))
        #: The shares that everyone can read.
        self.everyone: tuple[str, ...] = tuple(grants_of(self._placed, None, (), context.today))

    def has_share(self, name: str) -> bool:
        """Return whether the ACL has a share."""
        return name in self._acl.by_name

    def level(self, name: str) -> str:
        """Return the level of a share."""
        level: str = self._acl.by_name[name]["level"]
        return level

    def decision(self, person: str, requested: Iterable[str] = ()) -> Decision:
        """Return the decision for a person's server: a verdict for each share."""
        hub_groups = self._context.hub_groups.get(person, ())
        return self._decide(self._acl.people.get(person), self._request(person, hub_groups, requested))

    def grants(self, person: str) -> dict[str, Grant]:
        """Return what a person may mount by share. A secret share has the access after it was asked for.

        This is fast enough for all people.
        """
        record, groups = self._acl.people.get(person), self._context.hub_groups.get(person, ())
        return grants_of(self._placed, record, groups, self._context.today)

    def cells(self, grants: Mapping[str, Grant]) -> dict[str, str]:
        """Return `ro`, `rw` or `ask` for each share of somebody's grants."""
        secret = self._secret
        return {name: ASK if name in secret else grant[0] for name, grant in grants.items()}

    def user_row(
        self, person: str, requested: Iterable[str] = (), only: Optional[Container[str]] = None, own: bool = False
    ) -> dict[str, Any]:
        """Return what one person gets, with the verdict and its rule for each share.

        `only` limits the shares. `own` omits shares whose existence the person must not learn.
        """
        verdicts = self.decision(person, requested).verdicts
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
        """Return the groups of the hub that would give a person more access; none if the person's groups are known."""
        if person in self._context.hub_groups or mode == RW:
            return []
        groups = self.open_groups(share)
        return groups[RW] + (groups[RO] if mode == NONE else [])

    def short_row(self, person: str, cells: Mapping[str, str]) -> dict[str, Any]:
        """Return what one person gets, as lists of share names."""
        row: dict[str, Any] = {"name": person, "known": self.knows(person), "groups": self.groups_of(person)}
        for outcome in (RW, RO, ASK):
            row[outcome] = [share for share, cell in cells.items() if cell == outcome]
        return row

    def knows(self, person: str) -> bool:
        """Return whether the ACL or the groups of the hub name the person."""
        return person in self._acl.people or person in self._context.hub_groups

    def groups_of(self, person: str) -> list[str]:
        """Return the groups of a person, those of the hub with `hub:`."""
        stored = self._acl.people.get(person, {}).get("groups", ())
        return sorted({*stored, *(HUB + group for group in self._context.hub_groups.get(person, ()))})

    def group_row(self, group: str, only: Optional[Container[str]] = None) -> dict[str, Any]:
        """Return the members of a group, and what a member gets who is in no other group, including what everyone gets.

        Of a `hub:` group only the members in the context are known.
        """
        is_hub = source_of(group) == "hub"
        record = {} if is_hub else {"groups": [group]}
        hub_groups = [group[len(HUB) :]] if is_hub else []
        verdicts = self._decide(record, self._request(_ANY_MEMBER, hub_groups)).verdicts
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
        for groups in self._context.hub_groups.values():
            named.update(HUB + group for group in groups)
        return frozenset(named)

    def _members(self, group: str) -> list[str]:
        if source_of(group) != "hub":
            return sorted(person for person, record in self._acl.people.items() if group in record.get("groups", ()))
        name = group[len(HUB) :]
        return sorted(person for person, groups in self._context.hub_groups.items() if name in groups)

    def _request(self, person: str, hub_groups: Iterable[str], requested: Iterable[str] = ()) -> SpawnRequest:
        context = self._context
        return SpawnRequest(person, hub_groups, requested, context.today, context.home, context.roots)

    def _decide(self, record: Optional[Mapping[str, Any]], request: SpawnRequest) -> Decision:
        members = None if record is None else {"schema": SCHEMA, "people": {request.person: record}}
        found = decide(self._part, members, request)
        if found.errors:
            raise AccessError(found.errors)
        return found

    def share_row(self, name: str, people: PeopleByShare) -> dict[str, Any]:
        """Return one share of the ACL, and the number of people by access; `people` must have all of them."""
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
            # The hub knows the members of these when a server starts.
            "hub_groups": self.open_groups(name),
            "counts": people.counts(name),
        }

    def grants_nothing(self, name: str) -> str:
        """Return why nobody gets a share even if it names people, or ""."""
        last = last_day_if_expired(self._acl.by_name[name], self._context.today)
        if last:
            return f"its last day was {last}"
        return f"its mount path {self._misplaced[name]}" if self._misplaced[name] else ""

    def open_groups(self, name: str) -> dict[str, list[str]]:
        """Return the groups of the hub with access to a share: those with rw, and those with ro only."""
        share = self._acl.by_name[name]
        if self.grants_nothing(name):
            return {RW: [], RO: []}
        write, read = (
            {group for group in share[right]["groups"] if group.startswith(HUB)} for right in ("write", "read")
        )
        return {RW: sorted(write), RO: sorted(read - write)}


class PeopleByShare:
    """The people with access to each share, collected in one pass over all people.

    Those who have access only as everyone does are not recorded.
    """

    def __init__(self, shares: Iterable[str]) -> None:
        self._people: dict[str, dict[str, dict[str, list[str]]]] = {share: {RW: {}, RO: {}} for share in shares}

    def add(self, person: str, grants: Mapping[str, Grant]) -> None:
        """Record what one person may mount."""
        people = self._people
        for share, (mode, rule) in grants.items():
            if rule != EVERYONE and share in people:
                people[share][mode].setdefault(rule, []).append(person)

    def by_rule(self, share: str) -> dict[str, list[dict[str, Any]]]:
        """Return for `rw` and `ro` the rules that give access to a share, and the people by rule, each person once."""
        return {
            mode: [{"rule": rule, "people": rules[rule]} for rule in sorted(rules)]
            for mode, rules in self._people[share].items()
        }

    def counts(self, share: str) -> dict[str, int]:
        """Return the numbers of people with `rw` and `ro` who are named or members of a named group."""
        return {mode: sum(map(len, rules.values())) for mode, rules in self._people[share].items()}
