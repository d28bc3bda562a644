# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hub's service account may do beyond its installer's Role: read the ACL, and report on the progress page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ..requests import Resource

NAME = "odh-persistency-hub"
_GROUP = "rbac.authorization.k8s.io"
ROLES = Resource(_GROUP, "v1", "roles")
ROLE_BINDINGS = Resource(_GROUP, "v1", "rolebindings")
CLUSTER_ROLES = Resource(_GROUP, "v1", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(_GROUP, "v1", "clusterrolebindings", namespaced=False)
MANAGED_BY = {"app.kubernetes.io/managed-by": "odh.persistency"}

Rules = Sequence[Mapping[str, Any]]
#: An object with its type.
Definition = tuple[Resource, Mapping[str, Any]]

_HOOK_RULES: Rules = (
    # The names of the ACL's parts contain digests, so no list of names can restrict this.
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
)


class Account:
    """A service account, for the subjects of bindings."""

    def __init__(self, name: str, namespace: str) -> None:
        self.name, self.namespace = name, namespace

    @property
    def subject(self) -> dict[str, str]:
        """The subject of a binding."""
        return {"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}

    @property
    def user(self) -> str:
        """The user name of the service account."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def groups(self) -> list[str]:
        """The groups that it is in."""
        return ["system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated"]


def hook_permissions(account: Account, servers_namespace: str, token_secret: Optional[str] = None) -> list[Definition]:
    """Return what the spawn hook needs in the namespace of the servers, and to read the Secret with the service's token."""
    secret: Rules = ()
    if token_secret is not None:
        secret = ({"apiGroups": [""], "resources": ["secrets"], "resourceNames": [token_secret], "verbs": ["get"]},)
    if account.namespace == servers_namespace:
        return role_for(NAME, servers_namespace, [*_HOOK_RULES, *secret], account)
    found = role_for(NAME, servers_namespace, _HOOK_RULES, account)
    return found + role_for(NAME, account.namespace, secret, account) if secret else found


def role_for(name: str, namespace: str, rules: Iterable[Mapping[str, Any]], account: Account) -> list[Definition]:
    """Return a Role and its RoleBinding."""
    role = _named("Role", name, namespace, {"rules": [dict(rule) for rule in rules]})
    return [(ROLES, role), (ROLE_BINDINGS, _binding("Role", name, namespace, account))]


def cluster_role_for(name: str, rules: Iterable[Mapping[str, Any]], account: Account) -> list[Definition]:
    """Return a ClusterRole and its ClusterRoleBinding."""
    role = _named("ClusterRole", name, "", {"rules": [dict(rule) for rule in rules]})
    return [(CLUSTER_ROLES, role), (CLUSTER_ROLE_BINDINGS, _binding("ClusterRole", name, "", account))]


def _binding(kind: str, name: str, namespace: str, account: Account) -> dict[str, Any]:
    reference = {"apiGroup": _GROUP, "kind": kind, "name": name}
    return _named(f"{kind}Binding", name, namespace, {"roleRef": reference, "subjects": [account.subject]})


def _named(kind: str, name: str, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": dict(MANAGED_BY)}
    return {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata, **body}
