# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rewrite the pod of a server, as a JSON object: its home, the claims that it must not mount, and the shares.

The object is what the API client would send, so it does not matter which parts were typed objects and which were plain
dictionaries. Everything here returns new objects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional

from .access import Mount
from .acl_format import normalised
from .hub_settings import Software
from .observed_claims import source_claims

#: Volumes with this prefix, and with this name, are ours. Those that something else put into the pod are removed.
VOLUME_PREFIX = "odh-share-"
SOFTWARE_VOLUME = "odh-software"
MAIN_CONTAINER = "notebook"
MOUNT_POINTS_CONTAINER = "odh-mount-points"
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_HASH_DIGITS = 24
#: Prefixes of the labels and annotations that say whose a claim is.
_MARKS = ("odh.persistency/", "hub.jupyter.org/")


def volume_name(claim: str) -> str:
    """Return the name of the volume of a share. Names of claims are longer than those of volumes may be, so it is a hash."""
    return VOLUME_PREFIX + hashlib.sha256(claim.encode("utf-8")).hexdigest()[:_HASH_DIGITS]


class ClaimUse(NamedTuple):
    """A claim that a volume of the pod mounts, or else that is created for the pod or copied for it."""

    name: str
    is_mounted: bool = True


def claims_of(spec: Mapping[str, Any], pod_name: str) -> list[ClaimUse]:
    """Return the claims that a pod mounts, creates or copies, each once."""
    return list(dict.fromkeys(use for volume in spec.get("volumes") or () for use in _claims(volume, pod_name)))


def with_plain_templates(spec: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the pod's spec without volumes that are created from something other than claims of this namespace, and their names.

    The claims that are created for the pod get no labels and annotations that make a claim a home or a share.
    """

    def is_other(volume: Mapping[str, Any]) -> bool:
        return "" in source_claims(_template(volume).get("spec") or {})

    others = [str(volume.get("name")) for volume in spec.get("volumes") or () if is_other(volume)]
    changed = without_volumes(spec, is_other)
    return {**changed, "volumes": [_without_marks(volume) for volume in changed["volumes"]]}, others


def _without_marks(volume: Mapping[str, Any]) -> dict[str, Any]:
    metadata = _template(volume).get("metadata")
    if not metadata:
        return dict(volume)
    kept = {
        key: {name: value for name, value in (metadata.get(key) or {}).items() if not name.startswith(_MARKS)}
        for key in ("labels", "annotations")
    }
    template = {**_template(volume), "metadata": {**metadata, **kept}}
    return {**volume, "ephemeral": {**volume["ephemeral"], "volumeClaimTemplate": template}}


def with_read_only(spec: Mapping[str, Any], claims: Iterable[str]) -> dict[str, Any]:
    """Return the pod's spec with the volumes of these claims, and their mounts, read-only."""
    read_only = frozenset(claims)
    volumes, names = [], set()
    for volume in spec.get("volumes") or ():
        if claim_of(volume) in read_only:
            names.add(volume.get("name"))
            volume = {**volume, "persistentVolumeClaim": {**volume["persistentVolumeClaim"], "readOnly": True}}
        volumes.append(volume)

    def changed(_container: Mapping[str, Any], mount: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**mount, "readOnly": True} if mount.get("name") in names and "mountPath" in mount else mount

    return change_mounts({**spec, "volumes": volumes}, changed)


def with_home(spec: Mapping[str, Any], computed: Iterable[str], home: str) -> dict[str, Any]:
    """Return the pod's spec with the claim `home` in place of every computed claim name."""
    replaced = frozenset(computed) - {home}

    def volume_with_home(volume: Mapping[str, Any]) -> dict[str, Any]:
        if claim_of(volume) not in replaced:
            return dict(volume)
        return {**volume, "persistentVolumeClaim": {**volume["persistentVolumeClaim"], "claimName": home}}

    return {**spec, "volumes": [volume_with_home(volume) for volume in spec.get("volumes") or ()]}


def without_claims(spec: Mapping[str, Any], claims: Iterable[ClaimUse], pod_name: str) -> dict[str, Any]:
    """Return the pod's spec without the volumes of these claims, without volumes named as ours, and without their mounts."""
    removed = frozenset(claims)
    changed = without_volumes(
        spec, lambda volume: not removed.isdisjoint(_claims(volume, pod_name)) or _is_ours(volume)
    )
    # A mount of a volume that is ours later would put a share elsewhere.
    return change_mounts(changed, lambda _container, mount: None if _is_ours(mount) else mount)


def without_volumes(spec: Mapping[str, Any], is_removed: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    """Return the pod's spec without some volumes and their mounts."""
    volumes = spec.get("volumes") or ()
    kept = [volume for volume in volumes if not is_removed(volume)]
    # A name that another volume has too keeps its mounts: the API server rejects the duplicate, or it is the other's.
    names = {volume.get("name") for volume in volumes} - {volume.get("name") for volume in kept}
    return change_mounts(
        {**spec, "volumes": kept}, lambda _container, mount: None if mount.get("name") in names else mount
    )


def change_mounts(
    spec: Mapping[str, Any], change: Callable[[Mapping[str, Any], Mapping[str, Any]], Optional[Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return the pod's spec with the mounts and block devices that `change`, called with container and mount, returns."""

    def changed_container(container: Mapping[str, Any]) -> dict[str, Any]:
        changed = dict(container)
        for key in ("volumeMounts", "volumeDevices"):
            if container.get(key):
                mounts = [change(container, mount) for mount in container[key]]
                changed[key] = [mount for mount in mounts if mount is not None]
        return changed

    changed = dict(spec)
    for key in _CONTAINERS:
        if spec.get(key):
            changed[key] = [changed_container(container) for container in spec[key]]
    return changed


def containers_of(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return all containers of a pod."""
    return [container for key in _CONTAINERS for container in spec.get(key) or ()]


def with_shares(spec: Mapping[str, Any], mounts: Sequence[Mount]) -> dict[str, Any]:
    """Return the pod's spec with these shares in the main container, and their groups. Read-only is set on both places.

    What else is mounted at the path of a share is removed from that container.
    """
    if not mounts:
        return dict(spec)
    paths = {mount.path for mount in mounts}
    volumes = [*(spec.get("volumes") or ()), *(_volume(mount) for mount in mounts)]

    def container_with_shares(container: Mapping[str, Any]) -> dict[str, Any]:
        others = [mount for mount in container.get("volumeMounts") or () if mount_path(mount) not in paths]
        return {**container, "volumeMounts": [*others, *(_volume_mount(mount) for mount in mounts)]}

    changed = _with_main({**spec, "volumes": volumes}, container_with_shares)
    gids = [mount.gid for mount in mounts if mount.gid is not None]
    if gids:
        security = changed.get("securityContext") or {}
        groups = sorted({*(security.get("supplementalGroups") or ()), *gids})
        changed["securityContext"] = {**security, "supplementalGroups": groups}
    return changed


def with_software(spec: Mapping[str, Any], software: Software) -> dict[str, Any]:
    """Return the pod's spec with the software tree, read-only, and its variables in the main container.

    A volume that the pod has of this claim is used, because some storage drivers do not mount a claim twice. It becomes
    read-only for all containers. What else is mounted at the path, or below it, is removed from the main container.
    """
    volumes, name = [], ""
    for volume in spec.get("volumes") or ():
        if claim_of(volume) == software.claim:
            name = name or str(volume.get("name"))
            volume = {**volume, "persistentVolumeClaim": {"claimName": software.claim, "readOnly": True}}
        volumes.append(volume)
    if not name:
        name = SOFTWARE_VOLUME
        source = {"claimName": software.claim, "readOnly": True}
        volumes.append({"name": name, "persistentVolumeClaim": source})
    ours = {"name": name, "mountPath": software.mount_path, "readOnly": True}

    def container_with_software(container: Mapping[str, Any]) -> dict[str, Any]:
        others = [
            mount
            for mount in container.get("volumeMounts") or ()
            if not (mount_path(mount) + "/").startswith(software.mount_path + "/")
        ]
        return {**container, "volumeMounts": [*others, ours]}

    changed = _with_main({**spec, "volumes": volumes}, container_with_software)
    for variable, value in software.environment.items():
        changed = with_environment(changed, variable, value)
    return changed


def with_environment(spec: Mapping[str, Any], name: str, value: str) -> dict[str, Any]:
    """Return the pod's spec with an environment variable in the main container."""

    def container_with_variable(container: Mapping[str, Any]) -> dict[str, Any]:
        others = [variable for variable in container.get("env") or () if variable.get("name") != name]
        return {**container, "env": [*others, {"name": name, "value": value}]}

    return _with_main(spec, container_with_variable)


def main_container(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container of the server, {} if the pod has none."""
    containers = list(spec.get("containers") or ())
    return dict(containers[_place_of_main(containers)]) if containers else {}


def mounts_claim(spec: Mapping[str, Any], claims: Iterable[str]) -> bool:
    """Return whether the main container mounts one of these claims."""
    names = {volume.get("name") for volume in spec.get("volumes") or () if claim_of(volume) in frozenset(claims)}
    return any(mount.get("name") in names for mount in main_container(spec).get("volumeMounts") or ())


def _claims(volume: Mapping[str, Any], pod_name: str) -> list[ClaimUse]:
    """Return the claims of a volume. One that is created for the pod may copy another."""
    mounted = [ClaimUse(claim_of(volume))] if claim_of(volume) else []
    if volume.get("ephemeral") is None:
        return mounted
    names = [f"{pod_name}-{volume.get('name')}", *source_claims(_template(volume).get("spec") or {})]
    return [*mounted, *(ClaimUse(name, False) for name in names if name)]


def _template(volume: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the template of a claim that is created for the pod, {} for other volumes."""
    return (volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}


def _is_ours(named: Mapping[str, Any]) -> bool:
    """Return whether a volume, or the volume of a mount, has a name that is ours."""
    name = str(named.get("name"))
    return name.startswith(VOLUME_PREFIX) or name == SOFTWARE_VOLUME


def claim_of(volume: Mapping[str, Any]) -> str:
    """Return the claim that a volume names, "" if it is of another kind."""
    return str((volume.get("persistentVolumeClaim") or {}).get("claimName") or "")


def _volume(mount: Mount) -> dict[str, Any]:
    source: dict[str, Any] = {"claimName": mount.claim}
    if mount.mode != "rw":
        source["readOnly"] = True
    return {"name": volume_name(mount.claim), "persistentVolumeClaim": source}


def _volume_mount(mount: Mount) -> dict[str, Any]:
    result: dict[str, Any] = {"name": volume_name(mount.claim), "mountPath": mount.path}
    if mount.mode != "rw":
        result["readOnly"] = True
    return result


def mount_path(mount: Mapping[str, Any]) -> str:
    """Return the path of a mount as runtimes read it."""
    return normalised(str(mount.get("mountPath")))


def _with_main(spec: Mapping[str, Any], change: Any) -> dict[str, Any]:
    containers = list(spec.get("containers") or ())
    if containers:
        main = _place_of_main(containers)
        containers[main] = change(containers[main])
    return {**spec, "containers": containers}


def _place_of_main(containers: Sequence[Mapping[str, Any]]) -> int:
    return next((number for number, container in enumerate(containers) if container.get("name") == MAIN_CONTAINER), 0)
