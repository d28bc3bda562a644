"""The module hub_config against a real API server: both flavors, their objects, and everything that is rejected."""

from __future__ import annotations

import base64

import pytest

NAME = "odh-persistency-hub"
CONFIG = "jupyterhub-cfg"
TOKEN = "hub.services.odh-persistency.apiToken"
MINE = "# mine\nhub:\n  image: {tag: '1'}  # not in a block\n  extraConfig: {}\n"


@pytest.fixture
def hub(cluster, namespace):
    """A hub of the chart, as far as the module looks at it."""
    cluster.create("serviceaccounts", {"metadata": {"name": "hub"}}, namespace)
    return namespace


@pytest.fixture
def odh(cluster, namespace):
    """A hub of Open Data Hub with a configuration of its own."""
    cluster.create("serviceaccounts", {"metadata": {"name": "jupyterhub-hub"}}, namespace)
    data = {"jupyterhub_config.py": "c.A.b = 1\n", "gpu_mode": ""}
    cluster.create("configmaps", {"metadata": {"name": CONFIG}, "data": data}, namespace)
    return namespace


@pytest.fixture
def values(tmp_path):
    path = tmp_path / "values.yaml"
    path.write_text(MINE)
    return path


def options(namespace, values, **more):
    return {"namespace": namespace, "values_file": str(values), **more}


def roles_of(cluster, namespace):
    return {
        f"{kind[:-1]} {item['metadata']['name']}"
        for kind in ("roles", "rolebindings")
        for item in cluster.list(kind, namespace)
        if item["metadata"]["name"].startswith("odh-persistency")
    }


def test_values_of_others_are_restored_byte_for_byte(cluster, modules, hub, values, audit):
    chosen = options(hub, values)
    preview = modules.ok("hub_config", chosen, check=True, diff=True)
    assert values.read_text() == MINE
    assert "tag" not in str(preview.output["diff"])
    result = modules.ok("hub_config", chosen)
    assert result.changes == preview.changes
    assert result.next_step.endswith(f" -f {values}")
    assert "--reuse-values" not in result.next_step
    with audit(user_agent="odh.persistency/") as log:
        again = modules.ok("hub_config", chosen)
    assert not again.changed
    assert not log.writes, log
    assert "--reset-values" in modules.ok("hub_config", {**chosen, "state": "absent"}).next_step
    assert values.read_text() == MINE
    assert roles_of(cluster, hub) == set()


def test_replaced_roles_follow_the_values_and_go_with_the_option(cluster, modules, hub, values):
    values.write_text(MINE + "prePuller:\n  hook:\n    enabled: false\n")
    chosen = options(hub, values, rbac="replace")
    modules.ok("hub_config", chosen, check=True)
    modules.ok("hub_config", chosen)
    scheduler = f"odh-persistency-user-scheduler-{hub}"
    try:
        assert roles_of(cluster, hub) == {
            "role odh-persistency-chart-hub",
            "role odh-persistency-hub",
            "rolebinding odh-persistency-chart-hub",
            "rolebinding odh-persistency-hub",
        }
        assert cluster.get("clusterrolebindings", scheduler)["subjects"][0]["name"] == "user-scheduler"
        assert not modules.ok("hub_config", chosen).changed
        modules.ok("hub_config", options(hub, values))
        assert cluster.get("clusterroles", scheduler) is None
        assert roles_of(cluster, hub) == {"role odh-persistency-hub", "rolebinding odh-persistency-hub"}
    finally:
        for kind in ("clusterrolebindings", "clusterroles"):
            cluster.delete(kind, scheduler)


def test_open_data_hub_gets_its_config_map_and_gives_it_back(cluster, modules, odh, audit):
    chosen = {"namespace": odh, "flavor": "odh", "home_path": "/opt/app-root/src"}
    preview = modules.ok("hub_config", chosen, check=True, diff=True)
    assert "OpenShiftSpawner" in str(preview.output["diff"])
    result = modules.ok("hub_config", chosen)
    assert result.changes == preview.changes
    assert result.next_step == f"oc rollout latest dc/jupyterhub --namespace {odh}"
    found = cluster.get("configmaps", CONFIG, odh)
    assert found["data"]["jupyterhub_config.py"].startswith("c.A.b = 1\n# odh.persistency: begin\n")
    assert base64.b64decode(found["binaryData"]["odh_persistency.zip"]).startswith(b"PK")
    secret = cluster.get("secrets", NAME, odh)["data"][TOKEN]
    assert base64.b64decode(secret).decode() not in str(result.output)
    with audit(user_agent="odh.persistency/") as log:
        assert not modules.ok("hub_config", chosen).changed
    assert not log.writes, log
    modules.ok("hub_config", {**chosen, "state": "absent"})
    found = cluster.get("configmaps", CONFIG, odh)
    assert found["data"] == {"jupyterhub_config.py": "c.A.b = 1\n", "gpu_mode": ""}
    assert not found.get("binaryData")
    assert cluster.get("secrets", NAME, odh) is None
    assert roles_of(cluster, odh) == set()


def test_servers_in_another_namespace_get_the_permissions_there(cluster, modules, odh, other):
    modules.ok("hub_config", {"namespace": odh, "flavor": "odh", "servers_namespace": other})
    (rule,) = cluster.get("roles", NAME, odh)["rules"]
    assert rule["resourceNames"] == [NAME]
    assert cluster.get("rolebindings", NAME, other)["subjects"][0]["namespace"] == odh
    assert f'"namespace": "{other}"' in cluster.get("configmaps", CONFIG, odh)["data"]["jupyterhub_config.py"]


def test_groups_of_the_hub_in_the_access_list_are_managed(modules, hub, values):
    share = {"name": "papers", "level": "private", "size": "1Gi", "read": {"groups": ["hub:readers"]}}
    modules.ok("share_acl", {"namespace": hub, "shares": [share]})
    modules.ok("hub_config", options(hub, values))
    assert "'manage_groups', 'refresh_pre_spawn', 'auth_refresh_strict'" in values.read_text()
    modules.ok("hub_config", options(hub, values, manage_groups="never"))
    assert "manage_groups" not in values.read_text()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("- a\n", "is no YAML mapping, as Helm values are, but a list"),
        ("a: 'x\n", "is not valid YAML"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", "is no YAML mapping"),
        ("hub:\n  extraConfig:\n    zzz: c.KubeSpawner.modify_pod_hook = f\n", "in line 3, after the spawn hook"),
    ],
)
def test_a_file_that_is_no_values_is_rejected(cluster, modules, hub, values, text, error):
    values.write_text(text)
    message = modules.refused("hub_config", options(hub, values))
    assert error in message
    assert message.endswith("Nothing was changed.")
    assert values.read_text() == text
    assert roles_of(cluster, hub) == set()


def test_a_namespace_without_a_hub_is_rejected(cluster, modules, namespace, tmp_path):
    chosen = options(namespace, tmp_path / "values.yaml")
    assert "has no hub: there is no service account hub" in modules.refused("hub_config", chosen)
    message = modules.refused("hub_config", options("no-such-namespace", tmp_path / "values.yaml"))
    assert "Namespace no-such-namespace does not exist: create it first" in message
    assert "folder /nowhere of" in modules.refused("hub_config", options(namespace, "/nowhere/values.yaml"))
    preview = modules.ok(
        "hub_config", {**options("no-such-namespace", tmp_path / "values.yaml"), "new": True}, check=True
    )
    assert "does not exist yet" in preview.warnings[0]
    assert len(preview.changes) == 3
    assert list(tmp_path.iterdir()) == []
    assert roles_of(cluster, namespace) == set()
    assert "helm upgrade --install " in modules.ok("hub_config", {**chosen, "new": True}).next_step


def test_a_role_of_others_is_left_alone(cluster, modules, hub, values):
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": NAME}, "rules": []}
    cluster.create("roles", body, hub)
    assert f"Role {NAME} does not belong to this collection" in modules.refused("hub_config", options(hub, values))
    assert values.read_text() == MINE
    assert cluster.get("roles", NAME, hub).get("rules") in (None, [])
