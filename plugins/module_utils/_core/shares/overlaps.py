# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pairs of shares in one inventory that cannot coexist: nested mount paths, or the same data under two names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Callable

from .csi_drivers import csi_location, is_cephfs, server_name
from .paths import is_inside
from .spec import ShareSpec


def nested_mounts(shares: Sequence[ShareSpec]) -> list[str]:
    """Return an error for each pair of shares of one namespace with the same mount path, or one inside the other."""
    errors = []
    for inner, outer in _overlaps(shares, lambda share: [("", share.mount_path)]):
        if not _in_same_namespace(inner, outer):
            continue
        where = f"at {inner.mount_path}, like {outer.name} ({outer.position})"
        if inner.mount_path != outer.mount_path:
            where = f"at {inner.mount_path}, inside {outer.name} ({outer.position}) at {outer.mount_path}"
        errors.append(
            f"{inner.position}: {inner.name} would be mounted {where}: set another `mount_path` for one of them, beside the "
            "other's"
        )
    return errors


def shared_data(shares: Sequence[ShareSpec]) -> list[str]:
    """Return an error for each pair of shares with the same data, or with the data of one inside the other's.

    Whoever may use one of them would reach the other's data, whatever its level.
    """
    errors = []
    for inner, outer in _overlaps(shares, places_of):
        if _on_other_file_systems(inner, outer):
            continue
        how = "is" if places_of(inner) == places_of(outer) else "lies inside"
        errors.append(
            f"{inner.position}: the data of {inner.name} ({_describe_place(inner)}) {how} that of {outer.name} "
            f"({_describe_place(outer)}, {outer.position}), so users of one could reach the other: give each a separate place, "
            "or make them one share"
        )
    for key in ("volume", "claim"):
        seen: dict[tuple[str, str], list[ShareSpec]] = {}
        for share in shares:
            for name in _identities(share, key):
                for other in seen.get(name, ()):
                    if other is not share and (key == "volume" or _in_same_namespace(share, other)):
                        errors.append(
                            f"{share.position}: {share.name} and {other.name} ({other.position}) would share {key} {name[1]}: "
                            "make them one share"
                        )
                seen.setdefault(name, []).append(share)
    return errors


def places_of(share: ShareSpec) -> list[tuple[str, str]]:
    """Return the folders with a share's data, as (root, path). The root is "nfs SERVER", "host" or "ceph CLUSTER"."""
    backend = share.backend
    if backend.type == "nfs":
        return [(f"nfs {server_name(backend.server)}", backend.path)]
    if backend.type == "host_path":
        return [("host", backend.path)]
    if backend.type == "csi":
        location = csi_location(backend.driver, backend.attributes)
        return [(f"{location[0]} {location[1]}", location[2])] if location else []
    return []


def _on_other_file_systems(one: ShareSpec, other: ShareSpec) -> bool:
    """Return whether two CephFS volumes name different file systems of their cluster. Equal paths are different folders then."""
    names = [spec.backend.attributes.get("fsName") for spec in (one, other) if is_cephfs(spec.backend.driver)]
    return len(names) == 2 and all(names) and names[0] != names[1]


def _in_same_namespace(one: ShareSpec, other: ShareSpec) -> bool:
    """Return whether a namespace may have both. A share without namespaces is in those of the run."""
    return not one.namespaces or not other.namespaces or bool(set(one.namespaces) & set(other.namespaces))


def _overlaps(
    shares: Iterable[ShareSpec], places: Callable[[ShareSpec], list[tuple[str, str]]]
) -> Iterable[tuple[ShareSpec, ShareSpec]]:
    """Yield pairs of shares with the same path, or one path below the other: (the lower one, the other)."""
    by_root: dict[str, list[tuple[str, ShareSpec]]] = {}
    for share in shares:
        for root, path in places(share):
            by_root.setdefault(root, []).append((path, share))
    for found in by_root.values():
        # In this order everything below a path follows it directly.
        found.sort(key=lambda item: item[0].rstrip("/").split("/"))
        above: list[tuple[str, ShareSpec]] = []
        for path, share in found:
            while above and not is_inside(path, above[-1][0]):
                above.pop()
            for _path, other in above:
                if other is not share:
                    yield share, other
            above.append((path, share))


def _identities(share: ShareSpec, key: str) -> list[tuple[str, str]]:
    if key == "claim":
        return [("claim", share.claim)]
    backend = share.backend
    if backend.type != "csi":
        return []
    handles = {handle for handle in (backend.volume_handle, *backend.volume_handles.values()) if handle}
    return [(backend.driver.lower(), handle) for handle in sorted(handles)]


def _describe_place(share: ShareSpec) -> str:
    root, path = places_of(share)[0]
    return f"{root.split(' ')[-1]}:{path}" if root.startswith("nfs ") else path
