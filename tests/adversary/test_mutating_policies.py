"""Labels that a policy of the cluster removes: one warning for each object, and no change that is reported for ever."""

from __future__ import annotations

import uuid

import pytest

from tests.support.cluster import wait_for
from tests.support.homes import make_home

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


@pytest.fixture
def strip(cluster, namespace):
    """Make a policy that removes labels or annotations of a kind of objects in the namespace: `strip(resource, (where, key))`.

    Of volumes, these are the ones whose claim is there.
    """
    made = []

    def make(resource, *marks):
        name = f"odhp-{uuid.uuid4().hex[:8]}"
        mutations = [
            {
                "patchType": "JSONPatch",
                "jsonPatch": {
                    "expression": f"'{key}' in object.metadata.?{where}.orValue({{}}) ? "
                    f"[JSONPatch{{op: 'remove', path: '/metadata/{where}/' + jsonpatch.escapeKey('{key}')}}] : []"
                },
            }
            for where, key in marks
        ]
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": [resource],
        }
        spec = {
            "matchConstraints": {"resourceRules": [rule]},
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": mutations,
        }
        if resource == "persistentvolumes":
            condition = f"object.spec.?claimRef.?namespace.orValue('') == '{namespace}'"
            spec["matchConditions"] = [{"name": "namespace", "expression": condition}]
        else:
            selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
            spec["matchConstraints"]["namespaceSelector"] = selector
        for kind, body in (
            ("mutatingadmissionpolicies", spec),
            ("mutatingadmissionpolicybindings", {"policyName": name}),
        ):
            cluster.request("POST", f"{ADMISSION}/{kind}", {"metadata": {"name": name}, "spec": body})
            made.append((kind, name))
        wait_for(lambda: not kept(resource, marks), "the policy is in force")

    def kept(resource, marks):
        metadata = {"name": f"probe-{namespace}", "labels": {}, "annotations": {}}
        for where, key in marks:
            metadata[where][key] = "x"
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        volume = {
            "accessModes": ["ReadWriteMany"],
            "capacity": {"storage": "1Gi"},
            "claimRef": {"namespace": namespace, "name": "probe"},
            "nfs": {"server": "nfs.invalid", "path": "/"},
        }
        specs = {"persistentvolumeclaims": {"spec": claim}, "persistentvolumes": {"spec": volume}, "configmaps": {}}
        inside = "" if resource == "persistentvolumes" else f"namespaces/{namespace}/"
        body = {"metadata": metadata, **specs[resource]}
        answer = cluster.request("POST", f"/api/v1/{inside}{resource}", body, query={"dryRun": "All"})
        return answer["metadata"].get("labels") or answer["metadata"].get("annotations")

    yield make
    for kind, name in reversed(made):
        cluster.request("DELETE", f"{ADMISSION}/{kind}/{name}")


def ours(*keys):
    return [("labels" if key in ("kind", "owner") else "annotations", f"odh.persistency/{key}") for key in keys]


def test_marks_that_do_not_stay(cluster, namespace, modules, strip):
    strip("persistentvolumeclaims", *ours("owner"), ("labels", "team"))
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
        assert "Claim maps does not keep the labels odh.persistency/owner, team" in again.warnings[0]
    # What stays is still a change.
    shares["shares"][0]["labels"] = {"team": "red", "stage": "test"}
    assert modules.ok("share_pvc", shares).actions() == {"maps": "update"}
    assert not modules.ok("share_pvc", shares).changed


def test_a_second_run_of_every_module_changes_nothing(cluster, namespace, modules, share_volumes, strip):
    """Claims, volumes and ConfigMaps lose marks that are needed to find them, but not to know whose they are."""
    strip("persistentvolumeclaims", *ours("kind", "level"))
    strip("persistentvolumes", *ours("kind", "level", "share", "claim-uid"), ("labels", "odh.persistency/share"))
    strip("configmaps", *ours("kind", "schema", "writer", "published-at", "publication"))
    shares = [
        {
            "name": "maps",
            "level": "public",
            "size": "1Gi",
            "backend": {"type": "storage_class", "storage_class": "standard"},
        },
        {
            "name": f"nfs-{namespace}",
            "level": "private",
            "size": "1Gi",
            "backend": {"type": "nfs", "server": "nfs.invalid", "path": f"/{namespace}"},
            "read": {"users": ["ann"]},
        },
    ]
    claims = {"namespaces": [namespace], "shares": shares}
    acl = {"namespace": namespace, "shares": shares}
    runs = (
        ("user_pvc", {"namespace": namespace, "users": ["ann", "bob"], "size": "1Gi"}, 2),
        ("share_pvc", claims, 2),
        ("share_acl", acl, 3),
        ("share_acl", {**acl, "format": "jsp"}, 1),
    )
    for module, options, _count in runs:
        assert modules.ok(module, options).changed
    for module, options, count in runs:
        for check in (True, False):
            again = modules.ok(module, options, check=check, diff=True)
            assert not again.changed, again.changes
            assert again.output["diff"] == {"before": "", "after": ""}
            lost = [text for text in again.warnings if "does not keep the" in text]
            assert len(lost) == count, again.warnings
    shown = modules.ok("share_access_info", {"namespace": namespace, "for_users": ["ann"]})
    assert shown.users[0]["ro"] == ["maps", f"nfs-{namespace}"]
    # And the claims are still those of the shares.
    retired = modules.ok("share_pvc", {**claims, "state": "retired"})
    assert set(retired.actions().values()) == {"retire"}
    assert not modules.ok("share_pvc", {**claims, "state": "retired"}).changed


def test_an_access_list_that_readers_cannot_check_is_a_failure(cluster, namespace, modules, strip):
    strip("configmaps", *ours("digest"))
    options = {"namespace": namespace, "shares": [{"name": "maps", "level": "public"}]}
    for number, check in enumerate((True, False, True, False)):
        result = modules.run("share_acl", options, check=check)
        assert result.failed
        assert "odh-persistency-acl does not keep the annotation odh.persistency/digest" in result.msg
        assert "nobody gets a share" in result.msg
        assert result.changed is (number < 2)  # the parts are written, and the index is not valid
        assert "Another run wrote" not in str(result.warnings)
