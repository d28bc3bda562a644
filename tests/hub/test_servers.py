"""The servers and groups that a real JupyterHub returns, and stopping servers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.hub.client import (
    DELETE_SERVERS,
    LIST_USERS,
    READ_GROUPS,
    READ_SERVERS,
    HubClient,
    HubError,
)

from testbed.faults import Rule, status
from tests.hub.rig import RealHub, now, proxied

NEED = (LIST_USERS, READ_GROUPS, READ_SERVERS, DELETE_SERVERS)


def client(hub: RealHub, service: str = "access") -> HubClient:
    return HubClient(hub.url, hub.tokens[service])


def test_running_servers_their_start_and_the_groups_of_their_users(hub: RealHub) -> None:
    hub.add("ann", "bob")
    hub.api("POST", "/groups/team")
    hub.api("POST", "/groups/team/users", {"users": ["ann"]})
    before = now() - timedelta(seconds=1)
    hub.start_server("ann")
    hub.start_server("ann", "lab")
    hub.stop_server("ann", "lab")
    found = client(hub).servers(NEED)
    ann, bob = found.users["ann"], found.users["bob"]
    assert found.complete
    assert (ann.active, ann.groups, bob.active, bob.groups) == ({""}, ("team",), frozenset(), ())
    assert ann.groups_known
    started = ann.started[""]
    assert started is not None
    assert before < started < now()
    # No KubeSpawner, and no scope that shows the state of servers.
    assert ann.pods == {}
    hub.api("DELETE", "/groups/team")


def test_only_the_named_server_is_stopped(hub: RealHub) -> None:
    hub.add("ann", "bob")
    for user, server in (("ann", ""), ("ann", "lab"), ("bob", "")):
        hub.start_server(user, server)
    connection = client(hub)
    for user, server, left in [("ann", "lab", {""}), ("ann", "", set())]:
        connection.stop(user, server)
        users = connection.servers(NEED).users
        assert users[user].active == left
        assert users["bob"].active == {""}
    # Whatever is stopped already is no error, and neither is what the hub has forgotten.
    for user, server in (("ann", ""), ("ann", "lab"), ("ann", "none")):
        connection.stop(user, server)
    assert connection.servers(NEED).users["bob"].active == {""}
    hub.stop_server("bob")


@pytest.mark.parametrize("service", ["access-report", "full"])
def test_a_token_that_may_not_stop_servers(hub: RealHub, service: str) -> None:
    hub.add("ann")
    hub.start_server("ann")
    with pytest.raises(HubError, match="lacks the scope"):
        client(hub, service).servers(NEED)
    with pytest.raises(HubError) as caught:
        client(hub, service).stop("ann", "")
    # The hub says 404 of what a token may not see, and 403 of what it may see.
    assert "role with the scope `delete:servers`" in str(caught.value)
    assert client(hub).servers(NEED).users["ann"].active == {""}
    hub.stop_server("ann")


def test_a_hub_that_cannot_stop_a_server_now(hub: RealHub) -> None:
    hub.add("ann")
    pending = Rule(status(400, body=b'{"message": "ann is pending spawn, please wait"}'), method="DELETE")
    with proxied(hub, pending) as proxy:
        connection = HubClient(proxy.url, hub.tokens["access"], ca_cert=proxy.authority)
        with pytest.raises(HubError, match="400: ann is pending spawn, please wait") as caught:
            connection.stop("ann", "")
        assert caught.value.retryable


def test_a_transient_fault_is_retried(hub: RealHub) -> None:
    hub.add("ann")
    hub.start_server("ann")
    with proxied(hub, Rule(status(503), method="DELETE", first=2)) as proxy:
        HubClient(proxy.url, hub.tokens["access"], ca_cert=proxy.authority, sleep=lambda _seconds: None).stop("ann", "")
    assert client(hub).servers(NEED).users["ann"].active == frozenset()
