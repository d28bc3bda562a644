# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner of one share in one namespace: what all kinds of backends have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, NoReturn, Optional

from ...._hub.acl_format import LEVELS
from ... import requests
from ...kubernetes.claim_update import UP_TO_DATE, ClaimUpdate
from ...kubernetes.claims import BLOCK, BOUND, LOST, Claim
from ...kubernetes.deletion import reject_terminating
from ...kubernetes.expansion import decide_expansion, failed_expansion
from ...kubernetes.facts import PATCH
from ...kubernetes.immutable import missing_access_mode, storage_class_difference
from ...kubernetes.volumes import READ_WRITE_MANY, Volume
from ...metadata import FOUND_ANNOTATION, KIND_LABEL, LEVEL_ANNOTATION
from ...plan import ADOPT, CREATE, KEEP, Change, Rejected, Unchanged
from ...quantity import format_size
from ...text import quote_list
from ..naming import describe_share, name_key, owner_labels, plain_name, share_label
from .changes import change_share, describe_location, keep_share, refuse_share, share_line
from .context import PlanContext
from .copies import copy_problem
from .desired import ShareTarget
from .observed import is_marked, reserved_for, reserved_volume, share_of
from .volumes import NO_UPDATE, VolumeSpec, VolumeUpdate, claim_manifest, mark_volume, update_volume

#: What a claim's size may do: grow as its class allows, only be compared (a static volume), or differ (a clone).
EXPAND, COMPARE, IGNORE = "expand", "compare", "ignore"


class TargetPlanner:
    """Plans one target. Its methods raise Rejected, and `decide` turns that into a refusal of the target."""

    def __init__(self, context: PlanContext, target: ShareTarget) -> None:
        self.context = context
        self.target = target
        self.share = target.share
        self.kind = target.share.kind
        self.observed = context.observed
        self.facts = context.facts

    def decide(self, plan: Callable[[], Change], name: str = "") -> Change:
        """Return the change that `plan` returns, or the refusal or the keep that it raises. `name` is that of the claim."""
        try:
            return plan()
        except Rejected as rejected:
            return refuse_share(self.target, rejected.reason, name or rejected.name)
        except Unchanged as unchanged:
            if unchanged.warns:
                self.warn(f"is kept: {unchanged.reason}")
            return keep_share(self.target, unchanged.reason, name or unchanged.name)

    def claim(self) -> Optional[Claim]:
        """Return the claim of the target, None when there is none or it is not known yet."""
        return self.observed.claim(self.target.namespace, self.target.claim)

    def has_our_volume(self, claim: Claim) -> bool:
        """Return whether the volume of a claim that lost our marks says that it is the share's."""
        volume = self.observed.bound_volume(claim)
        return (
            volume is not None
            and volume.share == self.share.name
            and volume.claim_uid == claim.uid
            and volume.is_for(self.target.namespace, claim.name)
        )

    def warn(self, reason: str) -> None:
        """Add an unreconcilable difference of the target."""
        self.context.add_unreconcilable(self.target, reason)

    def require_volumes(self) -> None:
        """Raise Rejected when this login may not read the volumes that the plan depends on."""
        if self.observed.volumes_error:
            raise Rejected(f"its volume cannot be read: {self.observed.volumes_error}")

    def require_patch(self, reasons: str) -> None:
        """Raise Rejected when this login may not patch volumes, which is needed for these reasons."""
        error = self.facts.volume_error(PATCH)
        if error:
            raise Rejected(f"{reasons}, but {error}: have that rule granted, or do it manually first")

    # -- claims and volumes that cannot belong to the share --

    def check_claim(self, claim: Claim) -> None:
        """Raise Rejected for a claim that cannot belong to this share."""
        other_use = reserved_for(claim)
        if other_use is not None:
            way_out = "use another claim" if self.share.is_existing_claim else f"give the {self.kind} another name"
            raise Rejected(f"claim {claim.name} is {other_use} and cannot be a {self.kind}: {way_out}")
        owner = share_of(claim)
        if owner is not None and owner not in (self.share.name, share_label(self.share.name)):
            raise Rejected(
                f"claim {claim.name} belongs to {describe_share(owner)}: make them one {self.kind}, or use another claim"
            )
        if claim.deleting:
            reject_terminating(self.target.namespace, claim, self.facts)
        if self.share.is_dynamic or self.share.is_existing_claim:
            self._check_copy(claim)

    def _check_copy(self, claim: Claim) -> None:
        """Raise Rejected for a claim whose content was copied from a home, or from what may be one.

        A claim that is the share's already only gets a warning when its source can no longer be read.
        """
        if claim.data_source is None:
            return
        problem = copy_problem(self.target.namespace, claim, self.observed, self.share.spec.level)
        if problem is None:
            return
        if not problem.is_known and self.is_trusted_copy(claim):
            self.warn(f"{problem.reason}: check that, and copy the data to a new share if it was one")
            return
        way_out = "copy what is no home's into a new claim without a data source, and use that"
        raise Rejected(f"claim {claim.name} {problem.reason}, so it cannot be a share: {way_out}")

    def is_trusted_copy(self, claim: Claim) -> bool:
        """Return whether a claim with content from an unreadable source was the share's before this run."""
        return is_marked(claim, self.share.name)

    def check_other_claims(self) -> None:
        """Raise Rejected when the share has another claim in this namespace, because `backend.claim` or the backend changed."""
        for claim in self.observed.claims_of(self.target.namespace, self.share.name):
            if claim.name != self.target.claim and not claim.deleting:
                raise Rejected(
                    f"the share already has the claim {claim.name}, and {self.target.claim} would hold other data: restore "
                    "`backend`, or, to move the share, create a new one there, copy the data and retire this one"
                )

    def check_volume(self, volume: Volume, claim: Optional[Claim]) -> None:
        """Raise Rejected for a volume that cannot belong to this share."""
        if volume.mode == BLOCK:
            raise Rejected(
                f"volume {volume.name} is a raw block device (volumeMode Block), and a {self.kind} needs a file system: use "
                "another volume"
            )
        home = reserved_volume(volume) if volume.share is None else None
        if home is not None:
            raise Rejected(
                f"volume {volume.name} is {home} and cannot be a {self.kind}: give the {self.kind} another name"
            )
        if volume.share is not None and volume.share != self.share.name:
            raise Rejected(
                f"volume {volume.name} belongs to {describe_share(volume.share)}, and a volume cannot belong to two "
                f"{self.kind}s: use a separate volume, or make them one {self.kind}"
            )
        if volume.claim_name and not volume.is_for(self.target.namespace, self.target.claim):
            raise Rejected(
                f"volume {volume.name} belongs to claim {volume.claim_name} in {volume.claim_namespace}, so it stays "
                f"unchanged: free the name of the volume, or give the {self.kind} another name"
            )
        if not volume.claim_name and volume.share is None and claim is None:
            raise Rejected(
                f"volume {volume.name} has the name of this {self.kind}'s volume, but not its labels: rename or delete the volume"
            )
        if volume.deleting and claim is None:
            raise Rejected(f"volume {volume.name} is being deleted: run again once it is gone (its data is kept)")

    # -- updates of existing objects --

    def update_volume(self, volume: Volume, claim: Optional[Claim], mount_options: Sequence[str] = ()) -> VolumeUpdate:
        """Return the update of a volume. Raises Rejected when this login may not patch it."""
        update = update_volume(self.target, volume, claim, mount_options)
        if update.operations:
            self.require_patch("; ".join(update.reasons))
        return update

    def mark_volume(self, claim: Claim) -> VolumeUpdate:
        """Return the update that marks the volume of a bound claim as the share's, so that its data keeps its level.

        The lowest level needs no mark, so no volume is read for it. A login that may not read or patch
        volumes gets a note: nothing is shared by that.
        """
        lowest = LEVELS[0]
        is_lowest = self.share.spec.level == claim.annotations.get(LEVEL_ANNOTATION, lowest) == lowest
        if not claim.volume or (is_lowest and not self._is_volume_marked(claim)):
            known = self.observed.known_volume(claim.volume)
            if known is not None and known.claim_uid == claim.uid:
                self.check_volume(known, claim)
            return NO_UPDATE
        volume = self.observed.bound_volume(claim)
        if self.observed.volumes_error:
            self.context.add_note(
                f"Volumes of shares are not marked with their levels and not compared: {self.observed.volumes_error}"
            )
        if volume is None or volume.claim_uid != claim.uid:
            return NO_UPDATE
        self.check_volume(volume, claim)
        update = mark_volume(self.target, volume)
        error = self.facts.volume_error(PATCH) if update.operations else None
        if error:
            self.context.add_note(f"Volumes of shares are not marked with their levels: {error}")
            return NO_UPDATE
        return update

    def _is_volume_marked(self, claim: Claim) -> bool:
        """Return whether the volume of a claim has a level, as far as it was read."""
        volume = self.observed.known_volume(claim.volume)
        return volume is not None and LEVEL_ANNOTATION in volume.annotations

    def update_claim(
        self,
        claim: Claim,
        volume: Optional[Volume] = None,
        volume_update: VolumeUpdate = NO_UPDATE,
        sizing: str = EXPAND,
    ) -> Change:
        """Plan the share's claim: labels, annotations, retirement and size. What cannot be changed is a warning.

        `volume_update` comes first. `sizing` is one of EXPAND, COMPARE and IGNORE.
        """
        update = ClaimUpdate(self.target.namespace, claim)
        self._update_metadata(update)
        update.unretire()
        update.add_requests(volume_update.operations, volume_update.reasons, volume_update.adopts)
        if sizing == EXPAND:
            self._expand(update)
        elif sizing == COMPARE:
            self._warn_of_static_size(claim)
        self._warn_of_immutable_fields(claim)
        if not volume_update.operations:
            self.warn_of_lost_volume(claim)
        if update.action == KEEP:
            return keep_share(self.target, UP_TO_DATE, claim.name)
        location = describe_location(claim.storage_class, claim.volume, volume.source if volume is not None else None)
        return change_share(
            update.action,
            self.target,
            update.reason,
            claim.name,
            before=share_line(self.target, claim.name, claim.size, location, update.before),
            after=share_line(self.target, claim.name, update.size, location, update.after),
            operations=update.operations(),
        )

    def bind_existing_volume(self, volume: Volume, desired: VolumeSpec) -> Change:
        """Create the claim of a volume that exists: after an interrupted run, a deleted claim, or a manual creation."""
        target = self.target
        self.check_volume(volume, None)
        if volume.phase == "Failed":
            raise Rejected(
                f"reclaiming volume {volume.name} failed, so its content is unknown: check it before running again"
            )
        if not volume.offers(target.access_mode):
            raise Rejected(
                f"volume {volume.name} does not offer {target.access_mode}, which a {self.kind} needs: create a new "
                f"{self.kind} for the data"
            )
        update = self.update_volume(volume, None, desired.mount_options)
        size, size_text = desired.size, desired.size_text
        if volume.capacity is not None and volume.capacity < size:
            # Kubernetes never binds a claim that requests more than its volume has.
            self.warn(f"gets the {volume.capacity_text} of its volume {volume.name}, not {size_text}")
            size, size_text = volume.capacity, volume.capacity_text
        manifest = claim_manifest(target, size_text, volume.storage_class, volume.name)
        return change_share(
            CREATE,
            target,
            "; ".join((f"volume {volume.name} exists and its claim does not", *update.reasons)),
            after=share_line(target, target.claim, size, describe_location("", volume.name, volume.source)),
            operations=(*update.operations, requests.create(requests.CLAIMS, target.namespace, manifest)),
        )

    def warn_of_lost_volume(self, claim: Claim) -> None:
        """Warn of a claim whose volume does not exist any more."""
        if claim.phase == LOST:
            self.warn(f"has lost its volume {claim.volume}: restore it, or create the share again under another name")

    def warn_of_failed_expansion(self, claim: Claim) -> None:
        """Warn of a claim whose last expansion failed."""
        failed = failed_expansion(claim)
        if failed:
            self.warn(failed)

    def warn_if_unbindable(
        self, claim: Claim, volume: str, capacity: Optional[int], access_modes: Sequence[str]
    ) -> None:
        """Warn of a claim that Kubernetes never binds to its volume.

        A claim that names its volume is bound whatever the two request and offer. The storage class of a reserved volume
        is ignored.
        """
        if claim.volume or claim.phase in (BOUND, LOST):
            return
        obstacles = []
        if claim.size is not None and capacity is not None and claim.size > capacity:
            obstacles.append(f"requests {format_size(claim.size)}, more than the {format_size(capacity)} of the volume")
        lacking = [mode for mode in claim.access_modes if mode not in access_modes]
        if lacking:
            obstacles.append(f"requests {quote_list(lacking)}, which the volume does not offer")
        if obstacles:
            self.warn(
                f"is never bound to its volume {volume}, because it {' and '.join(obstacles)}: delete the claim if nothing "
                "needs it, and run again"
            )

    def _update_metadata(self, update: ClaimUpdate) -> None:
        """Set our labels and annotations, which adopts the claim when they differ, and those of the inventory."""
        share, claim = self.share, update.claim
        given = share.spec.labels, share.spec.annotations
        labels = {key: share.labels[key] for key in (KIND_LABEL, name_key(share.name))}
        labels = {key: value for key, value in labels.items() if claim.labels.get(key) != value}
        key, name = name_key(share.name), plain_name(share.name)
        annotations = {key: name} if claim.annotations.get(key) != name else {}
        if labels or annotations:
            if self.is_found(claim):
                annotations[FOUND_ANNOTATION] = "true"
            update.adopt("the claim existed without this collection's labels", f"not labelled as a {share.kind}")
            update.set_metadata(labels, annotations)
        for key, value in owner_labels(share.name).items():
            if claim.labels.get(key) != value:
                update.set_metadata({key: value})
                if update.action != ADOPT:
                    update.reasons.append(f"it lacked the label {key}={value}")
                    update.after.append(f"label {key}={value}")
        level = share.annotations.get(LEVEL_ANNOTATION)
        before = claim.annotations.get(LEVEL_ANNOTATION)
        if level and before != level:
            update.set_metadata(annotations={LEVEL_ANNOTATION: level})
            if update.action != ADOPT:
                update.reasons.append(
                    f"its level is marked as {level}" if not before else f"its level changes to {level}"
                )
            if before:
                update.before.append(f"level {before}")
            update.after.append(f"level {level}")
        update.set_given(*given)

    def is_found(self, claim: Claim) -> bool:
        """Return whether a claim that is adopted existed before the share, so that it stays when the share is deleted."""
        is_ours = is_marked(claim, self.share.name) or self.has_our_volume(claim)
        return self.share.is_existing_claim or not is_ours

    def _expand(self, update: ClaimUpdate) -> None:
        share = self.share
        if share.size is not None:
            expansion = decide_expansion(share.size, share.size_text, update.claim, self.facts.storage_classes)
            if expansion.expands:
                update.expand(share.size, share.size_text)
                return
            if expansion.obstacle:
                self.warn(expansion.obstacle)
                return
        self.warn_of_failed_expansion(update.claim)

    def _warn_of_static_size(self, claim: Claim) -> None:
        """Warn of a claim whose size differs and whose volume is static, so that nothing can expand it."""
        size, has = self.share.size, claim.size
        if size is None or has is None or size == has or has < size <= (claim.capacity or 0):
            return
        self.warn(
            f"has {format_size(has)}, not {self.share.size_text}: Kubernetes expands only volumes that a class provisioned, and "
            "the storage itself limits what fits. Static volumes cannot be resized: restore `size`"
        )

    def _warn_of_immutable_fields(self, claim: Claim) -> None:
        needed = self.target.access_mode
        missing = "" if READ_WRITE_MANY in claim.access_modes else missing_access_mode(claim, needed)
        if missing:
            self.warn(
                f"{missing}: servers on different nodes may not be able to mount it together. Access modes apply to new claims "
                "only: move the data to a new share to change them"
            )
        if self.share.is_dynamic and claim.storage_class:
            difference = storage_class_difference(claim, self.share.spec.backend.storage_class)
            if difference:
                self.warn(difference)


def reject_missing_volume(claim: Claim, way_out: str = "restore that volume") -> NoReturn:
    """Raise Rejected for a claim that names a volume that does not exist."""
    raise Rejected(f"claim {claim.name} names volume {claim.volume}, which does not exist: {way_out}")
