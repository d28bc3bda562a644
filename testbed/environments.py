"""Virtual environments of locked requirements, built once per user, keyed by what is locked and by the interpreter."""

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


def virtual_environment(place: Path, locked: Path, base: str, report: Callable[[], object]) -> Path:
    """Return the Python of an environment at `place`-KEY, built when it does not exist yet; `report` is called before.

    Two builders at once wait for each other, and one that was killed half-way leaves nothing that counts as built.
    `base` is the interpreter of the environment.
    """
    details = f"{sys.version} {sys.base_prefix}" if base == sys.executable else base
    key = hashlib.sha256(locked.read_bytes() + f"{sys.platform} {platform.machine()} {details}".encode()).hexdigest()
    home = place.with_name(f"{place.name}-{key[:12]}")
    python, complete = home / "bin" / "python", home / "complete"
    if complete.exists() and python.exists():
        return python
    home.parent.mkdir(parents=True, exist_ok=True)
    with open(home.with_name(home.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists() and python.exists():
            return python
        report()
        shutil.rmtree(home, ignore_errors=True)
        _uv(lock, "venv", "--quiet", "--python", base, str(home))
        _uv(
            lock,
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--compile-bytecode",
            "--python",
            str(python),
            str(locked),
        )
        complete.touch()
    return python


def _uv(lock: IO[str], *arguments: str) -> None:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise RuntimeError("uv builds virtual environments and is not in PATH; run this by bin/dev")
    # uv holds the lock too: where this process is killed, uv goes on writing, and the next builder waits for its end.
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, timeout=600, pass_fds=[lock.fileno()])
    if done.returncode:
        raise RuntimeError(f"uv {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
