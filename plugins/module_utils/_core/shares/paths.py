# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths of shares: where they are mounted, and that no two of them are the same data, or one inside the other."""

from __future__ import annotations

import ipaddress
import posixpath
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Callable, Optional

from ..validation import shown

if TYPE_CHECKING:
    from .backend_spec import Backend
    from .spec import ShareSpec

NFS_CSI = "nfs.csi.k8s.io"
CEPHFS = "cephfs.csi.ceph.com"


def absolute_error(path: str, example: str) -> Optional[str]:
    """What is wrong with a path that must be absolute and in its shortest form, as a clause; None when nothing is."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        return f"{shown(path)} contains a control character: remove it"
    if not path.startswith("/"):
        return f"{shown(path)} is not absolute: write it from the root, such as {example}"
    if ".." in path.split("/"):
        return f"{shown(path)} contains `..`: write the path that is meant, without it"
    plain = normalised(path)
    if path != plain:
        return f"{shown(path)} is not in its shortest form: write {plain}"
    return None


def place_errors(home: str, roots: Sequence[str]) -> list[str]:
    """What is wrong with where shares may be mounted: `home`, where servers mount it, and the other `roots`."""
    error = absolute_error(home, "/opt/app-root/src")
    if home == "/":
        error = "the home cannot be the root of the file system: name where it is mounted"
    errors = [f"home_path: {error}"] if error else []
    return errors + [
        f"mount_roots: {error}" for error in (absolute_error(root, "/mnt/shares") for root in roots) if error
    ]


def normalised(path: str) -> str:
    """A path without doubled or trailing slashes and without ``.`` (posixpath leaves a doubled slash at the start)."""
    return posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else posixpath.normpath(path)


def is_inside(path: str, other: str) -> bool:
    """Whether a normalised absolute path is another one, or lies below it."""
    return path == other or other == "/" or path.startswith(other + "/")


#: Folders of a node that are its own: who mounts one of them, or what holds one, has the node, or all pods on it.
_SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/usr"),
    *("/var/lib/containerd", "/var/lib/containers", "/var/lib/docker", "/var/lib/etcd", "/var/lib/kubelet", "/var/log"),
    "/var/run",
)


def system_path_error(path: str) -> Optional[str]:
    """Why no share is a path of a node, as a clause with the way out; None where it may be. `path` is normalised."""
    for own in _SYSTEM if path.startswith("/") else ():
        if is_inside(path, own) or is_inside(own, path):
            where = "is" if path == own else "lies in" if is_inside(path, own) else "holds"
            return (
                f"{path} {where} {own}, which is the node's own: give the share a folder for itself, such as /srv/NAME"
            )
    return None


def mount_path_error(path: str, home: str, roots: Sequence[str]) -> Optional[str]:
    """Why nothing may be mounted at a path, as a clause with the way out; None when it may be.

    ``home`` and ``roots`` are normalised. Below the home is the normal case, for the file browser shows it there.
    """
    error = absolute_error(path, f"{home}/NAME")
    if error:
        return error
    if ":" in path:
        return f"{shown(path)} contains a colon, which Kubernetes allows in no mount path: write it without"
    if is_inside(home, path):
        what = "is the home itself" if path == home else f"is above the home {home}"
        return f"{path} {what}, which the share would hide: mount it below, such as at {home}/NAME"
    if not any(is_inside(path, root) for root in (home, *roots)):
        allowed = ", ".join((home, *roots))
        return (
            f"{path} is under none of the allowed roots ({allowed}): mount it there, or name its root in `mount_roots`"
        )
    if path in roots:
        return f"{path} is one of the roots itself, and would hide what else is mounted there: mount it below"
    return None


def nested_mounts(shares: Sequence[ShareSpec]) -> list[str]:
    """A sentence for each pair of shares of one namespace that are mounted at one path or inside one another."""
    errors = []
    for inner, outer in _overlaps(shares, lambda share: [("", share.mount_path)]):
        if not _meet(inner, outer):
            continue
        where = f"at {inner.mount_path}, where {outer.name} ({outer.position}) is already"
        if inner.mount_path != outer.mount_path:
            where = f"at {inner.mount_path}, inside {outer.name} ({outer.position}) at {outer.mount_path}"
        errors.append(
            f"{inner.position}: {inner.name} would be mounted {where}: give one of them another `mount_path`, beside the other's"
        )
    return errors


def shared_data(shares: Sequence[ShareSpec]) -> list[str]:
    """A sentence for each pair of shares whose data is the same, or lies inside the other's.

    Who may use one of them would reach the other's data, whatever its level.
    """
    errors = []
    for inner, outer in _overlaps(shares, places_of):
        if _on_other_file_systems(inner, outer):
            continue
        how = "is" if places_of(inner) == places_of(outer) else "lies inside"
        errors.append(
            f"{inner.position}: the data of {inner.name} ({_told(inner)}) {how} that of {outer.name} ({_told(outer)}, "
            f"{outer.position}), so who may use one could reach the other: give each a place of its own, or make them one share"
        )
    for key in ("volume", "claim"):
        seen: dict[tuple[str, str], list[ShareSpec]] = {}
        for share in shares:
            for name in _identities(share, key):
                for other in seen.get(name, ()):
                    if other is not share and (key == "volume" or _meet(share, other)):
                        errors.append(
                            f"{share.position}: {share.name} and {other.name} ({other.position}) are one {key}, {name[1]}, under "
                            "two names: make them one share"
                        )
                seen.setdefault(name, []).append(share)
    return errors


def _on_other_file_systems(one: ShareSpec, other: ShareSpec) -> bool:
    """Whether two volumes of CephFS name different file systems of their cluster: then equal paths are different folders."""
    names = [spec.backend.attributes.get("fsName") for spec in (one, other) if is_cephfs(spec.backend.driver)]
    return len(names) == 2 and all(names) and names[0] != names[1]


def _meet(one: ShareSpec, other: ShareSpec) -> bool:
    """Whether some namespace may have both. No namespaces of its own means those of the run."""
    return not one.namespaces or not other.namespaces or bool(set(one.namespaces) & set(other.namespaces))


def _overlaps(
    shares: Iterable[ShareSpec], places: Callable[[ShareSpec], list[tuple[str, str]]]
) -> Iterable[tuple[ShareSpec, ShareSpec]]:
    """Pairs of shares with a path that is the other's or below it: (the one further down, the other)."""
    targets: dict[str, list[tuple[str, ShareSpec]]] = {}
    for share in shares:
        for where, path in places(share):
            targets.setdefault(where, []).append((path, share))
    for found in targets.values():
        # In this order all that lies below a path follows it at once.
        found.sort(key=lambda target: target[0].rstrip("/").split("/"))
        above: list[tuple[str, ShareSpec]] = []
        for path, share in found:
            while above and not is_inside(path, above[-1][0]):
                above.pop()
            for _path, other in above:
                if other is not share:
                    yield share, other
            above.append((path, share))


def server_name(server: str) -> str:
    """A server's name as DNS compares it, or its address in the one form that stands for all of its spellings."""
    bare = server[1:-1] if server.startswith("[") and server.endswith("]") else server
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare.rstrip(".").lower()


def is_cephfs(driver: str) -> bool:
    """Whether a driver is ceph-csi's for CephFS; Rook and OpenShift put their own word in front."""
    return driver.lower() == CEPHFS or driver.lower().endswith("." + CEPHFS)


def nfs_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes of nfs.csi.k8s.io by their names in lower case, as the driver reads them."""
    return {key.lower(): value for key, value in attributes.items()}


def csi_place(driver: str, attributes: Mapping[str, str]) -> Optional[tuple[str, str, str]]:
    """Where the data of a CSI volume lies: ("nfs", server, path) or ("ceph", cluster, path); None where only its handle says.

    One cluster of Ceph may have several file systems. Who leaves `fsName` out means one of them, so it tells none apart.
    """
    if driver.lower() == NFS_CSI:
        given = nfs_attributes(attributes)
        if not given.get("server"):
            return None
        path = normalised(f"/{given.get('share', '')}/{given.get('subdir', '')}")
        return "nfs", server_name(given["server"]), path
    if is_cephfs(driver):
        root = attributes.get("rootPath") or attributes.get("subvolumePath", "")
        return ("ceph", attributes.get("clusterID", ""), normalised(f"/{root}")) if root else None
    return None


def csi_path_errors(driver: str, attributes: Mapping[str, str]) -> list[str]:
    """What is wrong with the paths among a CSI volume's attributes, as clauses with the way out."""
    errors = []
    if driver.lower() == NFS_CSI:
        keys = [key.lower() for key in attributes]
        errors += [
            f"has {key} twice, for {NFS_CSI} reads its keys in any case: remove one"
            for key in sorted({key for key in keys if keys.count(key) > 1})
        ]
    for key, value in attributes.items():
        is_path = (
            key.lower() in ("share", "subdir") if driver.lower() == NFS_CSI else key in ("rootPath", "subvolumePath")
        )
        if not is_path or not (driver.lower() == NFS_CSI or is_cephfs(driver)):
            continue
        if ".." in value.split("/"):
            errors.append(f"`{key}` {shown(value)} contains `..`: write the path that is meant, without it")
        elif key in ("rootPath", "subvolumePath") and not value.startswith("/"):
            errors.append(f"`{key}` {shown(value)} is not absolute: write it from the root of the file system")
    return errors


def places_of(share: ShareSpec) -> list[tuple[str, str]]:
    """The folders that hold a share's data: (what they are paths of: "nfs SERVER", "host" or "ceph ...", path)."""
    backend: Backend = share.backend
    if backend.type == "nfs":
        return [(f"nfs {server_name(backend.server)}", backend.path)]
    if backend.type == "host_path":
        return [("host", backend.path)]
    if backend.type == "csi":
        place = csi_place(backend.driver, backend.attributes)
        return [(f"{place[0]} {place[1]}", place[2])] if place else []
    return []


def _identities(share: ShareSpec, key: str) -> list[tuple[str, str]]:
    if key == "claim":
        return [("claim", share.claim)]
    backend = share.backend
    if backend.type != "csi":
        return []
    handles = {handle for handle in (backend.volume_handle, *backend.volume_handles.values()) if handle}
    return [(backend.driver.lower(), handle) for handle in sorted(handles)]


def _told(share: ShareSpec) -> str:
    where, path = places_of(share)[0]
    return f"{where.split(' ')[-1]}:{path}" if where.startswith("nfs ") else path
