"""The site of the end-to-end tests: the demo's inventory in a namespace of its own, and hubs that the role configured."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.error
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from testbed.faults import Rule
from testbed.hub import account, lifecycle, proxy_program, volumes
from testbed.hub.cleanup import stop
from testbed.hub.lifecycle import Configuration, Hub
from testbed.node.status import Node
from testbed.paths import ROOT
from testbed.proxy import FaultProxy
from tests.hub.rig import SCOPES, RealHub
from tests.support.cluster import TEST_LABEL, Cluster, wait_for
from tests.support.modules import Modules
from tests.support.playbooks import Playbooks, Played

DEMO = ROOT / "examples" / "inventories" / "demo"
HOME = "/opt/app-root/src"  # persistency_home_path of the inventory
EXPORT = "/exports/demo"  # shares_export of the inventory
GID = 7000  # of the files of the shares on the file server
WITHIN = 150.0  # seconds until a server is ready; five on an idle machine
USERNAME, SERVERNAME = "hub.jupyter.org/username", "hub.jupyter.org/servername"


def require_proxy_program() -> None:
    """Skip the test without npm, which installs configurable-http-proxy. In CI fail it, so that nobody overlooks it."""
    reason = proxy_program.missing()
    if reason and os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    if reason:
        pytest.skip(reason)


class Site:
    """The demo's inventory, copied so that tests can edit it, with a folder in place of its file server.

    `folder` is where pods find volumes. `shares` is the content of shares.yml. `play` runs a playbook with it.
    """

    #: Whose home profiles of the hub name.
    victim = "anna.kowalska@example.org"
    #: The administrator of hubs.
    admin = "ada@example.org"
    image = Node.image

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        self.cluster, self.namespace, self.folder = cluster, namespace, folder
        self.inventory = folder / "inventory"
        self.export = folder / "export"
        self.volumes = folder / "volumes"
        self.values = folder / "values.yaml"
        self._playbooks = Playbooks(cluster, folder)
        shutil.copytree(DEMO, self.inventory)
        self.values.write_text(lifecycle.OWN_VALUES)
        self._shares_file = self.inventory / "group_vars" / "all" / "shares.yml"
        self.shares: dict[str, Any] = yaml.safe_load(self._shares_file.read_text())
        for made in (self.export, self.volumes):
            made.mkdir()
        self.export.chmod(0o755)

    @property
    def extra(self) -> dict[str, Any]:
        """Return what replaces the inventory's namespace, and its file server by a folder of this machine."""
        on_the_server = [share for share in self.shares["shares_list"] if share["backend"]["type"] == "nfs"]
        return {
            "homes_namespace": self.namespace,
            "shares_path": str(self.export),
            "shares_export": str(self.export),
            "shares_overrides": {share["name"]: self._on_this_machine(share) for share in on_the_server},
            "hub_values_file": str(self.values),
            # The service account has no rights but those that the role gives it.
            "hub_rbac": "replace",
        }

    def _on_this_machine(self, share: Mapping[str, Any]) -> dict[str, Any]:
        path = str(share["backend"]["path"]).replace(EXPORT, str(self.export), 1)
        return {"backend": {"type": "host_path", "path": path}, "gid": GID}

    def play(self, playbook: str, *flags: str, **extra: Any) -> Played:
        """Run a playbook of the collection that must not fail."""
        self._shares_file.write_text(yaml.safe_dump(self.shares, sort_keys=False))
        return self._playbooks.ok(f"odh.persistency.{playbook}", self.inventory, *flags, extra={**self.extra, **extra})

    def publish(self) -> None:
        """Publish the access list as `play("shares")` does, and nothing else, for changes that are not the subject of a test."""
        shares = json.dumps(self.shares["shares_list"]).replace("{{ homes_namespace }}", self.namespace)
        common = yaml.safe_load((self.inventory / "group_vars" / "all" / "common.yml").read_text())
        options = {
            "namespace": self.namespace,
            "shares": json.loads(shares),
            "overrides": self.extra["shares_overrides"],
            "groups": common["persistency_groups"],
            "home_path": HOME,
        }
        Modules(self.cluster).ok("share_acl", options)

    def provision(self) -> None:
        """Create the volumes of all claims that wait for a storage driver. Claims of a hub get theirs while it runs."""
        assert self.cluster.testbed is not None
        volumes.provision(self.cluster.testbed.client(), self.namespace, self.volumes, {TEST_LABEL: "true"})

    def share(self, name: str) -> dict[str, Any]:
        """Return a share of the inventory, for an edit."""
        (found,) = [share for share in self.shares["shares_list"] if share["name"] == name]
        return dict_of(found)

    def folder_of(self, claim: str) -> Path:
        """Return the folder of the volume of a claim that is no share on the file server."""
        return self.volumes / self.namespace / claim

    def home_of(self, user: str, server: str = "") -> dict[str, Any]:
        """Return the only claim that is the home of a server."""
        (found,) = [claim for claim in self.cluster.claims(self.namespace).values() if _owner(claim) == (user, server)]
        return found

    def pod_of(self, user: str, server: str = "") -> dict[str, Any] | None:
        """Return the pod of a server, None if it is gone."""
        found = [pod for pod in self.cluster.list("pods", self.namespace) if _owner(pod) == (user, server)]
        return found[0] if found else None

    def shell(self, user: str, command: str, server: str = "") -> tuple[int, str]:
        """Run a shell command in a running server. Return its code and its output."""
        pod = self.pod_of(user, server)
        assert pod is not None, f"{user} has no server"
        words = ["kubectl", "--kubeconfig", str(self.cluster.kubeconfig), "-n", self.namespace]
        words += ["exec", pod["metadata"]["name"], "-c", "notebook", "--", "sh", "-c", command]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def granted(self, user: str) -> dict[str, Any]:
        """Return what the spawn hook noted on the pod of a user."""
        pod = self.pod_of(user)
        assert pod is not None, f"{user} has no server"
        found: dict[str, Any] = json.loads(pod["metadata"]["annotations"]["odh.persistency/granted"])
        return found

    def remove(self) -> None:
        """Delete the volumes. Namespaces are the caller's."""
        for volume in self.cluster.list("persistentvolumes"):
            if (volume["spec"].get("claimRef") or {}).get("namespace") in (self.namespace, f"{self.namespace}-jobs"):
                self.cluster.delete("persistentvolumes", volume["metadata"]["name"])


def in_parallel(function: Callable[[str], None], names: Sequence[str]) -> None:
    """Call a function for each name at once, and wait for all."""
    with ThreadPoolExecutor(max(len(names), 1)) as pool:
        list(pool.map(function, names))


def dict_of(found: Any) -> dict[str, Any]:
    assert isinstance(found, dict)
    return found


def _owner(thing: Mapping[str, Any]) -> tuple[str | None, str]:
    annotations = thing["metadata"].get("annotations") or {}
    return annotations.get(USERNAME), annotations.get(SERVERNAME, "")


class HubOnNode(RealHub):
    """A hub of a site, with the values that the role rendered. A fault proxy is between the hub and the API server.

    `tokens["admin"]` is that of a service with the rights of an administrator.
    """

    def __init__(self, node: Node, site: Site, name: str = "e2e", **parameters: Any) -> None:
        super().__init__("5.5.0")
        self._node, self._site = node, site
        path = account.create(node.testbed, site.namespace, site.folder / f"{name}.kubeconfig")
        token = yaml.safe_load(path.read_text())["users"][0]["user"]["token"]
        self.faults = FaultProxy(path, token=token)
        admin = {"scopes": SCOPES["admin"], "services": ["admin"]}
        base = Configuration(
            name=f"{name}-{site.namespace}",
            namespace=site.namespace,
            kubeconfig=path,
            values={},
            volumes=site.volumes,
            labels={TEST_LABEL: "true"},
            home_path=HOME,
            admins=["administrator"],
            services={"admin": {}},
            roles={"role-of-admin": admin},
            secret="hub" if name == "e2e" else f"hub-{name}",
        )
        self.configuration = replace(base, **parameters)
        self.hub: Hub

    def start(self) -> HubOnNode:
        self.faults.start()
        values = lifecycle.read_values(self._site.values)
        configuration = replace(self.configuration, kubeconfig=Path(self.faults.kubeconfig), values=values)
        self.hub = lifecycle.up(self._node, configuration)
        self.folder = self.hub.folder
        self.url = self.root = self.hub.url
        self.tokens = dict(self.hub.tokens)
        return self

    def close(self) -> None:
        stop(self._node.testbed.data, self.configuration.name)
        self.faults.close()

    def log(self) -> str:
        return self.hub.log()

    @property
    def is_running(self) -> bool:
        return self.hub.is_running

    def request_start(self, user: str, server: str = "", **options: Any) -> None:
        """Create the user if there is none, and ask for the start of the server. Raises HTTPError."""
        with contextlib.suppress(urllib.error.HTTPError):  # the user exists
            self.api("POST", f"/users/{quote(user, safe='')}")
        self.api("POST", self._server_path(user, server), options)

    def launch(self, *users: str, **options: Any) -> None:
        """Start the default servers of users with these options, and wait until all are ready. Running ones are stopped first."""

        def start(user: str) -> None:
            self.stop(user)
            self.request_start(user, **options)  # answers only when the server is ready, or after ten seconds

        in_parallel(start, users)
        self.wait_until_ready(users)

    def wait_until_ready(self, users: Iterable[str]) -> None:
        deadline = time.monotonic() + WITHIN
        for user in users:
            while not (server := self.server_of(user)) or not server["ready"]:
                if time.monotonic() > deadline or (server is not None and server["stopped"]):
                    raise RuntimeError(f"the server of {user} is not ready: {server}\n{self.log()[-6000:]}")
                time.sleep(0.2)

    def server_of(self, user: str, server: str = "") -> dict[str, Any] | None:
        """Return what the hub tells about a server, None if there is no such user or server."""
        try:
            model = self.api("GET", f"/users/{quote(user, safe='')}?include_stopped_servers=1")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        found: dict[str, Any] = model["servers"]
        return found.get(server)

    def stop(self, *users: str) -> None:
        """Stop the default servers of users, and wait until their pods are gone."""

        def stop(user: str) -> None:
            if (server := self.server_of(user)) and not server["stopped"]:
                self.stop_server(user)
            wait_for(lambda: self._site.pod_of(user) is None, f"the pod of {user} is gone", within=60)

        in_parallel(stop, users)

    def refused(self, user: str, **options: Any) -> str:
        """Ask for a start that is refused with status 403; return the answer."""
        with pytest.raises(urllib.error.HTTPError) as error:
            self.request_start(user, **options)
        text = error.value.read().decode()
        assert error.value.code == 403, text
        return text

    @contextlib.contextmanager
    def fault(self, *rules: Rule) -> Any:
        """Inject faults into the hub's requests to the API server."""
        self.faults.add(*rules)
        try:
            yield
        finally:
            self.faults.clear()
