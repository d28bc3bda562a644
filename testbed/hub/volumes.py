"""Volumes for claims: folders of this machine, in place of a storage driver."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..api import Client
from ..progress import TestbedError

OWNER = (1000, 100)  # the user and the group of the notebook image
PATIENCE = 2.0  # seconds until the controller manager should have bound a claim
BOUND_WITHIN = 60.0  # seconds; a few on an idle machine


class Provisioner:
    """Creates a volume for each claim of a namespace that names none, and sees to it that all are bound.

    Each volume is a new folder in `folder` that belongs to the user of the notebook image, if this process may do so. The
    caller removes volumes and folders. The volumes have these labels.
    """

    def __init__(self, client: Client, namespace: str, folder: Path, labels: Mapping[str, str]) -> None:
        self._client, self._namespace, self._folder, self._labels = client, namespace, folder, labels
        self._claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
        self._since: dict[str, float] = {}  # since when a claim waits for the controller manager, by the claim's UID

    def run(self) -> int:
        """Look at all claims once, and return how many are not bound yet. Raises TestbedError."""
        waiting = [claim for claim in self._request("GET", self._claims)["items"] if _waits(claim)]
        for claim in waiting:
            since = self._since.get(claim["metadata"]["uid"])
            if since is None:
                self._create(claim)
            elif time.monotonic() - since > PATIENCE:
                self._write_to(claim)
        return len(waiting)

    def _create(self, claim: Mapping[str, Any]) -> None:
        if not claim["spec"].get("volumeName"):
            body = _volume(claim, self._folder, self._labels)
            _make_folder(Path(body["spec"]["hostPath"]["path"]))
            self._request("POST", "/api/v1/persistentvolumes", body)
        self._since[claim["metadata"]["uid"]] = time.monotonic()

    def _write_to(self, claim: Mapping[str, Any]) -> None:
        """Make the controller manager look again, which waits for minutes after a conflict of its own writes."""
        self._since[claim["metadata"]["uid"]] = now = time.monotonic()
        body = {"metadata": {"annotations": {"testbed.odh.persistency/looked-at": str(now)}}}
        self._request("PATCH", f"{self._claims}/{claim['metadata']['name']}", body)

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else None
        status, answer = self._client.request(method, path, body, headers=headers)
        # Two provisioners may look at once, and claims may be deleted.
        if status not in (200, 201, 404, 409):
            raise TestbedError(f"{method} {path}: {status} {answer}")
        return answer


def provision(client: Client, namespace: str, folder: Path, labels: Mapping[str, str]) -> int:
    """Create the volumes of all claims of a namespace that name none, and wait until all are bound. Return how many were not.
    Raises TestbedError.
    """
    provisioner = Provisioner(client, namespace, folder, labels)
    count = provisioner.run()
    deadline = time.monotonic() + BOUND_WITHIN
    while waiting := provisioner.run():
        if time.monotonic() > deadline:
            raise TestbedError(f"{waiting} claims in {namespace} are not bound after {BOUND_WITHIN:.0f} s")
        time.sleep(0.1)
    return count


def _waits(claim: Mapping[str, Any]) -> bool:
    return claim["status"].get("phase") == "Pending" and "deletionTimestamp" not in claim["metadata"]


def _make_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(path, *OWNER)
    path.chmod(0o2775)


def _volume(claim: Mapping[str, Any], folder: Path, labels: Mapping[str, str]) -> dict[str, Any]:
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"testbed-{metadata['uid']}", "labels": dict(labels)},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": spec.get("storageClassName", ""),
            "hostPath": {"path": str(folder / metadata["namespace"] / metadata["name"])},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
        },
    }
