# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a volume's data is, and whether two volumes hold the same data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from ...kubernetes.volumes import VolumeSource
from ..csi_drivers import ceph_root, is_cephfs
from ..places import is_same_place, known_places


def location_of(source: VolumeSource) -> tuple[str, ...]:
    """Return where the data of a volume is. Two volumes with equal locations hold the same data."""
    places = known_places(source)
    if places:
        return places[0].root, places[0].path
    if source.kind != "csi":
        return (source.kind, json.dumps(source.fields, sort_keys=True))
    return ("csi", source.driver, source.handle)


def ceph_path(source: VolumeSource) -> str:
    """Return the path of a CephFS volume's data, "" when the volume does not say it."""
    return ceph_root(source.attributes)


def file_system(source: VolumeSource) -> str:
    """Return the CephFS file system that a volume names, "" when it names none."""
    return source.attributes.get("fsName", "") if is_cephfs(source.driver) else ""


def is_same_data(one: VolumeSource, other: VolumeSource) -> bool:
    """Return whether two volumes hold the same data."""
    return is_same_place(one, other)


def describe_source(source: VolumeSource) -> str:
    """Describe where a volume's data is, for messages."""
    places = known_places(source)
    if source.kind in ("hostPath", "local") and places:
        return f"{'host' if source.kind == 'hostPath' else 'local'} path {places[0].path}"
    if source.kind not in ("csi", "nfs", "azureFile") or not places:
        return f"{source.driver} {source.handle}" if source.kind == "csi" else f"of type {source.kind}"
    name = {"nfs": "NFS", "azureFile": "Azure Files"}.get(source.kind, source.driver)
    return f"{name} {places[0].root.partition(' ')[2]}:{places[0].path}"


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
