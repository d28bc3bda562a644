"""The cases about builds, with the real EasyBuild: nothing to do, and one changed package in a large tree."""

from __future__ import annotations

import pwd
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.software.environment import LMOD_CMD, easybuild
from tests.support.software import BUILD_USER, Software, public_folder, remove

from .bench import Bench
from .report import Row, at_least, below
from .run import Run, rounds
from .software import rsync

MODULE = "odh.persistency.lmod_release"
#: Bounds in seconds: nothing to do, and a release besides the builds.
NOTHING, BESIDES = 3.0, 2.0
PACKAGES = 4
FILES_OF_A_FOLDER = 500


def nothing_to_do(bench: Bench) -> list[Row]:
    """The stack is built and published, compared with EasyBuild, which has built the same stack in its own way."""
    with _software() as software:
        names = [software.add(f"package{number}", "1.0") for number in range(PACKAGES)]
        software.stack(_stack(names))
        _run(bench, software, changed=True)
        eb = _EasyBuild(software)
        eb.run()
        took = rounds(
            max(3, bench.sizes.rounds),
            [lambda: {"ours": _run(bench, software, changed=False).task_seconds}, lambda: {"theirs": eb.run()}],
        )
    label = f"{PACKAGES} packages, nothing to do: task"
    return [
        below(label, took["ours"] * 1000, NOTHING * 1000, "ms", judged=bench.judged),
        at_least(label, took["ours"], took["theirs"], None, "`eb --robot` on the same stack"),
    ]


def changed_package(bench: Bench) -> list[Row]:
    """One package of a large tree changed: what a run takes besides the build, compared with rsync of the whole tree."""
    with _software() as software:
        folders = bench.sizes.tree_files // FILES_OF_A_FOLDER
        fill = (
            f"for folder in $(seq {folders}); do mkdir -p %(installdir)s/share/$folder; "
            f"(cd %(installdir)s/share/$folder; for file in $(seq {FILES_OF_A_FOLDER}); do echo $file >$file; done); done"
        )
        names = [software.add("large", "1.0", f"postinstallcmds = [{fill!r}]")]
        software.stack(_stack(names))
        _run(bench, software, changed=True)
        copy = software.folder / "copy"
        rsync(software.path, copy)
        versions = iter(range(1, 1000))

        def ours() -> dict[str, float]:
            software.stack(_stack([*names, software.add("small", f"{next(versions)}.0")]))
            run = _run(bench, software, changed=True)
            timings = run.result["timings"]
            besides = run.task_seconds - timings["plan"] - timings["build"]
            return {"besides": besides, "task": run.task_seconds, "build": timings["build"]}

        took = rounds(max(3, bench.sizes.rounds), [ours, lambda: {"theirs": rsync(software.path, copy)}])
    label = f"One package changed, tree of {bench.sizes.tree_files:,} files: task"
    whole = "`rsync -a --delete` of the whole tree to the same disk"
    return [
        below(f"{label} besides plan and build", took["besides"] * 1000, BESIDES * 1000, "ms", judged=bench.judged),
        below(f"{label}: the build of it", took["build"] * 1000, None, "ms"),
        at_least(f"{label} besides the build", took["task"] - took["build"], took["theirs"], None, whole),
    ]


def _run(bench: Bench, software: Software, *, changed: bool) -> Run:
    options = {name: value for name, value in software.stack_options().items() if value is not None}
    run = bench.task({MODULE: options})
    if run.result["changed"] is not changed:
        raise AssertionError(f"{MODULE} returned changed: {run.result['changed']}, not {changed}")
    return run


class _EasyBuild:
    """EasyBuild on the same easyconfigs, with a prefix of its own."""

    def __init__(self, software: Software) -> None:
        self.software = software
        self.prefix = software.folder / "easybuild"
        self.prefix.mkdir(mode=0o777)
        self.prefix.chmod(0o777)

    def run(self) -> float:
        """Run `eb --robot` on the stack, and return its seconds."""
        python = easybuild()
        environment = {
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "HOME": str(self.prefix),
            "LMOD_CMD": LMOD_CMD,
            "EASYBUILD_PREFIX": str(self.prefix),
            "EASYBUILD_SOURCEPATH": str(self.software.sources),
            "EASYBUILD_ROBOT_PATHS": str(self.software.easyconfigs),
            "LC_ALL": "C.UTF-8",
        }
        user = None if BUILD_USER is None else pwd.getpwnam(BUILD_USER).pw_uid
        command = [python, "-m", "easybuild.main", "--easystack", self.software.stack_file, "--robot", "--experimental"]
        started = time.perf_counter()
        subprocess.run(command, env=environment, user=user, cwd=self.prefix, check=True, capture_output=True)
        return time.perf_counter() - started


def _stack(names: list[str]) -> str:
    return "\n".join(["easyconfigs:", *(f"  - {name}" for name in names), ""])


@contextmanager
def _software() -> Iterator[Software]:
    folder: Path = public_folder()
    software = Software(folder, folder / "apps", folder / "tree")
    try:
        software.prefix.mkdir()
        software.make_tree()
        yield software
    finally:
        remove(folder)
