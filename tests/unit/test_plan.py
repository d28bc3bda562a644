"""The plan, from which all results of a module are computed."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core import plan as p


def change(action, name, **more):
    return p.Change(action, "home", "ns", name, f"because of {name}", **more)


CREATE = change(p.CREATE, "b", owner="bob", after="home b", operations=("post",))
UPDATE = change(p.UPDATE, "a", before="home a: 1", after="home a: 2", operations=("patch",))
KEEP = change(p.KEEP, "c")
REFUSE = change(p.REFUSE, "d")


def test_results_omit_keeps_and_the_summary_counts_them():
    plan = p.Plan((CREATE, KEEP, UPDATE))
    assert [item["name"] for item in plan.results()] == ["b", "a"]
    assert plan.results()[0] == {
        "action": "create",
        "kind": "home",
        "namespace": "ns",
        "name": "b",
        "owner": "bob",
        "reason": "because of b",
        "after": "home b",
    }
    assert "owner" not in plan.results()[1]
    assert plan.summary() == {"create": 1, "update": 1, "keep": 1}
    assert p.Plan().summary() == {"keep": 0}


def test_the_diff_is_a_line_a_thing_in_the_order_of_names():
    plan = p.Plan((CREATE, KEEP, UPDATE))
    assert plan.diff() == {"before": "home a: 1\n", "after": "home a: 2\nhome b\n"}


def test_a_plan_with_operations_is_changed():
    assert p.Plan((CREATE,)).changed
    assert not p.Plan((KEEP, REFUSE)).changed
    assert p.Plan((KEEP, REFUSE)).refusals == [REFUSE]


def test_a_keep_cannot_do_anything():
    with pytest.raises(ValueError, match="cannot have operations"):
        change(p.KEEP, "x", operations=("delete",))
    with pytest.raises(ValueError, match="cannot have operations"):
        change(p.REFUSE, "x", operations=("delete",))
    with pytest.raises(ValueError, match="unknown action"):
        change("destroy", "x")


def test_replacing_and_dropping_changes():
    plan = p.Plan((CREATE, KEEP, UPDATE))
    assert plan.replaced({0: KEEP}).changes == (KEEP, KEEP, UPDATE)
    assert plan.without([0, 2]).changes == (KEEP,)
    assert plan.joined(p.Plan((REFUSE,))).changes == (CREATE, KEEP, UPDATE, REFUSE)


def test_warnings_are_bounded_and_none_is_lost():
    differences = tuple(p.Unreconcilable("home", "ns", f"n{number}", f"reason {number}") for number in range(250))
    plan = p.Plan((), differences, ("first of all",))
    sentences = plan.warnings()
    assert sentences[:2] == ["first of all", "reason 0"]
    assert len(sentences) == 1 + p.MOST_WARNINGS + 1
    assert "150 more" in sentences[-1]
    assert plan.unreconcilable[249].as_result() == {
        "kind": "home",
        "namespace": "ns",
        "name": "n249",
        "reason": "reason 249",
    }


def test_refusals_are_reported_at_once_and_bounded():
    assert p.refusal_message(["x is wrong"]) == "x is wrong. Nothing was changed."
    assert p.refusal_message(["a", "b"]) == "Nothing was changed, for 2 reasons:\n- a\n- b"
    many = p.refusal_message([f"reason {number}" for number in range(60)])
    assert "for 60 reasons" in many
    assert "and 35 more" in many


def test_failures_say_whether_a_rerun_helps():
    permanent = p.Failure(CREATE, "no right", "forbidden", retryable=False)
    passing = p.Failure(UPDATE, "timed out")
    assert "run again to apply what is missing" in p.failure_message([passing], 3, "home")
    assert "1 of 4 changes" in p.failure_message([passing], 3, "home")
    assert "rerunning will not help" in p.failure_message([permanent], 0, "home")
    assert "rerunning helps with 1 of them, the others need a correction first" in p.failure_message(
        [permanent, passing], 0, "home"
    )
    assert permanent.as_result()["retryable"] is False
    assert permanent.as_result()["api"] == "forbidden"


def effect(number):
    return p.Change("create", "acl", "ns", "data", f"user{number} gains ro on data", owner=f"user{number}", effect=True)


def test_effects_are_reported_with_the_changes_that_cause_them():
    index = p.Change("update", "acl-index", "ns", "acl", "changed", before="a", after="b", operations=("x",))
    plan = p.Plan((effect(2), effect(1), index))
    assert plan.diff() == {"before": "a\n", "after": "b\nuser2 gains ro on data\nuser1 gains ro on data\n"}
    assert plan.summary() == {"create": 2, "update": 1, "keep": 0}
    assert plan.pending == [index]
    assert [change["owner"] for change in plan.results()[:2]] == ["user2", "user1"]


def test_a_diff_of_ten_thousand_effects_stays_readable():
    lines = p.Plan(tuple(effect(number) for number in range(10_000))).diff()["after"].splitlines()
    assert len(lines) == p.MOST_EFFECTS + 1
    assert lines[-1] == "and 9000 more; `changes` lists all of them"


def test_an_effect_has_no_operations():
    with pytest.raises(ValueError, match="effect"):
        p.Change("create", "acl", "ns", "data", "gains", operations=("x",), effect=True)
