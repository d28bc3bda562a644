# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The homes of a hub that chooses them itself: what its configuration mounts as the home, before profiles change it.

One claim may have the homes of all users, each in a folder (`subPath`). Nothing in it says whose is whose, so a server mounts the
folders of such a claim that the configuration mounts for it, and what is below these.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from .pod_rewriting import MAIN_CONTAINER, change_mounts, claim_of, containers_of, main_container, mount_path

_MOUNTS = ("volumeMounts", "volumeDevices")
_VARIABLE = re.compile(r"\$\(([^)]+)\)")
_UNDERSCORE = re.compile(r"_([a-z])")
#: The folder that is the whole volume.
_ALL = "/"


class ConfiguredHomes(NamedTuple):
    """Claims that the hub mounts as the home, their folders by claim and container, and the other containers by name."""

    claims: frozenset[str] = frozenset()
    folders: Mapping[tuple[str, str], frozenset[str]] = {}
    others: Mapping[str, Mapping[str, Any]] = {}


def configured_homes(spawner: Any, home: str) -> ConfiguredHomes:
    """Return what the configuration of a spawner mounts as the home, which is mounted at the path `home`."""
    # Extra configuration replaces whole lists, and KubeSpawner expands that of the pod only.
    main = _as_in_json(
        {
            "name": MAIN_CONTAINER,
            "volumeMounts": _expanded(spawner, spawner.volume_mounts),
            **(_plain(spawner, spawner.extra_container_config) or {}),
        }
    )
    if "env" not in main and any("subPathExpr" in mount for mount in main["volumeMounts"] or ()):
        main["env"] = [{"name": name, **_value(value)} for name, value in spawner.get_env().items()]
    spec = {
        "volumes": _expanded(spawner, spawner.volumes),
        "initContainers": _expanded(spawner, spawner.init_containers),
        "containers": [main, *_expanded(spawner, spawner.extra_containers)],
        **(_plain(spawner, spawner._expand_all(spawner.extra_pod_config)) or {}),
    }
    return homes_of(spec, home)


def homes_of(spec: Mapping[str, Any], home: str) -> ConfiguredHomes:
    """Return what a pod mounts as the home in the main container, and in which folders it is mounted in all containers."""
    spec = _as_in_json(spec)
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
                folders[place] = folders.get(place, frozenset()) | {_folder(container, mount)}
    others = {str(one.get("name")): one for one in containers_of(spec) if one.get("name") != MAIN_CONTAINER}
    return ConfiguredHomes(homes, folders, others)


def without_other_folders(spec: Mapping[str, Any], homes: ConfiguredHomes) -> tuple[dict[str, Any], list[str]]:
    """Return a pod's spec that mounts of these homes only folders that are configured, and which mounts are removed.

    Each container may mount what is configured for the main container, and, if nothing has changed it, what is configured for it.
    """
    claims = {name: claim for name, claim in _claims_by_volume(spec).items() if claim in homes.claims}
    removed: list[str] = []

    def kept(container: Mapping[str, Any], mount: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
        claim = claims.get(mount.get("name"))
        if claim is None:
            return mount
        name, folder = str(container.get("name")), _folder(container, mount)
        places = [MAIN_CONTAINER, name] if _is_same(container, homes.others.get(name)) else [MAIN_CONTAINER]
        known = (homes.folders.get((claim, place), frozenset()) for place in places)
        if any(_is_within(folder, other) for folders in known for other in folders):
            return mount
        folder = mount.get("subPathExpr") or folder
        removed.append(f"folder {folder} of claim {claim} at {mount.get('mountPath')} in container {name}")
        return None

    return change_mounts(spec, kept), removed


def _claims_by_volume(spec: Mapping[str, Any]) -> dict[Any, str]:
    return {volume.get("name"): claim_of(volume) for volume in spec.get("volumes") or () if claim_of(volume)}


def _folder(container: Mapping[str, Any], mount: Mapping[str, Any]) -> str:
    """Return the folder of a mount: a path with a slash in front, or an expression with its variables, which has none."""
    expression = str(mount.get("subPathExpr") or "")
    if not expression:
        return posixpath.normpath("/" + str(mount.get("subPath") or "").lstrip("/"))
    variables = {one.get("name"): one for one in container.get("env") or ()}
    names = _VARIABLE.findall(expression)
    for name in names:  # grows with the variables in the values of variables
        value = str((variables.get(name) or {}).get("value") or "")
        names += [other for other in _VARIABLE.findall(value) if other not in names]
    used = {name: variables.get(name) for name in names}
    others = container.get("envFrom") if None in used.values() else None
    return expression.lstrip("/") + json.dumps([used, others], sort_keys=True, default=str)


def _is_same(container: Mapping[str, Any], configured: Optional[Mapping[str, Any]]) -> bool:
    """Return whether a container is the configured one, which may have lost mounts."""
    if configured is None:
        return False
    plain = _as_in_json(container)
    differing = [key for key in {*plain, *configured} if plain.get(key) != configured.get(key)]
    return all(
        key in _MOUNTS and all(mount in (configured.get(key) or ()) for mount in plain.get(key) or ())
        for key in differing
    )


def _as_in_json(value: Any) -> Any:
    """Return a part of a pod with the keys of the API: KubeSpawner also accepts `volume_mounts`."""
    if isinstance(value, Mapping):
        return {
            _UNDERSCORE.sub(lambda found: found.group(1).upper(), key): _as_in_json(one) for key, one in value.items()
        }
    return [_as_in_json(one) for one in value] if isinstance(value, (list, tuple)) else value


def _is_within(folder: str, other: str) -> bool:
    return other == _ALL or folder == other or (other.startswith("/") and folder.startswith(other + "/"))


def _value(value: Any) -> Mapping[str, Any]:
    """Return the value of a variable as in a container: KubeSpawner accepts a text, or a dictionary with `valueFrom`."""
    return value if isinstance(value, Mapping) else {"value": value}


def _plain(spawner: Any, value: Any) -> Any:
    return spawner.api.api_client.sanitize_for_serialization(value)


def _expanded(spawner: Any, value: Any) -> Iterable[dict[str, Any]]:
    """Return volumes, mounts or containers as plain dictionaries. KubeSpawner 7 also accepts a dictionary of them."""
    plain = _plain(spawner, spawner._expand_all(value)) or []
    return [entry for entry in (plain.values() if isinstance(plain, dict) else plain) if isinstance(entry, dict)]
