# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which claims a pod must not mount, and which claims of shares are mounted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from .access import Mount
from .acl_format import is_hub_database, reserved_claim
from .observed_claims import SHARE, SHARE_KEY, Claim


def reason_to_remove(name: str, claim: Optional[Claim], user: str, is_configured: bool = False) -> str:
    """Return why a pod of this user must not mount a claim that its configuration names, as a phrase, or "".

    `claim` is None if there is no such claim. Shares are removed too: the ACL alone decides about them. `is_configured` means
    that the hub's own configuration mounts the claim as the home, so it may have any name and owner.
    """
    if is_hub_database(name):
        return "it has the name of a hub's database"
    if claim is not None:
        if claim.is_of_hub:
            return "it is labelled as a hub's database"
        if claim.kind == SHARE or SHARE_KEY in claim.labels or SHARE_KEY in claim.annotations:
            return "it is a share"
        if is_configured:
            return ""
        if claim.user == user:
            return "it is retired" if claim.is_retired else ""
        if claim.user is not None:
            return f"it is the home of {claim.user!r}"
        if claim.is_somebodys:
            return "it is marked as a home without an owner"
    if is_configured:
        return ""
    return "it has the name of a home, and no annotation names its owner" if reserved_claim(name) else ""


def reason_not_software(name: str, claim: Optional[Claim]) -> str:
    """Return why a claim is not mounted as the software tree, as a phrase, or ""."""
    if claim is None:
        return f"claim {name} does not exist"
    if claim.terminating:
        return f"claim {name} is being deleted"
    reason = "it is the home of ''" if claim.user == "" else reason_to_remove(name, claim, "")
    return f"claim {name}: {reason}" if reason else ""


def verify_mounts(mounts: Sequence[Mount], claims: Mapping[str, Claim]) -> tuple[list[Mount], dict[str, str]]:
    """Return the mounts whose claims exist and are those shares, and by share why the others are left out, as phrases."""
    verified: list[Mount] = []
    left_out: dict[str, str] = {}
    for mount in mounts:
        claim = claims.get(mount.claim)
        if claim is None:
            left_out[mount.share] = "not mounted: its claim does not exist, or is not marked as a share"
        elif claim.kind != SHARE or claim.annotations.get(SHARE_KEY) != mount.share:
            left_out[mount.share] = "not mounted: its claim is not marked as this share"
        elif claim.user is not None:
            left_out[mount.share] = "not mounted: its claim is the home of a user"
        elif claim.is_of_hub:
            left_out[mount.share] = "not mounted: its claim is the database of a hub"
        elif claim.terminating:
            left_out[mount.share] = "not mounted: its claim is being deleted"
        else:
            verified.append(mount)
    return verified, left_out
