# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest of a release: which modules it has, and what makes two releases the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..text import did_you_mean, quote_list
from .observed import Installation, ObservedTree, Resolved, ResolvedEntry
from .stack import Stack, StackEntry

SCHEMA = 1
#: What a run did with an entry: it built it, found it in the store, or kept the last good one because the new one failed.
BUILT, CARRIED, KEPT = "built", "carried", "kept"


@dataclass(frozen=True)
class Wanted:
    """What a stack wants of a release, once EasyBuild has resolved it."""

    stack: Stack
    resolved: Resolved
    #: The stack's entry of each module that it requests.
    requested: Mapping[str, StackEntry] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    @property
    def required(self) -> set[str]:
        """The modules without which there is no release, and all that their builds need."""
        modules = [module for module, entry in self.requested.items() if not entry.optional]
        return self.resolved.needed_by(modules, builds=True)

    def modules_without(self, failed: Iterable[str]) -> set[str]:
        """Return the modules of a release in which these could not be built."""
        lost = set(failed)
        kept = [module for module in self.requested if not self.resolved.needed_by([module], builds=False) & lost]
        return self.resolved.needed_by(kept)


def wanted(stack: Stack, resolved: Resolved, errors: list[str]) -> Wanted:
    """Return what the stack wants, and append what the resolved modules show to be wrong in it."""
    entries = stack.by_easyconfig()
    for error in resolved.errors:
        entry = entries.get(error.get("easyconfig") or "")
        errors.append(f"{entry.where if entry else stack.source}: {error['message']}")
    requested = {
        item.module: entries[item.easyconfig]
        for item in resolved.entries
        if item.requested and item.easyconfig in entries
    }
    _check_version(stack, resolved, errors)
    found = Wanted(stack, resolved, requested, _defaults(requested, errors))
    if not resolved.errors:
        _check_modules(found, errors)
    return found


def _check_version(stack: Stack, resolved: Resolved, errors: list[str]) -> None:
    pinned, found = stack.easybuild, resolved.easybuild
    if not pinned or not found or found == pinned or found.startswith(f"{pinned}."):
        return
    major = "another major version, " if pinned.split(".")[0] != found.split(".")[0] else ""
    errors.append(
        f"{stack.easybuild_where}: the stack is for EasyBuild {pinned}, and the environment has {major}{found}: install "
        f"EasyBuild {pinned}, or change the version here"
    )


def _defaults(requested: Mapping[str, StackEntry], errors: list[str]) -> dict[str, str]:
    defaults: dict[str, str] = {}
    places: dict[str, StackEntry] = {}
    for module, entry in requested.items():
        name, _slash, version = module.rpartition("/")
        if not entry.default:
            continue
        if name in defaults:
            errors.append(
                f"{entry.where}: {name} has two default versions, {version} here and {defaults[name]} at "
                f"{places[name].where}: remove `default` from one of them"
            )
            continue
        defaults[name], places[name] = version, entry
    return defaults


def _check_modules(found: Wanted, errors: list[str]) -> None:
    modules = found.resolved.needed_by(found.requested)
    for tests in found.stack.tests:
        if tests.name not in modules:
            guess = did_you_mean(tests.name, modules)
            errors.append(
                f"{tests.where}: there are tests for {tests.name}, which is no module of the stack{guess}: correct the "
                "name, or remove the tests"
            )
    for collection in found.stack.collections:
        for module in collection.values:
            if module not in modules:
                guess = did_you_mean(module, modules)
                errors.append(
                    f"{collection.where}: the collection {collection.name} has {module}, which is no module of the "
                    f"stack{guess}: correct the name, or remove it"
                )


@dataclass(frozen=True)
class Failed:
    """A module that could not be built, and why."""

    module: str
    reason: str
    log: str = ""
    #: The hash of what was tried, "" if nothing was. It is not tried again until the hash changes.
    hash: str = ""

    def as_result(self) -> dict[str, str]:
        """Return the failure as an item of `failed`."""
        return {"module": self.module, "reason": self.reason, "hash": self.hash, "log": self.log}


def release_manifest(
    found: Wanted, tree: ObservedTree, built: Mapping[str, Installation], failed: Iterable[Failed] = ()
) -> dict[str, Any]:
    """Return the manifest of the release without its id and times.

    `built` has the installations of this run by hash. A module that is in neither the store nor there is planned: it has
    no digests yet.
    """
    failures = {item.module: item for item in failed}
    modules = found.modules_without(failures)
    entries = [
        _entry(item, found, tree.installed(item), built.get(item.hash))
        for item in found.resolved.entries
        if item.module in modules
    ]
    entries += _kept(found, tree, failures, modules)
    entries.sort(key=lambda entry: entry["module"])
    names = {entry["module"] for entry in entries}
    tests = {tests.name: list(tests.values) for tests in found.stack.tests}
    for module, entry in found.requested.items():
        if entry.tests:
            tests[module] = [*entry.tests, *tests.get(module, [])]
    manifest = {
        "schema": SCHEMA,
        "easybuild": found.resolved.easybuild,
        "lmod": found.resolved.lmod or tree.lmod,
        "architecture": found.resolved.architecture,
        "os": found.resolved.os,
        "entries": entries,
        "defaults": {name: version for name, version in found.defaults.items() if f"{name}/{version}" in names},
        "failed": [failures[module].as_result() for module in sorted(failures)],
        "collections": {
            collection.name: list(collection.values)
            for collection in found.stack.collections
            if names.issuperset(collection.values)
        },
        "tests": {module: commands for module, commands in tests.items() if module in names},
    }
    manifest["content"] = content_digest(manifest)
    return manifest


def _entry(
    item: ResolvedEntry, found: Wanted, stored: Installation | None, built: Installation | None
) -> dict[str, Any]:
    of_stack = found.requested.get(item.module)
    installed = built or stored
    return {
        "module": item.module,
        "hash": installed.hash if installed else item.hash,
        "path": installed.path if installed else item.path,
        "modulefile_digest": installed.modulefile_digest if installed else None,
        "digest": installed.digest if installed else None,
        "size": installed.size if installed else None,
        "requested": of_stack is not None,
        "optional": of_stack is not None and of_stack.optional,
        "featured": of_stack is not None and of_stack.featured,
        "state": BUILT if built or not stored else CARRIED,
    }


def _kept(found: Wanted, tree: ObservedTree, failed: Mapping[str, Failed], modules: set[str]) -> list[dict[str, Any]]:
    """Return the last good entries of what failed: the same module of the current release, or else its other versions.

    What they load is kept with them, unless the release has that module anyway.
    """
    current = {entry["module"]: entry for entry in tree.manifest.get("entries", [])}
    lost = [module for module in found.requested if module not in modules]
    kept: dict[str, dict[str, Any]] = {}
    open_modules: list[str] = []
    for module in lost:
        name = module.rpartition("/")[0]
        others = [
            other for other in current if other.rpartition("/")[0] == name and other not in found.resolved.by_module
        ]
        open_modules += [module] if module in current else others
    while open_modules:
        module = open_modules.pop()
        entry = current.get(module)
        if entry is None or module in kept or module in modules:
            continue
        kept[module] = {**entry, "state": KEPT}
        installed = tree.store.get(entry["hash"])
        if installed is not None:
            open_modules += installed.dependencies
    return list(kept.values())


def content_digest(manifest: Mapping[str, Any]) -> str:
    """Return the digest of what users see of a release and what it was tested with. Releases with equal digests are the same."""
    fields = ("module", "hash", "modulefile_digest", "featured")
    content = {
        "entries": [[entry.get(name) for name in fields] for entry in manifest["entries"]],
        "defaults": manifest.get("defaults") or {},
        "collections": manifest.get("collections") or {},
        "lmod": manifest.get("lmod"),
        "failed": sorted(item["hash"] for item in manifest.get("failed") or () if item.get("hash")),
    }
    if manifest.get("tests"):
        content["tests"] = manifest["tests"]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def unbuilt(manifest: Mapping[str, Any]) -> list[str]:
    """Return the modules of a planned release that are not built yet."""
    return [entry["module"] for entry in manifest["entries"] if entry["modulefile_digest"] is None]


def module_lines(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return one line for each module: its name, and what users see of it besides."""
    defaults = manifest.get("defaults") or {}
    lines = {}
    for entry in manifest.get("entries") or ():
        module = entry["module"]
        name, _slash, version = module.rpartition("/")
        marks = ["default"] if defaults.get(name) == version else []
        marks += ["featured"] if entry.get("featured") else []
        lines[module] = f"{module}{f' ({quote_list(marks)})' if marks else ''}, {str(entry['hash'])[:12]}"
    return lines
