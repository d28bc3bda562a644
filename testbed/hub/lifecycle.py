"""Start a JupyterHub on this machine, as the chart Zero to JupyterHub configures it. Its servers are pods on the node."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from .. import processes
from ..node.status import Node
from ..node.support import PATH
from ..paths import HERE
from ..progress import Heartbeat, TestbedError, say
from . import chart_secret, proxy_program
from .cleanup import folder_of, stop
from .environments import environment

KUBESPAWNER = "7.0"  # with JupyterHub 5.5, as in version 4.4 of the chart
#: The folder of the chart's configuration, where `hub.extraFiles` are mounted.
CHART_FOLDER = Path("/usr/local/etc/jupyterhub")
#: What the operator of such a hub has in the file of Helm values: it has no other parts of the chart.
OWN_VALUES = "scheduling:\n  userScheduler: {enabled: false}\nprePuller:\n  hook: {enabled: false}\n"
CONFIGURATION = HERE / "hub" / "jupyterhub_config.py"
SUPERVISOR = HERE / "hub" / "supervisor.py"
READY_WITHIN = 120.0  # seconds; three on an idle machine


@dataclass(frozen=True)
class Configuration:
    """All parameters of a hub.

    `values` are the Helm values that the role `hub` rendered, `kubeconfig` is that of the hub's service account. `volumes` is
    the folder for the volumes of its claims, which get `labels`. `services` and `roles` are those of the site, in the form of
    the chart's `hub.services` and `hub.loadRoles`. `secret` is the name of the chart's Secret. `port` is the one of the public
    address, 0 for a free one.
    """

    name: str
    namespace: str
    kubeconfig: Path
    values: Mapping[str, Any]
    volumes: Path
    labels: Mapping[str, str] = field(default_factory=dict)
    home_path: str = "/home/jovyan"
    admins: Sequence[str] = ()
    profiles: Sequence[Mapping[str, Any]] = ()
    services: Mapping[str, Any] = field(default_factory=dict)
    roles: Mapping[str, Any] = field(default_factory=dict)
    secret: str = "hub"
    port: int = 0


@dataclass(frozen=True)
class Hub:
    """A running hub. `url` is the address for a browser, `folder` has its files, and `tokens` those of its services."""

    url: str
    folder: Path
    process: psutil.Process
    tokens: Mapping[str, str]

    def log(self) -> str:
        return (self.folder.parent.parent / "logs" / f"hub-{self.folder.name}.log").read_text(errors="replace")

    def set_groups(self, groups: Mapping[str, Sequence[str]]) -> None:
        """Set the members of the groups of its authenticator."""
        temporary = self.folder / "groups.new"
        temporary.write_text(json.dumps(groups))
        temporary.rename(self.folder / "groups.json")

    @property
    def is_running(self) -> bool:
        return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE


def up(node: Node, configuration: Configuration) -> Hub:
    """Start a hub and return it when it answers. One of the same name is replaced. Raises TestbedError."""
    proxy = proxy_program.ensure()
    python = environment(KUBESPAWNER, say)
    data = node.testbed.data
    stop(data, configuration.name)
    folder = folder_of(data, configuration.name)
    folder.mkdir(parents=True)
    services = {**configuration.services, **_services(configuration)}
    place = (configuration.namespace, configuration.secret)
    secret = chart_secret.write(node.testbed.client(), place, configuration.values, services)
    tokens = {name: secret[chart_secret.token_key(name)] for name in services}
    settings = _settings(configuration, node, folder) | {"proxy": str(proxy)}
    _write_files(folder, configuration, settings)
    _mount(folder / "secret", secret)
    plan = {
        "command": [str(python), "-m", "jupyterhub", "-f", str(folder / CONFIGURATION.name)],
        "folder": str(folder),
        "environment": {
            "PATH": PATH,
            "ODHP_HUB_SETTINGS": str(folder / "settings.json"),
            "KUBECONFIG": str(configuration.kubeconfig),
            "CONFIGPROXY_AUTH_TOKEN": secret[chart_secret.PROXY_TOKEN],
        },
        "data": str(data),
        "namespace": configuration.namespace,
        "volumes": str(configuration.volumes),
        "labels": dict(configuration.labels),
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    command = [str(shutil.which("unshare", path=PATH)), "--pid", "--fork", "--kill-child", sys.executable]
    process = processes.start(data, f"hub-{folder.name}", [*command, str(SUPERVISOR), f"--plan={folder}/plan.json"])
    hub = Hub(settings["public"], folder, process, tokens)
    try:
        _wait(hub)
    except BaseException:
        stop(data, configuration.name)
        raise
    return hub


def _services(configuration: Configuration) -> Mapping[str, Any]:
    found: Mapping[str, Any] = configuration.values["hub"].get("services", {})
    return found


def _settings(configuration: Configuration, node: Node, folder: Path) -> dict[str, Any]:
    """Return what jupyterhub_config.py reads."""
    return {
        "folder": str(folder),
        "groups": str(folder / "groups.json"),
        "public": f"http://127.0.0.1:{configuration.port or _free_port('127.0.0.1')}",
        "proxy_api": f"http://127.0.0.1:{_free_port('127.0.0.1')}",
        "address": node.address,
        "hub_port": _free_port(node.address),
        "namespace": configuration.namespace,
        "image": node.image,
        "home_path": configuration.home_path,
        "admins": list(configuration.admins),
        "profiles": list(configuration.profiles),
        "services": dict(configuration.services),
        "roles": dict(configuration.roles),
        "values": configuration.values,
    }


def _write_files(folder: Path, configuration: Configuration, settings: Mapping[str, Any]) -> None:
    shutil.copy(CONFIGURATION, folder)
    (folder / "groups.json").write_text("{}")
    (folder / "settings.json").write_text(json.dumps(settings))
    for entry in configuration.values["hub"].get("extraFiles", {}).values():
        path = folder / Path(entry["mountPath"]).relative_to(CHART_FOLDER)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(entry["stringData"])


def _mount(folder: Path, secret: Mapping[str, str]) -> None:
    """Write the keys of a Secret as files, as in the hub's pod."""
    folder.mkdir(mode=0o700)
    for key, text in secret.items():
        (folder / key).write_text(text)


def read_values(path: Path) -> dict[str, Any]:
    """Return the Helm values in a file."""
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    return values


def _wait(hub: Hub) -> None:
    heartbeat = Heartbeat(every=10.0)
    deadline = time.monotonic() + READY_WITHIN
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        while True:
            try:
                with opener.open(f"{hub.url}/hub/api/", timeout=5):
                    return
            except OSError:
                pass
            if not hub.is_running or time.monotonic() > deadline:
                raise TestbedError(f"JupyterHub did not start; the end of its log:\n{hub.log()[-4000:]}")
            heartbeat.beat("waiting for the hub ({elapsed})")
            time.sleep(0.1)
    finally:
        heartbeat.done()


def is_free(port: int) -> bool:
    """Return whether nothing listens on a port of loopback."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as free:
        return int(free.getsockname()[1])
