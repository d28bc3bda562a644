"""Claims as KubeSpawner or an administrator creates them, for tests that find them."""

from __future__ import annotations

from typing import Any

from tests.support.cluster import Cluster

USERNAME = "hub.jupyter.org/username"
SERVERNAME = "hub.jupyter.org/servername"
RETIRED = "odh.persistency/retired-at"
PRIMARY = "odh.persistency/primary"
KIND = "odh.persistency/kind"
OWNER = "odh.persistency/owner"


def make_home(
    cluster: Cluster,
    namespace: str,
    name: str,
    user: str | None,
    *,
    server: str = "",
    size: str = "1Gi",
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A claim with KubeSpawner's annotations (none without a user) and none of this collection's labels."""
    marks = dict(annotations or {})
    if user is not None:
        marks[USERNAME] = user
    if server:
        marks[SERVERNAME] = server
    body = {
        "metadata": {"name": name, "annotations": marks, "labels": dict(labels or {})},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec},
    }
    return cluster.create("persistentvolumeclaims", body, namespace)


def annotations(claim: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = claim["metadata"].get("annotations") or {}
    return found


def labels(claim: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = claim["metadata"].get("labels") or {}
    return found


def size(claim: dict[str, Any]) -> str:
    found: str = claim["spec"]["resources"]["requests"]["storage"]
    return found


def as_written(claims: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Claims by name, without what Kubernetes writes into them asynchronously.

    That is the version, who wrote which field, and the status: 1.37 notes there, a moment after a claim was made or left,
    since when it is unused.
    """
    moving = ("resourceVersion", "managedFields")
    return {
        name: {
            "metadata": {key: value for key, value in claim["metadata"].items() if key not in moving},
            "spec": claim["spec"],
        }
        for name, claim in claims.items()
    }
