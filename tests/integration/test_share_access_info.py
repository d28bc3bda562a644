"""Queries about an ACL that share_acl published on a real API server."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.support.acl import AGENT, INDEX, digest_of, options, share

GROUPS = {"analysts": ["ann", "ben"], "guests": ["cat"]}
SHARES = [
    share("public-data", "public", write={"groups": ["analysts"]}, until="2999-03-31"),
    share("notebooks", read={"groups": ["guests", "hub:visitors"]}, write={"groups": ["analysts"], "users": ["dan"]}),
    share("payroll", "secret", read={"users": ["ann"]}),
]
LIST = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}
GET = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
DAY = "2026-11-24"


@pytest.fixture
def published(modules, namespace):
    """Publish an ACL. Return the options with which it was published."""
    chosen = options(namespace, SHARES, groups=GROUPS)
    modules.ok("share_acl", chosen)
    return chosen


def verbs(log):
    return [str(request).split(" -> ")[0].split()[:2] for request in log.requests]


def test_everything_at_a_glance_costs_one_list(published, namespace, modules, audit):
    with audit(user_agent=AGENT) as log:
        result = modules.ok("share_access_info", {"namespace": namespace, "as_of": DAY})
    assert verbs(log) == [["list", "configmaps"]]
    assert not result.changed
    assert result.text.splitlines() == [
        f"ACL {result.digest[:12]} in namespace {namespace}, on 2026-11-24: 3 shares, 4 people",
        "",
        "USER            notebooks  payroll  public-data",
        "                private    secret   public",
        "ann             rw         ask      rw",
        "ben             rw         -        rw",
        "cat             ro         -        ro",
        "dan             rw         -        ro",
        "(anybody else)  -          -        ro",
        "",
        "notebooks: ro for members of hub:visitors, whom the hub knows at spawn",
        "public-data: granted until 2999-03-31",
    ]
    assert result.published
    assert [row["name"] for row in result.users] == ["ann", "ben", "cat", "dan"]
    assert {row["name"]: row["counts"] for row in result.shares} == {
        "notebooks": {"rw": 3, "ro": 1},
        "payroll": {"rw": 0, "ro": 1},
        "public-data": {"rw": 2, "ro": 0},
    }
    shown = modules.ok("share_access_info", {"namespace": namespace, "as_of": DAY}, check=True)
    assert shown.output == result.output


def test_one_person_is_read_as_the_hub_reads_them(published, namespace, modules, audit):
    question = {"namespace": namespace, "for_users": ["ann"], "as_of": DAY}
    with audit(user_agent=AGENT) as log:
        result = modules.ok("share_access_info", question)
    assert verbs(log) == [["get", "configmaps"]] * 3
    [ann] = result.users
    assert {one["share"]: (one["grant"], one["rule"]) for one in ann["shares"]} == {
        "notebooks": ("rw", "read and write, as a member of group analysts"),
        "payroll": ("ask", "mounted only when asked for: read only, named directly"),
        "public-data": ("rw", "read and write, as a member of group analysts"),
    }
    assert ann["shares"][0]["mount_path"] == "/opt/app-root/src/notebooks"
    assert "ann, member of analysts:" in result.text
    [ann] = modules.ok("share_access_info", {**question, "requested": ["payroll"]}).users
    assert (ann["ro"], ann["rw"], ann["ask"]) == (["notebooks", "payroll", "public-data"], [], [])
    [eve] = modules.ok(
        "share_access_info", {**question, "for_users": ["eve"], "hub_groups": {"eve": ["visitors"]}}
    ).users
    assert (eve["ro"], eve["rw"], eve["groups"]) == (["notebooks", "public-data"], [], ["hub:visitors"])
    unknown = modules.ok("share_access_info", {**question, "for_users": ["zoe"]})
    assert unknown.warnings == ["This ACL does not name 'zoe': the answer is what everyone gets"]
    assert unknown.users[0]["ro"] == ["public-data"]


def test_a_few_people_of_many_are_in_a_few_parts_and_more_are_one_list(namespace, modules, audit):
    groups = {f"group-{number:03}": [f"person-{one:05}" for one in range(3_000)] for number in range(20)}
    shares = [share("notebooks", read={"groups": ["group-007"]})]
    made = modules.ok("share_acl", options(namespace, shares, groups=groups))
    assert made.acl["parts"] > 10
    people = [f"person-{number:05}" for number in range(0, 2_700, 300)]
    with audit(user_agent=AGENT) as log:
        few = modules.ok("share_access_info", {"namespace": namespace, "for_users": people[:2]})
    assert verbs(log) in ([["get", "configmaps"]] * 3, [["get", "configmaps"]] * 4)
    with audit(user_agent=AGENT) as log:
        more = modules.ok("share_access_info", {"namespace": namespace, "for_users": people})
    assert verbs(log) == [["list", "configmaps"]]
    assert more.users[:2] == few.users
    assert all(row["ro"] == ["notebooks"] for row in more.users)
    complete = modules.ok("share_access_info", {"namespace": namespace, "matrix": "csv"})
    lines = list(csv.reader(io.StringIO(complete.csv, newline="")))
    assert lines[0] == ["user", "notebooks"]
    assert len(lines) == 3_001
    assert "and 2,900 more people" in complete.text
    assert (len(complete.users), complete.users_left_out) == (100, 2_900)


def test_groups_and_shares(published, namespace, modules):
    question = {"namespace": namespace, "for_groups": ["analysts", "hub:visitors"], "for_shares": ["notebooks"]}
    result = modules.ok("share_access_info", question)
    analysts, visitors = result.groups
    assert (analysts["members"], analysts["source"]) == (["ann", "ben"], "inventory")
    assert [one["grant"] for one in analysts["shares"]] == ["rw"]
    assert (visitors["members"], visitors["shares"][0]["grant"]) == ([], "ro")
    [notebooks] = result.shares
    assert notebooks["rw"] == [
        {"rule": "group analysts", "people": ["ann", "ben"]},
        {"rule": "named", "people": ["dan"]},
    ]
    assert notebooks["ro"] == [{"rule": "group guests", "people": ["cat"]}]
    assert notebooks["hub_groups"] == {"rw": [], "ro": ["hub:visitors"]}
    assert "  ro  members of hub:visitors, whom the hub knows at spawn" in result.text


def test_what_people_may_know_themselves(published, namespace, modules):
    result = modules.ok("share_access_info", {"namespace": namespace, "for_users": ["ben", "eve"], "own_view": True})
    assert [[one["share"] for one in row["shares"]] for row in result.users] == [
        ["notebooks", "public-data"],
        ["public-data"],
    ]
    assert "payroll" not in json.dumps(result.output["users"]) + result.text


def test_a_day_to_come(published, namespace, modules):
    day_after = modules.ok("share_access_info", {"namespace": namespace, "as_of": "2999-04-01"})
    assert day_after.everyone == []
    assert "public-data: nobody gets it, because its last day was 2999-03-31" in day_after.text
    assert modules.ok("share_access_info", {"namespace": namespace, "as_of": "2999-03-31"}).everyone == ["public-data"]


def test_what_an_input_would_change_and_that_it_does(published, namespace, modules, audit):
    with audit(user_agent=AGENT) as log:
        same = modules.ok("share_access_info", published)
    assert same.what_if == {"sentences": [], "gains": 0, "withdrawals": 0, "changes": []}
    assert same.text.endswith("The input would change nothing.")
    assert not log.writes
    assert not log.dry_runs
    edited = {**published, "groups": {**GROUPS, "analysts": ["ann", "eve"]}}
    result = modules.ok("share_access_info", edited)
    found = result.what_if
    assert (found["gains"], found["withdrawals"]) == (2, 2)
    assert {(one["share"], one["who"], one["old"], one["new"]) for one in found["changes"]} == {
        ("notebooks", "ben", "rw", None),
        ("notebooks", "eve", None, "rw"),
        ("public-data", "ben", "rw", "ro"),
        ("public-data", "eve", "ro", "rw"),
    }
    assert all(f"  {sentence}" in result.text.splitlines() for sentence in found["sentences"])
    assert any("ben" in sentence for sentence in found["sentences"])
    retired = {**published, "shares": [*SHARES[:2], {**SHARES[2], "state": "retired"}]}
    [effect] = modules.ok("share_access_info", retired).what_if["changes"]
    assert (effect["share"], effect["who"], effect["cause"]) == ("payroll", "ann", "share retired")
    # The answer itself is that of the ACL that stands; with acl_from it is the input's.
    assert result.shares[0]["counts"] == {"rw": 3, "ro": 1}
    assert any(row["name"] == "ben" and row["rw"] for row in result.users)
    as_input = modules.ok("share_access_info", {**edited, "acl_from": "input"})
    assert any(row["name"] == "eve" and row["rw"] == ["notebooks", "public-data"] for row in as_input.users)
    assert not as_input.published
    assert modules.ok("share_acl", edited).acl["digest"] == as_input.digest


def test_groups_alone_are_nothing_to_compare(published, namespace, modules):
    result = modules.ok("share_access_info", {"namespace": namespace, "groups": GROUPS})
    assert "what_if" not in result.output
    assert "name them in `for_groups`" in result.warnings[0]


def test_an_input_needs_no_cluster(namespace, modules, tmp_path):
    chosen = {**options(namespace, SHARES, groups=GROUPS), "acl_from": "input"}
    result = modules.ok("share_access_info", chosen, kubeconfig=tmp_path / "there-is-none")
    assert [row["name"] for row in result.users] == ["ann", "ben", "cat", "dan"]
    assert f"of the input for namespace {namespace}" in result.text.splitlines()[0]


def test_an_input_with_groups_of_openshift(cluster, namespace, modules):
    if not cluster.serves_groups():
        pytest.skip("needs Groups of user.openshift.io")
    group = f"openshift:{cluster.make_group(['olga'])}"
    chosen = {**options(namespace, [share("notebooks", read={"groups": [group]})]), "acl_from": "input"}
    result = modules.ok("share_access_info", {**chosen, "for_shares": ["notebooks"]})
    assert result.shares[0]["ro"] == [{"rule": f"group {group}", "people": ["olga"]}]
    gone = options(namespace, [share("notebooks", read={"groups": ["openshift:odhp-nowhere"]})])
    assert "openshift:odhp-nowhere cannot be read" in modules.refused(
        "share_access_info", {**gone, "acl_from": "input"}
    )


def test_no_acl_is_a_warning_and_no_namespace_a_failure(namespace, modules):
    result = modules.ok("share_access_info", {"namespace": namespace})
    assert result.warnings == [f"Namespace {namespace} has no ACL yet: nobody has access to any share"]
    assert (result.users, result.shares, result.everyone, result.digest) == ([], [], [], "")
    assert not result.published
    [ann] = modules.ok("share_access_info", {"namespace": namespace, "for_users": ["ann"]}).users
    assert ann["shares"] == []
    # Against what an input would bring.
    first = modules.ok("share_access_info", options(namespace, SHARES, groups=GROUPS))
    assert first.what_if["gains"] > 0
    for question in ({}, {"for_users": ["ann"]}):
        message = modules.refused("share_access_info", {"namespace": f"{namespace}-x", **question})
        assert f"Namespace {namespace}-x does not exist" in message


def test_what_cannot_be_read_grants_nothing(cluster, namespace, published, modules):
    found = {item["metadata"]["name"]: item for item in cluster.list("configmaps", namespace)}
    [members] = [name for name in found if "-members-" in name]
    questions = [{"namespace": namespace}, {"namespace": namespace, "for_users": ["ann"]}]

    cluster.delete("configmaps", members, namespace)
    for question in questions:
        message = modules.refused("share_access_info", question)
        assert f"The ACL in namespace {namespace} is damaged, so it grants nothing: " in message
        assert members in message
    metadata = {"name": members, "labels": found[members]["metadata"]["labels"]}
    text = found[members]["data"]["part.json"].replace('"cat"', '"eve"')
    cluster.create("configmaps", {"metadata": metadata, "data": {"part.json": text}}, namespace)
    for question in questions:
        assert "it was modified or truncated" in modules.refused("share_access_info", question)

    newer = json.dumps({"schema": 2})
    marks = {
        "odh.persistency/schema": "2",
        "odh.persistency/digest": digest_of(newer),
        "odh.persistency/writer": "odh.persistency 9.1",
    }
    cluster.patch("configmaps", INDEX, {"metadata": {"annotations": marks}, "data": {"index.json": newer}}, namespace)
    for question in questions:
        message = modules.refused("share_access_info", question)
        assert "has schema 2, written by odh.persistency 9.1, which this version does not support" in message


def test_removed_labels_hide_nothing(cluster, namespace, published, modules):
    before = modules.ok("share_access_info", {"namespace": namespace})
    for item in cluster.list("configmaps", namespace):
        name = item["metadata"]["name"]
        if name.startswith(INDEX):
            cluster.patch("configmaps", name, {"metadata": {"labels": {"odh.persistency/kind": None}}}, namespace)
    assert modules.ok("share_access_info", {"namespace": namespace}).output == before.output


def test_all_errors_of_a_query_are_reported_at_once(namespace, modules, audit):
    question = {
        "namespace": namespace,
        "requested": ["payroll"],
        "as_of": "next week",
        "hub_groups": {"ann": "visitors"},
        "for_shares": [""],
        "shares": [share("x", "privat"), share("y", read={"groups": ["analyst"]})],
        "groups": GROUPS,
    }
    with audit(user_agent=AGENT) as log:
        message = modules.refused("share_access_info", question)
    assert not log.requests
    for words in (
        "that people ask for at spawn, but `for_users` is empty",
        "`as_of` is 'next week'",
        "`hub_groups` of 'ann'",
        "`for_shares` has an empty name",
        "privat",
    ):
        assert words in message
    assert "analyst" in modules.refused("share_access_info", {**question, "shares": [question["shares"][1]]})
    message = modules.refused("share_access_info", {"namespace": namespace, "acl_from": "input"})
    assert "but neither is set" in message


def test_with_few_rights(namespace, published, modules, restricted_user):
    reader = restricted_user([GET])
    assert modules.ok("share_access_info", {"namespace": namespace, "for_users": ["ann"]}, kubeconfig=reader).users
    message = modules.refused("share_access_info", {"namespace": namespace}, kubeconfig=reader)
    assert "may not list configmaps" in message
    lister = restricted_user([LIST])
    assert modules.ok("share_access_info", {"namespace": namespace}, kubeconfig=lister).users
