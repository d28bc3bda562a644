# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A share with a static volume in a namespace: created for its claim, or created manually and adopted when it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ... import requests
from ...kubernetes.claims import LOST, Claim
from ...kubernetes.volumes import Volume
from ...plan import CREATE, Change, Rejected
from ...quantity import format_size
from ...text import quote_list
from ..backend_spec import HOST_PATH
from .backends import given_handle, static_source
from .changes import change_share, describe_location, share_line
from .desired import ShareTarget
from .sources import describe_source, minor_differences, source_difference
from .target import COMPARE, IGNORE, TargetPlanner, reject_missing_volume
from .volumes import NO_UPDATE, VolumeSpec, VolumeUpdate, claim_manifest, volume_manifest

_WAY_OUT = "other data is another share: create a new share there, copy the data and retire this one"


def volume_spec(target: ShareTarget) -> VolumeSpec:
    """Return the static volume that a share's entry declares for a namespace."""
    share = target.share
    return VolumeSpec(
        static_source(share.spec, target.namespace),
        share.size or 0,
        share.size_text,
        _mount_options(target),
        given_handle(share.spec.backend, target.namespace),
    )


def _mount_options(target: ShareTarget) -> Sequence[str]:
    """Return the mount options of a volume. With `ro` the node mounts it read-only, whatever a pod asks for."""
    backend = target.share.spec.backend
    if not target.is_read_only or backend.type == HOST_PATH:
        return backend.mount_options
    return (*(option for option in backend.mount_options if option not in ("rw", "ro")), "ro")


class StaticPlanner(TargetPlanner):
    """Plans a static volume and its claim."""

    def plan_static(self, desired: VolumeSpec, prerequisite: VolumeUpdate = NO_UPDATE) -> Change:
        """Plan a volume and its claim. `prerequisite` comes before the creation of the volume."""
        claim = self.claim()
        if claim is None:
            return self._plan_without_claim(desired, prerequisite)
        self.check_claim(claim)
        if not claim.volume:
            return self._plan_unbound_claim(claim, desired, prerequisite)
        volume = self.observed.volume(claim.volume)
        if volume is not None:
            return self._plan_bound_claim(claim, volume, desired)
        self.require_volumes()
        if claim.volume == self.target.volume:
            return self._plan_missing_volume(claim, desired, prerequisite)
        if claim.phase == LOST:
            return self.update_claim(claim, None, NO_UPDATE, _sizing(desired))
        return reject_missing_volume(claim, "restore that volume, or delete the claim so that it is created again")

    def _plan_without_claim(self, desired: VolumeSpec, prerequisite: VolumeUpdate) -> Change:
        fitting = self._fitting_volumes(desired)
        if len(fitting) > 1:
            names = quote_list([volume.name for volume in fitting])
            raise Rejected(f"volumes {names} are all reserved for its claim: remove the claimRef of all but one")
        if fitting:
            if not desired.clone_of:
                for difference in minor_differences(desired.source, fitting[0].source):
                    self.warn(f"gets a volume that {difference}: the source of a volume cannot be changed")
            return self.bind_existing_volume(fitting[0], desired)
        return self._create(desired, prerequisite)

    def _fitting_volumes(self, desired: VolumeSpec) -> list[Volume]:
        """Return the volumes reserved for the claim that hold the desired data. Raises Rejected for one that does not."""
        target = self.target
        own = self.observed.volume(target.volume)
        reserved = [own] if own is not None else []
        if own is None:
            reserved = self.observed.volumes_for(target.namespace, target.claim, unlabelled=True)
        self.require_volumes()
        fitting = []
        for volume in reserved:
            difference = source_difference(desired.source, volume.source, desired.handle)
            if difference is None:
                fitting.append(volume)
            elif volume is own or (volume.phase == "Available" and volume.share is None):
                raise Rejected(f"volume {volume.name}, reserved for its claim, {difference}: {_WAY_OUT}")
            elif volume.share == self.share.name:
                self.warn(f"left behind volume {volume.name}, which {difference}: that volume stays unchanged")
        return fitting

    def _create(self, desired: VolumeSpec, prerequisite: VolumeUpdate) -> Change:
        target = self.target
        reason = f"the {self.kind} is not in {target.namespace} yet"
        if desired.clone_of:
            reason += f"; it gets a clone of volume {desired.clone_of}"
        claim = claim_manifest(target, desired.size_text, "", target.volume)
        return change_share(
            CREATE,
            target,
            "; ".join((reason, *prerequisite.reasons)),
            after=share_line(target, target.claim, desired.size, describe_location("", target.volume, desired.source)),
            operations=(
                *prerequisite.operations,
                requests.create(requests.VOLUMES, "", volume_manifest(target, desired)),
                requests.create(requests.CLAIMS, target.namespace, claim),
            ),
        )

    def _plan_unbound_claim(self, claim: Claim, desired: VolumeSpec, prerequisite: VolumeUpdate) -> Change:
        """Plan a claim that names no volume. Kubernetes binds it to the reserved volume if it requests no class."""
        target = self.target
        if claim.storage_class != "":
            name = f"class {claim.storage_class}" if claim.storage_class else "the default class"
            raise Rejected(
                f"claim {claim.name} waits for a volume of {name}, not for {describe_source(desired.source)}: delete it if "
                "nothing needs it, and run again"
            )
        reserved = self.observed.volume(target.volume)
        candidates = (
            [reserved]
            if reserved is not None
            else self.observed.volumes_for(target.namespace, target.claim, unlabelled=True)
        )
        self.require_volumes()
        for volume in candidates:
            if volume is reserved or source_difference(desired.source, volume.source, desired.handle) is None:
                return self._plan_bound_claim(claim, volume, desired)
        return self._plan_missing_volume(claim, desired, prerequisite)

    def _plan_missing_volume(self, claim: Claim, desired: VolumeSpec, prerequisite: VolumeUpdate) -> Change:
        """Create the volume of a claim that exists: a run was interrupted, or somebody deleted the volume."""
        target = self.target
        if claim.size is not None and claim.size > desired.size:
            desired = desired._replace(size=claim.size, size_text=format_size(claim.size))
        lost = claim.phase == LOST
        self.warn_if_unbindable(claim, target.volume, desired.size, (target.access_mode,))
        manifest = volume_manifest(target, desired, claim.uid if lost else "")
        update = VolumeUpdate(
            (*prerequisite.operations, requests.create(requests.VOLUMES, "", manifest)),
            (*prerequisite.reasons, f"its volume {target.volume} is {'created again' if lost else 'created'}"),
        )
        change = self.update_claim(claim, None, update, _sizing(desired))
        location = describe_location("", target.volume, desired.source)
        return replace(change, after=share_line(target, claim.name, claim.size, location))

    def _plan_bound_claim(self, claim: Claim, volume: Volume, desired: VolumeSpec) -> Change:
        self.check_volume(volume, claim)
        difference = source_difference(desired.source, volume.source, desired.handle)
        if difference is not None:
            raise Rejected(f"volume {volume.name} of claim {claim.name} {difference}: {_WAY_OUT}")
        update = self.update_volume(volume, claim, () if desired.clone_of else desired.mount_options)
        self.warn_if_unbindable(claim, volume.name, volume.capacity, volume.access_modes)
        if volume.deleting:
            self.warn(f"keeps its volume {volume.name} only until the claim is deleted: somebody deleted the volume")
        if not desired.clone_of:
            for minor in minor_differences(desired.source, volume.source):
                self.warn(f"is on a volume that {minor}: the source of a volume cannot be changed")
        return self.update_claim(claim, volume, update, _sizing(desired))


def _sizing(desired: VolumeSpec) -> str:
    """Return how the size of a claim is treated. A clone has the size of its origin."""
    return IGNORE if desired.clone_of else COMPARE
