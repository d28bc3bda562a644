# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs that ended early left behind. Whoever holds the lock may remove it: nothing published refers to it."""

from __future__ import annotations

import contextlib
import os

from .files import move, remove_folder
from .releases import list_staging
from .store import COPY_PREFIX
from .tree_layout import NEW_LINK_PREFIX, TreeLayout

#: Starts the name of a release or an installation that is being deleted.
DELETED_PREFIX = ".old-"


def set_aside(path: str) -> str:
    """Rename a folder that is to be deleted, so that nobody takes half of it for the whole. Return its new path."""
    parent, name = os.path.split(path)
    aside = os.path.join(parent, DELETED_PREFIX + name)
    remove_folder(aside)
    move(path, aside)
    return aside


def clean_releases(tree: TreeLayout) -> None:
    """Remove staging folders, releases that a run began to delete, and a link that was not renamed.

    A staging folder that somebody made current by hand stays.
    """
    shown = os.path.realpath(tree.current)
    for release in list_staging(tree):
        if os.path.realpath(tree.staging(release)) != shown:
            remove_folder(tree.staging(release))
    for name in _names(tree.releases, DELETED_PREFIX):
        remove_folder(os.path.join(tree.releases, name))
    for name in _names(tree.prefix, NEW_LINK_PREFIX):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(tree.prefix, name))


def clean_store(tree: TreeLayout) -> None:
    """Remove installations that a run began to copy or to delete."""
    for name in os.listdir(tree.store):
        folder = os.path.join(tree.store, name)
        if os.path.isdir(folder) and not os.path.islink(folder):
            for left in _names(folder, COPY_PREFIX) + _names(folder, DELETED_PREFIX):
                remove_folder(os.path.join(folder, left))


def _names(folder: str, prefix: str) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(prefix)]
