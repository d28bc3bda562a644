# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make what EasyBuild installed at the prefix before this collection the first release, without moving a file.

Installations stay in `software/`. Each gets an entry in the store that has only our folder, with a copy of its modulefile.
Releases, rollbacks and the deletion of old releases work with these entries like with all others, and never touch
`software/`.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from typing import Any, Callable, NamedTuple

from .errors import REJECTED, PhaseError
from .files import as_json, make_folders, make_read_only, remove_folder, write_new
from .lmod import lmod_version
from .locks import hold
from .releases import current_release, list_releases, open_tree
from .store import MODULE, content_of, read_entry
from .tree_layout import ENTRY_FOLDER, SOFTWARE, TreeLayout

#: Where EasyBuild puts modulefiles.
MODULES = os.path.join("modules", "all")
LUA = ".lua"
#: How many names a message lists.
SHOWN = 3
_ROOT = re.compile(r"""^\s*local\s+root\s*=\s*["']([^"']+)["']""", re.MULTILINE)
_DEPENDENCY = re.compile(r"""^\s*(?:if\b.*\bthen\s*)?(?:depends_on|load)\(\s*["']([^"']+)["']\s*\)""", re.MULTILINE)
_DEFAULT_LUA = re.compile(r"""^\s*module_version\(\s*["']([^"']+)["']\s*,\s*["']default["']\s*\)""", re.MULTILINE)
_DEFAULT_TCL = re.compile(
    r"""^\s*(?:set\s+ModulesVersion\s+["']?([^"'\s]+)|module-version\s+["']?([^"'\s]+)["']?\s[^\n]*\bdefault\b)""",
    re.MULTILINE,
)
#: The files that set a default version, in Lmod's order: the first one counts.
_DEFAULT_FILES = ("default", ".modulerc.lua", ".modulerc", ".version")


class Modulefile(NamedTuple):
    """A modulefile of EasyBuild: the module, its text, when it was written, and the installation, "" without one."""

    module: str
    text: str
    written: float
    installation: str

    @property
    def digest(self) -> str:
        """The digest of the modulefile."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def hash(self) -> str:
        """The hash of the entry, of its modulefile and of where the software is: what EasyBuild built it from is unknown."""
        return hashlib.sha256(f"adopted\0{self.module}\0{self.installation}\0{self.digest}".encode()).hexdigest()

    @property
    def path(self) -> str:
        """Where its entry is in the store."""
        return f"{self.module}-{self.hash[:12]}"


class Adopted(NamedTuple):
    """The modules of a prefix, and the default versions that its files set."""

    modules: list[Modulefile]
    defaults: dict[str, str]


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Return the entries and the defaults of the release, and write the entries to the store unless `plan` is set.

    A tree that has a release already is left alone.
    """
    tree = TreeLayout(request["prefix"])
    releases = list_releases(tree) if os.path.isdir(tree.releases) else []
    if releases:
        return {"entries": [], "defaults": {}, "releases": releases, "current": current_release(tree)}
    found = read_prefix(tree)
    hashes = {modulefile.module: modulefile.hash for modulefile in found.modules}
    if not request.get("plan"):
        tree = open_tree(request["prefix"])
        with hold(tree, request, "adopt"):
            for modulefile in found.modules:
                _write_entry(tree, modulefile, hashes)
    entries = [_manifest_entry(modulefile) for modulefile in found.modules]
    lmod = lmod_version(request["lmod_cmd"])
    return {"entries": entries, "defaults": found.defaults, "releases": [], "current": None, "lmod": lmod}


def has_easybuild_prefix(prefix: str) -> bool:
    """Return whether EasyBuild has installed something at a prefix."""
    return os.path.isdir(os.path.join(prefix, SOFTWARE)) and os.path.isdir(os.path.join(prefix, MODULES))


def read_prefix(tree: TreeLayout) -> Adopted:
    """Return what EasyBuild installed at the prefix. Raises PhaseError if it cannot be a release as it is."""
    folder = os.path.join(tree.prefix, MODULES)
    if not has_easybuild_prefix(tree.prefix):
        raise PhaseError(
            f"{tree.prefix} has no {SOFTWARE} and {MODULES} of EasyBuild, so there is nothing to adopt: correct the path, or "
            "remove `adopt`",
            REJECTED,
        )
    modules: list[Modulefile] = []
    defaults: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        name = os.path.relpath(parent, folder)
        for file in _DEFAULT_FILES:
            if file in names and name not in defaults:
                _add_default(defaults, name, os.path.join(parent, file))
        for file in sorted(names):
            path = os.path.join(parent, file)
            if file not in _DEFAULT_FILES and not file.startswith("."):
                problem = _problem(tree, name, path)
                if problem:
                    wrong.setdefault(problem, []).append(os.path.relpath(path, folder))
                else:
                    modules.append(_modulefile(f"{name}/{file[: -len(LUA)]}", path))
    for modulefile in modules:
        if modulefile.installation and not os.path.isdir(modulefile.installation):
            wrong.setdefault("without an installation", []).append(modulefile.module)
        elif modulefile.installation and not modulefile.installation.startswith(tree.prefix + "/"):
            where = f"installed outside the prefix {tree.prefix}"
            wrong.setdefault(where, []).append(f"{modulefile.module} in {modulefile.installation}")
    if wrong:
        raise PhaseError(_describe(folder, wrong), REJECTED, {"modules": wrong})
    known = {modulefile.module for modulefile in modules}
    return Adopted(modules, {name: version for name, version in defaults.items() if f"{name}/{version}" in known})


def _problem(tree: TreeLayout, name: str, path: str) -> str:
    """Return why a file below `modules/all` cannot be a modulefile of a release, as a group for the message, or ""."""
    if "/" in name or name == ".":
        return "in folders of a hierarchical naming scheme"
    if not path.endswith(LUA):
        return "in Tcl instead of Lua"
    if not MODULE.match(f"{name}/{os.path.basename(path)[: -len(LUA)]}"):
        return "with names that no module of a release has"
    target = os.path.realpath(path)
    if not target.startswith(os.path.realpath(tree.prefix) + "/"):
        return "links that lead out of the prefix"
    return "" if os.path.isfile(target) else "links that lead nowhere"


def _describe(folder: str, wrong: dict[str, list[str]]) -> str:
    groups = []
    for problem, names in sorted(wrong.items()):
        listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        groups.append(f"{problem} ({listed})")
    return (
        f"{folder} has modulefiles that no release can have: {'; '.join(groups)}. Correct them, move them away, or build a "
        "stack into an empty tree instead"
    )


def _modulefile(module: str, path: str) -> Modulefile:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
        written = os.fstat(file.fileno()).st_mtime
    root = _ROOT.search(text)
    return Modulefile(module, text, written, os.path.normpath(root.group(1)) if root else "")


def _add_default(defaults: dict[str, str], name: str, path: str) -> None:
    """Note the default version that a file of Lmod or Tcl modules sets."""
    file = os.path.basename(path)
    if file == "default":
        if os.path.islink(path):
            defaults[name] = os.path.basename(os.readlink(path)).partition(LUA)[0]
        return
    with open(path, encoding="utf-8", errors="replace") as opened:
        text = opened.read()
    found = (_DEFAULT_LUA if file.endswith(LUA) else _DEFAULT_TCL).search(text)
    folder, _slash, version = next(filter(None, found.groups())).rpartition("/") if found else (".", "", "")
    if folder in ("", name):
        defaults[name] = version


def _write_entry(tree: TreeLayout, modulefile: Modulefile, hashes: dict[str, str]) -> None:
    """Write the entry of an installation, unless an earlier run did. What a crash left of one is replaced."""
    folder = tree.installation(modulefile.path)
    if read_entry(tree, modulefile.path):
        return
    remove_folder(folder)
    make_folders(os.path.join(folder, ENTRY_FOLDER))
    write_new(tree.entry_modulefile(modulefile.path), modulefile.text.encode("utf-8", "surrogateescape"))
    write_new(tree.entry_file(modulefile.path), as_json(_entry(folder, modulefile, hashes)))
    make_read_only(folder)


def _entry(folder: str, modulefile: Modulefile, hashes: dict[str, str]) -> dict[str, Any]:
    needed = [module for module in _DEPENDENCY.findall(modulefile.text) if module in hashes]
    name, _slash, version = modulefile.module.rpartition("/")
    content = content_of(folder)
    return {
        "schema": 1,
        "module": modulefile.module,
        "name": name,
        "version": version,
        "hash": modulefile.hash,
        "path": modulefile.path,
        #: The installation, which is not in the store.
        "adopted": modulefile.installation,
        "easyconfig": "",
        "toolchain": "",
        "dependencies": {module: hashes[module] for module in needed},
        "build_dependencies": {},
        "inputs": {},
        "easybuild": "",
        "modulefile_digest": modulefile.digest,
        "digest": content.digest,
        "size": content.size,
        "files": content.files,
        "built_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(modulefile.written)),
        "built_on": {},
    }


def _manifest_entry(modulefile: Modulefile) -> dict[str, Any]:
    return {
        "module": modulefile.module,
        "hash": modulefile.hash,
        "path": modulefile.path,
        "modulefile_digest": modulefile.digest,
        "requested": True,
        "optional": False,
        "featured": False,
        "state": "carried",
    }
