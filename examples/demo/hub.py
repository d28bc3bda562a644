"""The demo's hub: a JupyterHub on this machine, whose servers are pods on the testbed's node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cluster
import yaml

from testbed import paths
from testbed.hub import account, cleanup, lifecycle, proxy_program
from testbed.node import lifecycle as node
from testbed.node.support import unsupported

GID = 7000  # of the files of the shares
PORT = 8000
#: Users to try: what they are, and the password is any.
USERS = {
    "a reader": "lars.jensen@example.org",
    "a writer": "amara.okafor@example.org",
    "a member of the secret share": "hiroshi.tanaka@example.org",
}


def missing() -> str | None:
    """Return why this machine cannot run the hub, in one sentence; None if it can."""
    return unsupported(paths.data_dir()) or proxy_program.missing()


def options(inventory: Path, folder: Path, with_hub: bool) -> dict[str, Any]:
    """Return the variables that replace the inventory's file server, and its file of Helm values, by `folder`.

    Servers of the hub mount the folder itself, because the machine may have no client of NFS.
    """
    export = folder / "export"
    (folder / "hub-values.yaml").write_text(lifecycle.OWN_VALUES)
    # The hub's service account gets its rights from the role, and so it cannot delete a claim.
    found = {
        "shares_path": str(export),
        "hub_values_file": str(folder / "hub-values.yaml"),
        "hub_rbac": "replace",
    }
    if not with_hub:
        return found
    variables = yaml.safe_load((inventory / "group_vars" / "all" / "shares.yml").read_text())
    overrides = {}
    for share in variables["shares_list"]:
        if share["backend"]["type"] == "nfs":
            path = share["backend"]["path"].replace(variables["shares_export"], str(export), 1)
            overrides[share["name"]] = {"backend": {"type": "host_path", "path": path}, "gid": GID}
    return {**found, "shares_export": str(export), "shares_overrides": overrides}


def start(namespace: str, folder: Path, home_path: str) -> str:
    """Start the hub with the values that the role wrote, and return its address. Raises TestbedError."""
    for share in (folder / "export").iterdir():
        readme = share / "README.md"
        readme.write_text(f"# {share.name}\n\nThis text is in the share.\n")
        readme.chmod(0o664)
    running = node.up()
    configuration = lifecycle.Configuration(
        name=namespace,
        namespace=namespace,
        kubeconfig=account.create(running.testbed, namespace, folder / "hub.kubeconfig"),
        values=lifecycle.read_values(folder / "hub-values.yaml"),
        volumes=folder / "volumes",
        labels={cluster.LABEL: namespace},
        home_path=home_path,
        port=PORT if lifecycle.is_free(PORT) else 0,
    )
    return lifecycle.up(running, configuration).url


def stop(namespace: str) -> None:
    cleanup.stop(paths.data_dir(), namespace)
