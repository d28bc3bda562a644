# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phase `resolve`: what EasyBuild makes of a stack, with the hash, the path and the sources of each entry.

Everything happens in this process, through EasyBuild's own API, and nothing on the tree changes.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from typing import Any, Callable

from . import leftovers
from .easybuild_session import (
    all_options,
    arguments,
    entry_options,
    environment,
    hashed_options,
    new_scratch,
    reject_root,
)
from .easyconfigs import EasyconfigFinder, modules_of, parameters_of, toolchain_name
from .entry_hash import easyconfig_digest, entry_hash, store_path
from .errors import REJECTED, PhaseError
from .host import architecture, operating_system
from .sources import Files, easyblock_digest, has_unchecked_patches
from .store import MODULE, STORE_PATH, read_entry
from .tree_layout import TreeLayout

Emit = Callable[[dict[str, Any]], None]


def run(request: dict[str, Any], _emit: Emit) -> dict[str, Any]:
    """Resolve the easystack of a request."""
    reject_root()
    scratch = new_scratch(request)
    try:
        variables = environment(request, scratch)
        os.environ.clear()
        os.environ.update(variables)
        return _Resolver(request, scratch).resolve()
    finally:
        leftovers.remove_all(scratch)


class _Resolver:
    """EasyBuild in this process, and the entries that it has resolved so far."""

    def __init__(self, request: dict[str, Any], scratch: str) -> None:
        try:
            from easybuild.tools.build_log import EasyBuildError
            from easybuild.tools.version import VERSION
        except ImportError as error:
            raise PhaseError(
                f"{sys.executable} has no EasyBuild ({error}): set `easybuild` to an environment with easybuild and pyyaml",
                REJECTED,
            ) from error
        self.request = request
        self.scratch = scratch
        self.tree = TreeLayout(request["prefix"])
        #: They are built although the store has them, so their sources are needed.
        self.rebuild = frozenset(request.get("rebuild") or [])
        self.easybuild_error = EasyBuildError
        self.easybuild = str(VERSION)
        self.lmod = ""
        self.entries: dict[str, dict[str, Any]] = {}
        #: The name and the options of each easyconfig that the stack lists, by file name.
        self.listed: dict[str, tuple[str, dict[str, Any]]] = {}
        self.errors: list[dict[str, str]] = []

    def resolve(self) -> dict[str, Any]:
        """Return the result of the phase."""
        listed = self._listed()
        self.listed = {os.path.basename(item[0]): item for item in listed}
        plain = [name for name, options in listed if not options]
        self._resolve_group(plain, {})
        for name, options in listed:
            if options:
                self._resolve_group([name], options)
        return {
            "easybuild": self.easybuild,
            "lmod": self.lmod,
            "architecture": architecture(),
            "os": operating_system(),
            "entries": list(self.entries.values()),
            "errors": self.errors,
        }

    def _listed(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the easyconfigs of the stack and the options of each."""
        from easybuild.framework.easystack import parse_easystack

        stack = os.path.join(self.scratch, "stack.yml")
        with open(stack, "w", encoding="utf-8") as file:
            file.write(self.request["easystack"])
        try:
            return [(name, entry_options(options)) for name, options in parse_easystack(stack).ec_opt_tuples]
        except self.easybuild_error as error:
            raise PhaseError(f"EasyBuild cannot read the stack: {error.msg}", REJECTED) from error

    def _configure(self, options: dict[str, Any]) -> Any:
        """Configure EasyBuild and return its modules tool."""
        from easybuild.tools.modules import modules_tool
        from easybuild.tools.options import set_up_configuration

        given = arguments(self.request, self.scratch, os.path.join(self.scratch, "modules"), options)
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                parser = set_up_configuration(args=[*given, "--robot"], silent=True, reconfigure=True)[0].parser
                tool = modules_tool()
        except self.easybuild_error as error:
            raise PhaseError(f"EasyBuild rejects its options: {error.msg}", REJECTED) from error
        except SystemExit as error:
            reason = said.getvalue().strip().rpartition("error: ")[2]
            raise PhaseError(
                f"EasyBuild {self.easybuild} rejects an option ({reason}): correct `easybuild_options`, or the `options` of "
                "the entry",
                REJECTED,
            ) from error
        # Nobody reads the log of a plan, and a fifth of its time is for writing it.
        logging.disable(logging.INFO)
        # EasyBuild accepts the start of a name, so that `installp` would be `installpath`.
        unknown = [key for key in all_options(self.request, options) if not parser.has_option(f"--{key}")]
        if unknown:
            raise PhaseError(f"EasyBuild {self.easybuild} has no option {unknown[0]}: correct its name", REJECTED)
        self.lmod = str(tool.version)
        return tool

    def _resolve_group(self, names: list[str], options: dict[str, Any]) -> None:
        """Resolve easyconfigs that have the same options, and everything that they depend on."""
        if not names and self.lmod:
            return
        finder = EasyconfigFinder(self._configure(options), self.easybuild_error)
        found = finder.parse(names)
        requested = {os.path.realpath(item["spec"]) for item in found}
        for easyconfig in finder.order(found):
            module, name = easyconfig["full_mod_name"], os.path.basename(easyconfig["spec"])
            own = self.listed.get(name, (name, options))
            if module not in self.entries and own[1] != options:
                # Its own options count, and not those of what needs it.
                self._resolve_group([own[0]], own[1])
                self._configure(options)
            if module not in self.entries:
                self._add(easyconfig, options)
            if os.path.realpath(easyconfig["spec"]) in requested:
                self._request(module, name)
        self.errors += finder.errors

    def _request(self, module: str, name: str) -> None:
        """Note that the stack lists the easyconfig with this name, whose module was added unless it has an error."""
        entry = self.entries.get(module)
        if entry is None:
            return
        if entry["easyconfig"] != name:
            reason = f"its module {module} is already that of {entry['easyconfig']}: remove one of the two"
            self.errors.append({"easyconfig": name, "message": f"{name}: {reason}"})
        entry["requested"] = True

    def _add(self, easyconfig: dict[str, Any], options: dict[str, Any]) -> None:
        name = os.path.basename(easyconfig["spec"])
        try:
            self.entries[easyconfig["full_mod_name"]] = self._entry(easyconfig, options)
        except self.easybuild_error as error:
            self.errors.append({"easyconfig": name, "message": f"{name}: {error.msg}"})
        except KeyError as error:
            self.errors.append({"easyconfig": name, "message": f"{name}: its dependency {error.args[0]} has an error"})

    def _entry(self, easyconfig: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        from easybuild.tools.module_naming_scheme.utilities import det_full_ec_version

        ec = easyconfig["ec"]
        module, version = str(ec.full_mod_name), str(det_full_ec_version(ec))
        if not MODULE.match(module) or not STORE_PATH.match(f"{ec.name}/{version}"):
            raise self.easybuild_error(
                f"its name {ec.name!r} and version {version!r} may only have letters, digits, '.', '_', '+' and '-', because "
                "they become a folder and the name of a module"
            )
        runtime, build = modules_of(ec)
        # Before Files, which lets the easyblock change the easyconfig.
        digest = easyconfig_digest(parameters_of(ec), self.scratch)
        files = Files(easyconfig) if has_unchecked_patches(ec) else None
        inputs: dict[str, Any] = {
            "easyconfig": digest,
            # The others are part of the easyconfig, as checksums.
            "patches": files.unchecked_patches() if files else {},
            "toolchain": toolchain_name(ec),
            "dependencies": {needed: self.entries[needed]["hash"] for needed in runtime},
            "build_dependencies": {needed: self.entries[needed]["hash"] for needed in build},
            "architecture": architecture(),
            "os": operating_system(),
            "options": hashed_options(self.request, options),
            "easybuild": self.easybuild,
            "easyblock": easyblock_digest(ec),
        }
        hashed = entry_hash(inputs)
        path = store_path(ec.name, version, hashed)
        built = module not in self.rebuild and read_entry(self.tree, path)
        return {
            "module": module,
            "name": ec.name,
            "version": version,
            "hash": hashed,
            "path": path,
            "easyconfig": os.path.basename(ec.path),
            "easyconfig_path": ec.path,
            "requested": False,
            "dependencies": runtime,
            "build_dependencies": build,
            "options": options,
            "inputs": inputs,
            "sources": [] if built else (files or Files(easyconfig)).describe(),
        }
