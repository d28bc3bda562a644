"""A member of a share changes what is inside it: this is reported and left out, and the rest of the run continues."""

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.directories.desired import (
    RootDirectory,
    desired_directories,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.directories.model import DirectorySettings
from ansible_collections.odh.persistency.plugins.module_utils._core.directories.plan import plan_directories
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares
from ansible_collections.odh.persistency.plugins.module_utils._io.filesystem.executor import apply_plan
from ansible_collections.odh.persistency.plugins.module_utils._io.filesystem.tree import Tree
from ansible_collections.odh.persistency.plugins.module_utils._io.modules.share_directory import (
    read_directories,
    replan_in,
)

from tests.support.directories import as_root, attributes, mounted, mounts, snapshot
from tests.support.directory_fixtures import *  # noqa: F403

SHARE = {"name": "cases", "directory": "cases", "gid": 5000, "directories": ["a/deep", "b"]}
NEW = {"name": "new", "directory": "new", "directories": ["in"]}
FINE = {"new": "2770 0:0", "new/in": "2770 0:0", "cases": "2770 0:5000", "cases/b": "2770 0:5000"}


def link(place, outside):
    place.symlink_to(outside)


def link_to_the_share_itself(place, outside):
    place.symlink_to(".")


def file(place, outside):
    place.write_text("")


def closed_and_full(place, outside):
    place.mkdir(mode=0o000)
    os.chown(place, 77, 88)
    (place / "data").write_text("x")


def pipe(place, outside):
    os.mkfifo(place)


@as_root
@pytest.mark.parametrize("meddle", [link, link_to_the_share_itself, file, pipe, closed_and_full])
def test_a_listed_directory_that_a_member_replaced_is_left_out(directories, root, folder, meddle) -> None:
    outside = folder / "outside"
    (outside / "deep").mkdir(parents=True, mode=0o700)
    directories.ok([SHARE])
    (root / "cases" / "a" / "deep").rmdir()
    (root / "cases" / "a").rmdir()
    meddle(root / "cases" / "a", outside)
    os.rmdir(root / "cases" / "b")
    before = snapshot(outside)
    shown = directories.ok([SHARE, NEW], check=True)
    result = directories.ok([SHARE, NEW])
    assert result.actions() == shown.actions()
    assert attributes(root).items() >= FINE.items()
    assert snapshot(outside) == before
    (left,) = result.output["unreconcilable"]
    assert left["name"] == f"{root}/cases/a"
    assert "inside the share, where its members may change everything" in left["reason"]
    assert shown.output["unreconcilable"] == result.output["unreconcilable"]
    assert any(f"{root}/cases/a" in text for text in result.warnings)
    again = directories.ok([SHARE, NEW])
    assert again.changed is False
    assert again.output["unreconcilable"] == result.output["unreconcilable"]


@as_root
def test_what_a_member_filled_is_left_out_and_adopted_with_consent(directories, root) -> None:
    directories.ok([SHARE])
    for name in ("a", "b"):
        (root / "cases" / name).chmod(0o755)
        (root / "cases" / name / "data").write_text("x")
    left = directories.ok([SHARE]).output["unreconcilable"]
    assert {item["name"] for item in left} == {f"{root}/cases/a", f"{root}/cases/b"}
    assert directories.ok([SHARE], adopt=True).actions() == {item["name"]: "adopt" for item in left}


@as_root
def test_a_directory_that_is_swapped_after_the_plan_is_left_out(root, folder) -> None:
    outside = folder / "outside"
    outside.mkdir(mode=0o700)
    shares, errors = parse_shares(
        [{"level": "public", **SHARE}, {"level": "public", **NEW}], "shares", "/opt/app-root/src"
    )
    assert not errors
    desired = desired_directories(shares, RootDirectory(str(root)))
    settings = DirectorySettings(str(root))
    (root / "cases").mkdir()
    os.chown(root / "cases", 0, 5000)
    (root / "cases").chmod(0o2770)
    tree = Tree(str(root))
    plan = plan_directories(desired, *read_directories(tree, desired.directories), settings)
    (root / "cases" / "a").symlink_to(outside)
    outcome = apply_plan(tree, plan, replan_in(tree, settings))
    tree.close()
    assert outcome.failures == []
    left = [item.name for item in outcome.plan.unreconcilable]
    assert left == [f"{root}/cases/a", f"{root}/cases/a/deep"]
    assert attributes(root) == FINE
    assert os.listdir(outside) == []


@as_root
def test_an_error_inside_a_share_is_left_out(directories, root) -> None:
    directories.ok([{**SHARE, "directories": []}])
    fault = {"calls": ["mkdir"], "at": 1, "how": "EPERM"}  # as in an immutable directory
    result = directories.ok([SHARE], how={"fault": fault})
    left = {item["name"]: item["reason"] for item in result.output["unreconcilable"]}
    assert set(left) == {f"{root}/cases/a", f"{root}/cases/a/deep"}
    assert "cannot be created (Operation not permitted)" in left[f"{root}/cases/a"]
    assert attributes(root) == {"cases": "2770 0:5000", "cases/b": "2770 0:5000"}
    assert set(directories.ok([SHARE]).actions()) == set(left)


@as_root
@pytest.mark.parametrize("at", ["cases", "teams"])
def test_the_share_itself_and_what_is_above_it_still_reject(directories, root, folder, at) -> None:
    share = {"name": "cases", "directory": "cases" if at == "cases" else "teams/cases", "directories": ["a"]}
    (root / at).symlink_to(folder)
    assert "is a symbolic link, and links are never followed" in directories.refused([share, NEW])
    assert os.listdir(root) == [at]


@as_root
@mounts
def test_an_immutable_directory_inside_a_share_is_left_out(directories, root) -> None:
    with mounted(root, "-t", "tmpfs", "none"):
        directories.ok([{**SHARE, "directories": ["b"]}])
        if subprocess.run(["chattr", "+i", str(root / "cases" / "b")], capture_output=True).returncode:
            pytest.skip("this file system has no immutable directories")
        try:
            result = directories.ok([{**SHARE, "directories": ["b/inner"]}, NEW])
        finally:
            subprocess.run(["chattr", "-i", str(root / "cases" / "b")], check=True)
        assert [item["name"] for item in result.output["unreconcilable"]] == [f"{root}/cases/b/inner"]
        assert attributes(root).items() >= FINE.items()
