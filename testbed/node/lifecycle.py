"""A node: up, down, and what it left when it was killed.

`up` is idempotent. A node that runs with other pins, flags or addresses than those of now is replaced. `clean` takes
nothing on trust: the names of what it removes follow from the testbed's folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .. import binaries, control_plane, kubeconfig, pki, processes
from ..paths import HERE, data_dir
from ..progress import Heartbeat, TestbedError, say
from ..state import Testbed
from ..state import load as load_testbed
from . import images, kernel
from .configuration import Configuration
from .layout import LOGS, NAME, Layout, bridge_address
from .support import PATH, unsupported

SUPERVISOR = HERE / "node" / "supervisor.py"
READY_WITHIN = 90.0  # seconds; it takes two, on a loaded machine ten
ENDED_WITHIN = 10.0
_UNSHARE = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")


@dataclass(frozen=True)
class Node:
    """A running node. Pods and host reach each other over `bridge`, on which the host has `address`."""

    testbed: Testbed
    subnet: ipaddress.IPv4Network
    bridge: str
    pid: int

    name = NAME
    image = images.NOTEBOOK

    @property
    def address(self) -> str:
        return bridge_address(self.subnet)


def up(data: Path | None = None) -> Node:
    """Start the testbed and its node, building first what is missing; return when the node is ready.

    Raises TestbedError: why this machine cannot have one, or the end of the log that matters.
    """
    data = data or data_dir()
    reason = unsupported(data)
    if reason:
        raise TestbedError(reason)
    testbed = control_plane.up(data)
    binaries.ensure(binaries.NODE)
    image_root = images.ensure_notebook()
    with control_plane.locked(data):
        node = _current(testbed)
        if node is not None and _is_ready(testbed):
            say(f"the node is up already: {_described(node)}", detail=True)
            return node
        clean(data)
        forget(testbed)
        try:
            node = _start(testbed, image_root)
        except BaseException:
            clean(data)
            raise
    say(f"the node is up: {_described(node)}")
    return node


def load(data: Path | None = None) -> Node | None:
    """The node of the testbed in `data` as it runs, None when it does not."""
    data = data or data_dir()
    found = processes.find(data, "node")
    state = _read_state(Layout(data))
    if found is None or not state:
        return None
    return Node(load_testbed(data), ipaddress.IPv4Network(state["subnet"]), Layout(data).identifier, found[0].pid)


def status(data: Path) -> dict[str, Any] | None:
    """What `python -m testbed status` says of the node; None when it does not run."""
    node = load(data)
    if node is None:
        return None
    family = [psutil.Process(node.pid), *psutil.Process(node.pid).children(recursive=True)]
    memory = 0
    for process in family:
        with contextlib.suppress(psutil.Error):
            memory += process.memory_info().rss
    return {
        "pid": node.pid,
        "memory_mib": memory // 2**20,
        "name": node.name,
        "bridge": node.bridge,
        "address": node.address,
        "subnet": str(node.subnet),
        "image": node.image,
        "current": _current(node.testbed) is not None,
        "ready": _is_ready(node.testbed),
    }


def clean(data: Path) -> bool:
    """Stop the node and remove everything of it, also what one left that was killed; return whether there was anything."""
    layout = Layout(data)
    found = list(_processes(data))
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    # The end of process 1 is the end of all processes and mounts of its namespaces.
    if psutil.wait_procs(found, timeout=ENDED_WITHIN)[1]:
        raise TestbedError(f"the node's processes did not end within {ENDED_WITHIN:.0f} s of being killed: {found}")
    there = bool(found) or layout.folder.exists()
    there |= kernel.remove_bridge(layout)
    there |= kernel.remove_cgroups(layout)
    processes.pid_file(data, "node").unlink(missing_ok=True)
    if layout.folder.exists():
        if f" {layout.folder}/" in Path("/proc/self/mountinfo").read_text():
            raise TestbedError(f"something is mounted in {layout.folder}: unmount it, and run this again")
        shutil.rmtree(layout.folder)
    return there


def forget(testbed: Testbed) -> None:
    """Remove the node and its pods from the API: nobody would end them there."""
    client = testbed.client()
    _, pods = client.request("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NAME}")
    for pod in pods["items"]:
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        client.request("DELETE", path, {"gracePeriodSeconds": 0})
    client.request("DELETE", f"/api/v1/nodes/{NAME}")


def _processes(data: Path) -> Iterator[psutil.Process]:
    """The supervisor and the `unshare` that waits for it, without a pid file too."""
    plan = f"--plan={Layout(data).plan}"
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if plan in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def _current(testbed: Testbed) -> Node | None:
    """The node when it runs with the pins, flags and image of now, else None."""
    node, state = load(testbed.data), _read_state(Layout(testbed.data))
    if node is None:
        return None
    configuration = Configuration(testbed, node.subnet, state["kubelet_port"])
    return node if state["digest"] == _digest(configuration) else None


def _digest(configuration: Configuration) -> str:
    """Of everything that decides what a node runs."""
    parts = [
        configuration.files(),
        configuration.commands(),
        configuration.testbed.server,
        str(images.notebook_root()),
        str(binaries.locate()["pause"]),
        SUPERVISOR.read_text(),
        (configuration.testbed.pki / "node.crt").read_text(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _start(testbed: Testbed, image_root: Path) -> Node:
    layout = Layout(testbed.data)
    say("starting kube-scheduler, containerd and kubelet", detail=True)
    configuration = Configuration(testbed, kernel.free_subnet(layout), _free_port())
    # First the folder: whoever finds it cleans up.
    layout.network_plugins.mkdir(parents=True)
    kernel.make_bridge(layout, configuration.subnet)
    kernel.make_cgroups(layout)
    for name, content in configuration.files().items():
        (layout.folder / name).write_text(content)
    _write_kubeconfigs(testbed, layout)
    images.write_archive(layout.folder / "images.tar")
    layout.plan.write_text(json.dumps(_plan(configuration, image_root), indent=2) + "\n")
    state = {
        "subnet": str(configuration.subnet),
        "kubelet_port": configuration.kubelet_port,
        "digest": _digest(configuration),
    }
    layout.state.write_text(json.dumps(state, indent=2) + "\n")
    unshare = shutil.which("unshare", path=PATH)
    command = [str(unshare), *_UNSHARE, sys.executable, "-I", str(SUPERVISOR), f"--plan={layout.plan}"]
    process = processes.start(testbed.data, "node", command)
    _wait(testbed)
    return Node(testbed, configuration.subnet, layout.identifier, process.pid)


def _plan(configuration: Configuration, image_root: Path) -> dict[str, Any]:
    located, layout = binaries.locate(), configuration.layout
    return {
        "commands": configuration.commands(),
        # containerd looks its shim up there.
        "path": os.pathsep.join([str(located["containerd"].parent), PATH]),
        "logs": str(processes.log_file(layout.data, "node").parent),
        "ctr": str(located["ctr"]),
        "archive": str(layout.folder / "images.tar"),
        "image_root": str(image_root),
        "placeholder": images.PLACEHOLDER,
    }


def _write_kubeconfigs(testbed: Testbed, layout: Layout) -> None:
    authority = (testbed.pki / "ca.crt").read_bytes()
    for path, name in ((layout.kubeconfig, "node"), (layout.scheduler_kubeconfig, "scheduler")):
        pair = pki.Pair.read(testbed.pki, name)
        user = kubeconfig.certificate_user(pair.certificate, pair.key)
        kubeconfig.write(path, kubeconfig.document(testbed.server, authority, pki.CLIENTS[name][0], user))


def _wait(testbed: Testbed) -> None:
    heartbeat = Heartbeat(every=10.0)
    deadline = time.monotonic() + READY_WITHIN
    try:
        while not _is_ready(testbed):
            if processes.find(testbed.data, "node") is None:
                raise TestbedError(f"the node ended while it started; the ends of its logs:\n{_tails(testbed.data)}")
            if time.monotonic() > deadline:
                raise TestbedError(
                    f"the node was not ready within {READY_WITHIN:.0f} s; the ends of its logs:\n{_tails(testbed.data)}"
                )
            heartbeat.beat("waiting for the node ({elapsed})")
            time.sleep(0.1)
    finally:
        heartbeat.done()


def _tails(data: Path) -> str:
    return "\n".join(f"{name}:\n{processes.tail(data, name, 8)}" for name in LOGS)


def _is_ready(testbed: Testbed) -> bool:
    try:
        code, node = testbed.client().request("GET", f"/api/v1/nodes/{NAME}")
    except OSError:
        return False
    conditions = node["status"].get("conditions", []) if code == 200 else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _described(node: Node) -> str:
    return f"{node.name}, pods in {node.subnet}, the host is {node.address} to them"


def _read_state(layout: Layout) -> dict[str, Any]:
    try:
        state = json.loads(layout.state.read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
