"""A real JupyterHub as the source of users, and of the use of homes since their retirement."""

from __future__ import annotations

import re
import socket
from datetime import timedelta

import pytest

from tests.hub.rig import PAGE, now, numbered
from tests.support.homes import RETIRED, SERVERNAME, USERNAME, annotations, as_written, make_home, size
from tests.support.hub_fixtures import *  # noqa: F403
from tests.support.hub_fixtures import shows_no_token
from tests.support.playbooks import Playbooks

HOUR = timedelta(hours=1)


@pytest.fixture
def hub(running_hub):
    """One hub for all tests here: each has users of its own in it."""
    return running_hub


@pytest.fixture
def ask(modules, namespace, hub):
    """`ask("user_pvc", users=[...])`: run a module with that hub, and see that it says nothing of tokens."""

    def run(module, *, token=None, url=None, **options):
        given = {"url": url or hub.url, "token": hub.tokens["full"] if token is None else token}
        result = modules.run(module, {"namespace": namespace, "hub": given, **options}, diff=True)
        assert shows_no_token(result, hub, given["token"])
        assert result.output["invocation"]["module_args"]["hub"]["url"] == given["url"]
        return result

    return run


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def policy(cluster, volume):
    return cluster.get("persistentvolumes", volume)["spec"]["persistentVolumeReclaimPolicy"]


def everybody(hub):
    """All users of the hub, over all its pages."""
    names = []
    while page := hub.api("GET", f"/users?limit={PAGE}&offset={len(names)}"):
        names += [user["name"] for user in page]
    return names


def test_only_homes_unused_since_retirement_are_deleted(hub, cluster, namespace, ask, audit):
    retired = (now() - HOUR).replace(microsecond=0)
    active = retired + HOUR / 2
    hub.add("ann", "bob", "cat", "eve")
    hub.active_at("ann", active)
    hub.active_at("bob", retired - HOUR)
    hub.start_server("cat")
    volumes = {}
    # eve was never active, and dan the hub does not know.
    for user in ("ann", "bob", "cat", "dan", "eve"):
        make_home(cluster, namespace, f"claim-{user}", user, annotations={RETIRED: stamp(retired)})
        volumes[user] = cluster.bind(namespace, f"claim-{user}", reclaim="Delete")

    options = {"users": [*volumes], "state": "absent", "retention": "30m"}
    unknown = ask("user_pvc", **options)
    assert unknown.failed
    assert "the hub has no user 'dan', who may have another name there now" in unknown.msg
    assert len(cluster.claims(namespace)) == len(volumes)
    options["assume_unused"] = True
    result = ask("user_pvc", **options)
    assert not result.failed, result.output
    assert result.actions() == dict.fromkeys(["claim-bob", "claim-dan", "claim-eve"], "delete")
    assert result.summary == {"delete": 3, "keep": 2}
    reasons = {change["owner"]: change["reason"] for change in result.changes}
    assert f"'bob' was last active at {stamp(retired - HOUR)}, before the home was retired" in reasons["bob"]
    assert "nobody used it since by assumption (assume_unused)" in reasons["dan"]
    assert "'eve' was never active in the hub" in reasons["eve"]
    assert len(result.warnings) == 2
    reported = {warning.split()[1]: warning for warning in result.warnings}
    assert f"'ann' was active at {stamp(active)}, and the home was retired at {stamp(retired)}" in reported["claim-ann"]
    assert "the server of 'cat' is running" in reported["claim-cat"]

    claims = cluster.claims(namespace)
    living = [name for name, claim in claims.items() if "deletionTimestamp" not in claim["metadata"]]
    assert sorted(living) == ["claim-ann", "claim-cat"]
    policies = {**dict.fromkeys(["ann", "cat"], "Delete"), **dict.fromkeys(["bob", "dan", "eve"], "Retain")}
    assert {user: policy(cluster, volume) for user, volume in volumes.items()} == policies

    # A server that was stopped ran past the mark.
    before = now().replace(microsecond=0)
    hub.stop_server("cat")
    with audit(user_agent="odh.persistency/", namespace=namespace) as log:
        again = ask("user_pvc", **options)
    assert not again.changed
    assert not log.writes, log
    assert {user: policy(cluster, volume) for user, volume in volumes.items()} == policies
    [reported] = [warning for warning in again.warnings if "claim-cat" in warning]
    moment = re.search(r"cat is kept: .* was active at (\S+),", reported)[1]
    assert stamp(before) <= moment <= stamp(now())


def test_a_hub_that_does_not_answer_is_reported_before_anything_is_written(hub, cluster, namespace, ask, audit):
    make_home(cluster, namespace, "claim-fay", "fay", annotations={RETIRED: stamp(now() - HOUR)})
    volume = cluster.bind(namespace, "claim-fay", reclaim="Delete")
    before = as_written(cluster.claims(namespace))
    hub.add("fay")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    deletion = {"users": ["gil", {"name": "fay", "state": "absent"}], "retention": "0s"}
    listing = {"users": ["gil"], "users_from": "hub"}
    unknown = "f00dfeedf00dfeedf00dfeed"
    with audit(user_agent="odh.persistency/", namespace=namespace) as log:
        for options, where, words in [
            (deletion, {"token": hub.tokens["no-activity"]}, "lacks the scope `read:users:activity`: give its service"),
            (deletion, {"token": unknown}, "does not accept the token (403)"),
            (deletion, {"url": nobody}, "connection refused"),
            (listing, {"token": hub.tokens["names"]}, "lacks the scope `read:servers`: give its service"),
            (listing, {"token": unknown}, "does not accept the token (403)"),
            (listing, {"url": nobody}, "connection refused"),
        ]:
            result = ask("user_pvc", **options, **where)
            assert result.failed
            assert not result.changed
            message = result.output["msg"]
            assert words in message
            # One sentence.
            assert message.endswith(".")
            assert not re.search(r"[.!?] [A-Z]|\n", message), message
    assert not log.writes, log
    assert as_written(cluster.claims(namespace)) == before
    assert policy(cluster, volume) == "Delete"


def test_no_playbook_shows_the_token(hub, cluster, namespace, tmp_path):
    """The role validates its variables, and reports on them, before the module gets them."""
    hub.add("hal")
    token = hub.tokens["full"]
    inventory = {"homes_namespace": namespace, "homes_users_from": "hub", "homes_hub": {"url": hub.url, "token": token}}
    played = Playbooks(cluster, tmp_path).ok("odh.persistency.homes", inventory, "-vvv", "--check", "--diff")
    assert "+home claim-hal of hal" in played.output
    assert hub.url in played.output
    assert token not in played.output


def test_whoever_the_hub_knows_has_a_home(hub, cluster, namespace, ask, audit):
    hub.add(*numbered("user", 120), "josé", "王小明", "bob.smith@example.org")
    for user, server in (("user007", "gpu"), ("josé", "lab")):
        hub.start_server(user, server)
        hub.stop_server(user, server)
    desired = {(name, "") for name in everybody(hub)} | {("user007", "gpu"), ("josé", "lab")}
    assert len(desired) > 12 * PAGE
    users = [
        "not-yet-in-the-hub",
        {"name": "user003", "size": "20Gi", "labels": {"team": "x"}},
        {"name": "user007", "server": "gpu", "size": "30Gi"},
        {"name": "user004", "state": "retired"},
    ]
    options = {"users_from": "hub", "users": users, "size": "2Gi"}
    first = ask("user_pvc", **options)
    assert not first.failed, first.output
    # user004, who has no home, is no reason to make one.
    desired = desired - {("user004", "")} | {("not-yet-in-the-hub", "")}
    assert first.summary == {"create": len(desired), "keep": 1}
    homes = {
        (annotations(claim)[USERNAME], annotations(claim).get(SERVERNAME, "")): claim
        for claim in cluster.claims(namespace).values()
    }
    assert set(homes) == desired
    special = {("user003", ""): "20Gi", ("user007", "gpu"): "30Gi"}
    assert {owner: size(home) for owner, home in homes.items()} == {**dict.fromkeys(desired, "2Gi"), **special}
    assert homes["user003", ""]["metadata"]["labels"]["team"] == "x"

    with audit(user_agent="odh.persistency/", namespace=namespace) as log:
        second = ask("user_pvc", **options)
    assert not second.changed
    assert second.summary == {"keep": len(desired) + 1}
    assert not log.writes, log

    census = ask("user_pvc_info", users_from="hub").census
    assert [orphan["owner"] for orphan in census["orphans"]] == ["not-yet-in-the-hub"]
    assert census["adoption"] == []
