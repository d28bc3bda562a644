"""The module hub_config against a real API server: both flavors, their objects, and everything that is rejected."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from testbed.faults import Rule, call, status
from testbed.hub.environments import PythonMissing, environment
from testbed.proxy import FaultProxy
from tests.support.cluster import ClusterError

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


def test_the_service_account_of_the_values_gets_the_permissions(cluster, modules, hub, values):
    cluster.create("serviceaccounts", {"metadata": {"name": "my-hub"}}, hub)
    values.write_text("hub:\n  serviceAccount:\n    name: my-hub\n")
    modules.ok("hub_config", options(hub, values, rbac="replace", release="other"))
    try:
        for name in ("odh-persistency-hub", "odh-persistency-chart-hub"):
            (subject,) = cluster.get("rolebindings", name, hub)["subjects"]
            assert subject["name"] == "my-hub"
    finally:
        modules.ok("hub_config", {**options(hub, values), "state": "absent"})


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


# -- faults ------------------------------------------------------------------------------------------------------------------


def test_a_failed_binding_does_not_stop_the_rest_and_a_rerun_completes(cluster, modules, odh):
    chosen = {"namespace": odh, "flavor": "odh"}
    with FaultProxy(cluster.kubeconfig, [Rule(status(403), method="POST", path=r"/rolebindings")]) as proxy:
        result = modules.run("hub_config", chosen, kubeconfig=proxy.kubeconfig)
    assert result.failed
    assert result.output["changed"] is True
    assert [item["kind"] for item in result.failed_items] == ["RoleBinding"]
    assert "odh_persistency.zip" in cluster.get("configmaps", CONFIG, odh)["binaryData"]
    assert modules.ok("hub_config", chosen).actions() == {NAME: "create"}


def test_a_config_map_that_somebody_writes_meanwhile_is_planned_again(cluster, modules, odh):
    def write():
        cluster.patch("configmaps", CONFIG, {"data": {"jupyterhub_config.py": "c.A.b = 2\n"}}, odh)

    rule = Rule(call(lambda _request: write()), method="PATCH", path=rf"/configmaps/{CONFIG}", first=1)
    with FaultProxy(cluster.kubeconfig, [rule]) as proxy:
        modules.ok("hub_config", {"namespace": odh, "flavor": "odh"}, kubeconfig=proxy.kubeconfig)
    assert cluster.get("configmaps", CONFIG, odh)["data"]["jupyterhub_config.py"].startswith("c.A.b = 2\n# odh")


# -- OpenShift ---------------------------------------------------------------------------------------------------------------

RANGES = {"openshift.io/sa.scc.supplemental-groups": "1000620000/10000"}
CONSTRAINTS = "securitycontextconstraints"


@pytest.fixture
def constraints(cluster):
    """`constraints(name, type, **fields)`: a security context constraint that all service accounts may use."""
    made = []
    try:
        cluster.list(CONSTRAINTS)
    except ClusterError:
        pytest.skip("the cluster has no security context constraints")

    def make(namespace, kind, **fields):
        name = f"{namespace}-{len(made)}"
        body = {
            "apiVersion": "security.openshift.io/v1",
            "kind": "SecurityContextConstraints",
            "metadata": {"name": name},
            "supplementalGroups": {"type": kind},
            "groups": [f"system:serviceaccounts:{namespace}"],
            **fields,
        }
        cluster.create(CONSTRAINTS, body)
        made.append(name)
        return name

    yield make
    for name in made:
        cluster.delete(CONSTRAINTS, name)


def publish(modules, namespace, gid):
    share = {"name": "papers", "level": "private", "size": "1Gi", "gid": gid, "read": {"users": ["ann"]}}
    modules.ok("share_acl", {"namespace": namespace, "shares": [share]})


def test_openshift_rejects_gids_outside_of_the_range_of_the_namespace(
    cluster, modules, hub, values, constraints, audit
):
    chosen = options(hub, values)
    cluster.patch("namespaces", hub, {"metadata": {"annotations": RANGES}})
    constraints(hub, "MustRunAs")
    publish(modules, hub, 1000620001)
    with audit(user_agent="odh.persistency/") as log:
        modules.ok("hub_config", chosen, check=True)
    assert not log.select(resource=CONSTRAINTS), log
    publish(modules, hub, 5000)
    message = modules.refused("hub_config", chosen)
    assert "gid 5000 of share papers is outside of the range 1000620000/10000 that OpenShift allows" in message
    assert values.read_text() == MINE
    # A constraint that RBAC grants allows all groups.
    name = constraints(hub, "RunAsAny", groups=[])
    assert modules.refused("hub_config", chosen) == message
    rule = {
        "apiGroups": ["security.openshift.io"],
        "resources": [CONSTRAINTS],
        "resourceNames": [name],
        "verbs": ["use"],
    }
    cluster.create("roles", {"metadata": {"name": "any"}, "rules": [rule]}, hub)
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "any"}
    subject = {"kind": "ServiceAccount", "name": "hub", "namespace": hub}
    cluster.create("rolebindings", {"metadata": {"name": "any"}, "roleRef": reference, "subjects": [subject]}, hub)
    assert modules.ok("hub_config", chosen).warnings == []


@pytest.mark.parametrize("account", ["hub", "users"])
def test_openshift_asks_for_the_accounts_of_the_hub_and_of_its_servers(
    cluster, modules, hub, other, values, constraints, account
):
    values.write_text("singleuser:\n  serviceAccountName: users\n")
    cluster.patch("namespaces", other, {"metadata": {"annotations": RANGES}})
    constraints(other, "MustRunAs")
    publish(modules, other, 5000)
    chosen = options(hub, values, servers_namespace=other)
    modules.refused("hub_config", chosen)
    place = hub if account == "hub" else other
    constraints(other, "RunAsAny", groups=[], users=[f"system:serviceaccount:{place}:{account}"])
    assert modules.ok("hub_config", chosen).warnings == []


def test_a_login_without_namespaces_reads_the_project(cluster, modules, hub, values, constraints, restricted_user):
    constraints(hub, "MustRunAs")
    publish(modules, hub, 5000)
    body = {
        "apiVersion": "project.openshift.io/v1",
        "kind": "Project",
        "metadata": {"name": hub, "annotations": RANGES},
    }
    cluster.create("projects", body)
    rbac = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["*"]}
    kinds = ["serviceaccounts", "configmaps", "persistentvolumeclaims", "events"]
    rest = {"apiGroups": [""], "resources": kinds, "verbs": ["*"]}
    project = {"apiGroups": ["project.openshift.io"], "resources": ["projects"], "verbs": ["get"]}
    try:
        kubeconfig = restricted_user([rbac, rest], [project])
        # Without the right to read the constraints it can only warn.
        result = modules.ok("hub_config", options(hub, values), kubeconfig=kubeconfig)
        assert "the gids 5000 of shares are outside of it" in result.warnings[0]
        lists = {"apiGroups": ["security.openshift.io"], "resources": [CONSTRAINTS], "verbs": ["list"]}
        reviews = {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]}
        kubeconfig = restricted_user([rbac, rest], [project, lists, reviews])
        assert "1000620000/10000" in modules.refused("hub_config", options(hub, values), kubeconfig=kubeconfig)
    finally:
        cluster.delete("projects", hub)


# -- as rendered -------------------------------------------------------------------------------------------------------------

PROGRAM = """\
import json, sys
from traitlets.config import Config

c = Config()
c.JupyterHub.services = [{"name": "before"}]
section = c[sys.argv[2]]
previous = section.modify_pod_hook = lambda spawner, pod: pod
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), {"c": c})
hook = section.modify_pod_hook
print(json.dumps({
    "services": c.JupyterHub.services,
    "hook": type(hook.__self__).__module__,
    "chained": hook.__self__._previous["modify_pod_hook"] is previous,
    "file": sys.modules["odh_persistency.spawn_hook"].__file__,
    "delete_pvc": section.delete_pvc,
    "remember_pvc_name": section.get("remember_pvc_name"),
    "authenticator": dict(c.get("Authenticator", {})),
}))
"""


def executed(version, cluster, folder, section):
    """Run `folder`/configuration.py in the environment of a KubeSpawner and return what it configured."""
    try:
        python = environment(version)
    except PythonMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    (folder / "program.py").write_text(PROGRAM)
    words = [str(python), str(folder / "program.py"), str(folder / "configuration.py"), section]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "KUBERNETES_"))}
    clean["KUBECONFIG"] = str(cluster.kubeconfig)
    done = subprocess.run(words, capture_output=True, text=True, env=clean, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_classic_open_data_hub_runs_what_is_rendered(cluster, modules, odh, tmp_path):
    modules.ok("hub_config", {"namespace": odh, "flavor": "odh", "manage_groups": "always"})
    found = cluster.get("configmaps", CONFIG, odh)
    archive = tmp_path / "odh_persistency.zip"
    archive.write_bytes(base64.b64decode(found["binaryData"][archive.name]))
    text = found["data"]["jupyterhub_config.py"].replace("/opt/app-root/configs", str(tmp_path))
    (tmp_path / "configuration.py").write_text(text)
    result = executed("1.1", cluster, tmp_path, "OpenShiftSpawner")
    token = base64.b64decode(cluster.get("secrets", NAME, odh)["data"][TOKEN]).decode()
    service = {"name": "odh-persistency", "admin": True, "api_token": token}
    assert result == {
        "services": [{"name": "before"}, service],
        "hook": "odh_persistency.spawn_hook",
        "chained": True,
        "file": f"{archive}/odh_persistency/spawn_hook.py",
        "delete_pvc": False,
        "remember_pvc_name": None,
        "authenticator": {"refresh_pre_spawn": True},
    }


@pytest.mark.parametrize(("version", "is_strict"), [("7.0", False), ("7.1", True)])
def test_the_chart_runs_what_is_rendered(cluster, modules, hub, values, tmp_path, version, is_strict):
    modules.ok("hub_config", options(hub, values, manage_groups="always"))
    found = yaml.safe_load(values.read_text())["hub"]
    for entry in found["extraFiles"].values():
        path = tmp_path / Path(entry["mountPath"]).relative_to("/usr/local/etc/jupyterhub")
        path.parent.mkdir(exist_ok=True)
        path.write_text(entry["stringData"])
    text = found["extraConfig"]["zz-odh-persistency"].replace("/usr/local/etc/jupyterhub", str(tmp_path))
    (tmp_path / "configuration.py").write_text(text)
    result = executed(version, cluster, tmp_path, "KubeSpawner")
    assert (result["hook"], result["chained"]) == ("odh_persistency.spawn_hook", True)
    assert (result["delete_pvc"], result["remember_pvc_name"]) == (False, False)
    assert result["authenticator"] == {
        "manage_groups": True,
        "refresh_pre_spawn": True,
        **({"auth_refresh_strict": True} if is_strict else {}),
    }
