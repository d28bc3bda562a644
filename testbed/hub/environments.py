"""Virtual environments with a JupyterHub and its KubeSpawner, built once per user from the locked requirements."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from ..environments import virtual_environment
from ..paths import ROOT, cache_dir
from .pythons import find_python

# Pairs of KubeSpawner and JupyterHub that go together; the rest is locked in requirements/kubespawner-*.txt.
VERSIONS = {"7.1": "7.1.0", "7.0": "7.0.0", "6.2": "6.2.0", "1.1": "1.1.2"}
#: The Python of versions that do not run with ours. KubeSpawner 1.1 is that of classic Open Data Hub.
PYTHONS = {"1.1": "3.8"}


class PythonMissing(RuntimeError):
    """This machine has no Python for a version of KubeSpawner."""


def environment(version: str, report: Callable[[str], object] = print) -> Path:
    """The Python interpreter of the environment with this KubeSpawner, built when it does not exist yet.

    It is kept per user under a key of what is locked and of the interpreter. Two builders at once wait for each other,
    and one that was killed half-way leaves nothing that counts as built. Raises PythonMissing.
    """
    locked = ROOT / "requirements" / f"kubespawner-{version}.txt"
    base = _python(PYTHONS[version]) if version in PYTHONS else sys.executable
    message = f"building the environment of KubeSpawner {VERSIONS[version]}, once per user"
    return virtual_environment(cache_dir() / "kubespawner" / version, locked, base, lambda: report(message))


def _python(version: str) -> str:
    found = find_python(version)
    if found is None:
        raise PythonMissing(f"Python {version} is missing, in PATH and in pyenv: classic Open Data Hub runs with it")
    return str(found)
