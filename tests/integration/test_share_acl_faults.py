"""Faults between share_acl and the API server: transient ones are retried, permanent ones leave the old ACL complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.faults import Rule, call, clock, conflict, cut, drop, each, expired, slow, status
from testbed.proxy import FaultProxy
from tests.support.acl import AGENT, INDEX, Polling, objects, options, parts, read, share

MAPS = "/configmaps"
PEOPLE = [f"{number:04}-{'-'.join(['a-long-name'] * 12)}@research.example.org" for number in range(440)]
READER = PEOPLE[0]


def version(namespace, number):
    group = f"group-{number}"
    return options(namespace, [share("data", write={"groups": [group]})], groups={group: PEOPLE}, max_withdrawals=-1)


@pytest.fixture
def through(cluster, modules):
    """Run the module through the proxy with these rules; returns (result, proxy)."""

    def through(rules, chosen, **how):
        with FaultProxy(cluster.kubeconfig, rules) as proxy:
            return modules.run("share_acl", chosen, kubeconfig=Path(proxy.kubeconfig), **how), proxy

    return through


def is_index(request):
    return request.name == INDEX


def assert_converges(cluster, namespace, modules, audit, chosen):
    digest = modules.ok("share_acl", chosen).acl["digest"]
    assert read(cluster, namespace, READER).digest == digest
    with audit(user_agent=AGENT) as log:
        assert not modules.ok("share_acl", chosen).changed
    assert not log.writes


WRITES = ("POST", "PATCH")
PASSING = {
    "throttled": lambda: [Rule(status(429, retry_after=1), method="POST", first=3)],
    "throttled list": lambda: [Rule(status(429, retry_after=1), method="GET", nth=1)],
    "500 once each": lambda: [Rule(status(500), per=each, nth=1)],
    "503 often": lambda: [Rule(status(503), per=each, probability=0.25, seed=7)],
    "504 after the write": lambda: [Rule(status(504, forward=True), method=WRITES, per=each, nth=1)],
    "answer lost after the write": lambda: [Rule(cut(), method=WRITES, per=each, nth=1)],
    "answer about the index lost": lambda: [Rule(cut(), method=WRITES, where=is_index, nth=1)],
    "answer cut after the write": lambda: [Rule(cut(body_bytes=40), method=WRITES, per=each, nth=1)],
    "list cut": lambda: [Rule(cut(body_bytes=4000), method="GET", path=MAPS + "$", nth=1)],
    "connections reset": lambda: [Rule(drop(reset=True), per=each, nth=1)],
    "slow": lambda: [Rule(slow(0.5), method="POST", every=5)],
}


@pytest.mark.parametrize("fault", PASSING)
def test_transient_faults_are_retried(cluster, namespace, modules, through, fault):
    modules.ok("share_acl", version(namespace, 1))
    with Polling(cluster, namespace, READER) as polling:
        result, proxy = through(PASSING[fault](), version(namespace, 2))
    assert not result.failed, result.output["msg"]
    assert any(request.faults for request in proxy.requests)
    assert polling.broken == []
    assert len(polling.views) <= 2
    # Whatever the client was told of each try, it says of all what came of them.
    objects_reported = {item["name"]: item["action"] for item in result.changes if item["kind"] != "acl"}
    assert objects_reported.pop(INDEX) == "update"
    assert set(objects_reported.values()) == {"create"}
    assert len(objects_reported) == 17
    assert any(item["kind"] == "acl" for item in result.changes)
    assert read(cluster, namespace, READER).digest == result.acl["digest"]
    assert not modules.ok("share_acl", version(namespace, 2)).changed


def test_the_first_acl_with_its_answer_lost(cluster, namespace, modules, through):
    result, _proxy = through([Rule(cut(), method="POST", where=is_index, nth=1)], version(namespace, 1))
    assert not result.failed, result.output["msg"]
    assert result.actions()[INDEX] == "create"
    assert any(item["kind"] == "acl" for item in result.changes)


def test_a_deletion_with_lost_answers(cluster, namespace, modules, through):
    modules.ok("share_acl", version(namespace, 1))
    gone = options(namespace, [], state="absent", max_withdrawals=-1)
    result, _proxy = through([Rule(cut(), method="DELETE", per=each, nth=1)], gone)
    assert not result.failed, result.output["msg"]
    assert result.actions()[INDEX] == "delete"
    assert objects(cluster, namespace) == {}


PERMANENT = {
    "a part": (Rule(status(500), method="POST", where=lambda request: "members-3-" in request.name), "answered 500"),
    "all parts": (Rule(status(503), method="POST"), "answered 503"),
    "a quota": (
        Rule(
            status(403, reason="Forbidden", message='configmaps "x" is forbidden: exceeded quota: few'),
            method="POST",
            nth=5,
        ),
        "ResourceQuota",
    ),
    "the index": (
        Rule(status(500), method="PATCH", where=is_index),
        "answered 500 to patch configmaps odh-persistency-acl",
    ),
    "the index cut": (Rule(drop(), method="PATCH", where=is_index), "broke"),
    "the index forbidden": (
        Rule(status(403, reason="Forbidden", message="a webhook says no"), method="PATCH", where=is_index),
        "a webhook says no",
    ),
    "conflicts without end": (
        Rule(conflict(), method="PATCH", where=is_index),
        "changed the ACL 4 times in the meantime",
    ),
}


@pytest.mark.parametrize("fault", PERMANENT)
def test_a_permanent_fault_leaves_the_old_acl_complete(cluster, namespace, modules, audit, through, fault):
    old = modules.ok("share_acl", version(namespace, 1)).acl["digest"]
    rule, sentence = PERMANENT[fault]
    with Polling(cluster, namespace, READER) as polling:
        result, _proxy = through([rule], version(namespace, 2))
    assert result.failed
    assert sentence in result.output["msg"]
    assert polling.broken == []
    assert polling.digests() == [old]
    assert result.acl["digest"] == old
    assert not any(item["kind"] in ("acl", "acl-index") for item in result.changes), "nothing changed for anybody"
    assert result.output["changed"] == any(item["action"] == "create" for item in result.changes)
    assert_converges(cluster, namespace, modules, audit, version(namespace, 2))


def test_a_part_that_is_not_as_it_was_written(cluster, namespace, modules, audit, through):
    """Something between us and the store changes what it is given, as an admission webhook may."""
    old = modules.ok("share_acl", version(namespace, 1)).acl["digest"]
    spoilt = []

    def spoil(request):
        if not spoilt and "-members-" in request.name:
            spoilt.append(request.name)
            cluster.delete("configmaps", request.name, namespace)
            body = request.json | {"data": {"part.json": "{}"}}
            cluster.create("configmaps", body, namespace)

    result, _proxy = through([Rule(call(spoil, forward=True), method="POST")], version(namespace, 2))
    assert result.failed
    assert [item["name"] for item in result.failed_items] == spoilt
    assert "it was written, but reads back with another content" in result.output["msg"]
    assert read(cluster, namespace, READER).digest == old
    assert_converges(cluster, namespace, modules, audit, version(namespace, 2))


def test_a_part_that_another_run_has_made_meanwhile(cluster, namespace, modules, through):
    def appear(request):
        if cluster.get("configmaps", request.name, namespace) is None and "-members-" in request.name:
            cluster.create("configmaps", request.json, namespace)

    result, _proxy = through([Rule(call(appear), method="POST", first=4)], version(namespace, 1))
    assert not result.failed, result.output["msg"]
    assert read(cluster, namespace, READER).digest == result.acl["digest"]


def test_a_list_that_expires_is_begun_anew(cluster, namespace, modules, through):
    modules.ok("share_acl", version(namespace, 1))
    for number in range(500):
        labels = {"odh.persistency/kind": "acl-part"}
        cluster.create("configmaps", {"metadata": {"name": f"zz-{number}", "labels": labels}}, namespace)
    rule = expired(MAPS, page=2)
    result, _proxy = through([rule], version(namespace, 1))
    assert rule.fired == 1
    assert not result.failed
    assert not result.output["changed"]


def test_a_failed_cleanup_is_reported_and_completed_by_the_next_run(cluster, namespace, modules, through):
    modules.ok("share_acl", version(namespace, 1))
    first = parts(cluster, namespace)
    modules.ok("share_acl", version(namespace, 2))
    later = Rule(clock(7200))
    result, _proxy = through([later, Rule(status(500), method="DELETE")], version(namespace, 2))
    assert result.failed
    assert {item["name"] for item in result.failed_items} == first
    assert not result.output["changed"]
    result, _proxy = through([later], version(namespace, 2))
    assert result.actions() == dict.fromkeys(first, "delete")


def test_requests_run_in_parallel_over_kept_alive_connections(namespace, through):
    result, proxy = through([Rule(slow(0.1), method="POST")], version(namespace, 1))
    assert not result.failed
    assert 2 <= proxy.parallel <= 8
    assert proxy.connections <= 9
    paths = {request.path for request in proxy.requests}
    assert not any(path.startswith("/version") or path in ("/api", "/apis") for path in paths)
