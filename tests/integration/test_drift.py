"""The playbook drift: a table, artifacts, and a failure if a run would change something."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.playbooks import LOCAL, Playbooks

SITE = "odh.persistency.site"
DRIFT = "odh.persistency.drift"


@pytest.fixture
def playbooks(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("ANSIBLE_SHOW_CUSTOM_STATS", "1")
    return Playbooks(cluster, tmp_path)


def inventory(namespace, **more):
    return {
        "homes_namespace": namespace,
        "homes_users": ["ann", "ben"],
        "shares_namespace": namespace,
        "shares_list": [
            {
                "name": "data",
                "level": "private",
                "size": "1Gi",
                "backend": {"type": "host_path", "path": "/srv/data"},
                "read": {"users": ["ann"]},
            }
        ],
        **more,
    }


def artifacts(played):
    """The statistics that the run set, which AWX keeps as artifacts."""
    _before, found, text = played.output.partition("RUN: {")
    assert found, played.output
    stats: dict[str, Any] = json.JSONDecoder().raw_decode("{" + text)[0]
    return stats


def test_drift_is_red_before_a_run_and_green_after_it_and_writes_nothing(
    cluster, playbooks, namespace, audit, tmp_path
):
    # A relative name, next to the inventory.
    (tmp_path / "reports").mkdir()
    hub = inventory(namespace, persistency_report_folder="reports")
    with audit() as log:
        red = playbooks.run(DRIFT, hub)
    assert red.code == 2
    assert not [str(request) for request in log.writes if request.namespace == namespace]
    report = json.loads((tmp_path / "reports" / "hub-homes_result.json").read_text())
    assert [change["owner"] for change in report["changes"]] == ["ann", "ben"]
    assert (tmp_path / "reports" / "hub-shares_result_acl.json").exists()
    assert "KIND" in red.output
    assert "EXPECTED" in red.output
    found = artifacts(red)
    assert found["drift_total"] == sum(count for part in found["drift_parts"].values() for count in part.values())
    assert found["drift_parts"]["homes"] == {"create": 2}
    assert found["drift_hosts"] == {"hub": found["drift_total"]}
    owners = {change.get("owner") for change in found["drift_changes"] if change["part"] == "homes"}
    assert owners == {"ann", "ben"}
    assert f"A run would make {found['drift_total']} changes on hub" in red.output

    playbooks.ok(SITE, hub)
    green = playbooks.ok(DRIFT, hub)
    # Not those of the earlier runs, although only the preflight of the shares ran.
    for result in ("volumes", "acl"):
        report = json.loads((tmp_path / "reports" / f"hub-shares_result_{result}.json").read_text())
        assert (report["changes"], "keep" in report["summary"]) == ([], True)
    assert artifacts(green)["drift_total"] == 0
    assert "Everything is as the inventory says." in green.output


def test_what_a_run_cannot_do_is_red_and_the_other_parts_are_compared(cluster, playbooks, namespace):
    no_hub = {"url": "http://127.0.0.1:9", "token": "some-token"}
    variables = inventory(namespace, homes_size="many", hub_namespace=namespace, server_access_hub=no_hub)
    red = playbooks.run(DRIFT, variables)
    found = artifacts(red)
    assert red.code == 2
    homes, access = found["drift_failures"]
    assert "size" in homes
    assert "http://127.0.0.1:9" in access
    assert found["drift_parts"]["shares"]["create"] == 1


def test_the_hosts_of_one_play_are_merged_and_one_that_cannot_be_reached_is_a_failure(
    cluster, playbooks, namespace, other, tmp_path
):
    hosts = {
        "one": {**LOCAL, "homes_namespace": namespace, "homes_users": ["ann", "ben"]},
        "two": {**LOCAL, "homes_namespace": other, "homes_users": ["ann"]},
        "gone": {"ansible_host": "127.0.0.1", "ansible_port": 9, "homes_namespace": other, "homes_users": []},
    }
    path = tmp_path / "hosts.json"
    path.write_text(json.dumps({"persistency": {"hosts": hosts}}))
    red = playbooks.run(DRIFT, path)
    assert red.code not in (0, 2), red.output
    found = artifacts(red)
    assert found["drift_hosts"] == {"one": 2, "two": 1, "gone": 0}
    assert found["drift_parts"] == {"homes": {"create": 3}}
    assert found["drift_failures"] == [
        "gone: it cannot be reached, or its variables cannot be read: see its failure above"
    ]


def test_an_inventory_without_hubs_is_not_a_cluster_without_drift(playbooks, tmp_path):
    path = tmp_path / "hosts.json"
    path.write_text(json.dumps({"hubs": {"hosts": {"hub": {**LOCAL, "homes_users": ["ann"]}}}}))
    assert "no hosts in the group `persistency`" in playbooks.refused(DRIFT, path)


def test_what_the_cluster_cannot_change_is_red_only_on_request(cluster, playbooks, namespace):
    hub = {"homes_namespace": namespace, "homes_users": ["ann"], "homes_size": "20Gi"}
    playbooks.ok(SITE, hub)
    hub["homes_size"] = "10Gi"
    green = playbooks.ok(DRIFT, hub)
    assert artifacts(green)["drift_unreconcilable"] == 1
    assert "cannot be changed" in green.output
    assert playbooks.run(DRIFT, {**hub, "drift_fail_on_unreconcilable": True}).code == 2


GONE = {"ansible_host": "127.0.0.1", "ansible_port": 9}


def site_with(tmp_path, hub, **others):
    path = tmp_path / "hosts.json"
    groups = {"persistency": {"hosts": {"hub": {**LOCAL, **hub}}}, "storage": {"hosts": others}}
    path.write_text(json.dumps(groups))
    return path


@pytest.mark.parametrize("limit", ["nfs1", "!hub"])
def test_a_limit_that_leaves_out_all_hubs_is_red(playbooks, tmp_path, limit):
    hosts = site_with(tmp_path, {"homes_users": ["ann"]}, nfs1=GONE)
    output = playbooks.refused(DRIFT, hosts, "--limit", limit)
    assert "The limit (`--limit`) has none of the hubs hub" in output
    assert "unreachable=1" not in output


def test_what_other_hosts_have_is_a_failure_if_they_are_down_and_the_rest_is_compared(playbooks, namespace, tmp_path):
    hub = inventory(
        namespace,
        shares_path="/srv/shares",
        shares_directory_host="nfs1",
        software_host="builder",
        software_prefix="/srv/software",
        software_stack={"modules": ["A/1.0"]},
    )
    red = playbooks.run(DRIFT, site_with(tmp_path, hub, nfs1=GONE, builder=GONE))
    assert red.code == 2, red.output
    found = artifacts(red)
    assert found["drift_parts"]["homes"] == {"create": 2}
    shares, software = found["drift_failures"]
    assert "Failed to connect to the host via ssh" in shares
    assert "builder cannot be reached: " in software


def test_a_directory_or_a_namespace_that_a_run_needs_is_red(playbooks, tmp_path):
    hub = inventory("odhp-does-not-exist", shares_path=str(tmp_path / "none"))
    found = artifacts(playbooks.run(DRIFT, hub))
    assert any(f"{tmp_path}/none does not exist" in failure for failure in found["drift_failures"])
    missing = [
        failure for failure in found["drift_failures"] if "namespace odhp-does-not-exist does not exist" in failure
    ]
    assert [failure.partition("set ")[2] for failure in missing] == [
        "`homes_create_namespace: true`",
        *["`shares_create_namespace: true`"] * (len(missing) - 1),
    ]
    hub |= {"homes_create_namespace": True, "shares_path": ""}
    assert artifacts(playbooks.run(DRIFT, hub))["drift_failures"] == []


def test_a_file_server_that_is_down_delays_no_withdrawal(cluster, playbooks, namespace, tmp_path):
    hub = inventory(namespace)
    playbooks.ok(SITE, hub, "-t", "shares")
    hub |= {"shares_path": "/srv/shares", "shares_directory_host": "nfs1"}
    hub["shares_list"][0]["read"] = {"users": ["ben"]}
    red = playbooks.run(SITE, site_with(tmp_path, hub, nfs1=GONE), "-t", "shares")
    assert red.code == 2, red.output
    assert "Only the access list was written, because it withdraws access" in red.output
    access = playbooks.run(DRIFT, inventory(namespace, shares_list=hub["shares_list"]), "-t", "shares")
    assert "access" not in artifacts(access)["drift_parts"]
