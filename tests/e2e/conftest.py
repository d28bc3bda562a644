"""Fixtures of the end-to-end tests: the testbed's node, and what a real hub needs. They need root and Linux."""

from __future__ import annotations

import pytest

from tests.e2e.rig import proxy_program
from tests.integration.conftest import *  # noqa: F403
from tests.support.node import *  # noqa: F403


@pytest.fixture(scope="session")
def proxy():
    """The configurable-http-proxy from npm, installed once per user."""
    return proxy_program()
