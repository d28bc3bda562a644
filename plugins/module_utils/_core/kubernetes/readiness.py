# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness of claims: which of those that a run waits for are not ready, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ..quantity import format_size
from ..text import quote_list
from .claims import BOUND, LOST, Claim
from .expansion import failed_expansion
from .facts import ClusterFacts
from .storage_classes import MAY_NOT_LIST

#: The namespace and the name of a claim.
ClaimKey = tuple[str, str]


@dataclass
class Readiness:
    """`pending`: why a claim is not ready yet, by namespace and name. `warnings`: what waiting does not change.

    `unknown`: claims that are not bound, and may wait for their first consumer.
    """

    pending: dict[ClaimKey, str] = field(default_factory=dict)
    unknown: list[ClaimKey] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_readiness(
    claims: Iterable[tuple[str, Claim]], awaited: Collection[ClaimKey], facts: ClusterFacts
) -> Readiness:
    """Check the claims, given as (namespace, claim), that a run waits for.

    A claim whose class waits for the first consumer is ready while it is Pending: it is bound when a pod mounts it. A
    file system that is resized when a pod mounts it is a warning, because waiting does not resize it.
    """
    found = Readiness()
    for namespace, claim in claims:
        if (namespace, claim.name) not in awaited:
            continue
        if claim.phase == LOST:
            found.warnings.append(f"Claim {claim.name} has lost its volume {claim.volume}: waiting does not restore it")
        elif claim.phase != BOUND:
            waits = _waits_for_consumer(claim, facts)
            if waits is None:
                found.unknown.append((namespace, claim.name))
            elif not waits:
                found.pending[namespace, claim.name] = f"claim {claim.name} is not bound to a volume"
        elif claim.size is not None and (claim.capacity or 0) < claim.size:
            has, asked = format_size(claim.capacity or 0), format_size(claim.size)
            if claim.resize_error:
                found.pending[namespace, claim.name] = f"claim {claim.name} {failed_expansion(claim)}"
            elif "FileSystemResizePending" in claim.conditions:
                found.warnings.append(
                    f"Claim {claim.name} has {has} of {asked} until its file system is resized, which happens when the "
                    "next pod mounts it"
                )
            else:
                doing = " and is being resized" if "Resizing" in claim.conditions else ""
                found.pending[namespace, claim.name] = f"claim {claim.name} has {has} of {asked}{doing}"
    return found


def unknown_readiness_warning(claims: Sequence[ClaimKey]) -> str:
    """Return the warning about claims that may wait for their first consumer."""
    names = quote_list([f"{namespace}/{name}" for namespace, name in claims])
    return (
        f"Whether {names} {'wait' if len(claims) > 1 else 'waits'} for a first pod or cannot be bound to a volume is unknown: "
        f"{MAY_NOT_LIST}"
    )


def _waits_for_consumer(claim: Claim, facts: ClusterFacts) -> Optional[bool]:
    """Return whether a claim is bound when a pod mounts it, None if this login may not list storage classes."""
    if claim.volume or claim.storage_class == "":
        return False  # It names its volume, or only a static volume fits.
    classes = facts.storage_classes()
    if classes is None:
        return None
    name = claim.storage_class if claim.storage_class is not None else facts.default_class()
    known = classes.get(name or "")
    return known is not None and known.waits_for_consumer
