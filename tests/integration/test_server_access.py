"""Running servers against a published ACL: pods on a real API server, users and servers of a real hub.

The hub starts its servers as local processes, and the pods are created beside them. No node runs them, so they stay Pending.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from testbed.faults import Rule, call, status
from testbed.proxy import FaultProxy
from tests.hub.rig import CLASSIC, NEWEST, PAGE, numbered, proxied
from tests.support.acl import AGENT, INDEX, share
from tests.support.hub_fixtures import *  # noqa: F403
from tests.support.hub_fixtures import shows_no_token
from tests.support.playbooks import Playbooks
from tests.support.servers import home_claim, mount, server_pod, share_claim, spawned

MARK = "odh.persistency/excess-since"
HOME = "/home/jovyan"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def hub(running_hub):
    """A hub without users and groups."""
    yield running_hub
    for user, server in running(running_hub):
        running_hub.stop_server(user, server)
    for group in running_hub.api("GET", "/groups"):
        running_hub.api("DELETE", f"/groups/{group['name']}")
    running_hub.remove_all()


@pytest.fixture
def start(cluster, namespace, hub):
    """`start("ann", mount("papers"), server="lab")`: start a server in the hub, and create its pod."""

    def run(user, *mounts, server="", in_hub=True, **more):
        if in_hub:
            if not [one for one in hub.api("GET", "/users?limit=100") if one["name"] == user]:
                hub.add(user)
            hub.start_server(user, server)
        return cluster.create("pods", server_pod(user, server, mounts, **more), namespace)

    return run


@pytest.fixture
def publish(cluster, modules, namespace):
    """`publish(share(...))`: publish an ACL; the claim of each share is created if it is missing."""

    def run(*shares, **more):
        for one in shares:
            if cluster.get("persistentvolumeclaims", one["name"], namespace) is None:
                spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
                body = {"metadata": share_claim(one["name"]), "spec": spec}
                cluster.create("persistentvolumeclaims", body, namespace)
        modules.ok("share_acl", {"namespace": namespace, "home_path": HOME, "shares": list(shares), **more})

    return run


@pytest.fixture
def access(modules, namespace, hub):
    """`access(state="revoked")`: run the module, and see that it shows no token."""

    # JupyterHub 1.5 has no scopes: what is no administrator may do nothing.
    may = "admin" if hub.version in CLASSIC else "access"

    def run(*, token=may, url=None, ca_cert=None, check=False, kubeconfig=None, **options):
        given = {"url": url or hub.url, "token": hub.tokens.get(token, token), "ca_cert": ca_cert}
        chosen = {"namespace": namespace, "hub": given, **options}
        result = modules.run("server_access", chosen, diff=True, check=check, kubeconfig=kubeconfig)
        assert shows_no_token(result, hub, given["token"])
        return result

    return run


def running(hub):
    """The running servers of a hub, as (user, server)."""
    users = hub.api("GET", "/users?limit=100")
    return {(user["name"], name) for user in users for name in user["servers"]}


def mark_of(cluster, namespace, pod):
    return cluster.get("pods", pod, namespace)["metadata"]["annotations"].get(MARK)


def of(result, kind):
    """The reasons of one kind, by pod."""
    found = {row["pod"]: [finding["reason"] for finding in row[kind]] for row in result.servers}
    return {pod: reasons for pod, reasons in found.items() if reasons}


PAPERS = share("papers", read={"users": ["ann", "bob"]})
DATA = share("data", write={"users": ["ann"]}, read={"users": ["bob"]})
GROUP = share("team", read={"groups": ["hub:team"]})


def test_a_report_lists_differences_and_writes_nothing(cluster, namespace, hub, publish, start, access, audit):
    publish(PAPERS, DATA, GROUP, share("plan", "secret", read={"users": ["bob"]}))
    cluster.create("persistentvolumeclaims", claim(home_claim("claim-eve", "eve")), namespace)
    start("ann", mount("papers"), mount("data", "rw"))
    start("bob", mount("papers"), mount("data", "rw"))
    start("bob", mount("team"), mount("claim-eve", "rw", "/eve"), server="lab")
    start("eve", mount("claim-eve", "rw", HOME))
    start("cat", mount("team"))
    hub.api("POST", "/groups/team")
    hub.api("POST", "/groups/team/users", {"users": ["cat"]})
    start("gone", mount("papers"), in_hub=False)
    before = running(hub)
    with audit(user_agent=AGENT, namespace=namespace) as log:
        result = access()
    assert not result.failed
    assert not result.changed
    assert result.changes == []
    assert not log.writes, log
    assert running(hub) == before
    assert result.compared == 6
    assert of(result, "excess") == {
        "jupyter-bob": ["mounts share data read and write, but is granted read only, named directly"],
        "jupyter-bob--lab": [
            "mounts claim claim-eve, the home of 'eve'",
            "mounts share team read only, but it is granted to others only",
        ],
        "jupyter-gone": ["mounts share papers read only, but it is granted to others only"],
    }
    assert of(result, "missing") == {
        "jupyter-bob--lab": [
            "does not mount share data, which is granted read only, named directly",
            "does not mount share papers, which is granted read only, named directly",
        ]
    }
    assert of(result, "stale") == {}
    assert {row["pod"]: row["doubt"] for row in result.servers if row["doubt"]} == {
        "jupyter-gone": "the hub has no user 'gone': delete the pod if nobody uses it"
    }
    assert "EXCESS (3 servers)" in result.text
    assert access(token="access-report").servers == result.servers
    # Where the hub mounts shares decides about what is missing.
    assert of(access(home_path="/elsewhere"), "missing") == {}


def test_a_withdrawn_share_whose_claim_lost_its_marks_is_excess(cluster, namespace, publish, start, access):
    """Somebody who may edit claims, but not the access list, removes what names the share."""
    publish(PAPERS, DATA)
    cluster.create("persistentvolumeclaims", claim(home_claim("claim-bob", "bob")), namespace)
    start("bob", spawned("papers"), spawned("data"), mount("claim-bob", "rw", HOME))
    assert of(access(), "excess") == {}
    publish(DATA)
    none = {"odh.persistency/kind": None, "odh.persistency/owner": None, "odh.persistency/share": None}
    patch = {"metadata": {"labels": none, "annotations": none}}
    for name in ("papers", "data"):
        cluster.patch("persistentvolumeclaims", name, patch, namespace)
    reason = "mounts claim papers as a share, and no share of the ACL has this claim"
    assert of(access(), "excess") == {"jupyter-bob": [reason]}
    assert access(state="revoked", grace="0s").actions() == {"jupyter-bob": "stop"}


def claim(metadata):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": metadata, "spec": spec}


@pytest.mark.parametrize("running_hub", [NEWEST, *CLASSIC], indirect=True)
def test_a_withdrawn_grant_is_marked_and_enforced_after_the_grace(
    cluster, namespace, hub, publish, start, access, audit
):
    publish(PAPERS)
    start("ann", mount("papers"))
    start("bob", mount("papers"))
    start("bob", mount("papers"), server="lab")
    with audit(user_agent=AGENT, namespace=namespace) as log:
        assert not access(state="revoked").changed
    assert not log.writes, log

    publish(share("papers", read={"users": ["ann"]}))
    pods = {"jupyter-bob", "jupyter-bob--lab"}
    checked = access(state="revoked", grace="20m", check=True)
    assert checked.actions() == dict.fromkeys(pods, "update")
    assert not any(mark_of(cluster, namespace, pod) for pod in pods)
    marked = access(state="revoked", grace="20m")
    assert marked.changed
    assert marked.actions() == dict.fromkeys(pods, "update")
    assert "it is stopped after" in marked.changes[0]["reason"]
    assert all(mark_of(cluster, namespace, pod) for pod in pods)
    with audit(user_agent=AGENT, namespace=namespace) as log:
        waiting = access(state="revoked", grace="20m")
    assert not waiting.changed
    assert not log.writes, log
    assert {row["pod"] for row in waiting.servers if row["excess_since"]} == pods
    assert len(running(hub)) == 3

    # The grace is over for both. Check mode names exactly what a run stops.
    due = access(state="revoked", grace="0s", max_stops=1, check=True)
    assert due.actions() == {"jupyter-bob": "stop"}
    assert "1 more servers have excess access" in due.warnings[0]
    assert "'lab'" in due.warnings[0]
    assert len(running(hub)) == 3
    done = access(state="revoked", grace="0s", max_stops=1)
    assert done.output["changes"] == due.output["changes"]
    assert done.output["diff"] == due.output["diff"]
    assert done.output["diff"]["after"] == "the server of 'bob' (pod jupyter-bob) is stopped\n"
    assert running(hub) == {("ann", ""), ("bob", "lab")}
    # The pods here are nobody's, so the hub has deleted none.
    cluster.delete("pods", "jupyter-bob", namespace, gracePeriodSeconds=0)
    assert access(state="revoked", grace="0s").actions() == {"jupyter-bob--lab": "stop"}
    assert running(hub) == {("ann", "")}
    with audit(user_agent=AGENT, namespace=namespace) as log:
        assert not access(state="revoked", grace="0s").changed
    assert not log.writes, log


def test_regained_access_removes_the_mark(cluster, namespace, hub, publish, start, access):
    publish(PAPERS)
    start("bob", mount("papers"))
    publish(share("papers", read={"users": ["ann"]}))
    access(state="revoked")
    assert mark_of(cluster, namespace, "jupyter-bob")
    publish(PAPERS)
    result = access(state="revoked")
    assert result.actions() == {"jupyter-bob": "update"}
    assert result.output["diff"]["before"] == "the server of 'bob' (pod jupyter-bob) is marked to be stopped\n"
    assert mark_of(cluster, namespace, "jupyter-bob") is None
    assert running(hub) == {("bob", "")}
    assert not access(state="revoked").changed


@pytest.mark.parametrize("running_hub", CLASSIC, indirect=True)
def test_jupyterhub_1_5_has_groups_and_needs_an_administrator(cluster, namespace, hub, publish, start, access, audit):
    publish(GROUP)
    start("ann", mount("team"), server="lab")
    start("bob", mount("team"))
    hub.api("POST", "/groups/team")
    hub.api("POST", "/groups/team/users", {"users": ["ann"]})
    with audit(user_agent=AGENT, namespace=namespace) as log:
        refused = access(token="access", state="revoked", grace="0s")
    assert refused.failed
    assert "administrator" in refused.msg
    assert not log.writes, log
    result = access(state="revoked", grace="0s")
    assert result.actions() == {"jupyter-bob": "stop"}
    assert running(hub) == {("ann", "lab")}


def test_an_expired_share_and_one_that_the_acl_lost(cluster, namespace, hub, publish, start, access):
    publish(PAPERS, DATA)
    start("ann", mount("papers"), mount("data", "rw"))
    publish(share("papers", read={"users": ["ann"]}, until="2020-01-01"))
    result = access(state="revoked", grace="0s")
    assert of(result, "excess") == {
        "jupyter-ann": [
            "mounts claim data of share 'data', which the ACL does not have",
            "mounts share papers read only, but its last day was 2020-01-01",
        ]
    }
    assert running(hub) == set()


def test_servers_that_the_hub_does_not_confirm_are_not_stopped(cluster, namespace, hub, publish, start, access, audit):
    """A pod that an editor of the namespace created, and one that the hub has forgotten."""
    publish(share("papers", read={"users": ["ann"]}))
    start("bob")
    start("bob", mount("papers"), in_hub=False, name="decoy")
    start("eve", mount("papers"), in_hub=False)
    start("fay", mount("papers"), server="lab")
    hub.stop_server("fay", "lab")
    with audit(user_agent=AGENT, namespace=namespace) as log:
        result = access(state="revoked", grace="0s")
    assert not result.changed
    assert not log.writes, log
    assert running(hub) == {("bob", "")}
    doubts = {row["pod"]: row["doubt"] for row in result.servers}
    assert "several pods claim to be this server" in doubts["decoy"]
    assert "the hub has no user 'eve'" in doubts["jupyter-eve"]
    assert "does not know this server as running" in doubts["jupyter-fay--lab"]
    assert "Servers with excess access that the hub does not confirm are not stopped" in result.warnings[0]


def test_a_server_that_was_started_again_meanwhile_is_not_stopped(
    cluster, namespace, hub, publish, start, access, tmp_path
):
    publish(share("papers", read={"users": ["ann"]}))
    start("bob", mount("papers"))

    def start_again(_request):
        cluster.delete("pods", "jupyter-bob", namespace, gracePeriodSeconds=0)
        cluster.create("pods", server_pod("bob"), namespace)

    rule = Rule(call(start_again), method="GET", path="/pods/jupyter-bob$", nth=1)
    with FaultProxy(cluster.kubeconfig, [rule]) as proxy:
        result = access(state="revoked", grace="0s", kubeconfig=proxy.kubeconfig)
    assert rule.fired == 1
    assert not result.failed
    assert not result.changed
    assert running(hub) == {("bob", "")}


def test_a_grant_that_comes_during_the_run_is_no_excess(cluster, namespace, hub, publish, start, access):
    """The server of somebody who was granted a share a moment ago is listed, so the ACL that is compared has the grant."""
    publish(share("papers", read={"users": ["ann"]}))

    def grant(_request):
        publish(PAPERS)
        start("bob", mount("papers"))

    rule = Rule(call(grant), method="GET", path="/pods$", nth=1)
    with FaultProxy(cluster.kubeconfig, [rule]) as proxy:
        result = access(state="revoked", grace="0s", kubeconfig=proxy.kubeconfig)
    assert (rule.fired, result.compared, result.changed) == (1, 1, False)
    assert running(hub) == {("bob", "")}


@pytest.mark.parametrize("damage", ["broken", "newer", "missing part", "deleted", "empty"])
def test_nobody_is_stopped_because_the_acl_is_unreadable_or_empty(
    cluster, namespace, hub, publish, start, access, audit, damage
):
    publish(PAPERS)
    start("bob", mount("papers"))
    index = cluster.get("configmaps", INDEX, namespace)
    if damage == "broken":
        cluster.patch("configmaps", INDEX, {"data": {"index.json": "{}"}}, namespace)
    elif damage == "newer":
        text = json.dumps({**json.loads(index["data"]["index.json"]), "schema": 2})
        cluster.patch("configmaps", INDEX, {"data": {"index.json": text}}, namespace)
    elif damage == "missing part":
        (part,) = [
            item["metadata"]["name"]
            for item in cluster.list("configmaps", namespace)
            if "-shares-" in item["metadata"]["name"]
        ]
        cluster.delete("configmaps", part, namespace)
    elif damage == "deleted":
        cluster.delete("configmaps", INDEX, namespace)
    else:
        publish(allow_empty=True)
    with audit(user_agent=AGENT, namespace=namespace) as log:
        for options in ({}, {"allow_empty": True}) if damage in ("broken", "newer", "missing part") else ({},):
            for grace in ("0s", "1h"):
                result = access(state="revoked", grace=grace, **options)
                assert result.failed
                assert "\n" not in result.msg
                assert "ACL" in result.msg
    assert not log.writes, log
    assert running(hub) == {("bob", "")}
    if damage in ("deleted", "empty"):
        assert "set `allow_empty: true`" in result.msg
        assert not access().failed
        assert access(state="revoked", grace="0s", allow_empty=True).actions() == {"jupyter-bob": "stop"}
        assert running(hub) == set()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grace": "-5m"}, "grace: '-5m' is not a time span"),
        ({"grace": "soon"}, "grace: 'soon' is not a time span"),
        ({"max_stops": -2}, "max_stops is -2: set the number of servers"),
        ({"state": "stopped"}, "value of state must be one of: reported, revoked, got: stopped"),
        ({"token": "wrong-token"}, "does not accept the token (403)"),
        ({"token": "names"}, "lacks the scopes `read:users:groups`, `read:servers` and `delete:servers`"),
        ({"token": "access-report"}, "lacks the scope `delete:servers`"),
        ({"url": "http://127.0.0.1:9"}, "connection refused"),
        ({"url": "somewhere"}, "is not a URL"),
        ({"namespace": "No"}, "not a valid name of a namespace"),
        ({"namespace": "odhp-nowhere"}, "Namespace odhp-nowhere does not exist"),
        ({"mount_roots": ["/data"]}, "`mount_roots` without `home_path`"),
        ({"home_path": "here"}, "home_path: "),
        (
            {"home_path": HOME, "mount_roots": ["/home"]},
            "the root /home in `mount_roots` is the home /home/jovyan, or above",
        ),
        (
            {"home_path": HOME, "mount_roots": ["/"]},
            "the root / in `mount_roots` is the home /home/jovyan, or above it: choose a root beside the home",
        ),
        ({"static_home": {"claim": "homes", "sub_path": "homes"}}, "sub_path 'homes' is the same folder for all users"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_written(
    namespace, hub, publish, start, access, audit, options, words
):
    publish(share("papers", read={"users": ["ann"]}))
    start("bob", mount("papers"))
    with audit(user_agent=AGENT) as log:
        result = access(**{"state": "revoked", "grace": "0s", **options})
    assert result.failed
    assert words in result.msg
    assert "\n" not in result.msg
    assert not log.writes, log
    assert running(hub) == {("bob", "")}


def test_one_that_cannot_be_stopped_does_not_keep_the_others(cluster, namespace, hub, publish, start, access):
    publish(share("papers", read={"users": ["ann"]}))
    start("bob", mount("papers"))
    start("eve", mount("papers"))
    rule = Rule(status(500), method="DELETE", path="/users/bob/server$")
    with proxied(hub, rule) as proxy:
        result = access(state="revoked", grace="0s", url=proxy.url, ca_cert=str(proxy.authority))
    assert result.failed
    assert [item["name"] for item in result.failed_items] == ["jupyter-bob"]
    assert result.actions() == {"jupyter-eve": "stop"}
    assert running(hub) == {("bob", "")}


def test_names_with_special_characters(cluster, namespace, hub, publish, start, access):
    user = "bob.{0} <b>'\"&%2f@example.org"
    publish(share("papers", read={"users": ["ann"]}))
    hub.add(user)
    hub.start_server(user, "lab-1")
    cluster.create("pods", server_pod(user, "lab-1", [mount("papers")], name="jupyter-odd"), namespace)
    result = access(state="revoked", grace="0s")
    assert result.actions() == {"jupyter-odd": "stop"}
    assert running(hub) == set()


def test_the_folder_of_another_user_in_the_claim_with_all_homes_is_excess(
    cluster, namespace, hub, publish, start, access
):
    publish(PAPERS)
    cluster.create("persistentvolumeclaims", claim({"name": "homes"}), namespace)
    hub.add("eve@example.org")  # whose server does not run

    def home(folder, path=HOME):
        volume, place = mount("homes", "rw", path)
        return volume, {**place, "subPath": folder}

    _volume, theirs = home("eve-example-org---39f2b0c7", "/theirs")
    start("ann", home("ann"))
    start("bob", home("bob"), server="lab")
    spec = server_pod("cat", mounts=[home("cat")])["spec"]
    spec["initContainers"] = [{"name": "fix", "image": "x", "volumeMounts": [theirs]}]
    start("cat", spec=spec)
    start("dan", home("ann"))
    assert of(access(), "excess") == {}
    static = {"claim": "homes", "sub_path": "{username}"}
    result = access(state="revoked", grace="0s", static_home=static)
    assert of(result, "excess") == {
        "jupyter-cat": ["mounts folder 'eve-example-org---39f2b0c7' of claim homes, the home of 'eve@example.org'"],
        "jupyter-dan": ["mounts folder 'ann' of claim homes, the home of 'ann'"],
    }
    assert running(hub) == {("ann", ""), ("bob", "lab")}


def test_the_cost_does_not_depend_on_the_number_of_servers(cluster, namespace, hub, publish, start, access, audit):
    publish(PAPERS, DATA)
    hub.add(*numbered("user", 25))
    for name in numbered("user", 25):
        cluster.create("pods", server_pod(name, mounts=[mount("papers")]), namespace)
    with proxied(hub) as proxy, audit(user_agent=AGENT, namespace=namespace) as log:
        result = access(state="revoked", url=proxy.url, ca_cert=str(proxy.authority))
        requests = [request.path.rpartition("/")[2] for request in proxy.seen()]
    assert result.compared == 25
    assert requests == ["user", *["users"] * (1 + (25 - 2) // (PAGE - 1))]
    assert sorted(str(request).split(" -> ")[0].split()[1] for request in log.requests) == [
        "configmaps",
        "persistentvolumeclaims",
        "pods",
    ]


def test_the_permissions_of_the_example_are_enough(namespace, hub, publish, start, access, restricted_user):
    publish(share("papers", read={"users": ["ann"]}))
    start("bob", mount("papers"))
    role, _binding = yaml.safe_load_all((EXAMPLES / "rbac" / "server_access.yml").read_text())
    allowed = restricted_user(role["rules"])
    assert access(kubeconfig=allowed).compared == 1
    assert access(state="revoked", kubeconfig=allowed).actions() == {"jupyter-bob": "update"}
    assert access(state="revoked", grace="0s", kubeconfig=allowed).actions() == {"jupyter-bob": "stop"}


def test_the_playbook_reports_unless_it_is_told_to_revoke(cluster, namespace, hub, publish, start, tmp_path):
    publish(share("papers", read={"users": ["ann"]}))
    start("bob", mount("papers"))
    variables = {
        "server_access_namespace": namespace,
        "server_access_hub": {"url": hub.url, "token": hub.tokens["access"]},
    }
    playbooks = Playbooks(cluster, tmp_path)
    inventory = playbooks.inventory(variables)
    reported = playbooks.ok("odh.persistency.site", inventory, "--tags", "server_access")
    assert reported.recap["changed"] == 0
    assert "mounts share papers read only, but it is granted to others only" in reported.output
    assert running(hub) == {("bob", "")}
    revoke = {"server_access_state": "revoked", "server_access_grace": "0s"}
    assert hub.tokens["access"] not in reported.output
    checked = playbooks.ok("odh.persistency.server_access", inventory, "--check", "--diff", extra=revoke)
    assert "the server of 'bob' (pod jupyter-bob) is stopped" in checked.output
    assert running(hub) == {("bob", "")}
    green = playbooks.ok("odh.persistency.drift", inventory, "--tags", "server_access")
    assert "without a grant" in green.output
    red = playbooks.run("odh.persistency.drift", inventory, "--tags", "server_access", extra=revoke)
    assert red.code == 2
    assert "server_access (stop 1)" in red.output
    assert running(hub) == {("bob", "")}
    done = playbooks.ok("odh.persistency.server_access", inventory, extra=revoke)
    assert done.recap["changed"] == 1
    assert running(hub) == set()
    # A host that does not declare it is left alone.
    other = playbooks.inventory({"homes_namespace": namespace, "homes_users": []})
    assert playbooks.ok("odh.persistency.site", other, "--tags", "server_access").recap["skipped"] > 0
