"""Homes are created, found and adopted: by owner, never by name."""

from __future__ import annotations

import hashlib

import pytest

from tests.support.cluster import wait_for
from tests.support.homes import (
    KIND,
    OWNER,
    PRIMARY,
    RETIRED,
    SERVERNAME,
    USERNAME,
    annotations,
    labels,
    make_home,
    size,
)

USERS = ["alice", "bob@example.org", {"name": "bob@example.org", "server": "gpu", "size": "20Gi"}]


def run(namespace, **options):
    return {"namespace": namespace, "size": "1Gi", **options}


def test_new_homes_then_nothing_to_do(cluster, namespace, modules, audit):
    first = modules.ok("user_pvc", run(namespace, users=USERS))
    assert first.changed
    assert first.summary == {"create": 3, "keep": 0}
    claims = cluster.claims(namespace)
    assert len(claims) == 3
    by_owner = {(annotations(c)[USERNAME], annotations(c).get(SERVERNAME, "")): c for c in claims.values()}
    gpu = by_owner["bob@example.org", "gpu"]
    assert size(gpu) == "20Gi"
    assert size(by_owner["alice", ""]) == "1Gi"
    assert labels(gpu)[KIND] == "home"
    assert labels(gpu)[OWNER] == hashlib.sha256(b"bob@example.org").hexdigest()[:32]
    assert labels(gpu)["app.kubernetes.io/managed-by"] == "kubespawner"

    with audit(user_agent="odh.persistency/") as log:
        second = modules.ok("user_pvc", run(namespace, users=USERS), diff=True)
    assert not second.changed
    assert second.changes == []
    assert second.summary == {"keep": 3}
    assert second.output["diff"] == {"before": "", "after": ""}
    assert not log.writes, log
    assert [str(request.verb) for request in log.requests] == ["list"], log


def test_check_mode_is_accurate_and_writes_nothing(cluster, namespace, modules, audit):
    with audit(user_agent="odh.persistency/") as log:
        shown = modules.ok("user_pvc", run(namespace, users=USERS), check=True, diff=True)
    assert shown.changed
    assert not log.writes, log
    assert log.count(verb="create", resource="persistentvolumeclaims", dry_run=True) == 3
    assert cluster.claims(namespace) == {}
    real = modules.ok("user_pvc", run(namespace, users=USERS), diff=True)
    for key in ("changed", "changes", "summary", "diff", "unreconcilable"):
        assert shown.output[key] == real.output[key]
    assert "home claim-alice of alice: 1Gi\n" in real.output["diff"]["after"]


def test_an_empty_list_retires_nobody(cluster, namespace, modules, audit):
    modules.ok("user_pvc", run(namespace, users=USERS))
    with audit(user_agent="odh.persistency/") as log:
        for state in ("present", "retired", "absent"):
            result = modules.ok("user_pvc", run(namespace, users=[], state=state))
            assert not result.changed
    assert not log.writes
    assert len(cluster.claims(namespace)) == 3


def test_a_home_of_another_name_is_the_home(cluster, namespace, modules):
    make_home(cluster, namespace, "claim-stop-2eped", "stop.ped")
    result = modules.ok("user_pvc", run(namespace, users=["stop.ped"]))
    assert result.actions() == {"claim-stop-2eped": "adopt"}
    assert list(cluster.claims(namespace)) == ["claim-stop-2eped"]
    assert not modules.ok("user_pvc", run(namespace, users=["stop.ped"])).changed


def test_the_takeover_leaves_out_that_user(cluster, namespace, modules, audit):
    """Golden case of the facts: KubeSpawner would mount stop.ped's old home for the new user stop-2eped."""
    uid = make_home(cluster, namespace, "claim-stop-2eped", "stop.ped")["metadata"]["uid"]
    options = run(namespace, users=["stop.ped", "stop-2eped", "new"])
    shown = modules.ok("user_pvc", options, check=True)
    result = modules.ok("user_pvc", options)
    assert shown.changes == result.changes
    assert result.actions() == {"claim-stop-2eped": "adopt", "claim-new": "create"}
    with audit(user_agent="odh.persistency/") as log:
        again = modules.ok("user_pvc", options)
    assert not log.writes
    for found in (shown, result, again):
        (warning,) = [text for text in found.warnings if "users[1] (stop-2eped) is left out" in text]
        assert "claim-stop-2eped, is taken by the home of stop.ped, which is not touched: set `claim`" in warning
        assert [(item["owner"], item["name"]) for item in found.unreconcilable] == [("stop-2eped", "claim-stop-2eped")]
    assert set(cluster.claims(namespace)) == {"claim-stop-2eped", "claim-new"}
    claim = cluster.claims(namespace)["claim-stop-2eped"]
    assert (claim["metadata"]["uid"], annotations(claim)[USERNAME]) == (uid, "stop.ped")


def test_claims_of_others_stop_nobody(cluster, namespace, modules, audit):
    """Whoever may edit claims can create one under the name of anybody's new home, and delete or change one that is named."""
    make_home(cluster, namespace, "claim-a", "somebody")
    make_home(cluster, namespace, "claim-b", None)
    make_home(cluster, namespace, "claim-e", None, labels={KIND: "share"})
    before = {name: labels(claim) for name, claim in cluster.claims(namespace).items()}
    with audit(user_agent="odh.persistency/") as log:
        result = modules.run("user_pvc", run(namespace, users=["a", "b", "e", "f", {"name": "c", "claim": "claim-a"}]))
    assert not log.writes
    assert result.failed
    assert result.summary == {"refuse": 1}
    assert [change["action"] for change in result.changes] == ["refuse"]
    assert "claim claim-a belongs to somebody" in result.output["msg"]
    result = modules.ok("user_pvc", run(namespace, users=["a", {"name": "d", "claim": "claim-aa"}]))
    (warning,) = [text for text in result.warnings if "users[1] (d) is left out: claim claim-aa does not exist" in text]
    assert "did you mean `claim-" in warning
    for _run in range(2):
        result = modules.ok("user_pvc", run(namespace, users=["a", "b", "e", "f"]))
        left_out = {"a": "claim-a", "b": "claim-b", "e": "claim-e"}
        assert {item["owner"]: item["name"] for item in result.unreconcilable} == left_out
        warnings = "\n".join(result.warnings)
        assert "users[0] (a) is left out: the name of this home, claim-a, is taken by the home of somebody" in warnings
        assert "users[1] (b) is left out: claim claim-b exists and names no owner" in warnings
        assert "if it is the home of b, set `claim: claim-b`" in warnings
        assert (
            "users[2] (e) is left out: the name of this home, claim-e, is taken by a claim that is a share" in warnings
        )
    after = cluster.claims(namespace)
    assert annotations(after.pop("claim-f"))[USERNAME] == "f"
    assert {name: labels(claim) for name, claim in after.items()} == before
    assert USERNAME not in annotations(after["claim-b"]) | annotations(after["claim-e"])
    # The way out.
    result = modules.ok("user_pvc", run(namespace, users=[{"name": "b", "claim": "claim-b"}]))
    assert result.actions() == {"claim-b": "adopt"}


def test_a_claim_without_an_owner_is_adopted_only_by_name(cluster, namespace, modules):
    make_home(cluster, namespace, "old-data", None, labels={"team": "x"})
    entry = {"name": "eve", "claim": "old-data"}
    result = modules.ok("user_pvc", run(namespace, users=[entry]), diff=True)
    assert result.actions() == {"old-data": "adopt"}
    assert "no owner" in result.output["diff"]["before"]
    claim = cluster.claims(namespace)["old-data"]
    assert annotations(claim)[USERNAME] == "eve"
    assert SERVERNAME not in annotations(claim)
    assert labels(claim)["team"] == "x"
    assert not modules.ok("user_pvc", run(namespace, users=[entry])).changed
    # The annotation holds from now on, with or without `claim`.
    assert not modules.ok("user_pvc", run(namespace, users=["eve"])).changed
    assert list(cluster.claims(namespace)) == ["old-data"]


@pytest.mark.parametrize(
    ("labelled", "reason"),
    [
        ({KIND: "share"}, "is a share, not a home"),
        ({KIND: "tree"}, "is a tree, not a home"),
        ({"component": "hub"}, "belongs to the hub, not to a user"),
    ],
)
def test_what_is_not_a_home_is_never_adopted(cluster, namespace, modules, labelled, reason):
    make_home(cluster, namespace, "thing", None, labels=labelled)
    message = modules.refused("user_pvc", run(namespace, users=[{"name": "eve", "claim": "thing"}]))
    assert f"claim thing {reason}: set `claim` to another claim" in message
    assert USERNAME not in annotations(cluster.claims(namespace)["thing"])


def test_two_new_homes_of_one_name_are_rejected_together(cluster, namespace, modules):
    # z2jh 3: the user alicebob, and alice's server bob.
    options = run(namespace, naming="escape", name_template="claim-{username}{servername}")
    message = modules.refused("user_pvc", {**options, "users": ["alicebob", {"name": "alice", "server": "bob"}]})
    assert message.count("the homes of alicebob and alice (server bob) would share claim claim-alicebob") == 2
    assert cluster.claims(namespace) == {}


def test_duplicates_are_reported_and_none_is_created(cluster, namespace, modules, audit):
    make_home(cluster, namespace, "claim-old", "tim")
    make_home(cluster, namespace, "claim-tim", "tim")
    with audit(user_agent="odh.persistency/") as log:
        result = modules.ok("user_pvc", run(namespace, users=["tim"], size="5Gi"))
    assert not result.changed
    assert "tim owns claim-old and claim-tim" in result.warnings[0]
    assert not log.writes

    chosen = modules.ok("user_pvc", run(namespace, users=[{"name": "tim", "claim": "claim-old"}]))
    assert chosen.actions() == {"claim-old": "adopt"}
    claims = cluster.claims(namespace)
    assert annotations(claims["claim-old"])[PRIMARY] == "true"
    assert any("Claim claim-tim of tim is a second home" in warning for warning in chosen.warnings)
    # From now on the mark says it.
    assert not modules.ok("user_pvc", run(namespace, users=["tim"])).changed
    moved = modules.ok("user_pvc", run(namespace, users=[{"name": "tim", "claim": "claim-tim"}]))
    assert moved.actions() == {"claim-tim": "adopt", "claim-old": "update"}
    claims = cluster.claims(namespace)
    assert PRIMARY not in annotations(claims["claim-old"])
    assert annotations(claims["claim-tim"])[PRIMARY] == "true"
    assert not modules.ok("user_pvc", run(namespace, users=[{"name": "tim", "claim": "claim-tim"}])).changed


def test_a_claim_being_deleted_leaves_out_its_owner_and_names_its_pod(cluster, namespace, modules):
    modules.ok("user_pvc", run(namespace, users=["tess"]))
    pod = cluster.make_pod(namespace, "claim-tess", name="jupyter-tess", node="nowhere")
    cluster.delete("persistentvolumeclaims", "claim-tess", namespace)
    wait_for(lambda: "deletionTimestamp" in cluster.claims(namespace)["claim-tess"]["metadata"], "claim-tess going")
    result = modules.ok("user_pvc", run(namespace, users=["tess", "other"]))
    assert result.actions() == {"claim-other": "create"}
    (warning,) = result.warnings
    assert "users[0] (tess) is left out" in warning
    assert f"claim claim-tess is being deleted, and pod {pod} still mounts it" in warning
    assert set(cluster.claims(namespace)) == {"claim-tess", "claim-other"}
    cluster.delete("pods", pod, namespace, gracePeriodSeconds=0)


def test_a_template_without_servers_is_one_home_a_user(cluster, namespace, modules):
    options = run(namespace, naming="odh", users=["ann@x", {"name": "ann@x", "server": "gpu"}])
    result = modules.ok("user_pvc", options)
    assert result.actions() == {"jupyterhub-nb-ann-40x-pvc": "create"}
    assert SERVERNAME not in annotations(cluster.claims(namespace)["jupyterhub-nb-ann-40x-pvc"])
    assert not modules.ok("user_pvc", options).changed
    # Made by a hub for a named server, it is the user's home as well.
    make_home(cluster, namespace, "jupyterhub-nb-ben-pvc", "ben", server="gpu")
    result = modules.ok("user_pvc", run(namespace, naming="odh", users=["ben"]))
    assert result.actions() == {"jupyterhub-nb-ben-pvc": "adopt"}
    # What the two entries ask for must not differ.
    message = modules.refused(
        "user_pvc", run(namespace, naming="odh", users=["ann@x", {"name": "ann@x", "server": "gpu", "size": "9Gi"}])
    )
    assert "users[0] and users[1] are one home" in message


def test_own_labels_and_annotations_are_updated(cluster, namespace, modules):
    entry = {"name": "lea", "labels": {"team": "a"}, "annotations": {"contact": "Léa <l@x>"}}
    modules.ok("user_pvc", run(namespace, users=[entry]))
    claim = cluster.claims(namespace)["claim-lea"]
    assert labels(claim)["team"] == "a"
    assert annotations(claim)["contact"] == "Léa <l@x>"
    result = modules.ok("user_pvc", run(namespace, users=[{**entry, "labels": {"team": "b"}}]), diff=True)
    assert result.actions() == {"claim-lea": "update"}
    assert "label team=a" in result.output["diff"]["before"]
    assert "label team=b" in result.output["diff"]["after"]
    assert not modules.ok("user_pvc", run(namespace, users=[{**entry, "labels": {"team": "b"}}])).changed
    # What an entry says no more is left as it is: another tool may have set it.
    assert not modules.ok("user_pvc", run(namespace, users=["lea"])).changed
    message = modules.refused(
        "user_pvc", run(namespace, users=[{"name": "lea", "labels": {OWNER: "x", "hub.jupyter.org/y": "z"}}])
    )
    assert message.count("is reserved for KubeSpawner or this collection: use another key") == 2


def test_class_and_modes_apply_to_new_homes_only(cluster, namespace, modules):
    modules.ok("user_pvc", run(namespace, users=["kim"]))
    result = modules.ok(
        "user_pvc", run(namespace, users=["kim", "new"], storage_class="fixed", access_modes=["ReadWriteMany"])
    )
    assert result.actions() == {"claim-new": "create"}
    assert len(result.unreconcilable) == 2
    assert any(
        "has storage class standard, not fixed: the storage class applies to new claims only" in warning
        for warning in result.warnings
    )
    assert any(
        "has access modes ReadWriteOnce, not ReadWriteMany: access modes apply to new claims only" in warning
        for warning in result.warnings
    )


def test_a_class_that_does_not_exist_is_a_warning(cluster, namespace, modules):
    result = modules.ok("user_pvc", run(namespace, users=["kim"], storage_class="standart"))
    assert any(
        "Storage class standart does not exist (did you mean `standard`?)" in warning for warning in result.warnings
    )


def test_a_renamed_user_keeps_the_home_by_its_annotation(cluster, namespace, modules):
    modules.ok("user_pvc", run(namespace, users=["old-name"]))
    cluster.patch(
        "persistentvolumeclaims", "claim-old-name", {"metadata": {"annotations": {USERNAME: "new-name"}}}, namespace
    )
    result = modules.ok("user_pvc", run(namespace, users=["new-name"]))
    assert result.actions() == {"claim-old-name": "adopt"}
    claim = cluster.claims(namespace)["claim-old-name"]
    assert labels(claim)[OWNER] == hashlib.sha256(b"new-name").hexdigest()[:32]


def test_present_ends_the_retirement_of_a_home(cluster, namespace, modules):
    modules.ok("user_pvc", run(namespace, users=["ria"]))
    modules.ok("user_pvc", run(namespace, users=["ria"], state="retired"))
    assert RETIRED in annotations(cluster.claims(namespace)["claim-ria"])
    result = modules.ok("user_pvc", run(namespace, users=["ria"]), diff=True)
    assert result.actions() == {"claim-ria": "update"}
    assert "retired since" in result.output["diff"]["before"]
    assert "retired" not in result.output["diff"]["after"]
    assert RETIRED not in annotations(cluster.claims(namespace)["claim-ria"])
