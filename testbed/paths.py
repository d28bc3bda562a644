"""Where things lie: the checkout, the testbed's data, and the per-user cache of binaries."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "testbed"
GO_MODULES = HERE / "go"
MANIFESTS = HERE / "manifests"
DEV = ROOT / ".dev"


def data_dir() -> Path:
    """Everything that one testbed knows and writes. `ODHP_TESTBED_DATA` names another one than the checkout's own."""
    return Path(os.path.abspath(os.environ.get("ODHP_TESTBED_DATA") or DEV / "testbed"))


def cache_dir() -> Path:
    """What outlives a checkout: binaries, wheels, a Go where the machine has none."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "odh-persistency"
