"""Kubeconfig files with all data embedded, so that a single file is sufficient."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import yaml


def _embed(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def certificate_user(certificate: bytes, key: bytes) -> dict[str, Any]:
    """Return the `user` of a kubeconfig with a client certificate (PEM)."""
    return {"client-certificate-data": _embed(certificate), "client-key-data": _embed(key)}


def document(
    server: str, authority: bytes, user_name: str, user: dict[str, Any], namespace: str = "default"
) -> dict[str, Any]:
    """Return a kubeconfig with one context, `testbed`. `user` is the value of that key: a certificate, a token, an exec
    plugin.
    """
    context = {"cluster": "testbed", "user": user_name, "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "testbed", "cluster": {"server": server, "certificate-authority-data": _embed(authority)}}
        ],
        "users": [{"name": user_name, "user": user}],
        "contexts": [{"name": "testbed", "context": context}],
        "current-context": "testbed",
    }


def write(path: Path, content: dict[str, Any]) -> Path:
    """Write a kubeconfig atomically, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        yaml.safe_dump(content, file, sort_keys=False)
    os.replace(temporary, path)
    return path
