"""Namespaces that the roles create: part of the plan, and nothing is asked or written if they exist."""

from __future__ import annotations

import uuid

import pytest

AGENT = "odh.persistency/"
SHARE = {
    "name": "data",
    "level": "public",
    "size": "1Gi",
    "backend": {"type": "storage_class"},
    "read": {"everyone": True},
}


@pytest.fixture
def unmade(cluster):
    """The name of a namespace that does not exist."""
    name = f"odhp-made-{uuid.uuid4().hex[:8]}"
    yield name
    cluster.remove_namespace(name)


def of(requests, name):
    """The requests for a namespace, and for what is in it."""
    return [request for request in requests if name in (request.namespace, request.name)]


CASES = {
    "user_pvc": lambda name: {"namespace": name, "users": ["ann"]},
    "share_pvc": lambda name: {"namespaces": [name], "shares": [SHARE]},
}


@pytest.mark.parametrize("module", CASES)
def test_a_namespace_is_the_first_item_of_the_plan(cluster, modules, audit, unmade, module):
    options = {**CASES[module](unmade), "create_namespace": True}
    with audit(user_agent=AGENT) as log:
        shown = modules.ok(module, options, check=True, diff=True)
    assert cluster.get("namespaces", unmade) is None
    assert of(log.writes, unmade) == []
    assert "namespaces" in {request.resource for request in of(log.requests, unmade) if request.dry_run}
    assert f"Namespace {unmade} does not exist" in " ".join(shown.warnings)

    made = modules.ok(module, options, diff=True)
    assert made.changes == shown.changes
    assert made.output["diff"] == shown.output["diff"]
    assert f"namespace {unmade}\n" in str(made.output["diff"]["after"])
    first = made.changes[0]
    assert (first["kind"], first["action"], first["name"]) == ("namespace", "create", unmade)
    assert made.summary["create"] == 2
    assert len(cluster.claims(unmade)) == 1

    with audit(user_agent=AGENT) as log:
        again = modules.ok(module, options)
    assert again.changed is False
    requests = of(log.requests, unmade)
    assert {(request.verb, request.resource) for request in requests} == {("list", "persistentvolumeclaims")}


@pytest.mark.parametrize("module", CASES)
def test_nothing_is_created_for_a_run_that_is_rejected(cluster, modules, unmade, module):
    options = {**CASES[module](unmade), "create_namespace": True}
    wrong = options | ({"size": "10GB"} if module == "user_pvc" else {"shares": [{**SHARE, "size": "10GB"}]})
    assert "10GB" in modules.refused(module, wrong)
    assert cluster.get("namespaces", unmade) is None
    assert f"Namespace {unmade} does not exist" in modules.refused(module, {**options, "create_namespace": False})


@pytest.mark.parametrize("module", CASES)
def test_a_login_without_permission(cluster, modules, restricted_user, namespace, unmade, module):
    """What is missing is one sentence with the rule. A namespace with claims needs no permission on namespaces."""
    claims = {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "list", "create"]}
    kubeconfig = restricted_user([claims])
    options = {**CASES[module](namespace), "create_namespace": True}
    message = modules.refused(module, options, kubeconfig=kubeconfig)
    assert "may not get namespaces" in message
    assert 'resources: ["namespaces"], verbs: ["get"]' in message
    assert cluster.claims(namespace) == {}
    modules.ok(module, {**options, "create_namespace": False})
    modules.ok(module, options, kubeconfig=kubeconfig)

    reads = {**claims, "verbs": ["get", "list"]}
    named = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}
    kubeconfig = restricted_user([], cluster_rules=[reads, named])
    message = modules.refused(module, {**CASES[module](unmade), "create_namespace": True}, kubeconfig=kubeconfig)
    assert "may not create namespaces in the cluster" in message
    assert cluster.get("namespaces", unmade) is None


def test_a_run_of_the_roles(cluster, audit, playbooks, unmade):
    """No module of kubernetes.core runs, and with nothing to do one call of each role suffices."""
    inventory = {
        "homes_namespace": unmade,
        "homes_create_namespace": True,
        "homes_users": ["ann"],
        "shares_namespace": unmade,
        "shares_create_namespace": True,
        "shares_list": [{**SHARE, "namespaces": [unmade]}, {**SHARE, "name": "jobs", "namespaces": [f"{unmade}-jobs"]}],
    }
    try:
        with audit() as log:
            shown = playbooks.ok("odh.persistency.site", inventory, "--check", "--diff")
        ours = [request for request in of(log.requests, unmade) if not request.user.startswith("system:")]
        assert {request.user_agent.split("/")[0] for request in ours} == {"odh.persistency"}
        assert cluster.get("namespaces", unmade) is None
        assert f"+namespace {unmade}-jobs" in shown.output
        first = playbooks.ok("odh.persistency.site", inventory, "--diff")
        assert first.recap["changed"] == 3  # homes, volumes, access list
        assert [*cluster.claims(f"{unmade}-jobs")] == ["jobs"]
        with audit(user_agent=AGENT) as log:
            second = playbooks.ok("odh.persistency.site", inventory, "-v")
        assert second.recap["changed"] == 0
        requests = of(log.requests, unmade)
        assert {request.verb for request in requests} <= {"get", "list"}
        assert "namespaces" not in {request.resource for request in requests}
        assert second.output.count('"skip_reason"') >= 5  # all module calls of the shares role but the preflight
        assert "TASK [odh.persistency.shares : Nothing to do]" in second.output
        assert "claims and volumes: keep" in second.output
        assert "access: keep" in second.output
    finally:
        cluster.remove_namespace(f"{unmade}-jobs")
