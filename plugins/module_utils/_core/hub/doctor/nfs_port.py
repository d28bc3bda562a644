# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check whether NetworkPolicies leave the NFS port open to the pods of users.

Who reaches an NFS server mounts what it exports, whatever a pod's mounts say.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...kubernetes.volumes import Volume
from ...shares.csi_drivers import is_nfs_csi, nfs_attributes
from ...shares.server_names import server_name
from ...text import quote_list
from .chart import server_labels
from .finding import OK, UNKNOWN, WARNING, Finding, Unread, unknown
from .label_selectors import Answer, Labels
from .network_policies import Reach, destination, reach
from .observed import ObservedHub

NFS_PORT = "nfs_port"
PORT = 2049
_NOT_PROVED = "Whether the cluster's network enforces the policies is not proved."
_REMEDY = (
    "Restrict the egress of servers (z2jh: `singleuser.networkPolicy.egressAllowRules.privateIPs: false`), and let the NFS "
    "server accept connections from nodes only."
)


def check_nfs_port(hub: ObservedHub) -> list[Finding]:
    """Return a finding for each NFS server of the namespace's volumes and of shares, and for each that `nfs_servers` names."""
    servers = {server_name(name): name for name in hub.nfs_servers}
    if not isinstance(hub.volumes, Unread):
        for volume in hub.volumes:
            name = nfs_server(volume)
            if name and (volume.claim_namespace == hub.place.servers or volume.share is not None):
                servers.setdefault(server_name(name), name)
    found = []
    if isinstance(hub.volumes, Unread) and not servers:
        return [unknown(NFS_PORT, "NFS servers", hub.volumes)]
    if not servers:
        return [
            Finding(
                NFS_PORT,
                "NFS servers",
                OK,
                "No volume of this namespace is on an NFS server. `nfs_servers` names others.",
            )
        ]
    if isinstance(hub.policies, Unread):
        return [unknown(NFS_PORT, f"NFS server {name}", hub.policies) for name in sorted(servers.values())]
    for name in sorted(servers.values()):
        found.append(_finding(hub, name))
    return found


def nfs_server(volume: Volume) -> str:
    """Return the NFS server of a volume as its source names it, "" for other volumes."""
    source = volume.source
    if source.kind == "nfs":
        return str(source.fields.get("server", ""))
    return nfs_attributes(source.attributes).get("server", "") if is_nfs_csi(source.driver) else ""


def _finding(hub: ObservedHub, server: str) -> Finding:
    reached = _reached(hub, server)
    worst = max(reached, key=lambda one: one.answer)
    target = f"NFS server {server}"
    pods = _who(hub, sum(1 for one in reached if one.answer == worst.answer), len(reached))
    where = f"namespace {hub.place.servers}"
    by = (
        f"NetworkPolicy {quote_list(sorted(set(worst.policies)))}" if worst.policies else f"no NetworkPolicy in {where}"
    )
    if worst.answer == Answer.YES:
        how = f"{by} allows it" if worst.policies else f"{by} restricts their egress"
        reason = f"{pods} can connect to port {PORT}: {how}. What they mount there ignores levels and read-only mounts."
        return Finding(NFS_PORT, target, WARNING, reason, _REMEDY)
    if worst.answer == Answer.MAYBE:
        reason = (
            f"{pods} may be able to connect to port {PORT}: it depends on the server's address or labels, and on {by}."
        )
        remedy = "Name the server's IP addresses in `nfs_servers`, or restrict that policy."
        return Finding(NFS_PORT, target, UNKNOWN, reason, remedy)
    return Finding(NFS_PORT, target, OK, f"NetworkPolicies do not let servers connect to port {PORT}. {_NOT_PROVED}")


def _reached(hub: ObservedHub, server: str) -> list[Reach]:
    """Return for each server of a user whether it reaches the NFS server, by TCP or UDP."""
    policies = () if isinstance(hub.policies, Unread) else hub.policies
    targets = [destination(server, PORT, protocol) for protocol in ("TCP", "UDP")]
    return [max((reach(policies, pod, target) for target in targets), key=lambda one: one.answer) for pod in _pods(hub)]


def _pods(hub: ObservedHub) -> Sequence[Labels]:
    """Return the labels of the running servers, or without any, those that the configuration gives them."""
    if not isinstance(hub.pods, Unread) and hub.pods:
        return [Labels(pod.labels) for pod in hub.pods]
    values = {} if isinstance(hub.settings, Unread) else hub.settings.values
    return [Labels(server_labels(values), complete=False)]


def _who(hub: ObservedHub, number: int, of: int) -> str:
    if isinstance(hub.pods, Unread) or not hub.pods:
        return "Servers"
    return "The running servers" if number == of else f"{number} of {of} running servers"
