# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delete releases and store entries that are named one by one. What a release that stays needs is never deleted."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Callable

from .cleaning import clean_releases, clean_store, set_aside
from .errors import REJECTED, PhaseError
from .files import allocated_bytes, remove_folder
from .locks import hold
from .releases import check_release_id, current_release, list_releases, open_tree, read_manifest
from .reserve import keep_reserve, use_reserve
from .runs import check_run
from .store import check_store_path
from .tree_layout import TreeLayout

Emit = Callable[[dict[str, Any]], None]


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Delete `releases`, then `store` (paths below the store), `staging`, and the logs of `runs`.

    With `dry_run` only count their bytes.
    """
    tree = open_tree(request["prefix"])
    if request.get("dry_run"):
        return {"bytes": sum(allocated_bytes(path) for path in folders_to_delete(tree, request))}
    with hold(tree, request, "prune"):
        use_reserve(tree)
        total = 0
        for path in folders_to_delete(tree, request):
            emit({"entry": os.path.relpath(path, tree.prefix), "step": "delete"})
            total += allocated_bytes(path)
            remove_folder(set_aside(path))
            if path.startswith(tree.store):
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.dirname(path))  # the last version of this name
        clean_releases(tree)
        clean_store(tree)
        keep_reserve(tree)
    return {"bytes": total}


def folders_to_delete(tree: TreeLayout, request: dict[str, Any]) -> list[str]:
    """Return the folders to delete that exist. Raises PhaseError if one of them must stay."""
    releases = [check_release_id(release) for release in request.get("releases", [])]
    staging = [check_release_id(release) for release in request.get("staging", [])]
    runs = [check_run(run) for run in request.get("runs", [])]
    store = [check_store_path(path) for path in request.get("store", [])]
    current = current_release(tree)
    if current in (*releases, *staging):
        raise PhaseError(
            f"release {current} is current: publish or roll back to another one before you prune it", REJECTED
        )
    for release in list_releases(tree) if store else []:
        if release not in releases:
            _check_unused(tree, release, store)
    folders = [
        *(tree.release(release) for release in releases),
        *(tree.installation(path) for path in store),
        *(tree.staging(release) for release in staging),
        *(tree.work(run) for run in runs),
    ]
    return [folder for folder in folders if os.path.isdir(folder)]


def _check_unused(tree: TreeLayout, release: str, store: list[str]) -> None:
    manifest = read_manifest(tree.release(release))
    if manifest is None:
        raise PhaseError(
            f"release {release} has no readable manifest, so what it uses is unknown: prune that release first",
            REJECTED,
        )
    used = sorted({entry.get("path") for entry in manifest["entries"]}.intersection(store))
    if used:
        raise PhaseError(f"store entry {used[0]} is part of release {release}: prune that release first", REJECTED)
