"""The Secret of a hub of the Helm chart Zero to JupyterHub: its values, and the tokens that the chart makes."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from ..api import Client
from ..progress import TestbedError

#: The chart's defaults, as far as the hub of the testbed and the doctor look at them.
DEFAULTS: Mapping[str, Any] = {
    "Chart": {"Name": "jupyterhub", "Version": "4.4.0", "AppVersion": "5.5.0"},
    "Release": {"Name": "jupyterhub", "Service": "Helm"},
    "hub": {"consecutiveFailureLimit": 5},
    "singleuser": {"fsGid": 100},
}
VALUES = "values.yaml"
PROXY_TOKEN = "hub.config.ConfigurableHTTPProxy.auth_token"


def token_key(service: str) -> str:
    """Return the key of a service's token."""
    return f"hub.services.{service}.apiToken"


def write(client: Client, place: tuple[str, str], values: Mapping[str, Any], services: Iterable[str]) -> dict[str, str]:
    """Create or update the Secret, and return its data as texts. `place` is its namespace and name. Tokens that exist stay.

    Raises TestbedError.
    """
    namespace, name = place
    path = f"/api/v1/namespaces/{namespace}/secrets"
    status, found = client.request("GET", f"{path}/{name}")
    old = found.get("data") or {} if status == 200 else {}
    data = {VALUES: yaml.safe_dump(merged(DEFAULTS, values))}
    for key in (PROXY_TOKEN, *map(token_key, services)):
        data[key] = base64.b64decode(old[key]).decode() if key in old else secrets.token_hex(32)
    body = {"metadata": {"name": name, "namespace": namespace}, "stringData": data}
    method, path = ("PUT", f"{path}/{name}") if old else ("POST", path)
    status, answer = client.request(method, path, body)
    if status not in (200, 201):
        raise TestbedError(f"{method} {path}: {answer}")
    return data


def merged(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values over defaults, as Helm merges them."""
    result = dict(defaults)
    for key, value in values.items():
        before = result.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            value = merged(before, value)
        result[key] = value
    return result
