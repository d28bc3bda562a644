"""Errors on the way to the API server: what can be applied is applied, nothing is created twice, the next run converges."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from testbed.faults import Rule, call, conflict, cut, drop, slow, status
from testbed.proxy import FaultProxy
from tests.support.cluster import wait_for
from tests.support.killing import kill_at
from tests.support.shares import NFS_CSI, RETIRED, SERVER, SHARE, make_claim, make_volume, provisioned, share, volume_of

pytestmark = pytest.mark.usefixtures("share_volumes")

NAMES = [f"data{number}" for number in range(12)]
DYNAMIC = {"type": "storage_class", "storage_class": "standard"}
LONG_AGO = "2020-01-01T00:00:00Z"
MADE = {
    "csi": {
        "driver": NFS_CSI,
        "volumeHandle": "x",
        "volumeAttributes": {"server": SERVER, "share": "/dynamic", "subDir": "x"},
    }
}
CLAIMS, VOLUMES = r"/persistentvolumeclaims", r"/persistentvolumes"


def run(namespaces, *shares, **options):
    found = list(shares) or [share(name) for name in NAMES]
    return {"namespaces": list(namespaces), "shares": found, **options}


@pytest.fixture
def through(cluster, modules):
    """Run the module through the proxy with these rules; returns (result, proxy)."""

    def through(rules, options, **how):
        with FaultProxy(cluster.kubeconfig, rules) as proxy:
            result = modules.run("share_pvc", options, kubeconfig=Path(proxy.kubeconfig), **how)
            return result, proxy

    return through


def assert_converges(cluster, namespaces, modules, audit, options):
    """A run without errors creates what is missing, once each, and the next one writes nothing."""
    modules.ok("share_pvc", options | {"wait": True})
    for namespace in namespaces:
        assert {claim["metadata"]["annotations"][SHARE] for claim in cluster.claims(namespace).values()} == set(NAMES)
        volumes = [
            volume["metadata"]["name"]
            for volume in cluster.list("persistentvolumes", labelSelector="odh.persistency/kind=share")
            if volume["spec"]["claimRef"]["namespace"] == namespace
        ]
        assert sorted(volumes) == sorted(f"share.{namespace}.{name}" for name in NAMES)
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", options).changed
    assert not log.writes


def each_share(request):
    """Each object separately, whatever its namespace: so the number of errors for each does not depend on chance."""
    return request.method, "volume" if VOLUMES in request.path else "claim", request.name.rsplit(".", 1)[-1]


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(lambda: [Rule(status(429, retry_after=1), method="POST", first=4)], id="throttled"),
        pytest.param(lambda: [Rule(status(503), per=each_share, probability=0.3, seed=7)], id="503 often"),
        pytest.param(lambda: [Rule(status(504, forward=True), method="POST", every=3)], id="504 after the write"),
        pytest.param(lambda: [Rule(cut(), method="POST", every=3)], id="answer lost after the write"),
        pytest.param(lambda: [Rule(drop(reset=True), every=6)], id="connections reset"),
        pytest.param(lambda: [Rule(cut(body_bytes=40), method="GET", first=2)], id="lists cut"),
    ],
)
def test_transient_errors_are_retried(cluster, namespace, modules, through, rules):
    result, proxy = through(rules(), run([namespace]))
    assert not result.failed, result.output["msg"]
    assert any(request.faults for request in proxy.requests)
    assert result.summary == {"create": 12, "keep": 0}
    assert len(cluster.claims(namespace)) == 12
    assert not modules.ok("share_pvc", run([namespace])).changed


def test_a_permanent_error_fails_only_its_items(cluster, namespace, modules, audit, through):
    broken = {"data3", "data7"}
    rules = [
        Rule(status(500), method="POST", path=CLAIMS, where=lambda request: request.name == "data3"),
        Rule(status(500), method="POST", path=VOLUMES, where=lambda request: request.name.endswith(".data7")),
    ]
    result, _proxy = through(rules, run([namespace]))
    assert result.failed
    assert {item["name"] for item in result.failed_items} == broken
    assert all(item["retryable"] for item in result.failed_items)
    assert result.summary == {"create": 10, "keep": 0}
    assert result.output["changed"]
    # The one has its volume and no claim, the other has neither.
    with audit(user_agent="odh.persistency/") as log:
        modules.ok("share_pvc", run([namespace]))
    assert sorted((r.resource, r.verb) for r in log.writes) == [
        ("persistentvolumeclaims", "create"),
        ("persistentvolumeclaims", "create"),
        ("persistentvolumes", "create"),
    ]
    assert_converges(cluster, [namespace], modules, audit, run([namespace]))


@pytest.mark.parametrize("after", [1, 2, 13, 30])
@pytest.mark.parametrize("forward", [False, True], ids=["before the write", "after the write"])
def test_a_killed_run_is_completed_by_the_next(cluster, namespace, other, modules, audit, after, forward):
    options = run([namespace, other])
    kill_at(modules, "share_pvc", options, method="POST", nth=after, forward=forward)
    assert len(cluster.claims(namespace)) + len(cluster.claims(other)) < 24
    assert_converges(cluster, [namespace, other], modules, audit, options)


def test_two_runs_at_once_converge(cluster, namespace, modules, audit):
    with FaultProxy(cluster.kubeconfig, [Rule(slow(0.05), method="POST")]) as proxy:
        both = [modules.start("share_pvc", run([namespace]), kubeconfig=Path(proxy.kubeconfig)) for _run in range(2)]
        results = [each.wait() for each in both]
    assert not any(result.failed for result in results), [result.output.get("msg") for result in results]
    assert_converges(cluster, [namespace], modules, audit, run([namespace]))


def test_the_claim_is_kept_when_its_volume_is_not_retained(cluster, namespace, modules, through):
    marks = {
        "labels": {"odh.persistency/kind": "share", SHARE: "data"},
        "annotations": {SHARE: "data", RETIRED: LONG_AGO},
    }
    make_claim(cluster, namespace, "data", storageClassName="standard", **marks)
    volume = cluster.bind(namespace, "data", reclaim="Delete", source=MADE)
    options = run([namespace], {"name": "data"}, state="absent")
    result, proxy = through([Rule(status(403, reason="Forbidden"), method="PATCH", path=VOLUMES)], options)
    assert result.failed
    assert not proxy.seen("DELETE")
    liar = Rule(status(200, body=b'{"spec": {"persistentVolumeReclaimPolicy": "Delete"}}'), method="PATCH", path=volume)
    result, proxy = through([liar], options)
    assert result.failed
    assert "persistentVolumeReclaimPolicy" in result.failed_items[0]["reason"]
    assert not proxy.seen("DELETE")
    assert "data" in cluster.claims(namespace)
    # A copy is not made either.
    cluster.patch("persistentvolumeclaims", "data", {"metadata": {"annotations": {RETIRED: None}}}, namespace)


def test_nothing_is_cloned_when_the_volume_is_not_retained(cluster, namespace, other, modules, through):
    with provisioned(cluster, namespace, "data", reclaim="Delete", source=MADE) as names:
        modules.ok("share_pvc", run([namespace, other], share("data", DYNAMIC)))
    [volume] = names
    liar = Rule(status(200, body=b'{"spec": {"persistentVolumeReclaimPolicy": "Delete"}}'), method="PATCH", path=volume)
    result, proxy = through([liar], run([namespace, other], share("data", DYNAMIC)))
    assert result.failed
    assert len(result.failed_items) == 2
    assert not proxy.seen("POST", VOLUMES)
    assert cluster.claims(other) == {}


def test_somebody_else_writes_and_the_share_is_planned_again(cluster, namespace, modules, through):
    # A label on the claim between the plan and the patch: a 409.
    make_claim(cluster, namespace, "claim", storageClassName="standard")
    # The volume loses its stale claim meanwhile: the test of the JSON patch fails, a 422.
    make_volume(cluster, f"by-hand-{namespace}", {"nfs": {"server": SERVER, "path": "/exports/volume"}})
    name = f"by-hand-{namespace}"
    body = {
        "spec": {"claimRef": {"namespace": namespace, "name": "volume", "uid": "00000000-0000-0000-0000-000000000000"}}
    }
    cluster.patch("persistentvolumes", name, body)
    touched = set()

    def touch(request):
        if request.name in touched:
            return
        touched.add(request.name)
        if request.name == "claim":
            cluster.patch("persistentvolumeclaims", "claim", {"metadata": {"labels": {"a": "b"}}}, namespace)
        elif request.name == name:
            cluster.patch("persistentvolumes", name, {"spec": {"claimRef": {"uid": None}}})

    shares = [share("claim", DYNAMIC, adopt=True), share("volume")]
    result, proxy = through([Rule(call(touch), method="PATCH")], run([namespace], *shares))
    assert not result.failed, result.output["msg"]
    assert result.actions() == {"claim": "adopt", "volume": "create"}
    assert {request.server_status for request in proxy.seen("PATCH")} >= {409, 422, 200}
    assert volume_of(cluster, namespace, "volume")["metadata"]["name"] == name


def test_endless_conflicts_fail_the_item(cluster, namespace, modules, through):
    make_claim(cluster, namespace, "data", storageClassName="standard")
    rules = [Rule(conflict(), method="PATCH")]
    result, _proxy = through(rules, run([namespace], share("data", DYNAMIC, adopt=True), share("fine")))
    assert result.failed
    [item] = result.failed_items
    assert item["name"] == "data"
    assert item["retryable"]
    assert result.actions() == {"fine": "create"}


def test_a_claim_that_appears_meanwhile_is_adopted_when_it_fits_and_fails_when_not(
    cluster, namespace, modules, through
):
    def appear(request):
        if request.name == "theirs" and "theirs" not in cluster.claims(namespace):
            marks = {"labels": {"odh.persistency/kind": "share", SHARE: "x"}, "annotations": {SHARE: "x"}}
            make_claim(cluster, namespace, "theirs", storageClassName="standard", **marks)
        if request.name == "fits" and "fits" not in cluster.claims(namespace):
            make_claim(cluster, namespace, "fits", storageClassName="standard")
        if request.name == "unmarked" and "unmarked" not in cluster.claims(namespace):
            make_claim(cluster, namespace, "unmarked", storageClassName="standard")

    shares = [share("fits", DYNAMIC, adopt=True)]
    shares += [share(name, DYNAMIC) for name in ("theirs", "unmarked", "fine")]
    result, _proxy = through([Rule(call(appear), method="POST", path=CLAIMS)], run([namespace], *shares))
    assert result.failed
    items = {item["name"]: item for item in result.failed_items}
    assert set(items) == {"theirs", "unmarked"}
    assert "belongs to the share x" in items["theirs"]["reason"]
    assert "nothing marks it as this share's" in items["unmarked"]["reason"]
    assert not any(item["retryable"] for item in items.values())
    assert result.actions() == {"fits": "adopt", "fine": "create"}


def test_unretiring_before_the_deletion_keeps_the_share(cluster, namespace, modules, through):
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    modules.ok("share_pvc", run([namespace], {"name": "data"}, state="retired"))
    marked = {"metadata": {"annotations": {RETIRED: LONG_AGO}}}
    cluster.patch("persistentvolumeclaims", "data", marked, namespace)

    def rescue(_request):
        patch = {"metadata": {"annotations": {RETIRED: None}}}
        cluster.patch("persistentvolumeclaims", "data", patch, namespace)

    options = run([namespace], {"name": "data"}, state="absent")
    result, _proxy = through([Rule(call(rescue), method="DELETE", path=CLAIMS)], options)
    assert result.failed
    assert "was never retired" in result.failed_items[0]["reason"]
    assert volume_of(cluster, namespace, "data")["status"]["phase"] == "Bound"


def test_an_interrupted_deletion_is_completed(cluster, namespace, modules, through):
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    modules.ok("share_pvc", run([namespace], {"name": "data"}, state="retired"))
    marked = {"metadata": {"annotations": {RETIRED: LONG_AGO}}}
    cluster.patch("persistentvolumeclaims", "data", marked, namespace)
    # The volume's own mark is lost.
    cluster.patch("persistentvolumes", f"share.{namespace}.data", {"metadata": {"annotations": {RETIRED: None}}})
    options = run([namespace], {"name": "data"}, state="absent")
    result, _proxy = through([Rule(status(500), method="DELETE", path=VOLUMES)], options)
    assert result.failed
    assert result.output["changed"]
    assert result.failed_items[0]["retryable"]
    assert modules.ok("share_pvc", options).summary == {"delete": 1, "keep": 0}
    assert not modules.ok("share_pvc", options).changed


def test_a_volume_used_again_meanwhile_is_kept(cluster, namespace, modules, through):
    options = run([namespace], share("data"), wait=True)
    modules.ok("share_pvc", options)
    modules.ok("share_pvc", run([namespace], {"name": "data"}, state="retired"))
    cluster.delete("persistentvolumeclaims", "data", namespace)
    name = f"share.{namespace}.data"
    wait_for(lambda: cluster.get("persistentvolumes", name)["status"]["phase"] == "Released", "the volume released")
    seen = []

    def take_up(_request):
        if not seen:
            seen.append(modules.ok("share_pvc", options))

    away = run([namespace], {"name": "data"}, state="absent", retention="0s")
    result, _proxy = through([Rule(call(take_up), method="DELETE")], away)
    assert result.failed
    assert seen[0].actions() == {"data": "create"}
    assert "was never retired" in result.failed_items[0]["reason"]
    volume = volume_of(cluster, namespace, "data")
    assert "deletionTimestamp" not in volume["metadata"]
    assert volume["status"]["phase"] == "Bound"


def test_a_volume_set_to_retain_first_is_deleted_in_one_run(cluster, namespace, modules):
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    modules.ok("share_pvc", run([namespace], {"name": "data"}, state="retired"))
    name = f"share.{namespace}.data"
    cluster.patch("persistentvolumes", name, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    shown = modules.ok("share_pvc", run([namespace], {"name": "data"}, state="absent", retention="0s"), check=True)
    result = modules.ok("share_pvc", run([namespace], {"name": "data"}, state="absent", retention="0s"))
    assert result.changes == shown.changes
    wait_for(lambda: cluster.get("persistentvolumes", name) is None, "the volume gone")


def test_data_that_another_share_has_is_not_adopted_meanwhile(cluster, namespace, modules, through):
    """A claim over the data of another share appears between the plan and the write."""
    place = {"nfs": {"server": SERVER, "path": f"/{namespace}/secret"}}
    modules.ok("share_pvc", run([namespace], share("secret", {"type": "nfs", **place["nfs"]}), wait=True))
    seen = []

    def appear(_request):
        if not seen:
            seen.append(make_claim(cluster, namespace, "open", storageClassName="standard"))
            cluster.bind(namespace, "open", source=place)

    options = run([namespace], share("open", DYNAMIC, adopt=True))
    result, _proxy = through([Rule(call(appear), method="POST", path=CLAIMS)], options)
    assert result.failed
    assert "is that of the share secret" in result.failed_items[0]["reason"]
    assert not result.failed_items[0]["retryable"]
    assert SHARE not in cluster.claims(namespace)["open"]["metadata"].get("labels", {})


@pytest.mark.parametrize("volume", ["goes too", "is held"])
def test_a_deletion_with_a_lost_response_is_completed_or_reported(cluster, namespace, modules, through, volume):
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    modules.ok("share_pvc", run([namespace], {"name": "data"}, state="retired"))
    slow_to_go = {"metadata": {"finalizers": ["example.org/slow", "kubernetes.io/pvc-protection"]}}
    cluster.patch("persistentvolumeclaims", "data", slow_to_go, namespace)
    name = f"share.{namespace}.data"

    def hold(_request):
        if volume == "is held":
            cluster.patch("persistentvolumes", name, {"metadata": {"annotations": {RETIRED: "2999-01-01T00:00:00Z"}}})

    rules = [
        Rule(cut(), method="DELETE", path=CLAIMS, first=1),
        Rule(call(hold), method="DELETE", path=CLAIMS, first=1),
    ]
    try:
        result, _proxy = through(rules, run([namespace], {"name": "data"}, state="absent", retention="0s"))
        is_going = "deletionTimestamp" in cluster.get("persistentvolumes", name)["metadata"]
    finally:
        cluster.patch("persistentvolumeclaims", "data", {"metadata": {"finalizers": None}}, namespace)
    if volume == "goes too":
        assert not result.failed, result.msg
        assert result.summary == {"delete": 1, "keep": 0}
        assert is_going
    else:
        assert result.failed
        assert "its deletion was started and is not complete" in result.failed_items[0]["reason"]
        assert result.failed_items[0]["retryable"]
        assert result.output["changed"]
        assert not is_going


RBAC = Path(__file__).parents[2] / "examples" / "rbac" / "share_pvc.yml"


def test_the_example_rules_are_sufficient_and_minimal(cluster, namespace, other, modules, tmp_path, audit):
    """Everything that the module does, as a service account with just these rules; and without the optional ones."""
    rules = [item for item in yaml.safe_load_all(RBAC.read_text()) if item["kind"] in ("Role", "ClusterRole")]
    role = next(item["rules"] for item in rules if item["kind"] == "Role")
    cluster_role = next(item["rules"] for item in rules if item["kind"] == "ClusterRole")
    both = [namespace, other]
    for rule in cluster_role:
        if "resourceNames" in rule:
            rule["resourceNames"] = both
    login = cluster.restricted_kubeconfig(tmp_path, namespace, role, cluster_role)
    grant(cluster, login, other, role)
    shares = [share("data"), share("made", DYNAMIC)]
    for state in ("one", "two"):
        modules.ok("share_pvc", run(both, *shares), kubeconfig=login, check=True)
        if state == "one":
            # Of its own: whose the data of another test is, this login may not see.
            own = {"volumeHandle": namespace, "volumeAttributes": {"server": SERVER, "share": f"/{namespace}"}}
            with provisioned(cluster, namespace, "made", reclaim="Delete", source={"csi": {**MADE["csi"], **own}}):
                modules.ok("share_pvc", run(both, *shares), kubeconfig=login)
        else:
            assert not modules.ok("share_pvc", run(both, *shares), kubeconfig=login).warnings
    away = run(both, {"name": "data"}, {"name": "made"})
    modules.ok("share_pvc", away | {"state": "retired"}, kubeconfig=login)
    for where in both:
        for name in ("data", "made"):
            cluster.patch("persistentvolumeclaims", name, {"metadata": {"annotations": {RETIRED: LONG_AGO}}}, where)
    result = modules.ok("share_pvc", away | {"state": "absent"}, kubeconfig=login)
    assert result.summary == {"delete": 4, "keep": 0}
    assert not result.warnings
    # More namespaces than a few: one list over the cluster is not allowed here, and each is listed instead.
    more = [cluster.make_namespace() for _number in range(2)]
    for where in more:
        grant(cluster, login, where, role)
    for rule in cluster_role:
        assert "persistentvolumeclaims" not in rule["resources"]
    with audit(user_agent="odh.persistency/") as log:
        result = modules.ok("share_pvc", run([*both, *more], share("wide")), kubeconfig=login)
    assert result.summary == {"create": 4, "keep": 0}
    assert log.count(verb="list", resource="persistentvolumeclaims", namespace="", code=403) == 1


def grant(cluster, login, namespace, rules):
    """Give the service account of a login the same Role in another namespace."""
    home = yaml.safe_load(login.read_text())["contexts"][0]["context"]["namespace"]
    name = login.stem
    subject = {"kind": "ServiceAccount", "namespace": home, "name": name}
    cluster.create("roles", {"metadata": {"name": name}, "rules": rules}, namespace)
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    cluster.create("rolebindings", {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}, namespace)
