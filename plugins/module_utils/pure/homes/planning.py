# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning homes: what is wanted and what is live become changes, each with its reason, and drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .. import steps
from ..kubespawner import (
    KIND_LABEL,
    OWNER_LABEL,
    PRIMARY_ANNOTATION,
    RETIRED_ANNOTATION,
    SERVERNAME_ANNOTATION,
    USERNAME_ANNOTATION,
    claim_manifest,
    owner_hash,
)
from ..naming import NamingError
from ..plan import ADOPT, CREATE, KEEP, REFUSE, RETIRE, UPDATE, Change, Drift, Plan
from ..quantity import format_size
from ..text import did_you_mean, quote_list
from ..times import format_time
from .claims import Claim, Index, home_line
from .desired import ABSENT, PRESENT, RETIRED, Home, Settings
from .growth import growth
from .lookups import Lookups
from .removal import plan_removal

KIND = "home"


def plan_homes(homes: Sequence[Home], index: Index, settings: Settings, lookups: Lookups) -> Plan:
    """Return the plan for all homes of one namespace; what it still needs to know is in `lookups.missing`."""
    changes: list[Change] = []
    drift: list[Drift] = []
    for home in homes:
        changes.extend(plan_home(home, index, settings, lookups, drift))
    _refuse_shared_names(changes, homes)
    notes = _unknown_classes(changes, lookups)
    return Plan(tuple(changes), tuple(drift), tuple(notes))


def plan_home(home: Home, index: Index, settings: Settings, lookups: Lookups, drift: list[Drift]) -> list[Change]:
    """Return the changes for one home: one for the home itself, and one for each other claim of its owner touched."""
    owned = index.owned(home.user, home.server)
    living = [claim for claim in owned if not claim.deleting]
    try:
        if home.entry.claim is not None:
            target = _named(home, index, settings, lookups, living, drift)
        elif home.state != PRESENT:
            return _away(home, living, owned, settings, lookups, drift)
        else:
            target = _chosen(home, living, settings, drift)
        if target is None:
            if home.state != PRESENT:
                return [_keep(home, settings, "", "has no home here")]
            return [_creation(home, owned, index, settings, lookups)]
    except _Refusal as refusal:
        return [refusal.change]
    if home.state != PRESENT:
        return _away(home, [target], owned, settings, lookups, drift)
    changes = [_existing(home, target, len(living) > 1, settings, lookups, drift)]
    if home.entry.claim is not None:
        changes += [_twin(home, claim, settings) for claim in living if claim is not target and claim.is_primary]
    _report_twins(home, target, living, settings, drift)
    return changes


class _Refusal(Exception):
    def __init__(self, home: Home, settings: Settings, name: str, reason: str) -> None:
        super().__init__(reason)
        self.change = Change(
            REFUSE,
            KIND,
            settings.namespace,
            name,
            f"{home.entry.position} ({home.owner}): {reason}",
            home.user,
            subject=home,
        )


def _keep(home: Home, settings: Settings, name: str, reason: str) -> Change:
    return Change(KEEP, KIND, settings.namespace, name, reason, home.user, subject=home)


def _away(
    home: Home,
    claims: Sequence[Claim],
    owned: Sequence[Claim],
    settings: Settings,
    lookups: Lookups,
    drift: list[Drift],
) -> list[Change]:
    """Retire or remove: all claims of the owner, or the one that the entry names."""
    if not claims:
        going = [claim.name for claim in owned]
        reason = f"{quote_list(going)} is being deleted already" if going else "has no home here"
        return [_keep(home, settings, going[0] if going else "", reason)]
    if home.state == ABSENT:
        return [plan_removal(home, claim, settings, lookups, drift) for claim in claims]
    return [_retirement(home, claim, settings) for claim in claims]


def _named(
    home: Home, index: Index, settings: Settings, lookups: Lookups, living: Sequence[Claim], drift: list[Drift]
) -> Optional[Claim]:
    """Return the claim that the entry names, if it may be this person's home."""
    name = home.entry.claim or ""
    claim = index.by_name.get(name)
    if claim is None:
        if home.state == RETIRED:
            reason = f"claim {name} of {home.owner} is to be retired and does not exist: correct it, or drop the entry"
            drift.append(Drift(KIND, settings.namespace, name, reason, home.user))
        if home.state != PRESENT:
            return None
        known = [item.name for item in living] or list(index.by_name)
        hint = did_you_mean(name, known)
        raise _Refusal(
            home,
            settings,
            name,
            f"claim {name} does not exist in namespace {settings.namespace}{hint}: correct it, or drop `claim` to have "
            "a home made",
        )
    if claim.other_kind is not None:
        what = "the hub's own" if claim.other_kind == "hub" else f"a {claim.other_kind}"
        raise _Refusal(home, settings, name, f"claim {name} is {what}, no home: name another claim")
    if claim.user is not None and claim not in living and not claim.deleting:
        raise _Refusal(
            home,
            settings,
            name,
            f"claim {name} belongs to {_owner_of(claim)}: name a claim of {home.owner}'s, or change its owner's annotation "
            f"{USERNAME_ANNOTATION} first",
        )
    if claim.deleting:
        if home.state == PRESENT:
            raise _terminating(home, claim, settings, lookups)
        return None
    if claim.user is None and home.state != PRESENT:
        raise _Refusal(
            home,
            settings,
            name,
            f"claim {name} names no owner, so it cannot be {home.state} as {home.owner}'s: adopt it first with state present",
        )
    return claim


def _owner_of(claim: Claim) -> str:
    return f"{claim.user} (server {claim.server})" if claim.server else str(claim.user)


def _chosen(home: Home, living: Sequence[Claim], settings: Settings, drift: list[Drift]) -> Optional[Claim]:
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
    drift.append(
        Drift(
            KIND,
            settings.namespace,
            living[0].name,
            f"{home.owner} owns {names} and none of them is marked as the one to mount: name it with `claim` in "
            f"{home.entry.position}; until then none is changed",
            home.user,
        )
    )
    raise _Ambiguous(home, settings, f"owns {names}; which one is the home is not said")


class _Ambiguous(_Refusal):
    """Not refused: left as it is, with a warning."""

    def __init__(self, home: Home, settings: Settings, reason: str) -> None:
        Exception.__init__(self, reason)  # pylint: disable=non-parent-init-called
        self.change = _keep(home, settings, "", reason)


def _report_twins(home: Home, target: Claim, living: Sequence[Claim], settings: Settings, drift: list[Drift]) -> None:
    for claim in living:
        if claim is not target and claim.retired_at is None:
            drift.append(
                Drift(
                    KIND,
                    settings.namespace,
                    claim.name,
                    f"{claim.name} is a second home of {home.owner}, who works in {target.name}: retire it by naming it "
                    "with `claim` and state retired, or leave it",
                    home.user,
                )
            )


def _creation(home: Home, owned: Sequence[Claim], index: Index, settings: Settings, lookups: Lookups) -> Change:
    going = [claim for claim in owned if claim.deleting]
    if going:
        raise _terminating(home, going[0], settings, lookups)
    try:
        name = settings.template.claim_name(home.user, home.server)
    except NamingError as error:
        raise _Refusal(home, settings, "", str(error)) from None
    meeting = index.by_name.get(name)
    if meeting is not None:
        if meeting.user is not None:
            raise _Refusal(
                home,
                settings,
                name,
                f"the name of this home, {name}, is taken by the home of {_owner_of(meeting)}: nothing of theirs is touched; "
                "give this user another name_template or naming, or an existing claim by `claim`",
            )
        if meeting.deleting:
            raise _terminating(home, meeting, settings, lookups)
        what = f", a {meeting.other_kind}," if meeting.other_kind else ""
        raise _Refusal(
            home,
            settings,
            name,
            f"a claim {name}{what} exists and names no owner: if it is {home.owner}'s home, say so with `claim: {name}`, "
            "else rename one of the two",
        )
    manifest = claim_manifest(
        name=name,
        user=home.user,
        server=home.server,
        size=home.size_text,
        storage_class=home.storage_class,
        access_modes=settings.access_modes,
        labels=home.entry.labels,
        annotations=home.entry.annotations,
    )
    return Change(
        CREATE,
        KIND,
        settings.namespace,
        name,
        f"{home.owner} has no home yet",
        home.user,
        after=home_line(name, home.user, home.server, home.size, home.storage_class),
        steps=(steps.create(steps.CLAIMS, settings.namespace, manifest),),
        subject=home,
    )


def _terminating(home: Home, claim: Claim, settings: Settings, lookups: Lookups) -> _Refusal:
    pods = lookups.pods_of(claim.name)
    holder = f"held by pod {quote_list(pods)}" if pods else "and nothing mounts it any more"
    return _Refusal(
        home,
        settings,
        claim.name,
        f"claim {claim.name} is being deleted, {holder}: "
        + ("stop that pod and run again once the claim is gone" if pods else "run again once it is gone"),
    )


def _existing(
    home: Home, claim: Claim, twins: bool, settings: Settings, lookups: Lookups, drift: list[Drift]
) -> Change:
    """Plan a home that exists: adopt, take out of retirement, mark, grow; what cannot be corrected is drift."""
    labels: dict[str, Any] = {}
    annotations: dict[str, Any] = {}
    reasons: list[str] = []
    before: list[str] = []
    after: list[str] = []
    action = KEEP

    ours = {KIND_LABEL: KIND, OWNER_LABEL: owner_hash(home.user)}
    missing = {key: value for key, value in ours.items() if claim.labels.get(key) != value}
    if claim.user is None:
        action = ADOPT
        annotations[USERNAME_ANNOTATION] = home.user
        if home.server:
            annotations[SERVERNAME_ANNOTATION] = home.server
        reasons.append(f"it named no owner, and {home.entry.position} names it as {home.owner}'s")
        before.append("no owner")
    elif missing:
        action = ADOPT
        reasons.append(f"it is {home.owner}'s by its annotation and lacked this collection's labels")
        before.append("not labelled as a home")
    labels.update(missing)

    if claim.retired_at is not None:
        action = action if action != KEEP else UPDATE
        annotations[RETIRED_ANNOTATION] = None
        reasons.append("it is taken out of retirement")
        before.append(f"retired since {claim.retired_at}")
    if home.entry.claim is not None and twins and not claim.is_primary:
        action = action if action != KEEP else UPDATE
        annotations[PRIMARY_ANNOTATION] = "true"
        reasons.append("it is the one to mount of several")
        after.append("primary")
    for what, given, live, changed in (
        ("label", home.entry.labels, claim.labels, labels),
        ("annotation", home.entry.annotations, claim.annotations, annotations),
    ):
        for key, value in given.items():
            if live.get(key) != value:
                action = action if action != KEEP else UPDATE
                changed[key] = value
                reasons.append(f"its {what} {key} becomes {value}")
                if key in live:
                    before.append(f"{what} {key}={live[key]}")
                after.append(f"{what} {key}={value}")

    grown = growth(home, claim, settings, lookups, drift)
    if grown:
        action = action if action != KEEP else UPDATE
        reasons.append(f"it grows from {format_size(claim.size or 0)} to {home.size_text}")
    _report_fixed(home, claim, settings, drift)

    if action == KEEP:
        return _keep(home, settings, claim.name, "is as it should be")
    metadata = {}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    planned = []
    if metadata:
        planned.append(steps.patch(steps.CLAIMS, settings.namespace, claim.name, {"metadata": metadata}, claim.version))
    if grown:
        # A patch of its own and of this one field: what the API server refuses of it must not undo the marks.
        body = {"spec": {"resources": {"requests": {"storage": home.size_text}}}}
        version, uid = ("", claim.uid) if planned else (claim.version, "")
        planned.append(steps.patch(steps.CLAIMS, settings.namespace, claim.name, body, version, uid))
    size = home.size if grown else claim.size
    return Change(
        action,
        KIND,
        settings.namespace,
        claim.name,
        "; ".join(reasons),
        home.user,
        before=home_line(claim.name, home.user, home.server, claim.size, claim.storage_class, before),
        after=home_line(claim.name, home.user, home.server, size, claim.storage_class, after),
        steps=tuple(planned),
        subject=home,
    )


def _report_fixed(home: Home, claim: Claim, settings: Settings, drift: list[Drift]) -> None:
    """Report what Kubernetes lets nobody change on a claim: its class and its access modes."""
    if home.storage_class is not None and (claim.storage_class or "") != home.storage_class:
        drift.append(
            Drift(
                KIND,
                settings.namespace,
                claim.name,
                f"{claim.name} of {home.owner} has the storage class {claim.storage_class or 'none'} where "
                f"{home.storage_class or 'none'} is asked for: a class holds for new homes only, move the data to change it",
                home.user,
            )
        )
    if settings.access_modes and set(claim.access_modes) != set(settings.access_modes):
        drift.append(
            Drift(
                KIND,
                settings.namespace,
                claim.name,
                f"{claim.name} of {home.owner} has the access modes {', '.join(claim.access_modes)} where "
                f"{', '.join(settings.access_modes)} is asked for: access modes hold for new homes only",
                home.user,
            )
        )


def _twin(home: Home, claim: Claim, settings: Settings) -> Change:
    body = {"metadata": {"annotations": {PRIMARY_ANNOTATION: None}}}
    return Change(
        UPDATE,
        KIND,
        settings.namespace,
        claim.name,
        f"{home.entry.claim} is the one to mount instead",
        home.user,
        before=home_line(claim.name, home.user, home.server, claim.size, claim.storage_class, ["primary"]),
        after=home_line(claim.name, home.user, home.server, claim.size, claim.storage_class),
        steps=(steps.patch(steps.CLAIMS, settings.namespace, claim.name, body, claim.version),),
        subject=home,
    )


def _retirement(home: Home, claim: Claim, settings: Settings) -> Change:
    if claim.retired_at is not None:
        return _keep(home, settings, claim.name, f"is retired since {claim.retired_at}")
    mark = format_time(settings.now)
    metadata: dict[str, Mapping[str, str]] = {"annotations": {RETIRED_ANNOTATION: mark}}
    ours = {KIND_LABEL: KIND, OWNER_LABEL: owner_hash(home.user)}
    missing = {key: value for key, value in ours.items() if claim.labels.get(key) != value}
    if missing:
        metadata["labels"] = missing
    return Change(
        RETIRE,
        KIND,
        settings.namespace,
        claim.name,
        f"{home.owner} is retired; the data stays",
        home.user,
        before=home_line(claim.name, home.user, home.server, claim.size, claim.storage_class),
        after=home_line(claim.name, home.user, home.server, claim.size, claim.storage_class, [f"retired since {mark}"]),
        steps=(steps.patch(steps.CLAIMS, settings.namespace, claim.name, {"metadata": metadata}, claim.version),),
        subject=home,
    )


def _refuse_shared_names(changes: list[Change], homes: Sequence[Home]) -> None:
    """Refuse, together, homes that would be made under one name: each names the other's owner.

    A home that would be made under the name of a claim that another entry names (and that is not there) is one of them.
    """
    by_name: dict[str, list[int]] = {}
    for number, change in enumerate(changes):
        if change.action == CREATE:
            by_name.setdefault(change.name, []).append(number)
    meant = {home.entry.claim: home for home in homes if home.entry.claim is not None}
    for name, numbers in by_name.items():
        parties = [changes[number].subject for number in numbers]
        if name in meant and meant[name] not in parties:
            parties.append(meant[name])
        if len(parties) < 2:
            continue
        owners = quote_list([home.owner for home in parties])
        for number in numbers:
            old = changes[number]
            changes[number] = Change(
                REFUSE,
                KIND,
                old.namespace,
                name,
                f"{old.subject.entry.position} ({old.subject.owner}): the homes of {owners} come to one name, {name}: "
                "change name_template, naming or `claim`, so that they do not",
                old.owner,
                subject=old.subject,
            )


def _unknown_classes(changes: Sequence[Change], lookups: Lookups) -> list[str]:
    """Warn of classes that new homes ask for and the cluster does not have: such a claim waits for ever."""
    wanted: dict[str, int] = {}
    for change in changes:
        if change.action == CREATE and change.subject.storage_class:
            wanted[change.subject.storage_class] = wanted.get(change.subject.storage_class, 0) + 1
    if not wanted:
        return []
    classes = lookups.classes()
    if classes is None:
        return []
    return [
        f"There is no storage class {name}{did_you_mean(name, classes)}: {count} new homes wait until there is one, or "
        "until volumes of that class are made by hand"
        for name, count in wanted.items()
        if name not in classes
    ]
