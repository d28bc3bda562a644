"""Labels that a policy of the cluster removes: one warning for each object, and no change that is reported for ever."""

from __future__ import annotations

import uuid

import pytest

from tests.support.cluster import wait_for
from tests.support.homes import make_home

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


@pytest.fixture
def stripping(cluster, namespace):
    """A policy that removes two labels from every claim of the namespace."""
    name = f"odhp-{uuid.uuid4().hex[:8]}"
    keys = ("odh.persistency/owner", "team")
    mutations = [
        {
            "patchType": "JSONPatch",
            "jsonPatch": {
                "expression": f"'{key}' in object.metadata.?labels.orValue({{}}) ? "
                f"[JSONPatch{{op: 'remove', path: '/metadata/labels/' + jsonpatch.escapeKey('{key}')}}] : []"
            },
        }
        for key in keys
    ]
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["persistentvolumeclaims"],
    }
    spec = {
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": [rule],
        },
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": mutations,
    }
    made = (
        ("mutatingadmissionpolicies", spec),
        ("mutatingadmissionpolicybindings", {"policyName": name}),
    )
    for resource, body in made:
        cluster.request("POST", f"{ADMISSION}/{resource}", {"metadata": {"name": name}, "spec": body})

    def is_in_force():
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        body = {"metadata": {"name": "probe", "labels": {"team": "x", "odh.persistency/owner": "x"}}, "spec": spec}
        address = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
        return not cluster.request("POST", address, body, query={"dryRun": "All"})["metadata"].get("labels")

    wait_for(is_in_force, "the policy is in force")
    yield
    for resource, _body in reversed(made):
        cluster.request("DELETE", f"{ADMISSION}/{resource}/{name}")


def test_marks_that_do_not_stay(cluster, namespace, modules, stripping):
    make_home(cluster, namespace, "claim-bob", "bob")
    homes = {"namespace": namespace, "users": ["ann", {"name": "bob", "labels": {"team": "red"}}], "size": "1Gi"}
    backend = {"type": "storage_class", "storage_class": "standard"}
    share = {"name": "maps", "level": "public", "size": "1Gi", "backend": backend, "labels": {"team": "red"}}
    shares = {"namespaces": [namespace], "shares": [share]}

    first = modules.ok("user_pvc", homes)
    assert first.actions() == {"claim-ann": "create", "claim-bob": "adopt"}
    assert len(first.warnings) == 2, first.warnings
    assert any(
        "Claim claim-bob" in warning and "odh.persistency/owner, team" in warning for warning in first.warnings
    ), first.warnings
    assert modules.ok("share_pvc", shares).actions() == {"maps": "create"}
    for check in (True, False):
        again = modules.ok("user_pvc", homes, check=check, diff=True)
        assert not again.changed
        assert again.output["diff"] == {"before": "", "after": ""}
        assert again.summary == {"keep": 2}
        assert len(again.warnings) == 2, again.warnings
        again = modules.ok("share_pvc", shares, check=check)
        assert not again.changed
        assert len(again.warnings) == 1, again.warnings
        assert "label team" in again.warnings[0]
    # What stays is still a change.
    shares["shares"][0]["labels"] = {"team": "red", "stage": "test"}
    assert modules.ok("share_pvc", shares).actions() == {"maps": "update"}
    assert not modules.ok("share_pvc", shares).changed
