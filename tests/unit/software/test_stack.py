"""Stacks: what is accepted, and what is rejected with file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._core.software.placed import placed
from ansible_collections.odh.persistency.plugins.module_utils._core.software.stack import Stack
from ansible_collections.odh.persistency.plugins.module_utils._core.software.stack_parser import parse_stack
from ansible_collections.odh.persistency.plugins.module_utils._io.files.data_files import FileError
from ansible_collections.odh.persistency.plugins.module_utils._io.files.stack_file import read_stack
from hypothesis import given
from hypothesis import strategies as st


def parsed(folder: Path, text: str) -> tuple[Stack, list[str]]:
    """Return the stack in a file, and its errors without the folder."""
    file = folder / "stack.yml"
    file.write_text(text, encoding="utf-8")
    errors: list[str] = []
    stack = parse_stack(read_stack(str(file)), str(file), str(folder), errors)
    return stack, [error.replace(f"{folder}/", "") for error in errors]


def test_a_stack_with_all_keys(tmp_path: Path) -> None:
    stack, errors = parsed(
        tmp_path,
        """
easybuild: 5.10
robot_paths: [easyconfigs, /srv/easyconfigs/]
easyconfigs:
  - bzip2-1.0.8.eb
  - libffi-3.4.4.eb:
  - app-1.0.eb:
      options: {parallel: 1, from-pr: 123}
      optional: true
      default: true
      featured: yes
      tests:
        - app --version
tests:
  libffi/3.4.4: [test -e $EBROOTLIBFFI/lib]
collections:
  teaching: [bzip2/1.0.8, app/1.0]
""",
    )
    assert not errors
    assert stack.easybuild == "5.10"
    assert stack.robot_paths == (f"{tmp_path}/easyconfigs", "/srv/easyconfigs")
    assert [entry.easyconfig for entry in stack.entries] == ["bzip2-1.0.8.eb", "libffi-3.4.4.eb", "app-1.0.eb"]
    app = stack.entries[2]
    assert (app.optional, app.default, app.featured, app.tests) == (True, True, True, ("app --version",))
    assert app.where == f"{tmp_path}/stack.yml:7"
    assert [(tests.name, tests.values) for tests in stack.tests] == [("libffi/3.4.4", ("test -e $EBROOTLIBFFI/lib",))]
    assert [(one.name, one.values) for one in stack.collections] == [("teaching", ("bzip2/1.0.8", "app/1.0"))]
    assert yaml.safe_load(stack.easystack()) == {
        "easyconfigs": [
            "bzip2-1.0.8.eb",
            "libffi-3.4.4.eb",
            {"app-1.0.eb": {"options": {"parallel": 1, "from-pr": 123}}},
        ]
    }


def test_shapes_of_public_easystacks_are_accepted(tmp_path: Path) -> None:
    stack, errors = parsed(
        tmp_path,
        """\
# a comment
easyconfigs:
  - OpenMPI-4.1.5-GCC-12.3.0
  - CUDA-12.1.1.eb:
        options:
                accept-eula-for: CUDA
                robot: True
  - scikit-learn-1.3.1-gfbf-2023a.eb:
      # see a pull request
      options:
        from-commit: 4fc1d1dd8b4a1bd0e6d9bc8b7ad9a1d0b2b0d5a1
        include-easyblocks-from-pr: 3467
        parallel-extensions-install: False
  - Rust-1.70.0-GCCcore-12.3.0.eb:
      options: {rebuild: True}
  - /cvmfs/software.example.org/versions/2023.06/software/netCDF/4.9.0-gompi-2022b/easybuild/netCDF-4.9.0-gompi-2022b.eb
""",
    )
    assert not errors
    assert [entry.easyconfig for entry in stack.entries] == [
        "OpenMPI-4.1.5-GCC-12.3.0.eb",
        "CUDA-12.1.1.eb",
        "scikit-learn-1.3.1-gfbf-2023a.eb",
        "Rust-1.70.0-GCCcore-12.3.0.eb",
        "netCDF-4.9.0-gompi-2022b.eb",
    ]
    easystack = json.loads(stack.easystack())["easyconfigs"]
    assert easystack[1] == {"CUDA-12.1.1.eb": {"options": {"accept-eula-for": "CUDA"}}}
    assert easystack[3] == "Rust-1.70.0-GCCcore-12.3.0.eb"
    assert easystack[4].startswith("/cvmfs/software.example.org/")
    [warning] = stack.warnings
    assert warning.endswith(
        "stack.yml:15: the option `rebuild` has no effect: name the module in `rebuild` to build "
        "Rust-1.70.0-GCCcore-12.3.0.eb again"
    )


REJECTED = {
    "unknown key": (
        "easyconfigs: []\ncolections: {}\n",
        "stack.yml:2: the key `colections` is unknown (did you mean `collections`?): correct or remove it (a stack has ",
    ),
    "unknown key of an entry": (
        "easyconfigs:\n  - a-1.eb:\n      optinal: true\n",
        "stack.yml:3: the key `optinal` is unknown (did you mean `optional`?): correct or remove it (an easyconfig has "
        "options, optional, default, featured and tests)",
    ),
    "key twice": (
        "easyconfigs:\n  - a-1.eb:\n      optional: true\n      optional: false\n",
        "stack.yml:4: `optional` is here and in line 3: merge both into one",
    ),
    "duplicate": (
        "easyconfigs:\n  - a-1.eb\n  - b-1.eb\n  - a-1.eb:\n",
        "stack.yml:4: a-1.eb is here and in line 2: remove one of the two entries",
    ),
    "duplicate without extension": (
        "easyconfigs:\n  - a-1.eb\n  - a-1\n",
        "stack.yml:3: a-1.eb is here and in line 2: remove one of the two entries",
    ),
    "not a mapping": ("- a-1.eb\n", "stack.yml:1: the stack is a list, not a mapping: put it below `easyconfigs:`"),
    "old form": (
        "software:\n  bzip2: {}\n",
        "stack.yml:1: the stack has no `easyconfigs`; `software` is the form of EasyBuild 4.6 and older: list the easyconfigs "
        "below it, and `easyconfigs: []` for an empty tree",
    ),
    "no list": (
        "easyconfigs: a-1.eb\n",
        "stack.yml:1: `easyconfigs` is the text 'a-1.eb', not a list: begin each easyconfig with `- `",
    ),
    "wrong indentation": (
        "easyconfigs:\n  - a-1.eb:\n    optional: true\n",
        "stack.yml:2: the entry has `a-1.eb` and `optional`, not one easyconfig: write one easyconfig with a colon, and "
        "indent its keys below it by four spaces",
    ),
    "number": (
        "easyconfigs:\n  - 12\n",
        "stack.yml:2: the entry is the number 12, not an easyconfig: write its file name",
    ),
    "shell characters": (
        "easyconfigs:\n  - a-1;touch${IFS}x.eb\n",
        "stack.yml:2: the easyconfig 'a-1;touch${IFS}x.eb' is no file name of an easyconfig: write NAME-VERSION.eb, with "
        "letters, digits and `.`, `_`, `+`, `-`",
    ),
    "dots": (
        "easyconfigs:\n  - ../../etc/a-1.eb\n",
        "stack.yml:2: the easyconfig '../../etc/a-1.eb' has `..` in its path: write its file name, and its folder in "
        "`robot_paths` if EasyBuild does not know it",
    ),
    "flag": (
        "easyconfigs:\n  - a-1.eb:\n      default: '1'\n",
        "stack.yml:3: `default` is the text '1', not a boolean: write `default: true` at the easyconfig of the default "
        "version, or remove it",
    ),
    "tests": (
        "easyconfigs:\n  - a-1.eb:\n      tests: a --version\n",
        "stack.yml:3: `tests` is the text 'a --version', not a list: begin a command with `- `",
    ),
    "empty test": (
        "easyconfigs:\n  - a-1.eb:\n      tests: ['']\n",
        "stack.yml:3: `tests` has '', not a command: remove it",
    ),
    "tests of no module": (
        "easyconfigs: []\ntests:\n  a: [a]\n",
        "stack.yml:3: a key of `tests`, 'a' is no module: write NAME/VERSION, such as bzip2/1.0.8",
    ),
    "location": (
        "easyconfigs:\n  - a-1.eb:\n      options:\n        installpath: /my/own\n",
        "stack.yml:4: the option `installpath` of a-1.eb decides where or whether EasyBuild installs, and so does the "
        "release: remove it",
    ),
    "toolchain": (
        "easyconfigs:\n  - a-1.eb:\n      options: {try-software-version: 2}\n",
        "stack.yml:3: the option `try-software-version` of a-1.eb is for a run of `eb` by hand, and changes which easyconfig "
        "that is, or builds nothing: write an easyconfig of its own, or remove it",
    ),
    "search": (
        "easyconfigs:\n  - a-1.eb:\n      options: {disable-search: true}\n",
        "stack.yml:3: the option `disable-search` of a-1.eb is for a run of `eb` by hand",
    ),
    "option with dashes": (
        "easyconfigs:\n  - a-1.eb:\n      options: {'--x y': 1}\n",
        "stack.yml:3: '--x y' is no option of EasyBuild: write the long name without dashes in front",
    ),
    "version": (
        "easybuild: latest\neasyconfigs: []\n",
        "stack.yml:1: `easybuild` is the text 'latest', not a version: write the version, such as 5.4.1",
    ),
    "collection": (
        "easyconfigs: []\ncollections:\n  my col: [a/1]\n",
        "stack.yml:3: 'my col' is no name of a collection: write letters, digits, `_` and `-`",
    ),
    "module of a collection": (
        "easyconfigs: []\ncollections:\n  mine: ['a/1;x']\n",
        "stack.yml:3: in the collection mine, 'a/1;x' is no module: write NAME/VERSION, such as bzip2/1.0.8",
    ),
}


@pytest.mark.parametrize("case", REJECTED)
def test_rejected_with_file_and_line(case: str, tmp_path: Path) -> None:
    text, expected = REJECTED[case]
    _stack, [error] = parsed(tmp_path, text)
    assert error.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("easyconfigs: [\n", "stack.yml:2: this is not plain YAML ("),
        ("a: &a [*a]\n", "stack.yml:1: this contains itself through an alias: write it without the alias"),
        ("# nothing\n", "stack.yml: the stack has nothing but comments: write `easyconfigs: []` for an empty tree"),
        ("easyconfigs: [2026-02-31]\n", "stack.yml:1: this cannot be read ("),
        ("easyconfigs: !!int ''\n", "stack.yml:1: this cannot be read ("),
        ("easyconfigs: [!!bool x]\n", "stack.yml:1: this cannot be read ("),
        (
            "easyconfigs:\n  - a-1.eb: &a {optional: true}\n  - b-1.eb: {<<: *a}\n",
            "stack.yml:3: the stack cannot merge mappings with `<<`: write their keys here",
        ),
        (
            "easyconfigs: !secret |\n  x\n",
            "stack.yml:1: this cannot be read (could not determine a constructor for the tag '!secret'): put it in quotes",
        ),
    ],
)
def test_unreadable_files_are_rejected(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        parsed(tmp_path, text)
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(expected)


def test_all_errors_come_at_once(tmp_path: Path) -> None:
    _stack, errors = parsed(tmp_path, "easyconfigs:\n  - 1\n  - a b\n  - c-1.eb: [x]\nfoo: 1\n")
    assert [error.split(":")[1] for error in errors] == ["5", "2", "3", "4"]


def test_a_stack_of_the_inventory_has_the_path_of_each_value() -> None:
    errors: list[str] = []
    parse_stack(placed({"easyconfigs": ["a-1.eb", {"b-1.eb": {"optionl": 1}}]}, "stack"), "stack", None, errors)
    [error] = errors
    assert error.startswith(
        "stack: easyconfigs[1].b-1.eb.optionl: the key `optionl` is unknown (did you mean `optional`?)"
    )


@pytest.mark.parametrize(
    "option", ["dump-env-script", "search-filename", "software-name", "toolchain", "toolchain-version", "try-amend"]
)
def test_options_of_a_run_by_hand_are_rejected(option: str, tmp_path: Path) -> None:
    _stack, [error] = parsed(tmp_path, f"easyconfigs:\n  - a-1.eb:\n      options: {{{option}: x}}\n")
    assert error.startswith(f"stack.yml:3: the option `{option}` of a-1.eb is for a run of `eb` by hand")


_KEYS = st.sampled_from(
    ["easyconfigs", "easybuild", "robot_paths", "tests", "collections", "options", "optional", "a-1.eb", "b", "x y"]
)
_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("a-1.eb"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(_VALUES)
def test_any_data_gives_errors_or_an_easystack(data: Any) -> None:
    errors: list[str] = []
    stack = parse_stack(placed(data, "stack"), "stack", None, errors)
    assert all("\n" not in error and error.startswith("stack") for error in errors)
    assert all(isinstance(item, (str, dict)) for item in yaml.safe_load(stack.easystack())["easyconfigs"])
