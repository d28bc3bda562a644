"""A node with the notebook image, for tests that run pods. `from tests.support.node import *` in a test file or conftest.py."""

from __future__ import annotations

import os

import pytest

from testbed import paths
from testbed.node import lifecycle
from testbed.node.status import Node
from testbed.node.support import unsupported
from tests.support.cluster import Cluster

__all__ = ["node"]


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
