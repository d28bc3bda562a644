"""Fixture of the real KubeSpawners."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.oracle.real_kubespawner import RealKubeSpawner


@pytest.fixture(scope="session")
def kubespawner(request: pytest.FixtureRequest) -> Iterator[Callable[[str], RealKubeSpawner]]:
    """Returns the running KubeSpawner of a version ("7.1", "7.0", "6.2"), started at its first use."""
    running: dict[str, RealKubeSpawner] = {}
    terminal = request.config.pluginmanager.getplugin("terminalreporter")

    def get(version: str) -> RealKubeSpawner:
        if version not in running:
            running[version] = RealKubeSpawner(version, terminal.write_line if terminal else print)
        return running[version]

    yield get
    for spawner in running.values():
        spawner.close()
