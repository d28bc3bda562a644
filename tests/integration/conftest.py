"""Integration tests: against a real API server, the testbed's or that of KUBECONFIG."""

from tests.support.fixtures import *  # noqa: F403
