"""New and adopted homes: what the access list grants is none, and old data beside a new home is named."""

from __future__ import annotations

from tests.support.cluster import wait_for
from tests.support.homes import make_home


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
