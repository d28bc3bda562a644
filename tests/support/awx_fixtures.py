"""A site as docs/awx.md sets it up: the project, and a credential each for the account that reads and the one that writes."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.support.awx import ROOT, Awx, Credential
from tests.support.cluster import Cluster, wait_for

__all__ = ["awx", "site"]

RBAC = ROOT / "examples" / "rbac"


@dataclass
class Site:
    """A hub's namespace with the accounts of examples/rbac, and their credentials."""

    cluster: Cluster
    namespace: str
    jobs: str
    pods: str
    read: Credential
    write: Credential

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of the templates: what the example's inventory cannot know."""
        return {"homes_namespace": self.namespace, "persistency_cluster": self.read.host}


@pytest.fixture(scope="session")
def awx(tmp_path_factory: pytest.TempPathFactory) -> Awx:
    """Runs jobs of the project examples/awx."""
    return Awx(tmp_path_factory.mktemp("awx"))


@pytest.fixture(scope="module")
def site(cluster: Cluster) -> Iterator[Site]:
    """A hub for the tests of a file. Tests do not depend on what others made in it."""
    hub, jobs, pods = (cluster.make_namespace() for _ in range(3))
    names = {
        "jupyterhub": hub,
        "nightly-jobs": jobs,
        "software-builder": jobs,
        "namespace: awx": f"namespace: {pods}",
    }
    documents = []
    for file in ("drift", "homes", "shares", "hub"):
        text = (RBAC / f"{file}.yml").read_text(encoding="utf-8")
        for old, new in names.items():
            text = text.replace(old, new)
        documents += list(yaml.safe_load_all(text))
    documents.append(_token_secret(hub, "odh-persistency"))
    words = ["kubectl", "apply", "-f", "-"]
    given = yaml.safe_dump_all(documents)
    subprocess.run(words, input=given, text=True, check=True, capture_output=True, env=cluster.environment, timeout=60)
    read = _credential(cluster, pods, "odh-persistency-drift")
    yield Site(cluster, hub, jobs, pods, read, _credential(cluster, hub, "odh-persistency"))
    for document in documents:
        if document["kind"].startswith("ClusterRole"):
            cluster.delete(f"{document['kind'].lower()}s", document["metadata"]["name"])
    for name in (hub, jobs, pods):
        cluster.remove_namespace(name)


def _token_secret(namespace: str, account: str) -> dict[str, Any]:
    metadata = {"name": f"{account}-token", "namespace": namespace}
    metadata |= {"annotations": {"kubernetes.io/service-account.name": account}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/service-account-token"}


def _credential(cluster: Cluster, namespace: str, account: str) -> Credential:
    """Return the credential with the token and the certificate that Kubernetes writes into the Secret."""

    def filled() -> dict[str, str]:
        return (cluster.get("secrets", f"{account}-token", namespace) or {}).get("data", {})  # type: ignore[no-any-return]

    data = wait_for(lambda: filled() if "token" in filled() else None, f"the token of {account}")
    server = cluster.kubectl("config", "view", "--minify")["clusters"][0]["cluster"]["server"]
    token, authority = (base64.b64decode(data[key]).decode() for key in ("token", "ca.crt"))
    return Credential(f"system:serviceaccount:{namespace}:{account}", server, token, authority)
