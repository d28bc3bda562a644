"""A share never gets other data: another claim, location or file system, or a new volume beside an old one."""

from __future__ import annotations

import pytest

from tests.support.cluster import wait_for
from tests.support.shares import KIND, SERVER, SHARE, bound, make_claim, make_volume, nfs, share, volume_of

pytestmark = pytest.mark.usefixtures("share_volumes")

DYNAMIC = {"type": "storage_class", "storage_class": "standard"}


def run(namespaces, *shares, **options):
    return {"namespaces": list(namespaces), "shares": list(shares), **options}


def found(claim):
    return {"type": "existing_claim", "claim": claim}


def on(path):
    return {"nfs": {"server": SERVER, "path": path}}


def marked(cluster, namespace):
    """The claims that belong to shares."""
    return {name for name, claim in cluster.claims(namespace).items() if SHARE in claim["metadata"].get("labels", {})}


def test_another_claim_for_a_share_is_rejected(cluster, namespace, modules, audit):
    for name in ("one", "two"):
        make_claim(cluster, namespace, name)
        cluster.bind(namespace, name, source=on(f"/{namespace}/{name}"))
    modules.ok("share_pvc", run([namespace], share("data", found("one")), share("made", DYNAMIC)))
    with audit(user_agent="odh.persistency/") as log:
        for backend in (found("two"), nfs(f"/{namespace}/else"), DYNAMIC):
            message = modules.refused("share_pvc", run([namespace], share("data", backend)))
            assert f"shares[0] (data in {namespace}): the share already has the claim one" in message
            assert "to move the share, create a new one there" in message
        message = modules.refused("share_pvc", run([namespace], share("made", found("two"))))
        assert "the share already has the claim made, and two would hold other data" in message
    assert not log.writes
    assert marked(cluster, namespace) == {"one", "made"}
    assert not modules.ok("share_pvc", run([namespace], share("data", found("one")))).changed


def test_existing_claims_with_two_locations_are_rejected(cluster, namespace, other, modules, audit):
    for where in (namespace, other):
        make_claim(cluster, where, "by-hand")
        cluster.bind(where, "by-hand", source=on(f"/{where}/x"))
    with audit(user_agent="odh.persistency/") as log:
        message = modules.refused("share_pvc", run([namespace, other], share("data", found("by-hand"))))
    assert f"its claim by-hand is NFS {SERVER}:/{namespace}/x" in message
    assert f"that in {other} is NFS {SERVER}:/{other}/x" in message
    assert "a share has one location" in message
    assert not log.writes


def test_a_new_share_beside_one_of_its_name_is_one_warning(cluster, namespace, other, modules, audit):
    name = f"beside-{namespace}"  # that no other test has
    modules.ok("share_pvc", run([namespace], share(name, DYNAMIC)))
    cluster.bind(namespace, name, source=on(f"/{namespace}/x"))
    result = modules.ok("share_pvc", run([other], share(name, DYNAMIC)))
    assert result.actions() == {name: "create"}
    assert any(f"a share of this name has a claim in {namespace} too" in text for text in result.warnings)
    with audit(user_agent="odh.persistency/") as log:
        again = modules.ok("share_pvc", run([other], share(name, DYNAMIC)))
    assert not again.warnings
    assert len(log.requests) == 1


def test_the_same_location_in_another_namespace_is_no_warning(namespace, other, modules):
    same = share(f"same-{namespace}", nfs(f"/{namespace}/x"))  # a name that no other test has
    modules.ok("share_pvc", run([namespace], same))
    assert not modules.ok("share_pvc", run([other], same)).warnings


def test_another_file_system_of_cephfs_is_other_data(cluster, namespace, modules, audit):
    driver = "rook-ceph.cephfs.csi.ceph.com"

    def attributes(**more):
        return {"clusterID": namespace, "rootPath": "/volumes/data", "staticVolume": "true", **more}

    def backend(**more):
        secret = {"name": "s", "namespace": "x"}
        return {"type": "csi", "driver": driver, "attributes": attributes(**more), "node_stage_secret": secret}

    volume = {"driver": driver, "volumeHandle": namespace, "volumeAttributes": attributes(fsName="hr")}
    secret = {"nodeStageSecretRef": {"name": "other", "namespace": "x"}}
    make_volume(cluster, f"hand-{namespace}", {"csi": {**volume, **secret}}, (namespace, "data"))
    with audit(user_agent="odh.persistency/") as log:
        message = modules.refused("share_pvc", run([namespace], share("data", backend(fsName="public"))))
    assert "is on the file system hr, not public" in message
    assert not log.writes
    # What differs less is told in the run that takes the volume up, too.
    result = modules.ok("share_pvc", run([namespace], share("data", backend(fsName="hr")), wait=True))
    assert any("has the secret x/other, not x/s" in text for text in result.warnings)
    message = modules.refused("share_pvc", run([namespace], share("data", backend(fsName="public"))))
    assert "is on the file system hr, not public" in message


def test_a_volume_that_a_class_keeps_is_not_forgotten(cluster, namespace, modules, audit):
    """The class has the policy Retain, and somebody deleted the claim: a new one would be empty."""
    modules.ok("share_pvc", run([namespace], share("data", DYNAMIC)))
    volume = cluster.bind(namespace, "data", reclaim="Retain", source=on(f"/{namespace}/x"))
    cluster.delete("persistentvolumeclaims", "data", namespace)
    wait_for(lambda: cluster.get("persistentvolumes", volume)["status"]["phase"] == "Released", "the volume released")
    with audit(user_agent="odh.persistency/") as log:
        message = modules.refused("share_pvc", run([namespace], share("data", DYNAMIC)))
    assert f"its claim was deleted and left volume {volume}" in message
    assert "the share would start empty" in message
    assert not log.writes
    # The way out, as it is told.
    marks = {"labels": {KIND: "share"}, "annotations": {SHARE: "data"}}
    cluster.patch("persistentvolumes", volume, {"metadata": marks})
    modules.ok("share_pvc", run([namespace], share("data", DYNAMIC), wait=True))
    assert volume_of(cluster, namespace, "data")["metadata"]["name"] == volume


def test_a_class_for_a_share_on_a_manually_created_volume_is_rejected(cluster, namespace, modules):
    make_volume(cluster, f"hand-{namespace}", on(f"/{namespace}/x"), (namespace, "data"))
    modules.ok("share_pvc", run([namespace], share("data", nfs(f"/{namespace}/x")), wait=True))
    message = modules.refused("share_pvc", run([namespace], share("data", DYNAMIC)))
    assert f"/{namespace}/x, not of a storage class" in message
    # And on one of ours that lost its marks.
    modules.ok("share_pvc", run([namespace], share("ours", nfs(f"/{namespace}/y")), wait=True))
    bare = {"labels": {KIND: None, SHARE: None}, "annotations": {SHARE: None}}
    cluster.patch("persistentvolumes", f"share.{namespace}.ours", {"metadata": bare})
    message = modules.refused("share_pvc", run([namespace], share("ours", DYNAMIC)))
    cluster.patch("persistentvolumes", f"share.{namespace}.ours", {"metadata": {"labels": {KIND: "share"}}})
    assert f"/{namespace}/y, not of a storage class" in message


def test_a_claim_that_is_never_bound_is_a_warning(cluster, namespace, modules):
    make_claim(cluster, namespace, "large", size="5Gi", storageClassName="")
    make_claim(cluster, namespace, "classless", storageClassName="", volumeName=f"classless-{namespace}")
    make_claim(cluster, namespace, "narrow", storageClassName="", accessModes=["ReadWriteOnce"])
    for name, more in (("large", {}), ("classless", {"storageClassName": "manual"})):
        make_volume(cluster, f"{name}-{namespace}", on(f"/{namespace}/{name}"), (namespace, name), **more)
    shares = [share(name, nfs(f"/{namespace}/{name}")) for name in ("large", "classless", "narrow")]
    for _run in range(2):
        result = modules.ok("share_pvc", run([namespace], *shares, share("fine", nfs(f"/{namespace}/fine"))))
        reported = {
            difference["name"]: difference["reason"]
            for difference in result.unreconcilable
            if "is never bound" in difference["reason"]
        }
        assert set(reported) == {"large", "narrow"}
        assert "requests 5Gi, more than the 1Gi of the volume" in reported["large"]
        assert "requests ReadWriteOnce, which the volume does not offer" in reported["narrow"]
        bound(cluster, namespace, "classless", "fine")
    # The way out.
    cluster.delete("persistentvolumeclaims", "large", namespace)
    wait_for(lambda: "large" not in cluster.claims(namespace), "the claim gone")
    modules.ok("share_pvc", run([namespace], shares[0], wait=True))
