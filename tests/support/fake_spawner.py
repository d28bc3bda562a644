"""A spawner without a hub and without a cluster, for unit tests of the whole spawn hook."""

from __future__ import annotations

import asyncio
import copy
import datetime
import json
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from ansible_collections.odh.persistency.plugins.module_utils._hub.hub_settings import Runtime, settings_from
from ansible_collections.odh.persistency.plugins.module_utils._hub.observed_claims import owner_hash
from ansible_collections.odh.persistency.plugins.module_utils._hub.spawn_hook import SpawnHook

HOME_MOUNT = {"name": "home", "mountPath": "/home/jovyan"}


class Refused(Exception):
    """Like tornado's HTTPError, as far as it matters."""

    def __init__(self, status_code: int, log_message: str = "", **_more: Any) -> None:
        super().__init__(log_message)
        self.status_code = status_code


class Response:
    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status, self.data = status, json.dumps(body).encode()

    async def read(self) -> bytes:
        return self.data


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, _level: str) -> Any:
        return lambda text, *values: self.lines.append(text % values)


def home_of(user: str, **marks: str) -> dict[str, Any]:
    """Return the object of a home, without its name."""
    labels = {"odh.persistency/owner": owner_hash(user), "odh.persistency/kind": "home"}
    annotations = {"hub.jupyter.org/username": user}
    annotations.update({f"odh.persistency/{key.replace('_', '-')}": value for key, value in marks.items()})
    return {"metadata": {"labels": labels, "annotations": annotations}}


def volume_of(name: str, claim: str) -> dict[str, Any]:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


def pod_of(
    volumes: Iterable[Mapping[str, Any]], mounts: Iterable[Mapping[str, Any]] = (HOME_MOUNT,), **more: Any
) -> dict[str, Any]:
    """Return the pod of ann's server. `more` are parts of its specification; `notebook` are parts of its main container."""
    main = {"name": "notebook", "volumeMounts": list(mounts), **more.pop("notebook", {})}
    containers = [main, *more.pop("extra", ())]
    return {"metadata": {"name": "jupyter-ann"}, "spec": {"volumes": list(volumes), "containers": containers, **more}}


class FakeSpawner(SimpleNamespace):
    """The server of ann. `claims` are objects by name; those in `failing` cannot be read. `more` are traits."""

    def __init__(self, claims: Mapping[str, Any], failing: Iterable[str] = (), **more: Any) -> None:
        super().__init__(
            claims=dict(claims),
            failing=set(failing),
            acl=("", {}),
            requests=[],
            lists=[],
            events=[],
            log=Log(),
            handler=None,
        )
        self.user, self.name = SimpleNamespace(name="ann", groups=[]), ""
        self.namespace, self.pod_name, self.pod_name_template = "ns", "jupyter-ann", "jupyter-{username}"
        self.pvc_name_template, self.pvc_name = "claim-{username}", "claim-ann"
        self.storage_extra_labels: dict[str, str] = {}
        self.volumes, self.volume_mounts, self.init_containers, self.extra_containers = [], [], [], []
        self.extra_container_config, self.extra_pod_config, self.start_timeout = {}, {}, 1
        self.pre_spawn_hook = self.modify_pod_hook = None
        self.__dict__.update(more)
        self.api = SimpleNamespace(
            api_client=SimpleNamespace(sanitize_for_serialization=copy.deepcopy),
            read_namespaced_config_map=self._config_map,
            list_namespaced_persistent_volume_claim=self._list,
            read_namespaced_persistent_volume_claim=self._get,
            create_namespaced_event=self._event,
        )

    def observe(self, *_arguments: Any, **_options: Any) -> None:
        pass

    async def progress(self) -> Any:
        for entry in ():
            yield entry

    async def load_user_options(self) -> None:
        pass

    def get_env(self) -> dict[str, Any]:
        return {"JUPYTERHUB_USER": self.user.name}

    def _expand_user_properties(self, text: str) -> str:
        return text.format(username=self.user.name, servername=self.name, pod_name=self.pod_name)

    def _expand_all(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._expand_all(one) for one in value]
        if isinstance(value, dict):
            return {key: self._expand_all(one) for key, one in value.items()}
        return self._expand_user_properties(value) if isinstance(value, str) else value

    def _build_common_labels(self, _extra: Any) -> dict[str, str]:
        return {"hub.jupyter.org/username": self.user.name}

    def _object(self, name: str) -> dict[str, Any]:
        return {**self.claims[name], "metadata": {**self.claims[name].get("metadata", {}), "name": name}}

    async def _config_map(self, name: str, *_arguments: Any, **_options: Any) -> Response:
        digest, maps = self.acl
        if name not in maps:
            return Response(404, {"message": "not found"})
        metadata = {"name": name, "annotations": {"odh.persistency/digest": digest}}
        return Response(200, {"metadata": metadata, "data": maps[name]})

    async def _list(self, _namespace: str, label_selector: str, **_options: Any) -> Response:
        self.lists.append(label_selector)
        key, _in, values = label_selector.replace("=", " in (").partition(" in (")
        found = [self._object(name) for name in self.claims]
        values = values.rstrip(")").split(",")
        return Response(200, {"items": [x for x in found if x["metadata"].get("labels", {}).get(key) in values]})

    async def _get(self, name: str, _namespace: str, **_options: Any) -> Response:
        self.requests.append(name)
        if name in self.failing:
            return Response(500, {"message": "etcd timeout"})
        return Response(200, self._object(name)) if name in self.claims else Response(404, {"message": "not found"})

    async def _event(self, _namespace: str, event: Mapping[str, Any], **_options: Any) -> Response:
        self.events.append(event["message"])
        return Response(201, {})


def hook_of(settings: Mapping[str, Any], previous: Mapping[str, Any] = {}) -> SpawnHook:
    """Return the hooks with settings, as a hub on asyncio has them."""
    runtime = Runtime(
        http_error=Refused,
        clock=lambda: datetime.datetime.now(datetime.timezone.utc),
        schedule=asyncio.ensure_future,
        hub_version=(5, 5),
        has_trait=lambda _trait: True,
        sleep=asyncio.sleep,
        wait_for=asyncio.wait_for,
        wrap_future=asyncio.wrap_future,
    )
    return SpawnHook(settings_from(settings), runtime, previous)


def start(spawner: FakeSpawner, pod: Any, hook: SpawnHook | None = None) -> dict[str, Any]:
    """Start a server as KubeSpawner does, and return the specification of its pod. `pod` is a pod, or returns one."""
    hook = hook or hook_of({})

    async def started() -> Any:
        await hook.pre_spawn(spawner)
        await spawner.load_user_options()
        return await hook.modify_pod(spawner, pod() if callable(pod) else pod)

    return dict(asyncio.run(started())["spec"])


def mounted(spec: Mapping[str, Any], container: int = 0) -> list[str]:
    """Return the paths of a container's mounts."""
    return [mount["mountPath"] for mount in spec["containers"][container].get("volumeMounts") or ()]
