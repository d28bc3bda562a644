"""Real JupyterHubs whose real KubeSpawner has our spawn hook and the API server under test. Their pods never run."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.odh.persistency.plugins.module_utils._core.hub import odh

from tests.hub.rig import CLASSIC, ENVIRONMENTS, HERE, RealHub
from tests.support.real_spawns import HOOK, require_environment

#: JupyterHub, by the KubeSpawner that goes with it.
VERSIONS = {kubespawner: hub for hub, kubespawner in {**ENVIRONMENTS, **CLASSIC}.items()}


class HookedHub(RealHub):
    """A hub with the hook's `settings`, for servers in a namespace. It reaches the API server through a kubeconfig.

    If `installed` is False, it has no hook of ours.
    """

    def __init__(
        self, kubespawner: str, namespace: str, kubeconfig: Path, *, installed: bool = True, **settings: Any
    ) -> None:
        require_environment(kubespawner)
        super().__init__(VERSIONS[kubespawner])
        self.kubespawner, self.namespace = kubespawner, namespace
        self._hook = {"namespace": namespace, "settings": settings if installed else None}
        self._configuration = Path(__file__).with_name("hooked_hub_config.py")
        self._environment = {"KUBECONFIG": str(kubeconfig), "ODHP_BASE_CONFIG": str(HERE / "jupyterhub_config.py")}

    def _settings(self, port: int) -> dict[str, Any]:
        package = self.folder / "hook" / "odh_persistency"
        shutil.copytree(HOOK, package, ignore=shutil.ignore_patterns("__pycache__"))
        return {**super()._settings(port), "hook": {**self._hook, "folder": str(package.parent)}}

    def page(self, path: str) -> bytes:
        """Return a page of the hub that needs no login."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/hub{path}", timeout=30) as answer:
            content: bytes = answer.read()
        return content

    def progress(self, user: str, seconds: float) -> list[str]:
        """Return the messages that the progress page of a server that starts shows within this time."""
        token = {"Authorization": f"token {self.tokens['admin']}"}
        request = urllib.request.Request(f"{self.url}/hub/api/users/{user}/server/progress", headers=token)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        messages = []
        with contextlib.suppress(TimeoutError), opener.open(request, timeout=seconds) as answer:
            deadline = time.monotonic() + seconds
            for line in answer:
                if line.startswith(b"data: "):
                    messages.append(json.loads(line[len(b"data: ") :]).get("message", ""))
                if time.monotonic() > deadline:
                    break
        return messages

    @property
    def failure_count(self) -> int:
        """The number of consecutive failures that the hub has counted."""
        return int(json.loads(self.page("/failure-count"))["failure_count"])

    def log(self) -> str:
        return (self.folder / "hub.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The process of the hub."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None


class ClassicHub(RealHub):
    """JupyterHub 1.5 with the classes of classic Open Data Hub and a ConfigMap `jupyterhub-cfg`, for servers in a namespace."""

    def __init__(self, namespace: str, kubeconfig: Path, config_map: Mapping[str, Any]) -> None:
        require_environment("1.1")
        super().__init__(VERSIONS["1.1"])
        self._namespace, self._config_map = namespace, config_map
        here = Path(__file__).resolve().parent
        self._configuration = here / "classic_hub_config.py"
        self._environment = {
            "KUBECONFIG": str(kubeconfig),
            "ODHP_BASE_CONFIG": str(HERE / "jupyterhub_config.py"),
            "ODHP_SUPPORT": str(here),
        }

    def _settings(self, port: int) -> dict[str, Any]:
        folder = self.folder / "configs"
        folder.mkdir()
        for key, text in self._config_map["data"].items():
            # The image mounts the ConfigMap elsewhere.
            (folder / key).write_text(text.replace(odh.FOLDER, str(folder)))
        for key, encoded in self._config_map["binaryData"].items():
            (folder / key).write_bytes(base64.b64decode(encoded))
        classic = {"namespace": self._namespace, "folder": str(folder), "token": self.tokens["admin"]}
        return {**super()._settings(port), "classic": classic}
