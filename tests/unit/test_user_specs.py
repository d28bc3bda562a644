"""Entries of users: valid ones, and the sentence for each error."""

from __future__ import annotations

import datetime
import time

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.spec import (
    KNOWN_KEYS,
    PlacedList,
    UserSpec,
    parse_users,
    specs_of_hub,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.text import (
    did_you_mean,
    nearest,
    quote_list,
)
from hypothesis import given
from hypothesis import strategies as st


def refusals_of(*items: object) -> list[str]:
    return parse_users(list(items), "users")[1]


def test_names_and_mappings_become_entries() -> None:
    entries, refusals = parse_users(
        [
            "alice",
            {"name": "bob", "server": "lab 1", "claim": "claim-old", "size": 10, "storage_class": ""},
            {"name": "bob", "server": None, "size": "20Gi", "labels": {"team": "x"}, "annotations": {}},
        ],
        "users",
    )
    assert refusals == []
    assert entries == [
        UserSpec("alice", position="users[0]"),
        UserSpec("bob", "lab 1", claim="claim-old", size="10", storage_class="", position="users[1]"),
        UserSpec("bob", size="20Gi", labels={"team": "x"}, position="users[2]"),
    ]
    assert entries[0].claim is None
    assert dict(entries[0].labels) == {}


def test_an_empty_list_is_an_empty_list() -> None:
    assert parse_users([], "users") == ([], [])


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (None, "nothing (null)"),
        ({"alice": {"size": "1Gi"}}, "a mapping"),
        ("alice", "the text 'alice'"),
        (7, "the number 7"),
    ],
)
def test_what_is_not_a_list_is_rejected(raw: object, words: str) -> None:
    entries, refusals = parse_users(raw, "users.yml")
    assert entries == []
    assert refusals == [
        f"users.yml: {words} is not a list of users: write a list, each item a name or a mapping with `name`"
    ]


@pytest.mark.parametrize(
    ("item", "parts"),
    [
        (123, ["the number 123", "in quotes, as it is written"]),
        (1.5, ["the number 1.5", "in quotes, as it is written"]),
        # YAML reads 0123 as 83 and 12:30 as 750: no value to suggest, or it makes a home for nobody.
        (83, ["the number 83", "in quotes, as it is written"]),
        (True, ["the boolean `true`", "in quotes", "`yes`"]),
        (None, ["nothing (null)", '"null"']),
        (datetime.date(2026, 1, 2), ["the date 2026-01-02", "in quotes, as it is written"]),
        (["alice"], ["a list", "mapping with `name`"]),
        ("", ["the name is empty"]),
        (" \t", ["nothing but white space"]),
        ("bob ", ["'bob '", "so it differs from 'bob'"]),
        ("\u00a0bob", ["'\\xa0bob'", "'bob'"]),
        ("\ufeffbob", ["'\\ufeffbob'", "'bob'"]),
        ("bob\n", ["'bob\\n'", "'bob'"]),
        ("bob\neve", ["control character '\\n'", "two items"]),
        ("bob\x00", ["control character '\\x00'"]),
        ("bob\u2028eve", ["control character '\\u2028'"]),
        ("bob\ud800", ["half a surrogate pair"]),
        ("corp/bob", ["`/`", "JupyterHub"]),
        ({"size": "1Gi"}, ["`name` is missing"]),
        ({"name": 7}, ["`name` is the number 7", "in quotes, as it is written"]),
        ({"name": None}, ["`name` is nothing (null)"]),
        ({"name": "bob", "server": 1}, ["`server` is the number 1"]),
        ({"name": "bob", "server": "lab\n"}, ["the name of the server 'lab\\n'"]),
        ({"name": "bob", "sise": "1Gi"}, ["the key 'sise' is unknown (did you mean `size`?)", "storage_class"]),
        ({"name": "bob", "Labels": {}}, ["did you mean `labels`?"]),
        ({"name": "bob", 7: "x"}, ["the key '7' is unknown:"]),
        ({"name": "bob", "size": 1.5}, ["`size` is the number 1.5", "`10Gi`"]),
        ({"name": "bob", "size": True}, ["`size` is the boolean `true`"]),
        ({"name": "bob", "size": ""}, ["`size` is empty"]),
        ({"name": "bob", "claim": ""}, ["`claim` is empty"]),
        ({"name": "bob", "claim": 5}, ["`claim` is the number 5"]),
        ({"name": "bob", "storage_class": False}, ["`storage_class` is the boolean `false`"]),
        ({"name": "bob", "labels": ["a"]}, ["`labels` is a list"]),
        (
            {"name": "bob", "labels": {"team": 7}},
            ["`labels` has the number 7 under 'team'", "in quotes, as it is written"],
        ),
        ({"name": "bob", "annotations": {"on": True}}, ["`annotations` has the boolean `true` under 'on'"]),
        ({"name": "bob", "annotations": {3: "x"}}, ["`annotations` has the number 3 as a key"]),
    ],
)
def test_an_invalid_item_is_rejected_in_one_sentence(item: object, parts: list[str]) -> None:
    entries, refusals = parse_users(["zoe", item], "users")
    assert [entry.name for entry in entries] == ["zoe"]
    assert len(refusals) == 1
    assert refusals[0].startswith("users[1]: ")
    assert not refusals[0].endswith(".")  # the caller's list of refusals ends them
    assert "\n" not in refusals[0]
    for part in parts:
        assert part in refusals[0]


@pytest.mark.parametrize(
    "name",
    [
        "Alice",
        "王小明",
        "a b",
        "al--ice",
        "-alice",
        "ALICE@EXAMPLE.COM",
        "CORP\\alice",
        "user{0}",
        "..",
        "x" * 300,
        "می\u200cخواهم",
    ],
)
def test_what_a_hub_accepts_is_not_rejected(name: str) -> None:
    entries, refusals = parse_users([name, {"name": name, "server": name}], "users")
    assert refusals == []
    assert [(entry.name, entry.server) for entry in entries] == [(name, ""), (name, name)]


def test_duplicates_name_both_positions() -> None:
    listed = ["bob", {"name": "bob", "server": "lab"}, "eve", {"name": "bob", "server": ""}, "bob"]
    assert refusals_of(*listed, {"name": "bob", "server": "lab"}) == [
        "users[3]: 'bob' is listed already at users[0]: remove one of the two",
        "users[4]: 'bob' is listed already at users[0]: remove one of the two",
        "users[5]: 'bob' with server 'lab' is listed already at users[1]: remove one of the two",
    ]


def test_names_that_join_alike_are_no_duplicates() -> None:
    listed = [{"name": "alice", "server": "bob"}, "alicebob", {"name": "alic", "server": "ebob"}]
    assert refusals_of(*listed) == []


def test_all_errors_are_listed_at_once() -> None:
    refusals = refusals_of("ok", 1, {"name": " x", "sise": "1", "size": []}, "ok")
    assert [refusal.split(":")[0] for refusal in refusals] == [
        "users[1]",
        "users[2]",
        "users[2]",
        "users[2]",
        "users[3]",
    ]


def test_lines_of_a_file_are_positions() -> None:
    raw = PlacedList(["ann", "bob", "ann"], [2, 4, 9])
    entries, refusals = parse_users(raw, "users.csv")
    assert [entry.position for entry in entries] == ["users.csv line 2", "users.csv line 4"]
    assert refusals == ["users.csv line 9: 'ann' is listed already at users.csv line 2: remove one of the two"]


def test_users_of_a_hub() -> None:
    entries = specs_of_hub([("ann", []), ("bo b ", ["", "lab", "gpu"])], "hub")
    assert [(entry.name, entry.server) for entry in entries] == [
        ("ann", ""),
        ("bo b ", ""),
        ("bo b ", "lab"),
        ("bo b ", "gpu"),
    ]
    assert entries[0].position == "hub user 'ann'"


@given(st.text(st.characters(exclude_categories=[]), max_size=40))
def test_a_name_is_accepted_exactly_when_a_hub_could_have_it_and_it_is_clean(name: str) -> None:
    entries, refusals = parse_users([name], "users")
    assert len(entries) + len(refusals) == 1
    if entries:
        # JupyterHub's own rule (Authenticator.validate_username), and text that can be hashed and written.
        assert entries[0].name == name
        assert name
        assert name == name.strip()
        assert "/" not in name
        assert name.encode()
        assert len(name.splitlines()) == 1
    else:
        assert refusals[0].isprintable()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KNOWN_KEYS, "x", 3]), inner),
        max_leaves=12,
    )
)
def test_any_data_gives_either_entries_or_errors(raw: object) -> None:
    entries, refusals = parse_users(raw, "users")
    for entry in entries:
        assert isinstance(entry.name, str)
        assert isinstance(entry.server, str)
        for text in (entry.claim, entry.size, entry.storage_class):
            assert text is None or isinstance(text, str)
        for texts in (entry.labels, entry.annotations):
            assert all(isinstance(part, str) for pair in texts.items() for part in pair)
    if isinstance(raw, list):
        assert len(entries) <= len(raw)
        assert len(entries) == len(raw) or refusals
    assert all("\n" not in refusal for refusal in refusals)


def test_100_000_names_take_little_time() -> None:
    # Measured in processor time against a loop that only touches each name, so that a busy machine does not count.
    names = [f"first.last{number}@example.org" for number in range(100_000)]
    start = time.process_time()
    floor = [UserSpec(name, position=f"users[{index}]") for index, name in enumerate(names)]
    middle = time.process_time()
    entries, refusals = parse_users(names, "users")
    end = time.process_time()
    assert entries == floor
    assert not refusals
    assert end - middle < 4 * (middle - start)


@pytest.mark.parametrize(
    ("word", "guess"),
    [
        ("sise", "size"),
        ("Size", "size"),
        ("storageClass", "storage_class"),
        ("storage-class", "storage_class"),
        ("label", "labels"),
        ("qqq", None),
        ("", None),
    ],
)
def test_nearest(word: str, guess: str | None) -> None:
    assert nearest(word, KNOWN_KEYS) == guess
    assert did_you_mean(word, KNOWN_KEYS) == (f" (did you mean `{guess}`?)" if guess else "")


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (list("abcdefghi"), "a, b, c, d, e, f, g, h and i"),
        (list("abcdefghij"), "a, b, c, d, e, f, g, h and 2 more"),
    ],
)
def test_quote_list(names: list[str], text: str) -> None:
    assert quote_list(iter(names)) == text
