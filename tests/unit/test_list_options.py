"""Options for users and shares: lists, files, `retired`, `absent` and `overrides` as one list."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.options.shares import (
    require_shares,
    shares_given,
    shares_of,
)
from ansible_collections.odh.persistency.plugins.module_utils._io.options.users import Sources, users_given
from hypothesis import given
from hypothesis import strategies as st

HOME = {"home_path": "/opt/app-root/src", "mount_roots": []}
DATA = {"name": "data", "level": "private", "read": {"groups": ["analysts"]}, "size": "1Gi"}
MORE = {"name": "more", "level": "public"}

names = st.lists(st.sampled_from([f"share-{number}" for number in range(8)]), unique=True)


def shares(**params):
    errors: list[str] = []
    return shares_of({**HOME, **params}, errors), errors


def users(**params):
    errors: list[str] = []
    return Sources(params).specs(errors), errors


def placeless(specs):
    return [replace(spec, position="") for spec in specs]


@given(names, names, names)
def test_shares_that_are_retired_or_absent_are_the_same_as_entries_with_a_state(present, retired, absent):
    listed = [{"name": name, "level": "public"} for name in present]
    composed, errors = shares(shares=listed, retired=retired, absent=[{"name": name} for name in absent])
    by_hand = [{"name": name, "state": "retired"} for name in retired]
    by_hand += [{"name": name, "state": "absent"} for name in absent]
    expected, expected_errors = shares(shares=listed + by_hand)
    assert placeless(composed) == placeless(expected)
    assert len(errors) == len(expected_errors)
    assert bool(errors) == (len({*present, *retired, *absent}) < len(present) + len(retired) + len(absent))


@given(names, names, names)
def test_users_that_are_retired_or_absent_are_the_same_as_entries_with_a_state(present, retired, absent):
    composed, errors = users(users=present, retired=retired, absent=[{"name": name} for name in absent])
    by_hand = [{"name": name, "state": "retired"} for name in retired]
    by_hand += [{"name": name, "state": "absent"} for name in absent]
    expected, expected_errors = users(users=present + by_hand)
    assert bool(errors) == bool(expected_errors)
    if not errors:
        assert placeless(composed) == placeless(expected)


def test_positions_name_the_option():
    found, errors = shares(shares=[DATA], retired=["old"], absent=[{"name": "older", "namespaces": ["lab"]}])
    assert [(spec.name, spec.state, spec.position) for spec in found] == [
        ("data", None, "shares[0]"),
        ("old", "retired", "retired[0]"),
        ("older", "absent", "absent[0]"),
    ]
    assert found[2].namespaces == ("lab",)
    assert errors == []
    specs, errors = users(users=["ann"], retired=[{"name": "bob", "server": "gpu"}], absent=["carl"])
    assert [(spec.name, spec.server, spec.state, spec.position) for spec in specs] == [
        ("ann", "", None, "users[0]"),
        ("bob", "gpu", "retired", "retired[0]"),
        ("carl", "", "absent", "absent[0]"),
    ]
    assert errors == []


def test_what_is_on_two_lists_is_rejected(tmp_path):
    path = tmp_path / "shares.json"
    path.write_text(json.dumps([MORE]))
    _specs, errors = shares(shares=[DATA], shares_file=str(path), retired=["data"], absent=["more"])
    assert errors == [
        "retired[0] (data): the share is already listed at shares[0]: remove one of the two",
        "absent[0] (more): the share is already listed at shares.json[0]: remove one of the two",
    ]
    _users, errors = users(users=["ann"], retired=["ann"])
    assert errors == ["ann is in users[0] as present and in retired[0] as retired: keep one of the two"]


@pytest.mark.parametrize("option", ["retired", "absent"])
@pytest.mark.parametrize("value", ["ad", {"a": "d"}], ids=["text", "mapping"])
def test_a_text_is_not_a_list_of_letters(option, value):
    for found, errors in (shares(shares=[MORE], **{option: value}), users(users=["ann"], **{option: value})):
        assert len(found) == 1
        assert errors[0].startswith(f"{option} must be a list, not ")


def test_entries_of_a_wrong_type_are_rejected_at_their_position():
    _found, errors = shares(shares=[], retired=[7])
    assert errors[0].startswith("retired[0]: ")
    _users, errors = users(users=[], absent=[["ann"]])
    assert errors[0].startswith("absent[0]: ")


def test_overrides():
    found, errors = shares(shares=[DATA, MORE], overrides={"data": {"read": {"users": ["bob"]}, "size": None}})
    assert errors == []
    assert (found[0].read.users, found[0].read.groups, found[0].size) == (("bob",), (), None)
    assert found[0].level == "private"
    assert found[1] == shares(shares=[DATA, MORE])[0][1]
    _found, errors = shares(shares=[DATA], overrides={"dat": {}, "data": {"levle": "public"}})
    assert errors[0].startswith("overrides: dat is not a share in `shares` (did you mean `data`?)")
    assert errors[1].startswith("shares[0] (data): unknown key 'levle'")
    _found, errors = shares(shares=[DATA], overrides={"data": "5Gi"})
    assert errors == [
        "overrides must be a dictionary of dictionaries: write the name of a share, and below it the keys that differ"
    ]


@pytest.mark.parametrize("what", ["shares", "users"])
def test_what_counts_as_given(what):
    is_given = shares_given if what == "shares" else users_given
    assert not is_given({})
    assert not is_given({what: None, "retired": [], "absent": None})
    assert is_given({what: []})
    assert is_given({f"{what}_file": "file.yml"})
    assert is_given({"retired": ["a"]})
    assert is_given({"absent": ["a"]})
    assert users_given({"users_from": "hub"})


def test_shares_are_required():
    errors: list[str] = []
    require_shares({"shares": []}, errors)
    assert errors == []
    require_shares({"retired": []}, errors)
    assert errors == ["one of the following is required: shares, shares_file, retired, absent"]
