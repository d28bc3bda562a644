# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock of a tree: one run at a time changes it.

The lock is a file, because the tree may be on a file server whose clients share nothing else. It is a hard link to a file
that is complete before, so a crash leaves no half of it. It says who holds it. The process that holds it is looked up where
it can be seen. Elsewhere the holder renews the time of the file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from .clock import utc_now
from .errors import LOCKED, REJECTED, PhaseError
from .files import READABLE, move, read_json, sync_path, write_new
from .reserve import FULL, use_reserve
from .tree_layout import TreeLayout

#: Starts the name of a lock before it is one.
CANDIDATE_PREFIX = ".run.lock-"
#: Whoever removes a stale lock locks this file in the kernel.
BREAKING_FILE = ".breaking"
#: Links that show what the file system can do. Only whoever has the lock makes them.
PROBES = (".probe-old", ".probe-new")
#: Seconds between two renewals, and after how many without one a lock of an unseen process is nobody's.
RENEWAL = 15
NOBODY_AFTER = 600
WAIT = "wait"
#: Seconds that a run waits for another one unless the request says how long.
LONGEST_WAIT = 3600
#: What a message says of the holder.
SHOWN = ("host", "pid", "phase", "at")
#: In place of the start of a process that has ended.
_ENDED = "ended"
#: Seconds between two attempts.
RETRY = 0.2


class _Lock(NamedTuple):
    """A lock as it was found: what is in it, and the seconds since it was renewed."""

    holder: dict[str, Any]
    age: float


@contextlib.contextmanager
def hold(tree: TreeLayout, request: dict[str, Any], phase: str) -> Iterator[None]:
    """Hold the lock during a phase. If its run holds it already, the phase renews it."""
    run = str(request.get("run") or "")
    holder = read_lock(tree)
    if run and holder and holder.get("run") == run:
        with _renewed(tree):
            yield
        return
    token = acquire(tree, _holder(run, phase, os.getpid()), request)
    try:
        with _renewed(tree):
            yield
    finally:
        release(tree, token)


@contextlib.contextmanager
def renewed(tree: TreeLayout, run: str) -> Iterator[None]:
    """Renew the lock if the run holds it, for a phase that needs no lock of its own on the whole tree."""
    holder = read_lock(tree)
    if holder and holder.get("run") == run:
        with _renewed(tree):
            yield
    else:
        yield


def read_lock(tree: TreeLayout) -> Optional[dict[str, Any]]:
    """Return who holds the lock, or None."""
    return read_json(tree.run_lock)


def acquire(tree: TreeLayout, holder: dict[str, Any], request: dict[str, Any]) -> str:
    """Take the lock for a holder and return its token. Raises PhaseError if another run keeps it."""
    longest = request.get("lock_timeout")
    deadline = time.monotonic() + float(LONGEST_WAIT if longest is None else longest)
    mine = os.path.join(tree.locks, CANDIDATE_PREFIX + holder["token"])
    try:
        while True:
            # New each time: its time is the file server's time of now.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(mine)
            try:
                write_new(mine, json.dumps(holder, sort_keys=True).encode("utf-8"))
                # After a power failure, an empty lock would be anybody's, and a run would wait for it.
                sync_path(mine)
            except FileNotFoundError:
                if not os.path.isdir(tree.locks):
                    raise
                continue  # whoever got the lock removed the file before it was complete
            except OSError as error:
                if error.errno in FULL and use_reserve(tree):
                    continue
                raise
            if _link(tree, mine, holder["token"]):
                try:
                    _clean(tree, mine)
                    if tree.locks == TreeLayout(tree.prefix).locks:  # not for the lock of a single entry
                        _check_renames(tree)
                except BaseException:
                    release(tree, holder["token"])
                    raise
                return str(holder["token"])
            found = _inspect(tree, mine)
            if found is None:
                continue
            # Whoever started a run in Jobs sees that it has ended long before its lock is old.
            if _is_stale(found) or found.holder.get("run") in (request.get("dead_runs") or ()):
                _break(tree, found)
                continue
            waits = request.get("when_locked") == WAIT
            if not waits or time.monotonic() > deadline:
                longer = "wait for it with `when_locked: wait`" if not waits else "wait longer with `lock_timeout`"
                raise _locked(tree, found, f"{longer}, or end it")
            time.sleep(RETRY)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(mine)


def release(tree: TreeLayout, token: str) -> bool:
    """Give the lock back. Return whether it was still held with this token."""
    holder = read_lock(tree)
    if holder is None or holder.get("token") != token:
        return False
    with contextlib.suppress(FileNotFoundError):
        os.unlink(tree.run_lock)
    return True


def run_holder(run: str, pid: Optional[int], expires: Optional[int] = None) -> dict[str, Any]:
    """Return what the lock of a whole run says. Without a pid the run is only known by its renewals.

    `expires`: after how many seconds without renewal it is nobody's, if that is longer than usual.
    """
    return {**_holder(run, "run", pid), "expires": expires}


def _holder(run: str, phase: str, pid: Optional[int]) -> dict[str, Any]:
    return {
        "run": run or f"phase-{uuid.uuid4().hex}",
        "phase": phase,
        "host": socket.gethostname(),
        "machine": _machine(),
        "boot": _text("/proc/sys/kernel/random/boot_id"),
        "pids": _pid_namespace(),
        "pid": pid,
        "started": _started(pid) if pid else None,
        "at": utc_now(),
        "token": uuid.uuid4().hex,
    }


@contextlib.contextmanager
def _renewed(tree: TreeLayout) -> Iterator[None]:
    """Renew the lock now and then."""
    done = threading.Event()

    def renew() -> None:
        while True:
            with contextlib.suppress(OSError):
                os.utime(tree.run_lock)
            if done.wait(RENEWAL):
                return

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _check_renames(tree: TreeLayout) -> None:
    """Reject a file system on which a link cannot replace another one in one step: a publication is such a rename."""
    old, new = (os.path.join(tree.locks, name) for name in PROBES)
    try:
        for path in (old, new):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.symlink(path, path)
        move(new, old)
        if os.readlink(old) != new:
            raise OSError(errno.EIO, "the old link is still there")
        os.unlink(old)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise _no_file_system(tree, f"no atomic rename of symbolic links ({error.strerror})") from error


def _no_file_system(tree: TreeLayout, reason: str) -> PhaseError:
    return PhaseError(
        f"the file system of {tree.prefix} has {reason}: put the tree on a POSIX file system or NFS, not on an object store",
        REJECTED,
    )


def _link(tree: TreeLayout, source: str, token: str) -> bool:
    """Link a file as the lock, and return whether that worked. A file server may do so although its answer is lost."""
    try:
        os.link(source, tree.run_lock)
    except FileExistsError:
        pass
    except FileNotFoundError:
        return False  # whoever got the lock removed the file while it was written
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise _no_file_system(tree, f"no hard links ({error.strerror})") from error
        if not _has(tree, token):
            raise
    return _has(tree, token)


def _has(tree: TreeLayout, token: str) -> bool:
    return (read_lock(tree) or {}).get("token") == token


def _inspect(tree: TreeLayout, mine: str) -> Optional[_Lock]:
    try:
        return _Lock(read_lock(tree) or {}, os.stat(mine).st_mtime - os.stat(tree.run_lock).st_mtime)
    except FileNotFoundError:
        return None


def _clean(tree: TreeLayout, mine: str) -> None:
    """Remove what killed runs left that waited for the lock. One that is being written is written again."""
    now = os.stat(tree.run_lock).st_mtime
    for name in os.listdir(tree.locks):
        path = os.path.join(tree.locks, name)
        if name.startswith(CANDIDATE_PREFIX) and path != mine:
            with contextlib.suppress(FileNotFoundError):
                holder = read_json(path)
                if holder is None or _is_stale(_Lock(holder, now - os.stat(path).st_mtime)):
                    os.unlink(path)


def _is_stale(lock: _Lock) -> bool:
    """Return whether nobody holds the lock any more: its process ended, or it was not renewed for long."""
    return is_ended(lock.holder, lock.age)


def is_ended(holder: dict[str, Any], age: float) -> bool:
    """Return whether the process of a holder ended, or it cannot be seen from here and its last renewal is `age` seconds old."""
    pid = holder.get("pid")
    if isinstance(pid, int) and pid and holder.get("machine") == _machine():
        if holder.get("boot") != _text("/proc/sys/kernel/random/boot_id"):
            return True
        if holder.get("pids") == _pid_namespace():
            started, then = _started(pid), holder.get("started")
            if started == _ENDED or not _exists(pid):
                return True
            if started and then:
                return started != then
            # /proc may hide the processes of other users, so this may be the process or another one.
    return age > expires_after(holder)


def expires_after(holder: dict[str, Any]) -> float:
    """Return after how many seconds without renewal a lock of an unseen process is nobody's."""
    own = holder.get("expires")
    return max(NOBODY_AFTER, own) if isinstance(own, int) else NOBODY_AFTER


def _break(tree: TreeLayout, lock: _Lock) -> None:
    """Remove a stale lock unless another run has taken it since.

    The kernel lets one run at a time do this, and forgets a run that ends in between. A file server without such locks leaves
    a gap of microseconds, and only between runs that wait for a stale lock.
    """
    descriptor = os.open(os.path.join(tree.locks, BREAKING_FILE), os.O_RDWR | os.O_CREAT, READABLE)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if (read_lock(tree) or {}).get("token") == lock.holder.get("token"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(tree.run_lock)
    finally:
        os.close(descriptor)


def _locked(tree: TreeLayout, lock: _Lock, way_out: str) -> PhaseError:
    holder = lock.holder
    host, pid, phase, at = (holder.get(key, "unknown") for key in SHOWN)
    who = f"host {host}, process {pid}, phase {phase}, since {at}"
    return PhaseError(
        f"another run changes {tree.prefix} ({who}): {way_out}",
        LOCKED,
        {"lock": holder},
    )


def _started(pid: int) -> Optional[str]:
    """Return when a process started, in ticks since the boot, _ENDED if nobody has waited for it, or None if it is not seen."""
    status = _text(f"/proc/{pid}/stat")
    fields = status.rpartition(")")[2].split()
    if not fields:
        return None
    return _ENDED if fields[0] == "Z" else fields[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _machine() -> str:
    # All containers of an image may have the same id.
    return f"{_text('/etc/machine-id')} {socket.gethostname()}"


def _pid_namespace() -> str:
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def _text(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as file:
        return file.read().strip()
    return ""
