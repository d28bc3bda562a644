"""`share_directory` on a real file system, as root and as somebody without rights. Takes no cluster."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.odh.persistency.plugins.module_utils.edge.share_directory import replan_in
from ansible_collections.odh.persistency.plugins.module_utils.edge.tree import Tree
from ansible_collections.odh.persistency.plugins.module_utils.edge.tree_steps import carry_out
from ansible_collections.odh.persistency.plugins.module_utils.pure.directories.places import Root, place_shares
from ansible_collections.odh.persistency.plugins.module_utils.pure.directories.planning import (
    Settings,
    differing,
    plan_directories,
)
from ansible_collections.odh.persistency.plugins.module_utils.pure.shares.entries import parse_shares

from tests.support.directories import (
    GROUP,
    SOMEBODY,
    TEAM,
    USER,
    Directories,
    attributes,
    may_mount,
    mounted,
    open_folder,
    run_as_root,
    snapshot,
)

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="runs as root in test_all_of_this_as_root")
mounts = pytest.mark.skipif(not may_mount(), reason="nothing can be mounted here")

DATA = {"name": "shared-data", "directory": "shared-data", "gid": 5000, "directories": ["cases", "deep/er"]}
TEAM_SHARE = {"name": "notes", "directory": "teams/notes", "owner": 1000, "mode": "0750"}
SHARES = [DATA, TEAM_SHARE]
MADE = {
    "shared-data": "2770 0:5000",
    "shared-data/cases": "2770 0:5000",
    "shared-data/deep": "2770 0:5000",
    "shared-data/deep/er": "2770 0:5000",
    "teams": "0755 0:0",
    "teams/notes": "0750 1000:0",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as found:
        yield found


@pytest.fixture
def root(folder: Path) -> Path:
    (folder / "root").mkdir(mode=0o755)
    return folder / "root"


@pytest.fixture
def directories(root: Path) -> Directories:
    return Directories(root)


if not ROOT:

    def test_all_of_this_as_root() -> None:
        """Where tests are not run by root, root comes with sudo."""
        if not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode:
            pytest.skip("needs root, or sudo without a password")
        run_as_root(__file__, ["sudo", "-n"])


# --- made, and made again ---


@as_root
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o777])
def test_what_is_missing_is_made_as_wanted_whatever_the_umask(directories, root, umask) -> None:
    result = directories.ok(SHARES, how={"umask": umask})
    assert attributes(root) == MADE
    assert result.changed is True
    assert result.summary == {"create": 6, "keep": 0}
    assert {change["name"] for change in result.changes} == {f"{root}/{name}" for name in MADE}
    assert {(change["kind"], change["namespace"]) for change in result.changes} == {("directory", "")}
    assert result.output["diff"]["after"].splitlines()[0] == f"{root}/shared-data: 2770 root:5000"


@as_root
def test_the_second_run_leaves_no_trace(directories, root) -> None:
    directories.ok(SHARES)
    (root / "shared-data" / "file").write_text("x")
    before = snapshot(root)
    again = directories.ok(SHARES)
    assert again.changed is False
    assert (again.changes, again.summary) == ([], {"keep": 6})
    assert again.output["diff"] == {"before": "", "after": ""}
    assert snapshot(root) == before


@as_root
def test_check_mode_says_the_same_and_leaves_no_trace(directories, root) -> None:
    (root / "shared-data").mkdir(mode=0o711)
    before = snapshot(root)
    shown = directories.ok(SHARES, check=True)
    assert snapshot(root) == before
    done = directories.ok(SHARES)
    for key in ("changed", "changes", "summary", "diff", "drift"):
        assert shown.output[key] == done.output[key]
    assert f"{root}/shared-data: 0711 root:root" in done.output["diff"]["before"].splitlines()
    assert f"{root}/shared-data: 2770 root:5000" in done.output["diff"]["after"].splitlines()
    assert directories.ok(SHARES, check=True).changed is False


@as_root
def test_a_setgid_root_hands_its_group_down_as_the_diff_said(directories, root) -> None:
    os.chown(root, 0, TEAM)
    root.chmod(0o2775)
    result = directories.ok([TEAM_SHARE])
    assert attributes(root) == {"teams": f"2755 0:{TEAM}", "teams/notes": f"0750 1000:{TEAM}"}
    assert f"{root}/teams: 2755 root:{TEAM}" in result.output["diff"]["after"]


@as_root
def test_owner_and_group_stay_where_the_share_does_not_say(directories, root) -> None:
    (root / "s").mkdir()
    os.chown(root / "s", 77, 88)
    directories.ok([{"name": "s", "directory": "s", "mode": "0700"}])
    assert attributes(root) == {"s": "0700 77:88"}


@as_root
def test_two_hundred_shares_in_one_call(directories, root) -> None:
    shares = [
        {
            "name": f"share-{n}",
            "backend": {"type": "nfs", "server": "nfs", "path": f"/exports/{n % 7}/share-{n}"},
            "gid": 5000 + n,
            "directories": [f"d{m}" for m in range(5)],
        }
        for n in range(200)
    ]
    assert directories.ok(shares, export="/exports", mounted=False).summary["create"] == 200 * 6 + 7
    assert attributes(root)["3/share-10/d4"] == "2770 0:5010"
    assert directories.ok(shares, export="/exports", mounted=False).summary == {"keep": 200 * 6 + 7}


@as_root
def test_as_ansible_runs_it_and_without_the_kubernetes_client(directories, root, folder) -> None:
    """In the archive that Ansible sends to the NFS server, where nothing but Python is."""
    trap = folder / "trap" / "kubernetes"
    trap.mkdir(parents=True)
    (trap / "__init__.py").write_text("raise SystemExit('the kubernetes client was loaded')")
    options = {"path": str(root), "shares": [{"level": "public", **DATA}]}
    command = [
        "ansible",
        "localhost",
        "-c",
        "local",
        "-m",
        "odh.persistency.share_directory",
        "-a",
        json.dumps(options),
    ]
    path = f"{folder / 'trap'}:{os.environ['PYTHONPATH']}"
    settings = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0"}
    command += ["-e", json.dumps({"ansible_python_interpreter": sys.executable})]
    answer = subprocess.run(command, capture_output=True, text=True, env=os.environ | settings | {"PYTHONPATH": path})
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "localhost | CHANGED" in answer.stdout
    assert attributes(root)["shared-data/cases"] == "2770 0:5000"


# --- content ---


@as_root
def test_a_directory_with_content_is_not_re_owned(directories, root) -> None:
    (root / "shared-data" / "deep").mkdir(parents=True)
    (root / "shared-data" / "data.csv").write_text("1")
    before = snapshot(root)
    message = directories.refused(SHARES)
    assert f"{root}/shared-data (share shared-data) has content ('data.csv', 'deep')" in message
    assert "is 0755 root:root, not 2770 root:5000: set `adopt: true`" in message
    assert snapshot(root) == before


@as_root
def test_adopting_changes_the_directory_and_nothing_in_it(directories, root) -> None:
    inside = root / "shared-data" / "others"
    inside.mkdir(parents=True)
    (inside / "file").write_text("x")
    (inside / "link").symlink_to("/etc/passwd")
    (root / "shared-data" / "data.csv").write_text("1")
    (root / "shared-data" / "data.csv").chmod(0o600)
    before = {path: seen for path, seen in snapshot(root).items() if path.startswith(f"{root}/shared-data/")}
    result = directories.ok([{**DATA, "directories": []}], adopt=True)
    assert result.actions() == {f"{root}/shared-data": "adopt"}
    assert attributes(root)["shared-data"] == "2770 0:5000"
    after = snapshot(root)
    assert {path: after[path] for path in before} == before
    assert directories.ok([{**DATA, "directories": []}]).changed is False


@as_root
def test_one_directory_of_a_share_may_have_content_while_the_share_is_right(directories, root) -> None:
    directories.ok(SHARES)
    (root / "shared-data" / "cases" / "file").write_text("x")
    (root / "shared-data" / "cases").chmod(0o755)
    assert "shared-data/cases (cases of share shared-data) has content ('file')" in directories.refused(SHARES)


@as_root
def test_retired_shares_and_forgotten_ones_are_left_alone(directories, root) -> None:
    directories.ok(SHARES)
    (root / "shared-data").chmod(0o700)
    before = snapshot(root)
    assert directories.ok([{**DATA, "state": "retired"}]).summary == {"keep": 1}
    assert directories.ok([{**DATA, "state": "absent"}]).summary == {"keep": 1}
    assert directories.ok([]).summary == {"keep": 0}
    assert snapshot(root) == before


# --- what stands in the way ---


def put(kind: str, path: Path, outside: Path) -> None:
    """Something that is no directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link to a directory":
        path.symlink_to(outside)
    elif kind == "relative link":
        path.symlink_to(os.path.relpath(outside, path.parent))
    elif kind == "dangling link":
        path.symlink_to(outside / "nothing")
    elif kind == "file":
        path.write_text("")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
    else:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))


@as_root
@pytest.mark.parametrize("at", ["teams", "teams/notes", "teams/notes/in", "teams/notes/in/side"])
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("link to a directory", "is a symbolic link, and links are never followed"),
        ("relative link", "is a symbolic link"),
        ("dangling link", "is a symbolic link"),
        ("file", "is a file, not a directory"),
        ("pipe", "is a named pipe, not a directory"),
        ("socket", "is a socket, not a directory"),
        ("device", "is a device, not a directory"),
    ],
)
def test_what_is_no_directory_is_refused_and_never_followed(directories, root, folder, at, kind, says) -> None:
    outside = folder / "outside"
    outside.mkdir(mode=0o700)
    try:
        put(kind, root / at, outside)
    except PermissionError:
        pytest.skip("no device can be made here")
    before = snapshot(outside)
    share = {"name": "notes", "directory": "teams/notes", "directories": ["in/side"], "gid": 5000}
    message = directories.refused([share], adopt=True)
    assert f"{root}/{at} " in message
    assert says in message
    assert snapshot(outside) == before


@as_root
def test_all_refusals_at_once_and_nothing_made(directories, root, folder) -> None:
    (root / "a").symlink_to(folder)
    (root / "b").write_text("")
    (root / "c" / "x").mkdir(parents=True)
    shares = [{"name": name, "directory": name} for name in "abcd"]
    message = directories.refused(shares)
    assert message.startswith("Nothing was changed, for 3 reasons:")
    assert sorted(os.listdir(root)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"path": "relative/path"}, "is not absolute"),
        ({"path": "/"}, "is the root of the file system"),
        ({"path": "/tmp/../tmp"}, "contains `..`"),
        ({"path": "/nowhere/at/all"}, "path: /nowhere/at/all does not exist on the host that runs the task"),
        ({"path": "/etc/passwd"}, "path: /etc/passwd is not a directory"),
        ({"shares": [{"name": "s", "level": "public", "directory": "../out"}]}, "contains `..`"),
        ({"shares": [{"name": "s", "level": "public", "directories": ["../out"]}]}, "contains `..`"),
        ({"shares": [{"name": "s", "level": "public", "directory": "/etc"}]}, "is absolute"),
        ({"shares": [{"name": "s", "level": "public", "mode": 2770}]}, "write it in quotes, in octal digits"),
        ({"export": "exports"}, "export: 'exports' is not absolute"),
        ({"elsewhere": ["x"]}, "elsewhere: 'x' is the name of no share"),
        ({"shares": "s"}, "list"),
    ],
)
def test_bad_input_is_one_sentence(directories, options, says) -> None:
    given = {"shares": [{"name": "s", "level": "public", "directory": "s"}], **options}
    if options.get("path") == "/nowhere/at/all":  # in check mode an earlier task may be what makes it
        assert says in directories.run(given.pop("shares"), **given).output["msg"]
        return
    shares = given.pop("shares")
    if not isinstance(shares, list):
        result = (
            Directories(directories.root).start([], **{"shares_file": str(directories.root / "x.yml"), **given}).wait()
        )
        assert "does not exist" in result.output["msg"]
        return
    assert says in directories.refused(shares, **given)


def test_the_root_is_never_made_and_check_mode_says_what_would_be(directories, root) -> None:
    share = [{"name": "s", "directory": "s"}]
    missing = {"path": str(root / "not-yet")}
    shown = directories.ok(share, check=True, **missing)
    assert "an earlier task may be what does that" in shown.warnings[0]
    assert shown.actions() == {f"{root}/not-yet/s": "create"}
    assert "does not exist" in directories.run(share, **missing).output["msg"]
    assert os.listdir(root) == []


def test_a_root_that_is_reached_through_a_link_is_the_operators(directories, root, folder) -> None:
    (folder / "link").symlink_to(root)
    directories.ok([{"name": "s", "directory": "s"}], path=f"{folder / 'link'}/")
    assert "s" in attributes(root)


# --- mounts ---


@mounts
@pytest.mark.parametrize("bind", [False, True])
def test_an_export_that_is_not_mounted_is_not_filled(directories, root, folder, bind) -> None:
    shares = [{"name": "s", "backend": {"type": "nfs", "server": "nfs", "path": "/exports/s"}}]
    # The export has another path here, so this host sees it through a mount.
    message = directories.run(shares, export="/exports").output["msg"]
    assert "nothing is mounted at" in message
    assert "nothing is mounted at" in directories.run(shares, mounted=True).output["msg"]
    shown = directories.ok(shares, export="/exports", check=True)
    assert "nothing is mounted" in shown.warnings[0]
    assert os.listdir(root) == []
    (folder / "other").mkdir()
    how = ["--bind", str(folder / "other")] if bind else ["-t", "tmpfs", "none"]
    with mounted(root, *how):
        assert directories.ok(shares, export="/exports").changed is True
        assert directories.ok(shares, mounted=True).changed is False
    assert os.listdir(root) == []
    assert directories.ok(shares, export="/exports", mounted=False).changed is True


@mounts
def test_a_read_only_file_system_is_known_beforehand(directories, root) -> None:
    (root / "s").mkdir(mode=0o700)
    with mounted(root, "--bind", str(root)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
        message = directories.refused([{"name": "s", "directory": "s"}, {"name": "t", "directory": "t"}])
    assert message.count("mounted read-only: mount it with `rw`") == 2


@mounts
def test_a_full_file_system_stops_what_does_not_fit_and_nothing_else(directories, root) -> None:
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
        assert len(failed) + len(done) == 8
        assert failed[f"{root}/s2/d"]["reason"] == f"{root}/s2/d was not tried, for {root}/s2 failed"
        assert failed[f"{root}/s2"]["api"].startswith("ENOSPC: ")
        assert failed[f"{root}/s2"]["second_run_mends"] is True
        subprocess.run(["mount", "-o", "remount,nr_inodes=100", str(root)], check=True)
        again = directories.ok(shares)
        assert {change["name"] for change in again.changes} == set(failed)
        assert directories.ok(shares).changed is False


# --- faults ---


@as_root
@pytest.mark.parametrize(
    ("call", "how", "says", "mends"),
    [
        # Each directory takes a mkdir and a chmod; a chown is the share's own only, for what is in it inherits the group.
        ("chown", "EPERM", "export to this host with `no_root_squash`", False),
        ("chown", "EINVAL", "a container that maps users", False),
        ("chmod", "EPERM", "it takes its owner or root", False),
        ("mkdir", "EACCES", "on the server itself", False),
        ("mkdir", "EROFS", "with `rw`", False),
        ("mkdir", "ENOSPC", "make room", True),
        ("mkdir", "EDQUOT", "raise the quota", True),
        ("mkdir", "EMLINK", "as many as its file system allows", False),
        ("mkdir", "ESTALE", "look at its file system and its server", True),
        ("chmod", "EIO", "look at its file system and its server", True),
    ],
)
def test_a_fault_stops_its_share_and_no_other(directories, root, call, how, says, mends) -> None:
    shares = [{"name": f"s{n}", "directory": f"s{n}", "directories": ["d"], "gid": 5000} for n in range(3)]
    at = 3 if call == "chown" else 5
    result = directories.run(shares, how={"fault": {"calls": [call], "at": at, "how": how}})
    assert result.failed
    assert result.changed is True
    assert set(result.actions()) == {f"{root}/{name}" for name in ("s0", "s0/d", "s1", "s1/d")}
    first, second = result.failed_items
    assert (first["name"], second["name"]) == (f"{root}/s2", f"{root}/s2/d")
    assert says in first["reason"]
    assert (first["api"], first["second_run_mends"]) == (f"{how}: {os.strerror(getattr(errno, how))}", mends)
    assert "was not tried" in second["reason"]
    assert result.msg.startswith("2 of 6 changes of kind directory could not be carried out")
    assert {change["name"] for change in directories.ok(shares).changes} == {f"{root}/s2", f"{root}/s2/d"}
    assert directories.ok(shares).changed is False


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
def test_what_a_server_leaves_out_without_a_word_is_read_back(directories, root, call, how, says) -> None:
    share = [{"name": "s", "directory": "s", "gid": 5000}]
    result = directories.run(share, how={"fault": {"calls": [call], "at": 1, "how": how}})
    assert says in result.failed_items[0]["reason"]
    assert result.failed_items[0]["second_run_mends"] is False
    assert result.changed is True
    assert directories.ok(share).changed is True


@as_root
def test_killed_after_any_step_the_next_run_ends_where_one_run_would(directories, root) -> None:
    (root / "shared-data").mkdir(mode=0o755)
    for at in range(1, 100):
        fault = {"calls": ["mkdir", "chown", "chmod"], "at": at, "how": "kill"}
        running = directories.start(SHARES, how={"fault": fault})
        code = running.process.wait(60)
        running.process.communicate()
        if code != -signal.SIGKILL:
            break
        # Nobody is let into what is not yet theirs.
        for name, told in attributes(root).items():
            assert told in (MADE[name], "0755 0:0", "0750 0:0", "0750 0:5000") or not int(told.split()[0], 8) & 0o077
        directories.ok(SHARES)
        assert attributes(root) == MADE
        assert directories.ok(SHARES).changed is False
        subprocess.run(["rm", "-r", *(root / name for name in os.listdir(root))], check=True)
        (root / "shared-data").mkdir(mode=0o755)
    assert at == 14, "not all 13 writes"


@as_root
def test_two_runs_at_once_end_where_one_would(directories, root) -> None:
    shares = [{"name": f"s{n}", "directory": f"t/s{n}", "directories": ["a", "b/c"], "gid": 5000} for n in range(40)]
    for _round in range(3):
        runs = [directories.start(shares) for _ in range(3)]
        results = [run.wait() for run in runs]
        assert [result.output.get("failed_items") for result in results if result.failed] == []
        assert set(attributes(root).values()) == {"0755 0:0", "2770 0:5000"}
        assert len(attributes(root)) == 40 * 4 + 1
        assert directories.ok(shares).changed is False
        subprocess.run(["rm", "-r", root / "t"], check=True)


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
            places = place_shares(entries, Root(str(root)))
            live = tree.look(item.parts for item in places.wanted)
            contents = tree.contents(differing(places.wanted, live))
            settings = Settings(str(root), adopt=True)
            plan = plan_directories(places.wanted, [], live, contents, settings)
            if plan.refusals:
                outcomes["refused"] += 1
            else:
                outcome = carry_out(tree, plan, replan_in(tree, settings))
                outcomes["failed" if outcome.failures else "done"] += 1
            assert snapshot(outside) == before
    finally:
        stop.set()
        swapper.join()
        tree.close()
    # All three happened, so the swaps did hit the looks and the writes.
    assert min(outcomes[name] for name in ("refused", "failed", "done")) > 0, outcomes


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
        ({"owner": 1}, "cannot be given the owner daemon by 54321: run it as root"),
        ({"gid": 5000}, "cannot be given the group 5000 by 54321"),
        ({"owner": 1, "gid": 5000}, "the group 5000"),
    ],
)
def test_what_somebody_may_not_give_away_is_known_beforehand(directories, root, share, says) -> None:
    os.chown(root, USER, GROUP)
    shares = [{"name": "s", "directory": "s", **share}, {"name": "fine", "directory": "fine"}]
    assert says in directories.refused(shares, how={"user": SOMEBODY})
    assert os.listdir(root) == []


@as_root
def test_where_somebody_may_not_write_or_look_is_known_beforehand(directories, root) -> None:
    share = [{"name": "s", "directory": "s", "directories": ["d"]}]
    how = {"user": SOMEBODY}
    assert f"cannot be made, for 54321 may not write in {root}" in directories.refused(share, how=how)
    (root / "s").mkdir()
    (root / "s").chmod(0o755)
    assert "cannot be given the mode 2770 by 54321" in directories.refused(share, how=how)
    (root / "s").chmod(0o2770)
    # Its own owners and mode are right; it cannot be looked into.
    assert "s/d (d of share s) cannot be looked at (Permission denied)" in directories.refused(share, how=how)
    (root / "s" / "d").mkdir()
    (root / "s" / "d").chmod(0o2770)
    assert directories.ok(share).changed is False
    root.chmod(0o700)
    assert "may not be looked into by 54321" in directories.run(share, how=how).output["msg"]


@as_root
def test_a_directory_of_somebodys_in_a_group_that_they_are_not_in(directories, root) -> None:
    """chmod would take the setgid bit without a word."""
    os.chown(root, USER, GROUP)
    (root / "s").mkdir()
    (root / "s").chmod(0o770)
    os.chown(root / "s", USER, 5000)
    share = [{"name": "s", "directory": "s"}]
    message = directories.refused(share, how={"user": SOMEBODY})
    assert "cannot be given the setgid bit, which takes a member of the group 5000" in message
