"""Integration tests run against a real API server: the testbed's, or that of KUBECONFIG."""

from __future__ import annotations

import os

import pytest

from testbed import control_plane, paths
from tests.support.cluster import Cluster
from tests.support.fixtures import *  # noqa: F403
from tests.support.modules import Modules


def _own_testbed() -> str:
    """Return the name of this pytest-xdist worker if it needs its own testbed, or else "".

    Workers cannot share a testbed, because volumes and the audit log belong to a whole cluster. The first worker uses the
    testbed that all suites share. With a cluster of KUBECONFIG, all workers use that.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return "" if worker == "gw0" or os.environ.get("KUBECONFIG") != str(paths.data_dir() / "kubeconfig") else worker


def pytest_configure(config: pytest.Config) -> None:
    worker = _own_testbed()
    if worker:
        data = paths.data_dir().with_name(f"{paths.data_dir().name}-{worker}")
        chosen = str(data / "kubeconfig")
        os.environ.update(ODHP_TESTBED_DATA=str(data), KUBECONFIG=chosen, K8S_AUTH_KUBECONFIG=chosen)
        config.add_cleanup(lambda: control_plane.reset(data))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let pytest-xdist (`--dist loadgroup`) distribute single tests; users of a module's fixture stay together."""
    for item in items:
        names: list[str] = getattr(item, "fixturenames", [])
        found = [
            definition
            for name in names
            for definition in item.session._fixturemanager.getfixturedefs(name, item) or ()
            if definition.scope in ("module", "class")
        ]
        if found:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture
def modules(cluster: Cluster) -> Modules:
    """Runs modules against the cluster under test: `modules.ok("user_pvc", {...})`."""
    return Modules(cluster)
