"""Fixtures of real JupyterHubs, each started once per session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub.rig import ENVIRONMENTS, RealHub


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


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect to the hub without an HTTP proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
