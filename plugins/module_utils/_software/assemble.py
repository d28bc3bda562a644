# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put a release together in its staging folder: modulefiles from the store, links, defaults, `lmodrc.lua`, manifest."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Callable

from .cleaning import clean_releases
from .errors import REJECTED, PhaseError
from .files import READ_ONLY, as_json, in_threads, make_folders, write_new
from .lmod import default_version, lmodrc
from .locks import hold
from .releases import check_release_id, open_tree
from .reserve import keep_reserve
from .store import check_module, check_store_path, read_entry
from .tree_layout import ReleaseLayout, TreeLayout

DEFAULTS_FILE = ".modulerc.lua"
#: What an entry of a manifest takes from the store.
FROM_STORE = ("hash", "path", "modulefile_digest", "digest", "size", "toolchain")


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Make `releases/.new-ID`. What earlier runs left in staging goes first."""
    tree = open_tree(request["prefix"])
    release, manifest = check_release_id(request["release"]), request["manifest"]
    with hold(tree, request, "assemble"):
        entries = in_threads(lambda entry: _completed(tree, entry), manifest["entries"])
        _check_defaults(manifest["defaults"], entries)
        if os.path.exists(tree.release(release)):
            raise PhaseError(f"release {release} exists already: run again, for a release with a new id", REJECTED)
        clean_releases(tree)
        keep_reserve(tree)
        staging = ReleaseLayout(tree.staging(release))
        make_folders(staging.modules)
        make_folders(staging.lmod)
        in_threads(lambda entry: _add_module(tree, staging, entry), entries)
        for name, version in sorted(manifest["defaults"].items()):
            _add_default(staging, name, version)
        write_new(staging.lmodrc, lmodrc(tree).encode("utf-8"))
        manifest = {**manifest, "id": release, "prefix": tree.prefix, "entries": entries}
        write_new(staging.manifest, as_json(manifest))
    return {"release": release, "modules": len(entries), "manifest": manifest}


def _completed(tree: TreeLayout, entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of the manifest with what the store knows about it."""
    module, path = check_module(entry["module"]), check_store_path(entry["path"])
    details = {"module": module, "path": path}
    stored = read_entry(tree, path)
    if not stored or stored["module"] != module or stored["hash"] != entry["hash"]:
        raise PhaseError(
            f"store entry {path} of {module} is missing or incomplete: run again to build it", details=details
        )
    for key in ("modulefile_digest", "digest"):
        if entry.get(key) and entry[key] != stored[key]:
            raise PhaseError(
                f"store entry {path} of {module} is not the one that was planned: run again", details=details
            )
    return {**entry, **{key: stored[key] for key in FROM_STORE if key in stored}}


def _check_defaults(defaults: dict[str, str], entries: list[dict[str, Any]]) -> None:
    modules = {entry["module"] for entry in entries}
    missing = [f"{name}/{version}" for name, version in sorted(defaults.items()) if f"{name}/{version}" not in modules]
    if missing:
        names = ", ".join(missing)
        raise PhaseError(f"the release lacks {names}, a default version: correct `default`", REJECTED)


def _add_module(tree: TreeLayout, staging: ReleaseLayout, entry: dict[str, Any]) -> None:
    with open(tree.entry_modulefile(entry["path"]), "rb") as file:
        content = file.read()
    if hashlib.sha256(content).hexdigest() != entry["modulefile_digest"]:
        path = entry["path"]
        raise PhaseError(
            f"the modulefile of store entry {path} changed since it was built: build it again with `rebuild`",
            details={"module": entry["module"], "path": path},
        )
    path = staging.modulefile(entry["module"])
    make_folders(os.path.dirname(path))
    write_new(path, content, READ_ONLY)
    if entry.get("featured"):
        _add_link(staging, path)


def _add_default(staging: ReleaseLayout, name: str, version: str) -> None:
    path = os.path.join(staging.modules, name, DEFAULTS_FILE)
    write_new(path, default_version(name, version).encode("utf-8"))
    if os.path.lexists(os.path.join(staging.featured, f"{name}/{version}.lua")):
        _add_link(staging, path)


def _add_link(staging: ReleaseLayout, path: str) -> None:
    """Link a file of `modules/all` in `modules/featured`. The link is relative, so it holds wherever the release is seen."""
    link = os.path.join(staging.featured, os.path.relpath(path, staging.modules))
    make_folders(os.path.dirname(link))
    os.symlink(os.path.relpath(path, os.path.dirname(link)), link)
