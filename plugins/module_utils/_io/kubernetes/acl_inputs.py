# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an ACL is compiled from: shares, groups and claims. What others control is left out and reported, not rejected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Optional

from ..._core.access.compile import compile_acl, reasons_left_out
from ..._core.access.diff import NO_CHANGE, Comparison, compare
from ..._core.access.granted_claims import ClaimResults, Holdings, ObservedClaims, hold, obstacles
from ..._core.access.guards import Rejection
from ..._core.access.model import EMPTY, Acl
from ..._core.plan import Unreconcilable
from ..._core.shares.groups import source_of
from ..._core.shares.spec import ShareSpec
from .api import Api
from .granted_claims import ClaimReader


@dataclass(frozen=True)
class Groups:
    """The members of groups by name, and why others (of OpenShift) cannot be read."""

    members: Mapping[str, Sequence[str]]
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Granted:
    """What is granted before a run.

    `in_force` is what readers get (None: nothing is published), `baseline` what our last publication wrote, as far as it is
    known. `left_out` has the claims that it left out, `earlier` the levels of claims in older publications. `is_tampered` is
    whether somebody else changed what is published.
    """

    in_force: Optional[Acl] = None
    baseline: Optional[Acl] = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, str] = field(default_factory=dict)
    is_tampered: bool = False

    @property
    def shares(self) -> dict[str, str]:
        """The claims that are or were granted, by share: what somebody else wrote into the ACL does not count."""
        acls = (EMPTY if self.is_tampered else self.in_force or EMPTY, self.baseline or EMPTY)
        return {name: share["claim"] for acl in acls for name, share in acl.by_name.items()}

    @property
    def claims(self) -> dict[str, str]:
        """The claims that are or were granted, with their levels ("" if they are not trustworthy)."""
        found = dict(self.left_out)
        found.update((share["claim"], "") for share in (self.in_force or EMPTY).by_name.values())
        found.update((share["claim"], share["level"]) for share in (self.baseline or EMPTY).by_name.values())
        return found


@dataclass(frozen=True)
class Intended:
    """The ACL to publish: `left_out` are the claims of shares that are not in it, `causes` why shares are not."""

    acl: Acl
    left_out: tuple[str, ...] = ()
    left_out_shares: frozenset[str] = frozenset()
    rejections: tuple[Rejection, ...] = ()
    unreconcilable: tuple[Unreconcilable, ...] = ()
    causes: Mapping[str, str] = field(default_factory=dict)

    def guarded(self, acl: Optional[Acl]) -> Optional[Acl]:
        """Return an ACL without the shares that are left out: it is not the operator who withdraws them."""
        return acl if acl is None or not self.left_out_shares else _without(acl, self.left_out_shares)


def guarded_comparison(comparison: Comparison, intended: Intended) -> Comparison:
    """Return the changes that guards examine: without those of shares that are left out."""
    if not intended.left_out_shares:
        return comparison
    kept = tuple(change for change in comparison.changes if change.share not in intended.left_out_shares)
    return replace(comparison, changes=kept)


class AclInputs:
    """Compiles the ACL of one namespace. Claims are read once."""

    def __init__(self, api: Api, params: Mapping[str, Any], shares: Sequence[ShareSpec], groups: Groups) -> None:
        self.namespace: str = params["namespace"]
        self.shares = shares
        self.groups = groups
        self._declassify: Collection[str] = params["declassify"]
        self._causes = reasons_left_out(shares, self.namespace)
        self._results = ClaimResults(params["volumes_results"], self.namespace)
        self._reader = ClaimReader(api, self.namespace)
        self._compiled: Optional[Acl] = None
        self._claims: Optional[ObservedClaims] = None

    @property
    def known(self) -> list[str]:
        """The names of all shares."""
        return [share.name for share in self.shares]

    def compile(self, baseline: Optional[Acl] = None) -> Acl:
        """Return the ACL with all shares. A group that cannot be read keeps the members that it has in `baseline`."""
        if self._compiled is None or self.groups.errors:
            kept = {group: _members(baseline, group) for group in self.groups.errors}
            self._compiled = compile_acl(self.shares, {**self.groups.members, **kept}, self.namespace)
        return self._compiled

    def leave_out_largest_group(self, reason: str) -> bool:
        """Treat the largest Group of OpenShift as one that cannot be read; return whether there is one.

        Whoever may edit a Group must not keep a run from withdrawing anything because the result is too large.
        """
        sizes = {
            group: sum(map(len, users))
            for group, users in self.groups.members.items()
            if source_of(group) == "openshift" and users
        }
        if not sizes:
            return False
        largest = max(sizes, key=lambda group: (sizes[group], group))
        members = {group: users for group, users in self.groups.members.items() if group != largest}
        count = len(self.groups.members[largest])
        error = f"{largest} cannot be read: with its {count} {'member' if count == 1 else 'members'}, {reason}"
        self.groups = Groups(members, {**self.groups.errors, largest: error})
        self._compiled = None
        return True

    def possible(self) -> list[Acl]:
        """Return the ACLs that a run with these inputs publishes: with all shares, and without those that have obstacles."""
        if self.groups.errors:
            return []
        full = self.compile()
        names = obstacles(full.by_name, self._observed(full)).keys()
        return [full, self._without(full, names)] if names else [full]

    def intend(self, granted: Granted, today: date) -> Intended:
        """Return the ACL to publish over what is granted."""
        full = self.compile(granted.baseline)
        trusted = {share["claim"] for share in (granted.baseline or EMPTY).by_name.values()}
        earlier = {claim: level for claim, level in granted.earlier.items() if claim not in trusted}
        observed = replace(self._observed(full), earlier=earlier)
        found = obstacles(full.by_name, observed)
        holdings = hold(found, full, granted.claims, granted.baseline, self._declassify)
        if holdings.rejected:
            others = self._without(full, {*holdings.rejected, *holdings.left_out})
            changes = compare(granted.in_force, others, today) if granted.in_force is not None else NO_CHANGE
            if granted.is_tampered or any(change.share not in found for change in changes.withdrawals):
                holdings = holdings.with_rejected_left_out()
        return self._intended(full, holdings, granted)

    def _intended(self, full: Acl, holdings: Holdings, granted: Granted) -> Intended:
        pending = self._results.pending(full, granted.shares, self.known)
        found = holdings.left_out
        holdings = Holdings(
            {name: one for name, one in holdings.rejected.items() if name not in pending.left_out},
            {**pending.left_out, **found},
            holdings.reported,
        )
        names = holdings.left_out.keys()
        kind, namespace = "acl", self.namespace
        unreconcilable = [
            Unreconcilable(kind, namespace, name, f"The share {name} is left out of the access list: {one.sentence}")
            for name, one in sorted(holdings.left_out.items())
        ]
        unreconcilable += [
            Unreconcilable(kind, namespace, name, f"The share {name} is granted as before, but {one.sentence}")
            for name, one in sorted(holdings.reported.items())
        ]
        rejections = [one.rejection(name) for name, one in sorted(holdings.rejected.items())]
        rejections += pending.rejections
        published = _groups_of(granted.in_force) | _groups_of(granted.baseline)
        for group, error in sorted(self.groups.errors.items()):
            if group in published:
                unreconcilable.append(
                    Unreconcilable(
                        kind, namespace, group, f"{error}. The members of {group} stay those of the last run"
                    )
                )
            else:
                rejections.append(Rejection(error))
        return Intended(
            acl=self._without(full, names),
            left_out=tuple(sorted(full.by_name[name]["claim"] for name in found)),
            left_out_shares=frozenset(names),
            rejections=tuple(rejections),
            unreconcilable=tuple(unreconcilable),
            causes={**self._causes, **{name: one.cause for name, one in holdings.left_out.items()}},
        )

    def _observed(self, acl: Acl) -> ObservedClaims:
        if self._claims is None:
            levels = {share["claim"]: share["level"] for share in acl.by_name.values()}
            self._claims = self._reader.read(levels, {share.claim for share in self.shares if share.adopt})
        return self._claims

    def _without(self, acl: Acl, names: Collection[str]) -> Acl:
        return _without(acl, names) if names else acl


def _without(acl: Acl, names: Collection[str]) -> Acl:
    """Return an ACL without these shares, as if it had been compiled without them."""
    shares = {name: share for name, share in acl.by_name.items() if name not in names}
    people = {}
    for person, record in acl.people.items():
        kept = {
            key: list(values) if key == "groups" else [name for name in values if name not in names]
            for key, values in record.items()
        }
        kept = {key: values for key, values in kept.items() if values}
        if kept:
            people[person] = kept
    return Acl({**acl.shares, "shares": shares}, people)


def _members(acl: Optional[Acl], group: str) -> list[str]:
    return [person for person, record in (acl or EMPTY).people.items() if group in record.get("groups", ())]


def _groups_of(acl: Optional[Acl]) -> set[str]:
    """Return the groups that shares of an ACL name."""
    shares = (acl or EMPTY).by_name.values()
    return {group for share in shares for right in ("read", "write") for group in share[right]["groups"]}
