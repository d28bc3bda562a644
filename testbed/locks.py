"""Waiting for another process that builds the same thing for this user."""

from __future__ import annotations

import fcntl
import time
from typing import IO

from .progress import Heartbeat, say


def acquire(lock: IO[str], work: str, expect: str) -> None:
    """Lock a file. If another process holds the lock, report what it does (`compiles etcd`) and how long that takes."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        say(f"another process {work} for this user; waiting for it; expect {expect}")
    heartbeat = Heartbeat()
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            heartbeat.beat(f"still waiting for the other process, which {work} ({{elapsed}})")
            time.sleep(0.5)
        else:
            heartbeat.done()
            return
