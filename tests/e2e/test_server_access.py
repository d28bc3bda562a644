"""A grant is withdrawn while servers run: they are reported and, when told to, the hub stops them. Others stay."""

from __future__ import annotations

import pytest

from tests.support.cluster import wait_for

LEAVER, STAYER = "leaver@example.net", "stayer@example.net"
PRIVATE = "shared-data-private"
MARK = "odh.persistency/excess-since"


@pytest.fixture
def access(site, hub):
    """`access(server_access_state="revoked")`: run the playbook with the service that the role gave the hub."""
    token = hub.tokens["odh-persistency"]
    variables = {"server_access_namespace": site.namespace, "server_access_hub": {"url": hub.url, "token": token}}

    def run(*flags, **more):
        played = site.play("server_access", *flags, **variables, **more)
        assert token not in played.output
        return played

    return run


def test_a_withdrawn_grant_is_reported_and_enforced_and_nobody_else_is_stopped(site, hub, access):
    share = site.share(PRIVATE)
    share["write"]["users"] += [LEAVER, STAYER]
    site.publish()
    hub.launch(LEAVER, STAYER)
    assert site.granted(LEAVER)["shares"][PRIVATE] == "rw"
    leaver, stayer = (f"of '{user}' (pod {site.pod_of(user)['metadata']['name']})" for user in (LEAVER, STAYER))
    before = site.pod_of(STAYER)["metadata"]["uid"]
    played = access()
    assert leaver not in played.output

    share["write"]["users"].remove(LEAVER)
    site.publish()
    played = access()
    assert played.recap["changed"] == 0
    assert (
        f"the server {leaver} mounts share {PRIVATE} read and write, but it is granted to others only" in played.output
    )
    assert stayer not in played.output
    assert MARK not in site.pod_of(LEAVER)["metadata"]["annotations"]

    revoke = {"server_access_state": "revoked", "server_access_max_stops": -1}
    checked = access("--check", "--diff", **revoke, server_access_grace="0s")
    assert f"the server {leaver} is stopped" in checked.output
    access(**revoke, server_access_grace="1h")
    assert MARK in site.pod_of(LEAVER)["metadata"]["annotations"]
    assert MARK not in site.pod_of(STAYER)["metadata"]["annotations"]
    assert not hub.server_of(LEAVER)["stopped"]

    assert access(**revoke, server_access_grace="0s").recap["changed"] == 1
    wait_for(lambda: site.pod_of(LEAVER) is None, "the pod is gone", within=60)
    assert site.pod_of(STAYER)["metadata"]["uid"] == before
    assert hub.server_of(STAYER)["ready"]
    assert access(**revoke, server_access_grace="0s").recap["changed"] == 0

    hub.launch(LEAVER)
    assert PRIVATE not in site.granted(LEAVER)["shares"]
    assert access(**revoke, server_access_grace="0s").recap["changed"] == 0
    share["write"]["users"].remove(STAYER)
    site.publish()
    hub.stop(LEAVER, STAYER)
