"""What an adversary and public bug reports found, each as a test. The fixtures are those of the integration tests."""

from __future__ import annotations

from tests.integration.conftest import *  # noqa: F403
