# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An index that finds the volumes whose data may be related to that of one volume."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from ...kubernetes.volumes import Volume, VolumeSource
from ..places import MAY_BE, compared_attributes, is_on_node, places_of_source, relation_of


class VolumeIndex:
    """All volumes by the storage systems of their data, there by the parts of the path, by CSI handle and by attributes."""

    def __init__(self, volumes: Sequence[Volume]) -> None:
        self._by_key: dict[tuple[str, str], list[Volume]] = {}
        by_root: dict[str, list[tuple[list[str], Volume]]] = {}
        for volume in volumes:
            for place in places_of_source(volume.source):
                by_root.setdefault(place.root, []).append((_parts(place.path), volume))
            for key in _keys(volume.source):
                self._by_key.setdefault(key, []).append(volume)
        self._folders: dict[str, tuple[list[list[str]], list[Volume]]] = {}
        for root, found in by_root.items():
            found.sort(key=lambda item: item[0])
            self._folders[root] = ([key for key, _volume in found], [volume for _key, volume in found])

    def related(self, volume: Volume) -> Iterator[tuple[Volume, str]]:
        """Yield each volume whose data may be related to that of this one, and how, certain relations first."""
        found: dict[str, tuple[Volume, str]] = {}
        for other in self._candidates(volume.source):
            if other.name in found or (is_on_node(volume.source) and volume.is_on_other_nodes(other)):
                continue
            relation = relation_of(volume.source, other.source)
            if relation == MAY_BE and volume.is_provisioned and other.is_provisioned:
                continue  # A class gave each its own data.
            if relation is not None:
                found[other.name] = (other, relation)
        yield from sorted(found.values(), key=lambda item: item[1] == MAY_BE)

    def _candidates(self, source: VolumeSource) -> Iterator[Volume]:
        for key in _keys(source):
            yield from self._by_key.get(key, ())
        for place in places_of_source(source):
            keys, volumes = self._folders.get(place.root, ([], []))
            parts = _parts(place.path)
            for length in range(1, len(parts)):
                at = bisect_left(keys, parts[:length])
                while at < len(keys) and keys[at] == parts[:length]:
                    yield volumes[at]
                    at += 1
            at = bisect_left(keys, parts)
            while at < len(keys) and keys[at][: len(parts)] == parts:
                yield volumes[at]
                at += 1


def _keys(source: VolumeSource) -> list[tuple[str, str]]:
    """Return the handle of a CSI volume, and the attributes of one whose places are unknown, to find equal ones."""
    driver = source.driver.lower()
    keys = [(driver, source.handle)] if source.handle else []
    compared = compared_attributes(source)
    return [*keys, (f"{driver} attributes", compared)] if compared and not places_of_source(source) else keys


def _parts(path: str) -> list[str]:
    return path.rstrip("/").split("/")
