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
from .loading import Loaded
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
    libraries = {line.split()[-1].rpartition("/")[2].partition(".so")[0] for line in maps if ".so" in line}
with open("used", "w") as file:
    for kind, names in ("library", libraries), ("package", {name.partition(".")[0] for name in sys.modules}):
        for name in names:
            file.write(kind + " " + name + "\n")
"""
#: Variables that change what Python does, by how their names start.
_RELEVANT = ("PYTHON", "LD_", "JUPYTER", "IPYTHON")
_LIBRARY_PATH = "LD_LIBRARY_PATH"
_PYTHON_PATH = "PYTHONPATH"
#: A folder for variants of libraries for some CPUs.
_VARIANTS = "glibc-hwcaps"

#: Packages of every kernel. They are what a check without the Python of the servers looks for.
_PACKAGES = frozenset(["IPython", "ipykernel", "jupyter_client", "jupyter_core", "tornado", "traitlets", "zmq"])

_Key = tuple[tuple[str, str], ...]


class Kernel(NamedTuple):
    """What a kernel uses without any module: shared libraries (`libffi`), and packages at the top level.

    The names of libraries have no versions, because those in a process and those that the linker looks for differ.
    """

    libraries: frozenset[str]
    packages: frozenset[str]


def without_modules(subject: Subject) -> Kernel:
    """Start the Python of the notebooks without a module. Raises PhaseError if that fails already."""
    if not os.path.isabs(subject.python) or not os.access(subject.python, os.X_OK):
        raise PhaseError(
            f"{subject.python} is not the path of a program: set `server_python` to the path of the servers' Python",
            REJECTED,
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


def groups(kernel: Kernel, subject: Subject, loads: Iterable[Loaded]) -> list[list[Loaded]]:
    """Return modules in groups with equal kernels, without those with the kernel that starts without modules."""
    found: dict[_Key, list[Loaded]] = {}
    for loaded in loads:
        found.setdefault(_key(kernel, loaded.environment), []).append(loaded)
    found.pop(_key(kernel, server_environment(subject, "")), None)
    return list(found.values())


def _key(kernel: Kernel, environment: dict[str, str]) -> _Key:
    """Return what of an environment can change a kernel. It is empty if nothing can."""
    relevant = {name: value for name, value in environment.items() if name.startswith(_RELEVANT) and value}
    used = {*kernel.libraries, _VARIANTS}
    folders = [folder for folder in relevant.pop(_LIBRARY_PATH, "").split(":") if used & _names_in(folder)]
    if folders:
        relevant[_LIBRARY_PATH] = ":".join(folders)
    return tuple(sorted(relevant.items()))


def check(kernel: Kernel, subject: Subject, group: list[Loaded]) -> list[Failure]:
    """Start the Python of the notebooks once, with a module loaded, for a group of modules."""
    with tempfile.TemporaryDirectory(prefix="gate-") as home:
        ended = _run(subject, {**group[0].environment, "HOME": home, "TMPDIR": home}, home)
    if ended.status == 0:
        return []
    how = f"Python {describe(ended, subject.limits.load)}"
    return [
        Failure(loaded.module, CHECK, f"no kernel of {subject.python} starts with it{_cause(kernel, loaded)}: {how}")
        for loaded in group
    ]


def check_packages(_subject: Subject, loaded: Loaded) -> list[Failure]:
    """Check a module without the Python of the servers: PYTHONPATH replaces no package of kernels."""
    replaced = _replaced(loaded, _PYTHON_PATH, _PACKAGES)
    if not replaced:
        return []
    reason = f"PYTHONPATH replaces {', '.join(replaced)} of the servers' kernels"
    return [Failure(loaded.module, CHECK, f"{reason}: remove it, or set `server_python` to try whether they start")]


def _cause(kernel: Kernel, loaded: Loaded) -> str:
    causes = []
    for variable, used in ((_PYTHON_PATH, kernel.packages), (_LIBRARY_PATH, kernel.libraries)):
        replaced = _replaced(loaded, variable, used)
        if replaced:
            causes.append(f"{variable} replaces {', '.join(replaced)}")
    return f", because {' and '.join(causes)} of the kernel" if causes else ""


def _replaced(loaded: Loaded, variable: str, used: frozenset[str]) -> list[str]:
    folders = loaded.environment.get(variable, "").split(":")
    return sorted(used.intersection(name for folder in folders for name in _names_in(folder)))


def _names_in(folder: str) -> set[str]:
    """Return what a folder has, without extensions and versions, as in `libffi` and `traitlets`."""
    try:
        return {name.partition(".so" if name.startswith("lib") else ".")[0] for name in os.listdir(folder)}
    except OSError:
        return set()


def _run(subject: Subject, environment: dict[str, str], home: str) -> Ended:
    return run_limited([subject.python, "-c", _SCRIPT], environment, home, subject.limits.load)
