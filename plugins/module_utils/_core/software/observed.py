# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What phases report: the tree as it is, and the stack as EasyBuild resolves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Optional

#: The input of an entry that is built again: the hash that EasyBuild resolved.
RESOLVED_HASH = "resolved_hash"
#: Inputs that are recorded, and change no hash: a newer one is worth a rebuild, and no reason for one.
RECORDED_INPUTS = ("easybuild", "easyblock")


@dataclass(frozen=True)
class Installation:
    """A complete installation in the store: what its `entry.json` says."""

    module: str
    hash: str
    path: str
    modulefile_digest: str = ""
    digest: str = ""
    size: int = 0
    files: int = 0
    easybuild: str = ""
    built_at: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    #: Module to hash, also those that only the build needed.
    dependencies: Mapping[str, str] = field(default_factory=dict)
    build_dependencies: Mapping[str, str] = field(default_factory=dict)

    @property
    def resolved_hash(self) -> str:
        """The hash of what it was built from. One that was built again has another hash of its own."""
        return str(self.inputs.get(RESOLVED_HASH) or self.hash)


def installation(entry: Mapping[str, Any]) -> Installation:
    """Return an installation, given its `entry.json`."""
    return Installation(
        entry["module"],
        entry["hash"],
        entry["path"],
        entry.get("modulefile_digest") or "",
        entry.get("digest") or "",
        int(entry.get("size") or 0),
        int(entry.get("files") or 0),
        entry.get("easybuild") or "",
        entry.get("built_at") or "",
        entry.get("inputs") or {},
        entry.get("dependencies") or {},
        entry.get("build_dependencies") or {},
    )


@dataclass(frozen=True)
class ObservedTree:
    """A tree: its releases by id, what is in the store by hash, and what is current."""

    releases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    store: Mapping[str, Installation] = field(default_factory=dict)
    current: Optional[str] = None
    previous: Optional[str] = None
    #: How the current release became current: `published`, `rolled_back` or `observed`.
    current_by: str = ""
    incomplete: tuple[str, ...] = ()
    staging: tuple[str, ...] = ()
    changed_entries: tuple[str, ...] = ()
    #: Builds that another attempt would not change, each with `module`, `hash`, `reason` and `log`.
    failed: tuple[Mapping[str, Any], ...] = ()
    lmod: str = ""
    free: int = 0
    #: As the phase reported it.
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest of the current release, empty if there is none."""
        return self.releases.get(self.current or "", {})

    @cached_property
    def _newest(self) -> Mapping[str, Installation]:
        return _by_resolved_hash(self.store.values())

    @cached_property
    def _verified(self) -> Mapping[str, Installation]:
        paths = {entry["path"] for manifest in self.releases.values() for entry in manifest.get("entries") or ()}
        return _by_resolved_hash(entry for entry in self.store.values() if entry.path in paths)

    def installed(self, entry: ResolvedEntry) -> Optional[Installation]:
        """Return the installation of an entry: the newest that a release has, or else the newest.

        One that was built again, and whose release then failed the checks, would make each later release fail.
        """
        if entry.is_rebuild:
            return self.store.get(entry.hash)
        return self._verified.get(entry.hash) or self._newest.get(entry.hash)

    def newest(self, entry: ResolvedEntry) -> Optional[Installation]:
        """Return the newest installation of an entry, also if no release has it."""
        return self._newest.get(entry.hash)


def _by_resolved_hash(entries: Iterable[Installation]) -> dict[str, Installation]:
    """Return the newest of the installations that were built from the same."""
    return {entry.resolved_hash: entry for entry in sorted(entries, key=lambda entry: (entry.built_at, entry.hash))}


def observed_tree(result: Mapping[str, Any]) -> ObservedTree:
    """Return the tree that the phase `observe` found."""
    return ObservedTree(
        {manifest["id"]: manifest for manifest in result["releases"]},
        {entry["hash"]: installation(entry) for entry in result["store"]},
        result.get("current"),
        result.get("previous"),
        result.get("current_by") or "",
        tuple(result.get("incomplete") or ()),
        tuple(result.get("staging") or ()),
        tuple(result.get("changed_entries") or ()),
        tuple(result.get("failed") or ()),
        result.get("lmod") or "",
        int(result.get("free") or 0),
        result,
    )


@dataclass(frozen=True)
class ResolvedEntry:
    """An easyconfig as EasyBuild resolves it: of the stack if it was `requested`, else a dependency."""

    module: str
    hash: str
    path: str
    easyconfig: str
    requested: bool
    dependencies: tuple[str, ...] = ()
    build_dependencies: tuple[str, ...] = ()
    sources: tuple[Mapping[str, Any], ...] = ()
    #: As the phase `build` gets it.
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name of the software."""
        return self.module.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version of the module."""
        return self.module.rpartition("/")[2]

    @property
    def is_rebuild(self) -> bool:
        """Whether it is built again from the same inputs."""
        return RESOLVED_HASH in self.inputs

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What its hash was computed from, and what is recorded besides."""
        inputs: Mapping[str, Any] = self.raw.get("inputs") or {}
        return inputs

    @property
    def needs(self) -> tuple[str, ...]:
        """The modules that must be built before."""
        return (*self.dependencies, *self.build_dependencies)


@dataclass(frozen=True)
class Resolved:
    """A stack as EasyBuild resolves it, dependencies first."""

    entries: tuple[ResolvedEntry, ...] = ()
    easybuild: str = ""
    lmod: str = ""
    architecture: str = ""
    os: str = ""
    errors: tuple[Mapping[str, str], ...] = ()

    @cached_property
    def by_module(self) -> Mapping[str, ResolvedEntry]:
        """The entries by module."""
        return {entry.module: entry for entry in self.entries}

    def needed_by(self, modules: Iterable[str], builds: bool = False) -> set[str]:
        """Return modules with everything that they load; with `builds`, also what their builds need."""
        found: set[str] = set()
        open_modules = [module for module in modules if module in self.by_module]
        while open_modules:
            module = open_modules.pop()
            if module in found:
                continue
            found.add(module)
            entry = self.by_module[module]
            needs = entry.needs if builds else entry.dependencies
            open_modules += [need for need in needs if need in self.by_module]
        return found


def resolved_stack(result: Mapping[str, Any]) -> Resolved:
    """Return the stack that the phase `resolve` resolved."""
    entries = tuple(
        ResolvedEntry(
            entry["module"],
            entry["hash"],
            entry["path"],
            entry["easyconfig"],
            bool(entry.get("requested")),
            tuple(entry.get("dependencies") or ()),
            tuple(entry.get("build_dependencies") or ()),
            tuple(entry.get("sources") or ()),
            entry,
        )
        for entry in result["entries"]
    )
    return Resolved(
        entries,
        result.get("easybuild") or "",
        result.get("lmod") or "",
        result.get("architecture") or "",
        result.get("os") or "",
        tuple(result.get("errors") or ()),
    )
