# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Easyconfigs as EasyBuild finds, parses and orders them."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from typing import Any

#: What parameters are made of. Text for anything else may have an address, which is another one in each run.
_DATA = (str, int, float, list, tuple, dict, set, frozenset, type(None))
#: How EasyBuild starts what it says of an easyconfig.
_PATH = re.compile(r"^Failed to process easyconfig \S+: ")


class EasyconfigFinder:
    """Finds easyconfigs with EasyBuild, and collects what is wrong with each."""

    def __init__(self, tool: Any, easybuild_error: Any) -> None:
        self.tool = tool
        self.easybuild_error = easybuild_error
        self.errors: list[dict[str, str]] = []

    def parse(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return the easyconfigs with these names."""
        from easybuild.framework.easyconfig.easyconfig import process_easyconfig
        from easybuild.framework.easyconfig.tools import det_easyconfig_paths

        found: list[dict[str, Any]] = []
        for name in names:
            try:
                path = det_easyconfig_paths([name])[0]
            except self.easybuild_error:
                self._report(name, _missing(name))
                continue
            try:
                found += process_easyconfig(path)
            except self.easybuild_error as error:
                self._report(name, error.msg)
            except Exception as error:  # an easyconfig is Python, and can raise anything
                self._report(name, f"it raises {type(error).__name__} ({error})")
        return found

    def order(self, easyconfigs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the easyconfigs and what they depend on, dependencies first."""
        from easybuild.tools.robot import resolve_dependencies

        if not easyconfigs:
            return []
        try:
            return list(resolve_dependencies([_copy(item) for item in easyconfigs], self.tool, retain_all_deps=True))
        except self.easybuild_error as error:
            if len(easyconfigs) == 1:
                self._report(os.path.basename(easyconfigs[0]["spec"]), error.msg)
                return []
        # EasyBuild does not say which of them it is.
        ordered: dict[str, dict[str, Any]] = {}
        for easyconfig in easyconfigs:
            for found in self.order([easyconfig]):
                ordered.setdefault(found["full_mod_name"], found)
        return list(ordered.values())

    def _report(self, name: str, reason: str) -> None:
        reason = " ".join(_PATH.sub("", reason).split())
        text = reason if reason.startswith(name) else f"{name}: {reason}"
        self.errors.append({"easyconfig": name, "message": text})


def _copy(easyconfig: dict[str, Any]) -> dict[str, Any]:
    """Return a copy whose lists EasyBuild can take items from."""
    return {key: list(value) if isinstance(value, list) else value for key, value in easyconfig.items()}


def _missing(name: str) -> str:
    from easybuild.tools.config import build_option

    folders = list(build_option("robot_path") or [])
    nearest = difflib.get_close_matches(os.path.basename(name), _neighbours(name, folders), n=1)
    hint = f" (did you mean {nearest[0]}?)" if nearest else ""
    return f"there is no such easyconfig in {', '.join(folders)}{hint}: correct the name, or add its folder to `robot_paths`"


def _neighbours(name: str, folders: list[str]) -> list[str]:
    """Return the easyconfigs in the folders where this one would be."""
    software = os.path.basename(name).split("-")[0]
    found: list[str] = []
    for folder in folders:
        for place in (folder, os.path.join(folder, software), os.path.join(folder, software[:1].lower(), software)):
            if os.path.isdir(place):
                found += [item for item in os.listdir(place) if item.endswith(".eb")]
    return found


def modules_of(ec: Any) -> tuple[list[str], list[str]]:
    """Return the modules that an easyconfig depends on, with its toolchain, and those that only its build needs."""
    from easybuild.framework.easyconfig.easyconfig import ActiveMNS, make_easyconfig_dict

    def modules(dependencies: Iterable[Any]) -> list[str]:
        found = [
            str(ActiveMNS().det_full_module_name(item)) for item in dependencies if not item.get("external_module")
        ]
        return list(dict.fromkeys(found))

    # Without those that `filter-deps` leaves out.
    needed = modules(make_easyconfig_dict(ec)["dependencies"])
    build = [module for module in modules(ec.builddependencies()) if module in needed]
    return [module for module in needed if module not in build], build


def parameters_of(ec: Any) -> dict[str, Any]:
    """Return the parameters of an easyconfig as its file sets them, without its own variables, functions and modules."""
    found = ec.parser.get_config_dict()
    return {key: value for key, value in found.items() if not key.startswith("local_") and isinstance(value, _DATA)}


def toolchain_name(ec: Any) -> str:
    """Return the toolchain: `system`, or such as `GCCcore/13.2.0`."""
    toolchain = ec["toolchain"]
    if toolchain["name"] == "system":
        return "system"
    return f"{toolchain['name']}/{toolchain['version']}"
