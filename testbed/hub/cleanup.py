"""Stop hubs. No recorded state is needed: a hub is found by its command line."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from .. import processes
from ..progress import TestbedError

ENDED_WITHIN = 10.0  # seconds from SIGKILL until all processes are gone


def folder_of(data: Path, name: str = "") -> Path:
    """Return the folder of a hub of the testbed in `data`, or the one with all of them."""
    return data / "hubs" / name if name else data / "hubs"


def running(data: Path, name: str = "") -> Iterator[psutil.Process]:
    """Yield the supervisor of a hub, or of all hubs, and the `unshare` that waits for it."""
    plan = f"--plan={folder_of(data, name)}/"
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and any(word.startswith(plan) for word in process.cmdline()):
                yield process


def stop(data: Path, name: str = "") -> bool:
    """Kill a hub, or all hubs, and remove its folder; return whether there was one. Its servers stay. Raises TestbedError."""
    found = list(running(data, name))
    for process in found:
        # The supervisor is process 1 of its namespace: the hub and its proxy end with it.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    if not all(processes.gone(process, ENDED_WITHIN) for process in found):
        raise TestbedError(f"the hub's processes did not end within {ENDED_WITHIN:.0f} s of being killed: {found}")
    folder = folder_of(data, name)
    there = bool(found) or folder.exists()
    if folder.exists():
        shutil.rmtree(folder)
    for file in processes.pid_file(data, "hub").parent.glob(f"hub-{name or '*'}.pid"):
        file.unlink()
    return there
