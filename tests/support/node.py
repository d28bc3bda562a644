"""A node with the notebook image, for tests that run pods. `from tests.support.node import *` in a test file or conftest.py."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from testbed import paths
from testbed.node import images, lifecycle
from testbed.node.status import Node
from testbed.node.support import unsupported
from tests.support.cluster import TEST_LABEL, Cluster, wait_for

__all__ = ["node"]

WITHIN = 60.0  # seconds until a pod has ended or runs; one or two on an idle machine


def require_node() -> None:
    """Skip the test when this machine cannot have a node. In CI fail it, so that nobody overlooks it."""
    reason = unsupported(paths.data_dir())
    if reason and os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def node(cluster: Cluster) -> Node:
    """The testbed's node. It is started when it does not run, and stays up for the next suite, like the testbed."""
    if cluster.testbed is None:
        pytest.skip("needs the testbed's node, and KUBECONFIG names another cluster")
    require_node()
    return lifecycle.up(cluster.testbed.data)


class Pods:
    """Pods of the notebook image in one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    def start(self, name: str, *command: str, claim: str | None = None, read_only: bool = False) -> None:
        """Start a pod that runs `command`, with `claim` at /data."""
        container: dict[str, Any] = {"name": "notebook", "image": images.NOTEBOOK, "command": list(command)}
        spec: dict[str, Any] = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}
        if claim:
            container["volumeMounts"] = [{"name": "data", "mountPath": "/data", "readOnly": read_only}]
            spec["volumes"] = [
                {"name": "data", "persistentVolumeClaim": {"claimName": claim, "readOnly": read_only}},
            ]
        self.cluster.create("pods", {"metadata": {"name": name}, "spec": spec}, self.namespace)

    def wait(self, name: str, *phases: str) -> dict[str, Any]:
        """The status of a pod once it is in one of these phases."""

        def reached() -> dict[str, Any] | None:
            status = self.cluster.get("pods", name, self.namespace)["status"]
            return status if status["phase"] in phases else None

        return wait_for(reached, f"{name} is {' or '.join(phases)}", within=WITHIN)

    def run(self, name: str, *command: str, **options: Any) -> tuple[str, str]:
        """The phase in which a pod ended, and what it printed."""
        self.start(name, *command, **options)
        phase = self.wait(name, "Succeeded", "Failed")["phase"]
        return phase, self.kubectl("logs", name)

    def kubectl(self, *arguments: str) -> str:
        command = ["kubectl", "--kubeconfig", str(self.cluster.kubeconfig), "-n", self.namespace, *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout


def host_path_claim(cluster: Cluster, namespace: str, name: str, folder: Path) -> str:
    """Create a claim bound to a folder of this machine, which replaces NFS. Return its name.

    The volume is called NAMESPACE-NAME, and the caller removes it.
    """
    shared = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    volume = f"{namespace}-{name}"
    spec = {**shared, "capacity": {"storage": "1Gi"}, "hostPath": {"path": str(folder)}}
    spec["claimRef"] = {"namespace": namespace, "name": name}
    # The volume comes first: a claim that is older than its volume waits for the binder's next round.
    cluster.create("persistentvolumes", {"metadata": {"name": volume, "labels": {TEST_LABEL: "true"}}, "spec": spec})
    spec = {**shared, "volumeName": volume, "resources": {"requests": {"storage": "1Gi"}}}
    cluster.create("persistentvolumeclaims", {"metadata": {"name": name}, "spec": spec}, namespace)
    return name
