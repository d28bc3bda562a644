"""Since when pods may use a release: servers, and whatever else mounts the tree."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.software.job_manifests import JOB_LABEL
from ansible_collections.odh.persistency.plugins.module_utils._core.software.tree_users import (
    oldest_user,
    tree_pod_from,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.times import format_time
from ansible_collections.odh.persistency.plugins.module_utils._io.module import PlanRejected
from ansible_collections.odh.persistency.plugins.module_utils._io.software import switching

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=timezone.utc)


def pod(
    name: str, hours: int, spec: dict[str, Any] | None = None, phase: str = "Running", **metadata: Any
) -> dict[str, Any]:
    created = format_time(NOW - timedelta(hours=hours))
    return {
        "metadata": {"name": name, "creationTimestamp": created, **metadata},
        "spec": spec or {},
        "status": {"phase": phase},
    }


def mounting(claim: str, path: str) -> dict[str, Any]:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}]
    return {"volumes": volumes, "containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": path}]}]}


class TestUsers:
    """Servers and whatever else has the tree."""

    @staticmethod
    def oldest(*pods: dict[str, Any], claim: str | None = None) -> int | None:
        found = oldest_user(map(tree_pod_from, pods), "/opt/apps", claim)
        return None if found is None else (NOW - found) // timedelta(hours=1)

    def test_servers(self) -> None:
        server = {"annotations": {"hub.jupyter.org/username": "ann"}}
        assert self.oldest(pod("a", 3, **server), pod("b", 5, **server), pod("c", 9, phase="Succeeded", **server)) == 5
        assert self.oldest(pod("database", 900, mounting("database", "/var/lib/db"))) is None

    def test_pods_with_the_tree(self) -> None:
        server = pod("a", 3, mounting("software", "/opt/apps"), annotations={"hub.jupyter.org/username": "ann"})
        worker = pod("worker", 40, mounting("software", "/opt/apps"))
        elsewhere = pod("job", 50, mounting("software", "/mnt"))
        direct = pod("direct", 60, {"containers": [{"volumeMounts": [{"name": "n", "mountPath": "/opt/apps/"}]}]})
        assert self.oldest(worker) == 40
        assert self.oldest(server, elsewhere) == 50
        assert self.oldest(elsewhere, claim="software") == 50
        assert self.oldest(elsewhere) is None
        assert self.oldest(server, direct) == 60
        assert self.oldest(pod("done", 70, mounting("software", "/opt/apps"), phase="Failed")) is None

    def test_jobs_of_a_run_are_no_users(self) -> None:
        job = pod("build", 2, mounting("software", "/opt/apps"), labels={JOB_LABEL: "build"})
        assert self.oldest(job) is None


class TestNamespaces:
    """A namespace that does not exist has no pods, and that is no reason to delete anything."""

    @staticmethod
    def ask(
        found: dict[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
    ) -> tuple[datetime | None, list[str]]:
        asked = []

        class Api:
            def list_all(self, _kind: Any, namespace: str, read: Any) -> list[Any]:
                return [read(item) for item in found.get(namespace, [])]

            def get(self, _kind: Any, _namespace: None, name: str) -> dict[str, Any] | None:
                asked.append(name)
                return {"status": {"phase": "Active"}} if name in found else None

        monkeypatch.setattr(switching, "open_api", lambda _module: Api())
        params = {"server_namespaces": ["one", "two"], "prefix": "/opt/apps", "builder_claim": None}
        return switching.oldest_server(SimpleNamespace(params=params)), asked

    def test_that_exist(self, monkeypatch: pytest.MonkeyPatch) -> None:
        worker = pod("worker", 40, mounting("software", "/opt/apps"))
        assert self.ask({"one": [worker], "two": []}, monkeypatch) == (NOW - timedelta(hours=40), ["two"])

    def test_that_does_not_exist(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(
            PlanRejected, match="Namespace two does not exist: create it first, or correct `server_namespaces`"
        ):
            self.ask({"one": []}, monkeypatch)
