"""The service account of a hub, as the Helm chart Zero to JupyterHub creates it. Its Roles are those of the role `hub`."""

from __future__ import annotations

import datetime
from pathlib import Path

from .. import users
from ..progress import TestbedError
from ..state import Testbed

NAME = "hub"
LIFETIME = datetime.timedelta(days=30)  # of the token


def create(testbed: Testbed, namespace: str, path: Path) -> Path:
    """Create the account if it is missing, and write a kubeconfig with a token of it. Raises TestbedError."""
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    status, answer = testbed.client().request("POST", accounts, {"metadata": {"name": NAME, "namespace": namespace}})
    if status not in (201, 409):
        raise TestbedError(f"{accounts}: {answer}")
    user = {"token": users.token(testbed, namespace, NAME, lifetime=LIFETIME)}
    return users.write(testbed, path, NAME, user, namespace=namespace, wrong_ca=False)
