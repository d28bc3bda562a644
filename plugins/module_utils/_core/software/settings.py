# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of options that name places of a tree."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, Optional

from ..text import quote_list
from ..validation import quoted

#: As in `_software/tree_layout.py`.
RELEASE_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\Z")
#: A path without characters that a shell, a modulefile or a shebang would read in another way.
_PATH = re.compile(r"/[A-Za-z0-9._+/@-]*\Z")


def path_error(name: str, path: str) -> Optional[str]:
    """Return what is wrong with the path of an option, None if it is valid."""
    if not posixpath.isabs(path):
        return f"{name}: {quoted(path)} is not an absolute path: write it from `/`"
    if ".." in path.split("/"):
        return f"{name}: {quoted(path)} has `..` in it: write the path that it leads to"
    if not _PATH.match(path):
        return (
            f"{name}: {quoted(path)} has characters that a shell or a modulefile reads in another way: use letters, digits "
            "and `.`, `_`, `+`, `@`, `-`"
        )
    if posixpath.normpath(path) != path:
        return f"{name}: {quoted(path)} is not in its shortest form: write {posixpath.normpath(path)}"
    if path == "/":
        return f"{name}: `/` cannot be a software tree: set a directory such as /opt/apps"
    return None


def place_errors(params: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    """Return a sentence for each of these options whose path is wrong."""
    errors = [path_error(name, params[name]) for name in names if params.get(name) is not None]
    return [error for error in errors if error is not None]


def number_errors(params: Mapping[str, Any], least: Mapping[str, int]) -> list[str]:
    """Return a sentence for each of these options that is less than it may be."""
    return [
        f"{name}: {params[name]} is too small: set {minimum} or more"
        for name, minimum in least.items()
        if params.get(name) is not None and params[name] < minimum
    ]


def release_error(release: Optional[str], known: Mapping[str, Any], name: str = "release") -> Optional[str]:
    """Return what is wrong with the id of a release, None if the tree has it or it is None."""
    if release is None:
        return None
    if not RELEASE_ID.match(release):
        return (
            f"{name}: {quoted(release)} is not a release: use an id such as 20261129T101500Z-0a1b2c3d, as lmod_release_info "
            "lists them"
        )
    if release not in known:
        newest = quote_list(sorted(known, reverse=True)[:5]) or "none"
        return f"{name}: the tree has no release {release}: use one of its releases ({newest})"
    return None


def prefix_error(manifest: Mapping[str, Any], prefix: str) -> Optional[str]:
    """Return what is wrong if a release of the tree was made for another prefix, None if it was not, or that is unknown."""
    made_for = manifest.get("prefix")
    if made_for in (None, prefix):
        return None
    return (
        f"prefix: release {manifest['id']} of this tree is for the prefix {made_for}, not {prefix}: set that prefix, because "
        "modules contain it, or name another tree"
    )
