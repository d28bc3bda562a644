"""The cluster of the demo: the testbed of this checkout, or the cluster in KUBECONFIG."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

from testbed import paths, state
from testbed.hub.volumes import provision

#: The namespace on the testbed. It is the inventory's own, so that its commands can be repeated by hand.
NAMESPACE = "jupyter-demo"
#: A label with the namespace as its value, on each volume that the demo creates. It keeps two demos on one testbed apart.
LABEL = "odh-persistency-demo"


class DemoError(Exception):
    """The demo cannot continue; the message is for people."""


def is_testbed() -> bool:
    return Path(os.environ.get("KUBECONFIG", "")) == paths.data_dir() / "kubeconfig"


def generated_name() -> str:
    return f"odh-persistency-demo-{uuid.uuid4().hex[:8]}"


def kubectl(*arguments: str, given: str | None = None) -> str:
    """Run kubectl and return its output. Raises DemoError with its error message."""
    answer = subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True, timeout=300)
    if answer.returncode:
        raise DemoError(f"kubectl {' '.join(arguments)}: {answer.stderr.strip()}")
    return answer.stdout


def address() -> str:
    """Return the URL of the API server, for `persistency_cluster`."""
    return kubectl("config", "view", "--minify", "--output", "jsonpath={.clusters[0].cluster.server}")


def exists(namespace: str) -> bool:
    """Whether anything of a demo exists: one of its namespaces, or a volume that outlived them."""
    found = kubectl("get", "namespace", namespace, jobs(namespace), "--ignore-not-found", "-o", "name")
    return bool(found.strip() or _volumes(namespace))


def claims(namespace: str, selector: str) -> list[dict[str, Any]]:
    found = kubectl("get", "persistentvolumeclaims", "-n", namespace, "-l", selector, "-o", "json")
    return list(json.loads(found)["items"])


def jobs(namespace: str) -> str:
    """Return the name of the demo's second namespace, in which one share also has a claim."""
    return f"{namespace}-jobs"


def remove(namespace: str) -> None:
    """Delete the namespaces of the demo and the volumes that were created for it, and wait until all are gone."""
    kubectl("delete", "namespace", namespace, jobs(namespace), "--ignore-not-found", "--timeout=240s")
    volumes = _volumes(namespace)
    if volumes:
        kubectl("delete", "persistentvolume", *volumes, "--ignore-not-found", "--timeout=240s")


def _volumes(namespace: str) -> list[str]:
    """Return the volumes that the demo created, or the collection for shares and software, but not those of a storage driver.

    Volumes have no namespace, and these outlive their claims, because volumes with data must.
    """
    found = []
    for volume in json.loads(kubectl("get", "persistentvolumes", "-o", "json"))["items"]:
        labels = volume["metadata"].get("labels", {})
        claim = volume["spec"].get("claimRef") or {}
        made = LABEL in labels or labels.get("odh.persistency/kind") in ("share", "tree")
        if made and claim.get("namespace") in (namespace, jobs(namespace)):
            found.append(volume["metadata"]["name"])
    return found


def bind(namespace: str, folder: Path) -> int:
    """Create a volume in `folder` for each claim, because the testbed has no storage driver. Return the number of volumes."""
    return provision(state.load().client(), namespace, folder, {LABEL: namespace})
