"""The table and the reasons of the playbook drift, from the results of roles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.odh.persistency.plugins.module_utils._core.report.drift import (
    INSTALLED,
    RESULTS,
    drift,
    drift_message,
)

ROOT = Path(__file__).resolve().parents[2]

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


def test_a_host_that_failed_before_it_was_compared_is_a_failure():
    found = drift({"one": homes(), "two": {}}, 10, ["two"])
    assert found["text"].splitlines()[0] == "Everything that was compared is as the inventory says."
    assert found["failures"] == ["two: it cannot be reached, or its variables cannot be read: see its failure above"]


def test_nothing_compared_is_a_failure():
    skipped = {"homes_result": {"skipped": True, "changed": False}}
    for hosts in ({}, {"one": {}}, {"one": skipped}):
        found = drift(hosts, 10)
        assert "A run would fail: nothing was compared: " in found["text"]
        assert "nothing was compared: " in drift_message(found, False)


def test_what_would_be_installed_is_drift_of_the_software():
    found = drift(
        {
            "one": {
                **homes(),
                "software_result_easybuild": {"changed": True},
                "software_result_user": {"changed": False},
            }
        },
        10,
    )
    assert (found["total"], found["parts"]) == (1, {"software": {"update": 1}})
    assert found["text"].splitlines()[1].split() == [
        "Installation",
        "EasyBuild",
        "-",
        "nothing",
        "is",
        "missing",
        "or",
        "outdated",
    ]


def test_running_servers_with_excess_access_are_changes_if_the_run_stops_them_and_unreconcilable_otherwise():
    servers = [
        {"pod": "jupyter-ann", "user": "ann", "excess": [{"claim": "data"}, {"claim": "cases"}]},
        {"pod": "jupyter-ben", "user": "ben", "excess": []},
    ]
    result = {"summary": {"keep": 2}, "changes": [], "servers": servers}
    found = drift({"one": {"server_access_result": result}}, 10)
    assert (found["total"], found["unreconcilable_total"]) == (0, 1)
    assert found["unreconcilable"][0]["reason"] == "mounts data and cases without a grant"
    assert "cannot be changed" in found["text"]
    stop = {**CHANGE, "action": "stop", "kind": "server", "name": "jupyter-ann"}
    found = drift({"one": {"server_access_result": {**result, "summary": {"stop": 1}, "changes": [stop]}}}, 10)
    assert (found["parts"], found["unreconcilable_total"]) == ({"server_access": {"stop": 1}}, 0)


def test_every_result_that_a_run_of_the_site_registers_is_collected():
    texts = [path.read_text() for path in [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/tasks/*.yml")]]
    registered = {name for text in texts for name in re.findall(r"register: ([a-z]\w*)", text)}
    assert registered - {"homes_report", "shares_report"} == {*RESULTS, *INSTALLED}


def test_the_parts_have_the_conditions_and_tags_of_the_site():
    drift_tasks = yaml.safe_load((ROOT / "playbooks/drift.yml").read_text())[1]["tasks"]
    site = yaml.safe_load((ROOT / "playbooks/site.yml").read_text())
    parts = {task["name"]: (task["when"], task.get("tags")) for task in drift_tasks}
    homes_task = site[0]["tasks"][0]
    plays = {
        play["name"]: (play["when"], play.get("tags")) for play in site if "ansible.builtin.import_playbook" in play
    }
    assert parts == {"Homes": (homes_task["when"], site[0]["tags"]), **plays}


@pytest.mark.parametrize("fails", [False, True])
def test_what_the_cluster_cannot_change_is_shown_and_fails_on_request(fails):
    item = {**CHANGE, "action": "keep", "reason": "cannot shrink"}
    found = drift({"one": homes(unreconcilable=[item])}, 10)
    assert "cannot be changed" in found["text"]
    assert bool(drift_message(found, fails)) == fails
