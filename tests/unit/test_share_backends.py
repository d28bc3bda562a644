"""Sources of static volumes and clones, and when an existing volume is the desired one."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.volumes import VolumeSource, volume_from
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import Rejected
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.backend_spec import (
    Backend,
    static_backend_errors,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning import backends, desired, sources
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.backends import clone_source
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import ShareSpec
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares

from tests.support.share_worlds import settings_for

NFS_CSI = "nfs.csi.k8s.io"
ROOK = "rook-ceph.cephfs.csi.ceph.com"
CEPH = {"clusterID": "one", "rootPath": "/volumes/x"}
SECRET = {"name": "user", "namespace": "ceph"}


def csi(driver, handle="", handles=None, clone=False, secret=None, **attributes):
    return Backend(
        type="csi",
        driver=driver,
        volume_handle=handle,
        volume_handles=handles or {},
        attributes=attributes,
        node_stage_secret=secret or {},
        clone=clone,
    )


def errors(backend, *namespaces):
    return static_backend_errors(backend, namespaces or ("a",))


@pytest.mark.parametrize(
    ("backend", "namespaces", "words"),
    [
        (csi(NFS_CSI, server="nas", share="/x"), "a b", None),
        (csi(NFS_CSI, handle="mine", server="nas", share="/x"), "a", None),
        (csi(NFS_CSI, Server="nas", SHARE="/x"), "a", None),
        (csi(NFS_CSI, server="nas"), "a", "needs the attribute `share`"),
        (
            csi(NFS_CSI, handle="mine", server="nas", share="/x"),
            "a b",
            "one `volume_handle` cannot serve 2 namespaces",
        ),
        (csi(ROOK, secret=SECRET, **CEPH), "a b", None),
        (csi(ROOK, secret=SECRET, clusterID="one"), "a", "needs the attribute `rootPath`"),
        (csi(ROOK, **CEPH), "a", "of a Secret: set `backend.node_stage_secret`"),
        (csi(ROOK, secret=SECRET, staticVolume="false", **CEPH), "a", "`staticVolume` must be"),
        (csi("x.org"), "a", "set `backend.volume_handle` for namespace a"),
        (csi("x.org", handle="h"), "a", None),
        (csi("x.org", handle="h"), "a b", "set `volume_handles` with one for a"),
        (csi("x.org", handle="h", clone=True), "a b", None),
        (csi("x.org", handles={"a": "1", "b": "2"}), "a b", None),
        (csi("x.org", handles={"a": "1"}), "a b", "set `backend.volume_handles` for namespace b"),
    ],
)
def test_what_a_driver_needs(backend, namespaces, words):
    found = errors(backend, *namespaces.split())
    if words is None:
        assert found == []
    else:
        assert len(found) >= 1
        assert any(words in fault for fault in found), found


def test_each_namespace_has_a_handle_of_its_own():
    for backend in (csi(NFS_CSI, server="nas", share="/x"), csi(ROOK, secret=SECRET, **CEPH)):
        entry = ShareSpec(name="data", backend=backend)
        one, two = (backends.static_source(entry, where) for where in ("a", "b"))
        assert one.handle != two.handle
        assert sources.location_of(one) == sources.location_of(two)
    # The driver of NFS reads its handle: server, share, subdir, something unique, and what becomes of the data.
    entry = ShareSpec(name="data", backend=csi(NFS_CSI, server="nas", share="/x/y", subDir="z/"))
    assert backends.static_source(entry, "a").handle == "nas#x/y#z#share.a.data#retain"
    entry = ShareSpec(name="data", backend=csi("x.org", handle="h", handles={"b": "of-b"}))
    assert [backends.static_source(entry, where).handle for where in ("a", "b")] == ["h", "of-b"]


def nfs(server="nas", path="/x"):
    return VolumeSource("nfs", {"server": server, "path": path})


def by_csi(driver, handle="h", **attributes):
    return VolumeSource("csi", {"driver": driver, "volumeHandle": handle, "volumeAttributes": attributes})


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (nfs(), nfs("NAS.", "/x/"), True),
        (nfs(), nfs("other"), False),
        (nfs(), nfs(path="/X"), False),
        (nfs(path="/dynamic/a"), by_csi(NFS_CSI, server="nas", share="/dynamic", subDir="a"), True),
        (by_csi(NFS_CSI, "1", server="nas", share="/"), by_csi(NFS_CSI, "2", SERVER="nas", Share="/"), True),
        (by_csi(NFS_CSI, server="nas", share="/x", subDir="a"), by_csi(NFS_CSI, server="nas", share="/x"), False),
        (by_csi(ROOK, "1", **CEPH), by_csi(ROOK, "2", clusterID="one", subvolumePath="/volumes/x"), True),
        (by_csi(ROOK, "1", **CEPH), by_csi(ROOK, "1", clusterID="two", rootPath="/volumes/x"), False),
        (by_csi("x.org", "1", a="b"), by_csi("x.org", "1", c="d"), True),
        (by_csi("x.org", "1"), by_csi("x.org", "2"), False),
        (by_csi("x.org", "1"), by_csi("y.org", "1"), False),
        (VolumeSource("hostPath", {"path": "/x"}), VolumeSource("hostPath", {"path": "/x", "type": "Directory"}), True),
        (VolumeSource("rbd", {"image": "x"}), VolumeSource("rbd", {"image": "y"}), False),
        # Without what says where it is, only its handle does.
        (by_csi(ROOK, "1", clusterID="one"), by_csi(ROOK, "2", clusterID="one"), False),
    ],
)
def test_the_same_data(one, two, same):
    assert (sources.location_of(one) == sources.location_of(two)) is same


def test_the_difference_names_both_and_a_handle_counts_only_if_it_is_set():
    assert sources.source_difference(nfs(), nfs("NAS")) is None
    assert sources.source_difference(nfs(), nfs(path="/y")) == "is NFS nas:/y, not NFS nas:/x"
    other_kind = sources.source_difference(nfs(), by_csi(NFS_CSI, server="nas", share="/x"))
    assert other_kind == f"is {NFS_CSI} nas:/x, not NFS nas:/x"
    live, asked = by_csi(ROOK, "theirs", **CEPH), by_csi(ROOK, "mine", **CEPH)
    assert sources.source_difference(asked, live) is None
    assert "has the handle theirs, not mine" in (sources.source_difference(asked, live, "mine") or "")
    asked = by_csi(ROOK, "mine", fsName="fs", **CEPH)
    assert sources.minor_differences(asked, live) == ["lacks the attribute fsName fs"]


def origin(source, **spec):
    spec = {"accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"}, source.kind: source.fields, **spec}
    return volume_from({"metadata": {"name": "pvc-1"}, "spec": spec})


def test_clones():
    copy = clone_source(origin(nfs()), Backend(), "share.b.data")
    assert copy == nfs()
    given = by_csi(NFS_CSI, "1", server="nas", share="/dynamic", subDir="a")
    copy = clone_source(origin(given), Backend(), "share.b.data")
    assert copy.handle == "nas#dynamic#a#share.b.data#retain"
    assert copy.attributes == given.attributes
    identity = {"storage.kubernetes.io/csiProvisionerIdentity": "x", "clusterID": "one", "subvolumePath": "/volumes/x"}
    volume = origin(
        VolumeSource(
            "csi",
            {
                "driver": ROOK,
                "volumeHandle": "1",
                "volumeAttributes": identity,
                "nodeStageSecretRef": {"name": "admin", "namespace": "ceph"},
                "controllerExpandSecretRef": {"name": "admin", "namespace": "ceph"},
                "fsType": "ceph",
            },
        )
    )
    copy = clone_source(volume, Backend(clone=True), "share.b.data")
    assert copy.fields == {
        "driver": ROOK,
        "volumeHandle": "share.b.data",
        "volumeAttributes": {
            "clusterID": "one",
            "subvolumePath": "/volumes/x",
            "rootPath": "/volumes/x",
            "staticVolume": "true",
        },
        "nodeStageSecretRef": {"name": "admin", "namespace": "ceph"},
        "fsType": "ceph",
    }
    copy = clone_source(volume, Backend(clone=True, node_stage_secret=SECRET), "share.b.data")
    assert copy.fields["nodeStageSecretRef"] == SECRET
    # A copy of a copy is of the same data.
    again = clone_source(origin(copy), Backend(clone=True), "share.c.data")
    assert sources.location_of(again) == sources.location_of(copy) == sources.location_of(volume.source)
    assert again.handle == "share.c.data"


@pytest.mark.parametrize(
    ("volume", "clone", "words"),
    [
        (origin(by_csi("x.org")), False, "set `clone: true` in the share's backend"),
        (origin(by_csi(ROOK, **CEPH)), False, "set `clone: true` in the share's backend"),
        (origin(by_csi(ROOK, clusterID="one")), True, "no attribute subvolumePath"),
        (origin(nfs(), accessModes=["ReadWriteOnce"]), True, "does not offer ReadWriteMany"),
        (origin(by_csi("x.org"), volumeMode="Block"), True, "is a raw block device, not a file system"),
        (origin(VolumeSource("hostPath", {"path": "/x"})), True, "sharing this volume type is not supported"),
        (origin(VolumeSource("rbd", {"image": "x"})), True, "sharing this volume type is not supported"),
        (
            origin(by_csi(NFS_CSI, server="nas", share="/x", subDir="${pv.metadata.name}")),
            True,
            "set a literal `subDir` in its class",
        ),
    ],
)
def test_what_cannot_be_cloned(volume, clone, words):
    with pytest.raises(Rejected) as rejected:
        clone_source(volume, Backend(clone=clone), "share.b.data")
    assert words in rejected.value.reason


def test_shares_of_an_inventory():
    raw = [
        {
            "name": "class",
            "level": "public",
            "backend": {"type": "storage_class", "clone": True, "node_stage_secret": SECRET},
        },
        {"name": "found", "level": "public", "backend": {"type": "existing_claim", "claim": "x"}},
        {"name": "odd", "level": "public", "size": "1Gi", "backend": {"type": "csi", "driver": "x.org"}},
    ]
    entries, wrong = parse_shares(raw, "shares", "/home")
    assert wrong == []
    shares, wrong = desired.resolve(entries, settings_for(namespaces=("a", "b")))
    assert [fault.split(": ")[0] for fault in wrong] == ["shares[0] (class)", "shares[2] (odd)", "shares[2] (odd)"]
    assert "`size` is missing" in wrong[0]
    shares, wrong = desired.resolve(entries[:2], settings_for(namespaces=("a",), size=5, size_text="5"))
    assert wrong == []
    # The default is for claims that are made; one that is there has the size that it has.
    assert [share.size for share in shares] == [5, None]
    _shares, wrong = desired.resolve(entries[1:2], settings_for())
    assert "neither the share nor the run has namespaces" in wrong[0]
