"""A node with the notebook image, for tests that run pods. `from tests.support.node import *` in a test file or conftest.py."""

from __future__ import annotations

import os

import pytest

from testbed import paths
from testbed.node import lifecycle
from testbed.node.support import unsupported
from tests.support.cluster import Cluster

__all__ = ["node"]


def require_node() -> None:
    """Skip the test where this machine cannot have a node; fail it in CI, which is to say so aloud."""
    reason = unsupported(paths.data_dir())
    if reason and os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def node(cluster: Cluster) -> lifecycle.Node:
    """The node of the testbed, started where it is down; it stays up for the next suite, as the testbed does."""
    if cluster.testbed is None:
        pytest.skip("needs the testbed's node, and KUBECONFIG names another cluster")
    require_node()
    return lifecycle.up(cluster.testbed.data)
