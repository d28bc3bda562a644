"""examples/rbac is enough for the example inventory, and a second namespace does not undo the first."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from testbed import kubeconfig

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "inventories" / "demo"
ENVIRONMENTS = ROOT / "examples" / "inventories" / "two-environments"


class Hub:
    """A namespace and its jobs, with the rights of examples/rbac and a kubeconfig of the service account."""

    def __init__(self, cluster, folder):
        self.cluster = cluster
        self.namespace = cluster.make_namespace()
        self.jobs = cluster.create("namespaces", {"metadata": {"name": f"{self.namespace}-jobs"}})["metadata"]["name"]
        for name in ("homes", "shares", "hub"):
            text = (ROOT / "examples" / "rbac" / f"{name}.yml").read_text()
            text = text.replace("jupyterhub", self.namespace).replace("nightly-jobs", self.jobs)
            self._kubectl("apply", "-f", "-", given=text)
        token = self._kubectl("create", "token", "odh-persistency", "-n", self.namespace)
        made = cluster._kubeconfig_with({"token": token.strip()}, self.namespace)
        self.kubeconfig = kubeconfig.write(folder / f"{self.namespace}.kubeconfig", made)

    def _kubectl(self, *arguments, given=None):
        answer = subprocess.run(
            ["kubectl", *arguments],
            input=given,
            capture_output=True,
            text=True,
            env=self.cluster.environment,
            timeout=120,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def clean(self):
        for kind in ("clusterrolebindings", "clusterroles"):
            for part in ("homes", "shares"):
                self.cluster.delete(kind, f"odh-persistency-{part}-{self.namespace}")
        self.cluster.remove_namespace(self.jobs)
        self.cluster.remove_namespace(self.namespace)


@pytest.fixture
def hubs(cluster, share_volumes, tmp_path):
    made = [Hub(cluster, tmp_path)]
    made.append(Hub(cluster, tmp_path))
    yield made
    for hub in made:
        hub.clean()


def extra_of(hub, folder, uid):
    values = str(folder / f"{hub.namespace}.yaml")
    return {"homes_namespace": hub.namespace, "persistency_cluster": uid, "hub_values_file": values}


def test_two_namespaces_with_the_rights_of_the_examples(cluster, hubs, playbooks):
    uid = cluster.get("namespaces", "kube-system")["metadata"]["uid"]

    def play(hub, inventory, *flags):
        extra = {"homes_namespace": hub.namespace, "persistency_cluster": uid, "persistency_connection": {}}
        return playbooks.ok("odh.persistency.site", inventory, *flags, extra=extra, kubeconfig=hub.kubeconfig)

    first, second = hubs
    assert play(first, DEMO).recap["changed"] > 0
    assert len(cluster.claims(first.namespace)) > 40
    assert [*cluster.claims(first.jobs)] == ["shared-data-public"]
    shown = play(second, ENVIRONMENTS / "production.yml", "--check")
    assert "may not" not in shown.output
    assert play(second, ENVIRONMENTS / "staging.yml").recap["changed"] > 0
    assert {"cases", "cases-identified", "reference-data", "shared-notebooks"} < {*cluster.claims(second.namespace)}
    assert play(second, ENVIRONMENTS / "staging.yml").recap["changed"] == 0
    # The rights of the first namespace are still there.
    assert play(first, DEMO).recap["changed"] == 0
