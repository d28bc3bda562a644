# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phase `resolve`: what EasyBuild makes of a stack, with the hash, the path and the sources of each entry.

Everything happens in this process, through EasyBuild's own API, and nothing on the tree changes.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from typing import Any, Callable

from .easybuild_session import arguments, environment, new_scratch, reject_root
from .entry_hash import easyconfig_digest, entry_hash, store_path
from .errors import REJECTED, PhaseError

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
        shutil.rmtree(scratch, ignore_errors=True)


class _Resolver:
    """EasyBuild, configured once."""

    def __init__(self, request: dict[str, Any], scratch: str) -> None:
        try:
            from easybuild.tools.options import set_up_configuration
        except ImportError as error:
            raise PhaseError(f"{sys.executable} has no EasyBuild ({error}): set `easybuild`", REJECTED) from error
        from easybuild.tools.build_log import EasyBuildError
        from easybuild.tools.modules import modules_tool
        from easybuild.tools.version import VERSION

        self.request = request
        self.scratch = scratch
        self.error = EasyBuildError
        self.version = str(VERSION)
        try:
            set_up_configuration(
                args=[*arguments(request, scratch, os.path.join(scratch, "modules")), "--robot"], silent=True
            )
            self.tool = modules_tool()
        except EasyBuildError as error:
            raise PhaseError(f"EasyBuild rejects its options: {error.msg}", REJECTED) from error
        except SystemExit as error:
            raise PhaseError("EasyBuild rejects its options: correct `easybuild_options`", REJECTED) from error
        self.errors: list[dict[str, str]] = []

    def resolve(self) -> dict[str, Any]:
        ordered = self._order(self._parse())
        requested = {os.path.realpath(path) for path in self.paths}
        entries: dict[str, dict[str, Any]] = {}
        for easyconfig in ordered:
            entry = self._entry(easyconfig, entries)
            entry["requested"] = os.path.realpath(entry["easyconfig_path"]) in requested
            entries[entry["module"]] = entry
        return {
            "easybuild": self.version,
            "lmod": str(self.tool.version),
            "architecture": platform.machine(),
            "os": operating_system(),
            "entries": list(entries.values()),
            "errors": self.errors,
        }

    def _parse(self) -> list[dict[str, Any]]:
        from easybuild.framework.easyconfig.easyconfig import process_easyconfig
        from easybuild.framework.easyconfig.tools import det_easyconfig_paths
        from easybuild.framework.easystack import parse_easystack

        stack = os.path.join(self.scratch, "stack.yml")
        with open(stack, "w", encoding="utf-8") as file:
            file.write(self.request["easystack"])
        try:
            names = [name for name, _options in parse_easystack(stack).ec_opt_tuples]
        except self.error as error:
            raise PhaseError(f"EasyBuild cannot read the stack: {error.msg}", REJECTED) from error
        found = []
        self.paths = []
        for name in names:
            try:
                path = det_easyconfig_paths([name])[0]
                found.extend(process_easyconfig(path))
                self.paths.append(path)
            except self.error as error:
                self.errors.append({"easyconfig": name, "message": error.msg})
        return found

    def _order(self, easyconfigs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the easyconfigs and what they depend on, dependencies first."""
        from easybuild.tools.robot import resolve_dependencies

        try:
            return list(resolve_dependencies([dict(item) for item in easyconfigs], self.tool, retain_all_deps=True))
        except self.error as error:
            if len(easyconfigs) == 1:
                name = os.path.basename(easyconfigs[0]["spec"])
                self.errors.append({"easyconfig": name, "message": error.msg})
                return []
        # Which of them it is, EasyBuild does not say.
        ordered: dict[str, dict[str, Any]] = {}
        for easyconfig in easyconfigs:
            for found in self._order([easyconfig]):
                ordered.setdefault(found["full_mod_name"], found)
        return list(ordered.values())

    def _entry(self, easyconfig: dict[str, Any], entries: dict[str, dict[str, Any]]) -> dict[str, Any]:
        from easybuild.tools.module_naming_scheme.utilities import det_full_ec_version

        ec = easyconfig["ec"]
        needed = self._modules(self._all_dependencies(ec))
        build = [module for module in self._modules(ec.builddependencies()) if module in needed]
        runtime = [module for module in needed if module not in build]
        inputs = {
            "easyconfig": easyconfig_digest(self._parameters(ec)),
            "toolchain": toolchain_name(ec["toolchain"]),
            "dependencies": {module: entries[module]["hash"] for module in runtime},
            "build_dependencies": {module: entries[module]["hash"] for module in build},
            "architecture": platform.machine(),
            "os": operating_system(),
            "options": {"optarch": "GENERIC", **(self.request.get("easybuild_options") or {})},
            "easybuild": self.version,
        }
        digest = entry_hash(inputs)
        version = det_full_ec_version(ec)
        return {
            "module": ec.full_mod_name,
            "name": ec.name,
            "version": version,
            "hash": digest,
            "path": store_path(ec.name, version, digest),
            "easyconfig": os.path.basename(ec.path),
            "easyconfig_path": ec.path,
            "dependencies": runtime,
            "build_dependencies": build,
            "inputs": inputs,
            "sources": [],
        }

    def _parameters(self, ec: Any) -> dict[str, Any]:
        from easybuild.framework.easyconfig.parser import EasyConfigParser

        return dict(EasyConfigParser(ec.path).get_config_dict())

    def _all_dependencies(self, ec: Any) -> list[Any]:
        from easybuild.framework.easyconfig.easyconfig import make_easyconfig_dict

        return list(make_easyconfig_dict(ec)["dependencies"])

    def _modules(self, dependencies: list[Any]) -> list[str]:
        from easybuild.framework.easyconfig.easyconfig import ActiveMNS

        return [
            ActiveMNS().det_full_module_name(dependency)
            for dependency in dependencies
            if not dependency.get("external_module")
        ]


def operating_system() -> str:
    """Return the name and version of the operating system, such as `debian-12`."""
    values: dict[str, str] = {}
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    key, _, value = line.strip().partition("=")
                    values.setdefault(key, value.strip("\"'"))
            break
    return "-".join(filter(None, [values.get("ID", "linux"), values.get("VERSION_ID", "")]))


def toolchain_name(toolchain: dict[str, str]) -> str:
    """Return `system`, or such as `GCCcore/13.2.0`."""
    if toolchain["name"] == "system":
        return "system"
    return f"{toolchain['name']}/{toolchain['version']}"
