"""The role hub and its playbook, through ansible-playbook: the file of Helm values and the permissions."""

from __future__ import annotations

import pytest
import yaml

from tests.support.acl import share
from tests.support.playbooks import Playbooks

HUB = "odh.persistency.hub"
NAME = "odh-persistency-hub"
PROFILES_KEY = "jupyterhub-singleuser-profiles.yaml"


@pytest.fixture
def playbooks(cluster, tmp_path):
    return Playbooks(cluster, tmp_path)


@pytest.fixture
def inventory(cluster, playbooks, namespace, tmp_path):
    labels = {"helm.sh/chart": "jupyterhub-4.4.0"}
    cluster.create("serviceaccounts", {"metadata": {"name": "hub", "labels": labels}}, namespace)
    variables = {"hub_namespace": namespace, "hub_values_file": str(tmp_path / "values.yaml"), "hub_release": "my hub"}
    return playbooks.inventory(variables)


def test_a_second_run_changes_nothing_and_going_back_leaves_nothing(
    cluster, namespace, playbooks, inventory, tmp_path, audit
):
    with audit() as log:
        preview = playbooks.run(HUB, inventory, "--check", "--diff")
    assert preview.code == 0, preview.output
    assert "from odh_persistency.hub_configuration import configure" in preview.output
    assert not (tmp_path / "values.yaml").exists()
    assert cluster.get("roles", NAME, namespace) is None
    assert "roles" in str(log.requests)

    first = playbooks.run(HUB, inventory)
    assert first.code == 0, first.output
    command = f"helm upgrade 'my hub' jupyterhub/jupyterhub --namespace {namespace} --version 4.4.0 --reuse-values -f "
    assert command in first.output
    values = yaml.safe_load((tmp_path / "values.yaml").read_text())
    assert set(values["hub"]) == {"extraFiles", "extraConfig", "services", "loadRoles"}
    assert cluster.get("roles", NAME, namespace)["rules"][0]["resources"] == ["configmaps"]
    assert cluster.get("rolebindings", NAME, namespace)["subjects"][0]["name"] == "hub"

    with audit() as log:
        second = playbooks.run(HUB, inventory)
    assert second.recap["changed"] == 0, second.output
    assert [
        request for request in log.requests if namespace in str(request) and not str(request).startswith("get")
    ] == []

    back = playbooks.ok(HUB, inventory, extra={"hub_state": "absent"})
    assert back.recap["changed"] == 1
    command = f"helm upgrade 'my hub' jupyterhub/jupyterhub --namespace {namespace} --version 4.4.0 --reset-values -f "
    assert command in back.output
    assert cluster.get("roles", NAME, namespace) is None
    assert cluster.get("rolebindings", NAME, namespace) is None
    assert not (tmp_path / "values.yaml").exists()
    assert playbooks.ok(HUB, inventory, extra={"hub_state": "absent"}).recap["changed"] == 0


def test_servers_mount_the_tree_of_the_role_software_unless_the_hub_says_otherwise(
    playbooks, namespace, inventory, tmp_path
):
    def settings(**variables):
        playbooks.ok(HUB, inventory, extra={"software_prefix": "/opt/apps", **variables})
        return yaml.safe_load((tmp_path / "values.yaml").read_text())["hub"]["extraConfig"]["zz-odh-persistency"]

    rendered = settings(software_name="apps", hub_lmod_system_name="gpu")
    for text in (
        '"claim":"apps"',
        '"mount_path":"/opt/apps"',
        '"MODULEPATH":"/opt/apps/current/modules/all"',
        '"LMOD_SYSTEM_NAME":"gpu"',
        '"LMOD_CMD":"/usr/share/lmod/lmod/libexec/lmod"',
    ):
        assert text in rendered.replace(": ", ":"), rendered
    assert "MODULEPATH" not in settings(hub_software={})


def test_a_hub_of_open_data_hub_whose_servers_run_in_another_namespace(cluster, namespace, other, playbooks, audit):
    """NOTEBOOK_NAMESPACE of its Deployment says where. It reads profiles beside itself, and claims are where the servers run."""
    cluster.create("serviceaccounts", {"metadata": {"name": "jupyterhub-hub"}}, namespace)
    container = {"name": "hub", "image": "x:1", "env": [{"name": "NOTEBOOK_NAMESPACE", "value": other}]}
    template = {"metadata": {"labels": {"app": "hub"}}, "spec": {"containers": [container]}}
    template["spec"]["serviceAccountName"] = "jupyterhub-hub"
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "hub"}}, "template": template}
    cluster.create("deployments", {"metadata": {"name": "jupyterhub"}, "spec": spec}, namespace)
    theirs = {"metadata": {"name": "jupyter-singleuser-profiles"}, "data": {PROFILES_KEY: "profiles: []\n"}}
    cluster.create("configmaps", theirs, namespace)
    shares = [share("papers", read={"users": ["ann"]}, namespaces=[other])]
    inventory = playbooks.inventory({"hub_namespace": namespace, "hub_flavor": "odh", "shares_list": shares})
    played = playbooks.ok(HUB, inventory)
    assert f"oc rollout restart deployment/jupyterhub --namespace {namespace}" in played.output
    profiles = cluster.get("configmaps", "odh-persistency-shares-profiles", namespace)["data"][PROFILES_KEY]
    assert yaml.safe_load(profiles)["profiles"][0]["users"] == ["ann"]
    assert cluster.get("configmaps", "odh-persistency-shares-profiles", other) is None
    assert cluster.get("configmaps", "jupyter-singleuser-profiles", namespace)["data"] == theirs["data"]
    assert cluster.get("rolebindings", NAME, other) is not None
    with audit(user_agent="odh.persistency/") as log:
        assert playbooks.ok(HUB, inventory).recap["changed"] == 0
    assert not log.writes, log
    playbooks.ok(HUB, inventory, extra={"hub_state": "absent"})
    assert cluster.get("configmaps", "odh-persistency-shares-profiles", namespace) is None
    assert cluster.get("rolebindings", NAME, other) is None


def test_errors_are_reported_before_anything_is_written(cluster, namespace, playbooks, tmp_path):
    variables = {"hub_namespace": namespace, "hub_values_file": str(tmp_path / "values.yaml")}
    run = playbooks.run(HUB, playbooks.inventory(variables | {"hub_polcy": "deny"}))
    assert run.code != 0
    assert "hub_polcy" in run.output
    run = playbooks.run(HUB, playbooks.inventory(variables | {"hub_mount_roots": ["/home"]}))
    assert run.code != 0
    assert (
        "the root /home in `hub_mount_roots` is the home /home/jovyan, or above it: choose a root beside the home."
        in run.output
    )
    for variable, value in (("hub_flavor", "z2j"), ("hub_policy", "maybe")):
        run = playbooks.run(HUB, playbooks.inventory(variables | {variable: value}))
        assert run.code != 0
        assert variable in run.output
    assert cluster.get("roles", NAME, namespace) is None
    assert not (tmp_path / "values.yaml").exists()
