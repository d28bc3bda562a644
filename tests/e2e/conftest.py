"""Fixtures of the end-to-end tests: one site and one hub for all of them. They need root and Linux, and npm.

Each test takes users of its own, because the hub and its servers stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from testbed.node.status import Node
from tests.e2e.rig import HOME, HubOnNode, Site, require_proxy_program
from tests.integration.conftest import *  # noqa: F403
from tests.support.cluster import Cluster
from tests.support.node import *  # noqa: F403

EXPIRED = {
    "name": "last-year",
    "level": "private",
    "size": "1Gi",
    "until": "2025-12-31",
    "read": {"users": ["lars.jensen@example.org"]},
}
OF_A_GROUP = {"name": "visitors", "level": "private", "size": "1Gi", "read": {"groups": ["hub:visitors"]}}


@pytest.fixture(scope="session")
def site(cluster: Cluster, node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo's inventory, applied by the playbooks, with two more shares."""
    require_proxy_program()
    namespace = cluster.make_namespace()
    folder = tmp_path_factory.mktemp("site")
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o755)  # for the users in pods
    site = Site(cluster, namespace, folder)
    for share in (EXPIRED, OF_A_GROUP):
        backend = {"type": "nfs", "server": "nfs.example.org", "path": f"/exports/demo/{share['name']}"}
        site.shares["shares_list"].append({**share, "backend": backend})
    for playbook in ("homes", "shares", "hub"):
        site.play(playbook)
    site.provision()
    yield site
    site.remove()
    for name in (namespace, f"{namespace}-jobs"):
        cluster.remove_namespace(name)


def profiles(site: Site) -> list[dict[str, Any]]:
    """Return profiles of the hub: the default, and two that put a home of somebody else and a share into the pod."""
    claims = {"stolen-home": site.home_of(site.victim)["metadata"]["name"], "stolen-share": "shared-data-private"}
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in claims.items()]
    mounts = [{"name": name, "mountPath": f"/mnt/{name}"} for name in claims]
    by_name = {"environment": {"FROM_PROFILE": "yes"}}
    added = {"volumes": {v["name"]: v for v in volumes}, "volume_mounts": {m["name"]: m for m in mounts}}
    init = {"name": "thief", "image": site.image, "command": ["true"], "volumeMounts": mounts}
    home = {"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}
    replaced = {
        "extra_pod_config": {"volumes": [home, *volumes]},
        "extra_container_config": {"volumeMounts": [{"name": "home", "mountPath": HOME}, *mounts]},
        "init_containers": [init],
    }
    return [
        {"display_name": "Standard", "slug": "standard", "default": True},
        {"display_name": "Volumes", "slug": "volumes", "kubespawner_override": {**by_name, **added}},
        {
            "display_name": "Extra configuration",
            "slug": "extra-config",
            "kubespawner_override": {**by_name, **replaced},
        },
    ]


@pytest.fixture(scope="session")
def hub(node: Node, site: Site) -> Iterator[HubOnNode]:
    """The hub of the site. It has profiles that put claims into pods."""
    with HubOnNode(node, site, profiles=profiles(site), admins=[site.admin]) as running:
        yield running


@pytest.fixture
def namespace(site: Site) -> str:
    """The namespace of the site."""
    return site.namespace


@pytest.fixture
def shell(site: Site) -> Callable[..., tuple[int, str]]:
    """`shell("ann", "ls")`: run a shell command in a user's server; return its code and output."""
    return site.shell
