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
def inventory(playbooks, namespace, tmp_path):
    variables = {"hub_namespace": namespace, "hub_values_file": str(tmp_path / "values.yaml"), "hub_release": "my hub"}
    return playbooks.inventory(variables)


def test_a_second_run_changes_nothing(cluster, namespace, playbooks, inventory, tmp_path, audit):
    preview = playbooks.run(HUB, inventory, "--check", "--diff")
    assert preview.code == 0, preview.output
    assert "from odh_persistency.hub_configuration import configure" in preview.output
    assert cluster.get("roles", NAME, namespace) is None
    assert not (tmp_path / "values.yaml").exists()

    first = playbooks.run(HUB, inventory)
    assert first.code == 0, first.output
    assert "helm upgrade 'my hub' jupyterhub/jupyterhub --namespace " + namespace in first.output
    values = yaml.safe_load((tmp_path / "values.yaml").read_text())
    assert set(values["hub"]) == {"extraFiles", "extraConfig"}
    assert cluster.get("roles", NAME, namespace)["rules"][0]["resources"] == ["configmaps"]
    assert cluster.get("rolebindings", NAME, namespace)["subjects"][0]["name"] == "hub"

    with audit() as log:
        second = playbooks.run(HUB, inventory)
    assert second.recap["changed"] == 0, second.output
    assert [
        request for request in log.requests if namespace in str(request) and not str(request).startswith("get")
    ] == []


def test_errors_are_reported_before_anything_is_written(cluster, namespace, playbooks, tmp_path):
    variables = {"hub_namespace": namespace, "hub_values_file": str(tmp_path / "values.yaml"), "hub_polcy": "deny"}
    run = playbooks.run(HUB, playbooks.inventory(variables | {"hub_mount_roots": ["/home"]}))
    assert run.code != 0
    assert "hub_polcy" in run.output
    assert "the root /home in `hub_mount_roots` is the home /home/jovyan, or above it." in run.output
    assert cluster.get("roles", NAME, namespace) is None
