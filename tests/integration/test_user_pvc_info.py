"""The homes of a namespace, and the census before a change of names."""

from __future__ import annotations

import json

from tests.support.homes import PRIMARY, make_home


def by_owner(result):
    return {(home["owner"], home["server"]): home for home in result.homes}


def test_homes_of_any_creator(cluster, namespace, modules, audit):
    modules.ok("user_pvc", {"namespace": namespace, "users": ["ann", {"name": "ann", "server": "gpu"}], "size": "1Gi"})
    modules.ok("user_pvc", {"namespace": namespace, "users": ["ann"], "state": "retired"})
    make_home(cluster, namespace, "claim-stop-2eped", "stop.ped", size="2Gi")
    make_home(cluster, namespace, "hub-db-dir", None)
    make_home(cluster, namespace, "stuff", None)
    volume = cluster.bind(namespace, "claim-stop-2eped")
    pod = cluster.make_pod(namespace, "claim-stop-2eped", phase="Running")
    with audit(user_agent="odh.persistency/") as log:
        result = modules.ok("user_pvc_info", {"namespace": namespace})
    assert not result.changed
    assert {request.verb for request in log.requests} == {"list"}
    homes = by_owner(result)
    assert set(homes) == {("ann", ""), ("ann", "gpu"), ("stop.ped", "")}
    old = homes["stop.ped", ""]
    assert old["size"] == old["capacity"] == "2Gi"
    assert old["phase"] == "Bound"
    assert old["volume"] == volume
    assert old["pods"] == [pod]
    assert old["schemes"] == ["escape"]
    assert old["storage_class"] == "standard"
    assert old["access_modes"] == ["ReadWriteOnce"]
    assert not old["managed"]
    assert old["age"].endswith(("s", "m"))
    assert homes["ann", ""]["managed"]
    assert homes["ann", ""]["retired_at"]
    assert homes["ann", ""]["capacity"] is None
    assert "safe" in homes["ann", ""]["schemes"]
    table = result.text.splitlines()
    assert table[0].split() == ["OWNER", "CLAIM", "SIZE", "PHASE", "CLASS", "AGE", "STATE"]
    assert any("stop.ped" in line and f"mounted by {pod}" in line and "not adopted yet" in line for line in table)
    assert "census" not in result.output


def test_the_golden_takeover(cluster, namespace, modules):
    """Facts: after 6.2 -> 7.1, KubeSpawner gives stop.ped an empty home, and stop-2eped that of stop.ped."""
    make_home(cluster, namespace, "claim-stop-2eped", "stop.ped")
    make_home(cluster, namespace, "claim-bob", "bob")
    users = ["stop.ped", "stop-2eped", "bob"]
    census = modules.ok("user_pvc_info", {"namespace": namespace, "naming": "safe", "users": users}).census
    [taken] = census["moves"]["safe"]["takeovers"]
    assert taken == {"name": "stop-2eped", "server": "", "claim": "claim-stop-2eped", "belongs_to": "stop.ped"}
    [empty] = census["moves"]["safe"]["empty"]
    assert empty["name"] == "stop.ped"
    assert empty["claim"] == "claim-stop-2eped"
    assert empty["would_get"].startswith("claim-stop-ped---")
    assert census["moves"]["given"] == census["moves"]["safe"]
    assert census["moves"]["escape"] == {"empty": [], "takeovers": [], "switched": [], "unnamed": []}
    assert census["adoption"] == [{"name": "stop.ped", "claim": "claim-stop-2eped"}]
    # The list is in the very form that user_pvc takes, and keeps everybody's home.
    result = modules.ok("user_pvc", {"namespace": namespace, "users": census["adoption"]})
    assert result.actions() == {"claim-stop-2eped": "adopt"}
    assert sorted(cluster.claims(namespace)) == ["claim-bob", "claim-stop-2eped"]


def test_orphans_duplicates_and_what_a_person_must_decide(cluster, namespace, modules):
    make_home(cluster, namespace, "claim-ann", "ann")
    make_home(cluster, namespace, "claim-ann-old", "ann", annotations={PRIMARY: "true"})
    make_home(cluster, namespace, "claim-gone", "gone")
    make_home(cluster, namespace, "claim-ben-2ex", None)
    make_home(cluster, namespace, "claim-cat", None)
    users = ["ann", "ben.x", "ben-2ex", "cat", "zed"]
    result = modules.ok("user_pvc_info", {"namespace": namespace, "users": users})
    census = result.census
    assert census["orphans"] == [{"name": "claim-gone", "owner": "gone", "server": "", "retired_at": None}]
    assert census["duplicates"] == [
        {"owner": "ann", "server": "", "claims": ["claim-ann", "claim-ann-old"], "primary": "claim-ann-old"}
    ]
    assert {"name": "ann", "claim": "claim-ann-old"} in census["adoption"]
    assert {"name": "cat", "claim": "claim-cat"} in census["adoption"]
    [undecided] = census["undecided"]
    assert undecided["claim"] == "claim-ben-2ex"
    assert sorted(undecided["owners"]) == ["ben-2ex", "ben.x"]
    rows = {row["name"]: row for row in census["users"]}
    assert rows["zed"]["home"] is None
    assert rows["zed"]["names"]["odh"] == "jupyterhub-nb-zed-pvc"
    assert rows["cat"]["exists"] == ["claim-cat"]
    assert "claim-gone belongs to gone, who is not listed." in result.census_text


def test_collisions_under_a_template(namespace, modules):
    options = {"namespace": namespace, "naming": "escape", "name_template": "claim-{username}{servername}"}
    users = ["alicebob", {"name": "alice", "server": "bob"}]
    census = modules.ok("user_pvc_info", {**options, "users": users}).census
    assert {"scheme": "given", "name": "claim-alicebob", "owners": ["alicebob", "alice (server bob)"]} in census[
        "collisions"
    ]


def test_users_from_files(namespace, modules, tmp_path):
    (tmp_path / "u.json").write_text(json.dumps(["ann", {"name": "ben", "server": "gpu"}]))
    (tmp_path / "u.yml").write_text("users:\n  - ann\n  - {name: ben, server: gpu}\n")
    (tmp_path / "u.csv").write_text("name,server,size,label:team,state\nann,,,,\nben,gpu,2Gi,x,present\n")
    for name in ("u.json", "u.yml", "u.csv"):
        path = str(tmp_path / name)
        census = modules.ok("user_pvc_info", {"namespace": namespace, "users_file": path}).census
        assert [(row["name"], row["server"]) for row in census["users"]] == [("ann", ""), ("ben", "gpu")]
        shown = modules.ok("user_pvc", {"namespace": namespace, "users_file": path}, check=True)
        assert shown.summary == {"create": 2, "keep": 0}


def test_without_the_right_to_list_pods(namespace, modules, cluster, restricted_user):
    make_home(cluster, namespace, "claim-ann", "ann")
    rule = {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["list"]}
    result = modules.ok("user_pvc_info", {"namespace": namespace}, kubeconfig=restricted_user([rule]))
    assert result.homes[0]["pods"] is None
    assert "may not list pods" in result.warnings[0]
