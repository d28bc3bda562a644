# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A volume in another namespace over the same data: what it is made of, by the rules of what made the first one."""

from __future__ import annotations

from typing import Union

from ..kubernetes.volumes import Source
from .backend_spec import Backend
from .backends import ceph_root, csi_source, described, own_handle
from .observed import MANY, Volume
from .paths import NFS_CSI, is_cephfs, nfs_attributes

#: What a driver notes about itself; a copy was made by no provisioner.
_PROVISIONER = "storage.kubernetes.io/csiProvisionerIdentity"


def clone_source(origin: Volume, backend: Backend, name: str) -> Union[Source, str]:
    """Return what a volume `name` over the data of another one is made of, or why it cannot be, with the way out."""
    source = origin.source
    what = f"the volume {origin.name} ({described(source)})"
    if MANY not in origin.access_modes:
        return f"{what} does not offer {MANY}, so it cannot be in several namespaces: take a class that does"
    if origin.mode != "Filesystem":
        return (
            f"{what} is no file system but a raw device, which cannot be shared: take a class that makes file systems"
        )
    if source.kind == "nfs":
        return Source("nfs", {"server": source.fields.get("server", ""), "path": source.fields.get("path", "")})
    if source.kind != "csi":
        return (
            f"{what} cannot be in several namespaces, for nothing is known of sharing that kind: take NFS or CephFS, or a share "
            "for each namespace"
        )
    attributes = {key: value for key, value in source.attributes.items() if key != _PROVISIONER}
    if source.driver == NFS_CSI:
        unresolved = nfs_attributes(attributes).get("subdir", "")
        if "${" in unresolved:
            return (
                f"{what} is in the directory {unresolved}, which would be another one for each namespace: write out `subDir` in "
                "its class"
            )
        return _copy(source, own_handle(source.driver, attributes, name), attributes)
    if not backend.clone:
        return (
            f"{what} cannot be in several namespaces before it is known that {source.driver} takes that: say `clone: true` in "
            "the share's backend if it does, or give each namespace a share of its own"
        )
    if is_cephfs(source.driver):
        root = ceph_root(source)
        if not root:
            return (
                f"{what} does not say where its data is (no attribute subvolumePath): make it a share with the backend csi, "
                "with its rootPath"
            )
        attributes |= {"staticVolume": "true", "rootPath": root}
        copied = _copy(source, name, attributes)
        if backend.node_stage_secret:
            return Source("csi", {**copied.fields, "nodeStageSecretRef": dict(backend.node_stage_secret)})
        return copied
    # Said to be taken by the driver: the same handle, as nothing else would name the same data.
    return _copy(source, source.handle, attributes)


def _copy(source: Source, handle: str, attributes: dict[str, str]) -> Source:
    """The source of a CSI volume with another handle, and without what only its own provisioner needs."""
    fields = source.fields
    made = csi_source(
        source.driver, handle, attributes, fields.get("fsType", ""), fields.get("nodeStageSecretRef") or {}
    )
    if fields.get("nodePublishSecretRef"):
        return Source("csi", {**made.fields, "nodePublishSecretRef": fields["nodePublishSecretRef"]})
    return made
