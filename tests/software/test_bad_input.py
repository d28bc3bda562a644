"""Bad input of the modules for software trees: one sentence with the option, the reason and the way out, and nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.software import BUILD_USER, Software, public_folder, remove


@pytest.fixture
def tree() -> Iterator[Software]:
    """An empty tree."""
    folder = public_folder()
    software = Software(folder, folder / "apps", folder / "tree")
    software.prefix.mkdir()
    software.make_tree()
    software.stack("easyconfigs: []\n")
    yield software
    remove(folder)


def rejected(tree: Software, **options: Any) -> str:
    """Return the message of a run that fails before it writes anything."""
    before = tree.files()
    result = tree.module("lmod_release", **options)
    assert result.failed
    assert tree.files() == before
    assert not result.changed
    message = str(result.msg)
    assert message.count(". Nothing was changed.") == 1, message
    assert "\n" not in message
    return message.replace(". Nothing was changed.", "").replace(str(tree.folder), "")


BACK = {"state": "rolled_back"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"prefix": "/opt/a;touch x"},
            "prefix: '/opt/a;touch x' has characters that a shell or a modulefile reads in another way: use letters, digits "
            "and `.`, `_`, `+`, `@`, `-`",
        ),
        ({"prefix": "/opt/../etc"}, "prefix: '/opt/../etc' has `..` in it: write the path that it leads to"),
        ({"prefix": "/"}, "prefix: `/` cannot be a software tree: set a directory such as /opt/apps"),
        ({"prefix": "/opt//apps/"}, "prefix: '/opt//apps/' is not in its shortest form: write /opt/apps"),
        (
            {"path": "/nowhere/apps"},
            "path: the directory /nowhere/apps does not exist on the host that runs the task: mount it",
        ),
        (
            {"path": "/usr"},
            "path: /usr is no software tree (it has no store, releases, locks): create it with lmod_tree",
        ),
        (
            {"prefix": "/nowhere/apps"},
            "prefix: the directory /nowhere/apps does not exist on the host that runs the task: ",
        ),
        ({"build_user": "nobody-of-this-host"}, "build_user: this host has no user nobody-of-this-host: create it"),
        (
            {"easybuild": "/usr/share"},
            "easybuild: /usr/share is no Python environment (it has no bin/python): install ",
        ),
        (
            {"release": "../../etc"},
            "release: '../../etc' is not a release: use an id such as 20261129T101500Z-0a1b2c3d, as lmod_release_info lists",
        ),
        (
            {"release": "20261129T101500Z-0a1b2c3d"},
            "release: the tree has no release 20261129T101500Z-0a1b2c3d: use one of its releases (none)",
        ),
        ({}, "release: /apps has no release before the current one: publish one first"),
        ({"state": "pruned", "keep": 0}, "keep: 0 is too small: set 1 or more"),
        ({"state": "pruned"}, "keep: set how many releases stay, such as 5"),
        (
            {"state": "pruned", "keep": 1, "minimum_age": "soon"},
            "minimum_age: 'soon' is not a time span: write a number and",
        ),
        ({"state": "promoted"}, "source: set the path of the tree whose release is promoted"),
        (
            {"state": "promoted", "source": "/usr"},
            "source: /usr is no software tree (it has no store, releases, locks): create",
        ),
        ({"state": "present"}, "stack, stack_file: set one of the two"),
        (
            {"state": "present", "stack": {"easyconfigs": [], "test": {}}},
            "stack: test: the key `test` is unknown (did you mean `tests`",
        ),
        ({"state": "present", "stack": {"easyconfigs": []}, "jobs": 0}, "jobs: 0 is too small: set 1 or more"),
    ],
    ids=str,
)
def test_one_sentence_and_nothing_touched(tree: Software, options: dict[str, Any], expected: str) -> None:
    message = rejected(tree, **{**BACK, **options})
    assert message.startswith(expected) or message.split("stack: ", 1)[-1].startswith(expected), message


def test_a_prefix_that_is_a_link(tree: Software) -> None:
    link = tree.folder / "link"
    link.symlink_to(tree.prefix)
    for prefix in (link, link / "below"):
        (tree.prefix / "below").mkdir(exist_ok=True)
        message = rejected(tree, **BACK, prefix=str(prefix))
        assert message.startswith(
            f"prefix: {str(prefix).replace(str(tree.folder), '')} is, or is below, a symbolic link to /apps"
        )


@pytest.mark.skipif(BUILD_USER is None, reason="only root can build as root")
def test_easybuild_never_runs_as_root(tree: Software) -> None:
    message = rejected(tree, build_user=None, stack_file=str(tree.stack_file))
    assert "root" in message
    assert "build_user" in message


def test_a_stack_for_another_easybuild(tree: Software) -> None:
    tree.stack("easybuild: 4.9.4\neasyconfigs: []\n")
    assert rejected(tree, stack_file=str(tree.stack_file)).startswith(
        "/stack.yml:1: the stack is for EasyBuild 4.9.4, and the environment has another major version, 5."
    )


def test_an_easyconfig_that_does_not_exist(tree: Software) -> None:
    tree.stack("easyconfigs:\n  - zlib-1.3.1.eb\n  - nothing-1.0.eb\n")
    message = rejected(tree, stack_file=str(tree.stack_file))
    assert message.startswith("/stack.yml:3: ")
    assert "nothing-1.0.eb" in message


def test_a_lmod_that_is_not_there(tree: Software) -> None:
    message = rejected(tree, stack_file=str(tree.stack_file), lmod_cmd="/no/lmod")
    assert message == "/no/lmod is no program that can be run: install Lmod, or correct `lmod_cmd`"


def test_the_current_release_cannot_be_pruned(tree: Software) -> None:
    """It is no way to ask for that, whatever is kept: the plan never has it."""
    release = tree.path / "releases/20261129T101500Z-0a1b2c3d"
    release.mkdir()
    (tree.path / "current").symlink_to(f"releases/{release.name}")
    message = rejected(tree, state="pruned", keep=1, minimum_age="0s")
    assert "has no readable manifest" in message
    assert Path(release).is_dir()


def test_a_tree_that_an_earlier_task_may_create_is_previewed_as_an_empty_one(tree: Software) -> None:
    options = {"stack": {"easyconfigs": ["bzip2-1.0.8.eb"]}, "easybuild_options": {"filter-deps": "binutils"}}
    result = tree.module("lmod_release", check=True, path=str(tree.folder / "later"), download=True, **options)
    assert not result.failed, result.output
    assert [change["name"] for change in result.changes] == ["bzip2/1.0.8", "bzip2/1.0.8", f"{tree.prefix}/current"]
    [warning] = result.warnings
    assert warning.startswith(f"path: the directory {tree.folder}/later does not exist")
    assert warning.endswith("; an earlier task may do that, so the plan is that for an empty tree")
    assert not (tree.folder / "later").exists()
