"""EasyBuild and the Python of notebook servers, each in an environment of its own, built once from locked requirements.

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

#: What Debian's package lmod installs.
LMOD_CMD = "/usr/share/lmod/lmod/libexec/lmod"


def shared_cache() -> Path:
    """Return the folder of what a build user reads: the cache of this user, or a public one if this user is root."""
    cache = cache_dir()
    if os.geteuid() == 0 and not public(cache):
        return Path("/var/cache/odh-persistency")
    return cache


def easybuild(report: Callable[[str], object] = print) -> Path:
    """Return the Python of EasyBuild's environment, built when it does not exist yet."""
    return _environment("easybuild", "EasyBuild", report)


def notebook(report: Callable[[str], object] = print) -> Path:
    """Return a Python with what servers have, such as JupyterLab and ipykernel, built when it does not exist yet."""
    return _environment("singleuser", "a notebook server", report)


def old_traitlets(report: Callable[[str], object] = print) -> Path:
    """Return a Python with a traitlets that no kernel of today starts with, built when it does not exist yet."""
    return _environment("old-traitlets", "an old traitlets", report)


def _environment(name: str, what: str, report: Callable[[str], object]) -> Path:
    base = sys.executable if public(Path(sys.executable).resolve()) else "/usr/bin/python3"
    message = f"building the environment of {what}, once per user"
    locked = ROOT / "requirements" / f"{name}.txt"
    return virtual_environment(shared_cache() / name, locked, base, lambda: report(message))


def public(path: Path) -> bool:
    """Return whether other users can reach a path: each of them may pass through all folders above it."""
    return all(folder.stat().st_mode & 0o001 for folder in path.parents if folder.exists())
