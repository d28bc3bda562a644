"""The spawn hook in real KubeSpawners against the real API server, up to the pod (tests/support/spawn_server.py)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from testbed.hub.environments import VERSIONS, PythonMissing, environment
from tests.support.acl import share
from tests.support.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
HOOK = ROOT / "plugins" / "module_utils" / "_hub"
#: The annotation of a pod with what its user got.
GRANTED = "odh.persistency/granted"
#: Shares of the tests, and the groups of their ACL.
SHARES = [
    share("public-data", "public", gid=7001, mount_path="/home/jovyan/public-data", write={"groups": ["analysts"]}),
    share("notebooks", mount_path="/home/jovyan/notebooks", read={"groups": ["hub:visitors"]}, gid=7002),
    share("payroll", "secret", mount_path="/home/jovyan/payroll", read={"users": ["ann"]}, write={"users": ["ben"]}),
    share("other", mount_path="/home/jovyan/other", read={"users": ["dan"]}),
]
GROUPS = {"analysts": ["ann", "ben"]}


def require_environment(version: str) -> Path:
    """Return the Python of a KubeSpawner. Skip the test if this machine has no Python for it, and fail it in CI."""
    try:
        return environment(version)
    except PythonMissing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


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
            [str(require_environment(version)), "-W", "ignore", str(server), self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=env | {"KUBECONFIG": str(kubeconfig)},
        )
        assert self._read()["kubespawner"] == VERSIONS[version]

    def start(self, namespace: str, user: str, server: str = "", **request: Any) -> dict[str, Any]:
        """Start a server; return `pod`, `pvc_name` and states, or `error`, `message`, `status` and `reason`.

        With `settings=None`, the hub has no hook of ours.
        """
        settings = request.pop("settings", {})
        settings = None if settings is None else {"timeout": 30, **settings}
        return self._ask(namespace, {"user": user, "server": server, "settings": settings, **request})

    def stop(self, namespace: str, user: str, state: Mapping[str, Any]) -> dict[str, Any]:
        """Stop a server whose state is in the hub's database; return the `state` that it has then."""
        return self._ask(namespace, {"user": user, "settings": {}, "stop": True, "state": state})

    def _ask(self, namespace: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request. The volume of the home names the template up to KubeSpawner 6, and the claim on 7, as usual."""
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
            **request.get("config", {}),
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**request, "config": config}) + "\n")
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


def make_share(cluster: Cluster, namespace: str, name: str) -> None:
    """Create the claim of a share as our modules do."""
    cluster.make_claim(namespace, name, accessModes=["ReadWriteMany"])
    labels = {"odh.persistency/kind": "share", "odh.persistency/owner": "shares"}
    mark(cluster, namespace, name, labels, {"odh.persistency/share": name})


def mark(
    cluster: Cluster, namespace: str, claim: str, labels: Mapping[str, Any], annotations: Mapping[str, str]
) -> None:
    """Set labels and annotations of a claim."""
    body = {"metadata": {"labels": labels, "annotations": annotations}}
    cluster.patch("persistentvolumeclaims", claim, body, namespace)


def make_home(cluster: Cluster, namespace: str, name: str, user: str, server: str = "", **annotations: str) -> None:
    """Create a home as our modules do."""
    cluster.make_claim(namespace, name)
    owner = hashlib.sha256(user.encode()).hexdigest()[:32]
    names = {"hub.jupyter.org/username": user, **({"hub.jupyter.org/servername": server} if server else {})}
    mark(
        cluster, namespace, name, {"odh.persistency/kind": "home", "odh.persistency/owner": owner}, names | annotations
    )


def claims_in(pod: Mapping[str, Any]) -> dict[str, bool]:
    """Return the claims of a pod's volumes, each with whether it is read-only."""
    claims = (volume["persistentVolumeClaim"] for volume in pod["spec"]["volumes"] if "persistentVolumeClaim" in volume)
    return {claim["claimName"]: claim.get("readOnly", False) for claim in claims}


def mounts_in(pod: Mapping[str, Any]) -> dict[str, bool]:
    """Return the paths of a pod's first container, each with whether it is read-only."""
    return {mount["mountPath"]: mount.get("readOnly", False) for mount in pod["spec"]["containers"][0]["volumeMounts"]}


def granted(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stamp of a pod."""
    stamp: dict[str, Any] = json.loads(pod["metadata"]["annotations"][GRANTED])
    return stamp
