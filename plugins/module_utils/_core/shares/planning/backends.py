# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sources of static volumes: of a share's backend, and over the data of a volume in another namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...kubernetes.volumes import READ_WRITE_MANY, Volume, VolumeSource
from ...plan import Rejected
from ..backend_spec import HOST_PATH, NFS, Backend
from ..csi_drivers import NFS_CSI, is_cephfs, nfs_attributes
from ..naming import volume_name
from ..spec import ShareSpec
from .sources import ceph_path, describe_source

#: What a driver notes about itself. No provisioner creates a clone.
_PROVISIONER = "storage.kubernetes.io/csiProvisionerIdentity"


def static_source(spec: ShareSpec, namespace: str) -> VolumeSource:
    """Return the source of a share's static volume in a namespace."""
    backend = spec.backend
    if backend.type == NFS:
        return VolumeSource("nfs", {"server": backend.server, "path": backend.path})
    if backend.type == HOST_PATH:
        return VolumeSource("hostPath", {"path": backend.path, "type": "Directory"})
    attributes = dict(backend.attributes)
    if is_cephfs(backend.driver):
        attributes["staticVolume"] = "true"
    handle = given_handle(backend, namespace) or unique_handle(
        backend.driver, attributes, volume_name(namespace, spec.name)
    )
    return csi_source(backend.driver, handle, attributes, backend.fs_type, backend.node_stage_secret)


def csi_source(
    driver: str, handle: str, attributes: Mapping[str, str], fs_type: str, secret: Mapping[str, str]
) -> VolumeSource:
    """Return the source of a CSI volume without empty fields."""
    fields: dict[str, Any] = {"driver": driver, "volumeHandle": handle}
    if attributes:
        fields["volumeAttributes"] = dict(attributes)
    if fs_type:
        fields["fsType"] = fs_type
    if secret:
        fields["nodeStageSecretRef"] = dict(secret)
    return VolumeSource("csi", fields)


def given_handle(backend: Backend, namespace: str) -> str:
    """Return the volume handle that the entry sets for a namespace, "" when it sets none."""
    return backend.volume_handles.get(namespace) or backend.volume_handle


def unique_handle(driver: str, attributes: Mapping[str, str], volume: str) -> str:
    """Return a volume handle that no other volume has, for the two drivers that accept any handle.

    nfs.csi.k8s.io parses it (`server#share#subdir#uuid#onDelete`). With `retain` at the end the driver keeps the directory
    even when somebody deletes the volume with the policy Delete. CephFS reads rootPath instead.
    """
    if driver != NFS_CSI:
        return volume
    given = nfs_attributes(attributes)
    parts = (given.get("server", ""), given.get("share", "").strip("/"), given.get("subdir", "").strip("/"))
    return "#".join((*parts, volume, "retain"))


def clone_source(origin: Volume, backend: Backend, name: str) -> VolumeSource:
    """Return the source of a volume `name` over the data of another volume. Raises Rejected when that is impossible."""
    source = origin.source
    what = f"volume {origin.name} ({describe_source(source)})"
    if READ_WRITE_MANY not in origin.access_modes:
        raise Rejected(
            f"{what} does not offer {READ_WRITE_MANY}, so it cannot be in several namespaces: use a class that does"
        )
    if origin.mode != "Filesystem":
        raise Rejected(
            f"{what} is a raw block device, not a file system, so it cannot be shared: use a class that creates file systems"
        )
    if source.kind == "nfs":
        return VolumeSource("nfs", {"server": source.fields.get("server", ""), "path": source.fields.get("path", "")})
    if source.kind != "csi":
        raise Rejected(
            f"{what} cannot be in several namespaces, because sharing this volume type is not supported: use NFS or CephFS, or "
            "one share for each namespace"
        )
    attributes = {key: value for key, value in source.attributes.items() if key != _PROVISIONER}
    if source.driver == NFS_CSI:
        unresolved = nfs_attributes(attributes).get("subdir", "")
        if "${" in unresolved:
            raise Rejected(
                f"{what} is in the directory {unresolved}, which would differ in each namespace: set a literal `subDir` in its "
                "class"
            )
        return _clone_csi(source, unique_handle(source.driver, attributes, name), attributes)
    if not backend.clone:
        raise Rejected(
            f"{what} cannot be in several namespaces unless {source.driver} supports it: set `clone: true` in the share's "
            "backend if it does, or give each namespace a share of its own"
        )
    if is_cephfs(source.driver):
        path = ceph_path(source)
        if not path:
            raise Rejected(
                f"{what} does not say where its data is (no attribute subvolumePath): declare a share with the backend csi and "
                "its rootPath"
            )
        attributes |= {"staticVolume": "true", "rootPath": path}
        cloned = _clone_csi(source, name, attributes)
        if backend.node_stage_secret:
            return VolumeSource("csi", {**cloned.fields, "nodeStageSecretRef": dict(backend.node_stage_secret)})
        return cloned
    # `clone: true` says that the driver accepts the same handle again. Nothing else would identify the same data.
    return _clone_csi(source, source.handle, attributes)


def _clone_csi(source: VolumeSource, handle: str, attributes: dict[str, str]) -> VolumeSource:
    """Return a CSI source with another handle, without the secrets that only its provisioner needs."""
    fields = source.fields
    cloned = csi_source(
        source.driver, handle, attributes, fields.get("fsType", ""), fields.get("nodeStageSecretRef") or {}
    )
    if fields.get("nodePublishSecretRef"):
        return VolumeSource("csi", {**cloned.fields, "nodePublishSecretRef": fields["nodePublishSecretRef"]})
    return cloned
