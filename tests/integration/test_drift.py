"""The playbook drift: a table, artifacts, and a failure if a run would change something."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.playbooks import Playbooks

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


def test_drift_is_red_before_a_run_and_green_after_it_and_writes_nothing(cluster, playbooks, namespace, audit):
    hub = inventory(namespace)
    with audit() as log:
        red = playbooks.run(DRIFT, hub)
    assert red.code == 2
    assert not [str(request) for request in log.writes if request.namespace == namespace]
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
    assert artifacts(green)["drift_total"] == 0
    assert "Everything is as the inventory says." in green.output


def test_what_a_run_cannot_do_is_red_and_the_other_parts_are_compared(cluster, playbooks, namespace):
    red = playbooks.run(DRIFT, inventory(namespace, homes_size="many"))
    found = artifacts(red)
    assert red.code == 2
    assert "size" in found["drift_failures"][0]
    assert found["drift_parts"]["shares"]["create"] == 1


def test_what_the_cluster_cannot_change_is_red_only_on_request(cluster, playbooks, namespace):
    hub = {"homes_namespace": namespace, "homes_users": ["ann"], "homes_size": "20Gi"}
    playbooks.ok(SITE, hub)
    hub["homes_size"] = "10Gi"
    green = playbooks.ok(DRIFT, hub)
    assert artifacts(green)["drift_unreconcilable"] == 1
    assert "cannot be changed" in green.output
    assert playbooks.run(DRIFT, {**hub, "drift_fail_on_unreconcilable": True}).code == 2
