"""The few requests that the testbed itself sends.

With the standard library, for `up` on a running testbed must cost next to nothing.
"""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class Client:
    """A client of the API server with a client certificate. Each request has its own connection."""

    def __init__(self, server: str, authority: Path, certificate: Path, key: Path) -> None:
        address = urlsplit(server)
        assert address.hostname
        assert address.port
        self.host, self.port = address.hostname, address.port
        self.context = ssl.create_default_context(cafile=str(authority))
        self.context.load_cert_chain(certificate, key)

    def request(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, timeout: float = 30.0
    ) -> tuple[int, Any]:
        """Return the status and the decoded answer (JSON, or otherwise the text). Raises OSError when nothing answers."""
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=timeout)
        sent = {"User-Agent": "odh-persistency-testbed", "Accept": "application/json"} | (headers or {})
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, None if body is None else json.dumps(body).encode(), sent)
            answer = connection.getresponse()
            content = answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content.decode(errors="replace")

    def ready(self) -> bool:
        """Whether the server answers and reports that it is ready."""
        try:
            return self.request("GET", "/readyz", timeout=5.0)[0] == 200
        except OSError:
            return False

    def exists(self, path: str) -> bool:
        try:
            return self.request("GET", path)[0] == 200
        except OSError:
            return False
