"""The spawn hook in real KubeSpawners against the real API server, up to the pod (tests/support/spawn_server.py)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.oracle.real_kubespawner import VERSIONS, environment

ROOT = Path(__file__).resolve().parents[2]
HOOK = ROOT / "plugins" / "module_utils" / "_hub"


class RealSpawns:
    """One running KubeSpawner with our hook."""

    def __init__(self, version: str, kubeconfig: Path) -> None:
        self.version = version
        self._folder = tempfile.TemporaryDirectory(prefix="odhp-hook-")
        shutil.copytree(HOOK, Path(self._folder.name) / "odh_persistency", ignore=shutil.ignore_patterns("__pycache__"))
        foreign = ("PYTHON", "JUPYTERHUB_", "KUBERNETES_SERVICE_")
        env = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        server = Path(__file__).with_name("spawn_server.py")
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            [str(environment(version)), "-W", "ignore", str(server), self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=env | {"KUBECONFIG": str(kubeconfig)},
        )
        assert self._read()["kubespawner"] == VERSIONS[version]

    def start(self, namespace: str, user: str, server: str = "", **request: Any) -> dict[str, Any]:
        """Start a server; return `pod`, `pvc_name` and `state`, or `error`, `message`, `status` and `reason`.

        The volume of the home names the template on KubeSpawner 6, and the claim on 7, as in their charts.
        """
        claim = "{pvc_name}" if self.version >= "7" else "claim-{username}--{servername}"
        config = {
            "namespace": namespace,
            "image": "odh.persistency/none:test",
            "storage_pvc_ensure": True,
            "storage_capacity": "1Gi",
            "events_enabled": False,
            "k8s_api_request_timeout": 30,
            "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": claim}}],
            "volume_mounts": [{"name": "home", "mountPath": "/home/jovyan"}],
            **request.pop("config", {}),
        }
        settings = {"timeout": 30, **request.pop("settings", {})}
        body = {"user": user, "server": server, "config": config, "settings": settings, **request}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(body) + "\n")
        self._process.stdin.flush()
        return self._read()

    def log(self) -> str:
        """Return what the KubeSpawner has logged so far."""
        self._errors.seek(0)
        return self._errors.read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the real KubeSpawner has ended:\n{self.log()[-3000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let it end, and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
        self._errors.close()
        self._folder.cleanup()
