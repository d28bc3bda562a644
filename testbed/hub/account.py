"""The service account of a hub, with the permissions that the Helm chart Zero to JupyterHub gives it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from .. import users
from ..progress import TestbedError
from ..state import Testbed

NAME = "hub"
LIFETIME = datetime.timedelta(days=30)  # of the token
_RBAC = "rbac.authorization.k8s.io"
#: The chart's Role (templates/hub/rbac.yaml of 4.4), without the right to delete claims, which the spawn hook makes needless.
CHART_RULES: list[dict[str, Any]] = [
    {
        "apiGroups": [""],
        "resources": ["pods", "secrets", "services"],
        "verbs": ["get", "watch", "list", "create", "delete"],
    },
    {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "watch", "list", "create"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "watch", "list"]},
]


def create(testbed: Testbed, namespace: str, path: Path) -> Path:
    """Create the account and its Role if they are missing, and write a kubeconfig with a token. Raises TestbedError."""
    metadata = {"name": NAME, "namespace": namespace}
    subject = {"kind": "ServiceAccount", **metadata}
    roles = f"/apis/{_RBAC}/v1/namespaces/{namespace}"
    role = {"apiGroup": _RBAC, "kind": "Role", "name": NAME}
    _ensure(testbed, f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": metadata})
    _ensure(testbed, f"{roles}/roles", {"metadata": metadata, "rules": CHART_RULES})
    _ensure(testbed, f"{roles}/rolebindings", {"metadata": metadata, "roleRef": role, "subjects": [subject]})
    user = {"token": users.token(testbed, namespace, NAME, lifetime=LIFETIME)}
    return users.write(testbed, path, NAME, user, namespace=namespace, wrong_ca=False)


def _ensure(testbed: Testbed, path: str, body: dict[str, Any]) -> None:
    status, answer = testbed.client().request("POST", path, body)
    if status not in (201, 409):
        raise TestbedError(f"{path}: {answer}")
