"""EasyBuild in an environment of its own, built once per user from the locked requirements.

EasyBuild does not run as root. If the tests do, a build user needs to read the environment, so it is not in a home of root,
and neither is its Python.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from ..environments import virtual_environment
from ..paths import ROOT, cache_dir

LOCKED = ROOT / "requirements" / "easybuild.txt"
#: What Debian's package lmod installs.
LMOD_CMD = "/usr/share/lmod/lmod/libexec/lmod"


def shared_cache() -> Path:
    """Return the folder of what a build user reads: the cache of this user, or a public one if this user is root."""
    cache = cache_dir()
    if os.geteuid() == 0 and not _public(cache):
        return Path("/var/cache/odh-persistency")
    return cache


def easybuild(report: Callable[[str], object] = print) -> Path:
    """Return the Python of EasyBuild's environment, built when it does not exist yet."""
    base = sys.executable if _public(Path(sys.executable).resolve()) else "/usr/bin/python3"
    message = "building the environment of EasyBuild, once per user"
    return virtual_environment(shared_cache() / "easybuild", LOCKED, base, lambda: report(message))


def _public(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in path.parents if folder.exists())
