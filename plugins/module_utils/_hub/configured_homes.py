# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The homes of a hub that chooses them itself: what its configuration mounts as the home, before profiles change it.

One claim may have the homes of all users, each in a folder (`subPath`). Nothing in it says whose is whose, so a server mounts the
folders of such a claim that the configuration mounts for it, and what is below these.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from .pod_rewriting import MAIN_CONTAINER, change_mounts, claim_of, containers_of, main_container, mount_path

#: The folder that is the whole volume.
_ALL = "/"


class ConfiguredHomes(NamedTuple):
    """Claims that the hub mounts as the home, and their folders by claim and container."""

    claims: frozenset[str] = frozenset()
    folders: Mapping[tuple[str, str], frozenset[str]] = {}


def configured_homes(spawner: Any, home: str) -> ConfiguredHomes:
    """Return what the configuration of a spawner mounts as the home, which is mounted at the path `home`."""
    main = _plain(spawner, spawner.extra_container_config) or {}
    mounts = [*_expanded(spawner, spawner.volume_mounts), *(main.get("volumeMounts") or ())]
    return homes_of(
        {
            "volumes": _expanded(spawner, spawner.volumes),
            "initContainers": _expanded(spawner, spawner.init_containers),
            "containers": [
                {"name": MAIN_CONTAINER, "volumeMounts": mounts},
                *_expanded(spawner, spawner.extra_containers),
            ],
        },
        home,
    )


def homes_of(spec: Mapping[str, Any], home: str) -> ConfiguredHomes:
    """Return what a pod mounts as the home in the main container, and in which folders it is mounted in all containers."""
    claims = _claims_by_volume(spec)
    at_home = [
        mount.get("name")
        for mount in main_container(spec).get("volumeMounts") or ()
        if (home + "/").startswith(mount_path(mount).rstrip("/") + "/")
    ]
    homes = frozenset(claims[name] for name in at_home if name in claims)
    folders: dict[tuple[str, str], frozenset[str]] = {}
    for container in containers_of(spec):
        for mount in container.get("volumeMounts") or ():
            claim = claims.get(mount.get("name"))
            if claim in homes:
                place = (str(claim), str(container.get("name")))
                folders[place] = folders.get(place, frozenset()) | {_folder(mount)}
    return ConfiguredHomes(homes, folders)


def without_other_folders(spec: Mapping[str, Any], homes: ConfiguredHomes) -> tuple[dict[str, Any], list[str]]:
    """Return a pod's spec that mounts of these homes only folders that are configured, and which mounts are removed.

    Each container may mount what is configured for it and for the main container.
    """
    claims = {name: claim for name, claim in _claims_by_volume(spec).items() if claim in homes.claims}
    removed: list[str] = []

    def kept(container: Mapping[str, Any], mount: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
        claim = claims.get(mount.get("name"))
        if claim is None:
            return mount
        name, folder = str(container.get("name")), _folder(mount)
        known = (homes.folders.get((claim, one), frozenset()) for one in (MAIN_CONTAINER, name))
        if any(_is_within(folder, other) for folders in known for other in folders):
            return mount
        removed.append(f"folder {folder} of claim {claim} at {mount.get('mountPath')} in container {name}")
        return None

    return change_mounts(spec, kept), removed


def _claims_by_volume(spec: Mapping[str, Any]) -> dict[Any, str]:
    return {volume.get("name"): claim_of(volume) for volume in spec.get("volumes") or () if claim_of(volume)}


def _folder(mount: Mapping[str, Any]) -> str:
    """Return the folder of a mount: a path with a slash in front, or an expression, which has none."""
    if mount.get("subPathExpr"):
        return str(mount["subPathExpr"]).lstrip("/")
    return posixpath.normpath("/" + str(mount.get("subPath") or "").lstrip("/"))


def _is_within(folder: str, other: str) -> bool:
    return other == _ALL or folder == other or (other.startswith("/") and folder.startswith(other + "/"))


def _plain(spawner: Any, value: Any) -> Any:
    return spawner.api.api_client.sanitize_for_serialization(value)


def _expanded(spawner: Any, value: Any) -> Iterable[dict[str, Any]]:
    """Return volumes, mounts or containers as plain dictionaries. KubeSpawner 7 also accepts a dictionary of them."""
    plain = _plain(spawner, spawner._expand_all(value)) or []
    return [entry for entry in (plain.values() if isinstance(plain, dict) else plain) if isinstance(entry, dict)]
