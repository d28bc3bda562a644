"""Lists of an inventory, overrides, and the variables of a role."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.inventory import (
    entries_with_state,
    list_error,
    names_of,
    overridden,
    override_errors,
    overrides_error,
    repeated_names,
    role_errors,
    unknown_variables,
)
from hypothesis import given
from hypothesis import strategies as st

# Names that templates, JSON and regular expressions could each spoil.
ODD = ['o\'neil "q" \\1 é', "{{ name }}", "{", "[1]", "null", "true", "1", "a\nb", "^.*$"]
KNOWN = ["shares_list", "shares_overrides", "shares_retention", "shares_retired", "shares_absent"]
RESULTS = ["shares_report"]


def errors_of(names=(), **values):
    empty = {"shares_list": [], "shares_retired": [], "shares_absent": [], "shares_overrides": {}}
    return role_errors(names, "shares", KNOWN, RESULTS, {**empty, **values})


@pytest.mark.parametrize("value", [None, "", [], (), {}, ["a"], ("a",)])
def test_lists(value):
    assert list_error(value, "retired") is None


@pytest.mark.parametrize(
    ("value", "what"),
    [("ab", "the text 'ab'"), ({"a": "b"}, "a mapping"), (7, "the number 7"), (True, "the boolean `true`")],
)
def test_what_is_not_a_list_gives_no_entries(value, what):
    """`-e shares_absent=ab` must not delete the shares a and b."""
    errors: list[str] = []
    assert entries_with_state(value, "absent", "absent", errors) == []
    assert len(errors) == 1
    assert errors[0].startswith(f"absent must be a list, not {what}: ")


def test_names_and_mappings_get_the_state():
    errors: list[str] = []
    entries = [
        "ann",
        {"name": "bob", "server": "gpu"},
        {"name": "carl", "state": "retired"},
        {"name": "d", "state": None},
    ]
    assert entries_with_state(entries, "retired", "retired", errors) == [
        {"name": "ann", "state": "retired"},
        {"name": "bob", "server": "gpu", "state": "retired"},
        {"name": "carl", "state": "retired"},
        {"name": "d", "state": "retired"},
    ]
    assert errors == []


def test_another_state_is_an_error():
    errors: list[str] = []
    entries_with_state(["x", {"name": "bob", "state": "present"}, {"state": "retired"}], "absent", "absent", errors)
    assert errors == [
        "absent[1] (bob) has `state: present`, but the entries of absent are absent: remove `state` from the entry, or move "
        "the entry to another list",
        "absent[2] (no name) has `state: retired`, but the entries of absent are absent: remove `state` from the entry, or "
        "move the entry to another list",
    ]


def test_what_is_neither_a_name_nor_a_mapping_is_left_to_the_parser():
    errors: list[str] = []
    assert entries_with_state([1, None, ["a"]], "retired", "retired", errors) == [1, None, ["a"]]
    assert errors == []


@given(st.lists(st.text() | st.sampled_from(ODD)))
def test_any_name_is_kept_as_it_is(names):
    errors: list[str] = []
    found = entries_with_state(names, "retired", "retired", errors)
    assert [entry["name"] for entry in found] == names
    assert {entry["state"] for entry in found} <= {"retired"}
    assert errors == []


def test_an_override_replaces_keys_completely_and_leaves_the_list_alone():
    shares = [{"name": "a", "read": {"users": ["ann"], "groups": ["all"]}, "size": "1Gi"}, {"name": "b"}, "c"]
    before = [dict(share) if isinstance(share, dict) else share for share in shares]
    found = overridden(shares, {"a": {"read": {"users": ["bob"]}, "until": None}})
    assert found == [{"name": "a", "read": {"users": ["bob"]}, "size": "1Gi", "until": None}, {"name": "b"}, "c"]
    assert shares == before


keys = st.dictionaries(st.sampled_from(["size", "read", "level", "state"]), st.none() | st.text(max_size=3))
entries = st.lists(st.fixed_dictionaries({"name": st.sampled_from(ODD)}, optional={"size": st.text(max_size=3)}))


@given(entries, st.dictionaries(st.sampled_from(ODD), keys))
def test_overrides_change_what_they_name_and_nothing_else(shares, overrides):
    found = overridden(shares, overrides)
    assert [entry["name"] for entry in found] == [share["name"] for share in shares]
    for share, entry in zip(shares, found):
        assert entry == {**share, **overrides.get(share["name"], {})}
    unknown = set(overrides) - {share["name"] for share in shares}
    assert len(override_errors(names_of(shares), overrides, "overrides", "shares")) == len(unknown)


@pytest.mark.parametrize("value", [None, {}, "", {"a": {}}, {"a": {"size": "1Gi"}}])
def test_overrides(value):
    assert overrides_error(value, "overrides") is None


@pytest.mark.parametrize("value", ["a", [{"a": {}}], {"a": "5Gi"}, {"a": {}, "b": None}])
def test_what_is_not_a_dictionary_of_dictionaries(value):
    assert (overrides_error(value, "overrides") or "").startswith("overrides must be a dictionary of dictionaries: ")


def test_override_of_an_unknown_share_and_of_a_name():
    assert override_errors(["data", "more"], {"dat": {}, "more": {"name": "less"}}, "overrides", "`shares`") == [
        "overrides: dat is not a share in `shares` (did you mean `data`?): correct the name (it has data, more), or add a "
        "share that only this environment has to a list of its own",
        "overrides: more sets `name`, but a share with another name is another share: remove `name`",
    ]
    assert "(it has none)" in override_errors([], {"a": {}}, "overrides", "`shares`")[0]


def test_names_on_several_lists():
    lists = {
        "shares_list": [{"name": "a"}, {"name": "b"}, {}],
        "shares_retired": ["a", "c"],
        "shares_absent": ["c", "a"],
    }
    assert repeated_names(lists) == [
        "a is on shares_list, shares_retired and shares_absent: remove it from all but one",
        "c is on shares_retired and shares_absent: remove it from all but one",
    ]
    assert repeated_names({"shares_list": ["a", "a"]}) == []


def test_unknown_variables_are_named_with_the_nearest_known_one():
    found = unknown_variables(
        ["shares_list", "shares_retentoin", "shares_report", "shares_zzz"], "shares", KNOWN, RESULTS
    )
    assert len(found) == 2
    assert found[0].startswith(
        "shares_retentoin is not a variable of the role shares (did you mean `shares_retention`?): correct it, or rename a "
        "variable of your own (the role has shares_absent, shares_list, "
    )
    assert "shares_report" not in found[0]
    assert found[1].startswith("shares_zzz is not a variable of the role shares: ")


def test_everything_is_reported_at_once():
    found = errors_of(
        ["shares_lits"],
        shares_list=[{"name": "a"}],
        shares_retired=["a", {"name": "b", "state": "absent"}],
        shares_overrides={"c": {}},
    )
    assert len(found) == 4
    for error, start in zip(
        found, ["shares_lits is not", "shares_retired[1] (b) has", "shares_overrides: c is not", "a is on"]
    ):
        assert error.startswith(start)
    assert errors_of(KNOWN + RESULTS, shares_list=[{"name": "a"}], shares_absent=None) == []


def test_wrong_types_hide_other_errors():
    found = errors_of(["shares_lits"], shares_list="ab", shares_absent={"a": 1}, shares_overrides=["a"])
    assert [error.split(" ")[0] for error in found] == ["shares_list", "shares_absent", "shares_overrides"]


def test_a_role_without_overrides():
    """The module compares the users of all lists itself, with their servers."""
    values = {"homes_users": ["ann"], "homes_retired": ["ann"], "homes_absent": []}
    assert role_errors(["homes_users"], "homes", ["homes_users"], [], values) == []
