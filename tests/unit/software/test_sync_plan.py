"""The plan of a sync: what the file server lacks, in the order in which it is sent."""

from __future__ import annotations

from typing import Any

from ansible_collections.odh.persistency.plugins.module_utils._core.software.sync_plan import plan_sync

TARGET = "nas:/srv/apps"
ENTRY = {"module": "tool/2.0", "path": "tool/2.0-0123456789ab", "size": 1000}


def planned(**values: Any) -> dict[str, Any]:
    return {"release": "new", "entries": [], "bytes": 0, "has_release": True, "modules": 2, "current": "new", **values}


def test_entries_come_first_then_the_release_then_the_link() -> None:
    plan = plan_sync(TARGET, planned(entries=[ENTRY], has_release=False, current="old"))
    assert [(change.action, change.kind, change.name) for change in plan.changes] == [
        ("create", "entry", "tool/2.0"),
        ("create", "release", "new"),
        ("update", "link", "current"),
    ]
    assert plan.diff() == {
        "before": "current: old\n",
        "after": "tool/2.0-0123456789ab, 1000 bytes\ncurrent: new\nrelease new\n",
    }
    assert [change.owner for change in plan.changes] == [None, None, None]


def test_a_file_server_that_has_the_release_gets_the_link_alone() -> None:
    [change] = plan_sync(TARGET, planned(current="old")).changes
    assert (change.kind, change.before, change.after) == ("link", "current: old", "current: new")
    assert change.reason == "nas:/srv/apps has old"


def test_the_first_release_of_a_file_server() -> None:
    plan = plan_sync(TARGET, planned(has_release=False, current=None))
    assert plan.changes[-1].before is None
    assert plan.changes[-1].reason == "nas:/srv/apps has no release yet"


def test_nothing_to_send_is_no_change() -> None:
    plan = plan_sync(TARGET, planned())
    assert not plan.changed
    assert plan.results() == []
