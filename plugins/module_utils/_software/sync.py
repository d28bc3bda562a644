# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a release to a file server that this host has not mounted, with rsync over SSH.

Store entries that are missing there come first, then the release, then the link `current`. Each is complete before it has
its name, so servers never see a half, and a run that was interrupted goes on where it ended.
"""

from __future__ import annotations

import hashlib
from typing import Any, Callable

from .errors import REJECTED, PhaseError
from .journal import OBSERVED, PUBLISHED, Publication, as_line, utc_now
from .locks import hold
from .releases import check_release_id, current_release, open_tree, require_manifest
from .remote_tree import Observed, RemoteTree
from .store import check_store_path, needed_besides, read_entry
from .tree_layout import RELEASE_ID, RELEASES, STORE, ReleaseLayout, TreeLayout

Emit = Callable[[dict[str, Any]], None]


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Bring `release`, by default the current one, to `target`. With `plan`, only return what would be sent."""
    tree = open_tree(request["prefix"])
    manifest = _manifest(tree, request)
    with RemoteTree(request["target"], request.get("ssh_args") or []) as remote:
        if request.get("plan"):
            return _planned(tree, manifest, remote.observe())
        with hold(tree, request, "sync"):
            # Another run may have published before this one had the lock.
            return _send(tree, _manifest(tree, request), remote, emit)


def _manifest(tree: TreeLayout, request: dict[str, Any]) -> dict[str, Any]:
    release = request.get("release") or current_release(tree)
    if release is None:
        raise PhaseError(f"{tree.prefix} has no current release: publish one first", REJECTED)
    manifest = {**require_manifest(tree, check_release_id(release)), "id": release}
    if manifest["prefix"] != tree.prefix:
        raise PhaseError(
            f"prefix: release {release} of this tree is for the prefix {manifest['prefix']}, not {tree.prefix}: set that "
            "prefix, because modules contain it, or name another tree",
            REJECTED,
        )
    return manifest


def _send(tree: TreeLayout, manifest: dict[str, Any], remote: RemoteTree, emit: Emit) -> dict[str, Any]:
    release = manifest["id"]
    planned = _planned(tree, manifest, remote.observe())
    entries = [f"{STORE}/{entry['path']}" for entry in planned["entries"]]
    for folders in (entries, [] if planned["has_release"] else [f"{RELEASES}/{release}"]):
        if folders:
            remote.send(tree.prefix, folders, emit)
            remote.move(folders)
    before = (planned["current"] or "").rpartition("/")[2]
    lines = [as_line(Publication(release, utc_now(), PUBLISHED))]
    if RELEASE_ID.match(before):
        lines.append(as_line(Publication(before, utc_now(), OBSERVED)))
    seen = remote.publish(release, lines, before)
    after = remote.observe()
    if seen != release or after.current != release or _planned(tree, manifest, after)["entries"]:
        raise PhaseError(
            f"{remote.target} shows release {after.current}, not {release}: another run published it, so run again"
        )
    return planned


def _planned(tree: TreeLayout, manifest: dict[str, Any], remote: Observed) -> dict[str, Any]:
    """Return what the other side lacks. Raises PhaseError if it has something else under the same name."""
    release = manifest["id"]
    missing = []
    for entry in (*needed_besides(tree, manifest["entries"]), *manifest["entries"]):
        path = check_store_path(entry["path"])
        there, here = remote.entries.get(path), _sha256(tree.entry_file(path))
        if there is None:
            if read_entry(tree, path).get("adopted"):
                raise PhaseError(
                    f"{entry['module']} was adopted and is not in the store, so it cannot be sent: build it with a stack first",
                    REJECTED,
                    {"module": entry["module"], "path": path},
                )
            missing.append({"module": entry["module"], "path": path, "size": entry.get("size") or 0})
        elif there != here:
            raise PhaseError(
                f"store entry {path} on the other side is another build than the one here: delete it there once no release "
                "uses it, or build it again here",
                REJECTED,
                {"module": entry["module"], "path": path},
            )
    there = remote.releases.get(release)
    if there is not None and there != _sha256(ReleaseLayout(tree.release(release)).manifest):
        raise PhaseError(
            f"release {release} on the other side is another one than here: publish a new release", REJECTED
        )
    return {
        "release": release,
        "entries": missing,
        "bytes": sum(entry["size"] for entry in missing),
        "has_release": there is not None,
        "modules": len(manifest["entries"]),
        "current": remote.current,
    }


def _sha256(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        raise PhaseError(f"{path} cannot be read ({error.strerror}): build the release again") from error
