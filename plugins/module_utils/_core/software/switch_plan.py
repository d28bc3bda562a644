# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans that build nothing: back to an earlier release, a release of another tree, and what is deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ..._software.dependencies import with_dependencies
from ..plan import CREATE, DELETE, KEEP, UPDATE, Change, Plan, Rejected
from .observed import ObservedTree
from .plan import KIND_ENTRY, KIND_RELEASE, module_changes
from .pruning import Pruning
from .settings import prefix_error, release_error

#: As in the journal of a tree.
_ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Switch:
    """Run phases that make a release current, or delete what nothing needs."""

    release: str = ""
    request: Mapping[str, Any] = field(default_factory=dict, compare=False)


def plan_rollback(tree: ObservedTree, prefix: str, release: Optional[str]) -> Plan:
    """Return the plan to go back to a release, or to the one before the current. Raises Rejected.

    Without a name, a second run stays where the first one went.
    """
    problem = release_error(release, tree.releases)
    if problem is not None:
        raise Rejected(problem)
    name = f"{prefix}/current"
    if release is None and tree.current_by == _ROLLED_BACK:
        reason = f"release {tree.current} is current by a rollback: name `release` to go further back"
        return Plan((Change(KEEP, KIND_RELEASE, "", name, reason),))
    target = release or tree.previous
    if target is None:
        raise Rejected(f"release: {prefix} has no release before the current one: publish one first")
    if tree.releases.get(target, {}).get("damaged"):
        raise Rejected(f"release: {target} has no readable manifest: name another release")
    _check_prefix(tree.releases[target], prefix)
    return _switched(name, tree, tree.releases[target], "is rolled back to")


def plan_promotion(source: ObservedTree, tree: ObservedTree, prefix: str, release: Optional[str]) -> Plan:
    """Return the plan to copy a release of another tree and make it current. Raises Rejected, also for what the copy rejects."""
    problem = release_error(release, source.releases)
    if problem is not None:
        raise Rejected(problem)
    target = release or source.current
    if target is None:
        raise Rejected("source: the tree has no current release: publish one there, or name a release")
    manifest = source.releases[target]
    if manifest.get("damaged"):
        raise Rejected(f"release: {target} has no readable manifest in `source`: publish a new one there")
    if manifest["prefix"] != prefix:
        raise Rejected(
            f"source: release {target} is for the prefix {manifest['prefix']}, and this tree is at {prefix}: build it for "
            "this prefix"
        )
    _check_prefix(tree.manifest, prefix)
    switched = _switched(f"{prefix}/current", tree, manifest, "comes from `source`")
    if not switched.changed:
        return switched
    here = {str(entry["path"]): entry for entry in tree.raw.get("store") or ()}
    listed = {str(entry["hash"]) for entry in manifest["entries"]}
    needed = [entry for entry in with_dependencies(listed, source.raw["store"]) if entry["hash"] not in listed]
    there = {str(entry["path"]): entry for entry in source.raw["store"]}
    for entry in (*needed, *manifest["entries"]):
        if entry["path"] in here:
            _check_present(entry, here[entry["path"]])
        else:
            _check_damage(entry["path"], tree)
            _check_copied(entry, there.get(entry["path"]) or {})
    copied = [(entry["module"], entry["path"], entry.get("size") or 0) for entry in (*needed, *manifest["entries"])]
    copies = [
        Change(
            CREATE,
            KIND_ENTRY,
            "",
            module,
            f"the store lacks {path}: it is copied ({size} bytes)",
            after=f"store/{path}",
            operations=(Switch(target),),
        )
        for module, path, size in copied
        if path not in here
    ]
    return Plan((*copies, *switched.changes))


def _check_present(entry: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    if any(here.get(key) != entry.get(key) for key in ("hash", "modulefile_digest")):
        raise Rejected(
            f"store entry {entry['path']} exists here with another hash or modulefile: prune it here, or build the release here"
        )


def _check_damage(path: str, tree: ObservedTree) -> None:
    """Reject to replace an installation whose `entry.json` was damaged later, if servers may use it."""
    using = [name for name, release in tree.releases.items() if any(path == one["path"] for one in release["entries"])]
    if using and path in tree.incomplete:
        raise Rejected(
            f"store entry {path} is part of release {max(using)} here, and its entry.json is missing or damaged: restore that "
            "file, or prune the releases that have the entry first"
        )


def _check_copied(entry: Mapping[str, Any], there: Mapping[str, Any]) -> None:
    if there.get("adopted"):
        raise Rejected(
            f"source: {entry['module']} was adopted and lies in {there['adopted']}, which is not in the store: build it there "
            "with a stack first"
        )
    if not there or any(there.get(key) != entry.get(key) for key in ("hash", "digest")):
        raise Rejected(
            f"source: the store there has no {entry['path']}, or not the one of its release: build it there with `rebuild`"
        )


def _check_prefix(manifest: Mapping[str, Any], prefix: str) -> None:
    problem = prefix_error(manifest, prefix)
    if problem is not None:
        raise Rejected(problem)


def _switched(name: str, tree: ObservedTree, manifest: Mapping[str, Any], how: str) -> Plan:
    target = manifest["id"]
    if target == tree.current:
        return Plan((Change(KEEP, KIND_RELEASE, "", name, f"release {target} is current"),))
    operations = (Switch(target),)
    modules = module_changes(tree.manifest, manifest, operations)
    size = len(manifest["entries"])
    change = Change(
        UPDATE if tree.current else CREATE,
        KIND_RELEASE,
        "",
        name,
        f"release {target} with {size} modules {how}" + (f", and replaces {tree.current}" if tree.current else ""),
        before=f"current: {tree.current}" if tree.current else None,
        after=f"current: release {target} with {size} modules",
        operations=operations,
    )
    return Plan((*modules, change))


def plan_pruning(pruning: Pruning) -> Plan:
    """Return the plan to delete what nothing needs. The sizes are those of the files, as far as they are known."""
    operations = (Switch(request=pruning.request()),)
    changes = []
    for item in pruning.removed:
        size = f" ({item.size} bytes)" if item.size else ""
        before = f"{item.kind} {item.name}{size}"
        changes.append(
            Change(DELETE, item.kind, "", item.name, item.reason + size, before=before, operations=operations)
        )
    kept = [Change(KEEP, item.kind, "", item.name, item.reason) for item in pruning.kept]
    return Plan((*changes, *kept), notes=pruning.notes)
