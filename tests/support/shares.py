"""Shares for tests, and volumes and claims that somebody else creates."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.cluster import TEST_LABEL, Cluster, wait_for

KIND = "odh.persistency/kind"
SHARE = "odh.persistency/share"
OWNER = "odh.persistency/owner"
RETIRED = "odh.persistency/retired-at"
CLONE = "odh.persistency/clone-of"
PROVISIONED = "pv.kubernetes.io/provisioned-by"

NFS_CSI = "nfs.csi.k8s.io"
SERVER = "nas.example.org"


def nfs(path: str = "/exports/data", **more: Any) -> dict[str, Any]:
    return {"type": "nfs", "server": SERVER, "path": path, **more}


def share(name: str, backend: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An entry; without a backend it is NFS, at a path of its own. `size` and `level` have defaults."""
    return {"name": name, "level": "public", "size": "1Gi", "backend": backend or nfs(f"/exports/{name}"), **more}


def volume_of(cluster: Cluster, namespace: str, claim: str) -> dict[str, Any]:
    """The volume that a claim is bound to, as it is now."""
    found = cluster.get("persistentvolumeclaims", claim, namespace)
    assert found is not None, f"no claim {namespace}/{claim}"
    volume = cluster.get("persistentvolumes", found["spec"]["volumeName"])
    assert volume is not None, f"no volume {found['spec']['volumeName']}"
    return volume


def bound(cluster: Cluster, namespace: str, *names: str) -> None:
    """Wait until these claims are bound."""

    def all_bound() -> bool:
        claims = cluster.claims(namespace)
        return all(claims[name].get("status", {}).get("phase") == "Bound" for name in names)

    wait_for(all_bound, f"{', '.join(names)} in {namespace} bound")


@contextmanager
def provisioned(cluster: Cluster, namespace: str, claim: str, **how: Any) -> Iterator[list[str]]:
    """Bind a claim as soon as it exists, as a storage class does. `how` is for `Cluster.bind`. Yields the volume's name."""
    names: list[str] = []

    def provision() -> None:
        wait_for(lambda: cluster.get("persistentvolumeclaims", claim, namespace), f"claim {claim} in {namespace}")
        names.append(cluster.bind(namespace, claim, **how))

    provisioner = threading.Thread(target=provision)
    provisioner.start()
    try:
        yield names
    finally:
        provisioner.join()


def make_volume(
    cluster: Cluster, name: str, source: dict[str, Any], claim: tuple[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """A manually created volume; `claim` is the (namespace, name) that it is reserved for."""
    body: dict[str, Any] = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        **source,
        **spec,
    }
    if claim is not None:
        body["claimRef"] = {"namespace": claim[0], "name": claim[1]}
    return cluster.create(
        "persistentvolumes", {"metadata": {"name": name, "labels": {TEST_LABEL: "true"}}, "spec": body}
    )


def make_claim(cluster: Cluster, namespace: str, name: str, size: str = "1Gi", **more: Any) -> dict[str, Any]:
    """A manually created claim; `labels` and `annotations` go into its metadata, the rest into its spec."""
    metadata = {"name": name, **{key: more.pop(key) for key in ("labels", "annotations") if key in more}}
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": size}}, **more}
    return cluster.create("persistentvolumeclaims", {"metadata": metadata, "spec": spec}, namespace)
