"""Several versions of the real KubeSpawner, each in its own virtual environment and queried through a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testbed.hub.environments import VERSIONS, environment

__all__ = ["VERSIONS", "RealKubeSpawner", "environment"]


class RealKubeSpawner:
    """One running KubeSpawner. `version` is the real one, such as `7.1.0`.

    It answers queries (`ask`), or, if a `kubeconfig` gives it a cluster, launches servers there (`launch`).
    """

    def __init__(self, name: str, report: Callable[[str], object] = print, kubeconfig: Path | None = None) -> None:
        """Build the environment if it is missing, and start the server in it."""
        # In a pod, KubeSpawner would take the cluster around it.
        foreign = ("PYTHON", "JUPYTERHUB_", "KUBERNETES_SERVICE_")
        env = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        command = [str(environment(name, report)), "-W", "ignore", str(Path(__file__).with_name("server.py"))]
        if kubeconfig is not None:
            env["KUBECONFIG"] = str(kubeconfig)
            command.append("cluster")
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=env
        )
        self.name = name
        self.version: str = self._read()["kubespawner"]
        if self.version != VERSIONS[name]:
            raise RuntimeError(f"the environment for KubeSpawner {VERSIONS[name]} has {self.version}")

    def ask(
        self,
        user: str,
        server: str = "",
        *,
        scheme: str | None = None,
        template: str | None = None,
        hub_namespace: str | None = None,
        **config: Any,
    ) -> dict[str, Any]:
        """The answer for one server of one user: `pvc_name` and `manifest`, or `error` (see server.py).

        Without `template` it is the version's own default. `config` is further options of KubeSpawner.
        """
        if template is not None:
            config["pvc_name_template"] = template
        request: dict[str, Any] = {"user": user, "server": server, "config": config}
        if scheme is not None:
            request["scheme"] = scheme
        if hub_namespace is not None:
            request["hub_namespace"] = hub_namespace
        return self._answer(request)

    def launch(
        self,
        namespace: str,
        user: str,
        server: str = "",
        *,
        scheme: str | None = None,
        template: str | None = None,
        state: dict[str, Any] | None = None,
        **config: Any,
    ) -> dict[str, Any]:
        """Launch one server up to its pod: the claim is there then, made or found by KubeSpawner itself (see server.py).

        The answer has `pvc_name`, `mounts` and `state`, or `error` and `status`. The pod mounts its claim as z2jh has it.
        """
        if template is not None:
            config["pvc_name_template"] = template
        # KubeSpawner 6 has no {pvc_name}: its charts repeat the template.
        claim = "{pvc_name}" if self.name >= "7" else template or "claim-{username}--{servername}"
        config["volumes"] = [{"name": "home", "persistentVolumeClaim": {"claimName": claim}}]
        config |= {"namespace": namespace, "storage_pvc_ensure": True, "events_enabled": False}
        config["k8s_api_request_timeout"] = 30  # seconds, not 3: a busy machine is no fault of the API server
        request: dict[str, Any] = {"user": user, "server": server, "config": config, "state": state}
        if scheme is not None:
            request["scheme"] = scheme
        return self._answer(request)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"the real KubeSpawner has ended:\n{self._errors.read()[-3000:]}")
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
