"""A claim becomes a share's because of marks that others cannot write, or with the operator's consent, and never by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.faults import Rule, call, cut
from testbed.proxy import FaultProxy
from tests.support.cluster import wait_for
from tests.support.homes import make_home
from tests.support.shares import KIND, RETIRED, SERVER, SHARE, make_claim, make_volume, provisioned, share, volume_of

pytestmark = pytest.mark.usefixtures("share_volumes")

DYNAMIC = {"type": "storage_class", "storage_class": "standard"}
FOUND = "odh.persistency/found"
UID = "odh.persistency/claim-uid"
LONG_AGO = "2020-01-01T00:00:00Z"


def on(path):
    return {"nfs": {"server": SERVER, "path": path}}


def run(namespaces, *shares, **options):
    return {"namespaces": list(namespaces), "shares": list(shares), **options}


def marks(name="data", **annotations):
    return {"labels": {KIND: "share", SHARE: name}, "annotations": {SHARE: name, **annotations}}


def found(claim):
    return {"type": "existing_claim", "claim": claim}


def annotations(thing):
    return thing["metadata"].get("annotations", {})


def test_a_claim_that_merely_has_the_name_is_given_away_with_consent_only(
    cluster, namespace, other, modules, audit
) -> None:
    make_claim(cluster, other, "data", storageClassName="standard")
    volume = cluster.bind(other, "data", source=on(f"/{other}/x"))
    options = run([namespace, other], share("data", DYNAMIC))
    with audit(user_agent="odh.persistency/") as log:
        for where in (options, run([other], share("data", DYNAMIC))):
            for check in (False, True):
                message = modules.refused("share_pvc", where, check=check)
                assert "claim data exists and nothing marks it as this share's" in message
                assert "\n    - name: data\n      adopt: true\n" in message
    assert not log.writes
    consented = run([namespace, other], share("data", DYNAMIC, adopt=True))
    result = modules.ok("share_pvc", {**consented, "wait": True})
    assert {c["namespace"]: c["action"] for c in result.changes} == {other: "adopt", namespace: "create"}
    assert volume_of(cluster, namespace, "data")["spec"]["nfs"]["path"] == f"/{other}/x"
    claim = cluster.claims(other)["data"]
    assert annotations(claim)[FOUND] == "true"
    assert annotations(cluster.get("persistentvolumes", volume))[UID] == claim["metadata"]["uid"]
    # The consent is needed once.
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", consented).changed
        assert not modules.ok("share_pvc", options).changed
    assert not log.writes
    # It is released and not deleted; the copy is deleted.
    modules.ok("share_pvc", {**consented, "state": "retired"})
    for where in (namespace, other):
        cluster.patch("persistentvolumeclaims", "data", {"metadata": {"annotations": {RETIRED: LONG_AGO}}}, where)
    modules.ok("share_pvc", {**options, "state": "absent"})
    assert KIND not in cluster.claims(other)["data"]["metadata"].get("labels", {})
    left = annotations(cluster.claims(other)["data"]) | annotations(cluster.get("persistentvolumes", volume))
    assert not any(key.startswith("odh.persistency/") for key in left)
    assert "data" not in cluster.claims(namespace)


def test_adopt_is_for_shares_of_a_storage_class(namespace, modules) -> None:
    for backend in (
        found("x"),
        {"type": "nfs", "server": SERVER, "path": "/x"},
        {"type": "host_path", "path": "/srv/x"},
    ):
        message = modules.refused("share_pvc", run([namespace], share("data", backend, adopt=True)))
        assert (
            f"`adopt` is only for shares of a storage class, and the backend {backend['type']} names its data"
            in message
        )
    assert "`adopt` is the text 'yes': write true or false" in modules.refused(
        "share_pvc", run([namespace], share("data", DYNAMIC, adopt="yes"))
    )


def test_the_run_that_creates_a_claim_marks_its_volume(cluster, namespace, other, modules, audit) -> None:
    options = run([namespace, other], share("data", DYNAMIC))
    with provisioned(cluster, namespace, "data", source=on(f"/{namespace}/x")):
        modules.ok("share_pvc", options)
    claim, volume = cluster.claims(namespace)["data"], volume_of(cluster, namespace, "data")
    assert annotations(volume)[UID] == claim["metadata"]["uid"]
    modules.ok("share_pvc", {**options, "wait": True})
    assert volume_of(cluster, other, "data")["spec"]["nfs"]["path"] == f"/{namespace}/x"
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", options).changed
    assert not log.writes


@pytest.mark.parametrize("is_bound", [False, True], ids=["unbound", "bound meanwhile"])
def test_a_lost_answer_to_the_creation_is_a_warning(cluster, namespace, other, modules, audit, is_bound) -> None:
    """The repeated request gets a conflict. Whose claim it conflicts with is unknown, so nothing is marked."""
    options = run([namespace, other], share("data", DYNAMIC))

    def bind(_request: object = None) -> None:
        cluster.bind(namespace, "data", source=on(f"/{namespace}/x"))

    rules = [Rule(cut(), method="POST", path="/persistentvolumeclaims", nth=1)]
    rules += [Rule(call(bind), method="POST", path="/persistentvolumeclaims", nth=2)] if is_bound else []
    with FaultProxy(cluster.kubeconfig, rules) as proxy:
        result = modules.ok("share_pvc", options, kubeconfig=Path(proxy.kubeconfig))
        assert [request.server_status for request in proxy.requests if request.method == "POST"][:2] == [201, 409]
    assert result.changed
    (warning,) = [text for text in result.warnings if "could not be marked" in text]
    assert f"its new claim data in {namespace} could not be marked" in warning
    assert "the answer of the API server that says which claim this run created was lost" in warning
    assert "`adopt: true` in the share's entry must confirm it once" in warning
    if not is_bound:
        bind()
    assert "no run recorded" in modules.refused("share_pvc", options)
    modules.ok("share_pvc", run([namespace, other], share("data", DYNAMIC, adopt=True), wait=True))
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", options).changed
    assert not log.writes


def test_an_origin_that_an_editor_made_anew_gives_nothing_away(cluster, namespace, other, modules, audit) -> None:
    """The claim has our marks, forged, and even those of an adoption, and is bound to another volume."""
    options = run([namespace, other], share("data", DYNAMIC))
    with provisioned(cluster, other, "data", source=on(f"/{other}/first")):
        modules.ok("share_pvc", run([other, namespace], share("data", DYNAMIC)))
    cluster.delete("persistentvolumeclaims", "data", other)
    wait_for(lambda: "data" not in cluster.claims(other), "the claim gone")
    forged = marks(**{FOUND: "true", "odh.persistency/level": "public", "odh.persistency/owner": "x"})
    make_claim(cluster, other, "data", storageClassName="standard", **forged)
    cluster.bind(other, "data", source=on(f"/{other}/secret"))
    with audit(user_agent="odh.persistency/") as log:
        for check in (False, True):
            message = modules.refused("share_pvc", options, check=check)
            assert f"of claim data in {other}, and no run recorded on that volume" in message
            assert "\n    - name: data\n      adopt: true\n" in message
    assert not log.writes
    assert cluster.claims(namespace) == {}


def test_a_claim_of_one_namespace_is_confirmed_before_it_is_copied(cluster, namespace, other, modules) -> None:
    modules.ok("share_pvc", run([namespace], share("data", DYNAMIC)))
    volume = cluster.bind(namespace, "data", source=on(f"/{namespace}/x"))
    assert "no run recorded" in modules.refused("share_pvc", run([namespace, other], share("data", DYNAMIC)))
    modules.ok("share_pvc", run([namespace, other], share("data", DYNAMIC, adopt=True), wait=True))
    uid = cluster.claims(namespace)["data"]["metadata"]["uid"]
    assert annotations(cluster.get("persistentvolumes", volume))[UID] == uid
    # It was created for the share, so it is no claim that was found.
    assert FOUND not in annotations(cluster.claims(namespace)["data"])
    assert not modules.ok("share_pvc", run([namespace, other], share("data", DYNAMIC))).changed


def test_a_claim_that_is_not_bound_in_time_is_a_warning(cluster, namespace, other, modules) -> None:
    waiting = {"type": "storage_class", "storage_class": "wait-first"}
    result = modules.ok("share_pvc", run([namespace, other], share("data", waiting)))
    assert any("could not be marked" in text and "`adopt: true`" in text for text in result.warnings)


@pytest.mark.parametrize("how", ["existing claim", "adopted", "marked", "copied"])
def test_a_copy_of_a_home_is_no_share(cluster, namespace, other, modules, audit, how) -> None:
    make_home(cluster, namespace, "claim-bob", "bob")
    make_home(cluster, namespace, "workspace", "ann")
    sources = {
        "clone": ({"dataSource": {"kind": "PersistentVolumeClaim", "name": "workspace"}}, "which is the home of ann"),
        "ref": ({"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "claim-bob"}}, "which is the home of bob"),
        "gone": ({"dataSource": {"kind": "PersistentVolumeClaim", "name": "claim-eve"}}, "a home by its name"),
    }
    if how != "marked":
        snapshot = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "monday"}
        sources["snapshot"] = ({"dataSource": snapshot}, "whether that holds a home is unknown")
        filled = {"apiGroup": "x.example.org", "kind": "Restore", "name": "r"}
        sources["other"] = ({"dataSourceRef": filled}, "filled from Restore r (x.example.org), which may hold a home")
        nobody = {"kind": "PersistentVolumeClaim", "name": "nobody"}
        sources["missing"] = ({"dataSource": nobody}, "whether that is a home is unknown: claim nobody does not exist")
    shares = []
    for name, (source, _why) in sources.items():
        given = marks(name) if how in ("marked", "copied") else {}
        make_claim(cluster, namespace, name, storageClassName="standard", **source, **given)
        backend = found(name) if how == "existing claim" else DYNAMIC
        shares.append(share(name, backend, **({"adopt": True} if how in ("adopted", "copied") else {})))
    if how == "copied":
        cluster.bind_all(namespace, sources)
    with audit(user_agent="odh.persistency/") as log:
        message = modules.refused("share_pvc", run([namespace] if how != "copied" else [namespace, other], *shares))
    for name, (_source, why) in sources.items():
        (line,) = [text for text in message.splitlines() if f"({name} in {namespace})" in text]
        assert why in line
        assert f"claim {name} is" in line
    assert not log.writes


def test_a_claim_that_was_restored_from_its_own_copy_is_still_a_share(cluster, namespace, modules) -> None:
    make_claim(cluster, namespace, "seed", storageClassName="standard")
    source = {"dataSource": {"kind": "PersistentVolumeClaim", "name": "seed"}}
    make_claim(cluster, namespace, "data", storageClassName="standard", **source)
    modules.ok("share_pvc", run([namespace], share("data", DYNAMIC, adopt=True)))


def test_block_devices_are_no_shares(cluster, namespace, modules, audit) -> None:
    make_claim(cluster, namespace, "raw", storageClassName="standard", volumeMode="Block")
    make_claim(cluster, namespace, "data", storageClassName="standard", volumeMode="Block")
    source = {"nfs": {"server": SERVER, "path": f"/{namespace}/block"}}
    make_volume(cluster, f"block-{namespace}", source, (namespace, "static"), volumeMode="Block")
    nfs = {"type": "nfs", "server": SERVER, "path": f"/{namespace}/block"}
    shares = [share("one", found("raw")), share("data", DYNAMIC, adopt=True), share("static", nfs)]
    with audit(user_agent="odh.persistency/") as log:
        message = modules.refused("share_pvc", run([namespace], *shares))
    assert message.count("a raw block device (volumeMode Block)") == 3
    assert not log.writes


def test_a_home_with_the_marks_of_a_share_is_not_deleted_and_not_retired(cluster, namespace, modules, audit) -> None:
    make_home(cluster, namespace, "data", "bob")
    cluster.patch("persistentvolumeclaims", "data", {"metadata": marks(**{RETIRED: LONG_AGO})}, namespace)
    make_claim(cluster, namespace, "more", storageClassName="standard")
    forged = marks("more", **{RETIRED: LONG_AGO})
    forged["labels"]["hub.jupyter.org/username"] = "eve"
    cluster.patch("persistentvolumeclaims", "more", {"metadata": forged}, namespace)
    with audit(user_agent="odh.persistency/") as log:
        for state in ("retired", "absent"):
            for check in (False, True):
                options = {"namespaces": [namespace], "state": state, "shares": [{"name": "data"}, {"name": "more"}]}
                message = modules.refused("share_pvc", options, check=check)
                assert "claim data is the home of bob and not a share, although it has the labels of one" in message
                assert "claim more is a home by its labels and not a share" in message
    assert not log.writes


def test_a_home_with_the_marks_of_a_share_still_guards_its_data(cluster, namespace, other, modules, audit) -> None:
    make_home(cluster, other, "claim-bob", "bob")
    path = f"/{other}/home"
    cluster.bind(other, "claim-bob", source=on(path))
    cluster.patch("persistentvolumeclaims", "claim-bob", {"metadata": marks(**{RETIRED: LONG_AGO})}, other)
    nfs = {"type": "nfs", "server": SERVER, "path": path}
    with audit(user_agent="odh.persistency/") as log:
        message = modules.refused("share_pvc", run([namespace], share("data", nfs)))
    assert "which is the home of bob" in message
    assert not log.writes


def test_volumes_without_a_claim_are_retired_and_free_their_place(cluster, namespace, other, modules, audit) -> None:
    path = f"/{namespace}/x"
    nfs = {"type": "nfs", "server": SERVER, "path": path}
    make_volume(cluster, f"hand-{namespace}", on(path), (namespace, "data"))
    modules.ok("share_pvc", run([namespace], share("data", nfs), wait=True))
    with provisioned(cluster, namespace, "dynamic", reclaim="Retain", source=on(f"/{namespace}/y")):
        both = run([namespace, other], share("dynamic", DYNAMIC))
        modules.ok("share_pvc", both)
    modules.ok("share_pvc", {**both, "wait": True})
    volume = volume_of(cluster, namespace, "dynamic")["metadata"]["name"]
    for where, name in ((namespace, "data"), (namespace, "dynamic"), (other, "dynamic")):
        cluster.delete("persistentvolumeclaims", name, where)
        wait_for(lambda where=where, name=name: name not in cluster.claims(where), "the claim gone")
    replaced = [share("again", nfs), share("other", {**nfs, "path": f"/{namespace}/y"})]
    assert "retire data first if this share replaces it" in modules.refused("share_pvc", run([namespace], *replaced))
    gone = {"namespaces": [namespace, other], "state": "retired", "shares": [{"name": "data"}, {"name": "dynamic"}]}
    shown = modules.ok("share_pvc", gone, check=True)
    result = modules.ok("share_pvc", gone)
    assert result.changes == shown.changes
    assert sorted(c["action"] for c in result.changes) == ["retire"] * 3
    for name in (f"hand-{namespace}", volume, f"share.{other}.dynamic"):
        assert RETIRED in annotations(cluster.get("persistentvolumes", name))
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("share_pvc", gone).changed
    assert not log.writes
    modules.ok("share_pvc", run([namespace], *replaced, wait=True))
