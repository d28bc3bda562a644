# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness of claims: which of those that a run waits for are not ready, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from ..quantity import format_size
from .claims import BOUND, LOST, Claim
from .expansion import failed_expansion
from .facts import ClusterFacts

#: The namespace and the name of a claim.
ClaimKey = tuple[str, str]


@dataclass
class Readiness:
    """`pending`: why a claim is not ready yet, by namespace and name. `warnings`: what waiting does not change."""

    pending: dict[ClaimKey, str] = field(default_factory=dict)
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
            if not _waits_for_consumer(claim, facts):
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


def _waits_for_consumer(claim: Claim, facts: ClusterFacts) -> bool:
    name = claim.storage_class if claim.storage_class is not None else facts.default_class()
    known = (facts.storage_classes() or {}).get(name or "")
    return known is not None and known.waits_for_consumer
