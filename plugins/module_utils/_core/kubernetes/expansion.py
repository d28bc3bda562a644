# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expansion of claims: a claim only grows, and only when Kubernetes can expand its volume."""

from __future__ import annotations

from typing import Callable, NamedTuple

from ..quantity import format_size
from .claims import BOUND, Claim
from .storage_classes import StorageClasses


class Expansion(NamedTuple):
    """Whether to expand a claim now. `obstacle`: the sizes differ and Kubernetes cannot expand it, for this reason."""

    expands: bool
    obstacle: str = ""


_AS_IS = Expansion(False)
_EXPAND = Expansion(True)


def decide_expansion(size: int, size_text: str, claim: Claim, classes: Callable[[], StorageClasses]) -> Expansion:
    """Decide whether to expand a claim to `size` bytes (`size_text` as written).

    `classes` is called only when the storage class matters. The rules are those of the API server (validation.go,
    ValidatePersistentVolumeClaimUpdate, and the admission plugin PersistentVolumeClaimResize): a claim must be bound,
    must grow, and must be of a storage class that allows expansion.
    """
    has = claim.size
    if has is None or size == has:
        return _AS_IS

    def cannot(why: str) -> Expansion:
        return Expansion(False, f"has {format_size(has)}, not {size_text}: {why}")

    if size < has:
        return cannot("Kubernetes cannot shrink a volume, set at least the current size")
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
