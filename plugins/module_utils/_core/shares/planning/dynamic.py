# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A share with a storage class: one claim whose volume the class provisions, and static clones in the other namespaces.

The claim whose volume is cloned is the origin. Whoever may edit claims can write our marks on a claim, and a name is nobody's
proof, so an origin needs a mark on its volume (`CLAIM_UID_ANNOTATION`) or the operator's consent (`adopt: true`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, NoReturn, Optional

from ... import requests
from ...kubernetes.claims import BOUND, LOST, Claim
from ...kubernetes.volumes import PROVISIONED_BY_ANNOTATION, RETAIN, Volume
from ...metadata import CLAIM_UID_ANNOTATION, FOUND_ANNOTATION, KIND_LABEL, KIND_SHARE, SHARE_KEY
from ...plan import CREATE, Change, Rejected, Unchanged
from .backends import clone_source
from .changes import change_share, describe_location, share_line
from .context import PlanContext
from .desired import Share, ShareTarget
from .observed import is_marked, reserved_for, share_of
from .sources import describe_source, is_same_data
from .static import StaticPlanner
from .target import EXPAND, IGNORE, reject_missing_volume
from .volumes import NO_UPDATE, VolumeSpec, VolumeUpdate, claim_manifest, mark_origin, retain_volume


def plan_dynamic(context: PlanContext, share: Share) -> list[Change]:
    """Plan a share of a storage class in all its namespaces, because one of them has the volume that the others clone."""
    planners = [_DynamicPlanner(context, target) for target in share.targets()]
    if len(planners) == 1:
        return [planners[0].decide(planners[0].plan_single)]
    existing = [planner.existing() for planner in planners]
    origin = _origin(existing)
    first = next((here for here in existing if here.claim is not None and not here.claim.deleting), existing[0])
    if origin is None:
        return [
            planner.decide(partial(planner.plan_before_binding, here, first))
            for planner, here in zip(planners, existing)
        ]
    return [planner.decide(partial(planner.plan_beside, here, origin)) for planner, here in zip(planners, existing)]


class _Existing(NamedTuple):
    """What a target has: a claim and its volume, or a volume that a deleted claim left behind."""

    target: ShareTarget
    claim: Optional[Claim] = None
    volume: Optional[Volume] = None

    @property
    def is_usable(self) -> bool:
        """Whether this can be the share. If not, the plan of the target says why."""
        claim, volume, share = self.claim, self.volume, self.target.share
        if claim is not None and (claim.deleting or reserved_for(claim) or share_of(claim) not in (None, share.name)):
            return False
        if volume is None or volume.share not in (None, share.name):
            return False
        if claim is not None and not volume.is_for(self.target.namespace, claim.name):
            return False
        return claim is None or volume.claim_uid in ("", claim.uid) or volume.phase == "Released"

    @property
    def is_trusted(self) -> bool:
        """Whether marks on the volume, which only an administrator can write, say that this is the share's data."""
        volume = self.volume
        if volume is None:
            return False
        if volume.name == self.target.volume:
            return volume.share == self.target.share.name  # our clone, or another static volume of ours
        uid = volume.annotations.get(CLAIM_UID_ANNOTATION)
        if self.claim is None:
            return uid is not None
        return uid == self.claim.uid == volume.claim_uid

    @property
    def rank(self) -> tuple[bool, bool, bool, bool]:
        """The order of candidates for the origin of clones: trusted, not our clone, provisioned by a class, with a claim."""
        volume = self.volume
        if volume is None:
            return (True, True, True, True)
        is_ours = volume.name == self.target.volume
        is_provisioned = PROVISIONED_BY_ANNOTATION in volume.annotations
        return (not self.is_trusted, is_ours, not is_provisioned, self.claim is None)


def _origin(existing: Sequence[_Existing]) -> Optional[_Existing]:
    """Return the target whose volume the others clone, None when no usable volume exists."""
    return min((here for here in existing if here.is_usable), key=lambda here: here.rank, default=None)


class _DynamicPlanner(StaticPlanner):
    """Plans one target of a share of a storage class."""

    def existing(self) -> _Existing:
        """Return what the target has."""
        claim = self.claim()
        if claim is None:
            released = self._released_volumes()
            return _Existing(self.target, None, released[0] if released else None)
        return _Existing(self.target, claim, self.observed.bound_volume(claim))

    def plan_single(self) -> Change:
        """Plan the only namespace of a share. Its volume matters only without a claim, or when it may be one of ours."""
        claim = self.claim()
        if claim is None:
            return self._plan_single_without_claim()
        self.check_claim(claim)
        self._check_consent(claim)
        self._reject_adopted_static_volume(claim)
        if claim.volume and (claim.volume == self.target.volume or claim.phase != BOUND):
            # Static by its name: a clone that outlived its origin, or a share that had another backend. Or not bound to
            # the volume that it names.
            volume = self.observed.volume(claim.volume)
            self.require_volumes()
            if volume is not None:
                self._reject_static_volume(volume)
                return self._update_bound_claim(claim, volume, is_clone=volume.name == self.target.volume)
        return self.update_claim(claim, None, self.mark_volume(claim))

    def plan_before_binding(self, here: _Existing, first: _Existing) -> Change:
        """Plan a target when no volume exists yet. `first` has the claim that gets one, and the others wait for it."""
        claim = here.claim
        if claim is not None:
            self.check_claim(claim)
            self._check_consent(claim)
            self.require_volumes()
            if here is not first and claim.volume != self.target.volume and claim.phase != LOST:
                self._reject_second_claim(claim, first)
            return self.update_claim(claim)
        if here is not first:
            return self._wait_for(first.target)
        self.require_volumes()
        return self._create_claim()

    def plan_beside(self, here: _Existing, origin: _Existing) -> Change:
        """Plan a target when the volume of `origin` (which may be this target) is known."""
        target, claim, volume = here
        if claim is not None:
            self.check_claim(claim)
            self._check_consent(claim)
        self.require_volumes()
        if volume is None:
            return self._clone(claim, origin)
        self._check_same_data(here, volume, origin)
        is_origin = here is origin and volume.name != target.volume
        if claim is not None:
            return self._update_bound_claim(claim, volume, is_clone=not is_origin, is_origin=here is origin)
        self._reject_several_volumes(self._released_volumes())
        if is_origin:
            return self._bind_released_volume(volume)
        return self.bind_existing_volume(volume, VolumeSpec(volume.source, volume.capacity or 0, volume.capacity_text))

    # -- without a claim --

    def _plan_single_without_claim(self) -> Change:
        released = self._released_volumes(unlabelled=True)
        if self.observed.volumes_error:
            self.context.add_note(
                f"Whether a deleted claim of a share left its volume behind is unknown: {self.observed.volumes_error}"
            )
        self._reject_several_volumes(released)
        if not released:
            return self._create_claim()
        self._reject_static_volume(released[0])
        return self._bind_released_volume(released[0])

    def _released_volumes(self, unlabelled: bool = False) -> list[Volume]:
        """Return the share's volumes without a claim. `unlabelled` reads all volumes, because the next step needs them."""
        found = self.observed.volumes_for(self.target.namespace, self.target.claim, unlabelled)
        return [volume for volume in found if volume.share == self.share.name and not volume.deleting]

    def _bind_released_volume(self, volume: Volume) -> Change:
        return self.bind_existing_volume(volume, VolumeSpec(volume.source, self.share.size or 0, self.share.size_text))

    def _create_claim(self) -> Change:
        """Create a claim, and so a new and empty volume."""
        target, share = self.target, self.share
        for volume in self.observed.volumes_for(target.namespace, target.claim, unlabelled=True):
            if volume.share is None and (volume.claim_uid or volume.phase in ("Released", "Failed")):
                raise Rejected(
                    f"its claim was deleted and left volume {volume.name}, which lacks the share's labels, so the share would "
                    f"start empty: to use that data again, set the label {KIND_LABEL}={KIND_SHARE} and the annotation "
                    f"{SHARE_KEY}={share.name} on the volume; otherwise remove its claimRef"
                )
        storage_class = share.spec.backend.storage_class
        manifest = claim_manifest(target, share.size_text, storage_class)
        return change_share(
            CREATE,
            target,
            f"the share is not in {target.namespace} yet",
            after=share_line(target, target.claim, share.size, describe_location(storage_class, "", None)),
            operations=(requests.create(requests.CLAIMS, target.namespace, manifest),),
        )

    def _clone(self, claim: Optional[Claim], origin: _Existing) -> Change:
        """Plan a static volume over the data of the origin's volume."""
        source = origin.volume
        if source is None:
            return self._wait_for(origin.target)
        if claim is not None and claim.volume != self.target.volume:
            if claim.phase == LOST:
                return self.update_claim(claim, None, NO_UPDATE, IGNORE)
            if claim.volume:
                reject_missing_volume(claim)
            self._reject_second_claim(claim, origin)
        self._check_origin(origin, source)
        desired = VolumeSpec(
            clone_source(source, self.share.spec.backend, self.target.volume),
            source.capacity or 0,
            source.capacity_text,
            source.mount_options,
            clone_of=source.name,
            affinity=source.affinity,
        )
        return self.plan_static(desired, self._retain_before_cloning(source))

    def _retain_before_cloning(self, source: Volume) -> VolumeUpdate:
        """Return the update that sets the origin to Retain: most policies would delete the data and so that of all clones."""
        if source.policy == RETAIN:
            return NO_UPDATE
        self.require_patch(
            f"volume {source.name} would be deleted with its claim ({source.policy}), so it is not shared with "
            f"{self.target.namespace} until it is set to Retain"
        )
        return VolumeUpdate((retain_volume(source),), (f"volume {source.name} is set to Retain first",))

    def _wait_for(self, first: ShareTarget) -> NoReturn:
        """Raise Unchanged, with a warning, for a target that cannot be created before another one has its volume."""
        why = (
            f"does not exist yet, because its claim in {first.namespace} is not bound to a volume: run again once it is"
        )
        self.warn(why)
        raise Unchanged(why)

    # -- with a volume --

    def _update_bound_claim(self, claim: Claim, volume: Volume, is_clone: bool, is_origin: bool = False) -> Change:
        self.check_volume(volume, claim)
        update = self.update_volume(volume, claim)
        if is_origin and self.share.spec.adopt and not _Existing(self.target, claim, volume).is_trusted:
            update = self._mark_origin(update, volume, claim)
        return self.update_claim(claim, volume, update, IGNORE if is_clone else EXPAND)

    def _mark_origin(self, update: VolumeUpdate, volume: Volume, claim: Claim) -> VolumeUpdate:
        """Return the update of a volume with our mark that its claim is the origin of clones, as the operator consents."""
        if volume.claim_uid != claim.uid:
            return update
        reason = (
            f"its volume {volume.name} is marked as the one to copy to other namespaces, with the consent of `adopt`"
        )
        self.require_patch(reason)
        request = mark_origin(volume, claim.uid)
        return VolumeUpdate((*update.operations, request), (*update.reasons, reason), update.adopts)

    # -- consent --

    def is_trusted_copy(self, claim: Claim) -> bool:
        """Return whether a claim was the share's before this run. If its data is copied, only the volume can say that."""
        if len(self.share.namespaces) == 1:
            return is_marked(claim, self.share.name)
        volume = self.observed.bound_volume(claim)
        return volume is not None and _Existing(self.target, claim, volume).is_trusted

    def _check_consent(self, claim: Claim) -> None:
        """Raise Rejected for a claim that merely has the share's name, unless the entry says to adopt it."""
        if self.share.spec.adopt or is_marked(claim, self.share.name) or self.has_our_volume(claim):
            return
        raise Rejected(
            f"claim {claim.name} exists and nothing marks it as this share's, and its name gives nobody its data: to share what "
            f"the claim holds, write in the share's entry\n{self._consent()}\n  or else give the share another name"
        )

    def _check_origin(self, origin: _Existing, volume: Volume) -> None:
        """Raise Rejected when nothing but marks that others can write says that a volume may be copied for this target."""
        if self.share.spec.adopt or origin.is_trusted:
            return
        what = f"claim {origin.claim.name} in {origin.target.namespace}" if origin.claim is not None else "no claim"
        raise Rejected(
            f"it would get a copy of volume {volume.name} of {what}, and no run recorded on that volume that this is the claim "
            "that was created for the share. Whoever may edit claims there could have made it anew, so confirm it "
            f"once in the share's entry\n{self._consent()}\n  if it holds what is to be shared"
        )

    def _consent(self) -> str:
        """Return the lines of the entry that consent to the claim."""
        return f"    - name: {self.share.name}\n      adopt: true"

    def _check_same_data(self, here: _Existing, volume: Volume, origin: _Existing) -> None:
        """Raise Rejected for a volume with other data than that of the origin, or of a static backend before."""
        is_same = here is origin or origin.volume is None or is_same_data(volume.source, origin.volume.source)
        # A clone that lost its labels is still a clone.
        if here is origin or not is_same or volume.share is not None:
            self._reject_static_volume(volume)
        if not is_same and origin.volume is not None:
            raise Rejected(
                f"its volume {volume.name} is {describe_source(volume.source)}, and that of {origin.target.namespace} is "
                f"{describe_source(origin.volume.source)}: a share has one location, so retire it in one of the two namespaces"
            )

    def _reject_static_volume(self, volume: Volume) -> None:
        """Raise Rejected when the share had a static backend before."""
        is_ours = volume.name == self.target.volume and volume.share in (None, self.share.name)
        if is_ours and volume.clone_of is None:
            self._reject_other_backend(volume)

    def _reject_adopted_static_volume(self, claim: Claim) -> None:
        """Raise Rejected when the share had a static backend before, with a volume that was created manually.

        Its claim has no class then, and its volume, which no class provisioned, has our labels without being a clone.
        """
        if not claim.volume or claim.storage_class != "" or claim.volume == self.target.volume:
            return
        if FOUND_ANNOTATION in claim.annotations:
            return  # Adopted by consent, whatever its volume is.
        volume = self.observed.volume(claim.volume)
        if volume is None or volume.share != self.share.name or volume.clone_of is not None:
            return
        if PROVISIONED_BY_ANNOTATION not in volume.annotations:
            self._reject_other_backend(volume)

    def _reject_other_backend(self, volume: Volume) -> None:
        raise Rejected(
            f"its volume {volume.name} is {describe_source(volume.source)}, not of a storage class. A share cannot change its "
            "backend, because that would be other data: create a new share with it, copy the data and retire this one"
        )

    def _reject_second_claim(self, claim: Claim, first: _Existing) -> None:
        raise Rejected(
            f"claim {claim.name} waits for a volume of its own beside that of {first.target.namespace}, and would hold other "
            "data: delete it if nothing needs it, and run again"
        )

    def _reject_several_volumes(self, released: Sequence[Volume]) -> None:
        if len(released) > 1:
            names = " and ".join(volume.name for volume in released)
            raise Rejected(
                f"deleted claims left the volumes {names}, and which one to use is unknown: remove the label {KIND_LABEL} from "
                "the others"
            )
