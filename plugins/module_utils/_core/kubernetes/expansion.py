# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expansion of claims: a volume only grows, and only when Kubernetes can expand it."""

from __future__ import annotations

from typing import Callable, NamedTuple

from ..quantity import format_size
from .claims import BOUND, LOST, Claim
from .storage_classes import StorageClasses


class Expansion(NamedTuple):
    """Whether to request another size now. `obstacle`: the sizes differ and Kubernetes cannot change it, for this reason."""

    expands: bool
    obstacle: str = ""


_AS_IS = Expansion(False)
_EXPAND = Expansion(True)


def failed_expansion(claim: Claim) -> str:
    """Return how the last expansion of a claim failed ("has 1Gi of 9Gi, because ..."), "" when it did not."""
    if not claim.resize_error or claim.phase != BOUND or claim.size is None or claim.size <= (claim.capacity or 0):
        return ""
    volume = format_size(claim.capacity or 0)
    return (
        f"has {volume} of {format_size(claim.size)}, because its expansion failed: {claim.resize_error}. Correct the storage, or "
        f"set a size that it can provide, above {volume}"
    )


def decide_expansion(size: int, size_text: str, claim: Claim, classes: Callable[[], StorageClasses]) -> Expansion:
    """Decide whether to expand a claim to `size` bytes (`size_text` as written).

    `classes` is called only when the storage class matters. The rules are those of the API server (validation.go,
    ValidatePersistentVolumeClaimUpdate, and the admission plugin PersistentVolumeClaimResize): a claim must be bound,
    must grow, and must be of a storage class that allows expansion. A request that the volume has not reached yet can be
    taken back, to any size above that of the volume. The claim of a lost volume stays as it is.
    """
    has = claim.size
    if has is None or size == has or claim.phase == LOST:
        return _AS_IS

    def cannot(why: str) -> Expansion:
        return Expansion(False, f"has {format_size(has)}, not {size_text}: {why}")

    if size < has:
        hint = ""
        if claim.phase == BOUND and claim.capacity is not None and claim.capacity < has:
            if size > claim.capacity:
                return _EXPAND
            hint = f", or a size above the {format_size(claim.capacity)} of its volume to take back the expansion"
        return cannot(f"Kubernetes cannot shrink a volume, set at least the current size{hint}")
    if claim.capacity is not None and size <= claim.capacity:
        return _AS_IS  # The volume was larger than requested, and is large enough.
    if claim.phase != BOUND:
        return cannot(f"the claim is {claim.phase or 'not bound'} and can be expanded once it is bound to a volume")
    if not claim.storage_class:
        return cannot("the claim has no storage class, so its volume was created manually and must be expanded there")
    known_classes = classes()
    if known_classes is None:
        return _EXPAND
    known = known_classes.get(claim.storage_class)
    if known is None:
        return cannot(f"storage class {claim.storage_class} no longer exists")
    if not known.expandable:
        return cannot(
            f"storage class {claim.storage_class} does not allow expansion; set allowVolumeExpansion there if the "
            "storage supports it"
        )
    return _EXPAND
