"""The table and the reasons of the playbook drift, from the results of roles."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.report.drift import drift, drift_message

CHANGE = {
    "action": "create",
    "kind": "PersistentVolumeClaim",
    "namespace": "hub",
    "name": "claim-ann",
    "owner": "ann",
    "reason": "ann has no home",
    "after": "10Gi",
}


def homes(*changes, **more):
    return {"homes_result": {"summary": {"create": len(changes), "keep": 3}, "changes": list(changes), **more}}


def test_a_cluster_as_the_inventory_says():
    found = drift({"one": homes(), "two": {}}, 10)
    assert found["text"] == "Everything is as the inventory says."
    assert (found["total"], found["hosts"], found["failures"]) == (0, {"one": 0, "two": 0}, [])
    assert not drift_message(found, True)


def test_what_could_not_be_compared_is_never_as_the_inventory_says():
    found = drift({"one": {**homes(), "__drift_failures": ["The API server does not answer."]}}, 10)
    assert found["text"].splitlines() == [
        "Everything that was compared is as the inventory says.",
        "A run would fail: one: The API server does not answer.",
    ]
    assert drift_message(found, False) == "A run would fail: one: The API server does not answer."


def test_changes_of_all_hosts_and_failures_are_in_one_table():
    hosts = {"one": homes(CHANGE), "two": {**homes(CHANGE), "__drift_failures": ["No."]}}
    found = drift(hosts, 1)
    assert (found["total"], found["hosts"], found["omitted"]) == (2, {"one": 1, "two": 1}, 1)
    heading, line, more, failure = found["text"].splitlines()
    assert heading.split() == ["KIND", "NAME", "OWNER", "FOUND", "EXPECTED"]
    assert line.split() == ["PersistentVolumeClaim", "hub/claim-ann", "ann", "nothing", "10Gi"]
    assert (more, failure) == ("and 1 more changes", "A run would fail: two: No.")
    assert "A run would make 2 changes on one and two: homes (create 2)." in drift_message(found, False)


@pytest.mark.parametrize("fails", [False, True])
def test_what_the_cluster_cannot_change_is_shown_and_fails_on_request(fails):
    item = {**CHANGE, "action": "keep", "reason": "cannot shrink"}
    found = drift({"one": homes(unreconcilable=[item])}, 10)
    assert "cannot be changed" in found["text"]
    assert bool(drift_message(found, fails)) == fails
