# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Update of a home that exists: adoption, end of retirement, primary, labels, annotations and size."""

from __future__ import annotations

from collections.abc import Sequence

from ..kubernetes.claim_update import UP_TO_DATE, ClaimUpdate
from ..kubernetes.claims import Claim
from ..kubernetes.expansion import decide_expansion, failed_expansion
from ..kubernetes.immutable import access_modes_difference, storage_class_difference
from ..kubespawner.manifests import owner_hash
from ..metadata import (
    KIND_HOME,
    KIND_LABEL,
    OWNER_LABEL,
    PRIMARY_ANNOTATION,
    SERVERNAME_ANNOTATION,
    USERNAME_ANNOTATION,
)
from ..plan import KEEP, UPDATE, Change
from .changes import HomesContext, change_home, home_line, keep_home, lost_volume
from .desired import Home


def plan_update(context: HomesContext, home: Home, claim: Claim, active: Sequence[Claim]) -> list[Change]:
    """Plan a home that exists as `claim`, and the other claims of its owner (`active` are all)."""
    others = [other for other in active if other is not claim]
    update = ClaimUpdate(home.namespace, claim)
    _adopt(update, home)
    update.unretire()
    if home.spec.claim is not None and others and not claim.is_primary:
        update.mark(PRIMARY_ANNOTATION, "it is the one of several to mount", "primary")
    update.set_given(home.spec.labels, home.spec.annotations)
    expansion = decide_expansion(home.size, home.size_text, claim, context.facts.storage_classes)
    if expansion.expands:
        update.expand(home.size, home.size_text)
    context.warn_claim(home, claim, lost_volume(claim))
    failed = "" if expansion.expands else failed_expansion(claim)
    context.warn_claim(home, claim, expansion.obstacle or failed)
    context.warn_claim(home, claim, storage_class_difference(claim, home.storage_class))
    context.warn_claim(home, claim, access_modes_difference(claim, context.settings.access_modes))
    changes = [_change(home, update)]
    for other in others:
        context.warn_of_volume(home, other)
        if home.spec.claim is not None and other.is_primary:
            changes.append(_unmark(home, other))
        if other.retired_at is None:
            context.warn_claim(
                home,
                other,
                f"is a second home, and {claim.name} is the one in use: retire it in a separate run, with `claim` and state "
                "retired, or leave it",
            )
    return changes


def missing_labels(home: Home, claim: Claim) -> dict[str, str]:
    """Return the labels of ours that a claim lacks."""
    ours = {KIND_LABEL: KIND_HOME, OWNER_LABEL: owner_hash(home.user)}
    return {key: value for key, value in ours.items() if claim.labels.get(key) != value}


def _adopt(update: ClaimUpdate, home: Home) -> None:
    labels = missing_labels(home, update.claim)
    if update.claim.user is None:
        owner = {USERNAME_ANNOTATION: home.user}
        if home.server:
            owner[SERVERNAME_ANNOTATION] = home.server
        update.adopt(f"it named no owner, and {home.spec.position} assigns it to {home.owner}", "no owner")
        update.set_metadata(labels, owner)
    elif labels:
        update.adopt(
            f"it belongs to {home.owner} by its annotation and lacked the labels of this collection",
            "not labelled as a home",
        )
        update.set_metadata(labels)


def _change(home: Home, update: ClaimUpdate) -> Change:
    claim = update.claim
    if update.action == KEEP:
        return keep_home(home, claim.name, UP_TO_DATE)
    return change_home(
        update.action,
        home,
        claim.name,
        update.reason,
        before=home_line(home, claim, update.before),
        after=home_line(home, claim, update.after, update.size),
        operations=update.operations(),
    )


def _unmark(home: Home, claim: Claim) -> Change:
    update = ClaimUpdate(home.namespace, claim)
    update.set_metadata(annotations={PRIMARY_ANNOTATION: None})
    return change_home(
        UPDATE,
        home,
        claim.name,
        f"{home.spec.claim} is the one to mount instead",
        before=home_line(home, claim, ["primary"]),
        after=home_line(home, claim),
        operations=update.operations(),
    )
