# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directories of a new software tree, planned like those of a share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Optional

from ..directories.desired import DesiredDirectories
from ..directories.model import DesiredDirectory, Node, absolute_path
from ..shares.overlaps import places_of
from ..shares.paths import absolute_error
from ..shares.spec import ShareSpec
from ..validation import quoted

_MODE = re.compile(r"0{0,2}[0-7]{3}\Z")


class FolderOptions(NamedTuple):
    """Where a tree is on the host that runs the task: its path, the path that modulefiles contain, and its mode.

    `export` is the path on its server, "" if that is unknown.
    """

    path: str
    prefix: str
    export: str
    mode: int


def folder_options(options: Mapping[str, Any], spec: ShareSpec, errors: list[str]) -> Optional[FolderOptions]:
    """Return where the tree is on this host, None without `path`. What is wrong is appended to `errors`."""
    if not options["path"]:
        errors += [
            f"{key}: it is about the directory of the tree on this host: set `path` too, or remove it"
            for key in ("build_user", "group", "prefix", "adopt")
            if options[key]
        ]
        return None
    path = options["path"].rstrip("/") or "/"
    prefix = (options["prefix"] or path).rstrip("/") or "/"
    for key, value in {"path": path, "prefix": prefix}.items():
        wrong = absolute_error(value, "/opt/apps")
        if wrong or value == "/":
            errors.append(f"{key}: {wrong or '/ is the root of the file system: set it to the directory of the tree'}")
    mode = options["mode"]
    if not _MODE.match(mode) or int(mode, 8) & 0o700 != 0o700:
        errors.append(f'mode: {quoted(mode)} is not the mode of a directory that its owner can use: write "0755"')
        mode = "0755"
    location = next(iter(places_of(spec)), ("", ""))
    return FolderOptions(path, prefix, location[1], int(mode, 8))


def skeleton(names: Sequence[str], common: DesiredDirectory) -> DesiredDirectories:
    """Return the directories of an empty tree, all with the owners and the mode of `common`."""
    return DesiredDirectories([replace(common, parts=(name,)) for name in names])


def root_error(path: str, root: Node, user: str) -> str:
    """Return why releases cannot be published in a directory by the user who would do that, "" if they can."""
    if root.writable or root.read_only:
        return ""
    return (
        f"path: {user} may not write in {absolute_path(path, ())}, and publishes releases there: give the directory to that "
        "user, on the server if it squashes root"
    )
