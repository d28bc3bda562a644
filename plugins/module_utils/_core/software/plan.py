# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a release: what is built, which modules change, and what becomes current."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ..plan import CREATE, DELETE, KEEP, REFUSE, UPDATE, Change, Plan
from ..text import did_you_mean, quote_list
from .manifest import KEPT, Failed, Wanted, module_lines, release_manifest
from .observed import RECORDED_INPUTS, RESOLVED_HASH, Installation, ObservedTree, Resolved, ResolvedEntry
from .settings import prefix_error

KIND_ENTRY = "entry"
KIND_MODULE = "module"
KIND_RELEASE = "release"


@dataclass(frozen=True)
class Build:
    """Build one entry into the store."""

    entry: ResolvedEntry


@dataclass(frozen=True)
class Publish:
    """Assemble the release, build its cache, verify it, and make it current."""


@dataclass(frozen=True)
class ReleasePlan:
    """The plan of a release, with what it follows from."""

    plan: Plan
    wanted: Wanted
    tree: ObservedTree
    #: The manifest as far as it is known: entries that are not built yet have no digests.
    manifest: Mapping[str, Any]
    #: Modules that would not be built, because a source is missing.
    failed: tuple[Failed, ...] = ()
    rebuild_available: tuple[str, ...] = ()
    missing_sources: tuple[Mapping[str, Any], ...] = ()

    @property
    def builds(self) -> list[ResolvedEntry]:
        """The entries to build, dependencies first."""
        return [
            operation.entry
            for change in self.plan.changes
            for operation in change.operations
            if isinstance(operation, Build)
        ]


@dataclass(frozen=True)
class PlanSettings:
    """What a run asks for besides its stack."""

    prefix: str
    #: Whether the release becomes current, or the run only fills the store.
    publish: bool = True
    rebuild: tuple[str, ...] = ()
    #: Whether EasyBuild may download sources that are missing.
    download: bool = False
    warnings: tuple[str, ...] = field(default=())


def plan_release(found: Wanted, tree: ObservedTree, settings: PlanSettings) -> ReleasePlan:
    """Return the plan of a release. Its refusals: another prefix, and sources that required entries miss."""
    problem = prefix_error(tree.manifest, settings.prefix)
    wrong = [] if problem is None else [Change(REFUSE, KIND_RELEASE, "", f"{settings.prefix}/current", problem)]
    missing = () if settings.download else _missing_sources(found, tree)
    failed = _unbuildable(found, tree, missing, settings.rebuild)
    changes = [*wrong, *(_refusal(source, found) for source in missing if source["module"] in found.required)]
    needed = _buildable(found, failed)
    changes += [_entry_change(entry, tree) for entry in found.resolved.entries if entry.module in needed]
    manifest = release_manifest(found, tree, {}, failed)
    if settings.publish:
        changes += _release_changes(manifest, tree, settings)
    notes = [*found.stack.warnings, *settings.warnings]
    notes += [
        f"{item.module} is optional and is not built: {item.reason}{_kept_clause(item.module, manifest)}"
        for item in failed
        if item.module in found.requested
    ]
    return ReleasePlan(
        Plan(tuple(changes), notes=tuple(notes)),
        found,
        tree,
        manifest,
        failed,
        tuple(rebuild_available(found.resolved, tree)),
        tuple(missing),
    )


def _kept_clause(module: str, manifest: Mapping[str, Any]) -> str:
    name = module.rpartition("/")[0]
    kept = [
        entry["module"]
        for entry in manifest["entries"]
        if entry["state"] == KEPT and entry["module"].rpartition("/")[0] == name
    ]
    return f"; the release keeps {quote_list(kept)}" if kept else ""


def _missing_sources(found: Wanted, tree: ObservedTree) -> list[dict[str, Any]]:
    """Return the sources that entries to build miss, each with its module, the expected file and SHA256."""
    missing = []
    for entry in found.resolved.entries:
        if tree.installed(entry) is not None:
            continue
        for source in entry.sources:
            if source.get("found") and source.get("valid") is not False:
                continue
            missing.append({"module": entry.module, **source})
    return missing


def describe_source(source: Mapping[str, Any]) -> str:
    """Return what is wrong with a source, and the way out."""
    digest = source.get("sha256")
    expected = f"SHA256 {digest}" if digest else "no checksum is known"
    if source.get("found"):
        return (
            f"the source {source['file']} of {source['module']} has another checksum than its easyconfig ({expected}): "
            f"replace {source['found']}"
        )
    return (
        f"the source {source['file']} of {source['module']} is missing ({expected}): put it into a folder of "
        "`source_paths`, or set `download` if this host reaches its address"
    )


def _unbuildable(
    found: Wanted, tree: ObservedTree, missing: Iterable[Mapping[str, Any]], rebuild: Collection[str]
) -> tuple[Failed, ...]:
    """Return the modules that only optional entries need and that are not built: without a source, or failed before."""
    failed: dict[str, Failed] = {}
    for source in missing:
        failed.setdefault(source["module"], Failed(source["module"], describe_source(source)))
    for item in (*(tree.manifest.get("failed") or ()), *tree.failed):
        entry = found.resolved.by_module.get(item["module"])
        if entry is None or item.get("hash") != entry.hash or entry.module in failed or entry.module in rebuild:
            continue
        if tree.installed(entry) is None:
            reason = str(item["reason"]).removeprefix(f"{entry.module}: ")
            failed[entry.module] = Failed(entry.module, reason, item.get("log") or "", entry.hash)
    optional = {module: item for module, item in failed.items() if module not in found.required}
    return spread_failures(found, tree, optional)


def spread_failures(found: Wanted, tree: ObservedTree, failed: Mapping[str, Failed]) -> tuple[Failed, ...]:
    """Return failures with those that follow from them: what needs a module that failed cannot be built either."""
    spread = dict(failed)
    for entry in found.resolved.entries:
        needs = entry.needs if tree.installed(entry) is None else entry.dependencies
        lost = next((need for need in needs if need in spread), None)
        if lost is not None and entry.module not in spread:
            spread[entry.module] = Failed(entry.module, f"it needs {lost}, which is not built", spread[lost].log)
    return tuple(spread.values())


def _buildable(found: Wanted, failed: Iterable[Failed]) -> set[str]:
    """Return the modules that the release has or whose build it needs."""
    lost = {item.module for item in failed}
    kept = [module for module in found.requested if module not in lost]
    return found.resolved.needed_by(kept, builds=True) - lost


def _refusal(source: Mapping[str, Any], found: Wanted) -> Change:
    of_stack = found.requested.get(source["module"])
    where = f"{of_stack.where}: " if of_stack is not None else ""
    return Change(REFUSE, KIND_ENTRY, "", source["module"], where + describe_source(source))


def _entry_change(entry: ResolvedEntry, tree: ObservedTree) -> Change:
    if tree.installed(entry) is not None:
        return Change(KEEP, KIND_ENTRY, "", entry.module, "is in the store", subject=entry)
    others = [other for other in tree.store.values() if other.module == entry.module]
    if entry.path in tree.incomplete:
        reason = "its last build did not finish"
    elif others:
        reason = "its easyconfig, or something that it depends on, has changed"
    else:
        reason = "is not in the store"
    return Change(
        CREATE,
        KIND_ENTRY,
        "",
        entry.module,
        f"{reason}: EasyBuild builds it into store/{entry.path}",
        after=f"store/{entry.path}",
        operations=(Build(entry),),
        subject=entry,
    )


def _release_changes(manifest: Mapping[str, Any], tree: ObservedTree, settings: PlanSettings) -> list[Change]:
    """Return the changes of modules, and of what is current."""
    name = f"{settings.prefix}/current"
    if tree.current is not None and tree.manifest.get("content") == manifest["content"]:
        return [Change(KEEP, KIND_RELEASE, "", name, f"release {tree.current} is up to date")]
    changes = module_changes(tree.manifest, manifest)
    return [*changes, publication(name, tree, manifest, len(changes))]


def publication(name: str, tree: ObservedTree, manifest: Mapping[str, Any], count: int) -> Change:
    """Return the change of what is current, if `count` modules differ."""
    size = len(manifest["entries"])
    release = f"release {manifest['id']}" if manifest.get("id") else "a new release"
    what = f"{count} modules change" if count != 1 else "1 module changes"
    if tree.current is None:
        action, reason = CREATE, f"there is no release yet: {release} with {size} modules becomes current"
    else:
        what = what if count else "what Lmod caches or restores, or what is tested, changes"
        action, reason = UPDATE, f"{what}: {release} with {size} modules replaces {tree.current}"
    before = None if tree.current is None else f"current: {tree.current}"
    after = f"current: {release} with {size} modules"
    return Change(action, KIND_RELEASE, "", name, reason, before=before, after=after, operations=(Publish(),))


def applied_plan(planned: ReleasePlan, failed: Mapping[str, Failed], published: Optional[Mapping[str, Any]]) -> Plan:
    """Return what a run did of a plan: the builds that did not fail, and the release that it published, if any."""
    changes = [
        change
        for change in planned.plan.changes
        if change.kind == KIND_ENTRY and (change.action == KEEP or change.name not in failed)
    ]
    of_release = [change for change in planned.plan.changes if change.kind == KIND_RELEASE]
    if published is not None:
        modules = module_changes(planned.tree.manifest, published)
        changes += modules
        changes += [publication(change.name, planned.tree, published, len(modules)) for change in of_release]
    elif of_release and planned.tree.current is not None:
        reason = f"release {planned.tree.current} stays current"
        changes += [Change(KEEP, KIND_RELEASE, "", change.name, reason) for change in of_release]
    new = [item for module, item in failed.items() if module not in {one.module for one in planned.failed}]
    manifest = published if published is not None else planned.manifest
    notes = tuple(
        f"{item.module} is optional and failed: {item.reason}{_kept_clause(item.module, manifest)}"
        for item in new
        if item.module not in planned.wanted.required
    )
    return replace(planned.plan, changes=tuple(changes), notes=(*planned.plan.notes, *notes))


def module_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], operations: tuple[Any, ...] = (Publish(),)
) -> list[Change]:
    """Return the modules that differ between two manifests. The lines of the diff show default versions."""
    old, new = module_lines(before), module_lines(after)
    states = {entry["module"]: entry.get("state") for entry in after.get("entries", ())}
    changes = []
    for module in sorted({*old, *new}):
        line, new_line = old.get(module), new.get(module)
        if line == new_line:
            continue
        if line is None:
            action, reason = CREATE, "the release gets it"
        elif new_line is None:
            action, reason = DELETE, "the stack does not have it any more"
        else:
            action, reason = UPDATE, f"it is built again, or shown differently ({line} before)"
        if states.get(module) == KEPT:
            reason = "the last good one is kept"
        changes.append(
            Change(action, KIND_MODULE, "", module, reason, before=line, after=new_line, operations=operations)
        )
    return changes


def rebuild_available(resolved: Resolved, tree: ObservedTree) -> list[str]:
    """Return the modules that were built by another EasyBuild or easyblock than a build would use now."""
    available = []
    for entry in resolved.entries:
        stored = tree.installed(entry)
        if stored is not None and _is_outdated(stored, entry):
            available.append(entry.module)
    return available


def _is_outdated(stored: Installation, entry: ResolvedEntry) -> bool:
    before = {name: stored.inputs.get(name) for name in RECORDED_INPUTS}
    return any(entry.inputs.get(name) != value for name, value in before.items() if value is not None)


def with_rebuilds(resolved: Resolved, tree: ObservedTree, rebuild: Sequence[str], errors: list[str]) -> Resolved:
    """Return the entries, of which those named in `rebuild` have a new hash if there is a reason to build them again.

    The reasons: a newer EasyBuild or easyblock, or an installation that has changed since it was built. So a second run
    changes nothing. Without a reason, the newest installation counts, also if no release has it.
    """
    for module in rebuild:
        if module not in resolved.by_module:
            guess = did_you_mean(module, resolved.by_module)
            errors.append(f"rebuild: {module} is no module of the stack{guess}: correct the name, or remove it")
    named = set(rebuild)
    entries = (_rebuilt(entry, tree) if entry.module in named else entry for entry in resolved.entries)
    return replace(resolved, entries=tuple(entries))


def _rebuilt(entry: ResolvedEntry, tree: ObservedTree) -> ResolvedEntry:
    stored = tree.newest(entry)
    if stored is None:
        return entry
    if not _is_outdated(stored, entry) and stored.path not in tree.changed_entries:
        return entry if stored.hash == entry.hash else _with_hash(entry, stored.hash, stored.path)
    same = [stored for stored in tree.store.values() if stored.resolved_hash == entry.hash]
    recorded = [str(entry.inputs.get(name)) for name in RECORDED_INPUTS]
    text = "\n".join([entry.hash, *recorded, str(len(same))])
    digest = hashlib.sha256(text.encode()).hexdigest()
    path = f"{entry.path[: -len(entry.hash[:12])]}{digest[:12]}"
    return _with_hash(entry, digest, path)


def _with_hash(entry: ResolvedEntry, digest: str, path: str) -> ResolvedEntry:
    raw = {**entry.raw, "hash": digest, "path": path, "inputs": {**entry.inputs, RESOLVED_HASH: entry.hash}}
    return replace(entry, hash=digest, path=path, raw=raw)


def build_request(entry: ResolvedEntry, resolved: Resolved, installed: Mapping[str, Installation]) -> dict[str, Any]:
    """Return the part of a request that says what to build, and the store entries that its build needs.

    `installed` has the installation of each module that exists by now.
    """
    needed = sorted(resolved.needed_by(entry.needs))
    store = [installed[module] for module in needed if module in installed]
    inputs = dict(entry.inputs)
    for kind, modules in (("dependencies", entry.dependencies), ("build_dependencies", entry.build_dependencies)):
        inputs[kind] = {module: installed[module].hash for module in modules if module in installed}
    return {
        "entry": {**entry.raw, "inputs": inputs},
        "store": [{"module": item.module, "path": item.path, "hash": item.hash} for item in store],
    }
