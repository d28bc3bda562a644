# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests of a share's claim and static volume, and the update of a volume that exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Optional

from ... import requests
from ...kubernetes.claims import LOST, Claim
from ...kubernetes.volumes import RETAIN, Volume, VolumeSource
from ...metadata import CLAIM_UID_ANNOTATION, CLONE_ANNOTATION, RETIRED_ANNOTATION
from ..naming import owner_labels
from .desired import ShareTarget

_CLAIM_UID = ("spec", "claimRef", "uid")
_IS_RETAIN: tuple[tuple[str, ...], Any] = (("spec", "persistentVolumeReclaimPolicy"), RETAIN)


class VolumeSpec(NamedTuple):
    """The desired static volume of a share in a namespace. `size` is in bytes.

    `handle` is the CSI volume handle that its entry sets, "" without one. `clone_of` is the volume that it clones.
    """

    source: VolumeSource
    size: int
    size_text: str
    mount_options: Sequence[str] = ()
    handle: str = ""
    clone_of: str = ""
    affinity: Optional[Mapping[str, Any]] = None


class VolumeUpdate(NamedTuple):
    """The requests that update a volume, with a reason each. Both are empty when the volume is up to date."""

    operations: tuple[requests.ApiRequest, ...] = ()
    reasons: tuple[str, ...] = ()
    adopts: bool = False


NO_UPDATE = VolumeUpdate()


def claim_manifest(target: ShareTarget, size: str, storage_class: Optional[str], volume: str = "") -> dict[str, Any]:
    """Return the claim of a share in a namespace. `storage_class` is None for the default class, "" for no class."""
    spec: dict[str, Any] = {"accessModes": [target.access_mode], "resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    if volume:
        spec["volumeName"] = volume
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": target.claim,
            "labels": {**target.share.labels, **owner_labels(target.share.name)},
            "annotations": target.share.annotations,
        },
        "spec": spec,
    }


def volume_manifest(target: ShareTarget, desired: VolumeSpec, claim_uid: str = "") -> dict[str, Any]:
    """Return the static volume of a share in a namespace, reserved for its claim and with the policy Retain.

    `claim_uid` is for a claim that lost its volume: Kubernetes binds such a claim only to a volume that names its UID.
    """
    spec: dict[str, Any] = {
        "capacity": {"storage": desired.size_text},
        "accessModes": [target.access_mode],
        "persistentVolumeReclaimPolicy": RETAIN,
        "storageClassName": "",
        "claimRef": _claim_reference(target, claim_uid),
        desired.source.kind: desired.source.fields,
    }
    if desired.mount_options:
        spec["mountOptions"] = list(desired.mount_options)
    if desired.affinity:
        spec["nodeAffinity"] = desired.affinity
    annotations = dict(target.share.annotations)
    if desired.clone_of:
        annotations[CLONE_ANNOTATION] = desired.clone_of
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": target.volume, "labels": target.share.labels, "annotations": annotations},
        "spec": spec,
    }


def retain_volume(volume: Volume) -> requests.ApiRequest:
    """Set a volume to Retain unless it was replaced since it was read, whatever claim it has."""
    changes = requests.JsonPatch(replaces={"/spec/persistentVolumeReclaimPolicy": RETAIN})
    return _patch_same_volume(volume, changes, (_IS_RETAIN,))


def mark_origin(volume: Volume, claim_uid: str) -> requests.ApiRequest:
    """Mark a volume as that of the share's first claim, which other namespaces get copies of."""
    body = {"metadata": {"annotations": {CLAIM_UID_ANNOTATION: claim_uid}}}
    return requests.patch(requests.VOLUMES, "", volume.name, body, requests.Precondition(uid=volume.uid))


def mark_volume(target: ShareTarget, volume: Volume) -> VolumeUpdate:
    """Return the update of a volume's labels and annotations alone."""
    metadata, reasons = metadata_update(target, volume)
    if not metadata:
        return NO_UPDATE
    request = requests.patch(
        requests.VOLUMES, "", volume.name, {"metadata": metadata}, requests.Precondition(uid=volume.uid)
    )
    return VolumeUpdate((request,), tuple(reasons))


def update_volume(
    target: ShareTarget, volume: Volume, claim: Optional[Claim], mount_options: Sequence[str] = ()
) -> VolumeUpdate:
    """Return the update of a volume of a share: Retain, the claim that it is reserved for, metadata and mount options.

    `claim` is the claim that the volume is for, None when it does not exist yet.
    """
    lost = claim is not None and claim.phase == LOST
    reference = _reference_update(volume, claim.uid if claim is not None else "", lost)
    metadata, reasons = metadata_update(target, volume)
    spec: dict[str, Any] = {}
    if _differs_in_mount_options(target, volume, mount_options):
        spec["mountOptions"] = list(mount_options) or None
        before, after = (", ".join(options) or "none" for options in (volume.mount_options, mount_options))
        reasons.append(f"the mount options of its volume change from {before} to {after} with the next mount")
    body: dict[str, Any] = {"metadata": metadata} if metadata else {}
    if not volume.claim_name:
        # One patch, bound to the version that was read: somebody else may reserve the volume meanwhile.
        spec["claimRef"] = _claim_reference(target, claim.uid if claim is not None and lost else "")
        reasons.append(f"its volume {volume.name} is reserved for its claim")
        if volume.policy != RETAIN:
            spec["persistentVolumeReclaimPolicy"] = RETAIN
        request = requests.patch(
            requests.VOLUMES, "", volume.name, {**body, "spec": spec}, requests.Precondition(volume.version, volume.uid)
        )
        expected = reference.operations[0].expected if reference.operations else ()
        reasons = [*reference.reasons, *reasons]
        return VolumeUpdate((request.expecting(expected),), tuple(reasons), adopts=volume.share is None)
    if spec:
        body["spec"] = spec
    operations = list(reference.operations)
    if body:
        operations.append(
            requests.patch(requests.VOLUMES, "", volume.name, body, requests.Precondition(uid=volume.uid))
        )
    if not operations:
        return NO_UPDATE
    return VolumeUpdate(tuple(operations), (*reference.reasons, *reasons), adopts=volume.share is None)


def _claim_reference(target: ShareTarget, uid: str) -> dict[str, str]:
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": target.namespace,
        "name": target.claim,
    }
    if uid:
        reference["uid"] = uid
    return reference


def _reference_update(volume: Volume, claim_uid: str, lost: bool) -> VolumeUpdate:
    """Return the update of a volume's reclaim policy and of the UID in its claimRef, in one JSON patch."""
    replaces: dict[str, Any] = {}
    removes: list[str] = []
    adds: dict[str, Any] = {}
    expected: list[tuple[tuple[str, ...], Any]] = []
    reasons: list[str] = []
    if volume.policy != RETAIN:
        replaces["/spec/persistentVolumeReclaimPolicy"] = RETAIN
        expected.append(_IS_RETAIN)
        reasons.append(f"its volume {volume.name} is set from {volume.policy} to Retain")
    if lost and claim_uid and volume.claim_name and volume.claim_uid != claim_uid:
        # A claim that was bound before is bound again only to a volume that names its UID. Otherwise it stays Lost.
        adds["/spec/claimRef/uid"] = claim_uid
        expected.append((_CLAIM_UID, claim_uid))
        reasons.append(f"its volume {volume.name} is given back to the claim that lost it")
    elif volume.claim_uid and volume.claim_uid != claim_uid:
        removes.append("/spec/claimRef/uid")
        expected.append((_CLAIM_UID, None))
        reasons.append(f"its volume {volume.name}, released by a deleted claim, is used again")
    if not expected:
        return NO_UPDATE
    changes = requests.JsonPatch(replaces=replaces, removes=removes, adds=adds)
    return VolumeUpdate((_patch_same_volume(volume, changes, tuple(expected)),), tuple(reasons))


def metadata_update(target: ShareTarget, volume: Volume) -> tuple[dict[str, Any], list[str]]:
    """Return the labels and annotations to set on a volume, and the reasons."""
    share = target.share
    reasons = []
    labels = {key: value for key, value in share.labels.items() if volume.labels.get(key) != value}
    annotations: dict[str, Optional[str]] = {
        key: value for key, value in share.annotations.items() if volume.annotations.get(key) != value
    }
    if labels or annotations:
        reasons.append(f"its volume {volume.name} lacked labels or annotations of the {share.kind}")
    if volume.retired_at is not None:
        annotations[RETIRED_ANNOTATION] = None
        reasons.append(f"its volume {volume.name} is no longer retired")
    return {key: value for key, value in (("labels", labels), ("annotations", annotations)) if value}, reasons


def _differs_in_mount_options(target: ShareTarget, volume: Volume, mount_options: Sequence[str]) -> bool:
    """Return whether to set mount options. A volume that was created manually keeps its own unless the entry sets some."""
    share = target.share
    is_ours = (
        volume.name == target.volume and volume.share == share.name and volume.clone_of is None and not share.is_dynamic
    )
    return bool(mount_options or is_ours) and tuple(mount_options) != volume.mount_options


def _patch_same_volume(volume: Volume, changes: requests.JsonPatch, expected: requests.Expected) -> requests.ApiRequest:
    """Patch a volume if it is still the one that was read, and, when its claimRef changes, still has the same claim."""
    tests = {"/metadata/uid": volume.uid}
    if volume.claim_uid and (changes.removes or changes.adds):
        tests["/spec/claimRef/uid"] = volume.claim_uid
    return requests.json_patch(requests.VOLUMES, "", volume.name, replace(changes, tests=tests)).expecting(expected)
