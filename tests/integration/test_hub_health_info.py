"""The module `hub_health_info` and the playbook `doctor` with a real API server: what the role configures is healthy, and each
thing that is wrong is found."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import uuid
from pathlib import Path

import pytest
import yaml

from testbed import kubeconfig as kubeconfigs
from tests.support.cluster import TEST_LABEL, Cluster
from tests.support.modules import Modules
from tests.support.playbooks import Playbooks
from tests.support.shares import bound, make_volume, share

ROOT = Path(__file__).resolve().parents[2]
MODULE = "hub_health_info"
AGENT = "odh.persistency/"
SERVER = {"app": "jupyterhub", "component": "singleuser-server"}
REVIEW = "localsubjectaccessreviews"
#: What the chart's own Role allows.
CHART_RULES = [
    {
        "apiGroups": [""],
        "resources": ["pods", "persistentvolumeclaims", "secrets", "services"],
        "verbs": ["get", "watch", "list", "create", "delete"],
    },
    {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "watch", "list"]},
]
#: As the chart renders its policy for servers, shortened.
POLICY = {
    "metadata": {"name": "singleuser"},
    "spec": {
        "podSelector": {"matchLabels": SERVER},
        "policyTypes": ["Ingress", "Egress"],
        "egress": [
            {"to": [{"podSelector": {"matchLabels": {"component": "hub"}}}], "ports": [{"port": 8081}]},
            {
                "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"namespaceSelector": {}}],
                "ports": [{"port": 53, "protocol": "UDP"}],
            },
        ],
    },
}
#: Values of the chart that the hub's Secret has beside those of a file of values.
CHART = {
    "Chart": {"Name": "jupyterhub", "Version": "4.4.0", "AppVersion": "5.5.0"},
    "hub": {
        "consecutiveFailureLimit": 5,
        "config": {"GenericOAuthenticator": {"client_secret": "hunter2"}},
        "serviceAccount": {"create": True, "name": None},
    },
    "singleuser": {"fsGid": None},
}


class World:
    """A namespace with a hub as the chart and the role `hub` make it, two shares and their access list."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.modules = cluster, Modules(cluster)
        self.playbooks = Playbooks(cluster, folder)
        self.namespace = cluster.make_namespace()
        file = folder / "values.yaml"
        # No cluster-wide permissions: the scheduler's would stay after the test.
        file.write_text("scheduling:\n  userScheduler:\n    enabled: false\n")
        cluster.create("serviceaccounts", {"metadata": {"name": "hub"}}, self.namespace)
        inventory = {"hub_namespace": self.namespace, "hub_values_file": str(file), "hub_rbac": "replace"}
        self.playbooks.ok("odh.persistency.hub", inventory)
        hub = {**CHART["hub"], **yaml.safe_load(file.read_text())["hub"]}
        self.values = {**CHART, "Release": {"Name": "jupyterhub", "Namespace": self.namespace}, "hub": hub}
        self.put("secrets", self.secret(self.values))
        self.put("networkpolicies", POLICY)
        shares = [
            share("data", level="private", read={"users": ["ann"]}),
            share("papers", level="private", read={"users": ["ann"]}),
        ]
        with cluster.binding():
            self.modules.ok("share_pvc", {"namespaces": [self.namespace], "shares": shares})
            bound(cluster, self.namespace, "data", "papers")
        self.modules.ok("share_acl", {"namespace": self.namespace, "shares": shares})
        self.start_server()

    def start_server(self):
        annotations = {"odh.persistency/granted": "{}"}
        self.cluster.make_pod(self.namespace, "data", name="jupyter-ann", labels=SERVER, annotations=annotations)

    def put(self, resource, body):
        self.cluster.create(resource, body, self.namespace)

    def secret(self, values, name="hub"):
        text = values if isinstance(values, str) else yaml.safe_dump(values)
        return {"metadata": {"name": name}, "data": {"values.yaml": base64.b64encode(text.encode()).decode()}}

    @contextlib.contextmanager
    def with_values(self, **hub):
        """Change values below `hub`."""
        self.set_values({**self.values, "hub": {**self.values["hub"], **hub}})
        yield
        self.set_values(self.values)

    def set_values(self, values):
        self.cluster.patch("secrets", "hub", self.secret(values), self.namespace)

    @contextlib.contextmanager
    def with_object(self, resource, body, namespace=None):
        """Create an object for a while. Cluster-wide ones are in no namespace."""
        where = namespace if namespace is not None else self.namespace
        made = self.cluster.create(resource, body, where or None)
        yield made
        self.cluster.delete(resource, made["metadata"]["name"], where or None)

    def examine(self, check="", **how):
        """Return the findings, of one check if it is named."""
        options = {"namespace": self.namespace, **how.pop("options", {})}
        result = self.modules.ok(MODULE, options, **how)
        assert not result.changed
        return [finding for finding in result.findings if check in ("", finding["check"])]

    def severities(self, check, **how):
        return {finding["object"]: finding["severity"] for finding in self.examine(check, **how)}


@pytest.fixture(scope="module")
def world(cluster, tmp_path_factory):
    made = World(cluster, tmp_path_factory.mktemp("hub"))
    yield made
    cluster.remove_namespace(made.namespace)
    for volume in cluster.list("persistentvolumes", labelSelector="odh.persistency/kind=share"):
        if (volume["spec"].get("claimRef") or {}).get("namespace") == made.namespace:
            cluster.delete("persistentvolumes", volume["metadata"]["name"])


def test_a_hub_of_the_role_is_healthy_and_examining_it_writes_nothing(world, audit):
    with audit(user_agent=AGENT) as log:
        findings = world.examine()
    assert [finding for finding in findings if finding["severity"] != "ok"] == []
    assert log.writes == (), log
    reviews = log.select(verb="create")
    assert {request.resource for request in reviews} == {REVIEW, "selfsubjectreviews"}
    assert len(reviews) == 14
    assert {request.verb for request in log.requests} == {"get", "list", "create"}
    world.modules.ok(MODULE, {"namespace": world.namespace}, check=True)


def test_requests_do_not_grow_with_users_and_servers(world, audit):
    with audit(user_agent=AGENT) as few:
        world.examine()
    claims = [f"claim-{number}" for number in range(30)]
    for name in claims:
        world.cluster.make_claim(world.namespace, name)
    pods = [world.cluster.make_pod(world.namespace, claim, labels=SERVER) for claim in claims]
    with audit(user_agent=AGENT) as many:
        (finding,) = world.examine("running_servers")
    for pod in pods:
        world.cluster.delete("pods", pod, world.namespace, gracePeriodSeconds=0)
    for name in claims:
        world.cluster.delete("persistentvolumeclaims", name, world.namespace)
    assert "30 of 31" in finding["reason"]
    assert len(many.requests) == len(few.requests) <= 40


def test_the_hub_as_the_chart_installs_it(world):
    subject = {"kind": "ServiceAccount", "name": "hub", "namespace": world.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hub"}
    binding = {"metadata": {"name": "hub"}, "roleRef": reference, "subjects": [subject]}
    world.set_values({**world.values, "hub": CHART["hub"]})
    with (
        world.with_object("roles", {"metadata": {"name": "hub"}, "rules": CHART_RULES}),
        world.with_object("rolebindings", binding),
    ):
        findings = world.examine()
    world.set_values(world.values)
    severities = {finding["check"]: finding["severity"] for finding in reversed(findings)}
    assert severities["spawn_hook"] == "error"
    assert severities["delete_pvc"] == "error"
    assert severities["remember_pvc_name"] == "warning"
    assert severities["failure_limit"] == "warning"
    (rights,) = [finding for finding in findings if finding["check"] == "hub_permissions"]
    assert "may delete claims" in rights["reason"]
    assert "`hub_rbac: replace`" in rights["remedy"]
    assert "hunter2" not in json.dumps(findings)


def test_rights_that_the_hub_lacks(world):
    chart, ours = "odh-persistency-chart-hub", "odh-persistency-hub"
    roles = {name: world.cluster.get("roles", name, world.namespace) for name in (chart, ours)}
    rules = roles[chart]["rules"]
    without = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if verb not in ("create", "delete")]} for rule in rules
    ]
    world.cluster.patch("roles", chart, {"rules": without}, world.namespace)
    world.cluster.delete("roles", ours, world.namespace)
    reasons = " ".join(finding["reason"] for finding in world.examine("hub_permissions"))
    del roles[ours]["metadata"]["resourceVersion"]
    world.put("roles", roles[ours])
    world.cluster.patch("roles", chart, {"rules": rules}, world.namespace)
    for right in ("get configmaps", "create events", "create pods", "delete pods", "create persistentvolumeclaims"):
        assert f"may not {right}" in reasons
    assert "get persistentvolumeclaims" not in reasons
    assert "run on with their mounts" in reasons


def test_rights_in_a_namespace_where_no_server_starts_any_more(world, other, tmp_path):
    """As after a run with another `hub_servers_namespace`. Those of another hub are none of its business."""
    labels = {"app.kubernetes.io/managed-by": "odh.persistency"}
    subject = {"kind": "ServiceAccount", "name": "hub", "namespace": world.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "odh-persistency-hub"}
    body = {"metadata": {"name": "odh-persistency-hub", "labels": labels}, "roleRef": reference, "subjects": [subject]}
    strange = {
        **body,
        "metadata": {"name": "strange", "labels": labels},
        "subjects": [{**subject, "namespace": other}],
    }
    with world.with_object("rolebindings", body, other), world.with_object("rolebindings", strange, other):
        (finding,) = world.examine("old_permissions")
        moved = world.severities("old_permissions", options={"servers_namespace": other})
    assert finding["severity"] == "warning"
    assert finding["object"] == f"RoleBinding odh-persistency-hub in namespace {other}"
    assert f"kubectl delete rolebinding,role odh-persistency-hub --namespace {other}" in finding["remedy"]
    assert moved == {"other namespaces": "ok"}
    assert world.severities("old_permissions") == {"other namespaces": "ok"}


def test_snippets_before_and_after_the_hook(world):
    snippets = world.values["hub"]["extraConfig"]
    before = "def mine(spawner, pod):\n    return pod\nc.KubeSpawner.modify_pod_hook = mine"
    with world.with_values(extraConfig={**snippets, "10-mine": before}):
        (hook,) = [one for one in world.examine("spawn_hook") if one["object"] == "modify_pod_hook"]
    assert hook["severity"] == "ok"
    assert "extraConfig 10-mine, line 3" in hook["reason"]
    with world.with_values(extraConfig={**snippets, "zzz": "c.KubeSpawner.modify_pod_hook = None"}):
        assert world.severities("spawn_hook")["modify_pod_hook"] == "error"
    with world.with_values(
        extraConfig={**snippets, "zzz": "import os\nc.KubeSpawner.delete_pvc = bool(os.environ['X'])"}
    ):
        (finding,) = world.examine("delete_pvc")
    assert finding["severity"] == "unknown"
    assert "extraConfig zzz, line 2" in finding["reason"]


def test_a_hook_of_another_version(world):
    files = json.loads(json.dumps(world.values["hub"]["extraFiles"]))
    (name,) = [key for key, entry in files.items() if entry["mountPath"].endswith("/claim_policy.py")]
    files[name]["stringData"] += "# changed\n"
    with world.with_values(extraFiles=files):
        (finding,) = [one for one in world.examine("spawn_hook") if one["object"] == "package"]
    assert finding["severity"] == "warning"
    assert "claim_policy.py different" in finding["reason"]


def test_values_of_an_existing_secret_count(world):
    more = {"hub": {"config": {"KubeSpawner": {"enable_user_namespaces": True}}}}
    with world.with_values(existingSecret="mine"):
        assert world.severities("user_namespaces") == {"KubeSpawner.enable_user_namespaces": "ok"}
        with world.with_object("secrets", world.secret(more, "mine")):
            assert world.severities("user_namespaces") == {"KubeSpawner.enable_user_namespaces": "error"}


def test_another_binding_that_allows_deleting_claims(world):
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}
    binding = {"metadata": {"name": "bobs"}, "roleRef": reference, "subjects": [subject]}
    with world.with_object("rolebindings", binding):
        (finding,) = world.examine("claim_deletion")
    assert finding["severity"] == "warning"
    assert finding["object"] == "RoleBinding bobs"
    assert "User bob" in finding["reason"]
    everybody = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts"}
    name = f"odhp-{uuid.uuid4().hex[:8]}"
    wide = {
        "metadata": {"name": name, "labels": {TEST_LABEL: "true"}},
        "roleRef": reference,
        "subjects": [everybody],
    }
    with world.with_object("clusterrolebindings", wide, ""):
        assert world.severities("claim_deletion") == {f"ClusterRoleBinding {name}": "error"}
    assert world.severities("claim_deletion") == {f"namespace {world.namespace}": "ok"}


def test_claims_of_shares_that_are_not_as_they_should_be(world):
    labels = {"metadata": {"labels": {"odh.persistency/kind": None}}}
    world.cluster.patch("persistentvolumeclaims", "papers", labels, world.namespace)
    (finding,) = world.examine("share_claims")
    labels["metadata"]["labels"]["odh.persistency/kind"] = "share"
    world.cluster.patch("persistentvolumeclaims", "papers", labels, world.namespace)
    assert finding["object"] == "share papers, claim papers"
    assert "not marked as this share" in finding["reason"]
    assert world.severities("share_claims") == {f"namespace {world.namespace}": "ok"}


def test_a_damaged_access_list(world):
    index = world.cluster.get("configmaps", "odh-persistency-acl", world.namespace)
    text = index["data"]["index.json"]
    world.cluster.patch("configmaps", "odh-persistency-acl", {"data": {"index.json": text + " "}}, world.namespace)
    (finding,) = world.examine("access_list")
    world.cluster.patch("configmaps", "odh-persistency-acl", {"data": {"index.json": text}}, world.namespace)
    assert finding["severity"] == "error"
    assert "digest" in finding["reason"]


def test_policies_that_leave_the_nfs_port_open(world):
    ours = "NFS server nas.example.org"

    def examine():
        """Return the finding on our server: volumes of shares in all namespaces count, so other tests may have others."""
        (finding,) = [one for one in world.examine("nfs_port") if one["object"] == ours]
        return finding

    assert "not proved" in examine()["reason"]
    rule = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}
    spec = {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{**rule, "ports": [{"port": 2000, "endPort": 2100}]}],
    }
    with world.with_object("networkpolicies", {"metadata": {"name": "wide"}, "spec": spec}):
        options = {"nfs_servers": ["10.0.0.5", "10.1.0.5"]}
        expected = {"NFS server 10.0.0.5": "warning", "NFS server 10.1.0.5": "ok", ours: "unknown"}
        assert world.severities("nfs_port", options=options).items() >= expected.items()
    world.cluster.delete("networkpolicies", "singleuser", world.namespace)
    finding = examine()
    world.put("networkpolicies", POLICY)
    assert finding["severity"] == "warning"
    assert "no NetworkPolicy" in finding["reason"]


def test_a_driver_that_changes_the_groups_of_a_share(world):
    driver = f"odhp-{uuid.uuid4().hex[:8]}.example.org"
    source = {"csi": {"driver": driver, "volumeHandle": "a"}}
    metadata = {"name": driver, "labels": {TEST_LABEL: "true"}}
    with world.with_values():
        values = {**world.values, "singleuser": {"fsGid": 100}}
        world.set_values(values)
        world.cluster.delete("pods", "jupyter-ann", world.namespace, gracePeriodSeconds=0)
        assert world.severities("fs_group") == {"servers": "warning"}
        # A volume cannot be changed, so another one of a share has the driver.
        name = f"odhp-{uuid.uuid4().hex[:8]}"
        make_volume(world.cluster, name, source, (world.namespace, "scratch"))
        world.cluster.make_claim(
            world.namespace, "scratch", storageClassName="", volumeName=name, accessModes=["ReadWriteMany"]
        )
        bound(world.cluster, world.namespace, "scratch")
        shares = [
            share("data", level="private", read={"users": ["ann"]}),
            share("papers", level="private", read={"users": ["ann"]}),
            share("scratch", {"type": "existing_claim", "claim": "scratch"}, read={"everyone": True}),
        ]
        world.modules.ok("share_pvc", {"namespaces": [world.namespace], "shares": shares})
        world.modules.ok("share_acl", {"namespace": world.namespace, "shares": shares})
        with world.with_object("csidrivers", {"metadata": metadata, "spec": {"fsGroupPolicy": "File"}}, ""):
            found = world.examine("fs_group")
        assert world.severities("fs_group") == {"servers": "warning"}
    world.start_server()
    (finding,) = [one for one in found if one["object"] == f"CSIDriver {driver}"]
    assert finding["severity"] == "error"
    assert "scratch" in finding["reason"]


def test_namespaces_with_different_mcs_labels(world, other, share_volumes):
    key = "openshift.io/sa.scc.mcs"
    backend = {"type": "host_path", "path": f"/srv/odhp-{uuid.uuid4().hex[:8]}"}
    shares = [share("lab", backend, namespaces=[other, world.namespace])]
    world.modules.ok("share_pvc", {"namespaces": [world.namespace], "shares": shares})
    bound(world.cluster, world.namespace, "lab")
    bound(world.cluster, other, "lab")
    for namespace, label in ((world.namespace, "s0:c26,c5"), (other, "s0:c27,c9")):
        world.cluster.patch("namespaces", namespace, {"metadata": {"annotations": {key: label}}})
    (different,) = world.examine("selinux_labels")
    world.cluster.patch("namespaces", other, {"metadata": {"annotations": {key: "s0:c26,c5"}}})
    (equal,) = world.examine("selinux_labels")
    world.cluster.patch("namespaces", world.namespace, {"metadata": {"annotations": {key: None}}})
    assert different["severity"] == "error"
    assert "s0:c27,c9" in different["reason"]
    assert equal["severity"] == "ok"


# -- logins with fewer rights ----------------------------------------------------------------------------------------------


def test_a_login_without_rights_learns_nothing_and_which_rights_are_missing(world, tmp_path):
    path = world.cluster.restricted_kubeconfig(tmp_path, world.namespace)
    findings = world.examine(kubeconfig=path)
    assert {finding["severity"] for finding in findings} == {"unknown"}
    reasons = " ".join(finding["reason"] for finding in findings)
    for resource in ("secrets", "configmaps", REVIEW, "rolebindings", "pods", "persistentvolumes", "namespaces"):
        assert f'resources: ["{resource}"]' in reasons
    assert all("it needs" in finding["reason"] for finding in findings)


@pytest.fixture
def operator(world, tmp_path):
    """A kubeconfig of the service account with the rights of examples/rbac."""
    for name in ("homes", "hub_health_info"):
        text = (ROOT / "examples" / "rbac" / f"{name}.yml").read_text().replace("jupyterhub", world.namespace)
        answer = subprocess.run(
            ["kubectl", "apply", "-f", "-"],
            input=text.replace("nightly-jobs", f"{world.namespace}-jobs"),
            capture_output=True,
            text=True,
            env=world.cluster.environment,
            timeout=120,
        )
        assert answer.returncode == 0, answer.stderr
    address = f"/api/v1/namespaces/{world.namespace}/serviceaccounts/odh-persistency/token"
    token = world.cluster.request("POST", address, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    content = world.cluster._kubeconfig_with({"token": token}, world.namespace)
    yield kubeconfigs.write(tmp_path / "operator.kubeconfig", content)
    for part in ("homes", "doctor"):
        for kind in ("clusterrolebindings", "clusterroles"):
            world.cluster.delete(kind, f"odh-persistency-{part}-{world.namespace}")
        for kind in ("rolebindings", "roles"):
            world.cluster.delete(kind, f"odh-persistency-{part}", world.namespace)


def test_the_example_rights_are_enough(world, operator):
    findings = world.examine(kubeconfig=operator)
    assert [finding for finding in findings if finding["severity"] == "unknown"] == []
    # Its own right to delete claims is no finding.
    assert world.severities("claim_deletion", kubeconfig=operator) == {f"namespace {world.namespace}": "ok"}


def test_the_playbook_shows_the_table_and_writes_nothing(world, operator, audit):
    with audit(user_agent=AGENT) as log:
        played = world.playbooks.ok(
            "odh.persistency.doctor",
            {"hub_namespace": world.namespace, "doctor_nfs_servers": ["10.0.0.9"]},
            kubeconfig=operator,
        )
    assert played.recap["changed"] == 0
    assert log.writes == (), log
    assert log.count(resource=REVIEW) == 13
    assert "SEVERITY" in played.output
    assert "FINDING" in played.output
    assert "NFS server 10.0.0.9" in played.output
    assert "hunter2" not in played.output


# -- classic Open Data Hub -------------------------------------------------------------------------------------------------


def test_a_hub_of_classic_open_data_hub(world, namespace):
    world.cluster.create("serviceaccounts", {"metadata": {"name": "jupyterhub-hub"}}, namespace)
    inventory = {"hub_namespace": namespace, "hub_flavor": "odh"}
    world.playbooks.ok("odh.persistency.hub", inventory)
    findings = world.modules.ok(MODULE, {"namespace": namespace, "flavor": "odh"}).findings
    severities = {(finding["check"], finding["object"]): finding["severity"] for finding in findings}
    assert {severity for (check, _object), severity in severities.items() if check == "spawn_hook"} == {"ok"}
    assert severities["delete_pvc", "KubeSpawner.delete_pvc"] == "ok"
    # Nothing sets it after the image, which cannot be read.
    assert severities["failure_limit", "Spawner.consecutive_failure_limit"] == "unknown"
    reasons = [finding["reason"] for finding in findings if finding["check"] == "hub_permissions"]
    assert any("may not create pods" in reason for reason in reasons)
    assert not any("configmaps" in reason for reason in reasons)


def test_servers_in_another_namespace(world, other):
    options = {"servers_namespace": other, "service_account": "hub"}
    (claims,) = world.examine("share_claims", options=options)[:1]
    assert claims["severity"] == "error"
    rights = world.examine("hub_permissions", options=options)
    assert any("may not create pods" in finding["reason"] for finding in rights)


# -- bad input -------------------------------------------------------------------------------------------------------------


def test_bad_input_is_one_sentence_each(world, namespace, audit):
    modules, cluster = world.modules, world.cluster
    with audit(user_agent=AGENT) as log:
        assert "Namespace nowhere does not exist" in modules.refused(MODULE, {"namespace": "nowhere"})
        message = modules.refused(MODULE, {"namespace": namespace})
        assert "There is no hub of the chart Zero to JupyterHub" in message
        assert "Secret hub does not exist" in message
        assert "ConfigMap jupyterhub-cfg does not exist" in modules.refused(
            MODULE, {"namespace": namespace, "flavor": "odh"}
        )
        wrong = modules.run(MODULE, {"namespace": namespace, "flavor": "helm"})
        assert wrong.failed
        assert "value of flavor must be one of: z2jh, odh" in wrong.msg
        assert "empty name" in modules.refused(MODULE, {"namespace": namespace, "nfs_servers": [" "]})
    assert log.writes == (), log
    for text in ("[1, 2]", "a: [", "hunter2: {{", "a: &x [*x]\n- b", ""):
        cluster.create("secrets", world.secret(text), namespace)
        message = modules.refused(MODULE, {"namespace": namespace})
        cluster.delete("secrets", "hub", namespace)
        assert "is not a YAML mapping" in message
        assert "hunter2" not in message
    cluster.create("secrets", {"metadata": {"name": "hub"}}, namespace)
    assert "has no key values.yaml" in modules.refused(MODULE, {"namespace": namespace})
