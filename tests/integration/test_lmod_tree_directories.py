"""`lmod_tree` and the directories of a tree on the host that runs it; no cluster."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.directories import as_root, attributes, mounted, mounts, open_folder, snapshot
from tests.support.modules import Result, Running

SKELETON = ["locks", "releases", "store"]
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def folder() -> Iterator[Path]:
    """The directory of a tree, which belongs to nobody."""
    with open_folder() as made:
        tree = made / "apps"
        tree.mkdir(mode=0o755)
        if os.geteuid() == 0:
            os.chown(tree, NOBODY.pw_uid, NOBODY.pw_gid)
        yield tree


def run(folder: Path, check: bool = False, **options: Any) -> Result:
    return Running("lmod_tree", {"path": str(folder), **options}, {**os.environ, "HOME": "/tmp"}, check, True).wait()


def ok(folder: Path, **options: Any) -> Result:
    result = run(folder, **options)
    assert not result.failed, result.output.get("msg")
    return result


def refused(folder: Path, **options: Any) -> str:
    before = snapshot(folder) if folder.is_dir() else {}
    result, shown = run(folder, **options), run(folder, check=True, **options)
    assert result.failed, result.output
    assert shown.output.get("msg") == result.output["msg"]
    assert not before or snapshot(folder) == before
    return str(result.output["msg"])


@pytest.mark.parametrize("user", [None, pytest.param("nobody", marks=as_root)])
def test_the_skeleton_and_nothing_else(folder: Path, user: str | None) -> None:
    options = {"build_user": user, "mode": "0755"}
    shown = run(folder, check=True, **options)
    assert os.listdir(folder) == []
    made = ok(folder, **options)
    assert made.changed
    assert made.changes == shown.changes
    assert made.output["diff"] == shown.output["diff"]
    assert sorted(os.listdir(folder)) == SKELETON
    owner = f"{NOBODY.pw_uid}:{NOBODY.pw_gid}" if user else f"{os.geteuid()}:{os.getegid()}"
    assert attributes(folder) == dict.fromkeys(SKELETON, f"0755 {owner}")
    before = snapshot(folder)
    again = ok(folder, **options)
    assert not again.changed
    assert again.changes == []
    assert snapshot(folder) == before


@as_root
def test_the_build_user_makes_it_so_it_must_be_able_to_write_there(folder: Path) -> None:
    os.chown(folder, 0, 0)
    message = refused(folder, build_user="nobody")
    assert f"path: nobody may not write in {folder}, and publishes releases there" in message


@as_root
def test_existing_directories_of_somebody_else_take_consent(folder: Path) -> None:
    store = folder / "store"
    store.mkdir(mode=0o700)
    (store / "bzip2").mkdir()
    os.chown(store, NOBODY.pw_uid, NOBODY.pw_gid)
    message = refused(folder, build_user="nobody")
    assert f"{store} (software tree software) has content ('bzip2') and is 0700" in message
    assert "set `adopt: true`" in message
    assert "set `mode`, `group` and `build_user` to what it has" in message
    assert ok(folder, build_user="nobody", adopt=True).changed
    assert attributes(folder)["store"] == f"0755 {NOBODY.pw_uid}:{NOBODY.pw_gid}"


def test_a_store_that_is_a_link_is_rejected(folder: Path, tmp_path: Path) -> None:
    (folder / "store").symlink_to(tmp_path)
    message = refused(folder)
    assert f"{folder}/store (software tree software) is a symbolic link, not a directory: move it away" in message


def test_nothing_is_created_below_a_mount_point_without_its_mount(folder: Path) -> None:
    nfs = {"type": "nfs", "server": "nas.example.org", "path": "/exports/apps"}
    result = run(folder, backend=nfs)
    assert result.failed
    assert f"nothing is mounted at {folder}" in result.output["msg"]
    assert os.listdir(folder) == []
    assert "nothing is mounted at" in " ".join(run(folder, check=True, backend=nfs).warnings)
    assert ok(folder, backend=nfs, mounted=False).changed


@mounts
def test_a_read_only_mount_is_rejected(folder: Path) -> None:
    with mounted(folder, "-t", "tmpfs", "-o", "ro", "none"):
        assert "is on a file system that is mounted read-only" in refused(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"build_user": "no-such-user"}, "build_user: this host has no user no-such-user"),
        ({"group": "no-such-group"}, "group: this host has no group no-such-group"),
        ({"mode": "0055"}, "mode: '0055' is not the mode of a directory that its owner can use"),
        ({"mode": "rwx"}, "mode: 'rwx' is not the mode"),
        ({"prefix": "/opt/../apps"}, "prefix: '/opt/../apps' contains `..`"),
        ({"prefix": "opt"}, "prefix: "),
        ({"path": "/"}, "path: / is the root of the file system"),
        ({"path": None, "adopt": True}, "adopt: it is about the directory of the tree on this host"),
    ],
    ids=str,
)
def test_bad_input_is_one_sentence_each(folder: Path, options: dict[str, Any], message: str) -> None:
    assert message in refused(folder, **options)
