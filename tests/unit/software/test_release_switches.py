"""Rollbacks, promotions and pruning as plans, the difference between releases, and the lines of progress that are shown."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import Rejected
from ansible_collections.odh.persistency.plugins.module_utils._core.software.info import difference
from ansible_collections.odh.persistency.plugins.module_utils._core.software.observed import ObservedTree, observed_tree
from ansible_collections.odh.persistency.plugins.module_utils._core.software.pruning import Item, Pruning
from ansible_collections.odh.persistency.plugins.module_utils._core.software.settings import path_error, release_error
from ansible_collections.odh.persistency.plugins.module_utils._core.software.switch_plan import (
    plan_promotion,
    plan_pruning,
    plan_rollback,
)
from ansible_collections.odh.persistency.plugins.plugin_utils.progress import shown_lines
from hypothesis import given
from hypothesis import strategies as st

OLD, NEW = "20261128T101500Z-0a1b2c3d", "20261129T101500Z-4e5f6a7b"


def module(name: str, number: int = 1) -> dict[str, Any]:
    return {"module": name, "hash": str(number) * 64, "path": f"{name}-{number}", "size": 10, "state": "built"}


def manifest(release: str, *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": release, "prefix": "/opt/apps", "entries": list(entries), "defaults": {}, **more}


def tree(*releases: dict[str, Any], **more: Any) -> ObservedTree:
    entries = {entry["path"]: entry for release in releases for entry in release["entries"]}
    current = releases[-1]["id"] if releases else None
    return observed_tree({"releases": releases, "store": list(entries.values()), "current": current, **more})


TWO = (manifest(OLD, module("a/1")), manifest(NEW, module("a/1"), module("b/1"), defaults={"b": "1"}))


class TestRollback:
    def test_to_the_release_before(self) -> None:
        plan = plan_rollback(tree(*TWO, previous=OLD), "/opt/apps", None)
        assert [(change.action, change.name) for change in plan.changes] == [
            ("delete", "b/1"),
            ("update", "/opt/apps/current"),
        ]
        assert plan.diff() == {
            "before": f"b/1 (default), 111111111111\ncurrent: {NEW}\n",
            "after": f"current: release {OLD} with 1 modules\n",
        }

    def test_a_second_time(self) -> None:
        plan = plan_rollback(tree(*TWO, previous=OLD, current_by="rolled_back"), "/opt/apps", None)
        assert not plan.changed
        assert plan_rollback(tree(*TWO, previous=OLD, current_by="rolled_back"), "/opt/apps", OLD).changed

    def test_to_the_current_release(self) -> None:
        assert not plan_rollback(tree(*TWO), "/opt/apps", NEW).changed

    @pytest.mark.parametrize(
        ("release", "expected"),
        [
            (None, "release: /opt/apps has no release before the current one: publish one first"),
            ("../x", "release: '../x' is not a release: use an id such as "),
            (
                "20261130T101500Z-0a1b2c3d",
                "release: the tree has no release 20261130T101500Z-0a1b2c3d: use one of its releases",
            ),
        ],
    )
    def test_to_nothing(self, release: str | None, expected: str) -> None:
        with pytest.raises(Rejected) as caught:
            plan_rollback(tree(*TWO), "/opt/apps", release)
        assert caught.value.reason.startswith(expected)

    def test_to_a_damaged_release(self) -> None:
        damaged = {**TWO[0], "damaged": True}
        with pytest.raises(Rejected, match="has no readable manifest: name another release"):
            plan_rollback(tree(damaged, TWO[1]), "/opt/apps", OLD)

    def test_a_tree_of_another_prefix(self) -> None:
        with pytest.raises(
            Rejected, match=f"prefix: release {OLD} of this tree is for the prefix /opt/apps, not /opt/other"
        ):
            plan_rollback(tree(*TWO, previous=OLD), "/opt/other", None)
        moved = {**TWO[0], "prefix": "/opt/other"}
        with pytest.raises(
            Rejected, match=f"prefix: release {OLD} of this tree is for the prefix /opt/other, not /opt/apps"
        ):
            plan_rollback(tree(moved, TWO[1], previous=OLD), "/opt/apps", None)


class TestPromotion:
    def test_only_what_is_missing_is_copied(self) -> None:
        plan = plan_promotion(tree(*TWO), tree(TWO[0]), "/opt/apps", None)
        assert [(change.action, change.kind, change.name) for change in plan.changes] == [
            ("create", "entry", "b/1"),
            ("create", "module", "b/1"),
            ("update", "release", "/opt/apps/current"),
        ]

    def test_what_is_current_already(self) -> None:
        assert not plan_promotion(tree(*TWO), tree(*TWO), "/opt/apps", None).changed

    def test_another_prefix(self) -> None:
        source = tree(manifest(OLD, module("a/1"), prefix="/opt/staging"))
        with pytest.raises(Rejected, match=r"is for the prefix /opt/staging, and this tree is at /opt/apps: build it"):
            plan_promotion(source, tree(), "/opt/apps", None)

    def test_into_a_tree_of_another_prefix(self) -> None:
        with pytest.raises(
            Rejected, match=f"prefix: release {NEW} of this tree is for the prefix /opt/old, not /opt/apps"
        ):
            plan_promotion(tree(*TWO), tree(manifest(NEW, prefix="/opt/old")), "/opt/apps", OLD)

    @pytest.mark.parametrize(
        ("there", "here", "expected"),
        [
            (
                [{"adopted": "/opt/apps/software/a/1"}],
                [],
                "source: a/1 was adopted and lies in /opt/apps/software/a/1, which is ",
            ),
            (
                [],
                [],
                "source: the store there has no a/1-1, or not the one of its release: build it there with `rebuild`",
            ),
            ([{"hash": "2" * 64}], [], "source: the store there has no a/1-1, or not the one of its release"),
            ([{"digest": "other"}], [], "source: the store there has no a/1-1, or not the one of its release"),
            (
                [{}],
                [{"modulefile_digest": "m"}],
                "store entry a/1-1 exists here with another hash or modulefile: prune it",
            ),
            ([{}], [{"hash": "2" * 64}], "store entry a/1-1 exists here with another hash or modulefile: prune it"),
            ([], [{}], None),
            ([{}], [], None),
        ],
    )
    def test_what_the_copy_would_reject(
        self, there: list[dict[str, Any]], here: list[dict[str, Any]], expected: str | None
    ) -> None:
        def with_store(of_tree: ObservedTree, changes: list[dict[str, Any]]) -> ObservedTree:
            return observed_tree({**of_tree.raw, "store": [{**module("a/1"), **change} for change in changes]})

        source, target = with_store(tree(TWO[0]), there), with_store(tree(), here)
        if expected is None:
            assert plan_promotion(source, target, "/opt/apps", None).changed
            return
        with pytest.raises(Rejected) as caught:
            plan_promotion(source, target, "/opt/apps", None)
        assert caught.value.reason.startswith(expected)

    def test_over_a_damaged_entry_that_a_release_here_has(self) -> None:
        target = observed_tree({**tree(TWO[0]).raw, "store": [], "incomplete": ["a/1-1"]})
        with pytest.raises(
            Rejected, match=f"store entry a/1-1 is part of release {OLD} here, and its entry.json is missing"
        ):
            plan_promotion(tree(*TWO), target, "/opt/apps", None)

    def test_an_empty_source(self) -> None:
        with pytest.raises(Rejected, match="source: the tree has no current release"):
            plan_promotion(tree(), tree(), "/opt/apps", None)


def test_pruning() -> None:
    removed = (Item("release", OLD, "beyond"), Item("store", "b/1-x", "no release needs it", 10))
    plan = plan_pruning(Pruning(removed, (Item("release", NEW, "is current"),)))
    assert plan.summary() == {"keep": 1, "delete": 2}
    assert plan.diff()["before"].splitlines() == [f"release {OLD}", "store b/1-x (10 bytes)"]
    assert not plan_pruning(Pruning((), ())).changed


def test_the_difference_between_two_releases() -> None:
    before = manifest(OLD, module("a/1"), module("b/1"), defaults={"b": "1"})
    after = manifest(NEW, module("a/1", 2), module("c/1"), defaults={"c": "1"})
    assert difference(before, after) == {
        "from": OLD,
        "to": NEW,
        "added": ["c/1"],
        "removed": ["b/1"],
        "changed": ["a/1"],
        "defaults": {"b": ["1", None], "c": [None, "1"]},
    }
    assert difference({}, after)["added"] == ["a/1", "c/1"]


def test_of_many_steps_the_last_is_shown() -> None:
    lines = ["a: build 1 of 2", "a: unpacking (1 s)", "a: building (2 s)", "a: built", "b: preparing (0 s)"]
    assert shown_lines(lines) == ["a: build 1 of 2", "a: building (2 s)", "a: built", "b: preparing (0 s)"]


@given(st.text(alphabet="/ab.;$ \n'\"\\`", max_size=12))
def test_a_valid_path_means_nothing_to_a_shell(text: str) -> None:
    if path_error("prefix", text) is None:
        assert text.startswith("/")
        assert not set(text) & set(";$ \n'\"\\`")
        assert ".." not in text.split("/")
        assert text == "/" + "/".join(part for part in text.split("/") if part)


@given(st.text(max_size=30))
def test_no_other_text_is_a_release(text: str) -> None:
    assert release_error(text, {OLD: {}}) is not None or text == OLD
