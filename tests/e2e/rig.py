"""A real JupyterHub 5.5 with KubeSpawner 7.0 and configurable-http-proxy on this machine; its servers are pods on the node."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.node.status import Node
from testbed.paths import cache_dir
from tests.hub.rig import SCOPES, RealHub

HERE = Path(__file__).resolve().parent
VERSION = "5.5.0"
PROXY_VERSION = "5.3.0"
#: The folder of the chart's configuration, where `hub.extraFiles` are mounted.
CHART_FOLDER = Path("/usr/local/etc/jupyterhub")
WITHIN = 150.0  # seconds until a server is ready; five on an idle machine

#: What the chart's Role gives the hub, without the right to delete claims, which the spawn hook makes needless.
CHART_RULES = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "watch", "list", "create", "delete"]},
    {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "watch", "list", "create"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "watch", "list"]},
]


def proxy_program() -> Path:
    """Return the configurable-http-proxy from npm, installed if it is missing. Skips without npm, and fails then in CI."""
    home = cache_dir() / f"configurable-http-proxy-{PROXY_VERSION}"
    program = home / "node_modules" / ".bin" / "configurable-http-proxy"
    if program.exists():
        return program
    if shutil.which("npm") is None:
        reason = "npm is missing, which installs configurable-http-proxy"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    home.parent.mkdir(parents=True, exist_ok=True)
    with open(home.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            temporary = home.with_suffix(".new")
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            package = f"configurable-http-proxy@{PROXY_VERSION}"
            command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(temporary), package]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if done.returncode:
                raise RuntimeError(f"npm could not install {package}:\n{done.stderr[-2000:]}")
            temporary.rename(home)
    return program


class HubOnNode(RealHub):
    """A hub with the Helm values in `values`, under the service account in `kubeconfig`."""

    def __init__(self, node: Node, proxy: Path, namespace: str, kubeconfig: Path, values: Path) -> None:
        super().__init__(VERSION)
        self._node, self._proxy, self._namespace = node, proxy, namespace
        self._kubeconfig = kubeconfig
        self._values = yaml.safe_load(values.read_text())["hub"]

    def start(self) -> HubOnNode:
        self.folder = Path(tempfile.mkdtemp(prefix="odhp-e2e-"))
        shutil.copy(HERE / "jupyterhub_config.py", self.folder)
        for entry in self._values["extraFiles"].values():
            path = self.folder / Path(entry["mountPath"]).relative_to(CHART_FOLDER)
            path.parent.mkdir(exist_ok=True)
            path.write_text(entry["stringData"])
        public, api, hub = _free_port("127.0.0.1"), _free_port("127.0.0.1"), _free_port(self._node.address)
        self.url = self.root = f"http://127.0.0.1:{public}"
        settings = {
            "folder": str(self.folder),
            "public": self.url,
            "proxy": str(self._proxy),
            "proxy_api": f"http://127.0.0.1:{api}",
            "address": self._node.address,
            "hub_port": hub,
            "namespace": self._namespace,
            "image": self._node.image,
            "services": {name: {"token": self.tokens[name], "scopes": SCOPES[name]} for name in ("admin",)},
            "extra_config": self._values["extraConfig"],
        }
        (self.folder / "settings.json").write_text(json.dumps(settings))
        foreign = ("PYTHON", "JUPYTERHUB_", "KUBERNETES_")
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(foreign) and not name.lower().endswith("_proxy")
        }
        env |= {
            "ODHP_HUB_SETTINGS": str(self.folder / "settings.json"),
            "KUBECONFIG": str(self._kubeconfig),
            "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16),
        }
        with open(self.folder / "hub.log", "wb") as log:
            self._process = subprocess.Popen(
                [str(self._python), "-m", "jupyterhub", "-f", str(self.folder / "jupyterhub_config.py")],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                self.api("GET", "/", token="")
                return self
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = self.log()
                self.close()
                raise RuntimeError(f"JupyterHub {VERSION} did not start:\n{text[-4000:]}")
            time.sleep(0.2)

    def launch(self, user: str, **options: Any) -> None:
        """Create a user, start the server with these options, and wait until it is ready."""
        with contextlib.suppress(OSError):  # the user exists
            self.api("POST", f"/users/{user}")
        self.api("POST", f"/users/{user}/server", options)
        deadline = time.monotonic() + WITHIN
        while True:
            server = self.api("GET", f"/users/{user}?include_stopped_servers=1")["servers"].get("")
            if server is not None and server["ready"]:
                return
            if time.monotonic() > deadline or (server is not None and server["stopped"]):
                raise RuntimeError(f"the server of {user} is not ready: {server}\n{self.log()[-6000:]}")
            time.sleep(0.2)

    def log(self) -> str:
        return (self.folder / "hub.log").read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as free:
        return int(free.getsockname()[1])
