"""The testbed's node: it runs pods of the notebook image, and leaves nothing on the machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from testbed import control_plane, processes
from testbed.node import kernel, lifecycle
from testbed.node.layout import NAME, Layout
from testbed.node.support import CGROUPS, unsupported
from tests.support.cluster import Cluster, wait_for
from tests.support.node import *  # noqa: F403
from tests.support.node import Pods, host_path_claim, require_node

SERVE = "import http.server; http.server.test(http.server.SimpleHTTPRequestHandler, port=8000)"


@pytest.fixture
def pods(cluster: Cluster, namespace: str) -> Pods:
    return Pods(cluster, namespace)


@pytest.fixture
def claim(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[str]:
    """A claim that is bound to a folder of this machine, in which everybody may write."""
    tmp_path.chmod(0o777)
    yield host_path_claim(cluster, namespace, "share", tmp_path)
    cluster.delete("persistentvolumes", f"{namespace}-share")


class TestPods:
    def test_the_node_is_ready_and_in_the_status(self, node, cluster):
        found = cluster.get("nodes", NAME)
        assert {c["type"]: c["status"] for c in found["status"]["conditions"]}["Ready"] == "True"
        status = control_plane.status(cluster.testbed.data)["node"]
        assert status["ready"] is status["current"] is True
        assert (status["name"], status["address"]) == (NAME, node.address)

    def test_up_again_starts_nothing(self, node):
        assert lifecycle.up(node.testbed.data) == node

    def test_the_notebook_image_has_jupyter(self, node, pods):
        program = (
            "import jupyterlab, jupyterhub, jupyterlmod, ipykernel, os; print(jupyterhub.__version__, os.getuid())"
        )
        assert pods.run("jupyter", "python3", "-c", program) == ("Succeeded", "5.5.0 1000\n")

    def test_the_notebook_image_has_lmod(self, node, pods):
        phase, printed = pods.run("lmod", "bash", "-lc", "module --version 2>&1 && command -v jupyterhub-singleuser")
        assert phase == "Succeeded", printed
        assert "Modules based on Lua" in printed
        assert "/opt/jupyter/bin/jupyterhub-singleuser" in printed

    def test_a_read_only_claim_rejects_a_write(self, node, pods, claim):
        assert pods.run("writer", "sh", "-c", "echo hello >/data/file", claim=claim)[0] == "Succeeded"
        # One stream, because the runtime does not keep the order of two.
        command = ["sh", "-c", "exec 2>&1; cat /data/file; echo no >/data/file"]
        phase, printed = pods.run("reader", *command, claim=claim, read_only=True)
        assert phase == "Failed"
        assert printed.startswith("hello\n")
        assert "Read-only file system" in printed

    def test_logs_and_exec_and_the_way_between_host_and_pod(self, node, pods):
        """A hub on the host reaches its servers by the pods' addresses, and they reach it on the bridge."""
        pods.start("server", "python3", "-u", "-c", SERVE)
        address = pods.wait("server", "Running")["podIP"]
        wait_for(lambda: "Serving HTTP" in pods.kubectl("logs", "server"), "the server serves")
        with urllib.request.urlopen(f"http://{address}:8000/") as answer:
            assert answer.status == 200
        assert pods.kubectl("exec", "server", "--", "whoami") == "jovyan\n"
        reach = f"import socket; print(socket.create_connection(('{node.address}', 9), 2))"
        with pytest.raises(AssertionError, match="Connection refused"):
            pods.kubectl("exec", "server", "--", "python3", "-c", reach)

    def test_kubelet_answers_the_api_server_only(self, node):
        """Not to somebody without a certificate, who could run commands in every pod."""
        port = json.loads(Layout(node.testbed.data).state.read_text())["kubelet_port"]
        command = ["curl", "--insecure", "--silent", f"https://127.0.0.1:{port}/pods"]
        assert subprocess.run(command, capture_output=True, text=True).stdout == "Unauthorized"


def traces(data: Path) -> dict[str, Any]:
    """Return what the node in `data` has on this machine, and what it could change. Other nodes are left out."""
    ours = Layout(data).identifier
    interfaces = {}
    for interface in kernel.INTERFACES.iterdir():
        bridge = (interface / "master").resolve().name if (interface / "master").exists() else ""
        if not (f"{interface.name} {bridge}".replace(ours, "").count("odhp-")):
            interfaces[interface.name] = bridge
    return {
        "mounts": {line for line in Path("/proc/self/mountinfo").read_text().splitlines() if _is_of_a_node(line, data)},
        "interfaces": interfaces,
        "namespaces": sorted(path.name for path in Path("/run/netns").glob("*")),
        "cgroups": {str(p) for p in CGROUPS.rglob("*") if p.is_dir() and _is_cgroup_of(p, ours)},
        "settings": dict(_settings()),
        "folders": [name for name in FOLDERS if Path(name).exists()],
        "rules": subprocess.run(["sh", "-c", "iptables-save | grep -i -e kube -e cni"], capture_output=True).stdout,
    }


FOLDERS = ("/run/containerd", "/run/netns", "/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet", "/var/log/pods")
FOLDERS += ("/var/log/containers", "/opt/cni", "/etc/cni")
SETTINGS = (
    "kernel/*",
    "kernel/keys/*",
    "vm/*",
    "net/ipv4/*",
    "net/ipv4/conf/all/*",
    "net/ipv4/conf/default/*",
    "net/bridge/*",
)


def _is_of_a_node(mount: str, data: Path) -> bool:
    words = (str(data).replace(" ", "\\040"), "containerd", "kubelet", "/netns", "overlay", "/images/", "/proc/sys")
    return any(word in mount for word in words)


def _is_cgroup_of(path: Path, ours: str) -> bool:
    """Other programs make cgroups too, and other nodes those below their own."""
    kubelets = any("kube" in part or "k8s" in part for part in path.parts)
    return ours in path.parts or (kubelets and not any(part.startswith("odhp-") for part in path.parts))


def _settings() -> Iterator[tuple[str, str]]:
    for pattern in SETTINGS:
        for path in Path("/proc/sys").glob(pattern):
            with contextlib.suppress(OSError):
                if path.is_file() and path.name not in ("ns_last_pid", "stat_refresh"):
                    yield str(path), path.read_text()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Iterator[Path]:
    """The folder of another testbed, beside the one in use."""
    require_node()
    data = tmp_path_factory.mktemp("another") / "test bed"
    yield data
    control_plane.reset(data)


@pytest.fixture(scope="module")
def before(data) -> dict[str, Any]:
    """The machine with the other testbed up, but no node."""
    command(data, "up")
    return traces(data)


@pytest.fixture
def running(data, before) -> dict[str, Any]:
    """A node with a pod on it; its status."""
    command(data, "up", "--node")
    pods = Pods(connect(data), "default")
    if not pods.cluster.get("pods", "sleeper", "default"):
        pods.start("sleeper", "sleep", "600")
    pods.wait("sleeper", "Running")
    found: dict[str, Any] = control_plane.status(data)["node"]
    launcher = psutil.Process(found["pid"])
    found["processes"] = [launcher, *launcher.children(recursive=True)]
    names = {process.name() for process in found["processes"]}
    assert {"containerd", "kubelet", "kube-scheduler", "pause", "sleep"} <= names
    return found


class TestNothingIsLeft:
    """In this order the control plane is started four times and not ten."""

    def assert_clean(self, data: Path, before: dict[str, Any], running: dict[str, Any] | None = None) -> None:
        for name, found in traces(data).items():
            assert found == before[name], name
        assert not Layout(data).folder.exists()
        assert all(processes.gone(process, 0.1) for process in (running or {}).get("processes", []))

    def kill(self, running: dict[str, Any]) -> None:
        os.kill(running["pid"], signal.SIGKILL)

    def test_a_killed_launcher_and_up(self, data, before, running):
        self.kill(running)
        assert "removing what a killed node left behind" in command(data, "up")
        self.assert_clean(data, before, running)
        cluster = connect(data)
        assert cluster.list("nodes") == []
        assert cluster.get("pods", "sleeper", "default") is None

    def test_a_killed_launcher_and_up_with_a_node(self, data, running):
        self.kill(running)
        command(data, "up", "--node")
        found = control_plane.status(data)["node"]
        assert found["ready"]
        assert found["pid"] != running["pid"]

    @pytest.mark.parametrize("part", ["containerd", "kubelet"])
    def test_a_part_that_dies_takes_the_node_with_it(self, data, running, part):
        (victim,) = [process for process in running["processes"] if process.name() == part]
        victim.kill()
        wait_for(lambda: processes.find(data, "node") is None, "the node is down")
        assert f"{part} ended with -9, which ended the node" in processes.tail(data, "node")

    def test_an_up_that_was_killed(self, data, before):
        command(data, "up")
        process = start(data, "up", "--node")
        wait_for(lambda: processes.find(data, "node"), "the node's processes")
        process.kill()
        process.communicate()
        command(data, "down")
        self.assert_clean(data, before)

    def test_a_folder_that_was_removed(self, data, before, running):
        kept = data.rename(data.with_name("elsewhere"))
        command(data, "down")
        assert not (kernel.INTERFACES / running["bridge"]).exists()
        kept.rename(data)
        command(data, "up")
        self.assert_clean(data, before, running)

    def test_down(self, data, before, running):
        """A node does not outlive its control plane, which afterwards knows neither it nor its pods."""
        changed = traces(data)
        assert {name for name in changed if changed[name] != before[name]} == {"interfaces", "cgroups"}
        assert "stopped node, kube-controller-manager" in command(data, "down")
        self.assert_clean(data, before, running)
        assert control_plane.status(data)["node"] is None
        command(data, "up")
        assert connect(data).list("nodes") == []

    @pytest.mark.parametrize("arguments", [["down"], ["reset", "--wipe-only"]])
    def test_a_killed_launcher_and_the_end(self, data, before, running, arguments):
        self.kill(running)
        command(data, *arguments)
        self.assert_clean(data, before, running)


def connect(data: Path) -> Cluster:
    testbed = control_plane.up(data)
    return Cluster(testbed.kubeconfig, testbed)


def start(data: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "testbed", *arguments],
        env=os.environ | {"ODHP_TESTBED_DATA": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def command(data: Path, *arguments: str) -> str:
    """The output of a command of the testbed in `data`, which must succeed."""
    process = start(data, *arguments)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("sys.platform", "darwin", "a node needs Linux"),
        ("os.geteuid", lambda: 1000, "a node needs root"),
        ("PROGRAMS", {"no-such-program": "runc"}, "a node needs the packages runc: run bin/system-packages"),
        ("CGROUPS", Path("/nowhere"), "a node needs the cgroup controllers cpu, memory, pids in /nowhere"),
        ("_OVERLAY", "echo no >&2; false", "a node needs overlay mounts in /"),
        ("_BRIDGE", "echo no >&2; false", "a node needs bridges and veth interfaces: no"),
    ],
)
def test_why_a_machine_has_no_node(tmp_path, monkeypatch, name, value, reason):
    monkeypatch.setattr("testbed.node.support.os.geteuid", lambda: 0)
    monkeypatch.setattr("testbed.node.support.PROGRAMS", {})
    monkeypatch.setattr(f"testbed.node.support.{name}", value)
    assert (unsupported(tmp_path) or "").startswith(reason)
