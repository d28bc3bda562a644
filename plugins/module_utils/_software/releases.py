# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases: their manifests, and the link that says which one is current."""

from __future__ import annotations

import os
from typing import Any, Optional

from .errors import REJECTED, PhaseError
from .files import read_json
from .shapes import is_manifest
from .tree_layout import (
    CURRENT,
    ENTRY_FILE,
    RELEASE_ID,
    RELEASES,
    SKELETON,
    STAGING_PREFIX,
    ReleaseLayout,
    TreeLayout,
    not_a_directory,
)


def open_tree(prefix: str) -> TreeLayout:
    """Return the tree at a prefix. Raises PhaseError if there is none."""
    if not os.path.isabs(prefix) or os.path.normpath(prefix) != prefix:
        raise PhaseError(f"prefix {prefix} must be an absolute path without `..` or a trailing slash", REJECTED)
    if os.path.islink(prefix):
        target = os.path.realpath(prefix)
        raise PhaseError(
            f"prefix {prefix} is a symbolic link to {target}: use a directory, because modules contain the prefix",
            REJECTED,
        )
    for name in SKELETON:
        if os.path.islink(os.path.join(prefix, name)):
            raise PhaseError(not_a_directory(prefix, name), REJECTED)
    missing = [name for name in SKELETON if not os.path.isdir(os.path.join(prefix, name))]
    if missing:
        names = ", ".join(missing)
        raise PhaseError(
            f"{prefix} is not a software tree (no {names}): create it with lmod_tree, or correct the path", REJECTED
        )
    return TreeLayout(prefix)


def check_release_id(release_id: Any) -> str:
    """Return the id of a release. Raises PhaseError for anything else, such as a path."""
    if not isinstance(release_id, str) or not RELEASE_ID.match(release_id):
        raise PhaseError(
            f"{release_id!r} is not a release: use an id such as 20261129T101500Z-0a1b2c3d, as lmod_release_info lists them",
            REJECTED,
        )
    return release_id


def current_release(tree: TreeLayout) -> Optional[str]:
    """Return the id of the current release, or None before the first publication."""
    try:
        target = os.readlink(tree.current)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PhaseError(
            f"{tree.current} is not a link to a release: move it away, and publish, or roll back to a release by its id",
            REJECTED,
        ) from error
    folder, _separator, name = target.rpartition("/")
    if name.startswith(STAGING_PREFIX):
        name = name[len(STAGING_PREFIX) :]  # the view of a release that is not published yet
    if folder != RELEASES or not RELEASE_ID.match(name):
        raise PhaseError(
            f"{tree.current} leads to {target}, which is not a release: move it away, and publish, or roll back to a "
            "release by its id",
            REJECTED,
            {"link": CURRENT, "target": target},
        )
    return name


def list_releases(tree: TreeLayout) -> list[str]:
    """Return the ids of all complete releases, oldest first."""
    return sorted(name for name in os.listdir(tree.releases) if RELEASE_ID.match(name))


def list_staging(tree: TreeLayout) -> list[str]:
    """Return the ids of releases that are not published yet."""
    found = (name[len(STAGING_PREFIX) :] for name in os.listdir(tree.releases) if name.startswith(STAGING_PREFIX))
    return sorted(found)


def read_manifest(folder: str) -> Optional[dict[str, Any]]:
    """Return the manifest of the release in a folder, or None if it has none, or a damaged one."""
    manifest = read_json(ReleaseLayout(folder).manifest)
    return manifest if manifest is not None and is_manifest(manifest) else None


def releases_with(tree: TreeLayout, path: str) -> list[str]:
    """Return the releases that have a store entry, as far as their manifests can be read."""
    found = []
    for release in list_releases(tree):
        manifest = read_manifest(tree.release(release))
        if manifest and any(entry["path"] == path for entry in manifest["entries"]):
            found.append(release)
    return found


def reject_damaged(tree: TreeLayout, path: str) -> None:
    """Raise PhaseError if servers may use an installation that is to be replaced: its `entry.json` was damaged later."""
    using = releases_with(tree, path) if os.path.isdir(tree.installation(path)) else []
    if using:
        raise PhaseError(
            f"store entry {path} is part of release {using[-1]}, and its {ENTRY_FILE} is missing or damaged: restore that "
            "file, or prune the releases that have the entry first",
            REJECTED,
        )


def require_manifest(tree: TreeLayout, release_id: str) -> dict[str, Any]:
    """Return the manifest of a complete release. Raises PhaseError if there is no such release."""
    manifest = read_manifest(tree.release(check_release_id(release_id)))
    if manifest is None:
        newest = ", ".join(list_releases(tree)[-5:]) or "none"
        raise PhaseError(
            f"release {release_id} does not exist: name one of {tree.releases} (the newest: {newest})", REJECTED
        )
    return manifest
