"""Create and remove what a node has outside of its namespaces: a bridge, and a cgroup in every hierarchy."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from ..progress import TestbedError
from .layout import Layout, bridge_address
from .support import CGROUPS, PATH

INTERFACES = Path("/sys/class/net")
ATTEMPTS = 30  # other networks to try when one is taken
UNIFIED_CONTROLLERS = {"cpu", "cpuset", "hugetlb", "io", "memory", "pids"}
_SUBTREE_CONTROL = CGROUPS / "cgroup.subtree_control"
GONE_WITHIN = 10.0  # seconds until the last process of a killed node has left its cgroup


def free_subnet(layout: Layout) -> ipaddress.IPv4Network:
    """Return a network that overlaps no route of this machine. Raises TestbedError when there is none."""
    taken = [
        ipaddress.IPv4Network(route["dst"])
        for route in json.loads(_ip("-json", "-4", "route", "show", "table", "all"))
        if route["dst"] != "default"
    ]
    for attempt in range(ATTEMPTS):
        subnet = layout.subnet(attempt)
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise TestbedError("no network in 10.97.0.0 to 10.126.255.255 is free for pods: every one overlaps a route")


def make_bridge(layout: Layout, subnet: ipaddress.IPv4Network) -> None:
    """Create a bridge with the first address of `subnet`. Pods and this machine reach each other, and nothing is forwarded."""
    name = layout.identifier
    _ip("link", "add", name, "type", "bridge")
    _ip("address", "add", f"{bridge_address(subnet)}/{subnet.prefixlen}", "dev", name)
    _ip("link", "set", name, "up")


def remove_bridge(layout: Layout) -> bool:
    """Remove the bridge and the host's ends of pods' interfaces; return whether it was there."""
    bridge = INTERFACES / layout.identifier
    if not bridge.exists():
        return False
    for port in os.listdir(bridge / "brif"):
        # The kernel may remove it at the same time, after its pod.
        with contextlib.suppress(TestbedError):
            _ip("link", "delete", port)
    _ip("link", "delete", layout.identifier)
    return True


def make_cgroups(layout: Layout) -> None:
    """Create the parent of kubelet's cgroups, in every hierarchy."""
    if _is_unified():
        # kubelet requires these in its cgroup, and systemd does not delegate all of them.
        enabled = _SUBTREE_CONTROL.read_text().split()
        (layout.folder / "controllers").write_text(" ".join(enabled))
        _switch("+", UNIFIED_CONTROLLERS - set(enabled))
    for cgroup in _cgroups(layout):
        cgroup.mkdir(exist_ok=True)
        # In version 1 a new cpuset has no processors, and nothing can run in it.
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (cgroup / name).exists() and not _is_unified():
                (cgroup / name).write_text((cgroup.parent / name).read_text())


def remove_cgroups(layout: Layout) -> bool:
    """Remove the cgroups of a node that was killed; return whether there were any. Raises TestbedError."""
    found = [cgroup for cgroup in _cgroups(layout) if cgroup.exists()]
    deadline = time.monotonic() + GONE_WITHIN
    for cgroup in found:
        while cgroup.exists():
            try:
                for folder, _, _ in os.walk(cgroup, topdown=False):
                    os.rmdir(folder)
            except OSError as error:
                if time.monotonic() > deadline:
                    raise TestbedError(f"the cgroup {cgroup} cannot be removed: {error}") from error
                time.sleep(0.05)
    if _is_unified() and (layout.folder / "controllers").exists():
        _switch(
            "-", set(_SUBTREE_CONTROL.read_text().split()) - set((layout.folder / "controllers").read_text().split())
        )
    return bool(found)


def _is_unified() -> bool:
    """Whether the machine has cgroups of version 2 only."""
    return (CGROUPS / "cgroup.controllers").exists()


def _switch(sign: str, controllers: set[str]) -> None:
    """Enable (`+`) or disable (`-`) controllers for the cgroups below the root."""
    for name in controllers:
        # Absent, or in use by another process by now.
        with contextlib.suppress(OSError):
            _SUBTREE_CONTROL.write_text(f"{sign}{name}")


def _cgroups(layout: Layout) -> Iterator[Path]:
    """The node's cgroup in each hierarchy: the unified one, or those of version 1, of which some may be symlinks."""
    if _is_unified():
        yield CGROUPS / layout.identifier
        return
    for hierarchy in sorted(CGROUPS.glob("*")):
        if (hierarchy / "cgroup.procs").exists() and not hierarchy.is_symlink():
            yield hierarchy / layout.identifier


def _ip(*arguments: str) -> str:
    command = ["ip", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PATH": PATH})
    if answer.returncode:
        raise TestbedError(f"{' '.join(command)}: {answer.stderr.strip()}")
    return answer.stdout
