"""`share_directory` on a real file system: what is created, kept and rejected. Needs no cluster."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.directories import (
    DATA,
    MADE,
    NOTES,
    ROOT,
    SHARES,
    TEAM,
    Directories,
    as_root,
    attributes,
    mounted,
    mounts,
    snapshot,
    with_sudo,
)
from tests.support.directory_fixtures import *  # noqa: F403

EXPORTED = {"name": "s", "backend": {"type": "nfs", "server": "nfs.example.org", "path": "/exports/s"}}

if not ROOT:

    def test_all_of_this_as_root() -> None:
        """Where tests are not run by root, root comes with sudo."""
        with_sudo(__file__)


# --- made, and made again ---


@as_root
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o777])
def test_missing_directories_are_created_as_desired_whatever_the_umask(directories, root, umask) -> None:
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
def test_check_mode_reports_the_same_and_writes_nothing(directories, root) -> None:
    (root / "shared-data").mkdir(mode=0o711)
    before = snapshot(root)
    shown = directories.ok(SHARES, check=True)
    assert snapshot(root) == before
    done = directories.ok(SHARES)
    for key in ("changed", "changes", "summary", "diff", "unreconcilable"):
        assert shown.output[key] == done.output[key]
    assert f"{root}/shared-data: 0711 root:root" in done.output["diff"]["before"].splitlines()
    assert f"{root}/shared-data: 2770 root:5000" in done.output["diff"]["after"].splitlines()
    assert directories.ok(SHARES, check=True).changed is False


@as_root
def test_a_setgid_root_passes_its_group_on_as_the_diff_shows(directories, root) -> None:
    os.chown(root, 0, TEAM)
    root.chmod(0o2775)
    result = directories.ok([NOTES])
    assert attributes(root) == {"teams": f"2755 0:{TEAM}", "teams/notes": f"0750 1000:{TEAM}"}
    assert f"{root}/teams: 2755 root:{TEAM}" in result.output["diff"]["after"]


@as_root
def test_owner_and_group_stay_if_the_share_sets_none(directories, root) -> None:
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
    before = snapshot(root)
    result = directories.ok(SHARES)
    assert "shared-data/cases (cases of share shared-data) has content ('file')" in result.warnings[0]
    assert [item["name"] for item in result.output["unreconcilable"]] == [f"{root}/shared-data/cases"]
    assert result.changed is False
    assert snapshot(root) == before


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
def test_what_is_not_a_directory_is_rejected_and_never_followed(directories, root, folder, at, kind, says) -> None:
    outside = folder / "outside"
    outside.mkdir(mode=0o700)
    try:
        put(kind, root / at, outside)
    except PermissionError:
        pytest.skip("no device can be made here")
    before = snapshot(outside)
    share = {"name": "notes", "directory": "teams/notes", "directories": ["in/side"], "gid": 5000}
    if at.startswith("teams/notes/"):
        # Inside the share, it is its members': reported and left out.
        result = directories.ok([share], adopt=True)
        (left,) = result.output["unreconcilable"]
        assert left["name"] == f"{root}/{at}"
        assert f"{root}/{at}" not in result.actions()
        message = result.warnings[0]
    else:
        message = directories.refused([share], adopt=True)
    assert f"{root}/{at} " in message
    assert says in message
    assert snapshot(outside) == before


@as_root
def test_all_rejections_at_once_and_nothing_is_created(directories, root, folder) -> None:
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
        ({"path": "/tmp/a\0b"}, "control character"),
        (
            {"shares": [{**EXPORTED, "level": "public"}], "server": "nfs.exmple.org"},
            "server: no share is on the server 'nfs.exmple.org' (did you mean `nfs.example.org`?)",
        ),
        ({"path": "/nowhere/at/all"}, "path: /nowhere/at/all does not exist on the host that runs the task"),
        ({"path": "/etc/passwd"}, "path: /etc/passwd is not a directory"),
        ({"shares": [{"name": "s", "level": "public", "directory": "../out"}]}, "contains `..`"),
        ({"shares": [{"name": "s", "level": "public", "directories": ["../out"]}]}, "contains `..`"),
        ({"shares": [{"name": "s", "level": "public", "directory": "/etc"}]}, "is absolute"),
        ({"shares": [{"name": "s", "level": "public", "mode": 2770}]}, 'write octal digits in quotes, such as "2770"'),
        ({"export": "exports"}, "export: 'exports' is not absolute"),
        ({"elsewhere": ["x"]}, "elsewhere: there is no share 'x'"),
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


def test_the_root_is_never_created_and_check_mode_shows_the_plan(directories, root) -> None:
    share = [{"name": "s", "directory": "s"}]
    missing = {"path": str(root / "not-yet")}
    shown = directories.ok(share, check=True, **missing)
    assert "an earlier task may do that" in shown.warnings[0]
    assert shown.warnings[0].startswith(shown.output["root_error"] + ";")
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
def test_a_folder_in_a_mount_is_distinguished_from_an_unmounted_one(directories, root, folder, bind) -> None:
    (folder / "other").mkdir()
    with mounted(root, *(["--bind", str(folder / "other")] if bind else ["-t", "tmpfs", "none"])):
        (root / "team").mkdir()
        at = {"path": str(root / "team"), "export": "/exports"}
        message = directories.run([EXPORTED], **at).output["msg"]
        assert f"nothing is mounted at {root}/team itself (it is inside the mount {root})" in message
        assert f"set `path` to {root} if that is the export" in message
        assert os.listdir(root / "team") == []
        assert directories.ok([EXPORTED], mounted=False, **at).actions() == {f"{root}/team/s": "create"}


@mounts
@pytest.mark.parametrize("bind", [False, True])
def test_an_export_that_is_not_mounted_is_not_filled(directories, root, folder, bind) -> None:
    shares = [EXPORTED]
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
def test_a_read_only_file_system_is_rejected_before_any_write(directories, root) -> None:
    (root / "s").mkdir(mode=0o700)
    with mounted(root, "--bind", str(root)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
        message = directories.refused([{"name": "s", "directory": "s"}, {"name": "t", "directory": "t"}])
    assert message.count("mounted read-only: mount it with `rw`") == 2
