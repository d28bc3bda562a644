# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pairs of shares in one inventory that cannot coexist: nested mount paths, or the same data under two names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Callable

from ..kubernetes.volumes import VolumeSource
from .backend_spec import CSI, HOST_PATH, NFS
from .paths import is_inside
from .places import (
    CONTAINS,
    INSIDE,
    MAY_BE,
    SAME,
    compared_attributes,
    has_equal_handle,
    known_places,
    places_of_source,
    relation_of,
)
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
    for one, other, relation in _related(shares):
        if relation == MAY_BE:
            if one.level != other.level and not are_distinct(one, other):
                errors.append(
                    f"{one.position}: whether {one.name} and {other.name} ({other.position}) hold the same data is unknown: "
                    f"everything that can be compared ({_describe_place(one)}) is equal, and their levels differ. If the data "
                    f"differ, set `distinct_from: [{other.name}]`; otherwise make them one share"
                )
            continue
        inner, outer = (other, one) if relation == CONTAINS else (one, other)
        how = INSIDE if relation == CONTAINS else relation
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


def doubtful_pairs(shares: Sequence[ShareSpec]) -> list[tuple[ShareSpec, ShareSpec]]:
    """Return the pairs of shares that may hold the same data, as far as can be compared, and that no entry calls distinct."""
    return [
        (one, other) for one, other, relation in _related(shares) if relation == MAY_BE and not are_distinct(one, other)
    ]


def are_distinct(one: ShareSpec, other: ShareSpec) -> bool:
    """Return whether the entry of one share says that its data differs from the other's."""
    return other.name in one.distinct_from or one.name in other.distinct_from


def places_of(share: ShareSpec) -> list[tuple[str, str]]:
    """Return the folders with a share's data, as (root, path). The root is "nfs SERVER", "host" or "ceph CLUSTER"."""
    found = [place for source in _sources_of(share) for place in known_places(source)]
    return [(place.root, place.path) for place in found if place.root.split(" ")[0] in ("nfs", "host", "ceph")]


def _sources_of(share: ShareSpec) -> list[VolumeSource]:
    """Return the sources that a share's entry declares, one for each volume handle."""
    backend = share.backend
    if backend.type == NFS:
        return [VolumeSource("nfs", {"server": backend.server, "path": backend.path})]
    if backend.type == HOST_PATH:
        return [VolumeSource("hostPath", {"path": backend.path})]
    if backend.type != CSI:
        return []
    fields = {"driver": backend.driver, "volumeAttributes": backend.attributes}
    if backend.node_stage_secret:
        fields["nodeStageSecretRef"] = backend.node_stage_secret
    handles = _handles(share) or [""]
    return [VolumeSource("csi", {**fields, "volumeHandle": handle}) for handle in handles]


def _related(shares: Sequence[ShareSpec]) -> Iterable[tuple[ShareSpec, ShareSpec, str]]:
    """Yield pairs of shares whose data may be related, each pair once: (one, other, relation of one to other)."""
    sources = {id(share): _sources_of(share) for share in shares}
    by_root: dict[str, list[tuple[int, str]]] = {}
    for number, share in enumerate(shares):
        for source in sources[id(share)]:
            places = places_of_source(source)
            for place in places:
                by_root.setdefault(place.root, []).append((number, place.path))
            if not places and compared_attributes(source):
                by_root.setdefault(f"{source.driver.lower()} {compared_attributes(source)}", []).append((number, "/"))
    candidates: dict[tuple[int, int], None] = {}
    for found in by_root.values():
        # In this order everything below a path follows it directly.
        found.sort(key=lambda item: item[1].rstrip("/").split("/"))
        above: list[tuple[int, str]] = []
        for number, path in found:
            while above and not is_inside(path, above[-1][1]):
                above.pop()
            for earlier, _path in above:
                if earlier != number:
                    candidates[number, earlier] = None
            above.append((number, path))
    seen: set[frozenset[int]] = set()
    for first, second in candidates:
        pair = frozenset((first, second))
        if pair in seen:
            continue
        seen.add(pair)
        one, other = shares[first], shares[second]
        pairs = [(here, there) for here in sources[id(one)] for there in sources[id(other)]]
        # Equal handles are reported by their own name.
        relations = {relation_of(here, there) for here, there in pairs if not has_equal_handle(here, there)}
        relation = next((name for name in (SAME, INSIDE, CONTAINS, MAY_BE) if name in relations), None)
        if relation is not None:
            yield one, other, relation


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
    return [(share.backend.driver.lower(), handle) for handle in _handles(share)]


def _handles(share: ShareSpec) -> list[str]:
    backend = share.backend
    if backend.type != CSI:
        return []
    return sorted({handle for handle in (backend.volume_handle, *backend.volume_handles.values()) if handle})


def _describe_place(share: ShareSpec) -> str:
    for place in (place for source in _sources_of(share) for place in known_places(source)):
        kind, _space, where = place.root.partition(" ")
        return place.path if kind in ("host", "ceph") else f"{where}:{place.path}"
    return f"the attributes of {share.backend.driver}" if share.backend.attributes else share.backend.driver
