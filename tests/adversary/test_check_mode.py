"""Check mode fails for whatever a real run fails for. Requests that cannot be tried give one warning."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path

import pytest

from testbed.faults import Rule, status
from testbed.proxy import FaultProxy
from tests.support.cluster import wait_for
from tests.support.homes import make_home

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


@pytest.fixture
def admission(cluster):
    """Create objects of admission and remove them after the test: `admission(resource, body)`."""
    made = []

    def create(resource, name, spec):
        body = {"metadata": {"name": name}, **spec}
        cluster.request("POST", f"{ADMISSION}/{resource}", body)
        made.append((resource, name))

    yield create
    for resource, name in made:
        cluster.request("DELETE", f"{ADMISSION}/{resource}/{name}")


def only_in(namespace):
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def homes(namespace, *users, **options):
    return {"namespace": namespace, "users": list(users), "size": "10Gi", **options}


def shares(namespace):
    backend = {"type": "storage_class", "storage_class": "standard"}
    return {
        "namespaces": [namespace],
        "shares": [{"name": name, "level": "public", "size": "10Gi", "backend": backend} for name in ("maps", "logs")],
    }


def acl(namespace):
    names = ("maps", "logs")
    return {
        "namespace": namespace,
        "shares": [{"name": name, "level": "public", "read": {"users": ["ann"]}} for name in names],
    }


def test_what_admission_forbids_fails_in_check_mode_too(cluster, namespace, modules, admission):
    limits = {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "5Gi"}}]}
    cluster.request(
        "POST", f"/api/v1/namespaces/{namespace}/limitranges", {"metadata": {"name": "small"}, "spec": limits}
    )
    name = f"odhp-{uuid.uuid4().hex[:8]}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
    # The sentence of a policy may look like that of RBAC.
    sentence = 'User "ann" cannot create resource "configmaps"'
    policy = {
        "matchConstraints": {"namespaceSelector": only_in(namespace), "resourceRules": [rule]},
        "validations": [
            {
                "expression": "!('odh.persistency/kind' in object.metadata.?labels.orValue({}))",
                "message": sentence,
                "reason": "Forbidden",
            }
        ],
    }
    admission("validatingadmissionpolicies", name, {"spec": policy})
    binding = {"policyName": name, "validationActions": ["Deny"]}
    admission("validatingadmissionpolicybindings", name, {"spec": binding})

    def is_denied():
        body = {"metadata": {"name": "probe", "labels": {"odh.persistency/kind": "x"}}}
        with contextlib.suppress(Exception):
            cluster.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", body, query={"dryRun": "All"})
            return False
        return True

    wait_for(is_denied, "the policy is in force")
    for check in (True, False):
        result = modules.run("user_pvc", homes(namespace, "ann", {"name": "bea", "size": "1Gi"}), check=check)
        assert result.failed
        assert [item["owner"] for item in result.failed_items] == ["ann"]
        assert "maximum storage usage per PersistentVolumeClaim is 5Gi" in result.failed_items[0]["reason"]
        assert result.warnings == []
        result = modules.run("share_pvc", shares(namespace), check=check)
        assert sorted(item["name"] for item in result.failed_items) == ["logs", "maps"]
        result = modules.run("share_acl", acl(namespace), check=check)
        assert result.failed
        assert sentence in result.output["msg"]
    assert set(cluster.claims(namespace)) == {"claim-bea"}


def test_what_cannot_be_tried_is_one_warning(cluster, namespace, modules, restricted_user):
    make_home(cluster, namespace, "claim-old", "old")
    reader = restricted_user(
        [
            {
                "apiGroups": [""],
                "resources": ["persistentvolumeclaims", "configmaps", "resourcequotas"],
                "verbs": ["list", "get"],
            }
        ],
        cluster_rules=[
            {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["list"]},
            {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": ["list", "get"]},
        ],
    )
    todo = (
        ("user_pvc", homes(namespace, "ann", "bea", {"name": "old", "size": "1Gi"}), 3),
        ("share_pvc", shares(namespace), 2),
        ("share_acl", acl(namespace), None),
    )
    for module, options, count in todo:
        result = modules.ok(module, options, check=True, kubeconfig=reader)
        assert len(result.warnings) == 1, result.warnings
        assert "may not" in result.warnings[0]
        assert count is None or f"changes not validated: {count}" in result.warnings[0]
    unsupported = status(
        400, reason="BadRequest", message='admission webhook "notes.example.com" does not support dry run'
    )
    denied = status(
        400, reason="BadRequest", message='admission webhook "notes.example.com" denied the request: no dry run'
    )
    for module, options, _count in todo:
        with FaultProxy(
            cluster.kubeconfig, [Rule(unsupported, method="POST"), Rule(unsupported, method="PATCH")]
        ) as proxy:
            result = modules.ok(module, options, check=True, kubeconfig=Path(proxy.kubeconfig))
        assert len(result.warnings) == 1, result.warnings
        assert 'admission webhook "notes.example.com" does not support dry run' in result.warnings[0]
        with FaultProxy(cluster.kubeconfig, [Rule(denied, method="POST"), Rule(denied, method="PATCH")]) as proxy:
            result = modules.run(module, options, check=True, kubeconfig=Path(proxy.kubeconfig))
        assert result.failed
        assert "denied the request" in result.output["msg"]
