# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of the store: what an installation is, whether it is complete, and whether its content is what was built."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from typing import Any, NamedTuple

from .dependencies import with_dependencies
from .errors import REJECTED, PhaseError
from .files import in_threads, read_json
from .shapes import is_entry
from .tree_layout import ENTRY_FOLDER, TreeLayout

#: Starts the name of an installation that a promotion is still copying.
COPY_PREFIX = ".tmp-"
#: What a digest covers of a file's mode. The store takes the right to write away, and a copy may set special bits.
DIGEST_MODE = 0o555
BLOCK = 1 << 20


#: Where an entry is, below the store: its name, then its version and hash.
STORE_PATH = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_.+-]*/[A-Za-z0-9_.+-]+\Z")

#: A module. Servers pass its name to a shell, so it has no character that means something there.
MODULE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+-]*)+\Z")


class Content(NamedTuple):
    """What an installation contains: the digest of its tree, bytes in its files, and their number."""

    digest: str
    size: int
    files: int


class StoreEntries(NamedTuple):
    """The installations of a store: `entry.json` of the complete ones, and the paths of the others, below the store."""

    entries: list[dict[str, Any]]
    incomplete: list[str]


def content_of(folder: str) -> Content:
    """Return digest and size of an installation: paths, modes, targets of links and content of files, sorted by path.

    Our own folder in it is left out, and so is the right to write.
    """
    lines: list[tuple[bytes, bytes]] = []
    files: list[tuple[bytes, int, str]] = []
    for parent, folders, names in os.walk(folder):
        if parent == folder and ENTRY_FOLDER in folders:
            folders.remove(ENTRY_FOLDER)
        for name in [*folders, *names]:
            path = os.path.join(parent, name)
            relative = os.fsencode(os.path.relpath(path, folder))
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                lines.append((relative, b"link " + os.readlink(os.fsencode(path))))
            elif stat.S_ISREG(mode):
                files.append((relative, mode, path))
            else:
                kind = b"folder" if stat.S_ISDIR(mode) else b"special"
                lines.append((relative, b"%s %o" % (kind, mode & DIGEST_MODE)))
    size = 0
    for (relative, mode, _path), (digest, length) in zip(files, in_threads(_file_digest, [item[2] for item in files])):
        lines.append((relative, b"file %o %s" % (mode & DIGEST_MODE, digest.encode())))
        size += length
    total = hashlib.sha256()
    for relative, line in sorted(lines):
        total.update(relative + b"\0" + line + b"\0")
    return Content(total.hexdigest(), size, len(files))


def _file_digest(path: str) -> tuple[str, int]:
    digest, length = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while True:
            block = file.read(BLOCK)
            if not block:
                return digest.hexdigest(), length
            digest.update(block)
            length += len(block)


def check_store_path(path: Any) -> str:
    """Return the path of an entry below the store. Raises PhaseError for anything else, such as one that leads out of it."""
    if not isinstance(path, str) or not STORE_PATH.match(path) or path.endswith(("/.", "/..")):
        raise PhaseError(f"{path!r} is not the path of a store entry, such as bzip2/1.0.8-0123456789ab", REJECTED)
    return path


def check_module(module: Any) -> str:
    """Return the name of a module. Raises PhaseError for anything else, such as a path or a command."""
    if not isinstance(module, str) or not MODULE.match(module):
        raise PhaseError(
            f"{module!r} is not a module such as bzip2/1.0.8: its name has letters, digits, and `._+-` after the first one",
            REJECTED,
        )
    return module


def read_entry(tree: TreeLayout, path: str) -> dict[str, Any]:
    """Return the `entry.json` of an installation, given its path below the store, or {} if it is incomplete or damaged."""
    entry = read_json(tree.entry_file(path))
    return entry if entry is not None and is_entry(entry) else {}


def list_store(tree: TreeLayout) -> StoreEntries:
    """Return what is in the store, sorted by path. Folders with names that no entry has are others' and left out."""
    paths = [
        f"{name}/{version}"
        for name in _folders_in(tree.store)
        for version in _folders_in(os.path.join(tree.store, name))
        if STORE_PATH.match(f"{name}/{version}")
    ]
    found = list(zip(paths, in_threads(lambda path: read_entry(tree, path), paths)))
    return StoreEntries(
        [entry for path, entry in found if entry.get("path") == path],
        [path for path, entry in found if entry.get("path") != path],
    )


def needed_besides(tree: TreeLayout, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the `entry.json` of installations that entries of a manifest need and the manifest lacks.

    An entry that was built against an installation keeps using it when that one is built again for a newer release.
    """
    known = {entry["hash"] for entry in entries}
    used = in_threads(lambda entry: read_entry(tree, check_store_path(entry["path"])), entries)
    needed = {digest for entry in used for digest in entry.get("dependencies", {}).values()} - known
    if not needed:
        return []
    found = with_dependencies(needed, list_store(tree).entries)
    return [dict(entry) for entry in found if entry["hash"] not in known]


def _folders_in(path: str) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
