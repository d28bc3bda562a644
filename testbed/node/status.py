"""Whether a node runs, what it runs, and how to reach it."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .. import binaries, processes
from .. import state as testbed_state
from ..paths import HERE, data_dir
from ..state import Testbed
from . import images
from .configuration import Configuration
from .layout import NAME, Layout, bridge_address

SUPERVISOR = HERE / "node" / "supervisor.py"


@dataclass(frozen=True)
class Node:
    """A running node. Pods and this machine reach each other over `bridge`, on which this machine has `address`."""

    testbed: Testbed
    subnet: ipaddress.IPv4Network
    bridge: str
    pid: int

    name = NAME
    image = images.NOTEBOOK

    def __str__(self) -> str:
        return f"{self.name}, pods in {self.subnet}, which reach this machine at {self.address}"

    @property
    def address(self) -> str:
        return bridge_address(self.subnet)


def load(data: Path | None = None) -> Node | None:
    """Return the running node of the testbed in `data`, or None."""
    data = data or data_dir()
    found = processes.find(data, "node")
    state = _read_state(Layout(data))
    if found is None or not state:
        return None
    return Node(testbed_state.load(data), ipaddress.IPv4Network(state["subnet"]), Layout(data).identifier, found[0].pid)


def status(data: Path) -> dict[str, Any] | None:
    """Return what `python -m testbed status` prints about the node, or None when it does not run."""
    node = load(data)
    if node is None:
        return None
    memory = 0
    with contextlib.suppress(psutil.Error):
        launcher = psutil.Process(node.pid)
        memory = sum(process.memory_info().rss for process in (launcher, *launcher.children(recursive=True)))
    return {
        "pid": node.pid,
        "memory_mib": memory // 2**20,
        "name": node.name,
        "bridge": node.bridge,
        "address": node.address,
        "subnet": str(node.subnet),
        "image": node.image,
        "current": current_node(node.testbed) is not None,
        "ready": is_ready(node.testbed),
    }


def current_node(testbed: Testbed) -> Node | None:
    """Return the node when it runs with the current pins, flags and image, otherwise None."""
    node, state = load(testbed.data), _read_state(Layout(testbed.data))
    if node is None:
        return None
    configuration = Configuration(testbed, node.subnet, state["kubelet_port"])
    return node if state["digest"] == digest(configuration) else None


def is_ready(testbed: Testbed) -> bool:
    """Whether the API server lists the node as Ready."""
    try:
        code, node = testbed.client().request("GET", f"/api/v1/nodes/{NAME}")
    except OSError:
        return False
    conditions = node["status"].get("conditions", []) if code == 200 else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def digest(configuration: Configuration) -> str:
    """Return a digest of everything that decides what a node runs."""
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


def _read_state(layout: Layout) -> dict[str, Any]:
    try:
        state = json.loads(layout.state.read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
