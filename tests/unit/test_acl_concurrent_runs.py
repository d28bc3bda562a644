"""The meaning of a failed write of the index, and what is planned again when another run was faster."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.concurrent_runs import (
    CONFLICT,
    FAILED,
    NOT_OURS,
    WRITTEN,
    FailedIndexWrite,
    other_run_warning,
    plan_deletion_again,
    state_of,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.access.observed import (
    DIGEST_ANNOTATION,
    INDEX,
    KIND_LABEL,
    ConfigMap,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import DELETE, Change
from ansible_collections.odh.persistency.plugins.module_utils._hub.acl_format import INDEX_NAME

OURS = ConfigMap(INDEX_NAME, labels={KIND_LABEL: INDEX}, annotations={DIGEST_ANNOTATION: "a" * 64})
UNLABELLED = ConfigMap(INDEX_NAME, annotations={DIGEST_ANNOTATION: "a" * 64})
FOREIGN = ConfigMap(INDEX_NAME, data={"mine": "yes"})


@pytest.mark.parametrize(
    ("is_conflict", "is_unknown", "found", "desired", "result"),
    [
        (False, True, OURS, "a" * 64, WRITTEN),
        (True, True, OURS, "a" * 64, WRITTEN),
        (False, True, None, "", WRITTEN),
        (False, True, OURS, "b" * 64, FAILED),
        (False, True, OURS, "", FAILED),
        (False, False, OURS, "a" * 64, FAILED),
        (True, False, OURS, "b" * 64, CONFLICT),
        (True, False, None, "b" * 64, CONFLICT),
        (True, False, UNLABELLED, "b" * 64, CONFLICT),
        (True, False, FOREIGN, "b" * 64, NOT_OURS),
    ],
)
def test_a_failed_write_of_the_index(is_conflict, is_unknown, found, desired, result):
    failed = FailedIndexWrite(is_conflict, is_unknown, found, desired)
    assert failed.result == result
    assert failed.lacks_label == (found in (UNLABELLED, FOREIGN))


def test_a_warning_names_what_another_run_did():
    assert other_run_warning("a" * 64, "a" * 64, "b" * 64) == other_run_warning("a" * 64, "b" * 64, "b" * 64) == ""
    assert "Another run published ACL cccccccccccc in the meantime" in other_run_warning("a" * 64, "c" * 64, "b" * 64)
    assert "Another run deleted the ACL in the meantime" in other_run_warning("a" * 64, "", "b" * 64)
    assert (state_of(""), state_of("a" * 64)) == ("no ACL is published", "ACL aaaaaaaaaaaa is published")


def test_an_unused_part_that_another_run_took_stays():
    change = Change(DELETE, "acl-part", "jupyter", "part", "no index has named it", operations=("delete",))
    assert plan_deletion_again(change, None).reason == "it is already deleted"
    again = plan_deletion_again(change, OURS)
    assert (again.action, again.operations) == ("keep", ())
    assert again.reason == "another run uses it again"
