# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make an earlier release the current one again."""

from __future__ import annotations

from typing import Any, Callable

from .errors import REJECTED, PhaseError
from .journal import ROLLED_BACK, previous_release, publications
from .locks import hold
from .publish import make_current
from .releases import open_tree, require_manifest
from .reserve import FULL, keep_reserve, use_reserve


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Change `current` to the named release, or to the one before the current."""
    tree = open_tree(request["prefix"])
    with hold(tree, request, "roll_back"):
        release = request.get("release") or previous_release(tree, publications(tree))
        if release is None:
            raise PhaseError(f"{tree.releases} has no release before the current one: publish one first", REJECTED)
        require_manifest(tree, release)
        try:
            result = make_current(tree, release, ROLLED_BACK)
        except OSError as error:
            if error.errno not in FULL or not use_reserve(tree):
                raise
            result = make_current(tree, release, ROLLED_BACK)
        keep_reserve(tree)
        return result
