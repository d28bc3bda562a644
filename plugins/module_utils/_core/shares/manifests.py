# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims and volumes of shares as JSON objects, ready for a POST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..kubernetes.volumes import Source
from ..metadata import CLONE_ANNOTATION
from .desired import ShareTarget
from .observed import MANY, RETAIN


def claim_manifest(target: ShareTarget, size: str, storage_class: Optional[str], volume: str = "") -> dict[str, Any]:
    """Return the claim of a share in a namespace. `storage_class` is None for the cluster's default, "" for none at all."""
    spec: dict[str, Any] = {"accessModes": [MANY], "resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    if volume:
        spec["volumeName"] = volume
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": target.claim, "labels": target.share.labels, "annotations": target.share.annotations},
        "spec": spec,
    }


def volume_manifest(
    target: ShareTarget,
    source: Source,
    size: str,
    mount_options: Sequence[str],
    claim_uid: str = "",
    clone_of: str = "",
    affinity: Optional[Mapping[str, Any]] = None,
) -> dict[str, Any]:
    """Return the static volume of a share in a namespace, reserved for its claim and kept whatever becomes of that.

    `claim_uid` is for a claim that has lost its volume: Kubernetes gives it back to that very claim only.
    """
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": target.namespace,
        "name": target.claim,
    }
    if claim_uid:
        reference["uid"] = claim_uid
    spec: dict[str, Any] = {
        "capacity": {"storage": size},
        "accessModes": [MANY],
        "persistentVolumeReclaimPolicy": RETAIN,
        "storageClassName": "",
        "claimRef": reference,
        source.kind: source.fields,
    }
    if mount_options:
        spec["mountOptions"] = list(mount_options)
    if affinity:
        spec["nodeAffinity"] = affinity
    annotations = dict(target.share.annotations)
    if clone_of:
        annotations[CLONE_ANNOTATION] = clone_of
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": target.volume, "labels": target.share.labels, "annotations": annotations},
        "spec": spec,
    }
