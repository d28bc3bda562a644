# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hub's service account may do beyond the chart's own Role: read the ACL, and report on the progress page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NAME = "odh-persistency-hub"
_RBAC = "rbac.authorization.k8s.io"
_RULES = [
    # The names of the ACL's parts contain digests, so no list of names can restrict this.
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
]


def permissions(namespace: str, service_account: str) -> list[dict[str, Any]]:
    """Return the Role and the RoleBinding in the hub's namespace."""
    metadata = {"name": NAME, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "odh.persistency"}}
    role = {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": _RULES}
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": service_account, "namespace": namespace}],
    }
    return [role, binding]


def differing(definitions: Iterable[Mapping[str, Any]], observed: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the definitions that the cluster has not, or has otherwise. What a definition does not mention is ignored."""
    found = {(item["kind"], item["metadata"]["name"]): item for item in observed}
    return [
        dict(item) for item in definitions if not _contains(found.get((item["kind"], item["metadata"]["name"])), item)
    ]


def _contains(observed: Any, definition: Any) -> bool:
    if isinstance(definition, Mapping):
        return isinstance(observed, Mapping) and all(
            key in observed and _contains(observed[key], value) for key, value in definition.items()
        )
    if isinstance(definition, list):
        return (
            isinstance(observed, list)
            and len(observed) == len(definition)
            and all(map(_contains, observed, definition))
        )
    return bool(observed == definition)
