# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PersistentVolumeClaims as observed in the cluster, reduced to what planning needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ..metadata import (
    PRIMARY_ANNOTATION,
    RETIRED_ANNOTATION,
    SERVERNAME_ANNOTATION,
    STORAGE_CLASS_ANNOTATION,
    USERNAME_ANNOTATION,
)
from ..quantity import size_or_none

BOUND = "Bound"
LOST = "Lost"
BLOCK = "Block"

#: Conditions and states of `allocatedResourceStatuses` that say that an expansion failed. VolumeResizeFailed is also the
#: reason of the resizer's event.
_RESIZE_ERRORS = ("ControllerResizeError", "NodeResizeError", "VolumeResizeFailed")
_INFEASIBLE = ("ControllerResizeInfeasible", "NodeResizeInfeasible", "ControllerResizeFailed", "NodeResizeFailed")


class DataSource(NamedTuple):
    """What the content of a claim was copied from. `namespace` is "" for that of the claim."""

    group: str
    kind: str
    namespace: str
    name: str


class SnapshotSource(NamedTuple):
    """The claim that a VolumeSnapshot was taken of, and when; or "" and the error that says why that is unknown."""

    claim: str
    created: str = ""
    error: str = ""


class Claim(NamedTuple):
    """An observed PersistentVolumeClaim. Sizes are in bytes; `storage_class` is None when the claim names none."""

    name: str
    uid: str
    version: str
    created: str
    deleting: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    size: Optional[int]
    capacity: Optional[int]
    phase: str
    storage_class: Optional[str]
    access_modes: tuple[str, ...]
    volume: str
    conditions: tuple[str, ...]
    #: Whether it is a raw block device instead of a file system.
    is_block: bool
    #: Why its last expansion failed, in the words of the resizer, "" when it did not.
    resize_error: str
    #: The VolumeAttributesClasses that quotas count it for.
    attributes_classes: tuple[str, ...]
    #: What it was copied from (another claim, a snapshot of one), None when it started empty.
    data_source: Optional[DataSource]

    @property
    def user(self) -> Optional[str]:
        """The owner's user name from KubeSpawner's annotation, which decides who owns a home. None without one."""
        return self.annotations.get(USERNAME_ANNOTATION) or None

    @property
    def server(self) -> str:
        """The named server that the claim belongs to, "" for the default server."""
        return self.annotations.get(SERVERNAME_ANNOTATION) or ""

    @property
    def retired_at(self) -> Optional[str]:
        """The retirement annotation as written, None without one."""
        return self.annotations.get(RETIRED_ANNOTATION)

    @property
    def is_primary(self) -> bool:
        """Whether this claim is marked as the one to mount when its owner has several."""
        return self.annotations.get(PRIMARY_ANNOTATION) == "true"


def read_again(claim: Claim, earlier: Optional[Claim]) -> Claim:
    """Return a claim that was read again after a conflict, as planning may use it.

    A size that another client requested meanwhile counts as reached: two runs must not take back each other's expansions.
    """
    if claim.size is None or (earlier is not None and earlier.size == claim.size):
        return claim
    return claim._replace(capacity=max(claim.size, claim.capacity or 0))


def claim_from(item: Mapping[str, Any]) -> Claim:
    """Reduce a PersistentVolumeClaim of the API to a Claim."""
    metadata = item["metadata"]
    spec = item.get("spec") or {}
    status = item.get("status") or {}
    requests = (spec.get("resources") or {}).get("requests") or {}
    storage_class = spec.get("storageClassName")
    annotations = metadata.get("annotations") or {}
    if storage_class is None:
        storage_class = annotations.get(STORAGE_CLASS_ANNOTATION)
    return Claim(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        version=metadata.get("resourceVersion", ""),
        created=metadata.get("creationTimestamp", ""),
        deleting="deletionTimestamp" in metadata,
        labels=metadata.get("labels") or {},
        annotations=annotations,
        size=size_or_none(requests.get("storage")),
        capacity=size_or_none((status.get("capacity") or {}).get("storage")),
        phase=status.get("phase", ""),
        storage_class=storage_class,
        access_modes=tuple(spec.get("accessModes") or ()),
        volume=spec.get("volumeName", ""),
        conditions=tuple(
            item.get("type", "") for item in status.get("conditions") or () if item.get("status") == "True"
        ),
        is_block=spec.get("volumeMode") == BLOCK,
        resize_error=_resize_error(status),
        attributes_classes=_attributes_classes(spec, status),
        data_source=_data_source(spec),
    )


def _data_source(spec: Mapping[str, Any]) -> Optional[DataSource]:
    """Return the source of a claim's content. The API server copies `dataSource` to `dataSourceRef`, but not always back."""
    source = spec.get("dataSourceRef") or spec.get("dataSource")
    if not source:
        return None
    return DataSource(
        source.get("apiGroup") or "", source.get("kind", ""), source.get("namespace") or "", source.get("name", "")
    )


def _resize_error(status: Mapping[str, Any]) -> str:
    """Return why the last expansion failed. Kubernetes removes the condition when it succeeds."""
    for item in status.get("conditions") or ():
        is_error = item.get("type") in _RESIZE_ERRORS or item.get("reason") in _RESIZE_ERRORS
        if is_error and item.get("status") == "True":
            return str(item.get("message") or item.get("reason") or item["type"]).strip().rstrip(".")
    state = (status.get("allocatedResourceStatuses") or {}).get("storage", "")
    return f"the resizer gave up ({state})" if state in _INFEASIBLE else ""


def _attributes_classes(spec: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the classes that Kubernetes counts: the requested one, the current one, and the one it changes to."""
    names = (
        spec.get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return tuple(dict.fromkeys(name for name in names if name))
