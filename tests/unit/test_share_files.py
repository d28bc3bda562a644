"""Files of shares and groups, and the options that name them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.files.data_files import FileError
from ansible_collections.odh.persistency.plugins.module_utils._io.files.share_files import (
    load_groups_file,
    load_shares_file,
)
from ansible_collections.odh.persistency.plugins.module_utils._io.options.shares import groups_of, shares_of

SHARES = """\
# the shares
shares:
  - name: a
    level: public
    read: {groups: [staff]}

  - name: b
    level: private
"""
PATHS = {"home_path": "/home/jovyan", "mount_roots": []}


def write(folder: Path, name: str, content: str) -> str:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return str(path)


def shares_in(**params: Any) -> tuple[list[Any], list[str]]:
    faults: list[str] = []
    return shares_of({**PATHS, **params}, faults), faults


def groups_in(**params: Any) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    faults: list[str] = []
    return groups_of(params, faults), faults


def test_shares_of_both_sources_with_their_places(tmp_path: Path) -> None:
    path = write(tmp_path, "shares.yml", SHARES)
    entries, faults = shares_in(shares=[{"name": "c", "level": "secret"}], shares_file=path)
    assert faults == []
    assert [(entry.name, entry.position) for entry in entries] == [
        ("c", "shares[0]"),
        ("a", "shares.yml line 3"),
        ("b", "shares.yml line 7"),
    ]
    assert entries[0].mount_path == "/home/jovyan/c"


def test_a_share_in_both_sources_is_rejected_with_both_positions(tmp_path: Path) -> None:
    path = write(tmp_path, "shares.yml", SHARES)
    _entries, (fault,) = shares_in(shares=[{"name": "b", "level": "public"}], shares_file=path)
    assert "shares.yml line 7" in fault
    assert "shares[0]" in fault


def test_no_source_is_no_share() -> None:
    assert shares_in() == ([], [])
    assert groups_in() == ({}, [])


@pytest.mark.parametrize(
    ("name", "content", "desired"),
    [
        ("g.json", '{"staff": ["bob", "ann"], "none": []}', {"staff": ("ann", "bob"), "none": ()}),
        ("g.json", '{"groups": {"staff": ["ann"]}}', {"staff": ("ann",)}),
        ("g.json", '{"groups": [{"name": "staff", "users": ["ann"]}]}', {"staff": ("ann",)}),
        ("g.json", '[{"name": "staff", "users": ["ann"]}]', {"staff": ("ann",)}),
        ("g.yml", "groups: [ann, bob]\n", {"groups": ("ann", "bob")}),
        ("g.yml", "staff: [ann]\nnone: []\n", {"staff": ("ann",), "none": ()}),
        ("g.yml", "groups:\n  staff: [ann]\n", {"staff": ("ann",)}),
        ("g.yml", "{}", {}),
        ("g.csv", "group,user\nstaff,ann\n/a/x,ann\nstaff,bob\n", {"staff": ("ann", "bob"), "/a/x": ("ann",)}),
        ("g.csv", "user;group\nann;staff\n", {"staff": ("ann",)}),
        ("g.csv", "group,user\n", {}),
    ],
)
def test_groups_in_their_forms(tmp_path: Path, name: str, content: str, desired: dict[str, Any]) -> None:
    assert groups_in(groups_file=write(tmp_path, name, content)) == (desired, [])


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("g.yml", "staff: [ann]\nstaff: [bob]\n", "'staff' twice, the second time at line 2"),
        ("g.yml", "groups:\n  staff: [ann]\n  staff: [bob]\n", "'staff' twice, the second time at line 3"),
        ("g.json", '{"staff": ["ann"], "staff": []}', "'staff' twice"),
        ("g.yml", "just text", "a mapping of groups"),
        ("g.yml", "# nothing\n", "`{}` if there are no groups"),
        ("g.csv", "group,name\nstaff,ann\n", "'name' is unknown"),
        ("g.csv", "group,user\nstaff,\n", "line 2"),
        ("g.csv", "group,user\nstaff,ann,x\n", "line 2"),
        ("g.csv", 'group,user\n"staff"x,ann\n', "not valid CSV in the row that starts at line 2"),
        ("g.txt", "x", "extension .txt"),
        ("g.json", "", "is empty"),
    ],
)
def test_an_invalid_groups_file_is_rejected_in_one_sentence(tmp_path: Path, name: str, content: str, part: str) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(FileError) as caught:
        load_groups_file(path)
    assert part in str(caught.value)
    assert path in str(caught.value)
    _groups, (fault,) = groups_in(groups_file=path)
    assert fault == str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("s.csv", "name,level\n", "extension .csv"),
        ("s.yml", "shares:\n  - name: a\n    read:\n      users: [x]\n      users: [y]\n", "'users' twice"),
        ("s.yml", "share: []\n", "did you mean `shares`?"),
        ("s.yml", "shares: {a: {}}\n", "a list of shares"),
        ("s.json", json.dumps({"shares": [], "groups": {}}), "more than the key `shares`"),
        ("s.yml", "- {name: a, until: 2027-02-31}\n", "put dates and numbers in quotes"),
    ],
)
def test_an_invalid_shares_file_is_rejected_in_one_sentence(tmp_path: Path, name: str, content: str, part: str) -> None:
    with pytest.raises(FileError) as caught:
        load_shares_file(write(tmp_path, name, content))
    assert part in str(caught.value)


def test_a_group_in_both_sources_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path, "g.json", '{"staff": ["ann"], "more": ["bob"]}')
    _groups, (fault,) = groups_in(groups={"staff": ["bob"]}, groups_file=path)
    assert "the group staff is defined in `groups` and in g.json" in fault
