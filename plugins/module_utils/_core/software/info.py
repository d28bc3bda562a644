# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a software tree has: its releases, the content of one, the difference between two, and what can be deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plan import CREATE, DELETE
from .observed import ObservedTree
from .plan import module_changes
from .pruning import Pruning


def release_list(tree: ObservedTree) -> list[dict[str, Any]]:
    """Return the releases, newest first."""
    return [
        {
            "id": release,
            "current": release == tree.current,
            "created_at": manifest.get("created_at"),
            "created_by": manifest.get("created_by"),
            "current_from": list(manifest.get("current_from") or ()),
            "modules": len(manifest.get("entries") or ()),
            "size": sum(entry.get("size") or 0 for entry in manifest.get("entries") or ()),
            "easybuild": manifest.get("easybuild"),
            "lmod": manifest.get("lmod"),
            "damaged": bool(manifest.get("damaged")),
        }
        for release, manifest in sorted(tree.releases.items(), reverse=True)
    ]


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the modules that differ between two releases, and the default versions of both."""
    found: dict[str, Any] = {"from": before.get("id"), "to": after.get("id"), "added": [], "removed": [], "changed": []}
    for change in module_changes(before, after, ()):
        kind = {CREATE: "added", DELETE: "removed"}.get(change.action, "changed")
        found[kind].append(change.name)
    names = sorted({*(before.get("defaults") or {}), *(after.get("defaults") or {})})
    defaults = {name: [(one.get("defaults") or {}).get(name) for one in (before, after)] for name in names}
    found["defaults"] = {name: values for name, values in defaults.items() if values[0] != values[1]}
    return found


def reclaimable(pruning: Pruning, size: int) -> dict[str, Any]:
    """Return what pruning would delete, by kind, and the bytes on the disk."""
    request = pruning.request()
    return {"releases": request["releases"], "store": request["store"], "staging": request["staging"], "bytes": size}
