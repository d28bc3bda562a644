# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Levels of data: claims and volumes carry the level of their share, and data keeps it under any name of a share.

The marks on volumes count most, because whoever may edit claims of a namespace cannot edit volumes. Volumes that are released
or retired are compared too: a share that was taken off the list and comes back holds the same data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Optional

from ...._hub.acl_format import LEVELS
from ...kubernetes.claims import Claim
from ...kubernetes.volumes import Volume
from ...metadata import KIND_TREE, LEVEL_ANNOTATION, PRESENT, RETIRED_ANNOTATION
from ...plan import REFUSE, UPDATE, Change
from ..places import MAY_BE
from .changes import keep_share, refuse_share
from .conflicts import ConflictFinder
from .context import PlanContext
from .desired import ShareTarget
from .observed import is_marked, share_of
from .volume_index import VolumeIndex


class _Mark(NamedTuple):
    """A level that was in force for some data, the object that says so, and the share that it names."""

    level: str
    subject: str
    share: str


def reject_lowered_levels(context: PlanContext, conflicts: ConflictFinder, changes: Sequence[Change]) -> list[Change]:
    """Return the changes, with a refusal for each one that would lower the level of data without consent."""
    guard = _LevelGuard(context, conflicts)
    return [guard.check(change) if change.action != REFUSE and _sets_level(change) else change for change in changes]


class _LevelGuard:
    def __init__(self, context: PlanContext, conflicts: ConflictFinder) -> None:
        self.context = context
        self.observed = context.observed
        self.conflicts = conflicts
        self._index: Optional[VolumeIndex] = None

    def check(self, change: Change) -> Change:
        """Return the change, or a refusal when a stricter level was in force for its data.

        Whoever may edit claims can write a level on the claim of a share in force, but not on its volume. Such a share is left
        as it is and reported, so that others are not held up.
        """
        target: ShareTarget = change.subject
        level, consent = target.share.spec.level, self.context.settings.declassify
        if target.share.name in consent:
            return change
        for mark in self._marks(change):
            if mark.level in LEVELS and LEVELS.index(mark.level) > LEVELS.index(level) and mark.share not in consent:
                if self._is_on_claim_alone(change):
                    self.context.add_unreconcilable(
                        target,
                        f"has the level {mark.level}, but its entry says {level} and its volume has none: set `declassify: "
                        f"[{target.share.name}]` to have the level {level} again, and check who may edit claims there",
                    )
                    return keep_share(
                        target, f"its claim has the level {mark.level}, and its volume has none", change.name
                    )
                data = f"its data is {mark.level} ({mark.subject})"
                reason = (
                    f"{data}, and every server reads a tree: give the tree a separate place"
                    if target.share.kind == KIND_TREE
                    else f"{data}, and the entry says {level}: set `declassify: [{target.share.name}]` to lower the level, or "
                    f"write the level {mark.level}"
                )
                return refuse_share(target, reason, change.name)
        return change

    def _is_on_claim_alone(self, change: Change) -> bool:
        """Return whether the claim of a share in force has a level and its volume, which was read, has none."""
        claim, volume = self.observed.claim(change.namespace, change.name), self.conflicts.volume_of(change)
        if change.action != UPDATE or claim is None or volume is None or claim.retired_at is not None:
            return False
        return is_marked(claim, change.subject.share.name) and LEVEL_ANNOTATION not in volume.annotations

    def _marks(self, change: Change) -> Iterator[_Mark]:
        """Yield the marks of a change's own claim and volume, and of all volumes that its data overlaps.

        What a share in force overlaps is reported, not rejected: its level does not change.
        """
        claim = self.observed.claim(change.namespace, change.name)
        volume = self.conflicts.volume_of(change)
        yield from _marks_of(volume, claim, change.namespace)
        if claim is not None and _is_in_force(change, claim):
            return
        volumes = self.observed.all_volumes() if volume is not None else None
        if volume is None or volumes is None:
            return
        self._index = self._index or VolumeIndex(volumes)
        for other, relation in self._index.related(volume):
            if relation != MAY_BE:
                yield from _marks_of(other, self._claim_of(other), other.claim_namespace)

    def _claim_of(self, volume: Volume) -> Optional[Claim]:
        if LEVEL_ANNOTATION in volume.annotations or not volume.claim_name or volume.phase in ("Released", "Failed"):
            return None
        claim = self.observed.claim(volume.claim_namespace, volume.claim_name)
        return claim if claim is not None and claim.volume in ("", volume.name) else None


def _marks_of(volume: Optional[Volume], claim: Optional[Claim], namespace: str) -> Iterator[_Mark]:
    level = volume.annotations.get(LEVEL_ANNOTATION) if volume is not None else None
    if volume is not None and level:
        yield _Mark(level, f"volume {volume.name}", volume.share or "")
    elif claim is not None and claim.annotations.get(LEVEL_ANNOTATION):
        subject = f"claim {claim.name} in {namespace}"
        yield _Mark(claim.annotations[LEVEL_ANNOTATION], subject, share_of(claim) or "")


def _is_in_force(change: Change, claim: Claim) -> bool:
    """Return whether a change keeps the level of a share in force, and only marks its volume."""
    level = change.subject.share.spec.level
    return change.action == UPDATE and claim.retired_at is None and claim.annotations.get(LEVEL_ANNOTATION) == level


def _sets_level(change: Change) -> bool:
    """Return whether a change of a present share writes the mark of a level, or ends a retirement."""
    if change.subject.share.state != PRESENT:
        return False
    bodies = (request.body for request in change.operations if isinstance(request.body, Mapping))
    marks = {LEVEL_ANNOTATION, RETIRED_ANNOTATION}
    return any(marks & {*((body.get("metadata") or {}).get("annotations") or {})} for body in bodies)
