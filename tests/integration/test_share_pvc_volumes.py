"""Volumes of a class are cloned for other namespaces, manually created ones are adopted when they fit, and volumes are kept."""

from __future__ import annotations

import re

import pytest

from tests.support.cluster import wait_for
from tests.support.homes import make_home
from tests.support.shares import (
    CLONE,
    KIND,
    NFS_CSI,
    OWNER,
    SERVER,
    SHARE,
    bound,
    make_claim,
    make_volume,
    nfs,
    provisioned,
    share,
    volume_of,
)

pytestmark = pytest.mark.usefixtures("share_volumes")

DYNAMIC = {"type": "storage_class", "storage_class": "standard"}
IN_TREE = {"nfs": {"server": SERVER, "path": "/dynamic/pvc-1"}}


def by_csi(handle="nas#dynamic#pvc-1#", driver=NFS_CSI, **attributes):
    given = attributes or {"server": SERVER, "share": "/dynamic", "subDir": "pvc-1"}
    return {"csi": {"driver": driver, "volumeHandle": handle, "volumeAttributes": given}}


def run(namespaces, *shares, **options):
    return {"namespaces": list(namespaces), "shares": list(shares), **options}


def policy(volume):
    return volume["spec"]["persistentVolumeReclaimPolicy"]


CEPH = "openshift-storage.cephfs.csi.ceph.com"


@pytest.mark.parametrize(
    ("source", "extra", "expected"),
    [
        pytest.param(IN_TREE, {}, IN_TREE, id="in-tree nfs"),
        pytest.param(
            by_csi(),
            {},
            {"csi": {"driver": NFS_CSI, "volumeHandle": SERVER + "#dynamic#pvc-1#share.{}.data#retain"}},
            id="nfs csi",
        ),
        pytest.param(
            by_csi("0001-0011-x", CEPH, clusterID="one", fsName="fs", subvolumePath="/volumes/csi/x"),
            {"clone": True},
            {"csi": {"driver": CEPH, "volumeHandle": "share.{}.data"}},
            id="cephfs",
        ),
        pytest.param(
            by_csi("handle-1", "efs.example.org", a="b"),
            {"clone": True},
            {"csi": {"driver": "efs.example.org", "volumeHandle": "handle-1"}},
            id="other csi",
        ),
    ],
)
def test_a_volume_of_a_class_is_retained_and_cloned(cluster, namespace, other, modules, audit, source, extra, expected):
    options = run([namespace, other], share("data", DYNAMIC | extra))
    with provisioned(cluster, namespace, "data", reclaim="Delete", source=source) as names:
        first = modules.ok("share_pvc", options)
    [volume] = names
    assert [(c["namespace"], c["action"]) for c in first.changes] == [(namespace, "create")]
    [warning] = first.warnings
    assert f"data in {other} does not exist yet" in warning
    assert "run again once it is" in warning
    shown = modules.ok("share_pvc", options, check=True)
    assert policy(cluster.get("persistentvolumes", volume)) == "Delete"
    with audit(user_agent="odh.persistency/") as log:
        second = modules.ok("share_pvc", options | {"wait": True})
    assert second.changes == shown.changes
    assert {c["namespace"]: c["action"] for c in second.changes} == {namespace: "adopt", other: "create"}
    origin, copy = volume_of(cluster, namespace, "data"), volume_of(cluster, other, "data")
    assert origin["metadata"]["name"] == volume
    assert policy(origin) == policy(copy) == "Retain"
    assert origin["metadata"]["labels"][SHARE] == "data"
    assert copy["metadata"]["annotations"][CLONE] == volume
    assert copy["spec"]["capacity"] == origin["spec"]["capacity"]
    assert "pv.kubernetes.io/provisioned-by" not in copy["metadata"]["annotations"]
    kind = next(iter(expected))
    for key, value in expected[kind].items():
        assert copy["spec"][kind][key] == value.format(other)
    if kind == "csi":
        attributes = copy["spec"]["csi"]["volumeAttributes"]
        for key, value in source["csi"]["volumeAttributes"].items():
            assert attributes[key] == value
        if source["csi"]["driver"] == CEPH:
            assert attributes["rootPath"] == "/volumes/csi/x"
            assert attributes["staticVolume"] == "true"
    # Retain was set before there was a copy.
    order = [(r.verb, r.resource, r.name) for r in log.writes if r.resource == "persistentvolumes"]
    assert order.index(("patch", "persistentvolumes", volume)) < order.index(
        ("create", "persistentvolumes", f"share.{other}.data")
    )
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", options).changed
        # The order of namespaces means nothing any more, and a new first one gets no volume of its own.
        assert not modules.ok("share_pvc", run([other, namespace], share("data", DYNAMIC | extra))).changed
    assert not log.writes


def test_nothing_is_cloned_before_the_volume_is_bound(cluster, namespace, other, modules):
    """A class that waits for a pod: the run does not wait for it, so its claim is confirmed by the operator later."""
    late = {"type": "storage_class", "storage_class": "wait-first"}
    options = run([namespace, other], share("data", late))
    first = modules.ok("share_pvc", options)
    assert [(c["namespace"], c["action"]) for c in first.changes] == [(namespace, "create")]
    assert any("could not be marked as the one to copy to other namespaces" in text for text in first.warnings)
    # Not bound yet: nothing to do, said again.
    again = modules.ok("share_pvc", options)
    assert not again.changed
    [warning] = again.warnings
    assert f"data in {other} does not exist yet" in warning
    volume = cluster.bind(namespace, "data", reclaim="Delete", source=IN_TREE)
    assert "no run recorded on that volume" in modules.refused("share_pvc", options)
    consented = run([namespace, other], share("data", late, adopt=True), wait=True)
    assert modules.ok("share_pvc", consented).summary == {"adopt": 1, "create": 1, "keep": 0}
    assert volume_of(cluster, other, "data")["spec"]["nfs"] == IN_TREE["nfs"]
    assert policy(cluster.get("persistentvolumes", volume)) == "Retain"


def test_a_third_namespace_in_front_gets_the_same_data(cluster, namespace, other, modules):
    modules.ok("share_pvc", run([namespace], share("data", DYNAMIC)))
    volume = cluster.bind(namespace, "data", reclaim="Delete", source=IN_TREE)
    assert not modules.ok("share_pvc", run([namespace], share("data", DYNAMIC))).changed
    third = cluster.make_namespace()
    # A run for one namespace does not wait for the volume, so the operator confirms what is copied.
    everywhere = [third, other, namespace]
    message = modules.refused("share_pvc", run(everywhere, share("data", DYNAMIC)))
    assert message.count("no run recorded on that volume") == 2
    result = modules.ok("share_pvc", run(everywhere, share("data", DYNAMIC, adopt=True), wait=True))
    assert result.summary == {"create": 2, "adopt": 1, "keep": 0}
    for where in (third, other):
        assert volume_of(cluster, where, "data")["spec"]["nfs"] == IN_TREE["nfs"]
    # The first one is not in the list any more: what is to be copied is known from a copy.
    fourth = cluster.make_namespace()
    result = modules.ok("share_pvc", run([fourth, third], share("data", DYNAMIC), wait=True))
    assert result.summary == {"create": 1, "keep": 1}
    assert volume_of(cluster, fourth, "data")["spec"]["nfs"] == IN_TREE["nfs"]
    assert policy(cluster.get("persistentvolumes", volume)) == "Retain"


@pytest.mark.parametrize(
    ("source", "spec", "why"),
    [
        pytest.param(
            by_csi("x", "ebs.example.org"), {}, "set `clone: true` in the share's backend", id="unknown driver"
        ),
        pytest.param({"hostPath": {"path": "/srv/x"}}, {}, "sharing this volume type is not supported", id="host path"),
        pytest.param(
            by_csi(server=SERVER, share="/x", subDir="${pvc.metadata.namespace}"),
            {},
            "which would differ in each namespace",
            id="template",
        ),
        pytest.param(by_csi(), {"accessModes": ["ReadWriteOnce"]}, "does not offer ReadWriteMany", id="one node only"),
    ],
)
def test_what_cannot_be_cloned_is_rejected(cluster, namespace, other, modules, audit, source, spec, why):
    if spec:
        make_claim(cluster, namespace, "data", storageClassName="standard", **spec)
    else:
        modules.ok("share_pvc", run([namespace], share("data", DYNAMIC)))
    cluster.bind(namespace, "data", reclaim="Delete" if "hostPath" not in source else "Retain", source=source)
    with audit(user_agent="odh.persistency/") as log:
        consented = share("data", DYNAMIC, adopt=True)
        message = modules.refused("share_pvc", run([namespace, other], consented, share("fine")))
    assert why in message
    assert not log.writes


def test_without_the_right_to_patch_volumes_nothing_is_shared(cluster, namespace, other, modules, restricted_user):
    modules.ok("share_pvc", run([namespace], share("data", DYNAMIC)))
    volume = cluster.bind(namespace, "data", reclaim="Delete", source=IN_TREE)
    claims = {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["list", "get", "create", "patch"]}
    volumes = {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ["list", "get", "create"]}
    login = restricted_user([], cluster_rules=[claims, volumes])
    consented = share("data", DYNAMIC, adopt=True)
    message = modules.refused("share_pvc", run([namespace, other], consented), kubeconfig=login)
    assert 'resources: ["persistentvolumes"], verbs: ["patch"]' in message
    assert "set to Retain" in message
    assert cluster.claims(other) == {}
    assert policy(cluster.get("persistentvolumes", volume)) == "Delete"
    # And without the right to look at them.
    login = restricted_user([], cluster_rules=[claims])
    message = modules.refused(
        "share_pvc", run([namespace, other], share("data", DYNAMIC), share("more")), kubeconfig=login
    )
    assert message.count('resources: ["persistentvolumes"], verbs: ["list"]') >= 2
    assert "more" not in cluster.claims(namespace)


# -- made by hand -------------------------------------------------------------------------------------------------------


def by_hand(cluster, namespace, other):
    """The recipe for a share in two namespaces: a claim of a class, its volume copied with another name, a claim for that."""
    make_claim(cluster, namespace, "library", storageClassName="standard")
    volume = cluster.bind(namespace, "library", reclaim="Delete", source=by_csi())
    copy = f"{volume}-{other}"
    make_volume(cluster, copy, by_csi("nas#dynamic#pvc-1#-copy"), storageClassName="standard")
    make_claim(cluster, other, "library", storageClassName="standard", volumeName=copy)
    bound(cluster, other, "library")
    return volume, copy


def test_a_manually_created_share_is_adopted(cluster, namespace, other, modules, audit):
    volume, copy = by_hand(cluster, namespace, other)
    options = run([namespace, other], share("library", DYNAMIC))
    message = modules.refused("share_pvc", options)
    assert message.count("claim library exists and nothing marks it as this share's") == 2
    consented = run([namespace, other], share("library", DYNAMIC, adopt=True))
    result = modules.ok("share_pvc", consented, diff=True)
    assert result.summary == {"adopt": 2, "keep": 0}
    assert not result.warnings
    assert "not labelled as a share" in result.output["diff"]["before"]
    for where, name in ((namespace, volume), (other, copy)):
        claim = cluster.claims(where)["library"]
        assert claim["spec"]["volumeName"] == name
        assert claim["metadata"]["labels"] == {KIND: "share", SHARE: "library", OWNER: "shares"}
        found = volume_of(cluster, where, "library")
        assert found["metadata"]["labels"][SHARE] == "library"
        assert policy(found) == "Retain"
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", options).changed
    assert not log.writes
    # One that only looks alike is refused with the difference.
    make_claim(cluster, namespace, "fake", storageClassName="standard")
    cluster.bind(namespace, "fake", source=by_csi())
    make_volume(cluster, f"fake-{other}", by_csi(server=SERVER, share="/dynamic", subDir="pvc-2"))
    make_claim(cluster, other, "fake", storageClassName="", volumeName=f"fake-{other}")
    bound(cluster, other, "fake")
    message = modules.refused("share_pvc", run([namespace, other], share("fake", DYNAMIC, adopt=True)))
    assert f"{NFS_CSI} {SERVER}:/dynamic/pvc-2" in message
    assert f"{NFS_CSI} {SERVER}:/dynamic/pvc-1" in message


def test_manually_created_static_volumes_are_adopted_if_they_match(cluster, namespace, modules, audit):
    for number, path in enumerate(("/exports/data", "/exports/else")):
        name = ("fits", "differs")[number]
        make_volume(cluster, f"{name}-{namespace}", {"nfs": {"server": SERVER.upper() + ".", "path": path + "/"}})
        make_claim(cluster, namespace, name, storageClassName="", volumeName=f"{name}-{namespace}")
        bound(cluster, namespace, name)
    # Only the volume was made by hand so far, and reserved for the claim; and another one whose claim asks for no class.
    make_volume(
        cluster, f"waits-{namespace}", {"nfs": {"server": SERVER, "path": "/exports/waits"}}, (namespace, "waits")
    )
    make_claim(cluster, namespace, "asks", storageClassName="")
    shares = [share("fits", nfs("/exports/data")), share("waits"), share("asks")]
    message = modules.refused("share_pvc", run([namespace], *shares, share("differs")))
    assert f"is NFS {SERVER}:/exports/else, not NFS {SERVER}:/exports/differs" in message
    assert "create a new share there, copy the data and retire this one" in message
    assert KIND not in cluster.claims(namespace)["fits"]["metadata"].get("labels", {})
    result = modules.ok("share_pvc", run([namespace], *shares, wait=True))
    assert result.actions() == {"fits": "adopt", "waits": "create", "asks": "adopt"}
    assert volume_of(cluster, namespace, "waits")["metadata"]["name"] == f"waits-{namespace}"
    assert volume_of(cluster, namespace, "asks")["metadata"]["name"] == f"share.{namespace}.asks"
    assert volume_of(cluster, namespace, "fits")["metadata"]["annotations"][SHARE] == "fits"
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", run([namespace], *shares)).changed
    assert not log.writes


def test_other_data_under_the_same_name_is_rejected(cluster, namespace, modules, audit):
    csi = {"type": "csi", "driver": NFS_CSI, "attributes": {"server": SERVER, "share": "/exports/csi"}}
    named = {"type": "csi", "driver": "lustre.example.org", "volume_handle": "one"}
    was = [share("path"), share("server"), share("kind"), share("attributes", csi), share("handle", named)]
    was += [share("class", {"type": "host_path", "path": "/srv/class"})]
    modules.ok("share_pvc", run([namespace], *was, wait=True))
    now = [
        share("path", nfs("/exports/elsewhere")),
        share("server", {"type": "nfs", "server": "other.example.org", "path": "/exports/server"}),
        share("kind", {"type": "csi", "driver": NFS_CSI, "attributes": {"server": SERVER, "share": "/exports/kind"}}),
        share("attributes", csi | {"attributes": {"server": SERVER, "share": "/exports/else"}}),
        share("handle", named | {"volume_handle": "two"}),
        share("class", DYNAMIC),
    ]
    with audit(user_agent="odh.persistency/") as log:
        message = modules.refused("share_pvc", run([namespace], *now, share("new")))
    assert not log.writes
    for name in ("path", "server", "kind", "attributes", "handle", "class"):
        assert f"({name} in {namespace}): " in message
    assert ", not of a storage class" in message
    # Back to a class that made another volume, a share that was dynamic: likewise.
    modules.ok("share_pvc", run([namespace], share("dynamic", DYNAMIC)))
    cluster.bind(namespace, "dynamic", source=by_csi())
    message = modules.refused("share_pvc", run([namespace], share("dynamic")))
    assert f"is {NFS_CSI} {SERVER}:/dynamic/pvc-1, not NFS" in message


def test_claims_and_volumes_of_others_are_rejected(cluster, namespace, other, modules, audit):
    make_home(cluster, namespace, "home", "alice", accessModes=["ReadWriteMany"])
    make_claim(cluster, namespace, "home-by-label", labels={"component": "singleuser-storage"})
    make_claim(cluster, namespace, "jupyterhub-nb-bob-pvc")
    make_claim(cluster, namespace, "hub-db-dir", labels={"component": "hub"})
    make_claim(cluster, namespace, "jupyterhub-db")
    make_claim(cluster, namespace, "tree", labels={KIND: "tree"})
    make_claim(cluster, namespace, "theirs", labels={KIND: "share", SHARE: "x"}, annotations={SHARE: "x"})
    # Some are known by their names, and refused before the cluster is asked.
    by_name = ["jupyterhub-nb-bob-pvc", "hub-db-dir", "jupyterhub-db"]
    names = ["home", "home-by-label", "tree", "theirs"]
    # A volume of another share, one of another namespace, and one under our name that is nobody's.
    make_volume(cluster, f"x-{namespace}", {"nfs": {"server": SERVER, "path": "/exports/taken"}}, (namespace, "taken"))
    cluster.patch("persistentvolumes", f"x-{namespace}", {"metadata": {"annotations": {SHARE: "somebodys"}}})
    make_volume(
        cluster,
        f"share.{namespace}.elsewhere",
        {"nfs": {"server": SERVER, "path": "/exports/elsewhere"}},
        (other, "elsewhere"),
    )
    make_volume(cluster, f"share.{namespace}.nobodys", {"nfs": {"server": SERVER, "path": "/exports/nobodys"}})
    with audit(user_agent="odh.persistency/") as log:
        first = ""
        for group in (by_name, names):
            found = [share(f"s{n}", {"type": "existing_claim", "claim": name}) for n, name in enumerate(group)]
            first += modules.refused("share_pvc", run([namespace], *found))
            for kind in ("static", "dynamic"):
                entries = [share(name, DYNAMIC if kind == "dynamic" else None) for name in group]
                message = modules.refused("share_pvc", run([namespace], *entries))
                for name in group:
                    assert re.search(rf"claim {name} (is|belongs to) ", message), (kind, name)
        message = modules.refused("share_pvc", run([namespace], share("taken"), share("elsewhere"), share("nobodys")))
    for name in (*by_name, *names):
        assert re.search(rf"claim {name} (is|belongs to) ", first)
    assert "is the home of alice" in first
    assert "is the hub's database" in first
    assert "belongs to the share x" in first
    assert "belongs to the share somebodys" in message
    assert f"belongs to claim elsewhere in {other}" in message
    assert "has the name of this share's volume, but not its labels" in message
    assert not log.writes


def test_an_existing_claim(cluster, namespace, other, modules, audit):
    for where in (namespace, other):
        make_claim(cluster, where, "by-hand", storageClassName="standard")
        cluster.bind(where, "by-hand", reclaim="Delete", source=by_csi())
    make_claim(cluster, namespace, "one-node", storageClassName="standard", accessModes=["ReadWriteOnce"])
    found = share("data", {"type": "existing_claim", "claim": "by-hand"})
    narrow = share("narrow", {"type": "existing_claim", "claim": "one-node"}, namespaces=[namespace])
    for entry in (found, narrow):
        del entry["size"]
    missing = share("later", {"type": "existing_claim", "claim": "nowhere"}, namespaces=[namespace])
    message = modules.refused("share_pvc", run([namespace, other], found, narrow, missing))
    assert "claim nowhere does not exist" in message
    shown = modules.ok("share_pvc", run([namespace, other], found, narrow, missing), check=True)
    assert any("nowhere" in warning and "an earlier task may create it" in warning for warning in shown.warnings)
    result = modules.ok("share_pvc", run([namespace, other], found, narrow))
    assert result.summary == {"adopt": 3, "keep": 0}
    assert any("one-node" in w and "without ReadWriteMany" in w for w in result.warnings)
    for where in (namespace, other):
        claim = cluster.claims(where)["by-hand"]
        assert claim["metadata"]["labels"] == {KIND: "share", SHARE: "data", OWNER: "shares"}
        # In several namespaces they may be one and the same data, so none of them may take it.
        assert policy(volume_of(cluster, where, "by-hand")) == "Retain"
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", run([namespace, other], found, narrow)).changed
    assert not log.writes


# -- volumes that claims left -------------------------------------------------------------------------------------------


def gone(cluster, namespace, name):
    wait_for(lambda: name not in cluster.claims(namespace), f"{name} gone")


def released(cluster, volume):
    wait_for(lambda: cluster.get("persistentvolumes", volume)["status"]["phase"] == "Released", f"{volume} released")


def test_a_released_volume_is_used_again_by_the_same_share(cluster, namespace, other, modules, audit):
    dynamic = share("made", DYNAMIC)
    modules.ok("share_pvc", run([namespace], dynamic))
    volume = cluster.bind(namespace, "made", reclaim="Delete", source=by_csi())
    options = run([namespace, other], share("data"), dynamic, wait=True)
    # Its claim was created by a run for one namespace, so the operator confirms what is copied.
    modules.ok("share_pvc", run([namespace, other], share("data"), {**dynamic, "adopt": True}, wait=True))
    # Somebody removes the claims by hand.
    for where in (namespace, other):
        for name in ("data", "made"):
            cluster.delete("persistentvolumeclaims", name, where)
    volumes = [f"share.{where}.{name}" for where in (namespace, other) for name in ("data", "made")][:]
    volumes[1] = volume
    for name in volumes:
        released(cluster, name)
    # Nobody else gets them: another share of the same place in another namespace has volumes of its own.
    shown = modules.ok("share_pvc", options, check=True)
    assert shown.summary == {"create": 4, "keep": 0}
    result = modules.ok("share_pvc", options)
    assert result.changes == shown.changes
    assert all("released by a deleted claim, is used again" in change["reason"] for change in result.changes)
    for where in (namespace, other):
        bound(cluster, where, "data", "made")
    assert volume_of(cluster, namespace, "made")["metadata"]["name"] == volume
    assert volume_of(cluster, namespace, "data")["metadata"]["name"] == f"share.{namespace}.data"
    assert len(cluster.list("persistentvolumes", labelSelector=f"{SHARE} in (data,made)")) >= 4
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", options).changed
    assert not log.writes


def test_a_released_volume_is_never_used_by_another_share(cluster, namespace, modules):
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    cluster.delete("persistentvolumeclaims", "data", namespace)
    gone(cluster, namespace, "data")
    released(cluster, f"share.{namespace}.data")
    cluster.patch("persistentvolumes", f"share.{namespace}.data", {"metadata": {"annotations": {SHARE: "other"}}})
    message = modules.refused("share_pvc", run([namespace], share("data")))
    assert "belongs to the share other" in message
    assert cluster.get("persistentvolumes", f"share.{namespace}.data")["spec"]["claimRef"].get("uid")


def test_a_lost_volume_is_made_again(cluster, namespace, modules):
    """Somebody deletes the volume object of a share; the claim is Lost, and gets the same volume again."""
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    name = f"share.{namespace}.data"
    cluster.delete("persistentvolumes", name)
    cluster.patch("persistentvolumes", name, {"metadata": {"finalizers": None}})
    wait_for(lambda: cluster.claims(namespace)["data"]["status"]["phase"] == "Lost", "the claim Lost")
    result = modules.ok("share_pvc", run([namespace], share("data")))
    assert result.actions() == {"data": "update"}
    assert "is created again" in result.changes[0]["reason"]
    # The controller looks at a lost claim when it is written, or now and then: every 15 s, and here every two minutes.
    cluster.patch("persistentvolumeclaims", "data", {"metadata": {"labels": {"look": "again"}}}, namespace)
    bound(cluster, namespace, "data")
    # A volume that a class made is not ours to make.
    modules.ok("share_pvc", run([namespace], share("made", DYNAMIC)))
    volume = cluster.bind(namespace, "made", source=by_csi())
    cluster.delete("persistentvolumes", volume)
    cluster.patch("persistentvolumes", volume, {"metadata": {"finalizers": None}})
    wait_for(lambda: cluster.claims(namespace)["made"]["status"]["phase"] == "Lost", "the claim Lost")
    result = modules.ok("share_pvc", run([namespace], share("made", DYNAMIC)))
    assert any("has lost its volume" in warning for warning in result.warnings)


def test_a_restored_volume_is_bound_to_the_claim_that_lost_it(cluster, namespace, modules):
    """The claim is Lost, and somebody restored its volume, or the claim itself, from a manifest."""
    name = f"share.{namespace}.data"
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    volume, claim = cluster.get("persistentvolumes", name), cluster.claims(namespace)["data"]
    for what in ("volume", "claim"):
        if what == "volume":
            cluster.delete("persistentvolumes", name)
            cluster.patch("persistentvolumes", name, {"metadata": {"finalizers": None}})
            wait_for(lambda: cluster.claims(namespace)["data"]["status"]["phase"] == "Lost", "the claim Lost")
            metadata = {key: volume["metadata"][key] for key in ("name", "labels", "annotations")}
            spec = {**volume["spec"], "claimRef": {"namespace": namespace, "name": "data"}}
            cluster.create("persistentvolumes", {"metadata": metadata, "spec": spec})
        else:
            cluster.delete("persistentvolumeclaims", "data", namespace)
            gone(cluster, namespace, "data")
            released(cluster, name)
            metadata = {key: claim["metadata"][key] for key in ("name", "labels", "annotations")}
            cluster.create("persistentvolumeclaims", {"metadata": metadata, "spec": claim["spec"]}, namespace)
            wait_for(lambda: cluster.claims(namespace)["data"]["status"].get("phase") == "Lost", "the claim Lost")
        result = modules.ok("share_pvc", run([namespace], share("data")))
        assert result.actions() == {"data": "update"}
        assert "given back to the claim that lost it" in result.changes[0]["reason"]
        cluster.patch("persistentvolumeclaims", "data", {"metadata": {"labels": {"look": what}}}, namespace)
        bound(cluster, namespace, "data")
        assert not modules.ok("share_pvc", run([namespace], share("data"))).changed


def test_a_static_volume_with_policy_delete_is_retained(cluster, namespace, modules):
    modules.ok("share_pvc", run([namespace], share("data"), wait=True))
    name = f"share.{namespace}.data"
    cluster.patch("persistentvolumes", name, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    result = modules.ok("share_pvc", run([namespace], share("data")))
    assert "is set from Delete to Retain" in result.changes[0]["reason"]
    assert policy(cluster.get("persistentvolumes", name)) == "Retain"


# -- growth -------------------------------------------------------------------------------------------------------------


def test_expansion(cluster, namespace, other, modules, audit):
    fixed = {"type": "storage_class", "storage_class": "fixed"}
    shares = [share("made", DYNAMIC), share("fixed", fixed), share("static")]
    modules.ok("share_pvc", run([namespace], *shares))
    for name in ("made", "fixed"):
        cluster.bind(namespace, name, source=by_csi(f"nas#{name}", server=SERVER, share="/dynamic", subDir=name))
    bound(cluster, namespace, "static")
    larger = [entry | {"size": "3Gi"} for entry in shares]
    result = modules.ok("share_pvc", run([namespace], *larger), diff=True)
    assert result.actions() == {"made": "update"}
    assert "3Gi" in result.output["diff"]["after"]
    reasons = {difference["name"]: difference["reason"] for difference in result.unreconcilable}
    assert "does not allow expansion" in reasons["fixed"]
    assert "static" in reasons["static"]
    assert cluster.claims(namespace)["made"]["spec"]["resources"]["requests"]["storage"] == "3Gi"
    cluster.resize(namespace, "made", "3Gi")
    smaller = [entry | {"size": "2Gi"} for entry in shares[:1]]
    result = modules.ok("share_pvc", run([namespace], *smaller))
    assert not result.changed
    assert "cannot shrink" in result.unreconcilable[0]["reason"]
    other_class = share("made", fixed, size="3Gi")
    result = modules.ok("share_pvc", run([namespace], other_class))
    assert not result.changed
    assert "has storage class standard, not fixed" in result.unreconcilable[0]["reason"]
    # A copy has the size that its origin has, and is never grown.
    modules.ok("share_pvc", run([namespace, other], share("made", DYNAMIC, size="3Gi", adopt=True), wait=True))
    assert cluster.claims(other)["made"]["spec"]["resources"]["requests"]["storage"] == "3Gi"
    result = modules.ok("share_pvc", run([namespace, other], share("made", DYNAMIC, size="5Gi")))
    assert [change["namespace"] for change in result.changes] == [namespace]
    assert not result.warnings


def test_wait_reports_what_is_not_bound(cluster, namespace, modules):
    static = share("static")
    modules.ok("share_pvc", run([namespace], static, wait=True))
    options = run([namespace], share("data", DYNAMIC), static, wait=True, wait_timeout=3, wait_sleep=1)
    result = modules.run("share_pvc", options)
    assert result.failed
    [item] = result.failed_items
    assert "data is not bound to a volume" in item["reason"]
    assert result.output["changed"]
    waits = share("data", {"type": "storage_class", "storage_class": "wait-first"}, namespaces=[namespace])
    waits["name"] = "first"
    modules.ok("share_pvc", run([namespace], waits, wait=True, wait_timeout=20))
