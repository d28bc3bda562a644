"""Files of users: the three formats, and a sentence for each possible error."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.spec import UserSpec, parse_users
from ansible_collections.odh.persistency.plugins.module_utils._io.files import data_files
from ansible_collections.odh.persistency.plugins.module_utils._io.files.data_files import FileError
from ansible_collections.odh.persistency.plugins.module_utils._io.files.user_files import load_users_file

YAML_USERS = """\
# the analysts
- ann

- name: bob
  server: lab
  size: 20Gi
  labels: {team: red}
- {name: 'eve', annotations: {note: "a, b"}}
"""

CSV_USERS = """\
name,server,size,label:team,annotation:note
ann,,,,

bob,lab,20Gi,red,
eve,,,,"a, b"
"""


def write(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def entries_in(path: str) -> list[UserSpec]:
    entries, refusals = parse_users(load_users_file(path), os.path.basename(path))
    assert refusals == []
    return entries


def sentence_for(path: str) -> str:
    with pytest.raises(FileError) as caught:
        load_users_file(path)
    sentence = str(caught.value)
    assert path in sentence
    assert "\n" not in sentence
    assert not sentence.endswith(".")
    return sentence


def test_the_three_formats_are_equivalent(tmp_path: Path) -> None:
    listed = [
        "ann",
        {"name": "bob", "server": "lab", "size": "20Gi", "labels": {"team": "red"}},
        {"name": "eve", "annotations": {"note": "a, b"}},
    ]
    found = {}
    for name, content in {
        "users.json": json.dumps(listed),
        "mapping.json": json.dumps({"users": listed}),
        "users.yml": YAML_USERS,
        "users.YAML": "users:\n" + re.sub("^", "  ", YAML_USERS, flags=re.MULTILINE),
        "users.csv": CSV_USERS,
        "bom.csv": b"\xef\xbb\xbf" + CSV_USERS.replace("\n", "\r\n").encode(),
        "semicolons.csv": CSV_USERS.replace('"a, b"', "A").replace(",", ";").replace("A", "a, b"),
    }.items():
        found[name] = entries_in(write(tmp_path, name, content))
    plain = {
        name: [(e.name, e.server, e.size, dict(e.labels), dict(e.annotations)) for e in entries]
        for name, entries in found.items()
    }
    desired = [
        ("ann", "", None, {}, {}),
        ("bob", "lab", "20Gi", {"team": "red"}, {}),
        ("eve", "", None, {}, {"note": "a, b"}),
    ]
    assert plain == dict.fromkeys(plain, desired)
    assert [entry.position for entry in found["users.json"]] == ["users.json[0]", "users.json[1]", "users.json[2]"]
    assert [entry.position for entry in found["users.yml"]] == [
        "users.yml line 2",
        "users.yml line 4",
        "users.yml line 8",
    ]
    assert [entry.position for entry in found["users.YAML"]] == [
        "users.YAML line 3",
        "users.YAML line 5",
        "users.YAML line 9",
    ]
    assert [entry.position for entry in found["bom.csv"]] == ["bom.csv line 2", "bom.csv line 4", "bom.csv line 5"]


def test_yaml_without_the_c_library_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "users.yml", YAML_USERS)
    fast = entries_in(path)
    monkeypatch.delattr(data_files.yaml, "CSafeLoader", raising=False)
    assert entries_in(path) == fast


def test_yaml_without_pyyaml_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_files, "YAML_ERROR", ImportError("No module named yaml"))
    with pytest.raises(FileError, match="PyYAML"):
        load_users_file(write(tmp_path, "users.yml", YAML_USERS))
    assert load_users_file(write(tmp_path, "users.json", "[]")) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("u.json", "[]"),
        ("u.json", ' {"users": []}\n'),
        ("u.yml", "[]"),
        ("u.yml", "users: []\n"),
        ("u.csv", "name,size\n"),
    ],
)
def test_an_explicitly_empty_file_of_users_is_an_empty_list(tmp_path: Path, name: str, content: str) -> None:
    assert load_users_file(write(tmp_path, name, content)) == []


@pytest.mark.parametrize("name", ["u.json", "u.yml", "u.csv"])
@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_not_an_empty_list(tmp_path: Path, name: str, content: bytes) -> None:
    assert "is empty" in sentence_for(write(tmp_path, name, content))


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("users.txt", "ann", ["extension .txt", ".json, .yml, .yaml, .csv"]),
        ("users", "ann", ["extension (none)"]),
        ("u.json", '["ann",\n "bob"', ["not valid JSON at line 2, column 7"]),
        ("u.json", '[{"name": "bob", "size": "1Gi", "size": "2Gi"}]', ["'size' twice in the item of 'bob'"]),
        ("u.json", '{"users": [], "users": ["a"]}', ["'users' twice"]),
        ("u.json", "[" * 100_000, ["cannot be read"]),
        ("u.json", '{"user": ["a"]}', ["'user'", "did you mean `users`?"]),
        ("u.json", '{"ann": {}, "bob": {}}', ["'ann' and 'bob'", "put it below `users:`"]),
        ("u.json", "{}", ["no key at all"]),
        ("u.json", '{"users": ["a"], "groups": []}', ["more than the key `users`", "'groups'"]),
        ("u.json", '{"users": {"ann": {}}}', ["a mapping, not a list"]),
        ("u.json", '{"users": null}', ["nothing (null), not a list"]),
        ("u.json", '"ann"', ["a text, not a list"]),
        ("u.json", "7", ["type int"]),
        ("u.yml", "# nobody yet\n", ["nothing but comments", "`[]`"]),
        ("u.yml", "- ann\n- {name: bob\n", ["not plain YAML at line 3"]),
        ("u.yml", "- ann\n---\n- bob\n", ["not plain YAML at line 2"]),
        ("u.yml", "- !!python/object/apply:os.system [true]\n", ["not plain YAML at line 1", "constructor"]),
        ("u.yml", "- !vault |\n  abc\n", ["!vault"]),
        ("u.yml", "- name: bob\n  size: 1Gi\n  size: 2Gi\n", ["'size' twice, the second time at line 3"]),
        ("u.yml", "- name: bob\n  labels:\n    a: b\n    a: c\n", ["'a' twice, the second time at line 4"]),
        ("u.yml", "users: []\nusers: [a]\n", ["'users' twice"]),
        ("u.yml", "- 2026-02-31\n", ["in quotes"]),
        ("u.yml", "- !!int ''\n", ["a value that YAML cannot read", "in quotes"]),
        ("u.yml", "- !!float ''\n", ["a value that YAML cannot read", "in quotes"]),
        ("u.yml", "- !!bool x\n", ["a value that YAML cannot read", "in quotes"]),
        ("u.yml", "- !!timestamp x\n", ["a value that YAML cannot read", "in quotes"]),
        ("u.yml", "ann: 1\n", ["without the key `users`"]),
        ("u.yml", "- a\x00b\n", ["not plain YAML"]),
        ("u.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", ["encrypted with Ansible Vault", "pass its content to `users`"]),
        ("u.csv", "name,sise,Server\nann,1,\n", ["'sise' (did you mean `size`?)", "'Server' (did you mean `server`?)"]),
        ("u.csv", "ann\nbob\n", ["unknown column 'ann'", "no column `name`", "line 1"]),
        ("u.csv", "size\n1Gi\n", ["no column `name`"]),
        ("u.csv", "name,name\na,b\n", ["'name' twice"]),
        ("u.csv", "name,label:\na,b\n", ["unknown column 'label:'", "label:KEY"]),
        ("u.csv", "name,size\nann\nbob,1Gi,x\n", ["2 fields in its header", "1 in line 2", "3 in line 3"]),
        ("u.csv", 'name,size\nann,"1Gi\nbob,2Gi\n', ["starts at line 2"]),
        ("u.csv", 'name,size\n"ann"x,1Gi\n', ["starts at line 2"]),
        ("u.csv", b"name\nann\njos\xe9\n", ["byte 12 is 0xe9, in line 3", "UTF-8"]),
        ("u.csv", b"\xef\xbb\xbfname\n\xe9\n", ["byte 8 is 0xe9, in line 2"]),
        ("u.csv", "name\nann\n".encode("utf-16"), ["UTF-16"]),
    ],
)  # fmt: skip
def test_an_invalid_file_is_rejected_in_one_sentence(
    tmp_path: Path, name: str, content: str | bytes, parts: list[str]
) -> None:
    sentence = sentence_for(write(tmp_path, name, content))
    for part in parts:
        assert part in sentence


def test_what_is_not_a_file(tmp_path: Path) -> None:
    assert "does not exist" in sentence_for(str(tmp_path / "nowhere.json"))
    (tmp_path / "folder.json").mkdir()
    assert "is a directory" in sentence_for(str(tmp_path / "folder.json"))
    os.mkfifo(tmp_path / "pipe.csv")
    assert "not a regular file" in sentence_for(str(tmp_path / "pipe.csv"))
    with pytest.raises(FileError, match="not a valid path"):
        load_users_file("a\0b.json")


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path, "users.json", "[]")
    os.chmod(path, 0)
    user = os.geteuid()
    if user == 0:  # whom no mode keeps out
        os.seteuid(65534)
    try:
        sentence = sentence_for(path)
    finally:
        os.seteuid(user)
    assert "may not be read" in sentence


def test_errors_in_the_content_name_the_line(tmp_path: Path) -> None:
    csv_path = write(tmp_path, "u.csv", 'name,size\nann,"1\n0Gi"\nbob ,\n,5Gi\nann,\n,\n')
    _entries, refusals = parse_users(load_users_file(csv_path), "u.csv")
    assert [refusal.split(":")[0] for refusal in refusals] == ["u.csv line 4", "u.csv line 5", "u.csv line 6"]
    assert "'bob '" in refusals[0]
    assert "the name is empty" in refusals[1]
    assert "listed already at u.csv line 2" in refusals[2]
    yaml_path = write(tmp_path, "u.yml", "- 123\n\n- no\n- 2026-01-02\n- ~\n")
    _entries, refusals = parse_users(load_users_file(yaml_path), "u.yml")
    assert [refusal.split(":")[0] for refusal in refusals] == [f"u.yml line {line}" for line in (1, 3, 4, 5)]
    assert all("quotes" in refusal for refusal in refusals)


def test_a_yaml_list_by_alias(tmp_path: Path) -> None:
    path = write(tmp_path, "u.yml", "- &big {name: ann, labels: &l {a: b}}\n- {name: bob, labels: *l}\n")
    assert [(entry.name, dict(entry.labels)) for entry in entries_in(path)] == [
        ("ann", {"a": "b"}),
        ("bob", {"a": "b"}),
    ]
    again = write(tmp_path, "loop.yml", "&me\n- ann\n- *me\n")
    assert len(parse_users(load_users_file(again), "loop.yml")[1]) == 1
