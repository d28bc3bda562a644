# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the checks of a hub look at. Each part is the data, or why it could not be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from ...kubernetes.claims import Claim
from ...kubernetes.volumes import Volume
from .finding import Read, Unread
from .settings import HubSettings

MCS_ANNOTATION = "openshift.io/sa.scc.mcs"
#: Selects the pods of servers. KubeSpawner sets the label in all versions.
SERVERS = "component=singleuser-server"

_NOT_READ = Unread("it was not read")


class ServerPod(NamedTuple):
    """A server that is not finished: its labels and annotations, and the security context of the pod."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    security: Mapping[str, Any]


class Subject(NamedTuple):
    """A user, group or service account of a binding, by the name that the API server knows."""

    kind: str
    name: str


class Binding(NamedTuple):
    """A RoleBinding or ClusterRoleBinding. `rules` are those of its role, None if that does not exist or is not readable.

    A RoleBinding can refer to a Role of the namespace, whose name says nothing, or to a ClusterRole.
    """

    kind: str
    name: str
    role: str
    subjects: tuple[Subject, ...]
    rules: Optional[tuple[Mapping[str, Any], ...]]
    is_cluster_role: bool = True


@dataclass(frozen=True)
class Place:
    """Where the hub runs: its namespace, that of its servers, and its service account."""

    namespace: str
    servers: str
    account: str

    @property
    def user(self) -> str:
        """The user name of the service account."""
        return f"system:serviceaccount:{self.namespace}:{self.account}"


@dataclass(frozen=True)
class ObservedHub:
    """A hub.

    `package` has the files of the spawn hook that the hub has, and `expected` those of this collection. `reviews` says what
    the hub's service account may do, by resource and verb. `myself` is the user of this run. `shares` are those of the ACL by
    name, None without one, and `acl_error` says why it is invalid. `claims` are the claims that the ACL names and those marked
    as shares, in the namespace of the servers. `waiting_classes` are the storage classes that bind a claim when a pod mounts
    it. `drivers` are the fsGroupPolicies of CSI drivers by name. `categories` are the MCS labels of namespaces, "" without one.
    `own_bindings` are the RoleBindings of this collection for this hub in all namespaces: the namespace and the name of each.
    """

    place: Place
    settings: Read[HubSettings]
    package: Read[Mapping[str, str]] = _NOT_READ
    expected: Mapping[str, str] = field(default_factory=dict)
    reviews: Mapping[tuple[str, str], Read[bool]] = field(default_factory=dict)
    bindings: Read[Sequence[Binding]] = _NOT_READ
    myself: str = ""
    shares: Read[Optional[Mapping[str, Mapping[str, Any]]]] = _NOT_READ
    acl_error: str = ""
    claims: Read[Mapping[str, Claim]] = _NOT_READ
    waiting_classes: Optional[frozenset[str]] = None
    volumes: Read[Sequence[Volume]] = _NOT_READ
    drivers: Read[Mapping[str, str]] = _NOT_READ
    policies: Read[Sequence[Mapping[str, Any]]] = _NOT_READ
    pods: Read[Sequence[ServerPod]] = _NOT_READ
    categories: Mapping[str, Read[str]] = field(default_factory=dict)
    nfs_servers: Sequence[str] = ()
    own_bindings: Read[Sequence[tuple[str, str]]] = ()

    def volumes_of_shares(self) -> dict[str, Volume]:
        """Return the volumes of the claims of shares in the namespace of the servers, as far as they are known, by share."""
        if isinstance(self.volumes, Unread) or isinstance(self.claims, Unread) or not self.known_shares:
            return {}
        by_name = {volume.name: volume for volume in self.volumes}
        found = {}
        for name, share in self.known_shares.items():
            claim = self.claims.get(share["claim"])
            if claim is not None and claim.volume in by_name:
                found[name] = by_name[claim.volume]
        return found

    @property
    def known_shares(self) -> Mapping[str, Mapping[str, Any]]:
        """The shares of the ACL, none if it is missing or not readable."""
        return {} if isinstance(self.shares, Unread) or self.shares is None else self.shares
