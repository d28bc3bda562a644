"""lmod_release with `builder: job`: every phase runs in a Job on the testbed's node, as a restricted pod."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster import Cluster
from tests.support.node import *  # noqa: F403
from tests.support.software import *  # noqa: F403
from tests.support.software import Software, lib_stack, public_folder, remove
from tests.support.software_jobs import JobTree


@pytest.fixture
def jobs(cluster: Cluster, node: object, namespace: str, base_software: Software) -> Iterator[JobTree]:
    """An empty tree in a claim, with the easyconfigs and the prefix of the base tree."""
    folder = public_folder()
    software = Software(folder, base_software.prefix, folder / "tree")
    software.make_tree()
    software.stack(lib_stack())
    tree = JobTree(cluster, namespace, software)
    tree.add_sources(base_software.easyconfigs, base_software.sources)
    yield tree
    cluster.delete("persistentvolumes", f"{namespace}-apps")
    remove(folder)


def test_the_same_stack_gives_the_same_release_as_on_this_host(jobs, base_software):
    planned = jobs.ok(check=True)
    assert planned.changed
    assert jobs.software.installations() == []
    result = jobs.ok()
    local = base_software.ok(check=True)
    assert not local.changed
    same = ("module", "hash", "path", "modulefile_digest", "requested", "optional", "featured")
    assert [[entry[key] for key in same] for entry in result.entries] == [
        [entry[key] for key in same] for entry in local.entries
    ]
    assert result.release.rpartition("-")[2] == local.release.rpartition("-")[2]
    assert "tool 1.0" in jobs.software.shell("module load tool && tool")
    again = jobs.ok()
    assert not again.changed
    assert again.release == result.release
    assert jobs.jobs() == {}
    assert jobs.config_maps() == []
