"""`share_directory` and errors: faults, kill -9, concurrent writers, missing permissions."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.directories.desired import (
    RootDirectory,
    desired_directories,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.directories.model import DirectorySettings
from ansible_collections.odh.persistency.plugins.module_utils._core.directories.plan import plan_directories
from ansible_collections.odh.persistency.plugins.module_utils._core.outcome import Outcome
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares
from ansible_collections.odh.persistency.plugins.module_utils._io.filesystem.executor import apply_plan
from ansible_collections.odh.persistency.plugins.module_utils._io.filesystem.tree import Tree
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_directory import (
    read_directories,
    replan_in,
)

from tests.support.directories import (
    GROUP,
    MADE,
    ROOT,
    SHARES,
    SOMEBODY,
    TEAM,
    USER,
    as_root,
    attributes,
    mounted,
    mounts,
    snapshot,
    with_sudo,
)
from tests.support.directory_fixtures import *  # noqa: F403

if not ROOT:

    def test_all_of_this_as_root() -> None:
        """Where tests are not run by root, root comes with sudo."""
        with_sudo(__file__)


# --- faults ---


@mounts
def test_a_full_file_system_fails_only_what_does_not_fit(directories, root) -> None:
    shares = [{"name": f"s{n}", "directory": f"s{n}", "directories": ["d"]} for n in range(4)]
    with mounted(root, "-t", "tmpfs", "-o", "nr_inodes=6", "none"):
        os.mkdir(root / "s3", 0o700)
        result = directories.run(shares)
        assert result.failed
        assert result.changed is True
        done = set(attributes(root))
        assert set(result.actions()) == {f"{root}/{name}" for name in done}
        assert attributes(root)["s3"] == "2770 0:0"
        failed = {item["name"]: item for item in result.failed_items}
        # Inside a share whose own directory is up to date, it is reported and left out.
        left = {item["name"]: item["reason"] for item in result.output["unreconcilable"]}
        assert set(left) == {f"{root}/s3/d"}
        assert "make room" in left[f"{root}/s3/d"]
        assert len(failed) + len(left) + len(done) == 8
        assert failed[f"{root}/s2/d"]["reason"] == f"{root}/s2/d was not attempted, because {root}/s2 failed"
        assert failed[f"{root}/s2"]["api"].startswith("ENOSPC: ")
        assert failed[f"{root}/s2"]["retryable"] is True
        subprocess.run(["mount", "-o", "remount,nr_inodes=100", str(root)], check=True)
        again = directories.ok(shares)
        assert {change["name"] for change in again.changes} == {*failed, *left}
        assert directories.ok(shares).changed is False


@as_root
@pytest.mark.parametrize(
    ("call", "how", "says", "is_retryable"),
    [
        # Each directory takes a mkdir and a chmod; a chown is the share's own only, for what is in it inherits the group.
        ("chown", "EPERM", "export to this host with `no_root_squash`", False),
        ("chown", "EINVAL", "an id may not exist here, as in a container that maps users", False),
        ("chmod", "EPERM", "only its owner or root can do this", False),
        ("mkdir", "EACCES", "on the server itself", False),
        ("mkdir", "EROFS", "with `rw`", False),
        ("mkdir", "ENOSPC", "make room", True),
        ("mkdir", "EDQUOT", "raise the quota", True),
        ("mkdir", "EMLINK", "as many directories as its file system allows", False),
        ("mkdir", "ESTALE", "check its file system and its server", True),
        ("chmod", "EIO", "check its file system and its server", True),
    ],
)
def test_a_fault_stops_its_share_and_no_other(directories, root, call, how, says, is_retryable) -> None:
    shares = [{"name": f"s{n}", "directory": f"s{n}", "directories": ["d"], "gid": 5000} for n in range(3)]
    at = 3 if call == "chown" else 5
    result = directories.run(shares, how={"fault": {"calls": [call], "at": at, "how": how}})
    assert result.failed
    assert result.changed is True
    assert set(result.actions()) == {f"{root}/{name}" for name in ("s0", "s0/d", "s1", "s1/d")}
    first, second = result.failed_items
    assert (first["name"], second["name"]) == (f"{root}/s2", f"{root}/s2/d")
    assert says in first["reason"]
    assert (first["api"], first["retryable"]) == (f"{how}: {os.strerror(getattr(errno, how))}", is_retryable)
    assert "was not attempted" in second["reason"]
    assert result.msg.startswith("2 of 6 changes of kind directory failed")
    assert {change["name"] for change in directories.ok(shares).changes} == {f"{root}/s2", f"{root}/s2/d"}
    assert directories.ok(shares).changed is False


@as_root
@pytest.mark.parametrize("call", ["fstat", "open"])
def test_a_stale_export_is_reported_and_nothing_is_planned(directories, root, call) -> None:
    fault = {"calls": [call], "at": 1, "how": "ESTALE"}
    result = directories.run(SHARES, how={"fault": fault})
    assert result.failed
    reported = f"path: {root} cannot be examined ({os.strerror(errno.ESTALE)}): check its mount and its server"
    assert reported in result.output["msg"]
    assert "Traceback" not in str(result.output)
    assert os.listdir(root) == []


@as_root
def test_a_chown_that_fails_leaves_the_mode_as_it_was(directories, root) -> None:
    (root / "s").mkdir(mode=0o755)
    (root / "s" / "data").write_text("x")
    share = [{"name": "s", "directory": "s", "gid": 5000}]
    result = directories.run(share, adopt=True, how={"fault": {"calls": ["chown"], "at": 1, "how": "EPERM"}})
    assert result.failed
    assert attributes(root) == {"s": "0755 0:0"}


@as_root
@pytest.mark.parametrize(
    ("call", "how", "says"),
    [
        ("chown", "ignore", "belongs to root:root after it was given to -:5000"),
        ("chmod", "no setgid", "lost its setgid bit"),
        ("chmod", "ignore", "has the mode 0700 after 2770 was set"),
    ],
)
def test_what_a_server_silently_ignores_is_detected_by_reading_back(directories, root, call, how, says) -> None:
    share = [{"name": "s", "directory": "s", "gid": 5000}]
    result = directories.run(share, how={"fault": {"calls": [call], "at": 1, "how": how}})
    assert says in result.failed_items[0]["reason"]
    assert result.failed_items[0]["retryable"] is False
    assert result.changed is True
    assert directories.ok(share).changed is True


@as_root
def test_a_run_after_one_killed_at_any_operation_converges(directories, root) -> None:
    (root / "shared-data").mkdir(mode=0o755)
    for at in range(1, 100):
        fault = {"calls": ["mkdir", "chown", "chmod"], "at": at, "how": "kill"}
        running = directories.start(SHARES, how={"fault": fault})
        code = running.process.wait(60)
        running.process.communicate()
        if code != -signal.SIGKILL:
            break
        # Nobody is let into what is not yet theirs.
        for name, reported in attributes(root).items():
            assert (
                reported in (MADE[name], "0755 0:0", "0750 0:0", "0750 0:5000")
                or not int(reported.split()[0], 8) & 0o077
            )
        directories.ok(SHARES)
        assert attributes(root) == MADE
        assert directories.ok(SHARES).changed is False
        subprocess.run(["rm", "-r", *(root / name for name in os.listdir(root))], check=True)
        (root / "shared-data").mkdir(mode=0o755)
    assert at == 14, "not all 13 writes"


@as_root
def test_two_concurrent_runs_converge(directories, root) -> None:
    shares = [{"name": f"s{n}", "directory": f"t/s{n}", "directories": ["a", "b/c"], "gid": 5000} for n in range(40)]
    for _round in range(3):
        runs = [directories.start(shares) for _ in range(3)]
        results = [run.wait() for run in runs]
        assert [result.output.get("failed_items") for result in results if result.failed] == []
        assert set(attributes(root).values()) == {"0755 0:0", "2770 0:5000"}
        assert len(attributes(root)) == 40 * 4 + 1
        assert directories.ok(shares).changed is False
        subprocess.run(["rm", "-r", root / "t"], check=True)


def between(root: Path, meddle: Callable[[Path], Any], adopt: bool = False) -> Outcome:
    """Plan one share's directory, let somebody meddle, carry the plan out."""
    entries, faults = parse_shares(
        [{"name": "s", "level": "public", "directory": "t/s", "gid": 5000}], "shares", "/home", []
    )
    assert not faults
    desired = desired_directories(entries, RootDirectory(str(root)))
    tree = Tree(str(root))
    settings = DirectorySettings(str(root), adopt=adopt)
    plan = plan_directories(desired, *read_directories(tree, desired.directories), settings)
    assert not plan.refusals
    assert plan.changed
    meddle(root / "t" / "s")
    outcome = apply_plan(tree, plan, replan_in(tree, settings))
    tree.close()
    return outcome


def fill(place: Path) -> None:
    (place / "data").write_text("x")


def replace_by_a_link(place: Path) -> None:
    place.rename(place.with_name("old"))
    place.symlink_to(place.with_name("old"))


def replace_by_a_full_one(place: Path) -> None:
    place.rename(place.with_name("old"))
    place.mkdir()
    fill(place)


@as_root
@pytest.mark.parametrize("meddle", [fill, replace_by_a_full_one, replace_by_a_link])
def test_content_added_between_reading_and_changing_is_detected(root, meddle) -> None:
    (root / "t" / "s").mkdir(parents=True)
    outcome = between(root, meddle)
    (failure,) = outcome.failures
    assert ("is a symbolic link" if meddle is replace_by_a_link else "has content ('data')") in failure.reason
    assert failure.retryable is False
    assert not outcome.changed
    assert set(attributes(root).values()) == {"0755 0:0"}


@as_root
def test_a_directory_that_replaced_the_planned_one_is_planned_again(root) -> None:
    (root / "t" / "s").mkdir(parents=True)
    fill(root / "t" / "s")

    def replace_by_somebodys(place: Path) -> None:
        replace_by_a_full_one(place)
        os.chown(place, 77, 88)

    outcome = between(root, replace_by_somebodys, adopt=True)
    (change,) = outcome.plan.pending
    assert change.before == f"{root}/t/s: 0755 77:88"
    assert attributes(root) == {"t": "0755 0:0", "t/old": "0755 0:0", "t/s": "2770 77:5000"}


@as_root
@pytest.mark.parametrize(
    ("meddle", "says"),
    [
        (lambda place: place.mkdir() or fill(place), "has content ('data')"),
        (lambda place: place.symlink_to("/tmp"), "is a symbolic link"),
        (lambda place: place.write_text(""), "is a file, not a directory"),
    ],
)
def test_something_created_at_a_planned_path_is_detected(root, meddle, says) -> None:
    (root / "t").mkdir()
    outcome = between(root, meddle)
    (failure,) = outcome.failures
    assert says in failure.reason
    assert not outcome.changed


@as_root
def test_what_others_create_meanwhile_is_corrected(root) -> None:
    (root / "t").mkdir()
    outcome = between(root, lambda place: place.mkdir())
    assert [change.action for change in outcome.plan.pending] == ["update"]
    assert attributes(root)["t/s"] == "2770 0:5000"


@as_root
def test_what_others_corrected_meanwhile_is_no_change(root) -> None:
    (root / "t").mkdir()

    def right(place: Path) -> None:
        place.mkdir()
        os.chown(place, 0, 5000)
        place.chmod(0o2770)

    outcome = between(root, right)
    assert outcome.changed is False
    assert outcome.plan.summary() == {"keep": 2}


@as_root
def test_a_parent_that_is_removed_meanwhile(root) -> None:
    (root / "t").mkdir()
    outcome = between(root, lambda place: place.parent.rmdir())
    (failure,) = outcome.failures
    assert "is being changed by somebody else: find out by whom, and run again" in failure.reason
    assert failure.retryable is True
    assert os.listdir(root) == []


def exchange(one: Path, other: Path) -> None:
    """Swap two names in one step of the kernel's."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, bytes(one), -100, bytes(other), 2):
        raise OSError(ctypes.get_errno(), "renameat2")


@as_root
def test_a_link_that_is_swapped_in_and_out_is_never_followed(root, folder) -> None:
    """Somebody who may write in a share tries to have a directory elsewhere given away, or something made there."""
    outside = folder / "outside"
    (outside / "d").mkdir(parents=True)
    outside.chmod(0o700)
    before = snapshot(outside)
    place, link = root / "s" / "a", root / "s" / "link"
    (place / "d").mkdir(parents=True)
    link.symlink_to(outside)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            exchange(place, link)

    outcomes: Counter[str] = Counter()
    tree = Tree(str(root))
    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for number in range(1500):
            share = {
                "name": "s",
                "level": "public",
                "directories": ["a/d", "a/e"],
                "gid": 5000 + number,
                "directory": "s",
            }
            entries, _faults = parse_shares([share], "shares", "/home", [])
            desired = desired_directories(entries, RootDirectory(str(root)))
            observed, contents = read_directories(tree, desired.directories)
            settings = DirectorySettings(str(root), adopt=True)
            plan = plan_directories(desired, observed, contents, settings)
            assert not plan.refusals
            outcome = apply_plan(tree, plan, replan_in(tree, settings))
            assert not outcome.failures
            if plan.unreconcilable:
                outcomes["left out by the plan"] += 1
            else:
                outcomes["left out later" if outcome.plan.unreconcilable else "done"] += 1
            assert snapshot(outside) == before
    finally:
        stop.set()
        swapper.join()
        tree.close()
    # All three happened, so the swaps did hit the looks and the writes.
    assert min(outcomes[name] for name in ("left out by the plan", "left out later", "done")) > 0, outcomes


# --- without rights ---


@as_root
def test_somebody_makes_directories_in_their_own_folder(directories, root) -> None:
    os.chown(root, USER, GROUP)
    shares = [{"name": "s", "directory": "t/s", "directories": ["d"], "gid": TEAM}, {"name": "o", "directory": "o"}]
    result = directories.ok(shares, how={"user": SOMEBODY, "umask": 0o077})
    assert result.changed is True
    assert attributes(root) == {
        "t": f"0755 {USER}:{GROUP}",
        "t/s": f"2770 {USER}:{TEAM}",
        "t/s/d": f"2770 {USER}:{TEAM}",
        "o": f"2770 {USER}:{GROUP}",
    }
    assert directories.ok(shares, how={"user": SOMEBODY}).changed is False


@as_root
@pytest.mark.parametrize(
    ("share", "says"),
    [
        ({"owner": 1}, "cannot be given the owner daemon by 54321: run as root"),
        ({"gid": 5000}, "cannot be given the group 5000 by 54321"),
        ({"owner": 1, "gid": 5000}, "the group 5000"),
    ],
)
def test_impossible_ownership_changes_are_rejected_before_any_write(directories, root, share, says) -> None:
    os.chown(root, USER, GROUP)
    shares = [{"name": "s", "directory": "s", **share}, {"name": "fine", "directory": "fine"}]
    assert says in directories.refused(shares, how={"user": SOMEBODY})
    assert os.listdir(root) == []


@as_root
def test_missing_permissions_on_a_directory_are_rejected_before_any_write(directories, root) -> None:
    share = [{"name": "s", "directory": "s", "directories": ["d"]}]
    how = {"user": SOMEBODY}
    assert f"cannot be created, because 54321 may not write in {root}" in directories.refused(share, how=how)
    (root / "s").mkdir()
    (root / "s").chmod(0o755)
    assert "cannot be given the mode 2770 by 54321" in directories.refused(share, how=how)
    (root / "s").chmod(0o2770)
    # Its own owners and mode are right; it cannot be looked into.
    left = directories.ok(share, how=how)
    assert left.changed is False
    assert "s/d (d of share s) cannot be examined (Permission denied)" in left.warnings[0]
    assert [item["name"] for item in left.output["unreconcilable"]] == [f"{root}/s/d"]
    (root / "s" / "d").mkdir()
    (root / "s" / "d").chmod(0o2770)
    assert directories.ok(share).changed is False
    root.chmod(0o700)
    assert "may not be read by 54321: run as root" in directories.run(share, how=how).output["msg"]


@as_root
def test_a_directory_of_somebodys_in_a_group_that_they_are_not_in(directories, root) -> None:
    """chmod would take the setgid bit without a word."""
    os.chown(root, USER, GROUP)
    (root / "s").mkdir()
    (root / "s").chmod(0o770)
    os.chown(root / "s", USER, 5000)
    share = [{"name": "s", "directory": "s"}]
    message = directories.refused(share, how={"user": SOMEBODY})
    assert "cannot be given the setgid bit, which only members of the group 5000 can set, by 54321" in message
