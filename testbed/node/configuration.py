"""The configuration of containerd, the network plugins and kubelet of a node, and the command lines."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import Any

import yaml

from .. import binaries
from ..state import Testbed
from . import images
from .layout import NAME, Layout, bridge_address

SOCKET = "/run/containerd/containerd.sock"


@dataclass(frozen=True)
class Configuration:
    """All parameters of a node, and the files and commands that follow from them."""

    testbed: Testbed
    subnet: ipaddress.IPv4Network
    kubelet_port: int

    @property
    def layout(self) -> Layout:
        return Layout(self.testbed.data)

    def files(self) -> dict[str, str]:
        """Return the content of each configuration file, by its name in the node's folder."""
        return {
            "containerd.toml": self._containerd(),
            "kubelet.yaml": yaml.safe_dump(self._kubelet(), sort_keys=False),
            "resolv.conf": "",  # of pods that use the node's: names fail to resolve at once
            "cni/testbed.conflist": json.dumps(self._network(), indent=2) + "\n",
        }

    def commands(self) -> dict[str, list[str]]:
        """Return the command line of each program. The supervisor runs them."""
        located, folder = binaries.locate(), self.layout.folder
        return {
            "containerd": [str(located["containerd"]), f"--config={folder}/containerd.toml"],
            "kube-scheduler": [
                str(located["kube-scheduler"]),
                f"--kubeconfig={self.layout.scheduler_kubeconfig}",
                "--secure-port=0",
                "--leader-elect=false",
            ],
            "kubelet": [
                str(located["kubelet"]),
                f"--config={folder}/kubelet.yaml",
                f"--kubeconfig={self.layout.kubeconfig}",
                f"--hostname-override={NAME}",
                f"--node-ip={bridge_address(self.subnet)}",
            ],
        }

    def _containerd(self) -> str:
        """Return containerd's configuration. Its root, state and socket are in their default places."""
        # Strings and lists have the same form in JSON and TOML.
        programs = json.dumps([str(binaries.locate()["bridge"].parent)])
        return f"""\
version = 3
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.nri.v1.nri"]

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = {json.dumps(images.PAUSE)}

[plugins.'io.containerd.cri.v1.runtime']
# Root may lack CAP_SYS_RESOURCE, as in a virtual machine of a CI service.
restrict_oom_score_adj = true
# Profiles would stay in the kernel after the node.
disable_apparmor = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = {programs}
conf_dir = {json.dumps(str(self.layout.network_plugins))}

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = false
"""

    def _network(self) -> dict[str, Any]:
        """Return the network of pods: a bridge without a route beyond it. Connections to the internet fail at once.

        The host has the bridge's address already, so the plugin need not make the bridge a gateway, for which it would
        switch on forwarding for the whole machine.
        """
        ipam = {
            "type": "host-local",
            "ranges": [[{"subnet": str(self.subnet), "gateway": bridge_address(self.subnet)}]],
        }
        bridge = {"type": "bridge", "bridge": self.layout.identifier, "isGateway": False, "ipMasq": False, "ipam": ipam}
        return {"cniVersion": "1.0.0", "name": "testbed", "plugins": [bridge]}

    def _kubelet(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": "127.0.0.1",
            "port": self.kubelet_port,
            "healthzPort": 0,
            "readOnlyPort": 0,
            # The API server has a certificate (commands.py). Clients without one, such as pods and other users, are rejected.
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": False},
                "x509": {"clientCAFile": str(self.testbed.pki / "ca.crt")},
            },
            "authorization": {"mode": "AlwaysAllow"},
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.layout.identifier}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "makeIPTablesUtilChains": False,
            # Nothing answers at this address. Without one every pod gets a warning.
            "clusterDNS": ["10.96.0.10"],
            "clusterDomain": "cluster.local",
            "resolvConf": str(self.layout.folder / "resolv.conf"),
            # Free disk space does not matter to tests. Zero is not accepted.
            "evictionHard": {"memory.available": "10Mi", "nodefs.available": "1Mi", "imagefs.available": "1Mi"},
            "imageGCHighThresholdPercent": 100,
            "nodeStatusUpdateFrequency": "5s",
            "kubeAPIQPS": 100,
            "kubeAPIBurst": 200,
        }
