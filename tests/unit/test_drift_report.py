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
    hosts = {
        "one": {**homes(CHANGE), "persistency_cluster": "a"},
        "two": {**homes(CHANGE), "persistency_cluster": "b", "__drift_failures": ["No."]},
    }
    found = drift(hosts, 1)
    assert (found["total"], found["hosts"], found["omitted"]) == (2, {"one": 1, "two": 1}, 1)
    heading, line, more, failure = found["text"].splitlines()
    assert heading.split() == ["HOST", "KIND", "NAME", "OWNER", "FOUND", "EXPECTED"]
    assert line.split() == ["one", "PersistentVolumeClaim", "hub/claim-ann", "ann", "nothing", "10Gi"]
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
    excess = [{"claim": "data"}, {"claim": "cases"}]
    servers = [
        {"pod": "jupyter-ann", "user": "ann", "excess": excess, "action": "keep"},
        {"pod": "jupyter-ben", "user": "ben", "excess": [], "action": "keep"},
    ]
    result = {"summary": {"keep": 2}, "changes": [], "servers": servers}
    found = drift({"one": {"server_access_result": result}}, 10)
    assert (found["total"], found["unreconcilable_total"]) == (0, 1)
    assert found["unreconcilable"][0]["reason"] == "mounts data and cases without a grant"
    assert "cannot be changed" in found["text"]
    stop = {**CHANGE, "action": "stop", "kind": "server", "name": "jupyter-ann"}
    servers[0]["action"] = "stop"
    # The change of the server may be among those that the result leaves out.
    for changes in ([stop], []):
        found = drift({"one": {"server_access_result": {**result, "summary": {"stop": 1}, "changes": changes}}}, 10)
        assert (found["parts"], found["unreconcilable_total"]) == ({"server_access": {"stop": 1}}, 0)
    servers[0]["action"] = "keep"
    found = drift({"one": {"server_access_result": {**result, "unchanged_excess": 600}}}, 10)
    assert found["unreconcilable_total"] == 600


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


def test_a_number_of_changes_below_zero_is_a_failure():
    found = drift({"one": homes(CHANGE)}, -1)
    assert (found["changes"], found["omitted"]) == ([], 1)
    assert found["failures"] == ["drift_max_changes is -1: set 0 or more"]


def failures_of(**variables):
    return drift({"one": variables}, 10)["failures"]


def test_results_that_only_warn_in_check_mode_are_failures():
    same = {"summary": {"keep": 0}, "changes": []}
    error = "path: /srv/shares is not mounted"
    assert failures_of(shares_result_directories={**same, "root_error": error}) == [f"one: {error}"]
    assert failures_of(shares_result_directories={**same, "root_error": ""}) == []
    missing = {**same, "missing_namespaces": ["hub"]}
    assert failures_of(homes_result=missing, shares_result_volumes=missing) == [
        "one: namespace hub does not exist: create it, or set `homes_create_namespace: true`",
        "one: namespace hub does not exist: create it, or set `shares_create_namespace: true`",
    ]
    # Homes come first, so that they need what the shares would create.
    creation = {"action": "create", "kind": "namespace", "namespace": "hub", "name": "hub", "reason": "is missing"}
    creating = {"summary": {"create": 1}, "changes": [creation], "missing_namespaces": ["hub"]}
    assert failures_of(homes_result=creating, shares_result_volumes=missing, hub_result=missing) == []
    assert len(failures_of(homes_result=missing, shares_result_volumes=creating)) == 1


def test_a_result_without_a_summary_is_a_failure_and_none_is_listed_twice():
    assert failures_of(shares_result_volumes={"msg": "No."}) == ["one: No."]
    assert failures_of(shares_result_volumes={"msg": "No."}, __drift_failures=["No.\nNeither."]) == [
        "one: No.\nNeither."
    ]
    unreachable = {"unreachable": True, "msg": "ssh: connect to host nfs1 port 22"}
    assert failures_of(shares_result_directories=unreachable) == ["one: ssh: connect to host nfs1 port 22"]
    assert failures_of(shares_result_directories={"unreachable": True}) == ["one: it cannot be reached"]


def test_what_hosts_share_is_counted_once():
    volume = {**CHANGE, "kind": "PersistentVolume", "namespace": "", "name": "data"}
    a = {"persistency_cluster": "c", **homes(CHANGE, unreconcilable=[volume])}
    found = drift({"a": a, "b": dict(a)}, 10)
    assert (found["total"], found["hosts"], found["omitted"]) == (1, {"a": 1, "b": 0}, 0)
    assert (found["unreconcilable_total"], len(found["unreconcilable"])) == (1, 1)
    more = {**CHANGE, "name": "claim-ben", "owner": "ben"}
    found = drift({"a": a, "b": {**a, **homes(CHANGE, more)}}, 10)
    assert (found["total"], found["hosts"], found["parts"]) == (2, {"a": 1, "b": 1}, {"homes": {"create": 2}})
    # Changes that the results leave out.
    whole = {"summary": {"create": 900}, "changes": [CHANGE], "omitted": {"changes": 899}}
    found = drift({"a": {"homes_result": whole}, "b": {"homes_result": whole}}, 10)
    assert (found["total"], found["omitted"]) == (900, 899)
    assert drift({"a": a, "b": {**a, "persistency_cluster": "d"}}, 10)["total"] == 2
    different = {**CHANGE, "after": "20Gi"}
    assert drift({"a": a, "b": {**a, **homes(different)}}, 10)["total"] == 2


def test_directories_are_shared_only_on_one_host():
    item = {**CHANGE, "kind": "directory", "namespace": "", "name": "/srv/data"}
    result = {"shares_result_directories": {"summary": {"create": 1}, "changes": [item]}}
    assert drift({"a": result, "b": result}, 10)["total"] == 2
    for shared in ({"shares_directory_host": "nfs1"}, {"ansible_connection": "local"}):
        assert drift({name: {**result, **shared} for name in "ab"}, 10)["total"] == 1


def test_servers_of_two_hubs_are_not_shared():
    servers = [{"pod": "jupyter-ann", "user": "ann", "excess": [{"claim": "data"}], "action": "keep"}]
    result = {"server_access_result": {"summary": {"keep": 1}, "changes": [], "servers": servers}}
    assert drift({name: {**result, "hub_namespace": name} for name in "ab"}, 10)["unreconcilable_total"] == 2
    assert drift({name: {**result, "hub_namespace": "hub"} for name in "ab"}, 10)["unreconcilable_total"] == 1
