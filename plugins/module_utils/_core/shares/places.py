# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The places of volumes: on which storage system, and in which folder there, the data of a volume is.

A volume may have several places, because one folder has several names: an instance of Filestore is an NFS server too. Volumes
of drivers that are not known here have none. They are compared by handle and attributes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Optional

from ..kubernetes.volumes import VolumeSource
from .csi_drivers import CEPH_NFS, CEPHFS, NFS_CSI, ceph_root, is_template
from .paths import is_inside, normalised
from .server_names import server_name

#: How the data of one volume relates to that of another. MAY_BE: everything that can be compared is equal.
SAME, INSIDE, CONTAINS, MAY_BE = "is", "lies inside", "contains", "may be"

_EFS_NAME = re.compile(r"(?:^|\.)(fs-[0-9a-f]+)\.efs\.")
_FSX_NAME = re.compile(r"(?:^|\.)(fs-[0-9a-f]+)\.fsx\.")
_FSX_HANDLE = re.compile(r"fs-[0-9a-f]+\Z")
#: Also with DNS zones: acct.z01.file.storage.azure.net.
_AZURE_NAME = re.compile(r"([a-z0-9]+)\.(?:privatelink\.|z[0-9]+\.)*(file|blob)\.(?:core|storage)\.")
_AZURE_SECRET = re.compile(r"azure-storage-account-(.+)-secret\Z")
_SMB_PORT = ":445"  # the default
#: The file system of a volume that names none.
_LUSTRE_DEFAULTS = {"fsx.csi.aws.com": "fsx", "azurelustre.csi.azure.com": "lustrefs"}
_CEPH_PORT = re.compile(r":(?:3300|6789)\Z")  # the defaults
#: Links of image-based nodes (Fedora CoreOS, OpenShift) to the folders of the same names in /var.
_LINKED_TO_VAR = ("/home", "/mnt", "/opt", "/srv")
#: The storage account that a Secret holds, before its namespace and name.
_SECRET = "secret "
#: Attributes that say who created a volume and for whom, not where its data is.
_INCIDENTAL = ("storage.kubernetes.io/", "csi.storage.k8s.io/")
#: Fields of other volume types that say how the data is mounted, not where it is.
_MOUNTING = ("readOnly", "fsType", "secretRef", "user", "chapAuthDiscovery", "chapAuthSession", "initiatorName")


class Place(NamedTuple):
    """A folder on a storage system ("nfs SERVER", "host", "ceph CLUSTER", "smb SERVER", ...).

    `is_below` says that the data is somewhere below the path. Two places with different names of a `part` of the storage
    system, such as the file systems of a Ceph cluster, are different. One without a name may be in each of them.
    `is_guess` says that the data may be on another storage system.
    """

    root: str
    path: str
    is_below: bool = False
    part: str = ""
    is_guess: bool = False


def places_of_source(source: VolumeSource) -> list[Place]:
    """Return the places of a volume. The first one describes it best."""
    fields = source.fields
    if source.kind == "csi":
        driver = source.driver.lower()
        find = _DRIVERS.get(next((name for name in (CEPHFS, CEPH_NFS) if driver.endswith(f".{name}")), driver))
        return find(source) if find else []
    if source.kind == "nfs":
        return _nfs_places(str(fields.get("server", "")), str(fields.get("path", "")))
    if is_on_node(source):
        path = normalised("/" + str(fields.get("path", "")))
        linked = any(is_inside(path, folder) for folder in _LINKED_TO_VAR)
        return [Place("host", path), *([Place("host", f"/var{path}")] if linked else [])]
    if source.kind == "azureFile":
        account = _account_of_secret(str(fields.get("secretName", "")), str(fields.get("secretNamespace") or ""))
        share, _slash, folder = str(fields.get("shareName", "")).strip("/").partition("/")
        return _azure_places("file", account, share, folder)
    if source.kind == "cephfs":
        path = normalised(f"/{fields.get('path') or ''}")
        return [Place(root, path) for root in _ceph_roots(fields.get("monitors") or ())]
    where = {key: value for key, value in fields.items() if key not in _MOUNTING}
    return [Place(f"{source.kind} {json.dumps(where, sort_keys=True)}", "/")] if where else []


def is_on_node(source: VolumeSource) -> bool:
    """Return whether the data of a volume is in a folder of a node."""
    return source.kind in ("hostPath", "local")


def relation_of(one: VolumeSource, other: VolumeSource) -> Optional[str]:
    """Return how the data of one volume relates to that of another: SAME, INSIDE, CONTAINS, MAY_BE, or None."""
    if has_equal_handle(one, other):
        return SAME  # A node mounts it once.
    here, there = places_of_source(one), places_of_source(other)
    found = {_relation(place, place_there) for place in here for place_there in there}
    for relation in (SAME, INSIDE, CONTAINS):
        if relation in found:
            return relation
    if any(_may_be_guessed(place, place_there) for place in here for place_there in there):
        return MAY_BE
    if here and there and not _share_a_known_root(here, there):
        return MAY_BE if MAY_BE in found else None
    return MAY_BE if not (here and there) and has_equal_attributes(one, other) else None


def has_equal_handle(one: VolumeSource, other: VolumeSource) -> bool:
    """Return whether two CSI volumes of one driver have the same handle."""
    return bool(one.handle) and (one.driver.lower(), one.handle) == (other.driver.lower(), other.handle)


def has_equal_attributes(one: VolumeSource, other: VolumeSource) -> bool:
    """Return whether two CSI volumes of one driver have the same attributes, and any."""
    compared = compared_attributes(one)
    return bool(compared) and one.driver.lower() == other.driver.lower() and compared == compared_attributes(other)


def compared_attributes(source: VolumeSource) -> str:
    """Return the attributes that may say where the data of a CSI volume is, as text; "" without any."""
    found = {key: value for key, value in source.attributes.items() if not key.startswith(_INCIDENTAL)}
    return json.dumps(found, sort_keys=True) if found and source.kind == "csi" else ""


def known_places(source: VolumeSource) -> list[Place]:
    """Return the places of a volume whose folder is known."""
    return [place for place in places_of_source(source) if not (place.is_below or place.is_guess)]


def is_same_place(one: VolumeSource, other: VolumeSource) -> bool:
    """Return whether two volumes hold the same data, by their places, or by their handles if those are unknown."""
    here, there = known_places(one), known_places(other)
    if here and there:
        return any(_relation(place, place_there) == SAME for place in here for place_there in there)
    return has_equal_handle(one, other) if one.handle else (one.kind, one.fields) == (other.kind, other.fields)


def _share_a_known_root(here: Sequence[Place], there: Sequence[Place]) -> bool:
    """Return whether both volumes have a known folder on one storage system, so that their places decide."""
    roots = [{place.root for place in places if not (place.is_below or place.is_guess)} for places in (here, there)]
    return bool(roots[0] & roots[1])


def _may_be_guessed(one: Place, other: Place) -> bool:
    """Return whether two places are related if a guess about one of them is right."""
    is_guess = one.is_guess or other.is_guess
    return is_guess and _relation(one._replace(is_guess=False), other._replace(is_guess=False)) is not None


def _relation(one: Place, other: Place) -> Optional[str]:
    if one.root != other.root or one.is_guess or other.is_guess or (one.part and other.part and one.part != other.part):
        return None
    is_in, has = is_inside(one.path, other.path), is_inside(other.path, one.path)
    if not (is_in or has):
        return None
    if one.is_below:
        return INSIDE if is_in and not other.is_below else MAY_BE
    if other.is_below:
        return CONTAINS if has else MAY_BE
    return SAME if is_in and has else INSIDE if is_in else CONTAINS


# -- what the attributes and handles of drivers mean --


def _nfs_places(server: str, path: str) -> list[Place]:
    return list(_cached_nfs_places(server, path))


@lru_cache(maxsize=8192)  # a plan asks for the places of a share several times, and most are on NFS
def _cached_nfs_places(server: str, path: str) -> Sequence[Place]:
    if not server:
        return ()
    name = server_name(server)
    path, is_below = _without_template(normalised("/" + path))
    places = [Place(f"nfs {name}", path, is_below)]
    efs, azure = _EFS_NAME.search(name), _AZURE_NAME.match(name)
    if efs:
        places.append(Place(f"efs {efs[1]}", path, is_below))
    parts = path.strip("/").split("/")
    if azure and len(parts) > 1:
        places += _azure_places(azure[2], parts[0], parts[1], "/".join(parts[2:]))
    return places


def _nfs_csi_places(source: VolumeSource) -> list[Place]:
    given = _lower_keys(source.attributes)
    return _nfs_places(given.get("server", ""), f"{given.get('share', '')}/{given.get('subdir', '')}")


def _ceph_nfs_places(source: VolumeSource) -> list[Place]:
    """Return the place on the NFS server, and in the CephFS that it exports if the volume names the folder there."""
    places = _nfs_places(source.attributes.get("server", ""), source.attributes.get("share", ""))
    return [*places, *(_ceph_places(source) if ceph_root(source.attributes) else [])]


def _smb_places(source: VolumeSource) -> list[Place]:
    given = _lower_keys(source.attributes)
    host, _slash, share = given.get("source", "").replace("\\", "/").strip("/").partition("/")
    return _smb_share_places(host, f"/{share}/{given.get('subdir', '')}")


def _smb_share_places(host: str, path: str) -> list[Place]:
    # Windows compares names without their case.
    host, path = host.lower(), path.lower()
    if not host:
        return []
    if host.endswith(_SMB_PORT) and (host.count(":") == 1 or "]" in host):
        host = host[: -len(_SMB_PORT)]
    path, is_below = _without_template(normalised(path.replace("\\", "/")))
    places = [Place(f"smb {server_name(host)}", path, is_below)]
    azure = _AZURE_NAME.match(server_name(host))
    parts = path.strip("/").split("/")
    if azure and parts[0]:
        places += _azure_places("file", azure[1], parts[0], "/".join(parts[1:]))
    return places


def _ceph_places(source: VolumeSource) -> list[Place]:
    attributes = source.attributes
    cluster, name = attributes.get("clusterID", ""), attributes.get("fsName", "")
    # Old volumes name the monitors instead of the cluster.
    roots = [f"ceph {cluster}"] if cluster else _ceph_roots(attributes.get("monitors", "").split(","))
    root = ceph_root(attributes)
    if not root:
        return [Place(found, "/", True, name) for found in roots] if roots != ["ceph "] else []
    return [Place(found, normalised("/" + root), False, name) for found in roots]


def _ceph_roots(monitors: Sequence[Any]) -> list[str]:
    """Return the names of a Ceph cluster, one for each monitor, because two volumes need not list the same ones."""
    return sorted({f"ceph {server_name(_CEPH_PORT.sub('', str(monitor).strip()))}" for monitor in monitors or ("",)})


def _efs_places(source: VolumeSource) -> list[Place]:
    """`fs-1`, `fs-1:/folder`, or `fs-1:[/folder]:fsap-1`, a folder of an access point."""
    system, _colon, rest = source.handle.partition(":")
    folder, _colon, access_point = rest.partition(":")
    path = normalised(f"/{folder or source.attributes.get('path', '')}")
    if not system:
        return []
    if not access_point:
        # Without DNS, a volume names the address of its NFS server.
        address = _lower_keys(source.attributes).get("mounttargetip", "")
        return [Place(f"efs {system}", path), *_nfs_places(address, path)]
    return [Place(f"efs {system}:{access_point}", path), Place(f"efs {system}", "/", True)]


def _azure_csi_places(kind: str, source: VolumeSource) -> list[Place]:
    """Return the places by attributes, by the handle GROUP#ACCOUNT#SHARE#..., and by the Secret, which may name the account."""
    given = _lower_keys(source.attributes)
    parts = source.handle.split("#")
    account, share = parts[1:3] if len(parts) > 2 else ("", "")
    secret = source.fields.get("nodeStageSecretRef") or {}
    server = given.get("server", "")
    azure = _AZURE_NAME.match(server_name(server))
    accounts = (
        given.get("storageaccount", ""),
        azure[1] if azure else "",
        account,
        _account_of_secret(given.get("secretname", ""), given.get("secretnamespace", "")),
        _account_of_secret(secret.get("name", ""), secret.get("namespace", "")),
    )
    named = [found for found in dict.fromkeys(accounts) if found]
    share = given.get("sharename" if kind == "file" else "containername") or share
    folder = given.get("foldername", "")
    places = [place for found in named for place in _azure_places(kind, found, share, folder)]
    if any(not found.startswith(_SECRET) for found in named):
        places = [place for place in places if not place.is_guess]
    if server and not azure and share:
        # The address of a private endpoint.
        places += _smb_share_places(server, f"/{share}/{folder}")
        places += [place for found in named for place in _nfs_places(server, f"/{found}/{share}/{folder}")]
    return places


def _azure_places(kind: str, account: str, share: str, folder: str) -> list[Place]:
    """Return the place in an account, and in any account: that of a Secret may be each of them."""
    if not (account and share):
        return []
    path, is_below = _without_template(normalised(f"/{folder}").lower())
    is_secret, account, share = account.startswith(_SECRET), account.lower(), share.lower()
    return [
        Place(f"azure-{kind} {account}/{share}", path, is_below),
        Place(f"azure-{kind} /{share}", path, is_below, "" if is_secret else account, is_secret),
    ]


def _account_of_secret(name: str, namespace: str) -> str:
    """Return the storage account that the name of a Secret says by convention, or else the Secret itself."""
    found = _AZURE_SECRET.match(name)
    return found[1] if found else f"{_SECRET}{namespace}/{name}" if name else ""


def _lustre_places(source: VolumeSource) -> list[Place]:
    given = _lower_keys(source.attributes)
    server = given.get("dnsname") or given.get("mgs-ip-address") or given.get("ip", "")
    system = given.get("mountname") or given.get("fs-name") or given.get("filesystem")
    system = system or _LUSTRE_DEFAULTS.get(source.driver.lower(), "")
    if not (server and system):
        return []
    path, is_below = _without_template(normalised(f"/{system}/{given.get('sub-dir', '')}"))
    # A server may be several, as addresses of LNet: 10.0.0.1@tcp:10.0.0.2@tcp.
    names = [nid.partition("@")[0] for nid in re.split("[:,]", server)] if "@" in server else [server]
    places = [Place(f"lustre {server_name(name)}", path, is_below) for name in names]
    fsx = _FSX_NAME.search(server_name(server)) or _FSX_HANDLE.match(source.handle)
    if fsx:
        places.append(Place(f"fsx {fsx[fsx.lastindex or 0]}", "/" + "/".join(path.split("/")[2:]), is_below))
    return places


def _filestore_places(source: VolumeSource) -> list[Place]:
    """The handle is MODE/ZONE/INSTANCE/VOLUME, and an instance is an NFS server."""
    parts = source.handle.strip("/").split("/")
    volume = parts[-1]
    places = [Place(f"filestore {'/'.join(parts[1:-1]).lower()}", normalised("/" + volume))] if len(parts) > 3 else []
    given = _lower_keys(source.attributes)
    if given.get("ip"):
        places += _nfs_places(given["ip"], given.get("volume") or volume)
    return places


def _manila_places(source: VolumeSource) -> list[Place]:
    share = source.attributes.get("shareID", "")
    return [Place(f"manila {share.lower()}", "/")] if share else []


_DRIVERS: Mapping[str, Callable[[VolumeSource], list[Place]]] = {
    NFS_CSI: _nfs_csi_places,
    CEPHFS: _ceph_places,
    CEPH_NFS: _ceph_nfs_places,
    "smb.csi.k8s.io": _smb_places,
    "efs.csi.aws.com": _efs_places,
    "file.csi.azure.com": lambda source: _azure_csi_places("file", source),
    "blob.csi.azure.com": lambda source: _azure_csi_places("blob", source),
    "fsx.csi.aws.com": _lustre_places,
    "azurelustre.csi.azure.com": _lustre_places,
    "lustre.csi.storage.gke.io": _lustre_places,
    "filestore.csi.storage.gke.io": _filestore_places,
    "nfs.manila.csi.openstack.org": _manila_places,
    "cephfs.manila.csi.openstack.org": _manila_places,
}


def _without_template(path: str) -> tuple[str, bool]:
    """Return the folder above the first part of a path that a provisioner replaces, and whether there is such a part."""
    parts: list[str] = []
    for part in path.split("/"):
        if is_template(part):
            return "/".join(parts) or "/", True
        parts.append(part)
    return path, False


def _lower_keys(attributes: Mapping[str, Any]) -> dict[str, str]:
    return {key.lower(): str(value) for key, value in attributes.items()}
