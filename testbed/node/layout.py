"""The names, addresses and files of the node of one testbed. All follow from the testbed's folder, so that two do not collide."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from pathlib import Path

#: The API server reaches a kubelet by the name of its node, and this one listens on loopback only.
NAME = "127.0.0.1"
LOGS = ("node", "containerd", "kubelet", "kube-scheduler")


@dataclass(frozen=True)
class Layout:
    """The paths of the node of the testbed in `data`, and the names of its kernel objects."""

    data: Path

    @property
    def _digest(self) -> bytes:
        return hashlib.sha256(str(self.data).encode()).digest()

    @property
    def identifier(self) -> str:
        """The name of its bridge, and of its cgroup in every hierarchy. An interface has at most 15 characters."""
        return f"odhp-{self._digest.hex()[:8]}"

    @property
    def folder(self) -> Path:
        """Exists while there is a node, or remains of one."""
        return self.data / "node"

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    @property
    def plan(self) -> Path:
        """What the supervisor is to do."""
        return self.folder / "plan.json"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "node.kubeconfig"

    @property
    def scheduler_kubeconfig(self) -> Path:
        return self.folder / "scheduler.kubeconfig"

    @property
    def network_plugins(self) -> Path:
        return self.folder / "cni"

    def subnet(self, attempt: int) -> ipaddress.IPv4Network:
        """Return the addresses of its pods: another network for each attempt. Services are in 10.96."""
        return ipaddress.IPv4Network((bytes([10, 97 + (self._digest[0] + attempt) % 30, self._digest[1], 0]), 24))


def bridge_address(subnet: ipaddress.IPv4Network) -> str:
    """Return the first address of a network, which is that of the host on the bridge."""
    return str(subnet.network_address + 1)
