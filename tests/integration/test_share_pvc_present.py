"""Shares become claims and volumes, are bound, and a second run writes nothing."""

from __future__ import annotations

import pytest

from tests.support.shares import (
    KIND,
    NFS_CSI,
    OWNER,
    RETIRED,
    SERVER,
    SHARE,
    bound,
    nfs,
    share,
    volume_of,
)


def run(namespaces, *shares, **options):
    return {"namespaces": list(namespaces), "shares": list(shares), **options}


CEPH = {
    "type": "csi",
    "driver": "rook-ceph.cephfs.csi.ceph.com",
    "attributes": {"clusterID": "rook-ceph", "fsName": "myfs", "rootPath": "/volumes/shared/models"},
    "node_stage_secret": {"name": "static-user", "namespace": "rook-ceph"},
}
BACKENDS = {
    "nfs": nfs("/exports/a", mount_options=["nfsvers=4.1", "hard"]),
    "nfs csi": {
        "type": "csi",
        "driver": NFS_CSI,
        "attributes": {"server": SERVER, "share": "/exports/b", "subDir": "sub"},
    },
    "cephfs": CEPH,
    "other csi": {"type": "csi", "driver": "lustre.example.org", "volume_handle": "fs-1", "fs_type": "lustre"},
    "host path": {"type": "host_path", "path": "/srv/shares/c"},
}


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_each_static_backend_is_created_bound_and_unchanged(cluster, namespace, modules, audit, share_volumes, backend):
    options = run([namespace], share("data", backend, labels={"team": "a"}, annotations={"contact": "x@y"}), wait=True)
    with audit(user_agent="odh.persistency/") as log:
        shown = modules.ok("share_pvc", options, check=True, diff=True)
    assert not log.writes
    assert [(r.verb, r.resource, r.code) for r in log.dry_runs] == [
        ("create", "persistentvolumes", 201),
        ("create", "persistentvolumeclaims", 201),
    ]
    assert cluster.claims(namespace) == {}
    made = modules.ok("share_pvc", options, diff=True)
    assert made.changes == shown.changes
    assert made.output["diff"] == shown.output["diff"]
    assert made.actions() == {"data": "create"}
    claim = cluster.claims(namespace)["data"]
    assert claim["status"]["phase"] == "Bound"
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert claim["spec"]["storageClassName"] == ""
    volume = volume_of(cluster, namespace, "data")
    assert claim["metadata"]["labels"] == {KIND: "share", SHARE: "data", OWNER: "shares", "team": "a"}
    assert volume["metadata"]["labels"] == {KIND: "share", SHARE: "data", "team": "a"}
    for item in (claim, volume):
        assert item["metadata"]["annotations"][SHARE] == "data"
        assert item["metadata"]["annotations"]["contact"] == "x@y"
    spec = volume["spec"]
    assert volume["metadata"]["name"] == f"share.{namespace}.data"
    assert spec["persistentVolumeReclaimPolicy"] == "Retain"
    assert spec["claimRef"]["namespace"] == namespace
    assert spec["claimRef"]["uid"] == claim["metadata"]["uid"]
    assert spec.get("mountOptions", []) == backend.get("mount_options", [])
    with audit(user_agent="odh.persistency/") as log:
        again = modules.ok("share_pvc", options)
    assert not again.changed
    assert again.summary == {"keep": 1}
    assert not log.writes
    # Nothing to do: a list of claims in the namespace, one of volumes, and one more to see that all is bound.
    assert log.count(verb="list") == len(log.requests) == 3


def test_the_sources_of_volumes(cluster, namespace, modules, share_volumes):
    shares = [share(name.replace(" ", "-"), backend) for name, backend in BACKENDS.items()]
    modules.ok("share_pvc", run([namespace], *shares, wait=True))
    sources = {}
    for name in ("nfs", "nfs-csi", "cephfs", "other-csi", "host-path"):
        spec = volume_of(cluster, namespace, name)["spec"]
        sources[name] = next(spec[key] for key in ("nfs", "csi", "hostPath") if key in spec)
    assert sources["nfs"] == {"server": SERVER, "path": "/exports/a"}
    assert sources["nfs-csi"] == {
        "driver": NFS_CSI,
        "volumeHandle": f"{SERVER}#exports/b#sub#share.{namespace}.nfs-csi#retain",
        "volumeAttributes": {"server": SERVER, "share": "/exports/b", "subDir": "sub"},
    }
    assert sources["cephfs"] == {
        "driver": CEPH["driver"],
        "volumeHandle": f"share.{namespace}.cephfs",
        "volumeAttributes": {**CEPH["attributes"], "staticVolume": "true"},
        "nodeStageSecretRef": {"name": "static-user", "namespace": "rook-ceph"},
    }
    assert sources["other-csi"] == {"driver": "lustre.example.org", "volumeHandle": "fs-1", "fsType": "lustre"}
    assert sources["host-path"] == {"path": "/srv/shares/c", "type": "Directory"}


def test_two_namespaces_have_volumes_of_their_own_over_the_same_data(
    cluster, namespace, other, modules, audit, share_volumes
):
    csi = BACKENDS["nfs csi"]
    options = run([namespace, other], share("data"), share("more", csi), share("one", namespaces=[other]), wait=True)
    result = modules.ok("share_pvc", options)
    assert result.summary == {"create": 5, "keep": 0}
    for name in ("data", "more"):
        first, second = (volume_of(cluster, where, name)["spec"] for where in (namespace, other))
        assert first["claimRef"]["namespace"] == namespace
        assert second["claimRef"]["namespace"] == other
        if name == "data":
            assert first["nfs"] == second["nfs"]
        else:
            assert first["csi"]["volumeHandle"] != second["csi"]["volumeHandle"]
            assert first["csi"]["volumeAttributes"] == second["csi"]["volumeAttributes"]
    assert "one" not in cluster.claims(namespace)
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", options).changed
    assert not log.writes
    # A namespace that is taken off the list, a share too, and an emptied list: nothing goes.
    assert not modules.ok("share_pvc", run([namespace], share("data"))).changed
    assert not modules.ok("share_pvc", run([namespace])).changed
    assert set(cluster.claims(other)) == {"data", "more", "one"}


def test_long_names_are_hashed_and_distinct(cluster, namespace, modules, share_volumes):
    names = [f"{'a-very-long-name.' * 14}{end}" for end in ("x", "y")]
    modules.ok("share_pvc", run([namespace], *(share(name) for name in names), wait=True))
    volumes = {volume_of(cluster, namespace, name)["metadata"]["name"] for name in names}
    assert len(volumes) == 2
    for name in names:
        claim = cluster.claims(namespace)[name]
        assert claim["metadata"]["annotations"][SHARE] == name
        assert len(claim["metadata"]["labels"][SHARE]) == 32
    assert not modules.ok("share_pvc", run([namespace], *(share(name) for name in names))).changed
    retired = modules.ok("share_pvc", run([namespace], *(share(name) for name in names), state="retired"))
    assert retired.summary == {"retire": 2, "keep": 0}
    assert RETIRED in cluster.claims(namespace)[names[0]]["metadata"]["annotations"]


def test_a_class_provisions_the_volume_of_a_share_in_one_namespace(cluster, namespace, modules, audit, restricted_user):
    options = run([namespace], share("data", {"type": "storage_class", "storage_class": "standard"}))
    # No right on volumes is needed for that.
    rules = [{"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["list", "get", "create", "patch"]}]
    login = restricted_user(rules)
    result = modules.ok("share_pvc", options, kubeconfig=login)
    assert result.actions() == {"data": "create"}
    assert any("left its volume behind is unknown" in warning for warning in result.warnings)
    claim = cluster.claims(namespace)["data"]
    assert claim["spec"]["storageClassName"] == "standard"
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    cluster.bind(namespace, "data")
    with audit(user_agent="odh.persistency/") as log:
        again = modules.ok("share_pvc", options, kubeconfig=login)
    assert not again.changed
    assert not again.warnings
    assert len(log.requests) == 1
    # The default class, and one that there is not.
    result = modules.ok("share_pvc", run([namespace], share("plain", {"type": "storage_class"})))
    assert cluster.claims(namespace)["plain"]["spec"]["storageClassName"] == "standard"
    result = modules.ok(
        "share_pvc", run([namespace], share("odd", {"type": "storage_class", "storage_class": "standart"}))
    )
    assert any(
        "Storage class standart does not exist (did you mean `standard`?)" in warning for warning in result.warnings
    )


def test_labels_annotations_and_mount_options_are_updated(cluster, namespace, modules, share_volumes):
    modules.ok(
        "share_pvc",
        run([namespace], share("data", nfs(mount_options=["nfsvers=4.1"]), labels={"team": "a"}), wait=True),
    )
    changed = share("data", nfs(mount_options=["nfsvers=4.2", "ro"]), labels={"team": "b"})
    result = modules.ok("share_pvc", run([namespace], changed), diff=True)
    assert result.actions() == {"data": "update"}
    assert "from nfsvers=4.1 to nfsvers=4.2, ro with the next mount" in result.changes[0]["reason"]
    assert "label team=a" in result.output["diff"]["before"]
    assert "label team=b" in result.output["diff"]["after"]
    volume = volume_of(cluster, namespace, "data")
    assert volume["spec"]["mountOptions"] == ["nfsvers=4.2", "ro"]
    assert volume["metadata"]["labels"]["team"] == "b"
    assert not modules.ok("share_pvc", run([namespace], changed)).changed
    # Labels that an entry says no more are left as they are; mount options are the volume's own, and all of them ours.
    result = modules.ok("share_pvc", run([namespace], share("data", nfs())))
    assert "from nfsvers=4.2, ro to none" in result.changes[0]["reason"]
    volume = volume_of(cluster, namespace, "data")
    assert "mountOptions" not in volume["spec"]
    assert volume["metadata"]["labels"]["team"] == "b"
    assert not modules.ok("share_pvc", run([namespace], share("data", nfs()))).changed


def test_a_share_from_before_the_label_of_the_owner_gets_it_once(cluster, namespace, modules, share_volumes):
    options = run([namespace], share("data"))
    modules.ok("share_pvc", options)
    cluster.patch("persistentvolumeclaims", "data", {"metadata": {"labels": {OWNER: None}}}, namespace)
    result = modules.ok("share_pvc", options)
    assert [(one["action"], one["reason"]) for one in result.changes] == [
        ("update", f"it lacked the label {OWNER}=shares")
    ]
    assert cluster.claims(namespace)["data"]["metadata"]["labels"][OWNER] == "shares"
    assert not modules.ok("share_pvc", options).changed


def test_a_missing_or_terminating_namespace(cluster, namespace, modules, audit, share_volumes):
    # A name that no other test uses: claims of that name in other namespaces would be one more warning.
    options = run([namespace, "odhp-not-there", "odhp-nor-this"], share("only-here"))
    message = modules.refused("share_pvc", options)
    assert "Namespace odhp-not-there does not exist" in message
    assert "Namespace odhp-nor-this does not exist" in message
    assert cluster.claims(namespace) == {}
    with audit(user_agent="odh.persistency/") as log:
        shown = modules.ok("share_pvc", options, check=True)
    assert shown.summary == {"create": 3, "keep": 0}
    assert len(shown.warnings) == 2
    assert not log.writes
    assert len(log.dry_runs) == 2
    going = cluster.make_namespace()
    cluster.create(
        "pods",
        {
            "metadata": {"name": "x", "finalizers": ["example.org/held"]},
            "spec": {"containers": [{"name": "x", "image": "x"}]},
        },
        going,
    )
    cluster.delete("namespaces", going)
    try:
        message = modules.refused("share_pvc", run([namespace, going], share("only-here")), check=True)
        assert f"Namespace {going} is being deleted" in message
    finally:
        cluster.patch("pods", "x", {"metadata": {"finalizers": None}}, going)


def test_a_quota_is_compared_with_the_sum(cluster, namespace, modules, share_volumes):
    quota = {
        "metadata": {"name": "storage"},
        "spec": {"hard": {"requests.storage": "2Gi", "persistentvolumeclaims": "9"}},
    }
    cluster.create("resourcequotas", quota, namespace)
    from tests.support.cluster import wait_for

    wait_for(
        lambda: "used" in cluster.get("resourcequotas", "storage", namespace).get("status", {}), "the quota counted"
    )
    shares = [share("a"), share("b"), share("c")]
    shown = modules.ok("share_pvc", run([namespace], *shares), check=True)
    assert any("has 2Gi of requests.storage left and the plan needs 3Gi" in warning for warning in shown.warnings)
    result = modules.run("share_pvc", run([namespace], *shares))
    assert result.failed
    assert len(result.failed_items) == 1
    assert result.failed_items[0]["retryable"]
    cluster.patch("resourcequotas", "storage", {"spec": {"hard": {"requests.storage": "3Gi"}}}, namespace)
    wait_for(
        lambda: cluster.get("resourcequotas", "storage", namespace)["status"]["hard"]["requests.storage"] == "3Gi",
        "more",
    )
    # The volume was made already, and gets its claim now.
    result = modules.ok("share_pvc", run([namespace], *shares, wait=True))
    assert result.summary == {"create": 1, "keep": 2}
    bound(cluster, namespace, "a", "b", "c")
