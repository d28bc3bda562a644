# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of an installation: its digest, its size, and how it becomes immutable."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator

from .entry_hash import file_digest
from .tree_layout import ENTRY_FOLDER


def content(folder: str) -> tuple[str, int, int]:
    """Return the digest of a folder's content, its bytes and its number of files, without our own folder in it.

    The digest covers paths, modes, targets of links, and the SHA256 of files.
    """
    digest, size, files = hashlib.sha256(), 0, 0
    for path in sorted(_walk(folder)):
        status = os.lstat(path)
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        if stat.S_ISLNK(status.st_mode):
            what = f"link {os.readlink(path)}"
        elif stat.S_ISDIR(status.st_mode):
            what = f"folder {mode}"
        else:
            what = f"file {mode} {file_digest(path)}"
            size += status.st_size
            files += 1
        name = os.path.relpath(path, folder)
        digest.update(f"{name}\0{what}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest(), size, files


def _walk(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        if parent == folder and ENTRY_FOLDER in folders:
            folders.remove(ENTRY_FOLDER)
        for name in folders + files:
            yield os.path.join(parent, name)


def make_read_only(folder: str) -> None:
    """Take write permission away from everything in a folder (`chmod -R a-w`) but the folder itself."""
    for path in _walk(folder):
        status = os.lstat(path)
        if not stat.S_ISLNK(status.st_mode):
            os.chmod(path, stat.S_IMODE(status.st_mode) & ~0o222)


def remove(folder: str) -> None:
    """Remove a folder, also if it is read-only."""
    if not os.path.lexists(folder):
        return
    os.chmod(folder, 0o700)
    for parent, folders, files in os.walk(folder):
        for name in folders:
            path = os.path.join(parent, name)
            if os.path.islink(path):
                os.unlink(path)
            else:
                os.chmod(path, 0o700)
        for name in files:
            os.unlink(os.path.join(parent, name))
    for parent, _, _ in os.walk(folder, topdown=False):
        os.rmdir(parent)
