# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deletion of claims: what must be true before a claim is deleted, and what keeps a claim that is being deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from ..plan import Rejected, Unchanged
from ..text import quote_list
from .claims import Claim
from .facts import PATCH, ClusterFacts
from .retention import Retention


def check_deletion(namespace: str, claim: Claim, retention: Retention, facts: ClusterFacts) -> datetime:
    """Return since when a claim is retired, if it may be deleted: its retention is over and no pod mounts it.

    Raises Rejected when the input is wrong or a fact cannot be read, and Unchanged when a later run may delete it.
    """
    since = retention.check(claim.retired_at, f"claim {claim.name}")
    mounts = facts.mounts(namespace, claim.name)
    if mounts.error:
        raise Rejected(f"whether a pod mounts claim {claim.name} is unknown: {mounts.error}")
    if mounts.pods:
        raise Unchanged(f"{_mounting(mounts.pods)} it, stop that server first", warns=True)
    return since


def check_retain(subject: str, facts: ClusterFacts, way_out: str) -> None:
    """Raise Rejected when this login may not set the volume of `subject` ("claim x") to Retain."""
    error = facts.volume_error(PATCH)
    if error:
        raise Rejected(f"the volume of {subject} cannot be set to Retain: {error}; {way_out}")


def reject_terminating(namespace: str, claim: Claim, facts: ClusterFacts) -> NoReturn:
    """Raise Rejected for a claim that is needed and is being deleted, and name the pods that still mount it."""
    mounts = facts.mounts(namespace, claim.name)
    state = f"claim {claim.name} is being deleted"
    if mounts.error:
        raise Rejected(
            f"{state}, and whether a pod still mounts it is unknown because pods cannot be listed: run again once the "
            "claim is gone",
            claim.name,
        )
    if mounts.pods:
        raise Rejected(
            f"{state}, and {_mounting(mounts.pods, 'still ')} it: stop that pod and run again once the claim is gone",
            claim.name,
        )
    raise Rejected(f"{state}, and no pod mounts it: run again once the claim is gone", claim.name)


def _mounting(pods: Sequence[str], adverb: str = "") -> str:
    return f"pod {pods[0]} {adverb}mounts" if len(pods) == 1 else f"pods {quote_list(pods)} {adverb}mount"
