"""An access list never grants a home or the hub's database."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cluster import Cluster
from tests.support.modules import Modules


def options(namespace: str, *shares: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"namespace": namespace, "shares": [{"level": "public", **share} for share in shares], **more}


FOUND = {"type": "existing_claim", "claim": "claim-ann"}


@pytest.mark.parametrize("way", ["acl", "jsp"])
@pytest.mark.parametrize("share", [{"name": "claim-ann"}, {"name": "t", "backend": FOUND}], ids=["name", "claim"])
def test_a_home_is_not_granted(modules: Modules, namespace: str, way: str, share: dict[str, Any]) -> None:
    modules.ok("user_pvc", {"namespace": namespace, "size": "1Gi", "users": ["ann", "bob"]})
    message = modules.refused("share_acl", options(namespace, share, format=way))
    assert "claim-ann, which is the home of ann" in message
    message = modules.refused("share_acl", options(namespace, share, format=way), check=True)
    assert "claim-ann, which is the home of ann" in message


def test_many_claims_are_checked_with_one_list(modules: Modules, namespace: str, audit: Any) -> None:
    modules.ok("user_pvc", {"namespace": namespace, "size": "1Gi", "users": ["ann"]})
    shares = [{"name": f"s{number}"} for number in range(30)]
    with audit(user_agent="odh.persistency/", namespace=namespace) as log:
        assert "home of ann" in modules.refused("share_acl", options(namespace, *shares, {"name": "claim-ann"}))
    assert not log.writes, log
    # The index and the profiles, which do not exist, the claims of shares, and all claims because many are not among these.
    assert len(log.requests) <= 5, log


@pytest.mark.parametrize("name", ["hub-db-dir", "jupyterhub-db", "jupyterhub-nb-ann-pvc"])
def test_names_that_are_not_of_shares(modules: Modules, namespace: str, name: str) -> None:
    assert name in modules.refused("share_acl", options(namespace, {"name": name}))
    found = {"name": "t", "backend": {"type": "existing_claim", "claim": name}}
    assert name in modules.refused("share_acl", options(namespace, found))


def test_all_granted_claims_are_checked_with_one_list(
    cluster: Cluster, modules: Modules, namespace: str, audit: Any
) -> None:
    body = {"spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}}
    labels = {"odh.persistency/kind": "share", "odh.persistency/share": "a"}
    cluster.create("persistentvolumeclaims", {**body, "metadata": {"name": "a", "labels": labels}}, namespace)
    modules.ok("share_acl", options(namespace, {"name": "a"}))
    with audit(user_agent="odh.persistency/", namespace=namespace) as log:
        assert not modules.ok("share_acl", options(namespace, {"name": "a"})).changed
    assert [request.verb for request in log.requests] == ["list", "list"], log
    with audit(user_agent="odh.persistency/", namespace=namespace) as log:
        modules.ok("share_acl", options(namespace, {"name": "a"}, {"name": "b"}))
    asked = [request for request in log.requests if "persistentvolumeclaims" in str(request)]
    assert [request.verb for request in asked] == ["list", "get"], log


def test_a_namespace_that_looks_misspelt_is_a_warning(modules: Modules, namespace: str) -> None:
    near, far = f"{namespace}1", "research"
    shares = [{"name": "a"}, {"name": "b", "namespaces": [near]}, {"name": "c", "namespaces": [far]}]
    warnings = modules.ok("share_acl", options(namespace, *shares)).warnings
    (warning,) = [text for text in warnings if "left out" in text]
    assert f"The share b is left out, because its `namespaces` ({near}) do not include {namespace}" in warning


def test_undefined_groups_are_reported_with_all_other_errors(modules: Modules, namespace: str) -> None:
    bad = {"name": "bad", "lvel": "x"}
    lost = {"name": "lost", "level": "private", "read": {"groups": ["nope"]}}
    message = modules.refused("share_acl", options(namespace, bad, lost))
    assert "'lvel'" in message
    assert "'nope', which is not defined" in message
