# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parsing a stack: every error of the file in one list, each with its line."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from typing import Optional

from ..text import did_you_mean, quote_list
from ..validation import quoted
from .placed import Placed
from .stack import Named, Stack, StackEntry

#: `easybuild_version` and `robot` are keys that EasyBuild itself reads, and ignores.
STACK_KEYS = ("easyconfigs", "easybuild", "easybuild_version", "robot", "robot_paths", "tests", "collections")
ENTRY_KEYS = ("options", "optional", "default", "featured", "tests")

_EASYCONFIG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\Z")
_FOLDER = re.compile(r"[A-Za-z0-9._+/@-]*\Z")
#: A module such as `bzip2/1.0.8-GCCcore-13.2.0`.
_MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(?:/[A-Za-z0-9][A-Za-z0-9._+-]*)+\Z")
_COLLECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*(?:\.?(?:dev|rc|a|b)[0-9]*)?\Z")
_OPTION = re.compile(r"[a-z][a-z0-9-]*\Z")

#: Options of an easyconfig that have no effect, because each run decides this from the store. The value: what to use.
IGNORED_OPTIONS: Mapping[str, str] = {
    "robot": "",
    "rebuild": "name the module in `rebuild`",
    "force": "name the module in `rebuild`",
}
#: Options that would install somewhere outside the store, or not at all.
_LOCATIONS = (
    "prefix",
    "installpath",
    "installpath-software",
    "installpath-modules",
    "installpath-data",
    "subdir-software",
    "subdir-modules",
    "suffix-modules-path",
    "module-naming-scheme",
    "include-module-naming-schemes",
    "fixed-installdir-naming-scheme",
    "modules-tool",
    "module-syntax",
    "locks-dir",
    "configfiles",
    "hooks",
    "job",
    "bwrap",
    "container",
    "module-only",
    "module-extensions",
    "fetch",
    "stop",
    "dry-run",
    "extended-dry-run",
    "sanity-check-only",
    "easystack",
)
#: Options that change which easyconfig is built, or build nothing.
_BY_HAND = re.compile(r"(?:try-|dump-|search|software(?:-|\Z)|toolchain|amend\Z)")


def easyconfig_error(name: str) -> str:
    """Return what is wrong with the name or path of an easyconfig, "" if it is valid."""
    folder, _slash, file = name.rpartition("/")
    if ".." in folder.split("/"):
        return (
            f"the easyconfig {quoted(name)} has `..` in its path: write its file name, and its folder in `robot_paths` "
            "if EasyBuild does not know it"
        )
    if not _EASYCONFIG.match(file) or not _FOLDER.match(folder):
        return (
            f"the easyconfig {quoted(name)} is no file name of an easyconfig: write NAME-VERSION.eb, with letters, digits "
            "and `.`, `_`, `+`, `-`"
        )
    return ""


def module_error(name: str) -> str:
    """Return what is wrong with the name of a module, "" if it is valid."""
    if _MODULE.match(name):
        return ""
    return (
        f"{quoted(name)} is no module: write NAME/VERSION, such as bzip2/1.0.8, with letters, digits and `.`, `_`, "
        "`+`, `-`"
    )


def parse_stack(root: Placed, source: str, folder: Optional[str], errors: list[str]) -> Stack:
    """Return the stack, and append a sentence for each error. `folder` is that of relative robot paths."""
    return _Parser(source, folder, errors).parse(root)


class _Parser:
    def __init__(self, source: str, folder: Optional[str], errors: list[str]) -> None:
        self.source = source
        self.folder = folder
        self.errors = errors
        self.warnings: list[str] = []

    def parse(self, root: Placed) -> Stack:
        if root.pairs is None:
            hint = "put it below `easyconfigs:`" if root.items is not None else "write a list below `easyconfigs:`"
            self._error(root, f"the stack is {root.describe()}, not a mapping: {hint}")
            return Stack(self.source)
        names = {key.text for key, _value in root.pairs}
        is_old = "software" in names and "easyconfigs" not in names
        keys = self._keys(root, (*STACK_KEYS, "software") if is_old else STACK_KEYS, "a stack")
        version = self._version(keys)
        return Stack(
            self.source,
            self._entries(root, keys.get("easyconfigs"), is_old),
            version.text if version else "",
            version.where if version else "",
            self._robot_paths(keys.get("robot_paths")),
            self._named_tests(keys.get("tests")),
            self._collections(keys.get("collections")),
            tuple(self.warnings),
        )

    def _error(self, at: Placed, sentence: str) -> None:
        self.errors.append(f"{at.where}: {sentence}")

    def _also(self, where: str) -> str:
        """Return a second place for a message about the same file."""
        file, _colon, line = where.rpartition(":")
        return f"in line {line}" if line.isdigit() and file == self.source else f"at {where}"

    def _keys(self, mapping: Placed, known: Collection[str], what: str) -> dict[str, Placed]:
        """Return the values of a mapping by key; report keys that are unknown, no text, or there twice."""
        found: dict[str, Placed] = {}
        places: dict[str, str] = {}
        for key, value in mapping.pairs or ():
            if not isinstance(key.value, str):
                self._error(key, f"the key is {key.describe()}, not text: put it in quotes")
            elif key.value in places:
                self._error(key, f"`{key.value}` is here and {self._also(places[key.value])}: merge both into one")
            elif known and key.value not in known:
                guess = did_you_mean(key.value, known)
                self._error(
                    key,
                    f"the key `{key.value}` is unknown{guess}: correct or remove it ({what} has {quote_list(known)})",
                )
            else:
                places[key.value] = key.where
                found[key.value] = value
        return found

    def _version(self, keys: Mapping[str, Placed]) -> Optional[Placed]:
        ours, theirs = keys.get("easybuild"), keys.get("easybuild_version")
        version = ours if ours is not None else theirs
        if version is None or version.is_nothing:
            return None
        if not version.is_scalar or isinstance(version.value, bool) or not _VERSION.match(version.text):
            self._error(
                version, f"`easybuild` is {version.describe()}, not a version: write the version, such as 5.4.1"
            )
            return None
        return version

    def _entries(self, root: Placed, listed: Optional[Placed], is_old: bool) -> tuple[StackEntry, ...]:
        if listed is None or listed.is_nothing:
            form = "; `software` is the form of EasyBuild 4.6 and older" if is_old else ""
            self._error(
                listed or root,
                f"the stack has no `easyconfigs`{form}: list the easyconfigs below it, and `easyconfigs: []` "
                "for an empty tree",
            )
            return ()
        if listed.items is None:
            self._error(listed, f"`easyconfigs` is {listed.describe()}, not a list: begin each easyconfig with `- `")
            return ()
        entries: list[StackEntry] = []
        places: dict[str, str] = {}
        for item in listed.items:
            entry = self._entry(item)
            if entry is None:
                continue
            if entry.easyconfig in places:
                also = self._also(places[entry.easyconfig])
                self._error(item, f"{entry.easyconfig} is here and {also}: remove one of the two entries")
                continue
            places[entry.easyconfig] = entry.where
            entries.append(entry)
        return tuple(entries)

    def _entry(self, item: Placed) -> Optional[StackEntry]:
        if item.pairs is not None:
            if len(item.pairs) != 1:
                keys = quote_list([f"`{key.text}`" for key, _value in item.pairs]) or "no key"
                self._error(
                    item,
                    f"the entry has {keys}, not one easyconfig: write one easyconfig with a colon, and indent its keys "
                    "below it by four spaces",
                )
                return None
            name, content = item.pairs[0]
        else:
            name, content = item, Placed(item.where)
        if not isinstance(name.value, str):
            self._error(
                item, f"the entry is {name.describe()}, not an easyconfig: write its file name, such as NAME-VERSION.eb"
            )
            return None
        problem = easyconfig_error(name.value)
        if problem:
            self._error(name, problem)
            return None
        path = name.value if name.value.endswith(".eb") else f"{name.value}.eb"
        easyconfig = posixpath.basename(path)
        if path == easyconfig:
            path = ""
        elif not posixpath.isabs(path):
            if self.folder is None:
                self._error(name, f"the path {quoted(path)} is relative: write it from `/`")
                return None
            path = posixpath.normpath(posixpath.join(self.folder, path))
        if content.is_nothing:
            return StackEntry(easyconfig, name.where, path)
        if content.pairs is None:
            self._error(
                content,
                f"{easyconfig} has {content.describe()}, not keys: write {quote_list(ENTRY_KEYS)} below it, or remove its colon",
            )
            return None
        found = self._keys(content, ENTRY_KEYS, "an easyconfig")
        return StackEntry(
            easyconfig,
            name.where,
            path,
            self._options(easyconfig, found.get("options")),
            self._flag("optional", found),
            self._flag("default", found),
            self._flag("featured", found),
            self._texts("tests", found.get("tests"), "a command"),
        )

    def _flag(self, key: str, keys: Mapping[str, Placed]) -> bool:
        value = keys.get(key)
        if value is None:
            return False
        if isinstance(value.value, bool):
            return value.value
        hint = " at the easyconfig of the default version" if key == "default" else ""
        self._error(value, f"`{key}` is {value.describe()}, not a boolean: write `{key}: true`{hint}, or remove it")
        return False

    def _texts(self, key: str, listed: Optional[Placed], what: str) -> tuple[str, ...]:
        if listed is None:
            return ()
        if listed.items is None:
            self._error(listed, f"`{key}` is {listed.describe()}, not a list: begin {what} with `- `")
            return ()
        for item in listed.items:
            if not isinstance(item.value, str):
                self._error(item, f"`{key}` has {item.describe()}, not {what}: put it in quotes")
            elif not item.value.strip() or "\0" in item.value:
                self._error(item, f"`{key}` has {quoted(item.value)}, not {what}: remove it")
        return tuple(item.value for item in listed.items if isinstance(item.value, str))

    def _options(self, easyconfig: str, given: Optional[Placed]) -> dict[str, object]:
        if given is None or given.is_nothing:
            return {}
        if given.pairs is None:
            self._error(given, f"`options` is {given.describe()}, not a mapping: write OPTION: VALUE below it")
            return {}
        options: dict[str, object] = {}
        for key, value in self._keys(given, (), "an easyconfig").items():
            name = key.lstrip("-")
            base = name[len("disable-") :] if name.startswith("disable-") else name
            if not _OPTION.match(name):
                self._error(
                    value, f"{quoted(key)} is no option of EasyBuild: write the long name without dashes in front"
                )
            elif base in _LOCATIONS:
                self._error(
                    value,
                    f"the option `{key}` of {easyconfig} decides where or whether EasyBuild installs, and so does the release: "
                    "remove it",
                )
            elif _BY_HAND.match(base):
                self._error(
                    value,
                    f"the option `{key}` of {easyconfig} is for a run of `eb` by hand, and changes which easyconfig that is, or "
                    "builds nothing: write an easyconfig of its own, or remove it",
                )
            elif name in IGNORED_OPTIONS:
                if IGNORED_OPTIONS[name] and value.value:
                    self.warnings.append(
                        f"{value.where}: the option `{name}` has no effect: {IGNORED_OPTIONS[name]} to build {easyconfig} again"
                    )
            elif value.pairs is not None:
                self._error(
                    value, f"the option `{key}` is {value.describe()}: write a text, a number, a boolean or a list"
                )
            else:
                options[name] = value.plain
        return options

    def _robot_paths(self, listed: Optional[Placed]) -> tuple[str, ...]:
        found: list[str] = []
        if listed is None:
            return ()
        for path in self._texts("robot_paths", listed, "a path"):
            if not posixpath.isabs(path):
                if self.folder is None:
                    self._error(listed, f"the path {quoted(path)} in `robot_paths` is relative: write it from `/`")
                    continue
                path = posixpath.join(self.folder, path)
            found.append(posixpath.normpath(path))
        return tuple(found)

    def _named_tests(self, given: Optional[Placed]) -> tuple[Named, ...]:
        found = []
        for name, value in self._named("tests", given):
            problem = module_error(name.value)
            if problem:
                self._error(name, f"a key of `tests`, {problem}")
            else:
                found.append(Named(name.value, name.where, self._texts(f"tests.{name.value}", value, "a command")))
        return tuple(found)

    def _collections(self, given: Optional[Placed]) -> tuple[Named, ...]:
        found = []
        for name, value in self._named("collections", given):
            if not _COLLECTION.match(name.value):
                self._error(
                    name, f"{quoted(name.value)} is no name of a collection: write letters, digits, `_` and `-`"
                )
                continue
            modules = self._texts(f"collections.{name.value}", value, "a module")
            for module in modules:
                problem = module_error(module)
                if problem:
                    self._error(value, f"in the collection {name.value}, {problem}")
            if value.items == ():
                self._error(value, f"the collection {name.value} has no modules: list them, or remove it")
            found.append(Named(name.value, name.where, modules))
        return tuple(found)

    def _named(self, key: str, given: Optional[Placed]) -> list[tuple[Placed, Placed]]:
        if given is None or given.is_nothing:
            return []
        if given.pairs is None:
            self._error(given, f"`{key}` is {given.describe()}, not a mapping: write NAME: [...] below it")
            return []
        known = self._keys(given, (), f"`{key}`")
        return [(name, value) for name, value in given.pairs if known.get(name.value) is value]
