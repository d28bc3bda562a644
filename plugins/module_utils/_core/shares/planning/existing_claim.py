# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A share whose claim somebody else creates (`existing_claim`)."""

from __future__ import annotations

from typing import NoReturn, Optional

from ...kubernetes.volumes import PROVISIONED_BY_ANNOTATION, Volume
from ...plan import ADOPT, Change, Rejected, Unchanged
from ..places import known_places
from .desired import ShareTarget
from .sources import describe_source, is_same_data
from .target import TargetPlanner
from .volumes import NO_UPDATE


class ExistingClaimPlanner(TargetPlanner):
    """Plans a claim that must exist, and whose data must be the same in all namespaces of the share."""

    def plan(self) -> Change:
        """Return the change of the target."""
        claim = self.claim()
        if claim is None:
            self._reject_missing_claim()
        self.check_claim(claim)
        several = len(self.share.namespaces) > 1
        volume = self.observed.bound_volume(claim) if several else None
        update = NO_UPDATE if several else self.mark_volume(claim)
        if several and claim.volume:
            # Several volumes may hold the same data, and one of them with the policy Delete would delete it.
            self.require_volumes()
            if volume is not None and volume.claim_uid == claim.uid:
                self.check_volume(volume, claim)
                update = self.update_volume(volume, claim)
        change = self.update_claim(claim, volume, update)
        if volume is not None and volume.claim_uid == claim.uid:
            self._check_same_data(volume, is_new=change.action == ADOPT)
        return change

    def _reject_missing_claim(self) -> NoReturn:
        reason = f"claim {self.target.claim} does not exist"
        if self.context.settings.allows_missing:
            self.warn("does not exist; an earlier task may create it")
            raise Unchanged(reason)
        raise Rejected(
            f"{reason}: create it first, correct `backend.claim`, or give the share a backend that creates its claim"
        )

    def _check_same_data(self, volume: Volume, is_new: bool) -> None:
        """Raise Rejected when a claim of the share in another namespace has other data."""
        for other in self.share.targets():
            other_volume = self._bound_volume(other) if other.namespace != self.target.namespace else None
            if other_volume is None or is_same_data(volume.source, other_volume.source):
                continue
            pair = (volume, other_volume)
            here, there = (f"{describe_source(item.source)} (volume {item.name})" for item in pair)
            is_known = any(known_places(item.source) for item in pair)
            if is_known or all(PROVISIONED_BY_ANNOTATION in item.annotations for item in pair):
                raise Rejected(
                    f"its claim {self.target.claim} is {here}, and that in {other.namespace} is {there}: a share has one "
                    "location, so make them two shares"
                )
            if is_new:
                # An unknown driver may have several handles for the same data.
                self.context.add_note(
                    f"{self.share.title}: whether {here} in {self.target.namespace} and {there} in {other.namespace} are the "
                    "same data is unknown: check that they are"
                )

    def _bound_volume(self, target: ShareTarget) -> Optional[Volume]:
        """Return the volume bound to the claim of a target."""
        claim = self.observed.claim(target.namespace, target.claim)
        volume = self.observed.bound_volume(claim)
        return volume if claim is not None and volume is not None and volume.claim_uid == claim.uid else None
