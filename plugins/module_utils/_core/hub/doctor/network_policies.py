# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What NetworkPolicies let pods reach. Whether the cluster's network enforces them is another question.

Source: the API reference of `networking.k8s.io/v1`. Policies only allow. A pod that no policy selects for egress reaches
everything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional, Union

from .label_selectors import Answer, Labels, selects

EGRESS = "Egress"
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class Destination(NamedTuple):
    """A port of a server. `address` is None if only its name is known. The server may be a pod."""

    name: str
    address: Optional[Address]
    port: int
    protocol: str = "TCP"


class Reach(NamedTuple):
    """Whether a pod reaches a destination, and what lets it, or may let it: policies, or "" if none selects the pod."""

    answer: Answer
    policies: tuple[str, ...] = ()


def destination(name: str, port: int, protocol: str = "TCP") -> Destination:
    """Return a destination by the name or the address of its server."""
    bare = name.strip().strip("[]")
    try:
        return Destination(name, ipaddress.ip_address(bare), port, protocol)
    except ValueError:
        return Destination(name, None, port, protocol)


def reach(policies: Iterable[Mapping[str, Any]], pod: Labels, target: Destination) -> Reach:
    """Return whether the policies of the pod's namespace let the pod reach a destination."""
    is_isolated = may_be_closed = may_be_open = False
    opening = []
    for policy in policies:
        spec = policy.get("spec") or {}
        if not applies_to_egress(spec):
            continue
        selected = selects(spec.get("podSelector") or {}, pod)
        if selected == Answer.NO:
            continue
        allowed = max((_rule_allows(rule, target) for rule in spec.get("egress") or ()), default=Answer.NO)
        if allowed != Answer.NO:
            may_be_open = True
            opening.append(str(policy["metadata"]["name"]))
        if selected == Answer.YES:
            is_isolated = True
            if allowed == Answer.YES:
                return Reach(Answer.YES, (str(policy["metadata"]["name"]),))
        if allowed != Answer.YES:
            may_be_closed = True
    if not is_isolated:
        return Reach(Answer.MAYBE if may_be_closed else Answer.YES, tuple(opening))
    return Reach(Answer.MAYBE if may_be_open else Answer.NO, tuple(opening))


def applies_to_egress(spec: Mapping[str, Any]) -> bool:
    """Return whether a policy restricts egress. Without types it does if it has rules for egress."""
    types = spec.get("policyTypes")
    return EGRESS in types if types else bool(spec.get("egress"))


def _rule_allows(rule: Mapping[str, Any], target: Destination) -> Answer:
    ports, peers = rule.get("ports") or (), rule.get("to") or ()
    # The name of a port belongs to a pod, so it says nothing about addresses outside of the cluster.
    port = max((_port_matches(one, target) for one in ports), default=Answer.NO) if ports else Answer.YES
    peer = max((_peer_matches(one, target) for one in peers), default=Answer.NO) if peers else Answer.YES
    return min(port, peer)


def _port_matches(port: Mapping[str, Any], target: Destination) -> Answer:
    if (port.get("protocol") or "TCP") != target.protocol:
        return Answer.NO
    number = port.get("port")
    if number is None:
        return Answer.YES
    if not isinstance(number, int):
        return Answer.MAYBE
    last = port.get("endPort") or number
    return Answer.YES if number <= target.port <= last else Answer.NO


def _peer_matches(peer: Mapping[str, Any], target: Destination) -> Answer:
    block = peer.get("ipBlock")
    if block is None:
        return Answer.MAYBE  # pods: the server may be one of them
    try:
        network = ipaddress.ip_network(block["cidr"], strict=False)
        excepted = [ipaddress.ip_network(text, strict=False) for text in block.get("except") or ()]
    except (KeyError, ValueError):
        return Answer.MAYBE
    if target.address is None:
        return Answer.YES if network.prefixlen == 0 and not excepted else Answer.MAYBE
    inside = target.address in network and not any(target.address in one for one in excepted)
    return Answer.YES if inside else Answer.NO
