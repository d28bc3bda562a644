"""A real JupyterHub on a free loopback port with its own database, and administration of it for tests.

The hubs come from the environments of the real KubeSpawners (tests/oracle), each of which has its JupyterHub.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from testbed.faults import Rule
from testbed.proxy import FaultProxy
from tests.oracle.real_kubespawner import environment

HERE = Path(__file__).resolve().parent
# JupyterHub, by the KubeSpawner whose environment it lives in.
ENVIRONMENTS = {"6.1.1": "7.1", "5.5.0": "7.0", "4.1.6": "6.2"}
#: Classic Open Data Hub's, for tests that concern it: it knows neither scopes nor pages.
CLASSIC = {"1.5.1": "1.1"}
NEWEST = next(iter(ENVIRONMENTS))
PAGE = 10  # the hub's page limit, so that a few dozen users make many pages

# What each service of the hub may do: the tokens that the tests come with.
SCOPES: dict[str, list[str]] = {
    "admin": ["admin:users", "admin:servers", "admin:groups", "tokens"],
    "full": ["list:users", "read:users:activity", "read:servers"],
    "broad": ["admin:users", "servers"],
    "names": ["list:users"],
    "no-activity": ["list:users", "read:servers"],
    "no-servers": ["list:users", "read:users:activity"],
    "some": ["list:users!user=first", "read:users:activity", "read:servers"],
    "partial": ["list:users", "read:users:activity!user=first", "read:servers!user=first"],
    "access": ["list:users", "read:users:groups", "read:servers", "delete:servers"],
    "access-report": ["list:users", "read:users:groups", "read:servers"],
    "nothing": [],
    "other": ["read:hub"],
}


class RealHub:
    """Serves from `start` until `close`. `url` is the hub's address without `/hub`, `tokens` has one for each service."""

    def __init__(self, version: str, report: Callable[[str], object] = print, base_url: str = "/") -> None:
        self.version = version
        self.tokens = {name: secrets.token_hex(16) for name in SCOPES}
        self._python = environment(({**ENVIRONMENTS, **CLASSIC})[version], report)
        self._configuration = HERE / "jupyterhub_config.py"
        self._environment: dict[str, str] = {}
        self._base_url = base_url
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> RealHub:
        """Start it and wait until it answers. Raises RuntimeError, with the end of its log, when it does not."""
        self.folder = Path(tempfile.mkdtemp(prefix="odhp-hub-"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.root = f"http://127.0.0.1:{port}"
        self.url = self.root + self._base_url.rstrip("/")
        (self.folder / "settings.json").write_text(json.dumps(self._settings(port)))
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "JUPYTERHUB_")) and not name.lower().endswith("_proxy")
        }
        with open(self.folder / "hub.log", "wb") as log:
            self._process = subprocess.Popen(
                [str(self._python), "-m", "jupyterhub", "-f", str(self._configuration)],
                cwd=self.folder,
                env={
                    **clean,
                    **self._environment,
                    "ODHP_HUB_SETTINGS": str(self.folder / "settings.json"),
                    "PATH": f"{self._python.parent}:{os.environ.get('PATH', '')}",
                    "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 90
        while True:
            with contextlib.suppress(OSError):
                if self.api("GET", "/", token="")["version"] != self.version:
                    raise RuntimeError(f"the environment for JupyterHub {self.version} has another one")
                return self
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self.folder / "hub.log").read_text(errors="replace")
                self.close()
                raise RuntimeError(f"JupyterHub {self.version} did not start:\n{text[-4000:]}")
            time.sleep(0.1)

    def _settings(self, port: int) -> dict[str, Any]:
        """Return what the configuration file reads."""
        return {
            "folder": str(self.folder),
            "port": port,
            "base_url": self._base_url,
            "page": PAGE,
            "python": str(self._python),
            "single_user": str(HERE / "single_user.py"),
            "services": {name: {"token": self.tokens[name], "scopes": scopes} for name, scopes in SCOPES.items()},
        }

    def close(self) -> None:
        """End it and every server that it started, and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> RealHub:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def api(self, method: str, path: str, body: object = None, token: str | None = None) -> Any:
        """One request of the admin to the REST API; the JSON of the answer, None without. Raises HTTPError, OSError."""
        request = urllib.request.Request(
            f"{self.url}/hub/api{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.tokens['admin'] if token is None else token}"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def add(self, *names: str) -> None:
        """Make users, in this order."""
        for first in range(0, len(names), 100):
            self.api("POST", "/users", {"usernames": names[first : first + 100]})

    def remove(self, *names: str) -> None:
        for name in names:
            self.api("DELETE", f"/users/{quote(name, safe='')}")

    def remove_all(self) -> None:
        """Back to a hub without users."""
        while users := self.api("GET", "/users"):
            self.remove(*(user["name"] for user in users))

    def active_at(self, name: str, moment: datetime | None, **servers: datetime) -> None:
        """Tell the hub of activity, as a single-user server does."""
        body: dict[str, Any] = {} if moment is None else {"last_activity": moment.isoformat()}
        if servers:
            body["servers"] = {server: {"last_activity": time.isoformat()} for server, time in servers.items()}
        self.api("POST", f"/users/{quote(name, safe='')}/activity", body)

    def start_server(self, name: str, server: str = "") -> None:
        """Start a server and wait until it is ready."""
        self.api("POST", self._server_path(name, server), {})
        self._wait(name, server, lambda found: found is not None and found["ready"])

    def stop_server(self, name: str, server: str = "", *, remove: bool = False) -> None:
        """Stop a server, and with `remove` make the hub forget it; wait until that is done."""
        self.api("DELETE", self._server_path(name, server), {"remove": True} if remove else None)
        self._wait(name, server, lambda found: found is None if remove else found is None or found["stopped"])

    def _server_path(self, name: str, server: str) -> str:
        return f"/users/{quote(name, safe='')}/" + (f"servers/{quote(server, safe='')}" if server else "server")

    def _wait(self, name: str, server: str, done: Callable[[Any], object]) -> None:
        deadline = time.monotonic() + 30
        while True:
            user = self.api("GET", f"/users/{quote(name, safe='')}?include_stopped_servers=1")
            if done(user["servers"].get(server)):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"server {server!r} of {name!r}: {user}")
            time.sleep(0.05)


def now() -> datetime:
    return datetime.now(timezone.utc)


def numbered(stem: str, count: int) -> list[str]:
    return [f"{stem}{number:03d}" for number in range(count)]


def proxied(hub: RealHub, *rules: Rule) -> FaultProxy:
    """The testbed's fault proxy in front of a hub, which then speaks TLS: `proxy.url`, `proxy.authority`."""
    config = hub.folder / "as-a-cluster.yml"  # the form in which the proxy takes an address
    cluster = {"name": "hub", "cluster": {"server": hub.url}}
    context = {"name": "hub", "context": {"cluster": "hub"}}
    config.write_text(yaml.safe_dump({"current-context": "hub", "clusters": [cluster], "contexts": [context]}))
    # With a token of its own account the proxy passes the client's on.
    return FaultProxy(config, rules, token="unused")
