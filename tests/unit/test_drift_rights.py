"""examples/rbac/drift.yml reads all that the other accounts of a site read, and writes only Jobs that read a tree."""

from __future__ import annotations

from pathlib import Path

import yaml

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def documents(*names):
    texts = [(EXAMPLES / name).read_text(encoding="utf-8") for name in names]
    return [document for text in texts for document in yaml.safe_load_all(text)]


def rights(*names):
    """Return what roles of the files allow: namespace (None for the cluster), group, resource, name and verb."""
    return {
        (role["metadata"].get("namespace"), group, resource, name, verb)
        for role in documents(*names)
        if role["kind"] in ("Role", "ClusterRole")
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [None])
        for verb in rule["verbs"]
    }


def test_the_account_reads_what_a_run_reads_and_writes_only_what_reads_a_tree_in_jobs():
    files = [f"rbac/{name}.yml" for name in ("homes", "shares", "hub", "software")]
    read = {right for right in rights(*files) if right[-1] in ("get", "list")}
    # software.yml may read every namespace, since nothing is known of those of servers.
    read -= {(None, "", "namespaces", None, "get")}
    read |= {(None, "", "namespaces", "software-builder", "get")}
    jobs = {("software-builder", "batch", "jobs", None, verb) for verb in ("create", "delete")}
    jobs |= {("software-builder", "", "configmaps", None, verb) for verb in ("create", "patch", "delete")}
    assert jobs <= rights("rbac/software.yml")
    assert rights("rbac/drift.yml") == read | jobs


def test_every_role_is_bound_to_the_account_whose_token_the_secret_has():
    found = documents("rbac/drift.yml")
    (account,) = [item["metadata"] for item in found if item["kind"] == "ServiceAccount"]
    (secret,) = [item for item in found if item["kind"] == "Secret"]
    assert secret["metadata"]["annotations"] == {"kubernetes.io/service-account.name": account["name"]}
    assert secret["metadata"]["namespace"] == account["namespace"]
    roles = {(item["kind"], item["metadata"]["name"], item["metadata"].get("namespace")) for item in found}
    bindings = [item for item in found if item["kind"].endswith("Binding")]
    assert len(bindings) == len([item for item in found if item["kind"].endswith("Role")])
    for binding in bindings:
        assert binding["subjects"] == [{"kind": "ServiceAccount", **account}]
        reference = binding["roleRef"]
        assert (reference["kind"], reference["name"], binding["metadata"].get("namespace")) in roles


def test_the_container_group_has_the_account_and_its_token():
    (pod,) = documents("awx/container-group.yml")
    (account,) = [item["metadata"] for item in documents("rbac/drift.yml") if item["kind"] == "ServiceAccount"]
    assert pod["metadata"]["namespace"] == account["namespace"]
    assert pod["spec"] == {"serviceAccountName": account["name"], "automountServiceAccountToken": True}
