"""The role hub and its playbook, through ansible-playbook: the file of Helm values and the permissions."""

from __future__ import annotations

import pytest
import yaml

from tests.support.playbooks import Playbooks

HUB = "odh.persistency.hub"
NAME = "odh-persistency-hub"


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


def test_errors_are_reported_before_anything_is_written(cluster, namespace, playbooks, tmp_path):
    variables = {"hub_namespace": namespace, "hub_values_file": str(tmp_path / "values.yaml")}
    run = playbooks.run(HUB, playbooks.inventory(variables | {"hub_polcy": "deny"}))
    assert run.code != 0
    assert "hub_polcy" in run.output
    run = playbooks.run(HUB, playbooks.inventory(variables | {"hub_mount_roots": ["/home"]}))
    assert run.code != 0
    assert "the root /home in `hub_mount_roots` is the home /home/jovyan, or above it." in run.output
    for variable, value in (("hub_flavor", "z2j"), ("hub_policy", "maybe")):
        run = playbooks.run(HUB, playbooks.inventory(variables | {variable: value}))
        assert run.code != 0
        assert variable in run.output
    assert cluster.get("roles", NAME, namespace) is None
    assert not (tmp_path / "values.yaml").exists()
