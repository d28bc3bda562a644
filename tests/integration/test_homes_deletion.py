"""Retired, present again, absent: only homes that were retired, retained, unmounted and unused are deleted."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tests.support.cluster import wait_for
from tests.support.homes import KIND, OWNER, RETIRED, annotations, labels, make_home

LONG_AGO = (datetime.now(timezone.utc) - timedelta(days=100)).strftime("%Y-%m-%dT%H:%M:%SZ")


def run(namespace, **options):
    return {"namespace": namespace, "size": "1Gi", **options}


def retired_home(cluster, namespace, user, *, at=LONG_AGO, bind=True):
    make_home(cluster, namespace, f"claim-{user}", user, annotations={RETIRED: at})
    return cluster.bind(namespace, f"claim-{user}", reclaim="Delete") if bind else None


def gone(cluster, namespace, name):
    return wait_for(lambda: name not in cluster.claims(namespace), f"{name} gone")


def test_retirement_annotates_and_keeps_the_home(cluster, namespace, modules, audit):
    make_home(cluster, namespace, "claim-ann", "ann")
    before = datetime.now(timezone.utc).replace(microsecond=0)
    result = modules.ok("user_pvc", run(namespace, users=["ann"], state="retired"))
    assert result.actions() == {"claim-ann": "retire"}
    claim = cluster.claims(namespace)["claim-ann"]
    mark = datetime.strptime(annotations(claim)[RETIRED], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert before <= mark <= datetime.now(timezone.utc)
    assert labels(claim)[KIND] == "home"
    assert OWNER in labels(claim)
    with audit(user_agent="odh.persistency/") as log:
        again = modules.ok("user_pvc", run(namespace, users=["ann"], state="retired"))
    assert not again.changed
    assert not log.writes
    assert annotations(cluster.claims(namespace)["claim-ann"])[RETIRED] == annotations(claim)[RETIRED]


def test_both_present_and_retired_is_rejected(cluster, namespace, modules, tmp_path):
    users = ["ann", {"name": "bea", "state": "retired"}]
    (tmp_path / "users.yml").write_text("- bea\n")
    message = modules.refused("user_pvc", run(namespace, users=users, users_file=str(tmp_path / "users.yml")))
    assert "bea is in users[1] as retired and in users.yml" in message
    assert cluster.claims(namespace) == {}


def test_one_call_does_all_states(cluster, namespace, modules):
    volume = retired_home(cluster, namespace, "old")
    make_home(cluster, namespace, "claim-bea", "bea")
    users = ["ann", {"name": "bea", "state": "retired"}, {"name": "old", "state": "absent"}]
    result = modules.ok("user_pvc", run(namespace, users=users, assume_unused=True))
    assert result.actions() == {"claim-ann": "create", "claim-bea": "retire", "claim-old": "delete"}
    gone(cluster, namespace, "claim-old")
    assert cluster.get("persistentvolumes", volume)["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert not modules.ok("user_pvc", run(namespace, users=users, assume_unused=True)).changed


def test_absent_keeps_the_volume_and_shows_that_in_check_mode(cluster, namespace, modules, audit):
    volume = retired_home(cluster, namespace, "ann")
    options = run(namespace, users=["ann"], state="absent", assume_unused=True)
    with audit(user_agent="odh.persistency/") as log:
        shown = modules.ok("user_pvc", options, check=True, diff=True)
    assert not log.writes, log
    assert "claim-ann" in cluster.claims(namespace)
    assert "deletionTimestamp" not in cluster.claims(namespace)["claim-ann"]["metadata"]
    assert cluster.get("persistentvolumes", volume)["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    [change] = shown.changes
    assert change["action"] == "delete"
    assert change["owner"] == "ann"
    assert f"its volume {volume} is kept (Retain)" in change["reason"]
    assert shown.output["diff"]["before"].startswith("home claim-ann of ann: 1Gi")
    assert shown.output["diff"]["after"] == ""
    real = modules.ok("user_pvc", options, diff=True)
    assert real.changes == shown.changes
    gone(cluster, namespace, "claim-ann")
    found = cluster.get("persistentvolumes", volume)
    assert found["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert wait_for(
        lambda: cluster.get("persistentvolumes", volume)["status"]["phase"] == "Released", "the volume Released"
    )
    assert not modules.ok("user_pvc", options).changed


def test_keep_volume_false_leaves_the_policy(cluster, namespace, modules):
    volume = retired_home(cluster, namespace, "ann")
    options = run(namespace, users=["ann"], state="absent", assume_unused=True, keep_volume=False)
    assert modules.ok("user_pvc", options).actions() == {"claim-ann": "delete"}
    gone(cluster, namespace, "claim-ann")
    found = cluster.get("persistentvolumes", volume)
    assert found is None or found["spec"]["persistentVolumeReclaimPolicy"] == "Delete"


def test_a_home_that_was_never_retired_is_rejected(cluster, namespace, modules):
    make_home(cluster, namespace, "claim-ann", "ann")
    retired_home(cluster, namespace, "bea")
    message = modules.refused("user_pvc", run(namespace, users=["ann", "bea"], state="absent", assume_unused=True))
    assert "claim-ann was never retired" in message
    assert "state retired first" in message
    assert sorted(cluster.claims(namespace)) == ["claim-ann", "claim-bea"]


@pytest.mark.parametrize("mark", ["yesterday", "", "2026-01-01", "2026-13-01T00:00:00Z"])
def test_an_invalid_retirement_annotation_deletes_nothing(cluster, namespace, modules, mark):
    """Whoever may edit claims can write it, so it keeps this home only."""
    retired_home(cluster, namespace, "ann", at=mark, bind=False)
    retired_home(cluster, namespace, "bea", bind=False)
    options = run(namespace, users=["ann", "bea"], state="absent", assume_unused=True, retention="0s")
    shown = modules.ok("user_pvc", options, check=True)
    result = modules.ok("user_pvc", options)
    assert shown.changes == result.changes
    assert result.actions() == {"claim-bea": "delete"}
    for found in (shown, result, modules.ok("user_pvc", options)):
        (warning,) = [text for text in found.warnings if "claim-ann" in text]
        assert f"the retirement annotation of claim claim-ann, {mark!r}, is not an RFC 3339 time" in warning
        assert [item["name"] for item in found.unreconcilable] == ["claim-ann"]
    assert set(cluster.claims(namespace)) == {"claim-ann"}


def test_retained_homes_stay(cluster, namespace, modules):
    modules.ok("user_pvc", run(namespace, users=["ann"]))
    modules.ok("user_pvc", run(namespace, users=["ann"], state="retired"))
    options = run(namespace, users=["ann"], state="absent", assume_unused=True)
    result = modules.ok("user_pvc", options)
    assert not result.changed
    assert "claim-ann" in cluster.claims(namespace)
    future = {"metadata": {"annotations": {RETIRED: "2999-01-01T00:00:00Z"}}}
    cluster.patch("persistentvolumeclaims", "claim-ann", future, namespace)
    assert not modules.ok("user_pvc", {**options, "retention": "0s"}).changed


def test_a_mounted_home_stays(cluster, namespace, modules):
    retired_home(cluster, namespace, "ann")
    retired_home(cluster, namespace, "bea")
    pod = cluster.make_pod(namespace, "claim-ann", phase="Running")
    cluster.make_pod(namespace, "claim-bea", phase="Succeeded")
    result = modules.ok("user_pvc", run(namespace, users=["ann", "bea"], state="absent", assume_unused=True))
    assert result.actions() == {"claim-bea": "delete"}
    assert any(f"pod {pod} mounts it" in warning for warning in result.warnings)
    assert "deletionTimestamp" not in cluster.claims(namespace)["claim-ann"]["metadata"]


def test_without_a_hub_use_must_be_assumed_explicitly(cluster, namespace, modules):
    retired_home(cluster, namespace, "ann")
    message = modules.refused("user_pvc", run(namespace, users=["ann"], state="absent"))
    assert "is unknown: no hub was asked" in message
    assert "assume_unused: true" in message
    assert "claim-ann" in cluster.claims(namespace)


WRONG_CLOCK = """
import datetime

class Ahead(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(days=400)

datetime.datetime = Ahead
"""


def test_a_wrong_clock_on_this_host_deletes_nothing_early(cluster, namespace, modules, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WRONG_CLOCK)
    path = f"{tmp_path}:{cluster.environment['PYTHONPATH']}"
    environment = cluster.environment | {"PYTHONPATH": path}
    modules.ok("user_pvc", run(namespace, users=["ann"]))
    modules.ok("user_pvc", run(namespace, users=["ann"], state="retired"), environment=environment)
    assert annotations(cluster.claims(namespace)["claim-ann"])[RETIRED] <= datetime.now(timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    options = run(namespace, users=["ann"], state="absent", assume_unused=True)
    assert not modules.ok("user_pvc", options, environment=environment).changed
    assert "claim-ann" in cluster.claims(namespace)


CLAIM_RULE = {
    "apiGroups": [""],
    "resources": ["persistentvolumeclaims", "pods"],
    "verbs": ["list", "get", "create", "patch", "delete"],
}


def test_without_permission_to_patch_volumes_the_deletion_is_rejected(cluster, namespace, modules, restricted_user):
    retired_home(cluster, namespace, "ann")
    options = run(namespace, users=["ann"], state="absent", assume_unused=True)
    login = restricted_user([CLAIM_RULE])
    message = modules.refused("user_pvc", options, kubeconfig=login)
    assert 'resources: ["persistentvolumes"], verbs: ["patch"]' in message
    assert "keep_volume: false" in message
    assert "claim-ann" in cluster.claims(namespace)
    allowed = restricted_user(
        [CLAIM_RULE], cluster_rules=[{"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ["patch"]}]
    )
    assert modules.ok("user_pvc", options, kubeconfig=allowed).actions() == {"claim-ann": "delete"}


def test_an_unbound_home_is_deleted_without_a_volume(cluster, namespace, modules, restricted_user):
    retired_home(cluster, namespace, "ann", bind=False)
    options = run(namespace, users=["ann"], state="absent", assume_unused=True)
    result = modules.ok("user_pvc", options, kubeconfig=restricted_user([CLAIM_RULE]))
    assert "it has no volume" in result.changes[0]["reason"]
    gone(cluster, namespace, "claim-ann")


def test_claim_selects_one_of_the_duplicates(cluster, namespace, modules):
    make_home(cluster, namespace, "claim-ann", "ann")
    make_home(cluster, namespace, "claim-old", "ann")
    entry = {"name": "ann", "claim": "claim-old"}
    assert modules.ok("user_pvc", run(namespace, users=[entry], state="retired")).actions() == {"claim-old": "retire"}
    # The one that is not retired is the home now, without anybody saying so.
    assert modules.ok("user_pvc", run(namespace, users=["ann"])).actions() == {"claim-ann": "adopt"}
    options = run(namespace, users=[entry], state="absent", assume_unused=True, retention="0s")
    assert modules.ok("user_pvc", options).actions() == {"claim-old": "delete"}
    gone(cluster, namespace, "claim-old")
    assert list(cluster.claims(namespace)) == ["claim-ann"]
    # Somebody else's claim is not retired by naming it, nor one that names nobody.
    make_home(cluster, namespace, "data", None)
    for name in ("claim-ann", "data"):
        message = modules.refused("user_pvc", run(namespace, users=[{"name": "zoe", "claim": name}], state="retired"))
        assert name in message


def test_a_volume_that_is_somebody_elses_is_not_touched(cluster, namespace, modules):
    """A Pending claim may name any volume; and a Bound one's volume must say that it is this claim's."""
    make_home(cluster, namespace, "claim-zed", "zed")
    volume = cluster.bind(namespace, "claim-zed", reclaim="Delete")
    make_home(cluster, namespace, "claim-ann", "ann", annotations={RETIRED: LONG_AGO}, volumeName=volume)
    options = run(namespace, users=["ann"], state="absent", assume_unused=True)
    result = modules.ok("user_pvc", options)
    assert result.actions() == {"claim-ann": "delete"}
    assert cluster.get("persistentvolumes", volume)["spec"]["persistentVolumeReclaimPolicy"] == "Delete"


def test_invalid_retention_periods_are_rejected(cluster, namespace, modules):
    retired_home(cluster, namespace, "ann", at="9999-12-31T00:00:00Z", bind=False)
    options = run(namespace, users=["ann"], state="absent", assume_unused=True)
    (warning,) = modules.ok("user_pvc", options).warnings
    assert "is too far in the future" in warning
    assert "more than a hundred years" in modules.refused("user_pvc", {**options, "retention": "999999w"})
    assert "claim-ann" in cluster.claims(namespace)


def test_a_hub_that_is_given_is_asked_whatever_is_assumed(cluster, namespace, modules):
    retired_home(cluster, namespace, "ann")
    hub = {"url": "http://127.0.0.1:1/hub/api", "token": "not-a-real-token"}
    options = run(namespace, users=["ann"], state="absent", assume_unused=True, hub=hub)
    assert "Nothing answers at the hub's address" in modules.refused("user_pvc", options)
    assert "claim-ann" in cluster.claims(namespace)


def test_without_permission_to_list_pods_no_home_is_deleted(cluster, namespace, modules, restricted_user):
    retired_home(cluster, namespace, "ann", bind=False)
    login = restricted_user([{**CLAIM_RULE, "resources": ["persistentvolumeclaims"]}])
    options = run(namespace, users=["ann"], state="absent", assume_unused=True)
    message = modules.refused("user_pvc", options, kubeconfig=login)
    assert "whether a pod mounts claim claim-ann is unknown" in message
    assert 'resources: ["pods"], verbs: ["list"]' in message
    assert "claim-ann" in cluster.claims(namespace)


@pytest.mark.parametrize("state", ["retired", "absent"])
def test_all_users_of_a_hub_cannot_be_retired(namespace, modules, state):
    hub = {"url": "http://127.0.0.1:1/hub/api", "token": "not-a-real-token"}
    message = modules.refused("user_pvc", run(namespace, users_from="hub", hub=hub, state=state))
    assert "would apply to every user of the hub" in message
