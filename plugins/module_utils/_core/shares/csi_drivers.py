# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the volume attributes of some CSI drivers mean: NFS (nfs.csi.k8s.io) and CephFS (ceph-csi)."""

from __future__ import annotations

from collections.abc import Mapping

from ..validation import quoted

NFS_CSI = "nfs.csi.k8s.io"
CEPHFS = "cephfs.csi.ceph.com"
CEPH_NFS = "nfs.csi.ceph.com"

NO_TEMPLATE = (
    "has a template, which only a class fills in when it creates a volume, so all claims would share the folder of that name "
    "or get one each: write the path of the share"
)


def is_template(text: str) -> bool:
    """Return whether a text has a field such as `${pvc.metadata.name}` or `{{ .PVC.Name }}`, which provisioners replace."""
    return "${" in text or "{{" in text


def is_nfs_csi(driver: str) -> bool:
    """Return whether a driver is the Kubernetes NFS driver."""
    return driver.lower() == NFS_CSI


def is_cephfs(driver: str) -> bool:
    """Return whether a driver is ceph-csi for CephFS. Rook and OpenShift add a prefix to its name."""
    return driver.lower() == CEPHFS or driver.lower().endswith("." + CEPHFS)


def nfs_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of nfs.csi.k8s.io with lower-case keys, as the driver reads them."""
    return {key.lower(): value for key, value in attributes.items()}


def ceph_root(attributes: Mapping[str, str]) -> str:
    """Return the path of a CephFS volume's data (`rootPath`, or `subvolumePath` of dynamic volumes), "" when it is unknown."""
    return attributes.get("rootPath") or attributes.get("subvolumePath", "")


def csi_path_errors(driver: str, attributes: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the paths among a CSI volume's attributes, as clauses with the way out."""
    errors = []
    if is_nfs_csi(driver):
        keys = [key.lower() for key in attributes]
        errors += [
            f"has {key} twice, because {NFS_CSI} ignores the case of its keys: remove one"
            for key in sorted({key for key in keys if keys.count(key) > 1})
        ]
    for key, value in attributes.items():
        if is_nfs_csi(driver):
            is_path = key.lower() in ("share", "subdir")
        else:
            is_path = is_cephfs(driver) and key in ("rootPath", "subvolumePath")
        if not is_path:
            continue
        if ".." in value.split("/"):
            errors.append(f"`{key}` {quoted(value)} contains `..`: write the path without it")
        elif key in ("rootPath", "subvolumePath") and not value.startswith("/"):
            errors.append(f"`{key}` {quoted(value)} is not absolute: write it from the root of the file system")
    return errors
