"""Homes only expand, if the class allows it. What cannot expand is a warning with both sizes."""

from __future__ import annotations

import threading
import time

from tests.support.cluster import wait_for
from tests.support.homes import make_home, size


def run(namespace, **options):
    return {"namespace": namespace, "size": "1Gi", **options}


def test_expansion_is_a_patch_of_one_field(cluster, namespace, modules, audit):
    modules.ok("user_pvc", run(namespace, users=["ann", "ben"]))
    cluster.bind_all(namespace)
    expanded = run(namespace, users=[{"name": "ann", "size": "3Gi"}, "ben"])
    shown = modules.ok("user_pvc", expanded, check=True, diff=True)
    assert size(cluster.claims(namespace)["claim-ann"]) == "1Gi"
    with audit(user_agent="odh.persistency/") as log:
        real = modules.ok("user_pvc", expanded, diff=True)
    assert shown.output["diff"] == real.output["diff"]
    assert real.output["diff"] == {
        "before": "home claim-ann of ann: 1Gi, class standard\n",
        "after": "home claim-ann of ann: 3Gi, class standard\n",
    }
    assert [(r.verb, r.name) for r in log.writes] == [("patch", "claim-ann")]
    assert size(cluster.claims(namespace)["claim-ann"]) == "3Gi"
    with audit(user_agent="odh.persistency/") as log:
        again = modules.ok("user_pvc", expanded)
    assert not again.changed
    assert not log.writes


def test_what_cannot_expand_is_unreconcilable_and_the_run_continues(cluster, namespace, modules):
    make_home(cluster, namespace, "claim-fixed", "fixed", storageClassName="fixed")
    make_home(cluster, namespace, "claim-none", "none", storageClassName="")
    make_home(cluster, namespace, "claim-big", "big", size="9Gi")
    make_home(cluster, namespace, "claim-good", "good")
    for name in ("claim-fixed", "claim-none", "claim-big", "claim-good"):
        cluster.bind(namespace, name)
    make_home(cluster, namespace, "claim-pending", "pending")
    result = modules.ok("user_pvc", run(namespace, users=["fixed", "none", "big", "good", "pending"], size="2Gi"))
    found = {difference["owner"]: difference["reason"] for difference in result.unreconcilable}
    assert sorted(found) == ["big", "fixed", "none", "pending"]
    assert "has 1Gi, not 2Gi" in found["fixed"]
    assert "does not allow expansion" in found["fixed"]
    assert "no storage class" in found["none"]
    assert "has 9Gi, not 2Gi" in found["big"]
    assert "cannot shrink" in found["big"]
    assert "Pending" in found["pending"]
    assert len(result.warnings) == 4
    claims = cluster.claims(namespace)
    assert size(claims["claim-good"]) == "2Gi"
    assert size(claims["claim-big"]) == "9Gi"
    assert size(claims["claim-none"]) == "1Gi"


def test_equal_sizes_in_other_words_are_equal(cluster, namespace, modules, audit):
    modules.ok("user_pvc", run(namespace, users=["ann"], size="1024Mi"))
    for text in ("1Gi", "1073741824", "1048576Ki"):
        result = modules.ok("user_pvc", run(namespace, users=["ann"], size=text))
        assert not result.changed
        assert not result.warnings


def test_a_volume_larger_than_asked_for_is_large_enough(cluster, namespace, modules):
    make_home(cluster, namespace, "claim-ann", "ann")
    cluster.bind(namespace, "claim-ann", "5Gi")
    modules.ok("user_pvc", run(namespace, users=["ann"]))
    result = modules.ok("user_pvc", run(namespace, users=["ann"], size="4Gi"))
    assert not result.changed
    assert not result.warnings


def test_wait_for_the_new_capacity(cluster, namespace, modules):
    modules.ok("user_pvc", run(namespace, users=["ann"]))
    cluster.bind_all(namespace)
    resized_at = []

    def resize() -> None:
        wait_for(lambda: size(cluster.claims(namespace)["claim-ann"]) == "2Gi", "the request for 2Gi", within=60)
        time.sleep(1.5)
        cluster.resize(namespace, "claim-ann", "2Gi")
        resized_at.append(time.monotonic())

    resizer = threading.Thread(target=resize)
    resizer.start()
    options = run(namespace, users=["ann"], size="2Gi", wait=True, wait_sleep=1, wait_timeout=60)
    result = modules.ok("user_pvc", options)
    ended_at = time.monotonic()
    resizer.join()
    assert result.actions() == {"claim-ann": "update"}
    assert ended_at > resized_at[0]
    assert cluster.claims(namespace)["claim-ann"]["status"]["capacity"]["storage"] == "2Gi"


def test_wait_names_a_pending_file_system_resize(cluster, namespace, modules):
    modules.ok("user_pvc", run(namespace, users=["ann"]))
    cluster.bind_all(namespace)
    modules.ok("user_pvc", run(namespace, users=["ann"], size="2Gi"))
    cluster.resize(namespace, "claim-ann", "2Gi", pending_file_system=True)
    options = run(namespace, users=["ann"], size="2Gi", wait=True, wait_timeout=5)
    result = modules.ok("user_pvc", options)
    assert any("until its file system is resized" in warning for warning in result.warnings)


def test_a_wait_that_times_out_fails_and_names_what_is_missing(cluster, namespace, modules):
    modules.ok("user_pvc", run(namespace, users=["ann"]))
    cluster.bind_all(namespace)
    options = run(namespace, users=["ann", "bea"], size="2Gi", wait=True, wait_timeout=3, wait_sleep=1)
    result = modules.run("user_pvc", options)
    assert result.failed
    reasons = {item["owner"]: item["reason"] for item in result.failed_items}
    assert "claim-ann has 1Gi of 2Gi" in reasons["ann"]
    assert "claim-bea is not bound" in reasons["bea"]
    # What was asked of the API server was done all the same, and is told.
    assert result.output["changed"]
    assert result.actions() == {"claim-ann": "update", "claim-bea": "create"}


def test_a_claim_that_waits_for_its_first_consumer_is_no_failure(cluster, namespace, modules):
    options = run(namespace, users=["ann"], storage_class="wait-first", wait=True, wait_timeout=20)
    began = time.monotonic()
    result = modules.ok("user_pvc", options)
    assert result.actions() == {"claim-ann": "create"}
    assert time.monotonic() - began < 15
