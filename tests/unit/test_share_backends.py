"""What static volumes and copies of volumes are made of, and when a volume that exists is the one that is meant."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.shares import backends, desired
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.backend_spec import Backend
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.backends import Source
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.copies import clone_source
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.observed import volume_from
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import ShareSpec, parse_shares

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


def faults(backend, *namespaces):
    entry = ShareSpec(name="data", backend=backend)
    return backends.input_errors(entry, namespaces or ("a",))


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
            "one `volume_handle` cannot do for 2 namespaces",
        ),
        (csi(ROOK, secret=SECRET, **CEPH), "a b", None),
        (csi(ROOK, secret=SECRET, clusterID="one"), "a", "needs the attribute `rootPath`"),
        (csi(ROOK, **CEPH), "a", "name it in `backend.node_stage_secret`"),
        (csi(ROOK, secret=SECRET, staticVolume="false", **CEPH), "a", "`staticVolume` must be"),
        (csi("x.org"), "a", "give `backend.volume_handle`"),
        (csi("x.org", handle="h"), "a", None),
        (csi("x.org", handle="h"), "a b", "give `volume_handles`"),
        (csi("x.org", handle="h", clone=True), "a b", None),
        (csi("x.org", handles={"a": "1", "b": "2"}), "a b", None),
        (csi("x.org", handles={"a": "1"}), "a b", "for the namespace b"),
    ],
)
def test_what_a_driver_needs(backend, namespaces, words):
    found = faults(backend, *namespaces.split())
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
        assert backends.data_of(one) == backends.data_of(two)
    # The driver of NFS reads its handle: server, share, subdir, something unique, and what becomes of the data.
    entry = ShareSpec(name="data", backend=csi(NFS_CSI, server="nas", share="/x/y", subDir="z/"))
    assert backends.static_source(entry, "a").handle == "nas#x/y#z#share.a.data#retain"
    entry = ShareSpec(name="data", backend=csi("x.org", handle="h", handles={"b": "of-b"}))
    assert [backends.static_source(entry, where).handle for where in ("a", "b")] == ["h", "of-b"]


def nfs(server="nas", path="/x"):
    return Source("nfs", {"server": server, "path": path})


def by_csi(driver, handle="h", **attributes):
    return Source("csi", {"driver": driver, "volumeHandle": handle, "volumeAttributes": attributes})


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
        (Source("hostPath", {"path": "/x"}), Source("hostPath", {"path": "/x", "type": "Directory"}), True),
        (Source("rbd", {"image": "x"}), Source("rbd", {"image": "y"}), False),
        # Without what says where it is, only its handle does.
        (by_csi(ROOK, "1", clusterID="one"), by_csi(ROOK, "2", clusterID="one"), False),
    ],
)
def test_the_same_data(one, two, same):
    assert (backends.data_of(one) == backends.data_of(two)) is same


def test_the_difference_names_both_and_a_handle_counts_only_where_it_was_given():
    assert backends.difference(nfs(), nfs("NAS")) is None
    assert backends.difference(nfs(), nfs(path="/y")) == "is NFS nas:/y where NFS nas:/x is asked for"
    other_kind = backends.difference(nfs(), by_csi(NFS_CSI, server="nas", share="/x"))
    assert other_kind == f"is {NFS_CSI} nas:/x where NFS nas:/x is asked for"
    live, asked = by_csi(ROOK, "theirs", **CEPH), by_csi(ROOK, "mine", **CEPH)
    assert backends.difference(asked, live) is None
    assert "has the handle theirs where mine is asked for" in (backends.difference(asked, live, "mine") or "")
    asked = by_csi(ROOK, "mine", fsName="fs", **CEPH)
    assert backends.lesser_differences(asked, live) == ["has the attribute fsName not where fs is asked for"]


def origin(source, **spec):
    spec = {"accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"}, source.kind: source.fields, **spec}
    return volume_from({"metadata": {"name": "pvc-1"}, "spec": spec})


def test_copies():
    copy = clone_source(origin(nfs()), Backend(), "share.b.data")
    assert copy == nfs()
    given = by_csi(NFS_CSI, "1", server="nas", share="/dynamic", subDir="a")
    copy = clone_source(origin(given), Backend(), "share.b.data")
    assert copy.handle == "nas#dynamic#a#share.b.data#retain"
    assert copy.attributes == given.attributes
    identity = {"storage.kubernetes.io/csiProvisionerIdentity": "x", "clusterID": "one", "subvolumePath": "/volumes/x"}
    volume = origin(
        Source(
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
    assert backends.data_of(again) == backends.data_of(copy) == backends.data_of(volume.source)
    assert again.handle == "share.c.data"


@pytest.mark.parametrize(
    ("volume", "clone", "words"),
    [
        (origin(by_csi("x.org")), False, "say `clone: true`"),
        (origin(by_csi(ROOK, **CEPH)), False, "say `clone: true`"),
        (origin(by_csi(ROOK, clusterID="one")), True, "no attribute subvolumePath"),
        (origin(nfs(), accessModes=["ReadWriteOnce"]), True, "does not offer ReadWriteMany"),
        (origin(by_csi("x.org"), volumeMode="Block"), True, "no file system"),
        (origin(Source("hostPath", {"path": "/x"})), True, "nothing is known of sharing that kind"),
        (origin(Source("rbd", {"image": "x"})), True, "nothing is known of sharing that kind"),
        (origin(by_csi(NFS_CSI, server="nas", share="/x", subDir="${pv.metadata.name}")), True, "write out `subDir`"),
    ],
)
def test_what_cannot_be_copied(volume, clone, words):
    found = clone_source(volume, Backend(clone=clone), "share.b.data")
    assert isinstance(found, str)
    assert words in found


def test_shares_as_the_inventory_says_them():
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
    assert "it says no namespace" in wrong[0]
