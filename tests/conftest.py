"""Hypothesis profiles, and the marker `property` for property tests.

HYPOTHESIS_PROFILE selects a profile: `short` (the default) repeats the same cases in each run, `soak` tries many more, new ones
in each run, and prints how to reproduce a failure. Tests set no `max_examples`, which would override both profiles.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

CASES = {"short": 100, "soak": 2500}  # 100 is the number that hypothesis itself would try

settings.register_profile(
    "short",
    max_examples=CASES["short"],
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "soak", settings.get_profile("short"), max_examples=CASES["soak"], derandomize=False, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark property tests, so that `-m "not property"` leaves them out."""
    for item in items:
        if isinstance(item, pytest.Function) and is_hypothesis_test(item.function):
            item.add_marker("property")
