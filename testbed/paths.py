"""Paths: the checkout, the testbed's data, and the per-user cache of programs."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "testbed"
GO_MODULES = HERE / "go"
MANIFESTS = HERE / "manifests"
DEV = ROOT / ".dev"


def data_dir() -> Path:
    """Return the folder with all data of a testbed. `ODHP_TESTBED_DATA` names another one than the checkout's."""
    return Path(os.path.abspath(os.environ.get("ODHP_TESTBED_DATA") or DEV / "testbed"))


def cache_dir() -> Path:
    """Return the folder of what outlives a checkout: programs, wheels, and Go if the machine has none."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "odh-persistency"
