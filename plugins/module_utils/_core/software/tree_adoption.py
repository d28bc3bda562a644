# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan and the first release of a tree that EasyBuild filled before this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..metadata import KIND_TREE
from ..plan import ADOPT, KEEP, UPDATE, Change, Plan
from .manifest import SCHEMA, content_digest, module_lines

#: The phases that adopt, in order. They are the operations of the change.
PHASES = ("adopt", "assemble", "cache", "verify", "publish")


@dataclass(frozen=True)
class Builder:
    """Who makes a release, when (RFC 3339, UTC), and what for."""

    name: str
    at: str
    architecture: str
    lmod: str


def adopted_manifest(found: Mapping[str, Any], builder: Builder) -> dict[str, Any]:
    """Return the manifest of the first release, given what the phase `adopt` found."""
    stamp = builder.at.replace("-", "").replace(":", "")
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "created_at": builder.at,
        "created_by": builder.name,
        "easybuild": "",
        "lmod": builder.lmod,
        "architecture": builder.architecture,
        "os": "",
        "entries": sorted(found["entries"], key=lambda entry: entry["module"]),
        "defaults": found["defaults"],
        "failed": [],
        "collections": {},
        "tests": {},
    }
    manifest["content"] = content_digest(manifest)
    return {**manifest, "id": f"{stamp}-{manifest['content'][:8]}"}


def plan_adoption(path: str, found: Mapping[str, Any], manifest: Mapping[str, Any]) -> Plan:
    """Return the plan of an adoption. A tree that has a release is up to date, unless no release is current yet."""
    if found["current"]:
        return Plan((Change(KEEP, KIND_TREE, "", path, f"has releases already, and {found['current']} is current"),))
    if found["releases"]:
        newest = found["releases"][-1]
        reason = f"an earlier run adopted release {newest} and was interrupted before it became current"
        return Plan((Change(UPDATE, KIND_TREE, "", path, reason, after=f"current: {newest}", operations=PHASES[-1:]),))
    count = len(manifest["entries"])
    reason = f"{count} {'module' if count == 1 else 'modules'} of EasyBuild become the first release; no file is moved"
    lines = "\n".join(sorted(module_lines(manifest).values()))
    return Plan((Change(ADOPT, KIND_TREE, "", path, reason, after=lines, operations=PHASES),))
