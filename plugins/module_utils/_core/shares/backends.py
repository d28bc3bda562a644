# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backend's volumes are made of, and whether a volume that exists holds the data that is meant."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..kubernetes.volumes import Source
from .backend_spec import CSI, HOST_PATH, NFS, Backend
from .naming import volume_name
from .paths import NFS_CSI, csi_place, is_cephfs, nfs_attributes, normalised, server_name
from .spec import ShareSpec


def input_errors(spec: ShareSpec, namespaces: Sequence[str]) -> list[str]:
    """Return what a static backend lacks for these namespaces by its driver's rules, as clauses with the way out."""
    backend = spec.backend
    if backend.type != CSI:
        return []
    errors = []
    several = len(namespaces) > 1
    if backend.driver == NFS_CSI or is_cephfs(backend.driver):
        given = nfs_attributes(backend.attributes) if backend.driver == NFS_CSI else backend.attributes
        needed = ("server", "share") if backend.driver == NFS_CSI else ("clusterID", "rootPath")
        errors += [
            f"{backend.driver} needs the attribute `{key}`: give it in `backend.attributes`"
            for key in needed
            if not given.get(key)
        ]
        if backend.volume_handle and several:
            errors.append(
                f"one `volume_handle` cannot do for {len(namespaces)} namespaces: leave it out, so that each volume gets one of "
                "its own, or give `volume_handles`"
            )
        if is_cephfs(backend.driver):
            if given.get("staticVolume", "true") != "true":
                errors.append(
                    'the attribute `staticVolume` must be "true", for the volume is not the driver\'s own: leave it out'
                )
            if not backend.node_stage_secret:
                errors.append(
                    f"{backend.driver} mounts a static volume with the userID and userKey of a Secret: name it in "
                    "`backend.node_stage_secret`"
                )
        return errors
    for namespace in namespaces:
        if backend.volume_handles.get(namespace):
            continue
        if not backend.volume_handle:
            key = "volume_handles" if several else "volume_handle"
            errors.append(
                f"how {backend.driver} names its volumes is not known here: give `backend.{key}` for the namespace {namespace}"
            )
        elif several and not backend.clone:
            errors.append(
                f"one `volume_handle` in several namespaces is only for a driver that takes it: give `volume_handles`, with one "
                f"for {namespace}, or say `clone: true`"
            )
    return errors


def static_source(spec: ShareSpec, namespace: str) -> Source:
    """Return what the static volume of a share in a namespace is made of."""
    backend = spec.backend
    if backend.type == NFS:
        return Source("nfs", {"server": backend.server, "path": backend.path})
    if backend.type == HOST_PATH:
        return Source("hostPath", {"path": backend.path, "type": "Directory"})
    attributes = dict(backend.attributes)
    if is_cephfs(backend.driver):
        attributes["staticVolume"] = "true"
    handle = given_handle(backend, namespace) or own_handle(
        backend.driver, attributes, volume_name(namespace, spec.name)
    )
    return csi_source(backend.driver, handle, attributes, backend.fs_type, backend.node_stage_secret)


def csi_source(
    driver: str, handle: str, attributes: Mapping[str, str], fs_type: str, secret: Mapping[str, str]
) -> Source:
    """Return a CSI volume's source; what is empty is left out."""
    fields: dict[str, Any] = {"driver": driver, "volumeHandle": handle}
    if attributes:
        fields["volumeAttributes"] = dict(attributes)
    if fs_type:
        fields["fsType"] = fs_type
    if secret:
        fields["nodeStageSecretRef"] = dict(secret)
    return Source("csi", fields)


def given_handle(backend: Backend, namespace: str) -> str:
    """The volumeHandle that the entry names for a namespace, "" where it leaves it to us."""
    return backend.volume_handles.get(namespace) or backend.volume_handle


def own_handle(driver: str, attributes: Mapping[str, str], volume: str) -> str:
    """Return a volumeHandle that no other volume has, by the rules of the two drivers that take any.

    That of nfs.csi.k8s.io is read by the driver (`server#share#subdir#uuid#onDelete`): its last part says that the
    driver keeps the directory even when somebody deletes the volume with the policy Delete. CephFS looks at rootPath.
    """
    if driver != NFS_CSI:
        return volume
    given = nfs_attributes(attributes)
    parts = (given.get("server", ""), given.get("share", "").strip("/"), given.get("subdir", "").strip("/"))
    return "#".join((*parts, volume, "retain"))


def data_of(source: Source) -> tuple[str, ...]:
    """Return where the data of a volume lies, so that two volumes with the same answer hold the same data."""
    fields = source.fields
    if source.kind == "nfs":
        return ("nfs", server_name(fields.get("server", "")), normalised(fields.get("path", "")))
    if source.kind == "hostPath":
        return ("hostPath", normalised(fields.get("path", "")))
    if source.kind != "csi":
        return (source.kind, json.dumps(fields, sort_keys=True))
    return csi_place(source.driver, source.attributes) or ("csi", source.driver, source.handle)


def place_of(source: Source) -> Optional[tuple[str, str]]:
    """Return which folder a volume's data is: (what it is a path of, path), as `places_of` has it; None where none is known."""
    data = data_of(source)
    if data[0] in ("nfs", "ceph"):
        return f"{data[0]} {data[1]}", data[2]
    return ("host", data[1]) if data[0] == "hostPath" else None


def ceph_root(source: Source) -> str:
    """The path of a CephFS volume's data: said by a static one, and noted by the driver on its own; "" for neither."""
    return source.attributes.get("rootPath") or source.attributes.get("subvolumePath", "")


def file_system(source: Source) -> str:
    """The file system of CephFS that a volume names, "" where it names none, or is no such volume."""
    return source.attributes.get("fsName", "") if is_cephfs(source.driver) else ""


def is_same_data(one: Source, other: Source) -> bool:
    """Whether two volumes hold the same data; of file systems of one cluster only two that are both named differ."""
    return data_of(one) == data_of(other) and not on_other_file_systems(one, other)


def on_other_file_systems(one: Source, other: Source) -> bool:
    """Whether two volumes of CephFS name different file systems of their cluster: then equal paths are different folders."""
    named = {file_system(one), file_system(other)} - {""}
    return len(named) == 2


def described(source: Source) -> str:
    """Say where a volume's data is, for people."""
    data = data_of(source)
    if source.kind == "nfs":
        return f"NFS {data[1]}:{data[2]}"
    if source.kind == "hostPath":
        return f"host path {data[1]}"
    if source.kind != "csi":
        return f"of type {source.kind}"
    if data[0] == "csi":
        return f"{source.driver} {source.handle}"
    return f"{source.driver} {data[1]}:{data[2]}"


def difference(desired: Source, live: Source, handle: str = "") -> Optional[str]:
    """Return how a live volume is not the one that is wanted ("is X where Y is asked for"), None where it is.

    `handle` is the volumeHandle that the entry names itself.
    """
    if (desired.kind, desired.driver) != (live.kind, live.driver) or data_of(desired) != data_of(live):
        return f"is {described(live)} where {described(desired)} is asked for"
    one, other = file_system(desired), file_system(live)
    if one and other and one != other:
        return f"is on the file system {other} where {one} is asked for"
    if handle and handle != live.handle:
        return f"has the handle {live.handle} where {handle} is asked for"
    return None


def lesser_differences(desired: Source, live: Source) -> list[str]:
    """Return what differs of two sources that hold the same data, as clauses ("the attribute x is a where b ...")."""
    if desired.kind != "csi":
        return []
    found = []
    for key, value in desired.attributes.items():
        there = live.attributes.get(key)
        if there != value and key not in ("server", "share", "clusterID", "rootPath"):
            found.append(f"has the attribute {key} {there or 'not'} where {value} is asked for")
    for field, word in (("fsType", "file system"), ("nodeStageSecretRef", "secret")):
        asked, has = desired.fields.get(field), live.fields.get(field)
        if asked and asked != has:
            found.append(f"has the {word} {_told(has)} where {_told(asked)} is asked for")
    return found


def _told(value: Any) -> str:
    return f"{value.get('namespace')}/{value.get('name')}" if isinstance(value, Mapping) else str(value or "none")
