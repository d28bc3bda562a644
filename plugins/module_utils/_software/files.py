# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and folders that are written whole, copied with their times, and removed although they are read-only."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import shutil
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Optional, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: How many calls wait at once.
THREADS = 16
#: What everybody can read. Servers run as any user.
READABLE = 0o644
READ_ONLY = 0o444
FOLDER = 0o755


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Call a function for many items, and return the results in their order. Calls wait for the disk or the network."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, items))


def make_folders(path: str) -> None:
    """Create a folder and its parents, open to every reader whatever the umask is."""
    if os.path.isdir(path):
        return
    make_folders(os.path.dirname(path))
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
        os.chmod(path, FOLDER)


def write_new(path: str, content: bytes, mode: int = READABLE) -> None:
    """Create a file. The caller makes it visible later, by renaming its folder."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, mode)


def replace_file(path: str, content: bytes, mode: int = READABLE) -> None:
    """Write a file so that a reader sees the old content or the new, even after a crash."""
    temporary = f"{path}.tmp-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    try:
        write_new(temporary, content, mode)
        sync_path(temporary)
        move(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_path(os.path.dirname(path))


def move(source: str, target: str) -> None:
    """Rename. A file server may do so although its answer is lost and the repetition fails, so the target decides."""
    moved = os.lstat(source).st_ino
    try:
        os.rename(source, target)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            if os.lstat(target).st_ino == moved and not os.path.lexists(source):
                return
        raise


def sync_path(path: str) -> None:
    """Write a file, or the names in a folder, to the disk. A file system that cannot do that for folders is left alone."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def sync_file_system(path: str) -> None:
    """Write everything that the file system of a path has in memory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)


def read_json(path: str) -> Optional[dict[str, Any]]:
    """Return the object in a JSON file, or None if the file does not exist or has none."""
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def as_json(content: Any) -> bytes:
    """Return an object as JSON for a file that people may read."""
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")


def make_read_only(folder: str) -> None:
    """Take the right to write from everybody, for a folder and everything in it."""
    paths = [folder]
    for parent, folders, files in os.walk(folder):
        paths += [os.path.join(parent, name) for name in (*folders, *files)]
    in_threads(_clear_write, paths)


def _clear_write(path: str) -> None:
    mode = os.lstat(path).st_mode
    if not stat.S_ISLNK(mode) and mode & 0o222:
        os.chmod(path, stat.S_IMODE(mode) & ~0o222)


def remove_folder(path: str) -> None:
    """Remove a folder and its content. Installations are read-only, so folders become writable first."""
    if os.path.islink(path) or not os.path.isdir(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    if os.geteuid() != 0:
        for parent, _folders, _files in os.walk(path):
            os.chmod(parent, stat.S_IMODE(os.lstat(parent).st_mode) | stat.S_IRWXU)
    shutil.rmtree(path)


def allocated_bytes(path: str) -> int:
    """Return what a folder occupies. Files with several names count once."""
    total, seen = 0, set()
    for parent, _folders, files in os.walk(path):
        for entry in [parent, *(os.path.join(parent, name) for name in files)]:
            status = os.lstat(entry)
            key = (status.st_dev, status.st_ino)
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                if key in seen:
                    continue
                seen.add(key)
            total += status.st_blocks * 512
    return total
