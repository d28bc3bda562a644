"""What a claim may be a copy of, so that it can be a share."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.claims import claim_from
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.copies import copy_problem
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.observed import reserved_for

EARLY, LATE = "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"


def claim(name, source=None, created=LATE, annotations=None):
    spec = {} if source is None else {"dataSource": {"kind": "PersistentVolumeClaim", "name": source}}
    labels = {"odh.persistency/kind": "share", "odh.persistency/share": name}
    metadata = {"name": name, "creationTimestamp": created, "labels": labels, "annotations": annotations or {}}
    return claim_from({"metadata": metadata, "spec": spec})


class Claims:
    def __init__(self, *claims):
        self.claims = {one.name: one for one in claims}

    def source_claim(self, namespace, name):
        return self.claims.get(name), ""

    def snapshot_source(self, namespace, name):
        return "", "unknown"


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


def test_an_empty_owner_is_an_owner():
    found = claim("data", annotations={"hub.jupyter.org/username": ""})
    assert reserved_for(found) == "a home without the name of its owner"
