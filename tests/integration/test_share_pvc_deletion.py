"""Retirement and deletion of shares: only what was retired long enough and is not mounted is deleted, and the data is kept."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tests.support.cluster import wait_for
from tests.support.shares import KIND, NFS_CSI, RETIRED, SERVER, SHARE, bound, make_claim, make_volume, share, volume_of

pytestmark = pytest.mark.usefixtures("share_volumes")

DYNAMIC = {"type": "storage_class", "storage_class": "standard"}
LONG_AGO = (datetime.now(timezone.utc) - timedelta(days=100)).strftime("%Y-%m-%dT%H:%M:%SZ")
MADE = {
    "csi": {
        "driver": NFS_CSI,
        "volumeHandle": "x",
        "volumeAttributes": {"server": SERVER, "share": "/dynamic", "subDir": "x"},
    }
}


def run(namespaces, *shares, **options):
    return {"namespaces": list(namespaces), "shares": list(shares), **options}


def going(*names, **more):
    """Entries of shares to retire or delete: the name is enough."""
    return [{"name": name, **more} for name in names]


def backdate(cluster, namespace, *names):
    """Move a retirement into the past, on claims and on our volumes."""
    body = {"metadata": {"annotations": {RETIRED: LONG_AGO}}}
    for name in names:
        cluster.patch("persistentvolumeclaims", name, body, namespace)
        volume = cluster.get("persistentvolumes", f"share.{namespace}.{name}")
        if volume is not None and RETIRED in volume["metadata"]["annotations"]:
            cluster.patch("persistentvolumes", f"share.{namespace}.{name}", body)


def gone(cluster, resource, name, namespace=None):
    wait_for(lambda: cluster.get(resource, name, namespace) is None, f"{resource} {name} gone")


def annotation(item):
    return item["metadata"].get("annotations", {}).get(RETIRED)


def test_the_lifecycle_of_a_share(cluster, namespace, other, modules, audit):
    options = run([namespace, other], share("data"), share("more"), wait=True)
    modules.ok("share_pvc", options)
    away = run([namespace, other], *going("data"))
    with audit(user_agent="odh.persistency/") as log:
        shown = modules.ok("share_pvc", away | {"state": "retired"}, check=True)
    assert not log.writes
    result = modules.ok("share_pvc", away | {"state": "retired"}, diff=True)
    assert result.changes == shown.changes
    assert result.summary == {"retire": 2, "keep": 0}
    assert "retired since" in result.output["diff"]["after"]
    for where in (namespace, other):
        claim, volume = cluster.claims(where)["data"], volume_of(cluster, where, "data")
        assert annotation(claim) == annotation(volume)
        assert datetime.now(timezone.utc).strftime("%Y-%m-%d") in annotation(claim)
        assert annotation(cluster.claims(where)["more"]) is None
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", away | {"state": "retired"}).changed
        # Held for thirty days.
        held = modules.ok("share_pvc", away | {"state": "absent"})
        assert not held.changed
    assert not log.writes
    # Back, by being present.
    result = modules.ok("share_pvc", options)
    assert result.summary == {"update": 2, "keep": 2}
    assert "it is no longer retired" in result.changes[0]["reason"]
    for where in (namespace, other):
        assert annotation(cluster.claims(where)["data"]) is annotation(volume_of(cluster, where, "data")) is None
    # Away for good.
    modules.ok("share_pvc", away | {"state": "retired"})
    for where in (namespace, other):
        backdate(cluster, where, "data")
    with audit(user_agent="odh.persistency/") as log:
        shown = modules.ok("share_pvc", away | {"state": "absent"}, check=True, diff=True)
    assert not log.writes
    assert len(log.dry_runs) == 4
    assert [(c["action"], c["namespace"]) for c in shown.changes] == [("delete", namespace), ("delete", other)]
    for change in shown.changes:
        assert f"its volume share.{change['namespace']}.data is deleted too" in change["reason"]
        assert "the data is kept" in change["reason"]
    assert shown.output["diff"]["before"].count("NFS nas.example.org:/exports/data") == 2
    with audit(user_agent="odh.persistency/") as log:
        real = modules.ok("share_pvc", away | {"state": "absent"}, diff=True)
    assert real.changes == shown.changes
    assert real.output["diff"] == shown.output["diff"]
    for where in (namespace, other):
        # A deletion that Kubernetes' own note on the volume got in the way of (409) is asked for again.
        done = [write for write in log.writes if write.code < 400]
        assert [r.resource for r in done if where in (r.namespace, r.name.split(".")[1] if "." in r.name else "")] == [
            "persistentvolumeclaims",
            "persistentvolumes",
        ]
        assert {write.code for write in log.writes} <= {200, 409}
        gone(cluster, "persistentvolumeclaims", "data", where)
        gone(cluster, "persistentvolumes", f"share.{where}.data")
        assert "more" in cluster.claims(where)
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", away | {"state": "absent"}).changed
        assert not modules.ok("share_pvc", away | {"state": "retired"}).changed
    assert not log.writes
    # And back again, over the same data.
    modules.ok("share_pvc", options)
    bound(cluster, namespace, "data")


def test_a_provisioned_volume_is_kept_and_found_again(cluster, namespace, other, modules):
    modules.ok("share_pvc", run([namespace], share("alone", DYNAMIC), share("data", DYNAMIC)))
    separate = {
        "csi": {
            **MADE["csi"],
            "volumeHandle": "alone",
            "volumeAttributes": {"server": SERVER, "share": "/dynamic", "subDir": "alone"},
        }
    }
    alone = cluster.bind(namespace, "alone", reclaim="Delete", source=separate)
    volume = cluster.bind(namespace, "data", reclaim="Delete", source=MADE)
    both = run([namespace, other], share("data", DYNAMIC), wait=True)
    # Its claim was created by a run for one namespace, so the operator confirms what is copied.
    modules.ok("share_pvc", run([namespace, other], share("data", DYNAMIC, adopt=True), wait=True))
    options = run([namespace, other], *going("data"), *going("alone", namespaces=[namespace]))
    modules.ok("share_pvc", options | {"state": "retired"})
    backdate(cluster, namespace, "alone", "data")
    backdate(cluster, other, "data")
    result = modules.ok("share_pvc", options | {"state": "absent"})
    assert result.summary == {"delete": 3, "keep": 0}
    for name, where in (("alone", namespace), ("data", namespace), ("data", other)):
        gone(cluster, "persistentvolumeclaims", name, where)
    gone(cluster, "persistentvolumes", f"share.{other}.data")
    for name in (alone, volume):
        found = cluster.get("persistentvolumes", name)
        assert found["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
        assert found["metadata"]["labels"][KIND] == "share"
        wait_for(lambda n=name: cluster.get("persistentvolumes", n)["status"]["phase"] == "Released", "released")
    assert not modules.ok("share_pvc", options | {"state": "absent"}).changed
    # The share comes back, and has its data, in both namespaces at once.
    result = modules.ok("share_pvc", both)
    assert {c["namespace"]: c["action"] for c in result.changes} == {namespace: "create", other: "create"}
    assert volume_of(cluster, namespace, "data")["metadata"]["name"] == volume
    assert volume_of(cluster, other, "data")["spec"]["csi"]["volumeAttributes"] == MADE["csi"]["volumeAttributes"]


def test_a_mounted_share_is_not_deleted(cluster, namespace, other, modules):
    modules.ok("share_pvc", run([namespace, other], share("data"), share("more"), wait=True))
    away = run([namespace, other], *going("data", "more"))
    modules.ok("share_pvc", away | {"state": "retired"})
    for where in (namespace, other):
        backdate(cluster, where, "data", "more")
    pod = cluster.make_pod(namespace, "data", phase="Running")
    cluster.make_pod(namespace, "more", phase="Succeeded")
    result = modules.ok("share_pvc", away | {"state": "absent"})
    assert result.summary == {"delete": 3, "keep": 1}
    assert any(f"pod {pod} mounts it" in warning for warning in result.warnings)
    assert "deletionTimestamp" not in cluster.claims(namespace)["data"]["metadata"]
    assert "deletionTimestamp" not in cluster.get("persistentvolumes", f"share.{namespace}.data")["metadata"]
    assert volume_of(cluster, namespace, "data")["status"]["phase"] == "Bound"


@pytest.mark.parametrize("when", [None, "yesterday", "2999-01-01T00:00:00Z", "9999-12-31T00:00:00Z"])
def test_without_a_valid_retirement_annotation_nothing_is_deleted(cluster, namespace, modules, audit, when):
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    if when is not None:
        cluster.patch("persistentvolumeclaims", "data", {"metadata": {"annotations": {RETIRED: when}}}, namespace)
    options = run(
        [namespace], *going("data"), state="absent", retention="30d" if when == "9999-12-31T00:00:00Z" else "0s"
    )
    with audit(user_agent="odh.persistency/") as log:
        if when is None:
            message = modules.refused("share_pvc", options)
        else:
            # Whoever may edit claims can write it, so it keeps this claim only.
            result = modules.ok("share_pvc", options)
            assert not result.changed
            message = "".join(result.warnings)
        if when != "2999-01-01T00:00:00Z":
            assert "data in" in message
            assert "state retired" in message
    assert not log.writes
    assert "more than a hundred years" in modules.refused("share_pvc", options | {"retention": "999999w"})


def test_a_claim_that_is_not_a_share_cannot_be_retired(cluster, namespace, modules, audit):
    make_claim(cluster, namespace, "data", annotations={RETIRED: LONG_AGO})
    make_claim(
        cluster, namespace, "theirs", labels={KIND: "share", SHARE: "x"}, annotations={SHARE: "x", RETIRED: LONG_AGO}
    )
    with audit(user_agent="odh.persistency/") as log:
        for state in ("retired", "absent"):
            message = modules.refused("share_pvc", run([namespace], *going("data", "theirs"), state=state))
            assert "claim data has no labels of a share" in message
            assert "claim theirs belongs to the share x" in message
    assert not log.writes


def test_an_existing_claim_is_released(cluster, namespace, modules):
    make_claim(cluster, namespace, "by-hand", storageClassName="standard")
    volume = cluster.bind(namespace, "by-hand", reclaim="Delete")
    found = {"name": "data", "level": "public", "backend": {"type": "existing_claim", "claim": "by-hand"}}
    modules.ok("share_pvc", run([namespace], found))
    # By its name alone, as somebody writes it who has taken the share off the list.
    away = run([namespace], *going("data"))
    assert modules.ok("share_pvc", away | {"state": "retired"}).actions() == {"by-hand": "retire"}
    backdate(cluster, namespace, "by-hand")
    result = modules.ok("share_pvc", away | {"state": "absent"})
    assert result.actions() == {"by-hand": "update"}
    assert "was not created for the share, so it stays" in result.changes[0]["reason"]
    for options in (away, run([namespace], found)):
        assert not modules.ok("share_pvc", options | {"state": "absent"}).changed
    claim = cluster.claims(namespace)["by-hand"]
    assert KIND not in claim["metadata"].get("labels", {})
    assert SHARE not in claim["metadata"].get("annotations", {})
    assert cluster.get("persistentvolumes", volume)["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    assert not modules.ok("share_pvc", away | {"state": "absent"}).changed


def test_an_existing_claim_with_the_name_of_the_share_is_released(cluster, namespace, modules):
    make_claim(cluster, namespace, "data", storageClassName="standard")
    cluster.bind(namespace, "data", reclaim="Delete")
    modules.ok("share_pvc", run([namespace], share("data", {"type": "existing_claim", "claim": "data"})))
    assert cluster.claims(namespace)["data"]["metadata"]["annotations"]["odh.persistency/found"] == "true"
    # By its name alone: nothing but the claim itself says that it was there before.
    modules.ok("share_pvc", run([namespace], *going("data"), state="retired"))
    result = modules.ok("share_pvc", run([namespace], *going("data"), state="absent", retention="0s"))
    assert result.actions() == {"data": "update"}
    claim = cluster.claims(namespace)["data"]["metadata"]
    assert "deletionTimestamp" not in claim
    assert not [key for key in (*claim.get("labels", {}), *claim["annotations"]) if key.startswith("odh.persistency/")]


def test_released_claims_are_free_for_another_share(cluster, namespace, other, modules):
    for where in (namespace, other):
        make_claim(cluster, where, "by-hand", storageClassName="standard")
        cluster.bind(where, "by-hand", source=MADE)
    found = {"type": "existing_claim", "claim": "by-hand"}
    modules.ok("share_pvc", run([namespace, other], share("data", found)))
    modules.ok("share_pvc", run([namespace, other], *going("data"), state="retired"))
    modules.ok("share_pvc", run([namespace, other], *going("data"), state="absent", retention="0s"))
    assert SHARE not in volume_of(cluster, namespace, "by-hand")["metadata"]["annotations"]
    assert modules.ok("share_pvc", run([namespace, other], share("new", found))).summary == {"adopt": 2, "keep": 0}


def test_the_location_of_a_deleted_share_is_free(cluster, namespace, modules):
    place = {"nfs": {"server": SERVER, "path": f"/{namespace}/x"}}
    backend = {"type": "nfs", **place["nfs"]}
    make_volume(cluster, f"hand-{namespace}", place, (namespace, "old"))
    modules.ok("share_pvc", run([namespace], share("old", backend), wait=True))
    modules.ok("share_pvc", run([namespace], *going("old"), state="retired"))
    modules.ok("share_pvc", run([namespace], *going("old"), state="absent", retention="0s"))
    gone(cluster, "persistentvolumeclaims", "old", namespace)
    assert annotation(cluster.get("persistentvolumes", f"hand-{namespace}"))
    modules.ok("share_pvc", run([namespace], share("new", backend)))
    # And it is the old one's again, once the new one is retired.
    assert "is that of the share new" in modules.refused("share_pvc", run([namespace], share("old", backend)))
    modules.ok("share_pvc", run([namespace], *going("new"), state="retired"))
    modules.ok("share_pvc", run([namespace], share("old", backend), wait=True))
    assert annotation(volume_of(cluster, namespace, "old")) is None


def test_a_volume_with_a_claim_is_not_deleted(cluster, namespace, modules, audit):
    """The entry names another claim, or somebody removed the labels: the claim still exists."""
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    modules.ok("share_pvc", run([namespace], *going("data"), state="retired"))
    backdate(cluster, namespace, "data")
    bare = {"labels": {KIND: None, SHARE: None}, "annotations": {SHARE: None}}
    cluster.patch("persistentvolumeclaims", "data", {"metadata": bare}, namespace)
    stale = {"name": "data", "backend": {"type": "existing_claim", "claim": "by-hand"}}
    with audit(user_agent="odh.persistency/") as log:
        for state in ("retired", "absent"):
            message = modules.refused("share_pvc", run([namespace], stale, state=state))
            assert f"its volume share.{namespace}.data belongs to claim data in {namespace}, which exists" in message
    assert not log.writes


def test_a_claim_with_only_the_name_is_left_alone(cluster, namespace, modules):
    for name in ("by-hand", "data"):
        make_claim(cluster, namespace, name, storageClassName="standard")
    modules.ok("share_pvc", run([namespace], share("data", {"type": "existing_claim", "claim": "by-hand"})))
    assert modules.ok("share_pvc", run([namespace], *going("data"), state="retired")).actions() == {"by-hand": "retire"}
    result = modules.ok("share_pvc", run([namespace], *going("data"), state="absent", retention="0s"))
    assert result.actions() == {"by-hand": "update"}
    assert cluster.claims(namespace)["data"]["metadata"].get("annotations", {}).get(RETIRED) is None


def test_a_volume_whose_claim_was_deleted_manually_is_deleted(cluster, namespace, modules):
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    cluster.delete("persistentvolumeclaims", "data", namespace)
    gone(cluster, "persistentvolumeclaims", "data", namespace)
    away = run([namespace], *going("data"))
    assert "was never retired" in modules.refused("share_pvc", away | {"state": "absent"})
    assert modules.ok("share_pvc", away | {"state": "retired"}).summary == {"retire": 1, "keep": 0}
    assert not modules.ok("share_pvc", away | {"state": "retired"}).changed
    assert not modules.ok("share_pvc", away | {"state": "absent"}).changed
    body = {"metadata": {"annotations": {RETIRED: LONG_AGO}}, "spec": {"persistentVolumeReclaimPolicy": "Delete"}}
    name = f"share.{namespace}.data"
    cluster.patch("persistentvolumes", name, body)
    assert modules.ok("share_pvc", away | {"state": "absent"}).summary == {"delete": 1, "keep": 0}
    gone(cluster, "persistentvolumes", name)


def test_a_missing_namespace_blocks_nothing(cluster, modules, namespace):
    doomed = cluster.make_namespace()
    modules.ok("share_pvc", run([doomed], share("data"), wait=True))
    modules.ok("share_pvc", run([doomed], *going("data"), state="retired"))
    cluster.delete("namespaces", doomed)
    gone(cluster, "namespaces", doomed)
    name = f"share.{doomed}.data"
    cluster.patch("persistentvolumes", name, {"metadata": {"annotations": {RETIRED: LONG_AGO}}})
    result = modules.ok("share_pvc", run([doomed], *going("data"), state="absent"))
    assert result.summary == {"delete": 1, "keep": 0}
    gone(cluster, "persistentvolumes", name)


CLAIMS = {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["list", "get", "patch", "delete"]}
PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}


def test_without_permissions_nothing_is_deleted(cluster, namespace, modules, restricted_user):
    modules.ok("share_pvc", run([namespace], share("data"), share("made", DYNAMIC)))
    volume = cluster.bind(namespace, "made", reclaim="Delete")
    away = run([namespace], *going("data", "made"), state="absent")
    modules.ok("share_pvc", away | {"state": "retired"})
    backdate(cluster, namespace, "data", "made")

    def volumes(*verbs):
        return {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": list(verbs)}

    for rules, cluster_rules, missing in (
        ([CLAIMS], [volumes("list", "get", "patch", "delete")], 'resources: ["pods"], verbs: ["list"]'),
        ([CLAIMS, PODS], [volumes("list", "get", "delete")], 'resources: ["persistentvolumes"], verbs: ["patch"]'),
        ([CLAIMS, PODS], [volumes("list", "get", "patch")], 'resources: ["persistentvolumes"], verbs: ["delete"]'),
        ([CLAIMS, PODS], [volumes("list", "patch", "delete")], 'resources: ["persistentvolumes"], verbs: ["get"]'),
        ([CLAIMS, PODS], [], 'resources: ["persistentvolumes"], verbs: ["list"]'),
    ):
        login = restricted_user(rules, cluster_rules=cluster_rules)
        assert missing in modules.refused("share_pvc", away, kubeconfig=login)
    assert all("deletionTimestamp" not in claim["metadata"] for claim in cluster.claims(namespace).values())
    assert cluster.get("persistentvolumes", volume)["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    login = restricted_user([CLAIMS, PODS], cluster_rules=[volumes("list", "get", "patch", "delete")])
    assert modules.ok("share_pvc", away, kubeconfig=login).summary == {"delete": 2, "keep": 0}


def test_an_emptied_list_deletes_nothing(cluster, namespace, modules, audit):
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    with audit(user_agent="odh.persistency/") as log:
        for state in ("present", "retired", "absent"):
            assert not modules.ok("share_pvc", run([namespace], state=state, retention="0s")).changed
    assert not log.requests
    assert cluster.claims(namespace)["data"]["status"]["phase"] == "Bound"
