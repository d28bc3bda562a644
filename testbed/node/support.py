"""Whether this machine can have a node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "memory", "pids")
#: The commands that a node needs, by their Debian packages (tests/gates/packages.txt).
PROGRAMS = {"runc": "runc", "mmdebstrap": "mmdebstrap", "ip": "iproute2", "unshare": "util-linux", "mount": "mount"}
PATH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
)
_OVERLAY = (
    "mkdir lower upper work merged && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged"
)
_BRIDGE = "ip link add bridge0 type bridge && ip link add veth0 type veth peer name veth1"


def unsupported(folder: Path) -> str | None:
    """Return why this machine cannot have a node with files in `folder`, in one sentence; None if it can."""
    if sys.platform != "linux":
        return "a node needs Linux"
    if os.geteuid() != 0:
        return "a node needs root, because it creates containers, mounts and a bridge"
    missing = sorted({package for name, package in PROGRAMS.items() if shutil.which(name, path=PATH) is None})
    if missing:
        return f"a node needs the packages {' '.join(missing)}: run bin/system-packages to install them"
    if not all(has_controller(name) for name in CONTROLLERS):
        return f"a node needs the cgroup controllers {', '.join(CONTROLLERS)} in {CGROUPS}"
    while not folder.exists():
        folder = folder.parent
    reason = _failure(f"overlay mounts in {folder}", _OVERLAY, folder)
    return reason or _failure("bridges and veth interfaces", _BRIDGE, folder)


def _failure(need: str, script: str, folder: Path) -> str | None:
    """Run a script in its own namespaces and folder. Return the reason if it fails."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".node-") as temporary:
        command = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", script]
        answer = subprocess.run(command, cwd=temporary, capture_output=True, text=True, env=os.environ | {"PATH": PATH})
    return f"a node needs {need}: {answer.stderr.strip()}" if answer.returncode else None


def has_controller(name: str) -> bool:
    """Return whether a cgroup controller exists, in its own hierarchy or in the unified one."""
    try:
        return name in (CGROUPS / "cgroup.controllers").read_text().split()
    except OSError:
        return (CGROUPS / name / "cgroup.procs").exists()
