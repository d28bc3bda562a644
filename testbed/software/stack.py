"""The demo stack, built by the real EasyBuild once per user, for tests that need installations and not builds.

Installations contain their prefix, so all trees of tests with these installations have the same one. It is an empty folder,
on which phases mount their tree in a namespace of their own (`_io/software/local.py`).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.odh.persistency.plugins.module_utils._io.software.local import LocalExecutor, LocalSettings
from ansible_collections.odh.persistency.plugins.module_utils._software.store import content_of

from .environment import LMOD_CMD, easybuild, shared_cache
from .sources import EASYCONFIGS, STACK, sources

STACK_FILE = STACK / "stack.yml"
#: Everything that builds: the stack, and a version that comes later.
EASYCONFIGS_BUILT = ("bzip2-1.0.8.eb", "UnZip-6.0.eb", "hello-1.0.eb", "hello-1.1.eb", "tables-1.0.eb")
#: EasyBuild's own dependency of stock easyconfigs on a newer linker. The system's links well enough.
OPTIONS: Mapping[str, Any] = {"filter-deps": ["binutils"]}
#: Who builds if the caller is root, because EasyBuild does not run as root.
BUILD_USER = "nobody"
#: Part of the cache's name. Raise it when an `entry.json` gets other fields.
FORMAT = 1


def build_user() -> str | None:
    """Return the user that builds, None for the caller."""
    return BUILD_USER if os.geteuid() == 0 else None


def prefix() -> Path:
    """Return the prefix of the demo stack's trees, an empty folder."""
    folder = shared_cache() / "apps"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_tree(path: Path) -> Path:
    """Create the skeleton of a tree that the build user owns."""
    for folder in (path, path / "store", path / "releases", path / "locks"):
        folder.mkdir(parents=True, exist_ok=True)
        give(folder)
    return path


def give(path: Path) -> None:
    """Give a file or folder to the build user."""
    if os.geteuid() == 0:
        shutil.chown(path, BUILD_USER, "nogroup")


def request(easyconfigs: Iterable[str] = EASYCONFIGS_BUILT, report: Callable[[str], object] = print) -> dict[str, Any]:
    """Return what the phases `resolve` and `build` need for a stack of these easyconfigs."""
    return {
        "easystack": json.dumps({"easyconfigs": list(easyconfigs)}),
        "easybuild_options": dict(OPTIONS),
        "robot_paths": [str(EASYCONFIGS)],
        "source_paths": [str(sources(report))],
        "lmod_cmd": LMOD_CMD,
    }


@dataclass(frozen=True)
class DemoStack:
    """The demo stack, built. `entries` are those of the phase `resolve`, by module; `tree` is shared and not to be changed."""

    python: Path
    prefix: Path
    tree: Path
    entries: Mapping[str, Mapping[str, Any]]

    def copy(self, path: Path, modules: Iterable[str] | None = None) -> Path:
        """Create a tree with the installations of modules, all by default, that the build user owns."""
        make_tree(path)
        for module in self.entries if modules is None else modules:
            place = Path("store", self.entries[module]["path"])
            (path / place).parent.mkdir(exist_ok=True)
            give((path / place).parent)
            # Owner and times too. A link costs nothing, but a test may write.
            subprocess.run(["cp", "-a", self.tree / place, path / place], check=True)
        return path


def demo_stack(report: Callable[[str], object] = print) -> DemoStack:
    """Return the demo stack, built where the cache does not have it yet.

    The cache is a tree itself. So its key is the content hash of each entry, and a changed easyconfig builds what depends on it.
    """
    python = easybuild(report)
    needed = request(report=report)
    tree = shared_cache() / f"software-stack-{FORMAT}"
    tree.parent.mkdir(parents=True, exist_ok=True)
    with open(tree.with_name(tree.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_tree(tree)
        settings = LocalSettings(str(tree), str(prefix()), str(python), build_user())
        with LocalExecutor(settings) as executor:
            found = executor.run("resolve", needed)
            if found["errors"]:
                raise RuntimeError(f"the demo stack does not resolve: {found['errors']}")
            entries = {entry["module"]: entry for entry in found["entries"]}
            built: list[Mapping[str, Any]] = []  # what an entry needs comes before it
            for module, entry in entries.items():
                if not _is_whole(tree / "store" / entry["path"]):
                    report(f"building {module} of the demo stack, once per user")
                    executor.run("build", {**needed, "run": "demo", "entry": entry, "store": built})
                built.append(entry)
    return DemoStack(python, prefix(), tree, entries)


def _is_whole(folder: Path) -> bool:
    """Return whether an installation is complete, and its content what its digest says. Otherwise it is built again."""
    entry = folder / ".odh-persistency" / "entry.json"
    if entry.exists():
        if content_of(str(folder)).digest == json.loads(entry.read_text())["digest"]:
            return True
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
        shutil.rmtree(folder)
    return False
