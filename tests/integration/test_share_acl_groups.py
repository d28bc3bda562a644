"""Groups of the cluster, read with OpenShift's dynamic client, and the permissions for publishing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from testbed.faults import Rule, cut, status
from testbed.proxy import FaultProxy
from tests.support.acl import AGENT, objects, options, read, share

RIGHTS = Path(__file__).resolve().parents[2] / "examples" / "rbac" / "shares.yml"
GROUPS = "/groups"


@pytest.fixture
def make_group(cluster):
    """`make_group(users)`: create a Group of the cluster, which is deleted after the test."""
    if not cluster.serves_groups():
        pytest.skip("the cluster has no Groups of user.openshift.io")
    made = []

    def make(users):
        made.append(cluster.make_group(users))
        return made[-1]

    yield make
    for name in made:
        cluster.delete("groups", name)


def granted(namespace, *groups, **more):
    return options(namespace, [share("data", read={"groups": list(groups)})], **more)


def set_users(cluster, name, users):
    cluster.patch("groups", name, {"users": users})


def test_members_are_read_at_each_run(cluster, namespace, modules, audit, make_group, tmp_path):
    group = make_group(["ann", "ben"])
    chosen = granted(namespace, f"openshift:{group}", "plain", groups={"plain": ["cat"]})
    environment = cluster.environment | {"TMPDIR": str(tmp_path)}
    with audit(user_agent=AGENT) as log:
        modules.ok("share_acl", chosen, environment=environment)
    assert [(request.verb, request.name) for request in log.select(resource="groups")] == [("get", group)]
    assert not log.select(resource=""), "nothing is discovered"
    assert not list(tmp_path.rglob("osrcp-*")), "no cache of discoveries"
    assert [read(cluster, namespace, who).mode("data") for who in ("ann", "ben", "cat", "dan")] == [
        "ro",
        "ro",
        "ro",
        None,
    ]
    with audit(user_agent=AGENT) as log:
        assert not modules.ok("share_acl", chosen).changed
    assert [(request.verb, request.resource) for request in log.requests] == [
        ("get", "groups"),
        ("list", "configmaps"),
        ("list", "persistentvolumeclaims"),
        ("get", "persistentvolumeclaims"),
    ]
    set_users(cluster, group, ["ben", "dan"])
    result = modules.ok("share_acl", chosen, diff=True)
    assert f"dan gains ro on data (group openshift:{group})" in result.diff["after"].splitlines()
    assert read(cluster, namespace, "ann").mode("data") is None
    set_users(cluster, group, None)
    modules.ok("share_acl", chosen)
    assert read(cluster, namespace, "dan").mode("data") is None


def test_several_groups_are_one_list(cluster, namespace, modules, audit, make_group):
    """A Group without users, and one with an empty list, are nobody; a group of the same word elsewhere is another one."""
    first, second, third = make_group(["ann"]), make_group(None), make_group([])
    names = [f"openshift:{name}" for name in (first, second, third)]
    chosen = granted(namespace, *names, groups={first: ["eve"]})
    with audit(user_agent=AGENT) as log:
        modules.ok("share_acl", chosen)
    assert [request.verb for request in log.select(resource="groups")] == ["list"]
    assert read(cluster, namespace, "ann").mode("data") == "ro"
    assert read(cluster, namespace, "eve").mode("data") is None


def test_a_group_that_cannot_be_read_keeps_the_acl(cluster, namespace, modules, audit, make_group):
    group = make_group(["ann"])
    chosen = granted(namespace, f"openshift:{group}")
    modules.ok("share_acl", chosen)
    published = objects(cluster, namespace)
    set_users(cluster, group, ["ben"])
    for groups in ([group, group + "x"], ["nowhere"], [group, "a/b"]):
        with audit(user_agent=AGENT) as log:
            message = modules.refused("share_acl", granted(namespace, *(f"openshift:{name}" for name in groups)))
        assert not log.writes
        assert f"openshift:{groups[-1]}" in message
    assert f"did you mean `{group}`?" in modules.refused(
        "share_acl", granted(namespace, f"openshift:{group}", f"openshift:{group}x")
    )
    assert objects(cluster, namespace) == published


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ([Rule(status(500), path=GROUPS)], "answered 500 to get groups"),
        ([Rule(status(200, body=b"<html>"), path=GROUPS)], "The answer is not JSON"),
        ([Rule(status(200, body=b"[]"), path=GROUPS)], "is not a Kubernetes object"),
        (
            [Rule(status(200, body=json.dumps({"metadata": {}, "users": "ann"}).encode()), path=GROUPS)],
            "must be a list of names",
        ),
        (
            [Rule(status(200, body=json.dumps({"metadata": {}, "users": [1]}).encode()), path=GROUPS)],
            "must be a list of names",
        ),
        ([Rule(status(404, body=b"404 page not found"), path=GROUPS)], "no Groups (user.openshift.io/v1)"),
        ([Rule(cut(), path=GROUPS)], "broke"),
    ],
    ids=["500", "html", "a list", "text", "numbers", "no OpenShift", "cut"],
)
def test_an_unclear_answer_fails_the_task(cluster, namespace, modules, make_group, rules, sentence):
    chosen = granted(namespace, f"openshift:{make_group(['ann'])}")
    with FaultProxy(cluster.kubeconfig, rules) as proxy:
        result = modules.run("share_acl", chosen, kubeconfig=Path(proxy.kubeconfig))
    assert result.failed
    assert sentence in result.output["msg"]
    assert objects(cluster, namespace) == {}


@pytest.mark.parametrize(
    "rule",
    [
        lambda: Rule(status(429, retry_after=1), path=GROUPS, first=2),
        lambda: Rule(status(503), path=GROUPS, first=2),
        lambda: Rule(cut(body_bytes=20), path=GROUPS, first=1),
    ],
    ids=["429", "503", "cut"],
)
def test_transient_faults_are_retried(cluster, namespace, modules, make_group, rule):
    chosen = granted(namespace, f"openshift:{make_group(['ann'])}")
    with FaultProxy(cluster.kubeconfig, [rule()]) as proxy:
        result = modules.run("share_acl", chosen, kubeconfig=Path(proxy.kubeconfig))
    assert not result.failed, result.output["msg"]
    assert read(cluster, namespace, "ann").mode("data") == "ro"


def test_the_library_is_needed_only_for_such_groups(namespace, modules, cluster, tmp_path):
    (tmp_path / "openshift").mkdir()
    (tmp_path / "openshift" / "__init__.py").write_text("raise ImportError('not here')\n")
    environment = cluster.environment
    environment["PYTHONPATH"] = f"{tmp_path}:{environment['PYTHONPATH']}"
    modules.ok("share_acl", granted(namespace, "plain", groups={"plain": ["ann"]}), environment=environment)
    message = modules.refused("share_acl", granted(namespace, "openshift:any"), environment=environment)
    assert "(openshift)" in message
    assert "for groups of openshift:" in message


# -- rights ------------------------------------------------------------------------------------------------------------


def rules_of(kind, namespace, without=()):
    """The rules for the ACL in examples/rbac; `without` are (resource, verb)."""
    found = []
    for document in yaml.safe_load_all(RIGHTS.read_text()):
        if document["kind"] != kind or document["metadata"].get("namespace", "jupyterhub") != "jupyterhub":
            continue
        for rule in document["rules"]:
            for resource in set(rule["resources"]) & {
                "configmaps",
                "persistentvolumeclaims",
                "resourcequotas",
                "namespaces",
                "groups",
            }:
                verbs = [verb for verb in rule["verbs"] if (resource, verb) not in without]
                kept = {**rule, "resources": [resource], "verbs": verbs}
                if "resourceNames" in rule:
                    kept["resourceNames"] = [namespace]
                found += [kept] if verbs else []
    assert found
    return found


@pytest.fixture
def somebody(restricted_user, namespace):
    def somebody(*without):
        return restricted_user(
            rules_of("Role", namespace, without), cluster_rules=rules_of("ClusterRole", namespace, without)
        )

    return somebody


def test_the_permissions_in_the_example_are_sufficient(cluster, namespace, modules, make_group, somebody):
    group = make_group(["ann"])
    other = make_group(["ben"])
    chosen = granted(namespace, f"openshift:{group}", f"openshift:{other}")
    login = somebody()
    assert modules.ok("share_acl", chosen, kubeconfig=login, check=True).warnings == []
    assert modules.ok("share_acl", chosen, kubeconfig=login).warnings == []
    set_users(cluster, group, ["ben"])
    assert modules.ok("share_acl", chosen, kubeconfig=login).changed
    assert not modules.ok("share_acl", chosen, kubeconfig=login).changed
    assert modules.ok("share_acl", {**chosen, "format": "jsp"}, kubeconfig=login).changed
    assert modules.ok("share_acl", {**chosen, "format": "jsp", "state": "absent"}, kubeconfig=login).changed
    assert modules.ok("share_acl", {**chosen, "state": "absent"}, kubeconfig=login).changed
    assert objects(cluster, namespace) == {}
    message = modules.refused("share_acl", {**chosen, "namespace": "default"}, kubeconfig=login)
    assert "may not list configmaps in namespace default" in message


def needs(message, resource, verb, where="Role"):
    group = '"user.openshift.io"' if resource == "groups" else '""'
    rule = f'rule {{apiGroups: [{group}], resources: ["{resource}"], verbs: ["{verb}"]}}'
    assert re.search(rf"may not {verb} {resource}", message), message
    assert rule in message, message
    assert where in message


@pytest.mark.parametrize("verb", ["list", "create"])
def test_without_a_right_for_the_first_publication(cluster, namespace, modules, somebody, verb):
    result = modules.run("share_acl", granted(namespace), kubeconfig=somebody(("configmaps", verb)))
    assert result.failed
    needs(result.output["msg"], "configmaps", verb)
    assert objects(cluster, namespace) == {}


def test_without_permission_to_patch_the_acl_stays(cluster, namespace, modules, somebody):
    modules.ok("share_acl", granted(namespace))
    published = read(cluster, namespace, "ann").digest
    chosen = options(namespace, [share("data", read={"users": ["ann"]})])
    login = somebody(("configmaps", "patch"))
    result = modules.run("share_acl", chosen, kubeconfig=login)
    needs(result.output["msg"], "configmaps", "patch")
    assert f"ACL {published[:12]} is published" in result.output["msg"]
    assert result.acl["digest"] == published == read(cluster, namespace, "ann").digest
    shown = modules.ok("share_acl", chosen, kubeconfig=login, check=True)
    assert any("could not validate" in warning for warning in shown.warnings)


def test_without_the_right_to_delete(namespace, modules, somebody):
    modules.ok("share_acl", granted(namespace))
    result = modules.run("share_acl", granted(namespace, state="absent"), kubeconfig=somebody(("configmaps", "delete")))
    needs(result.output["msg"], "configmaps", "delete")


def test_without_the_right_to_list_groups_each_is_asked_for(cluster, namespace, modules, audit, make_group, somebody):
    groups = [make_group(["ann"]), make_group(["ben"])]
    chosen = granted(namespace, *(f"openshift:{name}" for name in groups))
    with audit(user_agent=AGENT) as log:
        modules.ok("share_acl", chosen, kubeconfig=somebody(("groups", "list")))
    assert [request.verb for request in log.select(resource="groups")] == ["list", "get", "get"]
    assert read(cluster, namespace, "ben").mode("data") == "ro"
    published = objects(cluster, namespace)
    message = modules.refused("share_acl", chosen, kubeconfig=somebody(("groups", "list"), ("groups", "get")))
    needs(message, "groups", "get", "ClusterRole")
    assert objects(cluster, namespace) == published
