"""What a claim may be a copy of, so that it can be a share."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.claims import SnapshotSource, claim_from
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.copies import copy_problem
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.observed import reserved_for

EARLY, LATE, LATER = (f"2026-11-0{day}T00:00:00Z" for day in (1, 2, 3))


def claim(name, source=None, created=LATE, annotations=None):
    spec = {} if source is None else {"dataSource": {"kind": "PersistentVolumeClaim", "name": source}}
    if source == "snap":
        spec["dataSource"] = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": source}
    labels = {"odh.persistency/kind": "share", "odh.persistency/share": name}
    metadata = {"name": name, "creationTimestamp": created, "labels": labels, "annotations": annotations or {}}
    return claim_from({"metadata": metadata, "spec": spec})


class Claims:
    def __init__(self, *claims, snapshot_of="", taken=""):
        self.claims = {one.name: one for one in claims}
        self.snapshot = SnapshotSource(snapshot_of, taken, "" if snapshot_of else "unknown")

    def source_claim(self, namespace, name):
        return self.claims.get(name), ""

    def snapshot_source(self, namespace, name):
        return self.snapshot


def problem(source, level, **of_copy):
    return copy_problem("hub", claim("copy", "source", **of_copy), Claims(*source), level)


@pytest.mark.parametrize(
    ("stricter", "level", "is_rejected"),
    [
        ("secret", "public", True),
        ("secret", "secret", False),
        ("public", "private", False),
        ("private", "public", True),
    ],
)
def test_a_copy_of_a_share_has_its_level(stricter, level, is_rejected):
    source = claim("source", created=EARLY, annotations={"odh.persistency/level": stricter})
    # Whatever level the copy itself says.
    found = problem([source], level, annotations={"odh.persistency/level": level})
    assert (found is not None) == is_rejected
    if found:
        assert found.is_known
        assert found.reason == f"is a copy of claim source, whose data is {stricter} and not {level}"


def test_a_source_that_is_newer_than_its_copy_is_another_one():
    found = problem([claim("source", created=LATE)], "public", created=EARLY)
    assert found is not None
    assert not found.is_known
    assert "claim source is newer than its copy" in found.reason
    assert problem([claim("source", created=EARLY)], "public", created=LATE) is None


@pytest.mark.parametrize(("taken", "is_known_share"), [(EARLY, False), (LATE, True), (LATER, True)])
def test_a_snapshot_that_is_older_than_its_claim_is_of_another_one(taken, is_known_share):
    copy = claim("copy", "snap", created=LATER)
    found = copy_problem("hub", copy, Claims(claim("files"), snapshot_of="files", taken=taken), "public")
    assert (found is None) == is_known_share
    if found:
        assert not found.is_known
        assert "claim files is newer than its copy" in found.reason


def test_a_claim_that_was_restored_under_its_own_name_may_have_been_a_home():
    restored = claim("files", "snap", created=LATER)
    found = copy_problem("hub", restored, Claims(restored, snapshot_of="files", taken=EARLY), "public")
    assert found is not None
    assert not found.is_known


def test_an_empty_owner_is_an_owner():
    found = claim("data", annotations={"hub.jupyter.org/username": ""})
    assert reserved_for(found) == "a home without the name of its owner"
