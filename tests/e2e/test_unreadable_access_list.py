"""Servers start without shares, or not at all, as the policy says, while the access list cannot be read. The hub lives."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time

import pytest

from testbed.faults import Rule, slow, status
from testbed.hub.lifecycle import OWN_VALUES
from tests.e2e.rig import HOME, HubOnNode

INDEX = "odh-persistency-acl"
NOTICE = "No shares are mounted, because the access list cannot be read."
SENTENCE = "The access list of shares cannot be read at the moment."
#: What the hub's log says, by fault.
REASONS = {
    "deleted": '404 configmaps "odh-persistency-acl" not found',
    "broken": "the index is not valid JSON",
    "newer": "the index has schema 2, newer than the supported schema 1",
    "forbidden": "read_namespaced_config_map: 403",
    "slow": "read_namespaced_config_map: TimeoutError",
}
FAULTS = tuple(REASONS)
USERS = dict(zip(FAULTS, ("hanna.schulz", "ivan.petrov", "jana.dvorak", "kofi.mensah", "cem.kaya"), strict=True))


@pytest.fixture(scope="module")
def denying_hub(node, site, hub):
    """A hub with the policy `deny`. Besides, it is configured like the other one."""
    values = site.values
    site.values = values.with_name("deny.yaml")
    site.values.write_text(OWN_VALUES)
    site.play("hub", hub_policy="deny")
    with HubOnNode(node, site, "deny") as running:
        site.values = values
        yield running


@pytest.fixture
def unreadable(site):
    """`with unreadable("broken", hub): ...`: the access list is in this state for the hub."""

    @contextlib.contextmanager
    def unreadable(fault, hub):
        if fault in ("forbidden", "slow"):
            path = "/configmaps/"
            with hub.fault(Rule(status(403) if fault == "forbidden" else slow(30), path=path)):
                yield
            return
        stored = site.cluster.get("configmaps", INDEX, site.namespace)
        for key in ("resourceVersion", "uid", "creationTimestamp", "managedFields"):
            stored["metadata"].pop(key, None)
        site.cluster.delete("configmaps", INDEX, site.namespace)
        if fault != "deleted":
            site.cluster.create("configmaps", damaged(stored, fault), site.namespace)
        try:
            yield
        finally:
            site.cluster.delete("configmaps", INDEX, site.namespace)
            site.cluster.create("configmaps", stored, site.namespace)

    return unreadable


def damaged(stored, fault):
    text = stored["data"]["index.json"]
    if fault == "newer":
        text = json.dumps({**json.loads(text), "schema": 2}, sort_keys=True, separators=(",", ":"))
    else:
        text = text[:-1]
    annotations = {
        **stored["metadata"]["annotations"],
        "odh.persistency/digest": hashlib.sha256(text.encode()).hexdigest(),
    }
    return {**stored, "metadata": {**stored["metadata"], "annotations": annotations}, "data": {"index.json": text}}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_policy_home_only_starts_servers_without_shares(site, hub, shell, unreadable, fault):
    user = f"{USERS[fault]}@students.example.org"
    with unreadable(fault, hub):
        began = time.monotonic()
        hub.request_start(user)
        while not (server := hub.server_of(user)) or not server["ready"]:
            asked = time.monotonic()
            hub.api("GET", "/", token="")
            assert time.monotonic() - asked < 1, "the hub did not answer while a server started"
            assert time.monotonic() - began < 150, hub.log()[-4000:]
            time.sleep(0.2)
    assert shell(user, f"ls {HOME}; echo text > {HOME}/note && cat {HOME}/note") == (0, "text\n")
    granted = site.granted(user)
    assert granted["shares"] == {}
    assert granted["notice"].startswith(NOTICE)
    events = site.cluster.list("events", site.namespace)
    name = site.pod_of(user)["metadata"]["name"]
    assert any(NOTICE in event["message"] for event in events if event["involvedObject"]["name"] == name)
    (line,) = [line for line in hub.log().splitlines() if f"no shares for '{user}'" in line]
    assert REASONS[fault] in line
    assert hub.is_running


@pytest.mark.parametrize("fault", FAULTS)
def test_the_policy_deny_starts_no_server_and_says_why(denying_hub, unreadable, fault):
    user = "fatou.diallo@students.example.org"
    with unreadable(fault, denying_hub):
        for _number in range(1 if fault == "slow" else 6):  # the hub's limit is 5 failures
            assert SENTENCE in denying_hub.refused(user)
    assert denying_hub.is_running


def test_the_hub_that_denied_starts_servers_afterwards(site, denying_hub):
    user = "fatou.diallo@students.example.org"
    denying_hub.launch(user)
    assert "shared-data-public" in site.granted(user)["shares"]
    assert "consecutive spawns failed" not in denying_hub.log()
