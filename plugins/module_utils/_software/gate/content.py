# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an installation points to is another installation, or belongs to the system: nothing is left of its build.

Links may lead to installations and to files of the system, such as /etc/ssl. RPATHs may name folders of installations and of
the system's libraries. Programs on PATH may be run by programs of installations and of the system. No link, and no script in any
folder, names a folder of a build.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import REJECTED, PhaseError
from ..leftovers import SCRATCH
from ..tree_layout import ENTRY_FOLDER, SOFTWARE
from .subject import Failure, Subject

CHECK = "content"

_SYSTEM_LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64")
_SYSTEM_PROGRAMS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin")
_SYSTEM = (*_SYSTEM_LIBRARIES, *_SYSTEM_PROGRAMS, "/usr", "/etc", "/dev", "/proc", "/run", "/var/lib")
#: Folders whose scripts must run. Elsewhere, examples of other projects name interpreters that nobody has.
_PROGRAMS = ("bin", "sbin")
_ELF = b"\x7fELF"
_LIBRARY = re.compile(r"\.so(\.|\Z)")
#: Files for each readelf.
_BATCH = 200
#: One line for each dynamic entry, and before the entries of a file its name.
_FILE = re.compile(r"^File: (.*)$")
_RPATH = re.compile(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]$")
_SHOWN = 3


class _Finding(NamedTuple):
    path: str
    problem: str


def check(subject: Subject, entry: dict[str, Any]) -> list[Failure]:
    """Check the installation of an entry of the manifest."""
    module, root = entry["module"], subject.tree.installation(entry["path"])
    if not os.path.isdir(root):
        return [Failure(module, CHECK, f"its installation {root} does not exist")]
    # What was adopted stays in a folder of its own.
    places = (subject.tree.store, os.path.join(subject.tree.prefix, SOFTWARE))
    found = list(_Scan(places, root, subject.build_path).findings())
    if not found:
        return []
    problems = [f"{os.path.relpath(finding.path, root)} {finding.problem}" for finding in found[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more files" if len(found) > _SHOWN else ""
    return [
        Failure(module, CHECK, f"its installation points outside of all installations: {', '.join(problems)}{more}")
    ]


class _Scan:
    """Looks at each file of an installation once."""

    def __init__(self, places: tuple[str, ...], root: str, build_path: str = "") -> None:
        self._places, self._root = places, root
        self._builds = (build_path,) if build_path else ()
        self._binaries: list[str] = []

    def findings(self) -> Iterator[_Finding]:
        for folder, names, files in os.walk(self._root):
            if folder == self._root and ENTRY_FOLDER in names:
                names.remove(ENTRY_FOLDER)
            for name in [*names, *files]:
                path = os.path.join(folder, name)
                problem = self._problem(path)
                if problem:
                    yield _Finding(path, problem)
        for start in range(0, len(self._binaries), _BATCH):
            yield from self._rpaths(self._binaries[start : start + _BATCH])

    def _problem(self, path: str) -> str:
        """Return what is wrong with a link or a script, or "". Remember programs and libraries."""
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return self._link(path)
        if not stat.S_ISREG(mode) or not (mode & 0o111 or _LIBRARY.search(os.path.basename(path))):
            return ""
        with open(path, "rb") as file:
            start = file.read(256)
        if start.startswith(_ELF):
            self._binaries.append(path)
        elif start.startswith(b"#!") and mode & 0o111:
            return self._interpreter(path, start)
        return ""

    def _link(self, path: str) -> str:
        target = os.readlink(path)
        where = os.path.normpath(os.path.join(os.path.dirname(path), target))
        if not _inside(where, self._places):
            # A relative link out of the tree leads to something else on each host.
            is_system = os.path.isabs(target) and _inside(where, _SYSTEM) and not self._is_of_build(where)
            return "" if is_system else f"links to {target}"
        if not _inside(where, (self._root,)) and not os.path.exists(where):
            return f"links to {target}, which does not exist"
        return ""

    def _interpreter(self, path: str, start: bytes) -> str:
        words = start[2:].partition(b"\n")[0].decode("utf-8", "replace").split()
        # pip writes a long path into the second line.
        if SCRATCH.encode() in start or any(map(self._is_of_build, words)):
            return "names its build folder"
        if os.path.relpath(path, self._root).split(os.sep)[0] not in _PROGRAMS:
            return ""
        program = words[0] if words else ""
        if _inside(program, self._places):
            return "" if os.path.exists(program) else f"is run by {program}, which does not exist"
        return "" if _inside(program, _SYSTEM_PROGRAMS) else f"is run by {program or 'nothing'}"

    def _is_of_build(self, path: str) -> bool:
        return SCRATCH in path or (_inside(path, self._builds) and not _inside(path, self._places))

    def _rpaths(self, paths: list[str]) -> Iterator[_Finding]:
        path = paths[0]  # readelf names the file only if it gets several
        for line in _readelf(paths):
            name = _FILE.match(line)
            if name:
                path = name[1]
            rpath = _RPATH.search(line)
            if not rpath:
                continue
            origin = os.path.dirname(path)
            for folder in rpath[1].split(":"):
                where = folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
                if not _inside(where, (*self._places, *_SYSTEM_LIBRARIES)):
                    yield _Finding(path, f"has the RPATH {folder or '(empty)'}")
                    break


def _inside(path: str, folders: tuple[str, ...]) -> bool:
    path = os.path.normpath(path)
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def _readelf(paths: list[str]) -> list[str]:
    try:
        done = subprocess.run(
            ["readelf", "--dynamic", "--wide", *paths],
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # files that are damaged on purpose, as in tests of linkers
            check=False,
        )
    except FileNotFoundError as error:
        raise PhaseError("readelf is missing, which reads RPATHs: install binutils on the builder", REJECTED) from error
    return done.stdout.decode("utf-8", "surrogateescape").splitlines()
