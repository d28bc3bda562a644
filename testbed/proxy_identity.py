"""The server of a kubeconfig, for direct HTTP: the fault proxy, and bare scripts."""

from __future__ import annotations

import base64
import secrets
import socket
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

CONNECT_TIMEOUT = 10.0


@dataclass(frozen=True)
class Server:
    """The real API server, and how to get to it."""

    address: tuple[str, int]
    host: str  # for the Host header
    prefix: str  # the path in the server's address, without a trailing slash
    tls: ssl.SSLContext | None  # None for plain HTTP
    tls_name: str
    has_identity: bool  # whether the proxy has an identity, so that the client's Authorization is removed
    authorization: str | None  # the header that it sends then, if the kubeconfig has a token

    def connect(self) -> socket.socket:
        """Open a new connection. Raises OSError if that fails."""
        raw = socket.create_connection(self.address, CONNECT_TIMEOUT)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one = raw if self.tls is None else self.tls.wrap_socket(raw, server_hostname=self.tls_name)
        one.settimeout(None)
        return one


def read_server(path: Path, context: str | None = None, *, with_identity: bool = True) -> Server:
    """Return the server of a kubeconfig's context (by default the current one). Without `with_identity` the user's
    credentials are omitted. Raises ValueError for what the proxy does not support: exec plugins, impersonation, basic
    authentication, proxies.
    """
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    chosen = _named(config, "contexts", "context", context or config.get("current-context") or "")
    cluster = _named(config, "clusters", "cluster", chosen["cluster"])
    user = _named(config, "users", "user", chosen["user"]) if with_identity and chosen.get("user") else {}
    for part, keys in ((user, ("exec", "auth-provider", "as", "username")), (cluster, ("proxy-url",))):
        for key in keys:
            if part.get(key):
                raise ValueError(
                    f"The fault proxy cannot use {path}: it does not support {key!r}. Use a certificate or a token."
                )
    parts = urlsplit(cluster["server"])
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    return Server(
        address=address,
        host=parts.netloc,
        prefix=parts.path.rstrip("/"),
        tls=_client_tls(cluster, user, path.parent) if parts.scheme == "https" else None,
        tls_name=cluster.get("tls-server-name") or address[0],
        has_identity=with_identity,
        authorization=_authorization(user, path.parent),
    )


def write_kubeconfig(path: Path, url: str, authority: Path, token: str | None) -> None:
    """Write a kubeconfig for `url`, readable by its owner only. Without a token its user gets one that is ignored,
    because otherwise kubectl prompts for a user name.
    """
    data = base64.b64encode(authority.read_bytes()).decode()
    user = {"token": secrets.token_hex(16) if token is None else token}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "fault-proxy",
        "contexts": [{"name": "fault-proxy", "context": {"cluster": "fault-proxy", "user": "fault-proxy"}}],
        "clusters": [{"name": "fault-proxy", "cluster": {"server": url, "certificate-authority-data": data}}],
        "users": [{"name": "fault-proxy", "user": user}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


def _named(config: Mapping[str, Any], kind: str, key: str, name: str) -> dict[str, Any]:
    for entry in config.get(kind) or []:
        if entry.get("name") == name:
            return dict(entry.get(key) or {})
    raise ValueError(f"The kubeconfig has no {key} named {name!r}.")


def _bytes(part: Mapping[str, Any], key: str, folder: Path) -> bytes | None:
    """Return a field that a kubeconfig has inline (`KEY-data`) or as a path, relative to the kubeconfig."""
    if part.get(f"{key}-data"):
        return base64.b64decode(part[f"{key}-data"])
    return (folder / part[key]).read_bytes() if part.get(key) else None


def _authorization(user: Mapping[str, Any], folder: Path) -> str | None:
    token = user.get("token")
    if not token and user.get("tokenFile"):
        token = (folder / user["tokenFile"]).read_text(encoding="utf-8").strip()
    return f"Bearer {token}" if token else None


def _client_tls(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _bytes(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cadata=None if authority is None else authority.decode())
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    certificate, key = _bytes(user, "client-certificate", folder), _bytes(user, "client-key", folder)
    if certificate and key:
        # The ssl module reads keys only from files. The file is readable by its owner only and deleted at once.
        with tempfile.NamedTemporaryFile(suffix=".pem") as both:
            both.write(key + b"\n" + certificate)
            both.flush()
            context.load_cert_chain(both.name)
    return context
