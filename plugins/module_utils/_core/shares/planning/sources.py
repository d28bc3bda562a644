# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a volume's data is, and whether two volumes hold the same data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from ...kubernetes.volumes import VolumeSource
from ..csi_drivers import ceph_root, csi_location, is_cephfs, server_name
from ..paths import normalised


def location_of(source: VolumeSource) -> tuple[str, ...]:
    """Return where the data of a volume is. Two volumes with equal locations hold the same data."""
    fields = source.fields
    if source.kind == "nfs":
        return ("nfs", server_name(fields.get("server", "")), normalised(fields.get("path", "")))
    if source.kind == "hostPath":
        return ("hostPath", normalised(fields.get("path", "")))
    if source.kind != "csi":
        return (source.kind, json.dumps(fields, sort_keys=True))
    return csi_location(source.driver, source.attributes) or ("csi", source.driver, source.handle)


def folder_of(source: VolumeSource) -> Optional[tuple[str, str]]:
    """Return the folder with a volume's data as (root, path), like `overlaps.places_of`; None when it is unknown."""
    location = location_of(source)
    if location[0] in ("nfs", "ceph"):
        return f"{location[0]} {location[1]}", location[2]
    return ("host", location[1]) if location[0] == "hostPath" else None


def ceph_path(source: VolumeSource) -> str:
    """Return the path of a CephFS volume's data, "" when the volume does not say it."""
    return ceph_root(source.attributes)


def file_system(source: VolumeSource) -> str:
    """Return the CephFS file system that a volume names, "" when it names none."""
    return source.attributes.get("fsName", "") if is_cephfs(source.driver) else ""


def is_same_data(one: VolumeSource, other: VolumeSource) -> bool:
    """Return whether two volumes hold the same data."""
    return location_of(one) == location_of(other) and not on_other_file_systems(one, other)


def on_other_file_systems(one: VolumeSource, other: VolumeSource) -> bool:
    """Return whether two CephFS volumes name different file systems of their cluster. Equal paths are different folders then."""
    named = {file_system(one), file_system(other)} - {""}
    return len(named) == 2


def describe_source(source: VolumeSource) -> str:
    """Describe where a volume's data is, for messages."""
    location = location_of(source)
    if source.kind == "nfs":
        return f"NFS {location[1]}:{location[2]}"
    if source.kind == "hostPath":
        return f"host path {location[1]}"
    if source.kind != "csi":
        return f"of type {source.kind}"
    if location[0] == "csi":
        return f"{source.driver} {source.handle}"
    return f"{source.driver} {location[1]}:{location[2]}"


def source_difference(desired: VolumeSource, observed: VolumeSource, handle: str = "") -> Optional[str]:
    """Return how an observed volume is another volume than the desired one ("is X, not Y"), None when it is the same.

    `handle` is the volume handle in the entry, if it has one.
    """
    is_same_type = (desired.kind, desired.driver) == (observed.kind, observed.driver)
    if not is_same_type or location_of(desired) != location_of(observed):
        return f"is {describe_source(observed)}, not {describe_source(desired)}"
    one, other = file_system(desired), file_system(observed)
    if one and other and one != other:
        return f"is on the file system {other}, not {one}"
    if handle and handle != observed.handle:
        return f"has the handle {observed.handle}, not {handle}"
    return None


def minor_differences(desired: VolumeSource, observed: VolumeSource) -> list[str]:
    """Return how two sources with the same data differ, as clauses ("has the attribute x a, not b")."""
    if desired.kind != "csi":
        return []
    differences = []
    for key, value in desired.attributes.items():
        actual = observed.attributes.get(key)
        if actual != value and key not in ("server", "share", "clusterID", "rootPath"):
            differences.append(
                f"has the attribute {key} {actual}, not {value}" if actual else f"lacks the attribute {key} {value}"
            )
    for field, word in (("fsType", "file system"), ("nodeStageSecretRef", "secret")):
        expected, actual = desired.fields.get(field), observed.fields.get(field)
        if expected and expected != actual:
            differences.append(f"has the {word} {_describe_field(actual)}, not {_describe_field(expected)}")
    return differences


def _describe_field(value: Any) -> str:
    return f"{value.get('namespace')}/{value.get('name')}" if isinstance(value, Mapping) else str(value or "none")
