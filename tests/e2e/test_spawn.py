"""From an inventory to a mount: the roles configure a cluster and a hub, and users start servers."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error

import pytest

from tests.e2e.rig import CHART_RULES, HubOnNode
from tests.support.cluster import TEST_LABEL, wait_for
from tests.support.node import host_path_claim
from tests.support.playbooks import Playbooks

HOME = "/home/jovyan"
SHARES = [
    {"name": "papers", "read": {"users": ["reader"]}, "write": {"users": ["writer"]}},
    {"name": "others", "read": {"users": ["somebody"]}},
]


@pytest.fixture
def volumes(cluster, namespace, tmp_path):
    """Volumes for homes that the hub creates: `volumes("claim-ann")`. Folders of this machine stand in for storage."""
    tmp_path.chmod(0o755)
    made = []

    def make(claim):
        folder = tmp_path / claim
        folder.mkdir()
        os.chown(folder, 1000, 100)
        name = f"{namespace}-{claim}"
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "",
            "hostPath": {"path": str(folder)},
            "claimRef": {"namespace": namespace, "name": claim},
        }
        cluster.create("persistentvolumes", {"metadata": {"name": name, "labels": {TEST_LABEL: "true"}}, "spec": spec})
        made.append(name)
        return folder

    yield make
    for name in made:
        cluster.delete("persistentvolumes", name)


@pytest.fixture
def hub(cluster, node, proxy, namespace, tmp_path, volumes):
    """A hub with two shares, configured by the playbooks."""
    account = cluster.restricted_kubeconfig(tmp_path, namespace, CHART_RULES)
    values = tmp_path / "values.yaml"
    shares = []
    for spec in SHARES:
        folder = tmp_path / spec["name"]
        folder.mkdir()
        os.chown(folder, 0, 7000)
        folder.chmod(0o2770)
        (folder / "hello.txt").write_text(f"from {spec['name']}\n")
        host_path_claim(cluster, namespace, spec["name"], folder)
        shares.append(
            {**spec, "level": "private", "gid": 7000, "backend": {"type": "existing_claim", "claim": spec["name"]}}
        )
    playbooks = Playbooks(cluster, tmp_path)
    inventory = {
        "shares_namespace": namespace,
        "shares_home_path": HOME,
        "shares_list": shares,
        "hub_namespace": namespace,
        "hub_values_file": str(values),
        "hub_service_account": account.stem,
    }
    for playbook in ("shares", "hub"):
        run = playbooks.run(f"odh.persistency.{playbook}", playbooks.inventory(inventory))
        assert run.code == 0, run.output
    with HubOnNode(node, proxy, namespace, account, values) as running:
        yield running
    for spec in SHARES:
        cluster.delete("persistentvolumes", f"{namespace}-{spec['name']}")


@pytest.fixture
def shell(cluster, namespace):
    """`shell("ann", "ls")`: run a shell command in a user's server; return its code and output."""

    def run(user, command):
        arguments = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "-n", namespace]
        arguments += ["exec", f"jupyter-{user}", "-c", "notebook", "--", "sh", "-c", command]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    return run


def test_users_get_their_home_and_the_shares_that_they_may_use(cluster, namespace, hub, volumes, shell):
    homes = {user: volumes(f"claim-{user}") for user in ("reader", "writer")}
    hub.launch("reader")
    assert shell("reader", f"echo mine > {HOME}/note && cat {HOME}/papers/hello.txt") == (0, "from papers\n")
    assert (homes["reader"] / "note").read_text() == "mine\n"
    code, output = shell("reader", f"echo no > {HOME}/papers/note")
    assert code != 0
    assert "Read-only file system" in output
    assert shell("reader", f"ls {HOME}") == (0, "note\npapers\n")

    hub.launch("writer")
    assert shell("writer", f"echo text > {HOME}/papers/note") == (0, "")
    assert shell("reader", f"cat {HOME}/papers/note") == (0, "text\n")

    pod = cluster.get("pods", "jupyter-reader", namespace)
    assert json.loads(pod["metadata"]["annotations"]["odh.persistency/granted"])["shares"] == {"papers": "ro"}
    home = cluster.get("persistentvolumeclaims", "claim-reader", namespace)
    assert home["metadata"]["labels"]["odh.persistency/kind"] == "home"
    hub.api("DELETE", "/users/reader/server")
    wait_for(lambda: cluster.get("pods", "jupyter-reader", namespace) is None, "the pod is gone", within=60)
    assert cluster.get("pods", "jupyter-writer", namespace) is not None


def test_refusals_tell_the_user_why_and_do_not_end_the_hub(cluster, namespace, hub, tmp_path):
    folder = tmp_path / "retired"
    folder.mkdir()
    host_path_claim(cluster, namespace, "claim-gone", folder)
    names = {"hub.jupyter.org/username": "gone", "odh.persistency/retired-at": "2026-01-01T00:00:00Z"}
    labels = {"hub.jupyter.org/username": "gone"}
    body = {"metadata": {"annotations": names, "labels": labels}}
    cluster.patch("persistentvolumeclaims", "claim-gone", body, namespace)
    hub.api("POST", "/users/gone")
    for _number in range(20):
        with pytest.raises(urllib.error.HTTPError) as error:
            hub.api("POST", "/users/gone/server", {})
        assert error.value.code == 403
        assert "Your home volume is retired" in error.value.read().decode()
    assert hub.is_running
    assert "Aborting due to" not in hub.log()
    assert "consecutive spawns failed" not in hub.log()
    cluster.delete("persistentvolumes", f"{namespace}-claim-gone")
