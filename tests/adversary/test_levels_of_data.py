"""Data keeps its level on volumes that a class provisioned and on existing claims, and shares in force are compared alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cluster import Cluster, wait_for
from tests.support.homes import make_home
from tests.support.modules import Modules
from tests.support.shares import SHARE, make_claim, nfs, provisioned, share, volume_of

pytestmark = pytest.mark.usefixtures("share_volumes")

LEVEL = "odh.persistency/level"
DYNAMIC = {"type": "storage_class", "storage_class": "standard"}
EXISTING = {"type": "existing_claim", "claim": "pool"}
BACKENDS = pytest.mark.parametrize("backend", [DYNAMIC, EXISTING], ids=["class", "existing claim"])


def run(namespace: str, *shares: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"namespaces": [namespace], "shares": list(shares), **options}


def on(path: str) -> dict[str, Any]:
    return {"nfs": {"server": "nas.example.org", "path": path}}


def create(cluster: Cluster, modules: Modules, namespace: str, backend: dict[str, Any], level: str = "secret") -> str:
    """A share in force; return the name of its claim."""
    claim = "pool" if backend is EXISTING else "data"
    if backend is EXISTING:
        make_claim(cluster, namespace, claim, storageClassName="standard")
    modules.ok("share_pvc", run(namespace, share("data", backend, level=level)))
    cluster.bind(namespace, claim, source=on(f"/{namespace}/x"), reclaim="Retain")
    return claim


def level_of(volume: dict[str, Any]) -> str:
    return str(volume["metadata"]["annotations"].get(LEVEL, ""))


def test_what_a_run_creates_has_its_level_from_the_start(
    cluster: Cluster, modules: Modules, namespace: str, other: str, audit: Any
) -> None:
    """A patch after the creation competes with the controller that binds the claim, which then waits for its next round."""
    shares = [share("static", nfs(f"/{namespace}/x"), level="private"), share("data", DYNAMIC, level="secret")]
    options = run(namespace, *shares, namespaces=[namespace, other])
    origin = {"source": on(f"/{namespace}/y"), "reclaim": "Retain"}
    with audit(user_agent="odh.persistency/") as first, provisioned(cluster, namespace, "data", **origin):
        modules.ok("share_pvc", options)
    with audit(user_agent="odh.persistency/") as second:
        modules.ok("share_pvc", options)
    written = [request for log in (first, second) for request in log.writes]
    ours = {("", f"share.{space}.static") for space in (namespace, other)} | {("", f"share.{other}.data")}
    ours |= {(space, name) for space in (namespace, other) for name in ("static", "data")}
    assert {(request.namespace, request.name) for request in written if request.verb == "create"} == ours
    # All other writes are for the volume that a class provisioned.
    patched = {request.name for request in written if request.verb == "patch"}
    assert patched == {cluster.claims(namespace)["data"]["spec"]["volumeName"]}
    for space, name in ours:
        found = cluster.get("persistentvolumeclaims" if space else "persistentvolumes", name, space or None)
        assert found is not None
        assert level_of(found) == ("private" if name.endswith("static") else "secret")
    with audit(user_agent="odh.persistency/") as third:
        assert not modules.ok("share_pvc", options).changed
    assert not third.writes


def test_a_run_that_waits_marks_the_volume_that_a_class_made(
    cluster: Cluster, modules: Modules, namespace: str, audit: Any
) -> None:
    options = run(namespace, share("data", DYNAMIC, level="secret"), share("open", DYNAMIC), wait=True)
    with provisioned(cluster, namespace, "data"), provisioned(cluster, namespace, "open"):
        modules.ok("share_pvc", options)
    assert level_of(volume_of(cluster, namespace, "data")) == "secret"
    assert level_of(volume_of(cluster, namespace, "open")) == ""
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", options).changed
    assert not log.writes
    # Data that had a stricter level keeps its mark: nobody consented to lower it.
    volume = cluster.get("persistentvolumes", cluster.claims(namespace)["data"]["spec"]["volumeName"])
    assert volume is not None
    before = {**volume["metadata"]["annotations"]}

    def take_over() -> None:
        cluster.delete("persistentvolumeclaims", "data", namespace)
        wait_for(lambda: "data" not in cluster.claims(namespace), "the claim gone")

    take_over()
    lower = run(namespace, share("other", DYNAMIC, level="private"), wait=True, wait_timeout=20)
    name = volume["metadata"]["name"]
    cluster.patch(
        "persistentvolumes", name, {"spec": {"claimRef": {"namespace": namespace, "name": "other", "uid": None}}}
    )
    modules.run("share_pvc", lower)
    found = cluster.get("persistentvolumes", name)
    assert found is not None
    assert {key: found["metadata"]["annotations"].get(key) for key in (LEVEL, SHARE)} == {
        key: before.get(key) for key in (LEVEL, SHARE)
    }


@BACKENDS
def test_the_volume_keeps_the_level_when_somebody_removes_the_claim(
    cluster: Cluster, modules: Modules, namespace: str, audit: Any, backend: dict[str, Any]
) -> None:
    claim = create(cluster, modules, namespace, backend)
    options = run(namespace, share("data", backend, level="secret"))
    modules.ok("share_pvc", options)
    assert level_of(volume_of(cluster, namespace, claim)) == "secret"
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", options).changed
    assert not log.writes
    assert {request.verb for request in log.requests} == {"list"}
    # Somebody changes the mark of the claim, or removes it.
    for mark, lower in (("private", "private"), (None, "private"), (None, "public")):
        cluster.patch("persistentvolumeclaims", claim, {"metadata": {"annotations": {LEVEL: mark}}}, namespace)
        message = modules.refused("share_pvc", run(namespace, share("data", backend, level=lower)))
        assert "its data is secret (volume" in message
        assert "set `declassify: [data]`" in message
    cluster.delete("persistentvolumeclaims", claim, namespace)
    wait_for(lambda: claim not in cluster.claims(namespace), "the claim gone")
    message = modules.refused("share_pvc", run(namespace, share("open", nfs(f"/{namespace}/x"))))
    assert "that of the share data" in message


@BACKENDS
def test_a_level_that_is_lowered_with_consent_stays_lowered(
    cluster: Cluster, modules: Modules, namespace: str, backend: dict[str, Any]
) -> None:
    claim = create(cluster, modules, namespace, backend)
    modules.ok("share_pvc", run(namespace, share("data", backend, level="secret")))
    opened = run(namespace, share("data", backend))
    modules.ok("share_pvc", {**opened, "declassify": ["data"]})
    assert level_of(volume_of(cluster, namespace, claim)) == "public"
    assert not modules.ok("share_pvc", opened).changed
    modules.ok("share_pvc", {**opened, "state": "retired"})
    modules.ok("share_pvc", opened)


def test_a_volume_of_another_share_is_not_marked(cluster: Cluster, modules: Modules, namespace: str) -> None:
    claim = create(cluster, modules, namespace, EXISTING)
    modules.ok("share_pvc", run(namespace, share("data", EXISTING, level="secret")))
    nothing = {"metadata": {"labels": None, "annotations": {SHARE: None, LEVEL: None}}}
    cluster.patch("persistentvolumeclaims", claim, nothing, namespace)
    message = modules.refused("share_pvc", run(namespace, share("open", EXISTING)))
    assert "belongs to the share data" in message


def test_a_claim_that_is_released_keeps_its_level(cluster: Cluster, modules: Modules, namespace: str) -> None:
    claim = create(cluster, modules, namespace, EXISTING)
    modules.ok("share_pvc", run(namespace, share("data", EXISTING, level="secret")))
    for state in ("retired", "absent"):
        modules.ok("share_pvc", run(namespace, share("data", EXISTING), state=state, retention="0s"))
    assert "odh.persistency/kind" not in cluster.claims(namespace)[claim]["metadata"].get("labels", {})
    opened = run(namespace, share("open", EXISTING))
    assert "set `declassify: [open]`" in modules.refused("share_pvc", opened)
    cluster.patch("persistentvolumeclaims", claim, {"metadata": {"annotations": {LEVEL: None}}}, namespace)
    assert "set `declassify: [open]`" in modules.refused("share_pvc", opened)
    modules.ok("share_pvc", {**opened, "declassify": ["open"]})


@BACKENDS
def test_a_share_alone_in_its_run_is_compared_with_others_in_force(
    cluster: Cluster, modules: Modules, namespace: str, other: str, backend: dict[str, Any]
) -> None:
    """Its claim is bound later, inside the folder of a share of another run, and around a home."""
    modules.ok("share_pvc", run(other, share("one", nfs(f"/{namespace}"), level="private"), wait=True))
    make_home(cluster, other, "claim-bob", "bob")
    cluster.bind(other, "claim-bob", source=on(f"/{namespace}/x/bob"))
    create(cluster, modules, namespace, backend, level="private")
    for _run in range(2):
        warnings = modules.ok("share_pvc", run(namespace, share("data", backend, level="private"))).warnings
        assert any(f"lies inside that of the share one in {other}" in text for text in warnings), warnings
        assert any("contains that of claim claim-bob" in text for text in warnings), warnings


def test_a_login_without_the_right_on_volumes_says_so(
    cluster: Cluster, modules: Modules, namespace: str, restricted_user: Any
) -> None:
    claim = create(cluster, modules, namespace, DYNAMIC, level="private")
    options = run(namespace, share("data", DYNAMIC, level="private"))
    rules = [{"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["list", "get", "create", "patch"]}]
    readers = [{"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ["list", "get"]}]
    for volumes, reason in (([], "may not list persistentvolumes"), (readers, "may not patch persistentvolumes")):
        result = modules.ok("share_pvc", options, kubeconfig=restricted_user(rules, volumes))
        assert not result.changed
        assert any("not marked with their levels" in text and reason in text for text in result.warnings)
    assert level_of(volume_of(cluster, namespace, claim)) == ""
