# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what is in a tree: releases, when they were current, the store, what runs left behind, and the lock."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Callable

from .errors import PhaseError
from .journal import previous_release, publications
from .lmod import lmod_version
from .locks import read_lock
from .releases import current_release, list_releases, list_staging, open_tree, read_manifest
from .runs import list_failures, list_runs
from .store import content_of, list_store
from .tree_layout import TreeLayout


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Return the observed state of the tree. Nothing is written."""
    tree = open_tree(request["prefix"])
    journal = publications(tree)
    releases = []
    for release in list_releases(tree):
        manifest = read_manifest(tree.release(release)) or {"id": release, "entries": [], "damaged": True}
        manifest["id"] = release
        manifest["current_from"] = [line.at for line in journal if line.release == release]
        releases.append(manifest)
    store = list_store(tree)
    status = os.statvfs(tree.prefix)
    return {
        "current": current_release(tree),
        "folders": sorted(entry.name for entry in os.scandir(tree.prefix) if entry.is_dir(follow_symlinks=False)),
        "current_by": journal[-1].how if journal else None,
        "previous": previous_release(tree, journal),
        "releases": releases,
        "store": store.entries,
        "incomplete": store.incomplete,
        "staging": list_staging(tree),
        "runs": list_runs(tree),
        "failed": list_failures(tree),
        "journal": [line._asdict() for line in journal],
        "lock": read_lock(tree),
        "free": status.f_bavail * status.f_frsize,
        "lmod": lmod_version(request["lmod_cmd"]) if request.get("lmod_cmd") else None,
        "changed_entries": _changed(tree, store.entries, emit) if request.get("digests") else [],
    }


def _changed(tree: TreeLayout, entries: list[dict[str, Any]], emit: Callable[[dict[str, Any]], None]) -> list[str]:
    changed = []
    for entry in entries:
        emit({"entry": entry["module"], "step": "digest"})
        try:
            same = content_of(tree.installation(entry["path"])).digest == entry["digest"]
            with open(tree.entry_modulefile(entry["path"]), "rb") as file:
                same = same and hashlib.sha256(file.read()).hexdigest() == entry["modulefile_digest"]
        except FileNotFoundError:
            same = False
        except OSError as error:
            raise PhaseError(
                f"{error.filename} cannot be read ({error.strerror}): give the build user the right to read it"
            ) from error
        if not same:
            changed.append(entry["path"])
    return changed
