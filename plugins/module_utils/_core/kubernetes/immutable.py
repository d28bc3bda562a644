# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields of a claim that Kubernetes never changes: how they differ from the inventory, for a warning."""

from __future__ import annotations

from collections.abc import Collection
from typing import Optional

from .claims import Claim


def storage_class_difference(claim: Claim, desired: Optional[str]) -> str:
    """Return how the storage class differs ("has storage class a, not b: ..."), "" when it does not. None: not set."""
    if desired is None or (claim.storage_class or "") == desired:
        return ""
    return (
        f"has storage class {claim.storage_class or 'none'}, not {desired or 'none'}: the storage class applies to new "
        "claims only, move the data to a new claim to change it"
    )


def access_modes_difference(claim: Claim, desired: Collection[str]) -> str:
    """Return how the access modes differ ("has access modes a, not b: ..."), "" when they do not. Empty: not set."""
    if not desired or set(claim.access_modes) == set(desired):
        return ""
    return (
        f"has access modes {', '.join(claim.access_modes)}, not {', '.join(desired)}: access modes apply to new claims "
        "only, move the data to a new claim to change them"
    )


def missing_access_mode(claim: Claim, needed: str) -> str:
    """Return that a claim lacks an access mode ("has access modes a, without b"), "" when it has it."""
    if needed in claim.access_modes:
        return ""
    return f"has access modes {', '.join(claim.access_modes) or 'none'}, without {needed}"
