# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which modules of a release changed since the previous one, and which depend on them."""

from __future__ import annotations

import os
import re
from typing import Any

#: Functions of a modulefile that load other modules, with their arguments.
_LOADS = re.compile(
    r"\b(?:depends_on|depends_on_any|load|load_any|always_load|try_load|try_add|prereq|prereq_any)\s*\(([^)]*)\)"
)
_STRING = re.compile(r"""["']([^"']+)["']""")
_COMPARED = ("hash", "modulefile_digest")


def changed_modules(manifest: dict[str, Any], previous: dict[str, Any] | None) -> list[str]:
    """Return the modules that are new, built again, or have another modulefile, in the manifest's order."""
    old = {entry["module"]: entry for entry in (previous or {}).get("entries", [])}
    return [
        entry["module"]
        for entry in manifest["entries"]
        if any(entry.get(key) != old.get(entry["module"], {}).get(key) for key in _COMPARED)
        or entry["module"] not in old
    ]


def affected_modules(manifest: dict[str, Any], previous: dict[str, Any] | None, folder: str) -> list[str]:
    """Return the changed modules and those that load one of them, directly or not, in the manifest's order.

    A module without a version means the default version, so all versions count, and a changed default counts too. Modules
    whose tests changed are among them.
    """
    names = [entry["module"] for entry in manifest["entries"]]
    affected = set(changed_modules(manifest, previous))
    tests, old_tests = manifest.get("tests", {}), (previous or {}).get("tests", {})
    affected |= {name for name in names if tests.get(name, []) != old_tests.get(name, [])}
    defaults, old_defaults = manifest.get("defaults", {}), (previous or {}).get("defaults", {})
    gone = {entry["module"] for entry in (previous or {}).get("entries", [])} - set(names)
    targets = {name for name in {*defaults, *old_defaults} if defaults.get(name) != old_defaults.get(name)}
    targets |= _with_names(affected | gone)
    loads = {name: loaded_modules(os.path.join(folder, name + ".lua")) for name in names}
    while True:
        more = {name for name in names if name not in affected and loads[name] & targets}
        if not more:
            return [name for name in names if name in affected]
        affected |= more
        targets |= _with_names(more)


def _with_names(modules: set[str]) -> set[str]:
    return modules | {module.rpartition("/")[0] for module in modules}


def loaded_modules(path: str) -> set[str]:
    """Return the modules that a modulefile names in its calls that load modules."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return set()
    return {name for call in _LOADS.findall(text) for name in _STRING.findall(call)}
