"""The cases about software trees: what Lmod does at each command, publication, rollback and promotion."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ansible_collections.odh.persistency.plugins.module_utils._software import roll_back

from tests.support.lmod_calls import SERVER_SETTINGS, calls
from tests.support.software_tree import SoftwareTree

from .bench import Bench
from .report import Row, at_least, at_most, below
from .run import rounds

#: Bounds: calls of Lmod below the prefix, seconds for a release besides its builds, milliseconds of a rollback.
CALLS, PUBLISHING, ROLLBACK = 12, 2.0, 50
#: A promotion must not take longer because the tree is larger. A slow machine needs some room.
PROPORTIONAL = 2.0
VERSIONS = 5
FILES = 500
COMMANDS = (("avail",), ("--terse", "avail"), ("load", "package7/3.0"))


def modules(bench: Bench) -> list[str]:
    return [
        f"package{number}/{version}.0"
        for number in range(bench.sizes.modules // VERSIONS)
        for version in range(VERSIONS)
    ]


def lmod(bench: Bench) -> list[Row]:
    """What Lmod does on the tree, counted by strace: with the environment of our servers, and with Lmod's defaults."""
    rows = []
    with _folder() as folder:
        tree = SoftwareTree(folder / "apps")
        for module in modules(bench):
            tree.add(module)
        tree.publish(*modules(bench))
        for arguments in COMMANDS:
            ours, default = calls(tree, arguments), calls(tree, arguments, without=SERVER_SETTINGS)
            words = " ".join(("module", *arguments))
            label = f"`{words}`, {bench.sizes.modules:,} modules: system calls on the tree"
            rows.append(below(label, len(ours), CALLS, "calls", f"{len(default):,} by default", judged=bench.judged))
    return rows


def publishing(bench: Bench) -> list[Row]:
    """One package changed: everything but its build, compared with rsync of the whole tree to the file server."""
    with _folder() as folder:
        tree = SoftwareTree(folder / "apps")
        names = _fill(tree, bench.sizes.tree_files)
        tree.publish(*names)
        copy = folder / "copy"
        rsync(tree.path, copy)
        changes = iter(range(1000))

        def ours() -> dict[str, float]:
            new = f"changed/{next(changes)}.0"
            tree.add(new, files_of=_files())
            started = time.perf_counter()
            tree.publish(*names, new)
            return {"ours": time.perf_counter() - started}

        def theirs() -> dict[str, float]:
            return {"theirs": rsync(tree.path, copy)}

        took = rounds(max(3, bench.sizes.rounds), [ours, theirs])
    label = f"One of {len(names)} packages changed, {bench.sizes.tree_files:,} files"
    whole = "`rsync -a --delete` of the whole tree to the same disk"
    return [
        below(
            f"{label}: the release besides the build", took["ours"] * 1000, PUBLISHING * 1000, "ms", judged=bench.judged
        ),
        at_least(f"{label}: the release besides the build", took["ours"], took["theirs"], None, whole),
    ]


def rolling_back(bench: Bench) -> list[Row]:
    """A rollback on the file system, without the start of a process."""
    with _folder() as folder:
        tree = SoftwareTree(folder / "apps")
        names = _fill(tree, bench.sizes.tree_files // 10)
        releases = [tree.publish(*names) for _ in range(2)]
        targets = iter(releases * 20)

        def ours() -> dict[str, float]:
            started = time.perf_counter()
            roll_back.run({"prefix": str(tree.prefix), "release": next(targets)}, lambda event: None)
            return {"ours": time.perf_counter() - started}

        took = rounds(20, [ours])
    return [
        below(
            "Rollback: the lock, the journal, the link, on disk",
            took["ours"] * 1000,
            ROLLBACK,
            "ms",
            judged=bench.judged,
        )
    ]


def promoting(bench: Bench) -> list[Row]:
    """One new package, from staging to production: proportional to that package, compared with rsync of the whole tree."""
    small, _theirs = _promoted(bench, bench.sizes.tree_files // 10)
    large, theirs = _promoted(bench, bench.sizes.tree_files)
    label = f"Promotion of one package of {FILES} files, tree of {bench.sizes.tree_files:,} files"
    whole = "`rsync -a --delete` of the whole tree to the same disk"
    return [
        at_most(
            label,
            large,
            small,
            PROPORTIONAL,
            f"in a tree of {bench.sizes.tree_files // 10:,} files",
            judged=bench.judged,
        ),
        at_least(label, large, theirs, None, whole),
    ]


def _promoted(bench: Bench, count: int) -> tuple[float, float]:
    """Return the seconds of a promotion, and those of rsync, in a tree with this number of files."""
    with _folder() as folder:
        prefix, copy = folder / "apps", folder / "copy"
        prefix.mkdir()
        staging, production = SoftwareTree(prefix, folder / "staging"), SoftwareTree(prefix, folder / "production")
        names = _fill(staging, count)
        release = staging.publish(*names)
        production.run("promote", source=str(staging.path))
        production.run("publish", release=release)
        rsync(staging.path, copy)
        changes = iter(range(1000))

        def ours() -> dict[str, float]:
            new = f"changed/{next(changes)}.0"
            staging.add(new, files_of=_files())
            release = staging.publish(*names, new)
            started = time.perf_counter()
            copied = production.run("promote", source=str(staging.path))["copied"]
            production.run("publish", release=release)
            took = time.perf_counter() - started
            assert len(copied) == 1, copied
            return {"ours": took}

        found = rounds(max(3, bench.sizes.rounds), [ours, lambda: {"theirs": rsync(staging.path, copy)}])
        return found["ours"], found["theirs"]


def _fill(tree: SoftwareTree, count: int) -> Sequence[str]:
    """Put packages with this number of files into the store, and return their modules."""
    names = [f"package{number}/1.0" for number in range(count // FILES)]
    for name in names:
        tree.add(name, files_of=_files())
    return names


@cache
def _files() -> dict[str, str]:
    return {f"lib/python3.11/part{number % 20}/file{number}": f"{number}\n" * 100 for number in range(FILES - 1)}


def rsync(source: Path, target: Path) -> float:
    """Make a folder equal to another one, and return the seconds."""
    started = time.perf_counter()
    subprocess.run(["rsync", "-a", "--delete", f"{source}/", target], check=True)
    return time.perf_counter() - started


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder on the disk, not in memory."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir="/var/tmp") as folder:
        yield Path(folder)
