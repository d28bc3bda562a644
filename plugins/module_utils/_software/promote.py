# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a release from another tree of the same prefix: store entries that are missing, then the release, into staging."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from typing import Any, Callable

from .cleaning import clean_releases, clean_store
from .errors import NO_SPACE, REJECTED, PhaseError
from .files import (
    as_json,
    in_threads,
    make_folders,
    make_read_only,
    move,
    remove_folder,
    replace_file,
    sync_file_system,
    sync_path,
)
from .locks import hold
from .releases import check_release_id, current_release, open_tree, reject_damaged, require_manifest
from .store import COPY_PREFIX, check_module, check_store_path, content_of, needed_besides, read_entry
from .tree_layout import ENTRY_FOLDER, ReleaseLayout, TreeLayout

Emit = Callable[[dict[str, Any]], None]


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Copy `release` of the tree at `source`, or its current release. `publish` makes it current."""
    tree, source = open_tree(request["prefix"]), open_tree(request["source"])
    if os.path.samefile(tree.releases, source.releases):
        raise PhaseError(f"source {source.prefix} is the tree itself: name the other tree", REJECTED)
    release = request.get("release") or current_release(source)
    if release is None:
        raise PhaseError(f"{source.prefix} has no current release: publish one there, or name a release", REJECTED)
    manifest = require_manifest(source, check_release_id(release))
    if manifest.get("id") != release:
        raise PhaseError(
            f"the manifest of release {release} of {source.prefix} is that of another one: publish a new release there",
            REJECTED,
        )
    _check_manifest(tree, source, manifest)
    with hold(tree, request, "promote"):
        clean_releases(tree)
        clean_store(tree)
        entries = in_threads(lambda entry: _present_or_missing(tree, source, entry), manifest["entries"])
        besides = in_threads(
            lambda entry: _present_or_missing(tree, source, entry), needed_besides(source, manifest["entries"])
        )
        missing = [entry for entry in (*besides, *entries) if not entry.pop("present")]
        _check_space(tree, missing)
        for entry in missing:
            emit({"entry": entry["module"], "step": "copy"})
            _copy_entry(tree, source, entry)
        if not os.path.isdir(tree.release(release)):
            _copy_release(tree, source, {**manifest, "entries": entries})
    return {
        "release": release,
        "copied": [entry["path"] for entry in missing],
        "bytes": sum(entry["size"] for entry in missing),
    }


def _check_manifest(tree: TreeLayout, source: TreeLayout, manifest: dict[str, Any]) -> None:
    """Reject a release that was built for another prefix, or whose modulefiles are not those of its manifest."""
    release = manifest["id"]
    if manifest["prefix"] != tree.prefix:
        raise PhaseError(
            f"release {release} was built for prefix {manifest['prefix']}, not {tree.prefix}: build it for this prefix",
            REJECTED,
        )
    layout = ReleaseLayout(source.release(release))

    def check(entry: dict[str, Any]) -> None:
        path = layout.modulefile(check_module(entry["module"]))
        if not os.path.isfile(path) or _sha256(path) != entry.get("modulefile_digest"):
            raise PhaseError(
                f"the modulefile of {entry['module']} in release {release} of {source.prefix} changed since it was published: "
                "publish a new release there",
                REJECTED,
                {"module": entry["module"]},
            )

    in_threads(check, manifest["entries"])


def _present_or_missing(tree: TreeLayout, source: TreeLayout, entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of the manifest as this tree has or will have it, and whether it is `present`."""
    path = check_store_path(entry["path"])
    here = read_entry(tree, path)
    if here:
        if here["hash"] != entry["hash"] or here["modulefile_digest"] != entry.get("modulefile_digest"):
            raise PhaseError(
                f"store entry {path} exists with another hash or modulefile: prune it here, or build the release here",
                REJECTED,
            )
        # Two builds of the same hash may differ in details such as time stamps.
        return {**entry, "digest": here["digest"], "size": here["size"], "present": True}
    reject_damaged(tree, path)
    there = read_entry(source, path)
    if there.get("adopted"):
        raise PhaseError(
            f"{entry['module']} was adopted in {source.prefix} and lies in {there['adopted']}, which is not in the store: build "
            "it there with a stack first",
            REJECTED,
            {"module": entry["module"], "path": path},
        )
    if not there or there["hash"] != entry["hash"] or there["digest"] != entry.get("digest"):
        raise PhaseError(
            f"store entry {path} of {source.prefix} is missing, or not the one of its release: build it there with `rebuild`",
            REJECTED,
            {"module": entry["module"], "path": path},
        )
    return {**entry, "size": there["size"], "present": False}


def _check_space(tree: TreeLayout, missing: list[dict[str, Any]]) -> None:
    status = os.statvfs(tree.store)
    free, needed = status.f_bavail * status.f_frsize, sum(entry["size"] for entry in missing)
    if needed > free:
        raise PhaseError(
            f"{len(missing)} missing store entries take {needed} bytes, and {tree.store} has {free} left: prune, or enlarge the "
            "volume",
            NO_SPACE,
            {"needed": needed, "free": free},
        )


def _copy_entry(tree: TreeLayout, source: TreeLayout, entry: dict[str, Any]) -> None:
    """Copy an installation under another name, compare its digest, and give it its name."""
    path = entry["path"]
    target = tree.installation(path)
    copy = os.path.join(os.path.dirname(target), COPY_PREFIX + os.path.basename(target))
    make_folders(os.path.dirname(target))
    try:
        copy_folder(source.installation(path), copy)
        modulefile = os.path.join(copy, ENTRY_FOLDER, os.path.basename(tree.entry_modulefile(path)))
        if content_of(copy).digest != entry["digest"] or _sha256(modulefile) != entry["modulefile_digest"]:
            raise PhaseError(
                f"store entry {path} of {source.prefix} changed since it was built: build it there with `rebuild`",
                REJECTED,
                {"module": entry["module"], "path": path},
            )
        make_read_only(copy)
        sync_file_system(copy)
    except BaseException:
        remove_folder(copy)
        raise
    remove_folder(target)  # an incomplete installation
    move(copy, target)
    sync_path(os.path.dirname(target))


def _copy_release(tree: TreeLayout, source: TreeLayout, manifest: dict[str, Any]) -> None:
    release = manifest["id"]
    staging = tree.staging(release)
    copy_folder(source.release(release), staging)
    os.chmod(staging, 0o755)
    replace_file(ReleaseLayout(staging).manifest, as_json(manifest))


def copy_folder(source: str, target: str) -> None:
    """Copy a folder with modes, times, links, and hard links among its files."""
    folders: list[tuple[str, str]] = []
    files: dict[tuple[int, int], tuple[str, str]] = {}
    links: list[tuple[str, str]] = []
    for parent, subfolders, names in os.walk(source):
        folder = os.path.normpath(os.path.join(target, os.path.relpath(parent, source)))
        os.mkdir(folder, 0o700)
        folders.append((parent, folder))
        for name in [*subfolders, *names]:
            path, copy = os.path.join(parent, name), os.path.join(folder, name)
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                os.symlink(os.readlink(path), copy)
            elif not stat.S_ISDIR(status.st_mode):
                first = files.setdefault((status.st_dev, status.st_ino), (path, copy))
                if first[1] != copy:
                    links.append((first[1], copy))
    in_threads(lambda pair: shutil.copy2(*pair), files.values())
    for first_copy, copy in links:
        os.link(first_copy, copy)
    for original, folder in reversed(folders):
        shutil.copystat(original, folder)


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
