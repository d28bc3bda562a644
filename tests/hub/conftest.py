"""Fixtures of real JupyterHubs, each started once per session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub.rig import ENVIRONMENTS, RealHub
from tests.support.hub_fixtures import direct  # noqa: F401 - a fixture


@pytest.fixture(scope="session", params=[*ENVIRONMENTS])
def running_hub(request: pytest.FixtureRequest) -> Iterator[RealHub]:
    terminal = request.config.pluginmanager.getplugin("terminalreporter")
    with RealHub(request.param, terminal.write_line if terminal else print, base_url="/jupyter/") as hub:
        yield hub


@pytest.fixture
def hub(running_hub: RealHub) -> Iterator[RealHub]:
    """A JupyterHub without users, of each version in turn."""
    yield running_hub
    running_hub.remove_all()
