"""A run may end at any point: what servers see stays whole, and the next run cleans up and goes on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._software.tree_layout import ReleaseLayout

from tests.support.software_tree import *  # noqa: F403
from tests.support.software_tree import LMOD, Loading, PhaseEnded, SoftwareTree


def test_kill_9_while_a_release_is_assembled_and_cached(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    software_tree.add("other/1.0")
    first = software_tree.publish("tool/1.0")
    manifest = software_tree.manifest("tool/1.0", "other/1.0", featured=("tool/1.0",), defaults={"tool": "1.0"})
    before = software_tree.names()
    with Loading(software_tree, "tool/1.0"):
        release = software_tree.new_id()
        for _ in software_tree.kill_everywhere("assemble", release=release, manifest=manifest):
            software_tree.assert_whole()
        request = {"release": release, "lmod_cmd": LMOD}
        for _ in software_tree.kill_everywhere("cache", view="release", **request):
            software_tree.assert_whole()
        assert software_tree.current == first
        # The next run, with another id, leaves nothing of it.
        second = software_tree.stage("tool/1.0", "other/1.0")
    assert software_tree.names() == sorted([*before, f"releases/.new-{second}"])
    software_tree.run("publish", release=second)
    software_tree.assert_whole()
    assert software_tree.available() == ["other/1.0", "tool/1.0"]


def test_kill_9_while_a_release_is_published_and_rolled_back(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    first = software_tree.publish("tool/1.0")
    with Loading(software_tree, "tool/1.0"):
        second = software_tree.stage("tool/1.0")
        for _ in software_tree.kill_everywhere("publish", release=second, expected_current=first):
            assert software_tree.current in (first, second)
            software_tree.assert_whole()
        assert software_tree.current == second
        journal = [line["release"] for line in software_tree.observe()["journal"]]
        # One line too many for the runs that ended before the link changed, each followed by what was really current.
        assert (journal[0], journal[-1]) == (first, second)
        for release in (first, second):
            for _ in software_tree.kill_everywhere("roll_back", release=release):
                assert software_tree.current in (first, second)
                software_tree.assert_whole()
            assert software_tree.current == release
        assert software_tree.observe()["journal"][-1]["release"] == second
    software_tree.stage("tool/1.0")
    assert not [name for name in software_tree.names() if name.startswith("current.")]


def test_kill_9_while_the_tree_is_pruned(software_tree: SoftwareTree) -> None:
    software_tree.add("old/1.0")
    software_tree.add("tool/1.0")
    first = software_tree.publish("old/1.0", "tool/1.0")
    current = software_tree.publish("tool/1.0")
    staged = software_tree.stage("old/1.0", release="20261129T235959Z-ffffffff")
    request = {"releases": [first], "store": [software_tree.entries["old/1.0"]["path"]], "staging": [staged]}
    size = software_tree.run("prune", dry_run=True, **request)["bytes"]
    with Loading(software_tree, "tool/1.0"):
        for _ in software_tree.kill_everywhere("prune", **request):
            software_tree.assert_whole()
            for release in software_tree.observe()["releases"]:
                layout = ReleaseLayout(software_tree.tree.release(release["id"]))
                assert all(Path(layout.modulefile(entry["module"])).exists() for entry in release["entries"])
                assert "damaged" not in release
                assert Path(layout.cache, "spiderT.lua").exists()
                assert Path(layout.lmodrc).exists()
    assert size > 4096
    kept = software_tree.entries["tool/1.0"]["path"]
    assert software_tree.names() == ["current", f"releases/{current}", f"store/{kept}"]


def test_kill_9_while_a_release_is_promoted(software_trees: tuple[SoftwareTree, SoftwareTree]) -> None:
    staging, production = software_trees
    for tree in software_trees:
        tree.add("tool/1.0")
    first = production.publish("tool/1.0")
    entry = staging.add("new/1.0", files_of={"lib/a": "1", "lib/b": "2"})
    release = staging.publish("tool/1.0", "new/1.0", release="20261129T120000Z-0000aaaa")
    for _ in production.kill_everywhere("promote", source=str(staging.path)):
        production.assert_whole()
        observed = production.observe()
        assert observed["current"] == first
        assert {item["module"] for item in observed["store"]} <= {"tool/1.0", "new/1.0"}
    production.run("publish", release=release)
    production.assert_whole()
    assert not [name for name in production.names() if "/.tmp-" in name or "/.new-" in name]
    assert production.observe(digests=True)["changed_entries"] == []
    assert entry["path"] in [item["path"] for item in production.observe()["store"]]


def test_a_journal_whose_last_line_was_cut_off(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    first, second = software_tree.publish("tool/1.0"), software_tree.publish("tool/1.0")
    journal = Path(software_tree.tree.releases, ".journal")
    journal.write_bytes(journal.read_bytes()[:-20])
    observed = software_tree.observe()
    assert [line["release"] for line in observed["journal"]] == [first, second]
    assert observed["current_by"] == "observed"
    third = software_tree.publish("tool/1.0")
    assert [line["release"] for line in software_tree.observe()["journal"]] == [first, second, third]
    assert software_tree.observe()["previous"] == second
    journal.unlink()
    assert [line["release"] for line in software_tree.observe()["journal"]] == [third]


def test_a_full_disk_is_one_sentence(software_tree: SoftwareTree, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", small], check=True)
    try:
        tree = SoftwareTree(small / "apps")
        tree.add("tool/1.0")
        zeroth, first = tree.publish("tool/1.0"), tree.publish("tool/1.0")
        filler = small / "filler"
        subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4096"], check=False, capture_output=True)
        for _ in range(2):
            with pytest.raises(PhaseEnded) as full:
                tree.stage("tool/1.0")
            assert full.value.kind == "no_space"
            assert "is full: free some space" in str(full.value)
            tree.assert_whole()
            assert tree.current == first
        # A rollback and a prune work, because a little space is reserved for them.
        assert tree.run("roll_back", release=zeroth)["current"] == zeroth
        subprocess.run(
            ["dd", "if=/dev/zero", f"of={filler}", "bs=4096", "oflag=append"], check=False, capture_output=True
        )
        assert tree.run("roll_back", release=first)["current"] == first
        subprocess.run(
            ["dd", "if=/dev/zero", f"of={filler}", "bs=4096", "oflag=append"], check=False, capture_output=True
        )
        assert tree.run("prune", releases=[zeroth])["bytes"] > 0
        filler.unlink()
        second = tree.publish("tool/1.0")
        assert tree.current == second
        entry = tree.entries["tool/1.0"]["path"]
        assert tree.names() == ["current", f"releases/{first}", f"releases/{second}", f"store/{entry}"]
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_lock_of_a_process_that_was_killed(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    holder = subprocess.Popen(["sleep", "60"])
    token = software_tree.run("lock", run="first", pid=holder.pid)["token"]
    again = software_tree.run("lock", run="first", pid=holder.pid, observe=True)
    assert (again["token"], again["tree"]["lock"]["run"]) == (token, "first")
    release = software_tree.new_id()
    request = {"release": release, "manifest": software_tree.manifest("tool/1.0")}
    with pytest.raises(
        PhaseEnded, match=rf"another run changes .* \(host \S+, process {holder.pid}, phase run"
    ) as locked:
        software_tree.run("assemble", **request)
    assert locked.value.kind == "locked"
    assert software_tree.observe()["lock"]["run"] == "first"
    software_tree.run("assemble", run="first", **request)  # the run's own phases go on
    assert software_tree.observe()["lock"]["token"] == token
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    software_tree.publish("tool/1.0")
    assert software_tree.observe()["lock"] is None
    assert software_tree.run("unlock", token=token) == {"released": False}


def test_the_second_of_two_runs_waits(software_tree: SoftwareTree) -> None:
    token = software_tree.run("lock", run="first", pid=os.getpid())["token"]
    start = time.monotonic()
    with pytest.raises(PhaseEnded, match="another run changes"):
        software_tree.run("lock", run="second", pid=os.getpid(), when_locked="wait", lock_timeout=0.5)
    assert time.monotonic() - start > 0.5
    assert software_tree.run("unlock", token=token) == {"released": True}
    assert software_tree.run("lock", run="second", pid=os.getpid(), when_locked="wait", lock_timeout=0.5)["token"]


def test_a_lock_of_another_host_is_nobodys_after_ten_minutes_without_a_sign(software_tree: SoftwareTree) -> None:
    software_tree.run("lock", run="first", pid=os.getpid())
    lock = Path(software_tree.tree.run_lock)
    here = lock.read_text()
    # Another machine: its process cannot be looked up here, whatever its number is.
    lock.write_text(here.replace('"machine": "', '"machine": "other').replace(f'"pid": {os.getpid()}', '"pid": 999999'))
    with pytest.raises(PhaseEnded, match="another run changes"):
        software_tree.run("lock", run="second", pid=os.getpid())
    os.utime(lock, (time.time() - 601, time.time() - 601))
    assert software_tree.run("lock", run="first")["token"]  # a sign
    with pytest.raises(PhaseEnded, match="another run changes"):
        software_tree.run("lock", run="second", pid=os.getpid())
    os.utime(lock, (time.time() - 601, time.time() - 601))
    software_tree.run("lock", run="second", pid=os.getpid())
    assert software_tree.observe()["lock"]["run"] == "second"


def test_a_lock_of_this_host_before_it_was_started_again(software_tree: SoftwareTree) -> None:
    software_tree.run("lock", run="first", pid=os.getpid())
    lock = Path(software_tree.tree.run_lock)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    lock.write_text(lock.read_text().replace(boot, "another boot"))
    software_tree.run("lock", run="second", pid=os.getpid())


def test_of_many_runs_at_once_one_gets_a_stale_lock(software_tree: SoftwareTree) -> None:
    program = (
        "import sys, json, os, time\n"
        "from odh_persistency_software.phases import run_phase\n"
        "time.sleep(max(0, float(sys.argv[2]) - time.time()))\n"
        "request = {'prefix': sys.argv[1], 'run': str(os.getpid()), 'pid': os.getppid()}\n"
        "print(run_phase('lock', request, print)['event'])\n"
    )
    package = software_tree.prefix.parent / "package"
    package.mkdir()
    source = Path(__file__).parents[2] / "plugins/module_utils/_software"
    (package / "odh_persistency_software").symlink_to(source)
    for _ in range(3):
        dead = subprocess.Popen(["true"])
        software_tree.run("lock", run="dead", pid=os.getpid())
        dead.wait()
        lock = Path(software_tree.tree.run_lock)
        lock.write_text(lock.read_text().replace('"started": "', '"started": "1'))
        start = str(time.time() + 0.5)
        runs = [
            subprocess.Popen(
                ["python3", "-c", program, str(software_tree.prefix), start],
                env={**os.environ, "PYTHONPATH": str(package)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(6)
        ]
        events = [run.communicate(timeout=60)[0].strip() for run in runs]
        assert sorted(events) == ["error"] * 5 + ["result"]
        software_tree.run("unlock", token=software_tree.observe()["lock"]["token"])
        assert [name for name in software_tree.names() if name.startswith("locks/")] == []


def test_a_file_system_without_atomic_renames_is_rejected_before_anything_is_built(software_tree: SoftwareTree) -> None:
    def fails(number: int) -> Callable[..., None]:
        def function(*_arguments: object, **_options: object) -> None:
            raise OSError(number, os.strerror(number))

        return function

    def copies(source: str, target: str) -> None:
        """What a file system on an object store may do with a link."""

    software_tree.add("tool/1.0")
    before = software_tree.names()
    for name, function, message in (
        (
            "link",
            fails(errno.EPERM),
            r"has no hard links \(Operation not permitted\): put the tree on a POSIX file system",
        ),
        ("symlink", fails(errno.EPERM), r"has no atomic rename of symbolic links \(Operation not permitted\)"),
        ("rename", fails(errno.EXDEV), r"has no atomic rename of symbolic links \(Invalid cross-device link\)"),
        ("rename", copies, r"has no atomic rename of symbolic links \(the old link is still there\)"),
    ):
        with pytest.raises(PhaseEnded, match=message) as rejected:
            software_tree.run("lock", run="first", pid=os.getpid(), faults={name: function})
        assert rejected.value.kind == "rejected"
        assert software_tree.observe()["lock"] is None
        software_tree.publish("tool/1.0")
        software_tree.run("prune", releases=[])
        assert set(before) < set(software_tree.names())
        assert not [found for found in software_tree.names() if found.startswith("locks/")]


def test_a_file_server_whose_answers_are_lost(software_tree: SoftwareTree) -> None:
    """The server renames, its answer is lost, and the repetition finds nothing to rename."""
    rename, link = os.rename, os.link

    def renames(source: str, target: str) -> None:
        rename(source, target)
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", source)

    def links(source: str, target: str) -> None:
        link(source, target)
        raise FileExistsError(errno.EEXIST, "File exists", target)

    software_tree.add("tool/1.0")
    first = software_tree.publish("tool/1.0")
    second = software_tree.stage("tool/1.0")
    software_tree.run("publish", release=second, faults={"rename": renames, "link": links})
    assert software_tree.current == second
    software_tree.run("roll_back", release=first, faults={"rename": renames, "link": links})
    assert software_tree.current == first
    software_tree.assert_whole()


def test_a_link_that_does_not_change_is_a_failure(software_tree: SoftwareTree) -> None:
    rename = os.rename

    def renames(source: str, target: str) -> None:
        if os.path.basename(target) == "current":
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    software_tree.add("tool/1.0")
    first, second = software_tree.publish("tool/1.0"), software_tree.publish("tool/1.0")
    message = rf"current does not lead to release {first} \(Input/output error\): run again"
    with pytest.raises(PhaseEnded, match=message):
        software_tree.run("roll_back", release=first, faults={"rename": renames})
    assert software_tree.current == second
    assert software_tree.observe()["journal"][-1]["release"] == second
    assert not [name for name in software_tree.names() if name.startswith("current.")]


def test_a_lost_volume(software_tree: SoftwareTree) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    software_tree.add("tool/1.0")
    release = software_tree.stage("tool/1.0")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", software_tree.prefix], check=True)
    try:
        for phase in ("observe", "lock", "publish", "roll_back", "prune"):
            with pytest.raises(PhaseEnded, match=r"is not a software tree \(no store, releases, locks\)"):
                software_tree.run(phase, release=release, run="first")
        assert os.listdir(software_tree.prefix) == []
    finally:
        subprocess.run(["umount", software_tree.prefix], check=True)
    software_tree.run("publish", release=release)
    software_tree.assert_whole()
