"""Expansion, immutable fields, readiness and storage classes of claims, as homes and shares use them."""

from __future__ import annotations

from collections import Counter

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core import requests
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.expansion import decide_expansion
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.facts import (
    STORAGE_CLASSES,
    ClusterFacts,
    Fact,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.immutable import (
    access_modes_difference,
    missing_access_mode,
    storage_class_difference,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.readiness import check_readiness
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.storage_classes import (
    StorageClass,
    classes_of_new_claims,
    storage_class_from,
    unknown_class_warnings,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import CREATE, Change

from tests.support.planning import claim

GI = 2**30
CLASSES = {
    "standard": StorageClass("standard", True, True, False),
    "fixed": StorageClass("fixed", False, False, False),
    "local": StorageClass("local", False, False, True),
}


def bound(storage_class="standard", size=GI, capacity=GI, **more):
    return claim("c")._replace(storage_class=storage_class, size=size, capacity=capacity, phase="Bound", **more)


def decided(size, found, classes=CLASSES):
    return decide_expansion(size * GI, f"{size}Gi", found, lambda: classes)


def test_only_a_bound_claim_of_an_expandable_class_expands():
    assert decided(2, bound()) == (True, "")
    assert decided(1, bound()) == (False, "")
    assert decided(2, bound(capacity=5 * GI)) == (False, ""), "the volume is large enough"
    assert decided(2, bound(), None) == (True, ""), "unknown classes are for the API server to judge"


@pytest.mark.parametrize(
    ("size", "found", "obstacle"),
    [
        (1, bound(size=2 * GI), "has 2Gi, not 1Gi: Kubernetes cannot shrink a volume, set at least the current size"),
        (
            2,
            bound()._replace(phase="Pending", capacity=None),
            "has 1Gi, not 2Gi: the claim is Pending and can be expanded once",
        ),
        (2, bound(""), "has 1Gi, not 2Gi: the claim has no storage class, so its volume was created manually"),
        (2, bound("gone"), "has 1Gi, not 2Gi: storage class gone no longer exists"),
        (2, bound("fixed"), "has 1Gi, not 2Gi: storage class fixed does not allow expansion; set allowVolumeExpansion"),
    ],
)
def test_an_obstacle_names_both_sizes_and_the_reason(size, found, obstacle):
    assert not decided(size, found).expands
    assert decided(size, found).obstacle.startswith(obstacle)


def test_storage_classes_are_read_only_when_the_class_matters():
    facts = ClusterFacts()
    decide_expansion(GI, "1Gi", bound(), facts.storage_classes)
    assert not facts.missing
    decide_expansion(2 * GI, "2Gi", bound(), facts.storage_classes)
    assert facts.missing == {Fact(STORAGE_CLASSES)}


def test_immutable_fields_that_differ_are_named_with_both_values():
    assert storage_class_difference(bound("a"), None) == storage_class_difference(bound("a"), "a") == ""
    assert storage_class_difference(bound("a"), "b").startswith(
        "has storage class a, not b: the storage class applies to new"
    )
    assert storage_class_difference(bound(None), "b").startswith("has storage class none, not b:")
    assert access_modes_difference(bound(), ["ReadWriteOnce"]) == access_modes_difference(bound(), []) == ""
    found = access_modes_difference(bound(), ["ReadWriteMany"])
    assert found.startswith("has access modes ReadWriteOnce, not ReadWriteMany: access modes apply to new claims only")
    assert missing_access_mode(bound(), "ReadWriteOnce") == ""
    assert missing_access_mode(bound(), "ReadWriteMany") == "has access modes ReadWriteOnce, without ReadWriteMany"


def ready(*claims, awaited=None):
    facts = ClusterFacts()
    facts.set_storage_classes(list(CLASSES.values()))
    keys = {("ns", item.name) for item in claims} if awaited is None else awaited
    return check_readiness([("ns", item) for item in claims], keys, facts)


def test_a_claim_is_ready_when_it_is_bound_and_has_its_capacity():
    assert not ready(bound()).pending
    assert ready(claim("c")).pending == {("ns", "c"): "claim c is not bound to a volume"}
    assert ready(bound(size=2 * GI)).pending == {("ns", "c"): "claim c has 1Gi of 2Gi"}
    resizing = bound(size=2 * GI, conditions=("Resizing",))
    assert ready(resizing).pending == {("ns", "c"): "claim c has 1Gi of 2Gi and is being resized"}
    assert not ready(claim("c"), awaited=[("other", "c")]).pending, "another claim of the same name"


def test_a_claim_that_may_wait_for_its_first_consumer_is_no_failure():
    facts = ClusterFacts()
    facts.set_storage_classes(None)
    claims = [
        claim("a"),
        claim("b")._replace(volume="pv"),
        claim("c")._replace(storage_class=""),
        bound()._replace(name="d"),
    ]
    found = check_readiness([("ns", item) for item in claims], {("ns", name) for name in "abcd"}, facts)
    assert found.unknown == [("ns", "a")]
    assert set(found.pending) == {("ns", "b"), ("ns", "c")}


def test_what_waiting_does_not_change_is_a_warning():
    assert not ready(claim("c")._replace(storage_class="local")).pending, "it waits for the first consumer"
    lost = ready(bound()._replace(phase="Lost", volume="pv"))
    assert (lost.pending, lost.warnings) == ({}, ["Claim c has lost its volume pv: waiting does not restore it"])
    pending = ready(bound(size=2 * GI, conditions=("FileSystemResizePending",)))
    assert not pending.pending
    assert pending.warnings[0].startswith("Claim c has 1Gi of 2Gi until its file system is resized")


def new_claim(storage_class, **spec):
    manifest = {"metadata": {"name": "c"}, "spec": {**spec, "storageClassName": storage_class}}
    return Change(CREATE, "home", "ns", "c", "new", operations=(requests.create(requests.CLAIMS, "ns", manifest),))


def test_new_claims_of_unknown_classes_are_counted_and_warned_of():
    changes = [
        new_claim("standart"),
        new_claim("standart"),
        new_claim("gone"),
        new_claim("x", volumeName="pv"),
        new_claim(""),
    ]
    counts = classes_of_new_claims(changes)
    assert counts == Counter({"standart": 2, "gone": 1})
    assert unknown_class_warnings(counts, None) == []
    first, second = unknown_class_warnings(counts, CLASSES)
    assert first.startswith(
        "Storage class standart does not exist (did you mean `standard`?): 2 new claims stay Pending until"
    )
    assert second.startswith("Storage class gone does not exist: 1 new claim stays Pending until the class is created")


def test_a_storage_class_is_reduced_to_what_planning_needs():
    item = {
        "metadata": {"name": "a", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "allowVolumeExpansion": True,
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    assert storage_class_from(item) == ("a", True, True, True, "")
    assert storage_class_from({"metadata": {"name": "b"}}) == ("b", False, False, False, "")


def test_facts_are_missing_until_they_are_set():
    facts = ClusterFacts()
    assert facts.default_class() is None
    assert facts.mounts("ns", "c") == ((), "")
    assert facts.mounts("other", "c") == ((), "")
    assert facts.volume_error("delete") is None
    assert len(facts.missing) == 4
    facts.set_storage_classes(list(CLASSES.values()))
    facts.set_pods("ns", {"c": ["p"]})
    facts.set_pods("other", {}, "forbidden")
    facts.set_volume_error("delete", "no")
    assert not facts.missing
    assert facts.default_class() == "standard"
    assert facts.mounts("ns", "c") == (["p"], "")
    assert facts.mounts("other", "c") == ((), "forbidden")
    assert facts.volume_error("delete") == "no"
