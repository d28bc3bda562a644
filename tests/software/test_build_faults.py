"""Faults of builds: kill -9 at any time, full disks, locks of dead and of living processes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.software.executor import PhaseFailed

from tests.support.phases import *  # noqa: F403
from tests.support.phases import Phases, public_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system, which needs root")


def left(phases: Phases) -> list[psutil.Process]:
    """Return what still runs of a build on this tree."""
    prefix = str(phases.software.prefix)
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("ODH_PERSISTENCY_INSTALLATION", "").startswith(prefix):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def scratch_folders(phases: Phases) -> list[str]:
    return sorted(path.name for path in Path(phases.kept["build_path"]).iterdir())


@pytest.mark.parametrize("step", ["unpacking", "postprocessing", "creating module"])
def test_a_killed_build_is_built_again(phases: Phases, step: str) -> None:
    software = phases.software
    builds, marks = software.folder / "builds", software.folder / "marks"
    for folder in (builds, marks):
        folder.mkdir()
        folder.chmod(0o777)
    phases.kept["build_path"] = str(builds)
    started, held = marks / "started", marks / "held"
    # Ends at the second attempt. What EasyBuild starts goes on when EasyBuild is killed.
    software.add("tool", "1.0", f'postinstallcmds = ["touch {started}; [ -e {held} ] || sleep 300"]')
    entry = phases.resolve("tool-1.0.eb")["tool/1.0"]
    in_command = step == "postprocessing"
    if not in_command:
        held.touch()
    phases.build_killed_at(entry, step, started if in_command else None)
    assert bool(left(phases)) >= in_command
    held.touch()
    assert not (phases.installation(entry) / ".odh-persistency/entry.json").exists()
    assert len(scratch_folders(phases)) == 1

    assert phases.build(entry, run="next")["module"] == "tool/1.0"
    assert left(phases) == []
    assert scratch_folders(phases) == []
    assert list(software.path.glob("locks/easybuild/[!.]*")) == []
    assert phases.shell("module load tool; tool", entry) == "tool 1.0\n"


def test_a_build_that_was_killed_before_its_entry_was_written(phases: Phases) -> None:
    """The installation is read-only already, and EasyBuild's lock is left."""
    software = phases.software
    software.add("tool", "1.0")
    entry = phases.resolve("tool-1.0.eb")["tool/1.0"]
    first = phases.build(entry)
    folder = phases.installation(entry)
    os.chmod(folder / ".odh-persistency", 0o755)
    (folder / ".odh-persistency/entry.json").unlink()
    os.chmod(folder / ".odh-persistency", 0o555)
    lock = software.path / "locks/easybuild" / (f"{software.prefix}/store/{entry['path']}".replace("/", "_") + ".lock")
    lock.mkdir()
    again = phases.build(entry)
    assert {key: again[key] for key in ("hash", "path", "modulefile_digest")} == {
        key: first[key] for key in ("hash", "path", "modulefile_digest")
    }
    assert not lock.exists()


def test_of_two_builds_of_an_entry_the_second_is_rejected_or_waits(phases: Phases) -> None:
    software = phases.software
    held = software.folder / "held"
    software.add("tool", "1.0", f'postinstallcmds = ["while [ ! -e {held} ]; do sleep 0.1; done"]')
    software.add("other", "1.0")
    entries = phases.resolve("tool-1.0.eb", "other-1.0.eb")
    entry = entries["tool/1.0"]
    request = phases.request(entry)
    results = []
    first = threading.Thread(target=lambda: results.append(phases.executor.run("build", request)))
    first.start()
    log = software.path / "locks/work/killed/logs/tool-1.0.log"
    deadline = time.monotonic() + 120
    while not log.exists() or "postprocessing" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with pytest.raises(PhaseFailed) as error:
        phases.build(entry, run="second")
    assert error.value.kind == "locked"
    assert phases.build(entries["other/1.0"], run="third")["module"] == "other/1.0"
    second = threading.Thread(
        target=lambda: results.append(phases.executor.run("build", {**request, "run": "wait", "when_locked": "wait"}))
    )
    second.start()
    held.touch()
    first.join()
    second.join()
    assert results[0] == results[1]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount small file systems."""
    mounted = []

    def mount(size: str) -> Path:
        folder = public_folder()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs", str(folder)], check=True)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@as_root
def test_a_full_disk_is_one_sentence(make_phases: Callable[..., Phases], small: Callable[[str], Path]) -> None:
    tree = small("6m")
    phases = make_phases(path=tree)
    software = phases.software
    fill = "head -c 8000000 /dev/zero > %(installdir)s/big"
    software.add("big", "1.0", f"postinstallcmds = ['{fill}']")
    # Nothing but our own log finds the disk full.
    software.add("quiet", "1.0", f"postinstallcmds = ['{fill} 2> /dev/null; true', 'echo {'x' * 5000} > /dev/null']")
    software.add("tool", "1.0")
    entries = phases.resolve("big-1.0.eb", "quiet-1.0.eb", "tool-1.0.eb")
    for name in ("big", "quiet"):
        with pytest.raises(PhaseFailed) as error:
            phases.build(entries[f"{name}/1.0"])
        assert error.value.kind == "no_space"
        place = f"{software.prefix}/store"
        assert str(error.value) == (
            f"{name}/1.0: the file system of {place} is full: free some space, or raise its quota, and run again"
        )
        # Nothing of it is left, so what fits is built.
        assert not phases.installation(entries[f"{name}/1.0"]).exists()
    assert phases.build(entries["tool/1.0"])["module"] == "tool/1.0"


@as_root
def test_a_full_build_folder_is_named(phases: Phases, small: Callable[[str], Path]) -> None:
    phases.kept["build_path"] = str(small("3m"))
    software = phases.software
    software.add("big", "1.0", "postinstallcmds = ['head -c 8000000 /dev/zero > $TMPDIR/big']")
    entry = phases.resolve("big-1.0.eb")["big/1.0"]
    with pytest.raises(PhaseFailed) as error:
        phases.build(entry)
    assert error.value.kind == "no_space"
    assert f"the file system of {phases.kept['build_path']}" in str(error.value)
    assert scratch_folders(phases) == []
