"""The namespaces of a hub: NOTEBOOK_NAMESPACE of Open Data Hub, namespaces that are created, and Projects of OpenShift."""

from __future__ import annotations

import pytest
import yaml

from testbed.faults import Rule, call, status
from testbed.paths import ROOT
from testbed.proxy import FaultProxy
from tests.support.cluster import PROJECT_REQUESTS, TEST_LABEL, ClusterError, wait_for
from tests.support.shares import share

NAME = "odh-persistency-hub"
REQUESTS = ROOT / "tests" / "support" / "project_requests.yaml"
SHARE = share("papers", read={"users": ["ann"]})


@pytest.fixture
def odh(cluster, namespace):
    """The service account of a hub of Open Data Hub."""
    cluster.create("serviceaccounts", {"metadata": {"name": "jupyterhub-hub"}}, namespace)
    return namespace


def workload(name, account="jupyterhub-hub", **variable):
    """The manifest of a Deployment or DeploymentConfig with NOTEBOOK_NAMESPACE."""
    env = [{"name": "NOTEBOOK_NAMESPACE", **variable}] if variable else []
    labels = {"app": name}
    containers = [{"name": "hub", "image": "odh.persistency/none:test", "env": env}]
    template = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": account, "containers": containers}}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }


def deployment_config(name, **variable):
    body = workload(name, **variable)
    return {**body, "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig"}


def bindings_of(cluster, *namespaces):
    return [name for name in namespaces if cluster.get("rolebindings", NAME, name) is not None]


class TestNotebookNamespace:
    def test_the_servers_run_where_the_deployment_says(self, cluster, modules, odh, other, audit):
        cluster.create("deployments", workload("database", "default", value="elsewhere"), odh)
        cluster.create("deployments", workload("jupyterhub", value=other), odh)
        modules.ok("share_acl", {"namespace": other, "shares": [{**SHARE, "read": {"groups": ["hub:readers"]}}]})
        options = {"namespace": odh, "flavor": "odh"}
        result = modules.ok("hub_config", options)
        assert result.servers_namespace == other
        assert result.next_step == f"oc rollout restart deployment/jupyterhub --namespace {odh}"
        assert cluster.get("rolebindings", NAME, other)["subjects"][0]["namespace"] == odh
        python = cluster.get("configmaps", "jupyterhub-cfg", odh)["data"]["jupyterhub_config.py"]
        assert "manage_groups" in python  # by the access list there
        with audit(user_agent="odh.persistency/") as log:
            assert not modules.ok("hub_config", options).changed
        assert not log.writes, log
        findings = modules.ok("hub_health_info", options).findings
        assert {one["severity"] for one in findings if one["check"] == "access_list"} == {"ok"}
        modules.ok("hub_config", {**options, "state": "absent"})
        assert bindings_of(cluster, odh, other) == []

    def test_a_deployment_config_and_a_config_map(self, cluster, modules, odh, other):
        cluster.create("configmaps", {"metadata": {"name": "settings"}, "data": {"books": other}}, odh)
        reference = {"configMapKeyRef": {"name": "settings", "key": "books"}}
        try:
            cluster.create("deploymentconfigs", deployment_config("hub", valueFrom=reference), odh)
        except ClusterError:
            pytest.skip("the cluster has no DeploymentConfigs")
        result = modules.ok("hub_config", {"namespace": odh, "flavor": "odh"}, check=True)
        assert result.servers_namespace == other
        assert result.next_step == f"oc rollout latest dc/hub --namespace {odh}"

    @pytest.mark.parametrize("variable", [{}, {"value": "another"}])
    def test_what_the_operator_sets_must_not_contradict_it(self, cluster, modules, odh, other, variable):
        cluster.create("deployments", workload("jupyterhub", **variable), odh)
        options = {"namespace": odh, "flavor": "odh", "servers_namespace": other}
        place = "Deployment jupyterhub"
        expected = (
            f"NOTEBOOK_NAMESPACE of {place} is another" if variable else f"{place} does not set NOTEBOOK_NAMESPACE"
        )
        for module in ("hub_config", "hub_health_info"):
            if module == "hub_health_info":
                cluster.create("configmaps", {"metadata": {"name": "jupyterhub-cfg"}, "data": {}}, odh)
            message = modules.refused(module, options)
            assert f"`hub_servers_namespace` is {other}, but {expected}" in message
            assert "or remove `hub_servers_namespace`" in message
        assert bindings_of(cluster, odh, other) == []
        # Unless the hub's own configuration sets it.
        data = {"jupyterhub_config.py": f"c.KubeSpawner.namespace = {other!r}\n"}
        cluster.patch("configmaps", "jupyterhub-cfg", {"data": data}, odh)
        assert modules.ok("hub_config", options).servers_namespace == other

    def test_a_value_that_is_not_known_is_asked_for(self, cluster, modules, odh, other):
        secret = {"secretKeyRef": {"name": "settings", "key": "books"}}
        cluster.create("deployments", workload("jupyterhub", valueFrom=secret), odh)
        options = {"namespace": odh, "flavor": "odh"}
        message = modules.refused("hub_config", options)
        assert "comes from a source that is not read: set `hub_servers_namespace`" in message
        assert bindings_of(cluster, odh, other) == []
        assert modules.ok("hub_config", {**options, "servers_namespace": other}).servers_namespace == other

    def test_a_login_that_may_not_read_it_is_warned(self, modules, odh, restricted_user):
        rbac = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["*"]}
        kinds = ["serviceaccounts", "configmaps", "secrets", "persistentvolumeclaims", "events"]
        kubeconfig = restricted_user([rbac, {"apiGroups": [""], "resources": kinds, "verbs": ["*"]}])
        result = modules.ok("hub_config", {"namespace": odh, "flavor": "odh"}, kubeconfig=kubeconfig)
        (warning,) = [one for one in result.warnings if "NOTEBOOK_NAMESPACE" in one]
        assert f"so namespace {odh} is used" in warning
        assert result.servers_namespace == odh


# -- namespaces that do not exist --------------------------------------------------------------------------------------------


@pytest.fixture
def absent(cluster):
    """The names of two namespaces that do not exist, and that are removed afterwards."""
    names = []
    for _number in range(2):
        names.append(cluster.make_namespace())
        cluster.remove_namespace(names[-1])
    wait_for(lambda: all(cluster.get("namespaces", name) is None for name in names), "the namespaces are gone", 60)
    yield names
    for name in names:
        cluster.remove_namespace(name)
        cluster.delete("projects", name)


@pytest.fixture
def openshift(cluster, testbed):
    """A kubeconfig for an OpenShift: it takes requests for Projects, and a Project has its Namespace when it answers.

    The API server stores the requests. A proxy in front of it does what OpenShift does with them, and like OpenShift it takes a
    dry run for a request.
    """
    cluster.create("customresourcedefinitions", yaml.safe_load(REQUESTS.read_text()))
    requests = "/apis/project.openshift.io/v1/projectrequests"

    def is_served():
        try:
            return cluster.request("GET", requests)
        except ClusterError:
            return None

    wait_for(is_served, "the API server serves requests for Projects")

    def fulfil(request):
        name = request.json["metadata"]["name"]
        cluster.create("namespaces", {"metadata": {"name": name, "labels": {TEST_LABEL: "true"}}})
        body = {"apiVersion": "project.openshift.io/v1", "kind": "Project", "metadata": {"name": name}}
        cluster.create("projects", body)

    with FaultProxy(cluster.kubeconfig, [Rule(call(fulfil), method="POST", path="/projectrequests")]) as proxy:
        yield proxy.kubeconfig
    cluster.delete("customresourcedefinitions", PROJECT_REQUESTS)
    # Until then the next test would get a Project that nobody creates.
    wait_for(lambda: not is_served(), "the API server serves no requests for Projects", 60)


def creates(result):
    return [change["name"] for change in result.changes if change["kind"] == "namespace"]


def run_of(module, names, tmp_path):
    """The module and its options for one of the three that create namespaces."""
    values = tmp_path / "values.yaml"
    return {
        "user_pvc": {"namespace": names[0], "users": ["ann"]},
        "share_pvc": {"namespaces": names, "shares": [SHARE]},
        "hub_config": {
            "namespace": names[0],
            "servers_namespace": names[1],
            "values_file": str(values),
            "new": True,
        },
    }[module]


MODULES = ("user_pvc", "share_pvc", "hub_config")


@pytest.mark.parametrize("module", MODULES)
def test_on_openshift_a_namespace_is_requested_as_a_project(
    cluster, modules, absent, openshift, audit, tmp_path, module, share_volumes
):
    options = {**run_of(module, absent, tmp_path), "create_namespace": True}
    expected = absent[:1] if module == "user_pvc" else sorted(absent)
    with audit(user_agent="odh.persistency/") as log:
        preview = modules.ok(module, options, check=True, diff=True, kubeconfig=openshift)
    assert creates(preview) == expected
    assert f"project {expected[0]}" in str(preview.output["diff"])
    # OpenShift would take a dry run for a request.
    assert log.count(resource="projectrequests", verb="create") == 0, log
    assert all(cluster.get("namespaces", name) is None for name in absent)
    with audit(user_agent="odh.persistency/") as log:
        result = modules.ok(module, options, kubeconfig=openshift)
    assert creates(result) == expected
    assert sorted(request.name for request in log.select(resource="projectrequests", verb="create")) == expected
    assert log.count(resource="namespaces", verb="create") == 0, log
    assert all(cluster.get("namespaces", name) is not None for name in expected)
    # It gets by name first, and asks nothing of what exists.
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok(module, options, kubeconfig=openshift).changed
    assert log.count(resource="projectrequests") == 0, log
    assert not log.writes, log


def test_a_login_that_may_not_request_projects_creates_namespaces(cluster, modules, absent, openshift, audit):
    refused = Rule(status(403), method="GET", path="/projectrequests")
    with FaultProxy(cluster.kubeconfig, [refused]) as proxy, audit(user_agent="odh.persistency/") as log:
        options = {"namespace": absent[0], "users": ["ann"], "create_namespace": True}
        modules.ok("user_pvc", options, kubeconfig=proxy.kubeconfig)
    assert log.count(resource="namespaces", verb="create") == 1, log


@pytest.mark.parametrize("module", MODULES)
def test_without_projects_it_is_a_namespace(modules, absent, tmp_path, module, share_volumes):
    options = {**run_of(module, absent, tmp_path), "create_namespace": True}
    expected = absent[:1] if module == "user_pvc" else sorted(absent)
    preview = modules.ok(module, options, check=True)
    assert creates(preview) == expected
    result = modules.ok(module, options)
    assert creates(result) == expected
    assert result.changes == preview.changes
    assert not modules.ok(module, options).changed


def test_a_hub_that_must_exist_is_no_reason_to_create_its_namespace(cluster, modules, absent, tmp_path):
    options = {**run_of("hub_config", absent, tmp_path), "create_namespace": True, "new": False}
    assert "set `hub_new: true` if the hub is not installed yet" in modules.refused("hub_config", options)
    options = {**run_of("hub_config", absent, tmp_path), "new": True}
    message = modules.refused("hub_config", options)
    assert f"Namespace {absent[0]} does not exist: create it first" in message
    assert "`hub_create_namespace: true`" in message
    assert all(cluster.get("namespaces", name) is None for name in absent)
    assert list(tmp_path.iterdir()) == []
