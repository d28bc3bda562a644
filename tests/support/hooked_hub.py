"""A real JupyterHub whose real KubeSpawner has our spawn hook and the API server under test. Its pods never run."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from tests.hub.rig import CLASSIC, ENVIRONMENTS, HERE, RealHub
from tests.support.real_spawns import HOOK, require_environment

#: JupyterHub, by the KubeSpawner that goes with it.
VERSIONS = {kubespawner: hub for hub, kubespawner in {**ENVIRONMENTS, **CLASSIC}.items()}


class HookedHub(RealHub):
    """A hub with the hook's `settings`, for servers in a namespace. It reaches the API server through a kubeconfig."""

    def __init__(self, kubespawner: str, namespace: str, kubeconfig: Path, **settings: Any) -> None:
        require_environment(kubespawner)
        super().__init__(VERSIONS[kubespawner])
        self.namespace = namespace
        self._hook = {"namespace": namespace, "settings": settings}
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

    @property
    def failure_count(self) -> int:
        """The number of consecutive failures that the hub has counted."""
        return int(json.loads(self.page("/failure-count"))["failure_count"])

    def log(self) -> str:
        return (self.folder / "hub.log").read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None
