"""New and adopted homes: what the access list grants is none, and old data beside a new home is named."""

from __future__ import annotations

import pytest

from tests.support.cluster import wait_for
from tests.support.homes import KIND, RETIRED, USERNAME, make_home


def homes(namespace, *users, **options):
    return {"namespace": namespace, "users": list(users), "size": "1Gi", **options}


def granted(namespace, *claims, **options):
    shares = [
        {
            "name": f"s-{claim}",
            "level": "private",
            "backend": {"type": "existing_claim", "claim": claim},
            "read": {"users": ["eve"]},
        }
        for claim in claims
    ]
    return {"namespace": namespace, "shares": shares, **options}


def test_what_the_acl_grants_becomes_no_home(cluster, namespace, modules, audit):
    """Claims that the access list grants are neither created nor adopted as homes; nothing to do costs the list only."""
    # Names that a claim of a share may have, and that this template gives to users too.
    options = {"name_template": "data-{username}", "naming": "safe"}
    make_home(cluster, namespace, "data-ann", None)
    modules.ok("share_acl", granted(namespace, "data-ann", "data-bob", "data-cat"))
    make_home(cluster, namespace, "data-cat", "cat")
    message = modules.refused("user_pvc", homes(namespace, {"name": "ann", "claim": "data-ann"}, **options))
    assert "the ACL grants claim data-ann to others, as the share s-data-ann" in message
    for check in (True, False):
        result = modules.ok("user_pvc", homes(namespace, "bob", "cat", "dan", **options), check=check)
        assert result.actions() == {"data-dan": "create"}
        assert sorted(item["owner"] for item in result.unreconcilable) == ["bob", "cat"]
        assert all("as the share s-data-" in warning for warning in result.warnings), result.warnings
    claims = cluster.claims(namespace)
    assert set(claims) == {"data-ann", "data-cat", "data-dan"}
    assert not claims["data-cat"]["metadata"].get("labels")
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("user_pvc", homes(namespace, "dan", **options)).changed
    assert [(request.verb, request.resource) for request in log.requests] == [("list", "persistentvolumeclaims")]
    # The form for old hubs grants too.
    modules.ok("share_acl", granted(namespace, state="absent", max_withdrawals=-1))
    modules.ok("share_acl", granted(namespace, "data-bob", format="jsp"))
    result = modules.ok("user_pvc", homes(namespace, "bob", **options))
    assert not result.changed
    assert "as the share s-data-bob" in result.warnings[0]


def test_old_data_beside_a_new_home_is_named(cluster, namespace, modules, audit, restricted_user):
    make_home(cluster, namespace, "jupyterhub-nb-ann-pvc", None)
    make_home(cluster, namespace, "claim-bob", "bob")
    volume = cluster.bind(namespace, "claim-bob", reclaim="Retain")
    cluster.delete("persistentvolumeclaims", "claim-bob", namespace)
    wait_for(lambda: cluster.get("persistentvolumes", volume)["status"]["phase"] == "Released", "the volume Released")
    rules = [{"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["list", "create"]}]
    blind = modules.ok("user_pvc", homes(namespace, "bob", "cat"), check=True, kubeconfig=restricted_user(rules))
    assert len([warning for warning in blind.warnings if "may not list persistentvolumes" in warning]) == 1
    for check in (True, False):
        with audit(user_agent="odh.persistency/") as log:
            result = modules.ok("user_pvc", homes(namespace, "ann", "bob", "cat"), check=check)
        assert log.count(verb="list", resource="persistentvolumes") == 1
        assert log.count(verb="get", resource="configmaps") <= 2
        assert set(result.actions()) == {"claim-ann", "claim-bob", "claim-cat"}
        assert len(result.warnings) == 2, result.warnings
        assert any("set `claim: jupyterhub-nb-ann-pvc`" in warning for warning in result.warnings)
        assert any(f"volume {volume} has the data of a deleted claim" in warning for warning in result.warnings)
    assert not modules.ok("user_pvc", homes(namespace, "ann", "bob", "cat")).warnings
    # The ways that the warnings describe.
    adopted = modules.ok("user_pvc", homes(namespace, {"name": "ann", "claim": "jupyterhub-nb-ann-pvc"}))
    assert adopted.actions() == {"jupyterhub-nb-ann-pvc": "adopt"}
    cluster.delete("persistentvolumeclaims", "claim-bob", namespace)
    wait_for(lambda: "claim-bob" not in cluster.claims(namespace), "the new claim is gone")
    cluster.patch("persistentvolumes", volume, {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}})
    with cluster.binding():
        modules.ok("user_pvc", homes(namespace, "bob", wait=True, wait_timeout=30))
    assert cluster.claims(namespace)["claim-bob"]["spec"]["volumeName"] == volume


EDITS = {
    "another owner": {"annotations": {USERNAME: "mallory"}},
    "a listed owner": {"annotations": {USERNAME: "bob"}},
    "a share": {"labels": {KIND: "share"}},
    "the hub's": {"labels": {"component": "hub"}},
}


@pytest.mark.parametrize("edit", [*EDITS.values(), None], ids=[*EDITS, "deleted"])
def test_what_an_editor_does_to_a_named_claim_stops_nobody_else(cluster, namespace, modules, audit, edit):
    named = {"name": "ann", "claim": "old"}
    make_home(cluster, namespace, "old", None)
    modules.ok("user_pvc", homes(namespace, named))
    if edit is None:
        cluster.delete("persistentvolumeclaims", "old", namespace)
        wait_for(lambda: not cluster.claims(namespace), "the claim gone")
    else:
        cluster.patch("persistentvolumeclaims", "old", {"metadata": edit}, namespace)
    before = cluster.claims(namespace)
    shown = modules.ok("user_pvc", homes(namespace, named, "bob", "cat"), check=True)
    result = modules.ok("user_pvc", homes(namespace, named, "bob", "cat"))
    assert shown.changes == result.changes
    assert set(result.actions()) == ({"claim-cat"} if edit == EDITS["a listed owner"] else {"claim-bob", "claim-cat"})
    with audit(user_agent="odh.persistency/") as log:
        again = modules.ok("user_pvc", homes(namespace, named, "bob", "cat"))
    assert not log.writes
    for found in (shown, result, again):
        (warning,) = [text for text in found.warnings if "users[0] (ann) is left out" in text]
        assert "claim old " in warning
        assert "ann" in {item["owner"] for item in found.unreconcilable}
    after = cluster.claims(namespace)
    assert {name: claim["metadata"] for name, claim in after.items() if name in before} == {
        name: claim["metadata"] for name, claim in before.items()
    }
    # Nor is it retired or deleted.
    for state in ("retired", "absent"):
        stopped = modules.ok("user_pvc", homes(namespace, named, state=state, retention="0s", assume_unused=True))
        assert not stopped.changed
        assert edit is None or "(ann) is left out" in "".join(stopped.warnings)


def test_a_deleted_claim_that_an_entry_names_is_no_new_home_of_another_user(cluster, namespace, modules):
    result = modules.ok("user_pvc", homes(namespace, {"name": "ann", "claim": "claim-bob"}, "bob", "cat"))
    assert result.actions() == {"claim-cat": "create"}
    assert sorted(item["owner"] for item in result.unreconcilable) == ["ann", "bob"]
    assert set(cluster.claims(namespace)) == {"claim-cat"}


def test_a_mark_that_an_editor_wrote_keeps_only_its_home(cluster, namespace, modules):
    make_home(cluster, namespace, "claim-ann", "ann", annotations={RETIRED: "never"})
    users = [{"name": "ann", "state": "absent"}, "bob"]
    for found in [modules.ok("user_pvc", homes(namespace, *users, assume_unused=True)) for _run in range(2)]:
        (warning,) = found.warnings
        assert "claim claim-ann, 'never', is not an RFC 3339 time" in warning
    assert set(cluster.claims(namespace)) == {"claim-ann", "claim-bob"}


def test_a_volume_of_a_deleted_home_is_named_whatever_its_claim_was_called(cluster, namespace, modules):
    """One of another naming, one that our deletion marked, and one of another user, whose name is no reason to offer it."""
    marks = {"labels": {KIND: "home"}, "annotations": {USERNAME: "bea"}}
    volumes = {}
    for claim in ("jupyterhub-nb-ann-pvc", "work", "claim-cat"):
        cluster.make_claim(namespace, claim)
        volumes[claim] = cluster.bind(namespace, claim, reclaim="Retain")
        if claim != "jupyterhub-nb-ann-pvc":
            cluster.patch("persistentvolumes", volumes[claim], {"metadata": marks})
        cluster.delete("persistentvolumeclaims", claim, namespace)
    for volume in volumes.values():
        wait_for(
            lambda volume=volume: cluster.get("persistentvolumes", volume)["status"]["phase"] == "Released", volume
        )
    for check in (True, False):
        result = modules.ok("user_pvc", homes(namespace, "ann", "bea", "cat"), check=check)
        assert set(result.actions()) == {"claim-ann", "claim-bea", "claim-cat"}
        warnings = {item["owner"]: item["reason"] for item in result.unreconcilable if item["owner"] != "bea"}
        assert set(warnings) == {"ann"}
        assert f"volume {volumes['jupyterhub-nb-ann-pvc']} has the data of the deleted claim" in warnings["ann"]
        of_bea = [item["reason"] for item in result.unreconcilable if item["owner"] == "bea"]
        assert len(of_bea) == 2
        assert any(f"volume {volumes['work']} has the data of claim work, a deleted home" in text for text in of_bea)
        assert all("and create a claim for it with the annotation of its owner" in text for text in of_bea)
    assert not modules.ok("user_pvc", homes(namespace, "ann", "bea", "cat")).warnings
