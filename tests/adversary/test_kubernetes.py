"""Kubernetes as it is: failed expansions, lost volumes, block devices, quotas, admission, old data and mutating policies."""

from __future__ import annotations

import time
import uuid

import pytest

from tests.support.cluster import wait_for
from tests.support.homes import make_home, size


def homes(namespace, users, **options):
    return {"namespace": namespace, "users": users, "size": "1Gi", **options}


def dynamic(*names, namespace, size="1Gi", **options):
    shares = [
        {
            "name": name,
            "level": "public",
            "size": size,
            "backend": {"type": "storage_class", "storage_class": "standard"},
        }
        for name in names
    ]
    return {"namespaces": [namespace], "shares": shares, **options}


def status(cluster, namespace, claim, **fields):
    cluster.patch("persistentvolumeclaims", claim, {"status": fields}, namespace, "status")


# --- expansions that failed ---


def test_a_failed_expansion_is_taken_back(cluster, namespace, modules):
    """A request of 1000Gi by a typo: lowered while it stays above the capacity, for homes and shares."""
    modules.ok("user_pvc", homes(namespace, ["ann", "bea"], size="10Gi"))
    modules.ok("share_pvc", dynamic("maps", namespace=namespace, size="10Gi"))
    cluster.bind_all(namespace)
    modules.ok("user_pvc", homes(namespace, ["ann", "bea"], size="1000Gi"))
    modules.ok("share_pvc", dynamic("maps", namespace=namespace, size="1000Gi"))
    condition = {"type": "ControllerResizeError", "status": "True", "message": "the array has 400Gi left."}
    status(cluster, namespace, "claim-ann", conditions=[condition])
    status(cluster, namespace, "claim-bea", allocatedResourceStatuses={"storage": "ControllerResizeInfeasible"})

    waited = modules.run("user_pvc", homes(namespace, ["ann", "bea"], size="1000Gi", wait=True, wait_timeout=1))
    reasons = {item["name"]: item["reason"] for item in waited.failed_items}
    assert "its expansion failed: the array has 400Gi left" in reasons["claim-ann"]
    assert "ControllerResizeInfeasible" in reasons["claim-bea"]

    low = modules.ok("user_pvc", homes(namespace, ["ann", "bea"], size="10Gi"))
    assert not low.changed
    assert "or a size above the 10Gi of its volume to take back the expansion" in low.unreconcilable[0]["reason"]
    for check in (True, False):
        taken_back = modules.ok("user_pvc", homes(namespace, ["ann", "bea"], size="20Gi"), check=check)
        assert taken_back.actions() == {"claim-ann": "update", "claim-bea": "update"}
        assert "its expansion to 1000Gi is taken back" in taken_back.changes[0]["reason"]
        shares = modules.ok("share_pvc", dynamic("maps", namespace=namespace, size="20Gi"), check=check)
        assert shares.actions() == {"maps": "update"}
    assert {size(claim) for claim in cluster.claims(namespace).values()} == {"20Gi"}


def test_lost_volumes_are_one_warning_each(cluster, namespace, modules):
    make_home(cluster, namespace, "claim-ann", "ann")
    make_home(cluster, namespace, "claim-old", "old")
    modules.ok("user_pvc", homes(namespace, ["ann", "old", "fay"]))
    volumes = {name: cluster.bind(namespace, name) for name in ("claim-ann", "claim-old")}
    for volume in volumes.values():
        cluster.delete("persistentvolumes", volume)
        cluster.patch("persistentvolumes", volume, {"metadata": {"finalizers": None}})
    wait_for(
        lambda: all(cluster.claims(namespace)[name]["status"]["phase"] == "Lost" for name in volumes), "the claims Lost"
    )
    options = homes(namespace, ["ann"], size="5Gi", retired=["old"], wait=True, wait_timeout=1)
    result = modules.ok("user_pvc", options)
    assert sorted(item["name"] for item in result.unreconcilable) == ["claim-ann", "claim-old"]
    assert len(result.warnings) == 2
    for name, volume in volumes.items():
        assert any(f"Claim {name} of" in warning and volume in warning for warning in result.warnings), result.warnings
    assert "once it is bound" not in str(result.warnings)
    found = modules.ok("user_pvc_info", {"namespace": namespace, "users": ["ann", "fay"]})
    assert found.census_text.startswith("1 of 2 homes exist, and 1 has lost the volume.")
    assert {row["volume"] for row in found.census["lost"]} == set(volumes.values())


# --- what is no home and no share ---


def test_block_devices_and_databases_are_no_homes_and_no_shares(cluster, namespace, modules):
    make_home(cluster, namespace, "claim-bob", "bob", volumeMode="Block")
    make_home(cluster, namespace, "mine", None, volumeMode="Block")
    make_home(cluster, namespace, "jupyterhub-db", None)
    make_home(cluster, namespace, "disk", None, volumeMode="Block", accessModes=["ReadWriteMany"])
    assert modules.ok("user_pvc_info", {"namespace": namespace}).homes == []
    (warning,) = modules.ok("user_pvc", homes(namespace, ["bob"])).warnings
    assert "bob) is left out" in warning
    assert "taken by a claim that is a raw block device" in warning
    users = ["bob", {"name": "ann", "claim": "mine"}, {"name": "cat", "claim": "jupyterhub-db"}]
    message = modules.refused("user_pvc", homes(namespace, users))
    assert "claim mine is a raw block device (volumeMode Block), not a home" in message
    assert "claim jupyterhub-db belongs to the hub" in message
    share = {"name": "disk", "level": "public", "backend": {"type": "existing_claim", "claim": "disk"}}
    message = modules.refused("share_pvc", {"namespaces": [namespace], "shares": [share]})
    assert "raw block device" in message


# --- quotas in check mode, and the default class ---


@pytest.fixture
def newer_default(cluster):
    """A second default class, marked by the beta annotation, and newer than the first. It binds at the first mount."""
    # Kubernetes compares the times to the second.
    first = cluster.get("storageclasses", "standard")["metadata"]["creationTimestamp"]
    assert first
    time.sleep(1.1)
    name = f"odhp-{uuid.uuid4().hex[:8]}"
    body = {
        "metadata": {"name": name, "annotations": {"storageclass.beta.kubernetes.io/is-default-class": "true"}},
        "provisioner": "testbed.odh.persistency/by-hand",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    cluster.create("storageclasses", body)
    yield name
    cluster.delete("storageclasses", name)


def test_quotas_count_what_kubernetes_counts(cluster, namespace, modules, newer_default):
    per_class = "{}.storageclass.storage.k8s.io/requests.storage"
    attributes = {"scopeName": "VolumeAttributesClass"}
    quotas = {
        "newer": {"hard": {per_class.format(newer_default): "2Gi"}},
        "older": {"hard": {per_class.format("standard"): "2Gi"}},
        "pods": {"hard": {"pods": "1"}, "scopes": ["BestEffort"]},
        "gold": {"hard": {"requests.storage": "1"}, "scopes": ["VolumeAttributesClass"]},
        "silver": {
            "hard": {"persistentvolumeclaims": "1"},
            "scopeSelector": {"matchExpressions": [{**attributes, "operator": "In", "values": ["silver"]}]},
        },
        "none": {
            "hard": {"persistentvolumeclaims": "2"},
            "scopeSelector": {"matchExpressions": [{**attributes, "operator": "NotIn", "values": ["silver"]}]},
        },
    }
    for name, spec in quotas.items():
        cluster.create("resourcequotas", {"metadata": {"name": name}, "spec": spec}, namespace)
    wait_for(
        lambda: all("used" in item.get("status", {}) for item in cluster.list("resourcequotas", namespace)),
        "the quotas",
    )
    people = ["ann", "bea", "cat"]
    shown = modules.ok("user_pvc", homes(namespace, people), check=True)
    assert sorted(warning.partition(" has ")[0] for warning in shown.warnings) == [
        "ResourceQuota newer",
        "ResourceQuota none",
    ], shown.warnings
    # Kubernetes agrees, and `wait` does not wait for a class that waits for its consumer.
    made = modules.ok("user_pvc", homes(namespace, people[:2], wait=True, wait_timeout=3))
    assert made.summary == {"create": 2, "keep": 0}
    assert {claim["spec"]["storageClassName"] for claim in cluster.claims(namespace).values()} == {newer_default}
    failed = modules.run("user_pvc", homes(namespace, people))
    assert "exceeded quota: n" in str(failed.failed_items)


def test_a_login_that_may_not_list_classes_learns_what_is_unknown(cluster, namespace, modules, restricted_user):
    hard = {"standard.storageclass.storage.k8s.io/requests.storage": "2Gi"}
    cluster.create("resourcequotas", {"metadata": {"name": "tight"}, "spec": {"hard": hard}}, namespace)
    verbs = {"apiGroups": [""], "verbs": ["get", "list", "create", "patch"]}
    rights = restricted_user(
        [{**verbs, "resources": ["persistentvolumeclaims", "resourcequotas", "configmaps"]}],
        cluster_rules=[{**verbs, "resources": ["persistentvolumes"]}],
    )
    share = {"name": "maps", "level": "public", "size": "1Gi", "backend": {"type": "storage_class"}}
    for module, options in (
        ("user_pvc", homes(namespace, ["ann", "bea", "cat"])),
        ("share_pvc", {"namespaces": [namespace], "shares": [share]}),
    ):
        shown = modules.ok(module, options, check=True, kubeconfig=rights)
        [warning] = [text for text in shown.warnings if "ResourceQuota tight" in text]
        assert "whether the default class has enough left is unknown" in warning
        assert 'resources: ["storageclasses"], verbs: ["list"]' in warning
    # Nor does `wait` know whether a claim waits for its first pod.
    waiting = {"type": "storage_class", "storage_class": "wait-first"}
    for module, options, names in (
        ("user_pvc", homes(namespace, ["dan", "eva"], storage_class="wait-first"), ["claim-dan", "claim-eva"]),
        ("share_pvc", {"namespaces": [namespace], "shares": [{**share, "backend": waiting}]}, ["maps"]),
    ):
        for _run in range(2):
            result = modules.ok(module, {**options, "wait": True, "wait_timeout": 1}, kubeconfig=rights)
            [warning] = [text for text in result.warnings if " for a first pod " in text]
            assert warning.startswith(f"Whether {' and '.join(f'{namespace}/{name}' for name in names)} wait")
            assert 'resources: ["storageclasses"], verbs: ["list"]' in warning
        assert not modules.ok(module, {**options, "wait": True, "wait_timeout": 1}).warnings
    named = homes(namespace, ["ann", "bea", "cat"], storage_class="standard")
    shown = modules.ok("user_pvc", named, check=True, kubeconfig=rights)
    assert "has 2Gi of standard" in str(shown.warnings)
