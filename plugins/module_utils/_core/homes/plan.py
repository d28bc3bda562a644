# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning homes: which claim is whose home, and what becomes of it; each change with its reason, and drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Optional

from .. import requests
from ..kubernetes.claims import Claim, Index, home_line
from ..kubernetes.facts import ClusterFacts
from ..metadata import USERNAME_ANNOTATION
from ..plan import CREATE, REFUSE, Change, Plan, Unreconcilable
from ..text import did_you_mean, quote_list
from .changes import change_home, keep_home, unreconcilable_home
from .deletion import plan_deletion
from .desired import ABSENT, PRESENT, RETIRED, Home, HomeSettings
from .existing import plan_existing, plan_retirement, plan_unmarking
from .kubespawner import claim_manifest
from .naming import NamingError


def plan_homes(homes: Sequence[Home], index: Index, settings: HomeSettings, facts: ClusterFacts) -> Plan:
    """Return the plan for all homes of one namespace; what it still needs to know is in `lookups.missing`."""
    changes: list[Change] = []
    unreconcilable: list[Unreconcilable] = []
    for home in homes:
        changes.extend(plan_home(home, index, settings, facts, unreconcilable))
    _refuse_shared_names(changes, homes)
    notes = _unknown_classes(changes, facts)
    return Plan(tuple(changes), tuple(unreconcilable), tuple(notes))


def plan_home(
    home: Home, index: Index, settings: HomeSettings, facts: ClusterFacts, unreconcilable: list[Unreconcilable]
) -> list[Change]:
    """Return the changes for one home: one for the home itself, and one for each other claim of its owner touched."""
    owned = index.owned(home.user, home.server)
    living = [claim for claim in owned if not claim.deleting]
    try:
        if home.spec.claim is not None:
            target = _named(home, index, settings, facts, living, unreconcilable)
        elif home.state != PRESENT:
            return _away(home, living, owned, settings, facts, unreconcilable)
        else:
            target = _chosen(home, living, settings, unreconcilable)
        if target is None:
            if home.state != PRESENT:
                return [keep_home(home, settings, "", "has no home here")]
            return [_creation(home, owned, index, settings, facts)]
    except _Settled as settled:
        return [settled.change]
    if home.state != PRESENT:
        return _away(home, [target], owned, settings, facts, unreconcilable)
    changes = [
        plan_existing(home, target, any(claim is not target for claim in living), settings, facts, unreconcilable)
    ]
    if home.spec.claim is not None:
        changes += [
            plan_unmarking(home, claim, settings) for claim in living if claim is not target and claim.is_primary
        ]
    _report_duplicates(home, target, living, settings, unreconcilable)
    return changes


class _Settled(Exception):
    """What becomes of a home is known before all of it was planned: it is refused, or left as it is."""

    def __init__(self, change: Change) -> None:
        super().__init__(change.reason)
        self.change = change


def _refused(home: Home, settings: HomeSettings, name: str, reason: str) -> _Settled:
    return _Settled(change_home(REFUSE, home, settings, name, f"{home.spec.position} ({home.owner}): {reason}"))


def _away(
    home: Home,
    claims: Sequence[Claim],
    owned: Sequence[Claim],
    settings: HomeSettings,
    facts: ClusterFacts,
    unreconcilable: list[Unreconcilable],
) -> list[Change]:
    """Retire or remove: all claims of the owner, or the one that the entry names."""
    if not claims:
        going = [claim.name for claim in owned]
        reason = f"{quote_list(going)} is being deleted already" if going else "has no home here"
        return [keep_home(home, settings, going[0] if going else "", reason)]
    if home.state == ABSENT:
        return [plan_deletion(home, claim, settings, facts, unreconcilable) for claim in claims]
    return [plan_retirement(home, claim, settings) for claim in claims]


def _named(
    home: Home,
    index: Index,
    settings: HomeSettings,
    facts: ClusterFacts,
    living: Sequence[Claim],
    unreconcilable: list[Unreconcilable],
) -> Optional[Claim]:
    """Return the claim that the entry names, if it may be this person's home."""
    name = home.spec.claim or ""
    claim = index.by_name.get(name)
    if claim is None:
        if home.state == RETIRED:
            reason = f"claim {name} of {home.owner} is to be retired and does not exist: correct it, or drop the entry"
            unreconcilable.append(unreconcilable_home(home, settings, name, reason))
        if home.state != PRESENT:
            return None
        known = [item.name for item in living] or list(index.by_name)
        hint = did_you_mean(name, known)
        raise _refused(
            home,
            settings,
            name,
            f"claim {name} does not exist in namespace {settings.namespace}{hint}: correct it, or drop `claim` to have "
            "a home made",
        )
    if claim.other_kind is not None:
        what = "the hub's own" if claim.other_kind == "hub" else f"a {claim.other_kind}"
        raise _refused(home, settings, name, f"claim {name} is {what}, no home: name another claim")
    if claim.user is not None and claim not in living and not claim.deleting:
        raise _refused(
            home,
            settings,
            name,
            f"claim {name} belongs to {_owner_of(claim)}: name a claim of {home.owner}'s, or change its owner's annotation "
            f"{USERNAME_ANNOTATION} first",
        )
    if claim.deleting:
        if home.state == PRESENT:
            raise _terminating(home, claim, settings, facts)
        return None
    if claim.user is None and home.state != PRESENT:
        raise _refused(
            home,
            settings,
            name,
            f"claim {name} names no owner, so it cannot be {home.state} as {home.owner}'s: adopt it first with state present",
        )
    return claim


def _owner_of(claim: Claim) -> str:
    return f"{claim.user} (server {claim.server})" if claim.server else str(claim.user)


def _chosen(
    home: Home, living: Sequence[Claim], settings: HomeSettings, unreconcilable: list[Unreconcilable]
) -> Optional[Claim]:
    """Return which of the owner's claims is the home; None where there is none yet. Never decides between equals."""
    if len(living) < 2:
        return living[0] if living else None
    marked = [claim for claim in living if claim.is_primary]
    active = [claim for claim in living if claim.retired_at is None]
    if len(marked) == 1:
        return marked[0]
    if len(active) == 1 and not marked:
        return active[0]
    names = quote_list([claim.name for claim in living])
    reason = (
        f"{home.owner} owns {names} and none of them is marked as the one to mount: name it with `claim` in "
        f"{home.spec.position}; until then none is changed"
    )
    unreconcilable.append(unreconcilable_home(home, settings, living[0].name, reason))
    raise _Settled(keep_home(home, settings, "", f"owns {names}; which one is the home is not said"))


def _report_duplicates(
    home: Home, target: Claim, living: Sequence[Claim], settings: HomeSettings, unreconcilable: list[Unreconcilable]
) -> None:
    for claim in living:
        if claim is not target and claim.retired_at is None:
            unreconcilable.append(
                unreconcilable_home(
                    home,
                    settings,
                    claim.name,
                    f"{claim.name} is a second home of {home.owner}, who works in {target.name}: retire it in a run of its own, "
                    "with `claim` and state retired, or leave it",
                )
            )


def _creation(home: Home, owned: Sequence[Claim], index: Index, settings: HomeSettings, facts: ClusterFacts) -> Change:
    going = [claim for claim in owned if claim.deleting]
    if going:
        raise _terminating(home, going[0], settings, facts)
    try:
        name = settings.template.claim_name(home.user, home.server)
    except NamingError as error:
        raise _refused(home, settings, "", str(error)) from None
    meeting = index.by_name.get(name)
    if meeting is not None:
        if meeting.other_kind is not None:
            what = "the hub's own" if meeting.other_kind == "hub" else f"a {meeting.other_kind}"
            raise _refused(
                home,
                settings,
                name,
                f"the name of this home, {name}, is taken by a claim that is {what}: give this user another name_template "
                "or naming, or an existing claim by `claim`",
            )
        if meeting.user is not None:
            raise _refused(
                home,
                settings,
                name,
                f"the name of this home, {name}, is taken by the home of {_owner_of(meeting)}: nothing of theirs is touched; "
                "give this user another name_template or naming, or an existing claim by `claim`",
            )
        if meeting.deleting:
            raise _terminating(home, meeting, settings, facts)
        raise _refused(
            home,
            settings,
            name,
            f"a claim {name} exists and names no owner: if it is {home.owner}'s home, say so with `claim: {name}`, "
            "else give this user another name_template or naming",
        )
    manifest = claim_manifest(
        name=name,
        user=home.user,
        server=home.server,
        size=home.size_text,
        storage_class=home.storage_class,
        access_modes=settings.access_modes,
        labels=home.spec.labels,
        annotations=home.spec.annotations,
    )
    return change_home(
        CREATE,
        home,
        settings,
        name,
        f"{home.owner} has no home yet",
        after=home_line(name, home.user, home.server, home.size, home.storage_class),
        operations=(requests.create(requests.CLAIMS, settings.namespace, manifest),),
    )


def _terminating(home: Home, claim: Claim, settings: HomeSettings, facts: ClusterFacts) -> _Settled:
    pods = facts.pods_of(claim.name)
    holder = f"held by pod {quote_list(pods)}" if pods else "and nothing mounts it any more"
    if facts.pods_error:
        holder = "and whether a pod holds it is not known, as pods may not be listed"
    return _refused(
        home,
        settings,
        claim.name,
        f"claim {claim.name} is being deleted, {holder}: "
        + ("stop that pod and run again once the claim is gone" if pods else "run again once it is gone"),
    )


def _refuse_shared_names(changes: list[Change], homes: Sequence[Home]) -> None:
    """Refuse, together, homes that would be made under one name: each names the other's owner.

    A home that would be made under the name of a claim that another entry names (and that is not there) is one of them.
    """
    by_name: dict[str, list[int]] = {}
    for number, change in enumerate(changes):
        if change.action == CREATE:
            by_name.setdefault(change.name, []).append(number)
    meant = {home.spec.claim: home for home in homes if home.spec.claim is not None}
    for name, numbers in by_name.items():
        parties = [changes[number].subject for number in numbers]
        if name in meant and meant[name] not in parties:
            parties.append(meant[name])
        if len(parties) < 2:
            continue
        owners = quote_list([home.owner for home in parties])
        for number in numbers:
            old = changes[number]
            reason = (
                f"{old.subject.spec.position} ({old.subject.owner}): the homes of {owners} come to one name, {name}: "
                "change name_template, naming or `claim`, so that they do not"
            )
            changes[number] = replace(old, action=REFUSE, reason=reason, operations=(), after=None)


def _unknown_classes(changes: Sequence[Change], facts: ClusterFacts) -> list[str]:
    """Warn of classes that new homes ask for and the cluster does not have: such a claim waits for ever."""
    desired: dict[str, int] = {}
    for change in changes:
        if change.action == CREATE and change.subject.storage_class:
            desired[change.subject.storage_class] = desired.get(change.subject.storage_class, 0) + 1
    if not desired:
        return []
    classes = facts.classes()
    if classes is None:
        return []
    return [
        f"There is no storage class {name}{did_you_mean(name, classes)}: {count} new homes wait until there is one, or "
        "until volumes of that class are made by hand"
        for name, count in desired.items()
        if name not in classes
    ]
