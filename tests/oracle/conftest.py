"""The real KubeSpawners as fixtures, and how many examples hypothesis makes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.oracle.real_kubespawner import RealKubeSpawner

# The same examples in each run, so that a green run stays green. HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile(
    "oracle", max_examples=400, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.register_profile("explore", settings.get_profile("oracle"), max_examples=5000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "oracle"))


@pytest.fixture(scope="session")
def kubespawner(request: pytest.FixtureRequest) -> Iterator[Callable[[str], RealKubeSpawner]]:
    """Gives the running KubeSpawner of a version ("7.1", "7.0", "6.2"), started when first asked for."""
    running: dict[str, RealKubeSpawner] = {}
    terminal = request.config.pluginmanager.getplugin("terminalreporter")

    def get(version: str) -> RealKubeSpawner:
        if version not in running:
            running[version] = RealKubeSpawner(version, terminal.write_line if terminal else print)
        return running[version]

    yield get
    for spawner in running.values():
        spawner.close()
