# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What builds leave behind when they are killed: processes, EasyBuild's lock, half an installation, temporary folders."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time

from .files import remove_folder
from .tree_layout import TreeLayout

#: In the environment of EasyBuild and of everything that it starts. The value is that of `mark`.
VARIABLE = "ODH_PERSISTENCY_INSTALLATION"
#: Starts the names of temporary folders: the process that owns it, and when that started.
SCRATCH = "odh-persistency-build-"
#: Seconds for killed processes to end.
_END = 10


def remove(tree: TreeLayout, path: str) -> None:
    """Remove what an earlier build of an entry left. The caller holds the lock of the entry."""
    folder = tree.installation(path)
    _kill(mark(tree, path))
    # EasyBuild says nothing of its owner in its lock. We hold the lock of the entry, so nobody else builds it.
    lock = os.path.join(tree.easybuild_locks, folder.replace("/", "_") + ".lock")
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(lock)
    if os.path.lexists(folder):
        remove_folder(folder)


def mark(tree: TreeLayout, path: str) -> str:
    """Return the value of VARIABLE for an installation. Two trees that are shown at one prefix have different ones."""
    store = os.stat(tree.store)
    return f"{tree.installation(path)} {store.st_dev}:{store.st_ino}"


def scratch_name() -> str:
    """Return the start of the name of a temporary folder of this process."""
    return f"{SCRATCH}{os.getpid()}-{started(os.getpid())}-"


def remove_scratch(folder: str) -> None:
    """Remove the temporary folders of this user in `folder` whose processes have ended."""
    for name in os.listdir(folder):
        match = re.match(SCRATCH + r"(\d+)-(\d+)-", name)
        path = os.path.join(folder, name)
        if match and started(int(match[1])) != match[2]:
            with contextlib.suppress(OSError):
                if os.lstat(path).st_uid == os.geteuid():
                    remove_all(path)


def remove_all(scratch: str) -> None:
    """Remove a temporary folder. What cannot be removed is left, because the build itself is done."""
    with contextlib.suppress(OSError):
        remove_folder(scratch)


def started(pid: int) -> str:
    """Return when a process started, in ticks since the boot, or "" if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _kill(value: str) -> None:
    """End processes that a killed build of an installation left, so that they write nothing to the new one."""
    wanted = f"{VARIABLE}={value}".encode("utf-8", "surrogateescape")
    deadline = time.monotonic() + _END
    while True:
        found = [pid for pid in _processes() if wanted in _environment(pid)]
        if not found or time.monotonic() > deadline:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []
