"""Fixtures of tests of modules with a real hub: `from tests.support.hub_fixtures import *`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.hub.rig import CLASSIC, NEWEST, RealHub
from tests.support.real_spawns import require_environment

__all__ = ["direct", "running_hub"]


@pytest.fixture(scope="module")
def running_hub(request):
    """One hub for all tests of a file, of the version that a test names, or the newest."""
    version = getattr(request, "param", NEWEST)
    if version in CLASSIC:
        require_environment(CLASSIC[version])
    terminal = request.config.pluginmanager.getplugin("terminalreporter")
    with RealHub(version, terminal.write_line if terminal else print) as running:
        yield running


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """No HTTP proxy of the environment is between the modules and the hub."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def shows_no_token(result: Any, hub: RealHub, token: str) -> bool:
    """Return whether the result of a module has neither this token nor one of the hub's."""
    text = json.dumps(result.output)
    return not any(secret in text for secret in (*hub.tokens.values(), token))
