# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which homes a run that waits still waits for, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..plan import Change
from ..quantity import format_size
from .claims import Claim
from .facts import ClusterFacts


def readiness(
    claims: Iterable[Claim], desired: Mapping[str, Change], facts: ClusterFacts
) -> tuple[dict[str, str], list[str]]:
    """Return (claim -> what is still missing, warnings for what no waiting brings).

    A claim that waits for its first consumer is ready as far as anyone can make it; a file system that is resized on
    its next mount is told, not waited for.
    """
    pending: dict[str, str] = {}
    warnings: list[str] = []
    for claim in claims:
        change = desired.get(claim.name)
        if change is None:
            continue
        if claim.phase == "Lost":
            warnings.append(f"{claim.name} has lost its volume {claim.volume}: no waiting brings it back")
        elif claim.phase != "Bound":
            classes = facts.classes() or {}
            name = claim.storage_class if claim.storage_class is not None else facts.default_class()
            known = classes.get(name or "")
            if not (known and known.waits_for_consumer):
                pending[claim.name] = f"{claim.name} is not bound to a volume"
        elif claim.size is not None and (claim.capacity or 0) < claim.size:
            has, asked = format_size(claim.capacity or 0), format_size(claim.size)
            if "FileSystemResizePending" in claim.conditions:
                warnings.append(
                    f"{claim.name} has {has} of {asked} until its file system is resized, which happens when a pod mounts "
                    "it next"
                )
            else:
                doing = " and is being resized" if "Resizing" in claim.conditions else ""
                pending[claim.name] = f"{claim.name} has {has} of {asked}{doing}"
    return pending, warnings
