"""Results that stay below the size at which AWX drops them."""

from __future__ import annotations

import json

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import CREATE, UPDATE, Change, Plan
from ansible_collections.odh.persistency.plugins.module_utils._core.report.result_size import (
    LARGEST,
    LARGEST_OPTIONS,
    MAX_CHANGES,
    longest_diff,
    short_lists,
    shortened,
    whole_lists,
)
from ansible_collections.odh.persistency.plugins.module_utils._io.module import Module
from ansible_collections.odh.persistency.plugins.module_utils._io.options.result import limited, result_errors
from hypothesis import given, strategies

AWX_LIMIT = 700_000


def result(count):
    items = [
        {
            "action": "create",
            "kind": "home",
            "namespace": "opendatahub",
            "name": f"claim-user-{number:05}-at-example-org",
            "reason": f"user-{number:05}@example.org has no home: 10Gi of the default class, ReadWriteOnce",
            "owner": f"user-{number:05}@example.org",
            "after": f"claim-user-{number:05}-at-example-org of user-{number:05}@example.org: 10Gi, ReadWriteOnce",
        }
        for number in range(count)
    ]
    return {"changed": True, "changes": items, "unreconcilable": list(items), "summary": {"create": count}}


def test_ten_thousand_homes_fit_and_the_counts_stay_whole():
    short = shortened(result(10_000), MAX_CHANGES)
    assert len(json.dumps(short)) < AWX_LIMIT / 2
    assert short["summary"] == {"create": 10_000}
    assert short["omitted"] == {"changes": 9_500, "unreconcilable": 9_500}
    assert short["changes"] == result(MAX_CHANGES)["changes"]


def test_a_result_within_the_limit_is_not_touched():
    assert shortened(result(MAX_CHANGES), MAX_CHANGES) == result(MAX_CHANGES)


def test_the_changes_of_access_are_shortened_too():
    data = {"access": {"gains": 3, "changes": [1, 2, 3]}}
    assert shortened(data, 2) == {"access": {"gains": 3, "changes": [1, 2]}, "omitted": {"access": 1}}
    assert data["access"]["changes"] == [1, 2, 3]


def test_options_are_shortened_too():
    users = [
        {"name": f"user-{number:05}", "size": "10Gi", "labels": {"example.org/team": "x" * 60}}
        for number in range(10_000)
    ]
    short = short_lists({"users": users, "groups": {"all": ["ann", "ben", "eve"]}, "namespace": "hub"})
    assert len(json.dumps(short)) < AWX_LIMIT / 7
    assert short["users"] == [*users[:MAX_CHANGES], "and 9500 more"]
    assert short["groups"] == {"all": ["ann", "ben", "eve"]}
    assert short_lists({"groups": {"all": ["ann", "ben", "eve"]}}, 2) == {
        "groups": {"all": ["ann", "ben", "and 1 more"]}
    }


SERVERS = [
    {"user": f"user-{number}", "pod": f"jupyter-{number}", "excess": [{"claim": "c" * 60, "reason": "r" * 300}] * 2}
    for number in range(1000)
]


def more_of(**more):
    return {"changes": [], "summary": {"keep": 1000}, "compared": 1000, **more}


@pytest.mark.parametrize("text", ["", "x" * 200, "\u65e5" * 200])
def test_other_lists_and_texts_are_shortened_if_the_result_is_too_large(text, tmp_path):
    path = tmp_path / "report.json"
    whole = more_of(servers=SERVERS, text="\n".join([text] * 1000))
    short = limited({"max_changes": 0, "report_file": str(path)}, whole)
    assert len(json.dumps(short)) <= LARGEST
    assert (short["summary"], short["compared"]) == (whole["summary"], 1000)
    assert short["servers"] == SERVERS[: len(short["servers"])]
    assert short["omitted"]["servers"] == 1000 - len(short["servers"]) > 0
    if text:
        *lines, last = short["text"].splitlines()
        assert set(lines) == {text}
        assert last.endswith(" more characters; `report_file` has all of them")
    assert json.loads(path.read_text()) == {key: whole[key] for key in whole if key != "compared"}


def test_the_entries_of_a_stack_and_previews_are_shortened_too():
    entries = [{"module": f"Module/{number}", "path": "p" * 400} for number in range(1500)]
    short = shortened(more_of(entries=entries, modules=[entry["module"] for entry in entries]), MAX_CHANGES)
    assert len(json.dumps(short)) <= LARGEST
    assert short["omitted"]["entries"] + len(short["entries"]) == 1500
    assert shortened(more_of(previews={"acl": {"changes": entries}}), MAX_CHANGES)["omitted"].keys() == {
        "previews.acl.changes"
    }
    access = shortened(more_of(access={"gains": 900, "changes": entries}), MAX_CHANGES)
    assert access["omitted"]["access"] + len(access["access"]["changes"]) == 1500


def test_a_diff_does_not_shorten_the_rest():
    whole = {**result(10), "diff": {"before": "", "after": "x" * 400_000}}
    assert shortened(whole, MAX_CHANGES) == whole


@given(
    strategies.recursive(
        strategies.text(max_size=9) | strategies.integers(),
        lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text(max_size=9), inner),
    ),
    strategies.integers(1, 3000),
)
def test_any_options_are_shortened(value, count):
    options = {"list": [value] * count, "mapping": {str(number): value for number in range(count)}, "number": 1}
    short = short_lists(options)
    assert short["number"] == 1
    assert len(json.dumps(short)) <= LARGEST_OPTIONS or len(json.dumps(value)) > 1000
    assert short["list"] == options["list"] or str(short["list"][-1]).startswith("and ")


def test_large_mappings_of_options_are_shortened_too():
    groups = {f"course-{number}": [f"student-{one}@example.org" for one in range(15)] for number in range(1500)}
    short = short_lists({"groups": groups, "namespace": "hub"})
    assert len(json.dumps(short)) <= LARGEST_OPTIONS
    assert short["namespace"] == "hub"
    *_others, last = short["groups"]
    assert last == f"and {1500 - len(short['groups']) + 1} more"


def test_results_of_other_modules_are_no_options(monkeypatch):
    module = object.__new__(Module)
    module.params = {"volumes_results": [result(5000)], "other_results": [result(5000)], "namespace": "hub"}
    assert module._invocation() == {"module_args": {"namespace": "hub"}}


def test_a_diff_is_as_long_as_awx_allows():
    changes = [
        Change(CREATE, "home", "hub", f"claim-{number}", "", after="x" * 98, operations=(1,)) for number in range(1000)
    ]
    plan = Plan((*changes, Change(UPDATE, "home", "hub", "claim-999a", "", before="old", after="new", operations=(1,))))
    assert longest_diff({}) is longest_diff({"MAX_EVENT_RES": "unknown"}) is None
    assert len(plan.diff()["after"].splitlines()) == 1001
    short = plan.diff(longest_diff({"MAX_EVENT_RES": "30000"}))
    last = "and 901 more changes; `report_file` has all of them"
    assert short["after"].splitlines() == ["x" * 98] * 100 + [last]
    assert short["before"].splitlines() == [last]
    assert plan.diff(10**6) == plan.diff()


def test_the_report_file_has_every_item(tmp_path):
    path = tmp_path / "report.json"
    params = {"max_changes": 2, "report_file": str(path)}
    short = limited(params, result(5))
    assert len(short["changes"]) == 2
    assert json.loads(path.read_text()) == whole_lists(result(5))
    limited(params, result(1))
    assert len(json.loads(path.read_text())["changes"]) == 1
    assert [item.name for item in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"max_changes": -1}, "max_changes: -1 is negative: set 0 or more"),
        ({"report_file": "/does/not/exist/x"}, "report_file: the directory /does/not/exist does not exist: "),
        ({"report_file": "/tmp"}, "report_file: /tmp is a directory: name a file in it"),
    ],
)
def test_wrong_options_are_rejected(params, error):
    assert result_errors(params)[0].startswith(error)


def test_a_report_has_no_character_that_a_terminal_acts_on(tmp_path):
    path = tmp_path / "report.json"
    names = ["a\x9b2Jb", "a\u202eb", "a\x7fb", "a\u2028b", "\ud800", "\u00e9"]
    limited({"max_changes": 5, "report_file": str(path)}, {"changes": [{"owner": name} for name in names]})
    text = path.read_text()
    assert all(" " <= letter < "\x7f" or letter == "\n" for letter in text)
    assert [change["owner"] for change in json.loads(text)["changes"]] == names
