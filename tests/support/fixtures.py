"""Fixtures of the tests that need a cluster. A conftest.py takes them with `from tests.support.fixtures import *`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from testbed import audit as audit_log
from testbed.state import Testbed
from tests.support.cluster import PREFIX, TEST_LABEL, Cluster, connected, wait_for

__all__ = ["audit", "cluster", "kubectl", "namespace", "other", "restricted_user", "share_volumes", "testbed"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster under test: that of KUBECONFIG, or else the testbed, which is started if it is down."""
    with connected() as found:
        yield found


@pytest.fixture
def testbed(cluster: Cluster) -> Testbed:
    """The testbed. On another cluster the test is skipped."""
    if cluster.testbed is None:
        pytest.skip("needs the testbed, and KUBECONFIG names another cluster")
    return cluster.testbed


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace for this test."""
    name = cluster.make_namespace()
    yield name
    cluster.remove_namespace(name)


@pytest.fixture
def other(cluster: Cluster) -> Iterator[str]:
    """A second namespace for this test."""
    name = cluster.make_namespace()
    yield name
    cluster.remove_namespace(name)


@pytest.fixture
def share_volumes(cluster: Cluster) -> Iterator[None]:
    """For tests that create volumes of shares: binds claims promptly, and removes the volumes after the test."""
    with cluster.binding():
        yield
    for volume in (found := _volumes_of_tests(cluster)):
        # The claim first: while it exists its volume remains, and the next test may use the same folder for another share.
        claim = volume["spec"]["claimRef"]
        cluster.delete("persistentvolumeclaims", claim["name"], claim["namespace"])
        cluster.delete("persistentvolumes", volume["metadata"]["name"])
    if found:
        wait_for(lambda: not _volumes_of_tests(cluster), "the volumes of shares are gone")


def _volumes_of_tests(cluster: Cluster) -> list[dict[str, Any]]:
    def is_one(volume: dict[str, Any]) -> bool:
        marks = volume["metadata"].get("labels") or {}
        ours = marks.get("odh.persistency/kind") in ("share", "tree") or TEST_LABEL in marks
        return ours and (volume["spec"].get("claimRef") or {}).get("namespace", "").startswith(PREFIX)

    return [volume for volume in cluster.list("persistentvolumes") if is_one(volume)]


@pytest.fixture
def kubectl(cluster: Cluster) -> Callable[..., Any]:
    """Run kubectl and return its decoded output: `kubectl("get", "pvc", namespace=ns)`."""
    return cluster.kubectl


@pytest.fixture
def audit(testbed: Testbed) -> Callable[..., AbstractContextManager[audit_log.Log]]:
    """`with audit(user_agent="odh.persistency/") as log: ...`, see testbed/audit.py."""
    return partial(audit_log.record, testbed=testbed)


@pytest.fixture
def restricted_user(cluster: Cluster, namespace: str, tmp_path: Path) -> Callable[..., Path]:
    """`restricted_user([rule], cluster_rules=[rule])`: a kubeconfig of a user with these permissions in `namespace`."""
    return partial(cluster.restricted_kubeconfig, tmp_path, namespace)
