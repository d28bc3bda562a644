# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Growth: sizes only grow, and only where Kubernetes can. What it cannot is drift, said with both sizes."""

from __future__ import annotations

from ..plan import Drift
from ..quantity import format_size
from . import about
from .claims import Claim
from .desired import Home, Settings
from .lookups import Lookups


def growth(home: Home, claim: Claim, settings: Settings, lookups: Lookups, drift: list[Drift]) -> bool:
    """Return whether to grow this home now; append the drift where it differs and cannot be.

    The API server's own rules (validation.go, ValidatePersistentVolumeClaimUpdate, and the admission plugin
    PersistentVolumeClaimResize): only a bound claim, only to more than it has, only dynamic volumes of a class that
    allows expansion.
    """
    has = claim.size
    if has is None or home.size == has:
        return False

    def differs(why: str) -> bool:
        reason = f"{claim.name} of {home.owner} has {format_size(has)} where {home.size_text} is asked for: {why}"
        drift.append(about.drift(home, settings, claim.name, reason))
        return False

    if home.size < has:
        return differs("a volume cannot shrink, so ask for at least what it has")
    if claim.capacity is not None and home.size <= claim.capacity:
        return False  # its volume is larger than what was asked for, and large enough
    if claim.phase != "Bound":
        return differs(f"it is {claim.phase or 'not bound'} and can grow once it is bound to a volume")
    if not claim.storage_class:
        return differs("it has no storage class, so its volume was made by hand and must be grown there")
    classes = lookups.classes()
    if classes is None:
        return True
    known = classes.get(claim.storage_class)
    if known is None:
        return differs(f"its storage class {claim.storage_class} does not exist any more")
    if not known.expandable:
        return differs(
            f"its storage class {claim.storage_class} does not expand (allowVolumeExpansion is not set); set it there if "
            "the storage can"
        )
    return True
