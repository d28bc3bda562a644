# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a home that exists: adopted, taken out of retirement, marked, grown, retired."""

from __future__ import annotations

from typing import Any

from .. import requests
from ..kubernetes.claims import Claim, home_line
from ..kubernetes.facts import ClusterFacts
from ..metadata import (
    KIND_HOME,
    KIND_LABEL,
    OWNER_LABEL,
    PRIMARY_ANNOTATION,
    RETIRED_ANNOTATION,
    SERVERNAME_ANNOTATION,
    USERNAME_ANNOTATION,
)
from ..plan import ADOPT, KEEP, RETIRE, UPDATE, Change, Unreconcilable
from ..quantity import format_size
from ..times import format_time
from .changes import change_home, keep_home, unreconcilable_home
from .desired import Home, HomeSettings
from .expansion import plan_expansion
from .kubespawner import owner_hash


def plan_existing(
    home: Home,
    claim: Claim,
    duplicates: bool,
    settings: HomeSettings,
    facts: ClusterFacts,
    unreconcilable: list[Unreconcilable],
) -> Change:
    """Plan a home that exists: adopt, take out of retirement, mark, grow; what cannot be corrected is drift."""
    labels: dict[str, Any] = {}
    annotations: dict[str, Any] = {}
    reasons: list[str] = []
    before: list[str] = []
    after: list[str] = []
    action = KEEP

    missing = _missing_labels(home, claim)
    if claim.user is None:
        action = ADOPT
        annotations[USERNAME_ANNOTATION] = home.user
        if home.server:
            annotations[SERVERNAME_ANNOTATION] = home.server
        reasons.append(f"it named no owner, and {home.spec.position} names it as {home.owner}'s")
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
    if home.spec.claim is not None and duplicates and not claim.is_primary:
        action = action if action != KEEP else UPDATE
        annotations[PRIMARY_ANNOTATION] = "true"
        reasons.append("it is the one to mount of several")
        after.append("primary")
    for what, given, live, changed in (
        ("label", home.spec.labels, claim.labels, labels),
        ("annotation", home.spec.annotations, claim.annotations, annotations),
    ):
        for key, value in given.items():
            if live.get(key) != value:
                action = action if action != KEEP else UPDATE
                changed[key] = value
                reasons.append(f"its {what} {key} becomes {value}")
                if key in live:
                    before.append(f"{what} {key}={live[key]}")
                after.append(f"{what} {key}={value}")

    grown = plan_expansion(home, claim, settings, facts, unreconcilable)
    if grown:
        action = action if action != KEEP else UPDATE
        reasons.append(f"it grows from {format_size(claim.size or 0)} to {home.size_text}")
    _report_fixed(home, claim, settings, unreconcilable)

    if action == KEEP:
        return keep_home(home, settings, claim.name, "is as it should be")
    metadata = {}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    planned = []
    if metadata:
        planned.append(
            requests.patch(
                requests.CLAIMS,
                settings.namespace,
                claim.name,
                {"metadata": metadata},
                requests.Precondition(claim.version),
            )
        )
    if grown:
        # A patch of its own and of this one field: what the API server refuses of it must not undo the marks.
        body = {"spec": {"resources": {"requests": {"storage": home.size_text}}}}
        precondition = requests.Precondition(uid=claim.uid) if planned else requests.Precondition(claim.version)
        planned.append(requests.patch(requests.CLAIMS, settings.namespace, claim.name, body, precondition))
    size = home.size if grown else claim.size
    return change_home(
        action,
        home,
        settings,
        claim.name,
        "; ".join(reasons),
        before=home_line(claim.name, home.user, home.server, claim.size, claim.storage_class, before),
        after=home_line(claim.name, home.user, home.server, size, claim.storage_class, after),
        operations=tuple(planned),
    )


def _missing_labels(home: Home, claim: Claim) -> dict[str, str]:
    ours = {KIND_LABEL: KIND_HOME, OWNER_LABEL: owner_hash(home.user)}
    return {key: value for key, value in ours.items() if claim.labels.get(key) != value}


def _report_fixed(home: Home, claim: Claim, settings: HomeSettings, unreconcilable: list[Unreconcilable]) -> None:
    """Report what Kubernetes lets nobody change on a claim: its class and its access modes."""
    if home.storage_class is not None and (claim.storage_class or "") != home.storage_class:
        unreconcilable.append(
            unreconcilable_home(
                home,
                settings,
                claim.name,
                f"{claim.name} of {home.owner} has the storage class {claim.storage_class or 'none'} where "
                f"{home.storage_class or 'none'} is asked for: a class holds for new homes only, move the data to change it",
            )
        )
    if settings.access_modes and set(claim.access_modes) != set(settings.access_modes):
        unreconcilable.append(
            unreconcilable_home(
                home,
                settings,
                claim.name,
                f"{claim.name} of {home.owner} has the access modes {', '.join(claim.access_modes)} where "
                f"{', '.join(settings.access_modes)} is asked for: access modes hold for new homes only",
            )
        )


def plan_unmarking(home: Home, claim: Claim, settings: HomeSettings) -> Change:
    """Take the mark of the one to mount off a claim, for another one carries it now."""
    body = {"metadata": {"annotations": {PRIMARY_ANNOTATION: None}}}
    return change_home(
        UPDATE,
        home,
        settings,
        claim.name,
        f"{home.spec.claim} is the one to mount instead",
        before=home_line(claim.name, home.user, home.server, claim.size, claim.storage_class, ["primary"]),
        after=home_line(claim.name, home.user, home.server, claim.size, claim.storage_class),
        operations=(
            requests.patch(requests.CLAIMS, settings.namespace, claim.name, body, requests.Precondition(claim.version)),
        ),
    )


def plan_retirement(home: Home, claim: Claim, settings: HomeSettings) -> Change:
    """Mark a home as retired; one that is already stays as it is, its time too."""
    if claim.retired_at is not None:
        return keep_home(home, settings, claim.name, f"is retired since {claim.retired_at}")
    mark = format_time(settings.now)
    metadata: dict[str, dict[str, str]] = {"annotations": {RETIRED_ANNOTATION: mark}}
    missing = _missing_labels(home, claim)
    if missing:
        metadata["labels"] = missing
    return change_home(
        RETIRE,
        home,
        settings,
        claim.name,
        f"{home.owner} is retired; the data stays",
        before=home_line(claim.name, home.user, home.server, claim.size, claim.storage_class),
        after=home_line(claim.name, home.user, home.server, claim.size, claim.storage_class, [f"retired since {mark}"]),
        operations=(
            requests.patch(
                requests.CLAIMS,
                settings.namespace,
                claim.name,
                {"metadata": metadata},
                requests.Precondition(claim.version),
            ),
        ),
    )
