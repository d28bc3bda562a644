"""Faults between modules and the API server: what can be applied is applied, nothing is created twice, the next run converges."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testbed.faults import Rule, call, conflict, cut, drop, each, expired, slow, status
from testbed.proxy import FaultProxy
from tests.support.homes import KIND, RETIRED, USERNAME, annotations, labels, make_home, size
from tests.support.killing import kill_at

CLAIMS = r"/persistentvolumeclaims"
USERS = [f"user{number}" for number in range(30)]


def run(namespace, **options):
    return {"namespace": namespace, "size": "1Gi", "users": USERS, **options}


@pytest.fixture
def through(cluster, modules):
    """Run a module through the proxy with these rules; returns (result, proxy)."""

    def through(rules, options, **how):
        with FaultProxy(cluster.kubeconfig, rules) as proxy:
            result = modules.run("user_pvc", options, kubeconfig=Path(proxy.kubeconfig), **how)
            return result, proxy

    return through


def assert_converges(cluster, namespace, modules, audit, options):
    """A clean run brings what is missing, once each, and another one writes nothing."""
    modules.ok("user_pvc", options)
    owners = [annotations(claim)[USERNAME] for claim in cluster.claims(namespace).values()]
    assert sorted(owners) == sorted(USERS)
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("user_pvc", options).changed
    assert not log.writes


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(lambda: [Rule(status(429, retry_after=1), method="POST", first=5)], id="throttled"),
        pytest.param(lambda: [Rule(status(429, retry_after=1), method="GET", nth=1)], id="throttled list"),
        pytest.param(lambda: [Rule(status(500), every=4)], id="500 each fourth"),
        pytest.param(lambda: [Rule(status(503), per=each, probability=0.3, seed=7)], id="503 often"),
        pytest.param(lambda: [Rule(status(504, forward=True), method="POST", every=5)], id="504 after the write"),
        pytest.param(lambda: [Rule(cut(), method="POST", every=3)], id="answer lost after the write"),
        pytest.param(lambda: [Rule(cut(body_bytes=40), method="POST", every=3)], id="answer cut after the write"),
        pytest.param(lambda: [Rule(cut(body_bytes=40), method="GET", nth=1)], id="list cut"),
        pytest.param(lambda: [Rule(drop(reset=True), every=6)], id="connections reset"),
        pytest.param(lambda: [Rule(slow(1.5), method="POST", every=10)], id="slow"),
    ],
)
def test_transient_faults_are_retried(cluster, namespace, modules, through, rules):
    result, proxy = through(rules(), run(namespace))
    assert not result.failed, result.output["msg"]
    assert any(request.faults for request in proxy.requests)
    # Whatever the client was told of each try, it says of all what came of them: made, and by this run.
    assert result.summary == {"create": 30, "keep": 0}
    assert len(cluster.claims(namespace)) == 30
    assert not modules.ok("user_pvc", run(namespace)).changed


def test_retry_after_is_honoured(through, namespace):
    result, proxy = through([Rule(status(429, retry_after=2), method="POST", nth=1)], run(namespace, users=["ann"]))
    assert result.summary == {"create": 1, "keep": 0}
    first, second = proxy.seen("POST", CLAIMS)
    assert second.started - first.ended >= 2.0


def test_a_list_that_expires_is_begun_anew(cluster, namespace, modules, through):
    names = [f"old{number:04}" for number in range(620)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: make_home(cluster, namespace, f"claim-{name}", name), names))
    rule = expired(CLAIMS, page=2)
    result, proxy = through([rule], run(namespace, users=[*names, "new"]))
    assert rule.fired == 1
    assert result.summary == {"create": 1, "adopt": 620, "keep": 0}
    # Only lists: a claim that a controller changed in between is read again, alone, before it is adopted.
    tokens = [request.query.get("continue", "") != "" for request in proxy.seen("GET", CLAIMS + "$")]
    assert tokens == [False, True, False, True]
    # Always 410: bounded, and said.
    always = Rule(status(410, reason="Expired"), method="GET", path=CLAIMS, query="continue=[^&]")
    result, proxy = through([always], run(namespace, users=names))
    assert result.failed
    assert "expired 5 times half-way" in result.output["msg"]


def test_a_permanent_fault_fails_only_its_items(cluster, namespace, modules, audit, through):
    broken = {"claim-user3", "claim-user17"}
    rules = [Rule(status(500), method="POST", where=lambda request: request.name in broken)]
    result, _proxy = through(rules, run(namespace))
    assert result.failed
    assert {item["name"] for item in result.failed_items} == broken
    for item in result.failed_items:
        assert item["retryable"]
        assert "500" in item["reason"]
        assert item["api"]
    assert result.output["changed"]
    assert result.summary == {"create": 28, "keep": 0}
    assert broken.isdisjoint(result.actions())
    assert "run again to apply what is missing" in result.output["msg"]
    assert len(cluster.claims(namespace)) == 28
    with audit(user_agent="odh.persistency/") as log:
        modules.ok("user_pvc", run(namespace))
    assert {request.resource for request in log.writes} == {"persistentvolumeclaims"}
    assert len(log.writes) == 2
    assert_converges(cluster, namespace, modules, audit, run(namespace))


def test_a_server_that_stays_down_does_not_block_the_run_for_hours(cluster, namespace, modules, through):
    down = Rule(status(503), method="POST")
    result, proxy = through([down], run(namespace))
    assert result.failed
    assert len(result.failed_items) == 30
    # Each request is tried again, but once it is clear that the server is down, not five times each.
    assert len(proxy.seen("POST", CLAIMS)) < 30 * 4
    assert not result.output["changed"]


def test_somebody_else_writes_a_409_and_the_item_is_planned_again(cluster, namespace, modules, through):
    make_home(cluster, namespace, "claim-ann", "ann")
    touched = []

    def touch(_request):
        if not touched:
            touched.append(True)
            patch = {"metadata": {"labels": {"someone": "else"}}}
            cluster.patch("persistentvolumeclaims", "claim-ann", patch, namespace)

    result, proxy = through([Rule(call(touch), method="PATCH")], run(namespace, users=["ann"]))
    assert not result.failed
    assert result.actions() == {"claim-ann": "adopt"}
    assert [request.server_status for request in proxy.seen("PATCH")] == [409, 200]
    found = labels(cluster.claims(namespace)["claim-ann"])
    assert found["someone"] == "else"
    assert found[KIND] == "home"


def test_conflicts_without_end_fail_that_item(cluster, namespace, modules, through):
    make_home(cluster, namespace, "claim-ann", "ann")
    rules = [Rule(conflict(), method="PATCH", where=lambda request: request.name == "claim-ann")]
    result, _proxy = through(rules, run(namespace, users=["ann", "ben"]))
    assert result.failed
    [item] = result.failed_items
    assert item["owner"] == "ann"
    assert item["retryable"]
    assert result.actions() == {"claim-ben": "create"}


@pytest.mark.parametrize("lost", [False, True], ids=["", "after a lost connection"])
def test_a_home_that_appears_meanwhile_is_kept_if_it_has_the_same_owner_and_fails_otherwise(
    cluster, namespace, modules, through, lost
):
    def appear(request):
        owner = {"claim-ann": "ann", "claim-ben": "somebody"}.get(request.name)
        if owner is not None and request.name not in cluster.claims(namespace):
            make_home(cluster, namespace, request.name, owner, labels={KIND: "home"})

    rules = [Rule(call(appear), method="POST")]
    # The client does not know whether the first request was applied, so the conflict may be with its own claim.
    rules += [Rule(drop(), method="POST", path=CLAIMS, per=lambda request: request.name, nth=1)] if lost else []
    result, _proxy = through(rules, run(namespace, users=["ann", "ben", "cat"]))
    assert result.failed
    [item] = result.failed_items
    assert item["owner"] == "ben"
    assert "taken by the home of somebody" in item["reason"]
    assert not item["retryable"]
    assert result.actions() == {"claim-ann": "adopt", "claim-cat": "create"}


def test_a_claim_that_changes_hands_before_its_deletion_stays(cluster, namespace, modules, through):
    """Somebody removes the retirement annotation between the plan and the deletion: the precondition fails, and the home
    stays.
    """
    make_home(cluster, namespace, "claim-ann", "ann", annotations={RETIRED: "2020-01-01T00:00:00Z"})

    def rescue(_request):
        patch = {"metadata": {"annotations": {RETIRED: None}}}
        cluster.patch("persistentvolumeclaims", "claim-ann", patch, namespace)

    options = run(namespace, users=["ann"], state="absent", assume_unused=True)
    result, _proxy = through([Rule(call(rescue), method="DELETE")], options)
    assert result.failed
    assert "was never retired" in result.failed_items[0]["reason"]
    assert "deletionTimestamp" not in cluster.claims(namespace)["claim-ann"]["metadata"]


def test_a_deletion_whose_answer_is_lost_is_reported_as_one(cluster, namespace, modules, through):
    make_home(cluster, namespace, "claim-ann", "ann", annotations={RETIRED: "2020-01-01T00:00:00Z"})
    options = run(namespace, users=["ann"], state="absent", assume_unused=True)
    result, _proxy = through([Rule(cut(), method="DELETE", nth=1)], options)
    assert not result.failed, result.output["msg"]
    assert result.actions() == {"claim-ann": "delete"}


def test_the_claim_is_not_deleted_when_its_volume_was_not_kept(cluster, namespace, modules, through):
    make_home(cluster, namespace, "claim-ann", "ann", annotations={RETIRED: "2020-01-01T00:00:00Z"})
    volume = cluster.bind(namespace, "claim-ann", reclaim="Delete")
    options = run(namespace, users=["ann"], state="absent", assume_unused=True)
    refuse = Rule(status(403, reason="Forbidden"), method="PATCH", path="/persistentvolumes/")
    result, proxy = through([refuse], options)
    assert result.failed
    assert not proxy.seen("DELETE")
    # The volume says something else than what was asked of it.
    liar = Rule(status(200, body=b'{"spec": {"persistentVolumeReclaimPolicy": "Delete"}}'), method="PATCH", path=volume)
    result, proxy = through([liar], options)
    assert result.failed
    assert "persistentVolumeReclaimPolicy" in result.failed_items[0]["reason"]
    assert not proxy.seen("DELETE")
    assert "claim-ann" in cluster.claims(namespace)


@pytest.mark.parametrize("after", [1, 9, 23])
@pytest.mark.parametrize("forward", [False, True], ids=["before the write", "after the write"])
def test_kill_9_half_way(cluster, namespace, modules, audit, after, forward):
    kill_at(modules, "user_pvc", run(namespace), method="POST", nth=after, forward=forward)
    assert len(cluster.claims(namespace)) < len(USERS)
    assert_converges(cluster, namespace, modules, audit, run(namespace))


def test_two_runs_at_once_converge(cluster, namespace, modules, audit):
    make_home(cluster, namespace, "claim-user0", "user0")
    make_home(cluster, namespace, "claim-user1", "user1")
    with FaultProxy(cluster.kubeconfig, [Rule(slow(0.05), method="POST")]) as proxy:
        both = [modules.start("user_pvc", run(namespace), kubeconfig=Path(proxy.kubeconfig)) for _run in range(2)]
        results = [each.wait() for each in both]
    assert not any(result.failed for result in results), [result.output.get("msg") for result in results]
    made = [name for result in results for name, action in result.actions().items() if action == "create"]
    assert sorted(made) == sorted(set(made)), "each home is told as made by one run"
    assert len(cluster.claims(namespace)) == 30
    assert_converges(cluster, namespace, modules, audit, run(namespace))


def test_two_concurrent_expansions_never_shrink(cluster, namespace, modules):
    modules.ok("user_pvc", run(namespace, users=["ann"]))
    cluster.bind_all(namespace)

    def expand_first(request):
        if size(cluster.claims(namespace)["claim-ann"]) == "1Gi":
            body = {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}
            cluster.patch("persistentvolumeclaims", "claim-ann", body, namespace)

    with FaultProxy(cluster.kubeconfig, [Rule(call(expand_first), method="PATCH")]) as proxy:
        options = run(namespace, users=["ann"], size="3Gi")
        result = modules.run("user_pvc", options, kubeconfig=Path(proxy.kubeconfig))
    assert not result.failed
    assert size(cluster.claims(namespace)["claim-ann"]) == "5Gi"


def test_requests_run_in_parallel_over_kept_alive_connections(namespace, through):
    result, proxy = through([Rule(slow(0.1), method="POST")], run(namespace))
    assert result.summary == {"create": 30, "keep": 0}
    assert 2 <= proxy.parallel <= 8
    assert proxy.connections <= 9
    paths = {request.path for request in proxy.requests}
    assert not any(path.startswith(("/version", "/apis?")) or path in ("/api", "/apis") for path in paths)


def test_401_asks_for_the_login_anew_once(cluster, namespace, modules, through):
    result, proxy = through([Rule(status(401), method="GET")], run(namespace))
    assert result.failed
    assert "(401)" in result.output["msg"]
    assert len(proxy.requests) == 1


def test_a_fault_while_waiting_does_not_hide_what_was_done(cluster, namespace, modules, through):
    made = threading.Event()
    lists = Rule(status(500), method="GET", path=CLAIMS + "$", where=lambda _request: made.is_set())
    seen = Rule(call(lambda _request: made.set(), forward=True), method="POST")
    options = run(namespace, users=["ann"], wait=True, wait_timeout=5)
    result, _proxy = through([seen, lists], options)
    assert result.failed
    assert result.output["changed"]
    assert result.actions() == {"claim-ann": "create"}
    assert "whether it is ready is unknown" in result.failed_items[0]["reason"]
    assert "claim-ann" in cluster.claims(namespace)


def test_a_failure_returns_what_the_contract_lists(namespace, through):
    result, _proxy = through([Rule(status(500), method="GET")], run(namespace))
    assert result.failed
    assert result.changes == []
    assert result.summary == {}
    assert result.failed_items == []
