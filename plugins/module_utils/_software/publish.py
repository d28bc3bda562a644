# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make a release the current one: one rename of the link `current`, read back."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Callable

from .errors import PhaseError
from .files import make_read_only, move, sync_file_system, sync_path
from .journal import PUBLISHED, record
from .locks import hold
from .releases import check_release_id, current_release, open_tree, read_manifest, require_manifest
from .tree_layout import NEW_LINK_PREFIX, RELEASES, TreeLayout


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Rename the staging folder of a release, if it is still there, and then `current`."""
    tree = open_tree(request["prefix"])
    release = check_release_id(request["release"])
    with hold(tree, request, "publish"):
        current = current_release(tree)
        if "expected_current" in request and current not in (request["expected_current"], release):
            expected = request["expected_current"]
            raise PhaseError(
                f"the current release is {current}, not {expected}: another run published it, so run again"
            )
        staging = tree.staging(release)
        if os.path.isdir(staging) and not os.path.isdir(tree.release(release)):
            manifest = read_manifest(staging)
            if manifest is None or manifest["id"] != release:
                raise PhaseError(f"release {release} has no manifest in staging: run again to assemble it")
            make_read_only(staging)
            sync_file_system(tree.releases)
            move(staging, tree.release(release))
            sync_path(tree.releases)
        require_manifest(tree, release)
        return make_current(tree, release, PUBLISHED)


def make_current(tree: TreeLayout, release: str, how: str) -> dict[str, Any]:
    """Change the link, and return the release that is current now and the one before."""
    previous = current_release(tree)
    if previous != release:
        record(tree, release, how)
        _replace_link(tree, release)
    return {"current": release, "previous": previous, "changed": previous != release}


def _replace_link(tree: TreeLayout, release: str) -> None:
    temporary = os.path.join(tree.prefix, NEW_LINK_PREFIX + release)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    os.symlink(os.path.join(RELEASES, release), temporary)
    try:
        move(temporary, tree.current)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise PhaseError(f"{tree.current} does not lead to release {release} ({error.strerror}): run again") from error
    sync_path(tree.prefix)
    seen = current_release(tree)
    if seen != release:
        raise PhaseError(f"{tree.current} does not lead to release {release} but to {seen}: run again")
