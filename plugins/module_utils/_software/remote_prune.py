# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delete releases and store entries of a tree on another host, which are named one by one, as `prune` does here."""

from __future__ import annotations

import os
from typing import Any, Callable

from .errors import LOCKED, PhaseError
from .locks import expires_after, hold, read_lock
from .prune import folders_to_delete
from .releases import open_tree
from .remote_observe import metadata
from .remote_tree import RemoteTree
from .tree_layout import TreeLayout

Emit = Callable[[dict[str, Any]], None]


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Delete `releases`, then `store`, `staging` and `runs` of the tree at `target`. With `dry_run` only count their bytes.

    This tree is locked meanwhile, because a sync of it could need what is deleted.
    """
    here = open_tree(request["prefix"])
    with RemoteTree(request["target"], request.get("ssh_args") or []) as remote:
        if request.get("dry_run"):
            return {"bytes": remote.count(_paths(remote, request))}
        with hold(here, request, "prune"):
            paths = _paths(remote, request, check_lock=True)
            size = remote.count(paths)
            remote.delete(paths, emit)
            return {"bytes": size}


def _paths(remote: RemoteTree, request: dict[str, Any], check_lock: bool = False) -> list[str]:
    """Return what is deleted, by paths below the tree. Raises PhaseError if something of it must stay."""
    with metadata(remote) as tree:
        if check_lock:
            _check_lock(remote, tree)
        return [os.path.relpath(path, tree.prefix) for path in folders_to_delete(tree, request)]


def _check_lock(remote: RemoteTree, tree: TreeLayout) -> None:
    holder = read_lock(tree)
    # A holder renews its lock, and a process there cannot be seen from here.
    if holder and remote.seconds_since(os.stat(tree.run_lock).st_mtime) < expires_after(holder):
        raise PhaseError(
            f"a run on {holder.get('host')} changes {remote.target}: wait until it has ended, and run again", LOCKED
        )
