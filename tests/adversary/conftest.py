"""What an adversary and public bug reports found, each as a test. The fixtures are those of the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration import conftest
from tests.integration.conftest import *  # noqa: F403
from tests.support.cluster import Cluster
from tests.support.playbooks import Playbooks


@pytest.fixture
def playbooks(cluster: Cluster, tmp_path: Path) -> Playbooks:
    """Runs playbooks. Tests that only need modules run those: a playbook takes seconds."""
    return Playbooks(cluster, tmp_path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the tests that run playbooks, so that no worker is left alone with one of them at the end."""
    conftest.pytest_collection_modifyitems(items)
    items.sort(key=lambda item: "playbooks" not in getattr(item, "fixturenames", ()))
