# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Growth of claims: sizes only grow, and only where Kubernetes can. What it cannot is said with both sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable, NamedTuple, Optional

from ..quantity import format_size
from .claims import Claim


class StorageClass(NamedTuple):
    """What matters of a StorageClass."""

    name: str
    expandable: bool
    default: bool
    waits_for_consumer: bool


#: Asks for the storage classes by name; None where they are not known (yet).
Classes = Callable[[], Optional[Mapping[str, StorageClass]]]


def decide_expansion(size: int, size_text: str, claim: Claim, classes: Classes) -> tuple[bool, str]:
    """Return whether to grow a claim to a size (bytes) now, and, where it differs and cannot, why ("has 1Gi where ...").

    The API server's own rules (validation.go, ValidatePersistentVolumeClaimUpdate, and the admission plugin
    PersistentVolumeClaimResize): only a bound claim, only to more than it has, only dynamic volumes of a class that
    allows expansion.
    """
    has = claim.size
    if has is None or size == has:
        return False, ""

    def differs(why: str) -> tuple[bool, str]:
        return False, f"has {format_size(has)} where {size_text} is asked for: {why}"

    if size < has:
        return differs("a volume cannot shrink, so ask for at least what it has")
    if claim.capacity is not None and size <= claim.capacity:
        return False, ""  # its volume is larger than what was asked for, and large enough
    if claim.phase != "Bound":
        return differs(f"it is {claim.phase or 'not bound'} and can grow once it is bound to a volume")
    if not claim.storage_class:
        return differs("it has no storage class, so its volume was made by hand and must be grown there")
    known_classes = classes()
    if known_classes is None:
        return True, ""
    known = known_classes.get(claim.storage_class)
    if known is None:
        return differs(f"its storage class {claim.storage_class} does not exist any more")
    if not known.expandable:
        return differs(
            f"its storage class {claim.storage_class} does not expand (allowVolumeExpansion is not set); set it there if "
            "the storage can"
        )
    return True, ""
