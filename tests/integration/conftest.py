"""Integration tests: against a real API server, the testbed's or that of KUBECONFIG."""

from __future__ import annotations

import pytest

from tests.support.cluster import Cluster
from tests.support.fixtures import *  # noqa: F403
from tests.support.modules import Modules


@pytest.fixture
def modules(cluster: Cluster) -> Modules:
    """`modules.ok("user_pvc", {...})`: the real module, against the cluster under test."""
    return Modules(cluster)
