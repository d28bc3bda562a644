# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the directories that a plan depends on, for the first plan and after a conflict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ..._core.directories.model import Contents, DesiredDirectory, DirectorySettings, ObservedDirectories
from ..._core.directories.plan import drifted, plan_one
from ..._core.plan import Change
from .executor import Replan
from .tree import READ_TRIES, Tree


def read_directories(tree: Tree, desired: Sequence[DesiredDirectory]) -> tuple[ObservedDirectories, Contents]:
    """Return what exists, and the content of the directories that differ.

    Another run fills a directory only after it is up to date. So a directory that has content and differs is read again:
    it may have been both, one after the other.
    """
    for _try in range(READ_TRIES):
        observed = tree.read(item.parts for item in desired)
        contents = tree.contents(drifted(desired, observed))
        full = [parts for parts, names in contents.items() if names != ()]
        again = tree.read(full) if full else {}
        if all(again.get(parts) == observed[parts] for parts in full):
            break
    return observed, contents


def replan_in(tree: Tree, settings: DirectorySettings) -> Replan:
    """Return the function that reads and plans one directory again."""

    def replan(change: Change) -> Optional[Change]:
        desired = change.subject
        observed, contents = read_directories(tree, [desired])
        parent = observed.get(desired.parts[:-1])
        if parent is None or not parent.is_directory:
            return None
        return plan_one(desired, parent, observed, contents, settings)[0]

    return replan
