"""Virtual environments with a JupyterHub and its KubeSpawner, built once per user from the locked requirements."""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

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
    base, details = sys.executable, f"{sys.version} {sys.base_prefix}"
    if version in PYTHONS:
        base = details = _python(PYTHONS[version])
    what = locked.read_bytes() + f"{sys.platform} {platform.machine()} {details}".encode()
    home = cache_dir() / "kubespawner" / f"{version}-{hashlib.sha256(what).hexdigest()[:12]}"
    python, complete = home / "bin" / "python", home / "complete"
    if complete.exists() and python.exists():
        return python
    home.parent.mkdir(parents=True, exist_ok=True)
    with open(home.with_name(home.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists() and python.exists():
            return python
        report(f"building the environment of KubeSpawner {VERSIONS[version]}, once, in {home}")
        shutil.rmtree(home, ignore_errors=True)
        _uv(lock, "venv", "--quiet", "--python", base, str(home))
        _uv(lock, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(locked))
        complete.touch()
    return python


def _python(version: str) -> str:
    found = find_python(version)
    if found is None:
        raise PythonMissing(f"Python {version} is missing, in PATH and in pyenv: classic Open Data Hub runs with it")
    return str(found)


def _uv(lock: IO[str], *arguments: str) -> None:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise RuntimeError("uv builds the environments of the real KubeSpawner and is not in PATH; run this by bin/dev")
    # uv holds the lock too: where this process is killed, uv goes on writing, and the next builder waits for its end.
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, timeout=600, pass_fds=[lock.fileno()])
    if done.returncode:
        raise RuntimeError(f"uv {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
