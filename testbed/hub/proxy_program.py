"""The configurable-http-proxy of the hubs, from npm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from .. import locks
from ..paths import cache_dir
from ..progress import TestbedError

VERSION = "5.3.0"
PACKAGE = f"configurable-http-proxy@{VERSION}"


def missing() -> str | None:
    """Return why this machine cannot have the proxy, in one sentence; None if it can."""
    if _program().exists() or shutil.which("npm"):
        return None
    return "a hub needs npm, which installs configurable-http-proxy: run bin/system-packages to install it"


def ensure() -> Path:
    """Return the program, installed once per user. Raises TestbedError."""
    program = _program()
    if program.exists():
        return program
    reason = missing()
    if reason:
        raise TestbedError(reason)
    home = _home()
    home.parent.mkdir(parents=True, exist_ok=True)
    with open(home.with_name(f"{home.name}.lock"), "w") as lock:
        locks.acquire(lock, "installs configurable-http-proxy", "a few seconds")
        if not program.exists():
            temporary = home.with_name(f"{home.name}.new")
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(temporary), PACKAGE]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if done.returncode:
                raise TestbedError(f"npm could not install {PACKAGE}:\n{done.stderr[-2000:]}")
            temporary.rename(home)
    return program


def _home() -> Path:
    return cache_dir() / f"configurable-http-proxy-{VERSION}"


def _program() -> Path:
    return _home() / "node_modules" / ".bin" / "configurable-http-proxy"
