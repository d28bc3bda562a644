"""Fixtures of tests of the spawn hook: `from tests.support.spawn_fixtures import *`."""

from __future__ import annotations

import pytest

from testbed.hub.environments import VERSIONS
from tests.support.acl import options
from tests.support.real_spawns import GROUPS, SHARES, RealSpawns, make_share

__all__ = ["published", "spawns"]


@pytest.fixture(scope="session", params=[*VERSIONS])
def spawns(request, cluster):
    """One running KubeSpawner of each version with our hook."""
    running = RealSpawns(request.param, cluster.kubeconfig)
    yield running
    running.close()


@pytest.fixture
def published(cluster, namespace, modules):
    """An ACL, and the claims of its shares."""
    chosen = options(namespace, SHARES, groups=GROUPS, home_path="/home/jovyan")
    modules.ok("share_acl", chosen)
    for spec in SHARES:
        make_share(cluster, namespace, spec["name"])
    return chosen
