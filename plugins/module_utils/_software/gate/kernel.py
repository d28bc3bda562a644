# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python of the notebooks starts a kernel with each module loaded.

A module whose PYTHONPATH has an old traitlets, or whose libraries replace those of Python, breaks every new kernel. Such
variables are few, so one import serves all modules with the same values.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import REJECTED, PhaseError
from .processes import Ended, describe, run_limited, server_environment
from .subject import Failure, Subject

CHECK = "kernel"

#: Imports what a kernel imports, makes its application, and writes what it uses: packages and libraries.
_SCRIPT = r"""
import sys
import ipykernel_launcher
from ipykernel.kernelapp import IPKernelApp
import ipykernel.zmqshell
IPKernelApp()
with open("/proc/self/maps") as maps:
    libraries = {line.split()[-1].rpartition("/")[2] for line in maps if ".so" in line}
with open("used", "w") as file:
    for kind, names in ("library", libraries), ("package", {name.partition(".")[0] for name in sys.modules}):
        for name in names:
            file.write(f"{kind} {name}\n")
"""
#: Variables that change what Python does, by how their names start.
_RELEVANT = ("PYTHON", "LD_", "JUPYTER", "IPYTHON")
_LIBRARY_PATH = "LD_LIBRARY_PATH"
_PYTHON_PATH = "PYTHONPATH"

Key = tuple[tuple[str, str], ...]


class Kernel(NamedTuple):
    """What a kernel uses without any module: names of shared libraries, and of packages at the top level."""

    libraries: frozenset[str]
    packages: frozenset[str]


def without_modules(subject: Subject) -> Kernel:
    """Start the Python of the notebooks without a module. Raises PhaseError if that fails already."""
    if not os.path.isabs(subject.python):
        raise PhaseError(
            f"{subject.python} is no path: set `server_python` to the path of the servers' Python", REJECTED
        )
    with tempfile.TemporaryDirectory(prefix="gate-") as home:
        ended = _run(subject, server_environment(subject, home), home)
        if ended.status != 0:
            raise PhaseError(
                f"{subject.python} cannot import ipykernel without any module ({describe(ended, subject.limits.load)}): "
                "set `server_python` to the Python of the servers' kernels",
                REJECTED,
            )
        used: dict[str, set[str]] = {"library": set(), "package": set()}
        with open(f"{home}/used", encoding="utf-8") as file:
            for line in file:
                kind, _blank, name = line.rstrip("\n").partition(" ")
                used[kind].add(name)
    return Kernel(frozenset(used["library"]), frozenset(used["package"]))


def key_of(kernel: Kernel, environment: dict[str, str]) -> Key:
    """Return what of an environment can change a kernel: equal keys, equal kernels. It is empty if nothing can."""
    relevant = {name: value for name, value in environment.items() if name.startswith(_RELEVANT) and value}
    folders = [folder for folder in relevant.pop(_LIBRARY_PATH, "").split(":") if _replaces(folder, kernel.libraries)]
    if folders:
        relevant[_LIBRARY_PATH] = ":".join(folders)
    return tuple(sorted(relevant.items()))


def _replaces(folder: str, libraries: Iterable[str]) -> bool:
    """Whether a folder of libraries has one that a kernel uses. Variants for some CPUs are in folders below it."""
    try:
        names = set(os.listdir(folder))
    except OSError:
        return False
    return "glibc-hwcaps" in names or not names.isdisjoint(libraries)


def start(subject: Subject, environment: dict[str, str]) -> Ended:
    """Start the Python of the notebooks with a module loaded."""
    with tempfile.TemporaryDirectory(prefix="gate-") as home:
        return _run(subject, {**environment, "HOME": home, "TMPDIR": home}, home)


def failure(subject: Subject, kernel: Kernel, module: str, environment: dict[str, str], ended: Ended) -> Failure:
    """Say why no kernel starts with this module."""
    reason = f"no kernel of {subject.python} starts with it"
    shadows = shadowed(kernel, environment)
    if shadows:
        reason += f", because its PYTHONPATH replaces {', '.join(shadows)} of the kernel"
    return Failure(module, CHECK, f"{reason}: Python {describe(ended, subject.limits.load)}")


def shadowed(kernel: Kernel, environment: dict[str, str]) -> list[str]:
    """Return the packages of a kernel that PYTHONPATH replaces, without those of Python itself."""
    found: set[str] = set()
    for folder in environment.get(_PYTHON_PATH, "").split(":"):
        try:
            names = os.listdir(folder) if folder else []
        except OSError:
            continue
        found |= {name.partition(".")[0] for name in names} & kernel.packages
    return sorted(found)


def _run(subject: Subject, environment: dict[str, str], home: str) -> Ended:
    return run_limited([subject.python, "-c", _SCRIPT], environment, home, subject.limits.load)
