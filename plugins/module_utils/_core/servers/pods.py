# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods of servers, reduced to what a comparison with the ACL needs: whose server it is, and which claims it mounts.

The user and the server come from the environment of the container. Whoever may edit pods can change annotations, but
the API server rejects changes of the environment and the volumes of a pod that exists.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Optional

from ..._hub.acl_format import is_name
from ..._hub.pod_rewriting import MAIN_CONTAINER, volume_name
from ..._hub.spawn_stamp import GRANTED_ANNOTATION
from ..access.model import RO, RW
from ..metadata import EXCESS_ANNOTATION, EXCESS_CLAIMS_ANNOTATION, SERVERNAME_ANNOTATION, USERNAME_ANNOTATION
from ..times import parse_time
from .static_homes import folder_of

#: JupyterHub sets these for every server (`Spawner.get_env`, JupyterHub 1.5 to 6).
USER_VARIABLE = "JUPYTERHUB_USER"
SERVER_VARIABLE = "JUPYTERHUB_SERVER_NAME"
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
FINISHED = ("Succeeded", "Failed")
_ALL = ""


class MountedClaim(NamedTuple):
    """A claim that a pod mounts: `mode` is rw if one container can write to it, and `paths` are sorted.

    `folders` are those of the claim that are mounted, "" for all of it. $(NAME) in one is a variable without a known value.
    `as_share` is whether a mounted volume has the name that the spawn hook gives to the volume of a share.
    """

    mode: str
    paths: tuple[str, ...]
    folders: tuple[str, ...] = (_ALL,)
    as_share: bool = False


@dataclass(frozen=True)
class ServerPod:
    """The pod of a server. `server` is "" for the default server.

    `annotated` are the user and the server that the annotations name. `mounts` has the mounted claims by name. `gids` are
    the groups of its processes. `acl` is the digest of the ACL that the spawn hook applied, "" if it did not run.
    `excess_since` is the text of the annotation, "" without it, and `excess_claims` are the claims that it is about.
    """

    name: str
    uid: str
    user: str
    server: str = ""
    created: Optional[datetime] = None
    annotated: tuple[str, str] = ("", "")
    mounts: Mapping[str, MountedClaim] = field(default_factory=dict)
    gids: frozenset[int] = frozenset()
    acl: str = ""
    excess_since: str = ""
    excess_claims: tuple[str, ...] = ()
    terminating: bool = False


def server_pod_from(item: Mapping[str, Any]) -> Optional[ServerPod]:
    """Return the pod of a server from its object in the API, None if it is no server or has finished."""
    metadata, spec = item["metadata"], item.get("spec") or {}
    if (item.get("status") or {}).get("phase") in FINISHED:
        return None
    annotations = metadata.get("annotations") or {}
    annotated = (annotations.get(USERNAME_ANNOTATION, ""), annotations.get(SERVERNAME_ANNOTATION, ""))
    user, server = _environment_of(spec) or annotated
    if not is_name(user):
        return None
    return ServerPod(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        user=user,
        server=server,
        created=parse_time(metadata.get("creationTimestamp") or ""),
        annotated=annotated,
        mounts=mounted_claims(spec),
        gids=_gids(spec.get("securityContext") or {}),
        acl=_digest_of(annotations.get(GRANTED_ANNOTATION, "")),
        excess_since=annotations.get(EXCESS_ANNOTATION, ""),
        excess_claims=tuple(filter(None, annotations.get(EXCESS_CLAIMS_ANNOTATION, "").split(","))),
        terminating="deletionTimestamp" in metadata,
    )


def mounted_claims(spec: Mapping[str, Any]) -> dict[str, MountedClaim]:
    """Return the claims that containers of a pod mount, by name. A claim that no container mounts gives no access."""
    volumes: dict[str, tuple[str, bool]] = {}
    for volume in spec.get("volumes") or ():
        source = volume.get("persistentVolumeClaim") or {}
        if source.get("claimName"):
            volumes[volume["name"]] = (source["claimName"], bool(source.get("readOnly")))
    found: dict[str, tuple[set[str], set[str], set[str]]] = {}
    shares: set[str] = set()
    for mount, folder in volume_mounts(spec):
        if mount.get("name") in volumes:
            claim, is_read_only = volumes[mount["name"]]
            modes, paths, folders = found.setdefault(claim, (set(), set(), set()))
            modes.add(RO if is_read_only or mount.get("readOnly") else RW)
            paths.add(posixpath.normpath(str(mount.get("mountPath") or mount.get("devicePath"))))
            folders.add(folder)
            if mount["name"] == volume_name(claim):
                shares.add(claim)
    return {
        claim: MountedClaim(RW if RW in modes else RO, tuple(sorted(paths)), tuple(sorted(folders)), claim in shares)
        for claim, (modes, paths, folders) in sorted(found.items())
    }


def volume_mounts(spec: Mapping[str, Any]) -> Iterable[tuple[Mapping[str, Any], str]]:
    """Return the mounts of all containers, each with the folder of the volume that is mounted."""
    for kind in _CONTAINERS:
        for container in spec.get(kind) or ():
            for mount in (*(container.get("volumeMounts") or ()), *(container.get("volumeDevices") or ())):
                yield mount, _folder(mount, container)


def _folder(mount: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    text = str(mount.get("subPath") or mount.get("subPathExpr") or "")
    if mount.get("subPathExpr"):
        for variable in container.get("env") or ():
            if isinstance(variable.get("value"), str):
                text = text.replace(f"$({variable.get('name')})", variable["value"])
    return folder_of(text)


def _environment_of(spec: Mapping[str, Any]) -> Optional[tuple[str, str]]:
    """Return the user and the server by the environment of the main container, or of the first one that has them."""
    containers = sorted(spec.get("containers") or (), key=lambda container: container.get("name") != MAIN_CONTAINER)
    for container in containers:
        variables = {one.get("name"): one.get("value") or "" for one in container.get("env") or ()}
        if variables.get(USER_VARIABLE):
            return variables[USER_VARIABLE], variables.get(SERVER_VARIABLE, "")
    return None


def _gids(security: Mapping[str, Any]) -> frozenset[int]:
    return frozenset(
        gid
        for gid in (*(security.get("supplementalGroups") or ()), security.get("fsGroup"), security.get("runAsGroup"))
        if gid is not None
    )


def _digest_of(stamp: str) -> str:
    try:
        digest = json.loads(stamp)["acl"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return digest if isinstance(digest, str) else ""
