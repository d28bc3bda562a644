"""The playbook `software` with `software_builder: job`, from an empty volume to pruning, on the testbed's node."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.node import images
from tests.support.cluster import Cluster
from tests.support.node import *  # noqa: F403
from tests.support.playbooks import Playbooks, Played
from tests.support.software import *  # noqa: F403
from tests.support.software import Software, lib_stack, public_folder, remove
from tests.support.software_jobs import EASYBUILD, USER

PLAYBOOK = "odh.persistency.software"


class Site:
    """A hub whose inventory builds in Jobs of a restricted namespace. The volume has only sources at first."""

    def __init__(self, playbooks: Playbooks, namespace: str, software: Software) -> None:
        self.playbooks, self.namespace, self.software = playbooks, namespace, software
        self.kubectl = playbooks.cluster.kubectl
        for name in ("easyconfigs", "sources"):
            shutil.copytree(getattr(software, name), software.path / "sources" / name)

    def play(self, *flags: str, **more: Any) -> Played:
        """Run the playbook, which must not fail."""
        sources = f"{self.software.prefix}/sources"
        variables = {
            "software_builder": "job",
            "software_builder_namespace": self.namespace,
            "software_builder_image": images.NOTEBOOK,
            "software_builder_uid": USER.pw_uid,
            "software_builder_gid": USER.pw_gid,
            "software_backend": {"type": "host_path", "path": str(self.software.path)},
            "software_size": "1Gi",
            "software_namespaces": [self.namespace],
            "software_easybuild": EASYBUILD,
            "software_prefix": str(self.software.prefix),
            "software_stack_file": str(self.software.stack_file),
            "software_robot_paths": [f"{sources}/easyconfigs"],
            "software_source_paths": [f"{sources}/sources"],
            "software_server_images": [images.NOTEBOOK],
            **more,
        }
        return self.playbooks.ok(PLAYBOOK, variables, *flags)


@pytest.fixture
def site(cluster: Cluster, node: object, namespace: str, base_software: Software, tmp_path: Path) -> Iterator[Site]:
    folder = public_folder()
    software = Software(folder, base_software.prefix, folder / "tree")
    software.easyconfigs, software.sources = base_software.easyconfigs, base_software.sources
    software.path.mkdir()
    os.chown(software.path, USER.pw_uid, USER.pw_gid)
    software.stack(lib_stack())
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.patch("namespaces", namespace, {"metadata": {"labels": labels}})
    yield Site(Playbooks(cluster, tmp_path), namespace, software)
    for volume in cluster.list("persistentvolumes"):
        if (volume["spec"].get("claimRef") or {}).get("namespace") == namespace:
            cluster.delete("persistentvolumes", volume["metadata"]["name"])
    remove(folder)


def test_every_step_in_jobs(site: Site, base_software: Software) -> None:
    built = site.play("--tags", "build")
    assert "[hub] tool/1.0: build 2 of 2" in built.output
    assert (len(site.software.installations()), site.software.current) == (2, None)

    planned = site.play("--tags", "plan")
    assert "+tool/1.0, " in planned.output
    assert site.software.current is None

    published = site.play()
    assert published.recap["changed"] == 1  # claims and builds are there already
    assert f": verified, 2 modules checked, also in {images.NOTEBOOK}" in published.output
    first = site.software.current
    assert first is not None
    # The id ends with the digest of the content, so it is that of a release that this host builds.
    assert first.rpartition("-")[2] == str(base_software.current).rpartition("-")[2]
    files = site.software.files()
    assert site.play().recap["changed"] == 0
    assert site.software.files() == files

    site.software.stack("easyconfigs:\n  - lib-1.0.eb\n")
    assert site.play("--tags", "publish").recap["changed"] == 1
    second = site.software.current
    assert second not in (None, first)
    assert site.play("--tags", "rollback").recap["changed"] == 1
    assert site.software.current == first
    assert site.play("--tags", "rollback").recap["changed"] == 0

    pruning = {"software_keep": 1, "software_minimum_age": "0s"}
    previewed = site.play("--tags", "prune", "--check", "--diff", **pruning)
    assert previewed.recap["changed"] == 1
    assert (site.software.path / "releases" / str(second)).is_dir()
    assert site.play("--tags", "prune", **pruning).recap["changed"] == 1
    assert [path.name for path in (site.software.path / "releases").glob("2*")] == [first]
    assert site.play("--tags", "prune", **pruning).recap["changed"] == 0
    assert site.kubectl("get", "jobs", namespace=site.namespace)["items"] == []
