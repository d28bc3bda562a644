"""Pods of servers and claims, as KubeSpawner and the roles write them, for tests of server_access."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.odh.persistency.plugins.module_utils._hub.pod_rewriting import volume_name

Object = dict[str, Any]


def mount(claim: str, mode: str = "ro", path: str = "", **volume: Any) -> tuple[Object, Object]:
    """A volume of a claim and its mount: `mode` is that of the mount; pass readOnly=True for the volume."""
    name = f"volume-{claim}"[:63]
    source = {"claimName": claim, **volume}
    place = {"name": name, "mountPath": path or f"/home/jovyan/{claim}"}
    return {"name": name, "persistentVolumeClaim": source}, place | ({"readOnly": True} if mode == "ro" else {})


def spawned(claim: str, mode: str = "ro", path: str = "") -> tuple[Object, Object]:
    """A volume and its mount, named as the spawn hook names those of a share."""
    name = {"name": volume_name(claim)}
    volume, place = mount(claim, mode, path)
    return volume | name, place | name


def server_pod(
    user: str,
    server: str = "",
    mounts: Sequence[tuple[Object, Object]] = (),
    spec: Object | None = None,
    **metadata: Any,
) -> Object:
    """The pod of a server. Named servers have the pod `jupyter-USER--SERVER`."""
    annotations = {"hub.jupyter.org/username": user, "hub.jupyter.org/servername": server}
    annotations.update(metadata.pop("annotations", {}))
    container = {
        "name": "notebook",
        "image": "odh.persistency/none:test",
        "env": [
            {"name": "JUPYTERHUB_API_TOKEN", "value": "secret"},
            {"name": "JUPYTERHUB_USER", "value": user},
            {"name": "JUPYTERHUB_SERVER_NAME", "value": server},
        ],
        "volumeMounts": [place for _volume, place in mounts],
    }
    return {
        "metadata": {
            "name": f"jupyter-{user}" + (f"--{server}" if server else ""),
            "labels": {"component": "singleuser-server"},
            "annotations": annotations,
            **metadata,
        },
        "spec": {"containers": [container], "volumes": [volume for volume, _place in mounts], **(spec or {})},
    }


def share_claim(name: str, share: str = "") -> Object:
    """The metadata of a share's claim."""
    share = share or name
    marks = {"odh.persistency/share": share}
    return {"name": name, "labels": {"odh.persistency/kind": "share", **marks}, "annotations": marks}


def home_claim(name: str, user: str, server: str = "") -> Object:
    """The metadata of a home, as KubeSpawner writes it."""
    annotations = {"hub.jupyter.org/username": user, "hub.jupyter.org/servername": server}
    return {"name": name, "labels": {"hub.jupyter.org/username": user}, "annotations": annotations}


def hub_user(name: str, groups: Sequence[str] = (), servers: Mapping[str, Object] | None = None) -> Object:
    """A user as the hub's API returns it. `servers` by name: what differs from a running server."""
    running = {
        server: {"name": server, "started": "2027-03-30T12:00:00.000000Z", "stopped": False, "ready": True, **more}
        for server, more in (servers if servers is not None else {"": {}}).items()
    }
    return {"name": name, "kind": "user", "groups": list(groups), "servers": running}
