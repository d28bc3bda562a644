"""Retention and deletion: what must be true before a claim is deleted, and what the operator reads otherwise."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.deletion import (
    check_deletion,
    check_retain,
    reject_terminating,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.facts import (
    PODS,
    VOLUME_ACCESS,
    ClusterFacts,
    Fact,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.retention import Retention, retire_claim
from ansible_collections.odh.persistency.plugins.module_utils._core.metadata import RETIRED_ANNOTATION
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import Rejected, Unchanged

from tests.support.planning import claim

NOW = datetime(2026, 2, 1, tzinfo=timezone.utc)
RETENTION = Retention("home", timedelta(days=30), NOW)
LONG_AGO = "2026-01-01T00:00:00Z"


def retired(at=LONG_AGO):
    return claim("c", "ann", annotations={RETIRED_ANNOTATION: at}, resourceVersion="7")


def facts_with(pods=(), error=""):
    facts = ClusterFacts()
    facts.set_pods("ns", {"c": list(pods)}, error)
    return facts


def test_the_period_counts_from_the_annotation_to_the_second():
    assert RETENTION.check("2026-01-02T00:00:00Z", "claim c") == datetime(2026, 1, 2, tzinfo=timezone.utc)
    with pytest.raises(
        Unchanged, match="has been retired since 2026-01-02T00:00:01Z, kept until 2026-02-01T00:00:01Z"
    ) as kept:
        RETENTION.check("2026-01-02T00:00:01Z", "claim c")
    assert not kept.value.warns


@pytest.mark.parametrize(
    ("retired_at", "reason"),
    [
        ("soon", "the retirement annotation of claim c, 'soon', is not an RFC 3339 time: run with state present"),
        (
            "9999-12-31T00:00:00Z",
            "the retirement annotation of claim c, '9999-12-31T00:00:00Z', is too far in the future",
        ),
    ],
)
def test_without_a_readable_annotation_the_claim_stays(retired_at, reason):
    """Whoever may edit claims can write it, so it stops nothing else."""
    with pytest.raises(Unchanged) as kept:
        RETENTION.check(retired_at, "claim c")
    assert kept.value.reason.startswith(reason)
    assert "run with state present to remove it, then with state retired" in kept.value.reason
    assert kept.value.warns


def test_without_an_annotation_deletion_is_rejected():
    reason = "claim c was never retired, and only a retired home can be deleted: run with state retired first, and "
    with pytest.raises(Rejected) as rejected:
        RETENTION.check(None, "claim c")
    assert rejected.value.reason.startswith(reason)


def test_a_claim_is_deletable_when_no_pod_mounts_it():
    assert check_deletion("ns", retired(), RETENTION, facts_with()) == datetime(2026, 1, 1, tzinfo=timezone.utc)
    with pytest.raises(Unchanged, match="pods a and b mount it, stop that server first") as kept:
        check_deletion("ns", retired(), RETENTION, facts_with(["a", "b"]))
    assert kept.value.warns
    with pytest.raises(Rejected, match="whether a pod mounts claim c is unknown: no right"):
        check_deletion("ns", retired(), RETENTION, facts_with(error="no right"))


def test_pods_are_read_only_for_a_claim_whose_retention_is_over():
    facts = ClusterFacts()
    with pytest.raises(Unchanged):
        check_deletion("ns", retired("2026-01-31T00:00:00Z"), RETENTION, facts)
    assert not facts.missing
    check_deletion("ns", retired(), RETENTION, facts)
    assert facts.missing == {Fact(PODS, "ns")}


def test_a_volume_that_cannot_be_retained_stops_the_deletion():
    facts = ClusterFacts()
    check_retain("claim c", facts, "grant it")
    assert facts.missing == {Fact(VOLUME_ACCESS, "patch")}
    facts.set_volume_error("patch", None)
    check_retain("claim c", facts, "grant it")
    facts.set_volume_error("patch", "this login may not")
    with pytest.raises(Rejected, match="the volume of claim c cannot be set to Retain: this login may not; grant it"):
        check_retain("claim c", facts, "grant it")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (facts_with(["p"]), "claim c is being deleted, and pod p still mounts it: stop that pod and run again"),
        (facts_with(), "claim c is being deleted, and no pod mounts it: run again once the claim is gone"),
        (
            facts_with(error="x"),
            "claim c is being deleted, and whether a pod still mounts it is unknown because pods cannot",
        ),
    ],
)
def test_a_claim_that_is_being_deleted_cannot_be_used(facts, reason):
    with pytest.raises(Rejected) as rejected:
        reject_terminating("ns", claim("c"), facts)
    assert rejected.value.reason.startswith(reason)
    assert rejected.value.name == "c"


def test_retirement_is_one_patch_bound_to_the_resource_version():
    request = retire_claim("ns", claim("c", resourceVersion="7"), LONG_AGO, {"ours": "1"})
    assert request.body == {
        "metadata": {"annotations": {RETIRED_ANNOTATION: LONG_AGO}, "labels": {"ours": "1"}, "resourceVersion": "7"}
    }
