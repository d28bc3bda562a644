# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory that a run works in: opened, and rejected if an export should be mounted there and is not."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .tree import RootError, Tree


class OpenedRoot(NamedTuple):
    """The root directory, or what is wrong with it. `may_be_created`: an earlier task may be about to correct that."""

    tree: Optional[Tree] = None
    error: str = ""
    may_be_created: bool = False


def open_root(path: str, export: str, mounted: Optional[bool]) -> OpenedRoot:
    """Open a root. `export` is its path on its server, "" if that is unknown. `mounted` None: if the two paths differ."""
    try:
        tree = Tree(path)
    except RootError as error:
        return OpenedRoot(None, str(error), isinstance(error.__context__, FileNotFoundError))
    # An export that has another path on this host is mounted here.
    if mounted is None:
        mounted = export.startswith("/") and export != path
    if not mounted or tree.is_mount_point():
        return OpenedRoot(tree)
    mount_point = tree.mount_point()
    found, remedy = "", "mount it"
    if mount_point:
        found = f" itself (it is inside the mount {mount_point})"
        remedy += f", set `path` to {mount_point} if that is the export"
    problem = (
        f"path: nothing is mounted at {path}{found}, and the mount point of an export must stay empty until it is "
        f"mounted: {remedy}, or set `mounted: false` if the directory itself is meant"
    )
    return OpenedRoot(tree, problem, may_be_created=True)
