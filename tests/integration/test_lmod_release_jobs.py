"""lmod_release with `builder: job`: every phase runs in a Job on the testbed's node, as a restricted pod."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from testbed.node import images
from testbed.software.sources import EASYCONFIGS, sources
from testbed.software.stack import OPTIONS, demo_stack
from tests.support.cluster import Cluster, wait_for
from tests.support.modules import Running
from tests.support.node import *  # noqa: F403
from tests.support.software import *  # noqa: F403
from tests.support.software import Software, lib_stack, public_folder, remove
from tests.support.software_jobs import CLAIM, USER, JobTree

#: What both entries and releases have in common, wherever they were built.
SAME = ("module", "hash", "path", "modulefile_digest", "requested", "optional", "featured")
SLOW = "dependencies = [('lib', '1.0')]\npostinstallcmds = ['sleep 5']"


@pytest.fixture
def new_tree(
    cluster: Cluster, node: object, namespace: str, base_software: Software
) -> Iterator[Callable[[bool], JobTree]]:
    """Return a function that puts a tree into a claim: an empty volume with sources, or a copy of the base tree."""
    folder = public_folder()

    def make(copy: bool = False) -> JobTree:
        software = Software(folder, base_software.prefix, folder / "tree")
        if copy:
            subprocess.run(["cp", "-a", str(base_software.path), str(software.path)], check=True)
        else:
            software.path.mkdir()
            os.chown(software.path, USER.pw_uid, USER.pw_gid)
        software.stack(lib_stack())
        for name in ("easyconfigs", "sources"):
            shutil.copytree(base_software.folder / name, folder / name)
        tree = JobTree(cluster, namespace, software)
        tree.add_sources()
        return tree

    yield make
    for claim in (CLAIM, "production"):
        cluster.delete("persistentvolumes", f"{namespace}-{claim}")
    remove(folder)


def entries_of(result: Any) -> list[list[Any]]:
    return [[entry.get(key) for key in SAME] for entry in result.entries]


def building(jobs: JobTree) -> list[str]:
    """Return the pods that build."""
    pods = jobs.cluster.list("pods", jobs.namespace)
    names = [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"]
    return [name for name in names if "-build-" in name]


def assert_nothing_is_left(jobs: JobTree) -> None:
    wait_for(lambda: not jobs.jobs() and not jobs.cluster.list("pods", jobs.namespace), "nothing is left", within=60)
    assert jobs.config_maps() == []


def test_the_same_stack_gives_the_same_release_as_on_this_host(new_tree, base_software):
    jobs = new_tree()
    planned = jobs.ok(check=True)
    assert planned.changed
    assert os.listdir(jobs.software.path) == ["sources"]  # check mode has written nothing
    result = jobs.ok()
    local = base_software.ok(check=True)
    assert not local.changed
    assert entries_of(result) == entries_of(local)
    assert result.release.rpartition("-")[2] == local.release.rpartition("-")[2]
    assert "tool 1.0" in jobs.software.shell("module load tool && tool")
    assert_nothing_is_left(jobs)


def test_compiled_software_is_the_same_as_on_this_host(cluster, node, namespace):
    """The demo stack, which this host builds once for all suites."""
    demo = demo_stack()
    folder = public_folder()
    software = Software(folder, demo.prefix, folder / "tree")
    software.easyconfigs, software.sources = EASYCONFIGS, sources()
    software.path.mkdir()
    os.chown(software.path, USER.pw_uid, USER.pw_gid)
    software.stack("easyconfigs: [bzip2-1.0.8.eb, hello-1.0.eb, tables-1.0.eb]\n")
    jobs = JobTree(cluster, namespace, software)
    jobs.add_sources()
    try:
        result = jobs.ok(easybuild_options=dict(OPTIONS), jobs=2)
        shown = software.shell("module load hello && hello")
    finally:
        cluster.delete("persistentvolumes", f"{namespace}-{CLAIM}")
        remove(folder)
    assert "hello 1.0" in shown
    same = ("module", "hash", "modulefile_digest")
    for entry in result.entries:
        local = json.loads((demo.tree / "store" / entry["path"] / ".odh-persistency" / "entry.json").read_text())
        assert [entry[key] for key in same] == [local[key] for key in same]
    assert len(result.entries) == 3


def test_a_tree_that_this_host_built_is_up_to_date_in_jobs_and_the_other_states_work(new_tree, namespace, cluster):
    jobs = new_tree(copy=True)
    files = jobs.software.files()
    result = jobs.ok()
    assert not result.changed
    assert jobs.software.files() == files
    first = result.release
    jobs.software.stack("easyconfigs:\n  - lib-1.0.eb\n")
    second = jobs.ok().release
    assert second != first
    assert jobs.ok(state="rolled_back").release == jobs.software.current == first
    info = jobs.module("lmod_release_info")
    assert info.current == first
    assert {release["id"] for release in info.releases} >= {first, second}
    production = jobs.add_claim("production")
    promoted = jobs.ok(state="promoted", builder_claim="production", source_claim=CLAIM)
    assert promoted.release == first
    assert os.readlink(production / "current").endswith(first)
    pruned = jobs.ok(check=True, state="pruned", keep=1, minimum_age="0s")
    assert [change["action"] for change in pruned.changes if change["kind"] == "release"] == ["delete"]
    assert (jobs.software.path / "releases" / second).is_dir()
    jobs.ok(state="pruned", keep=1, minimum_age="0s")
    assert not (jobs.software.path / "releases" / second).exists()
    assert_nothing_is_left(jobs)


def test_the_gate_in_every_image_of_servers(new_tree):
    """The tree is read-only there, and each failure names the module, the image and the reason."""
    jobs = new_tree(copy=True)
    first = jobs.software.current
    old = "postinstallcmds = ['mkdir %(installdir)s/lib; echo raise ImportError > %(installdir)s/lib/traitlets.py']\n"
    old += "modextrapaths = {'PYTHONPATH': 'lib'}"
    jobs.software.stack(
        lib_stack(f"  - {jobs.software.add('old', '1.0', old)}", f"  - {jobs.software.add('new', '1.0')}")
    )
    jobs.add_sources()
    result = jobs.run(server_images=[images.NOTEBOOK, images.WITHOUT_KERNEL, images.PAUSE])
    assert result.failed
    assert f"old/1.0 in image {images.NOTEBOOK}: no kernel of /opt/jupyter/bin/python3 starts with it" in result.msg
    assert f"image {images.WITHOUT_KERNEL}: /usr/bin/python3 cannot import ipykernel without any module" in result.msg
    assert re.search(rf"image {images.PAUSE}: .*python3", result.msg)
    assert "because 3 checks failed" in result.msg
    assert jobs.software.current == first
    jobs.software.stack(lib_stack("  - new-1.0.eb"))
    ran = jobs.ok(server_images=[images.NOTEBOOK])
    assert ran.release != first
    assert f"verified, 1 modules checked, also in {images.NOTEBOOK}" in "\n".join(jobs.software.progress)


def test_the_gate_in_images_of_servers_while_this_host_builds(new_tree):
    jobs = new_tree(copy=True)
    first = jobs.software.current
    jobs.software.stack(lib_stack(f"  - {jobs.software.add('new', '1.0')}"))
    on_host = {**jobs.software.stack_options(), "builder_uid": USER.pw_uid, "builder_gid": USER.pw_gid}
    claim = {"builder_namespace": jobs.namespace, "builder_claim": CLAIM}

    def run(image: str, **more: Any) -> Any:
        options = {**on_host, "server_images": [image], **more}
        return Running("lmod_release", options, jobs.cluster.environment, False, True).wait(300)

    assert "and need builder_namespace and builder_claim" in run(images.NOTEBOOK).msg
    assert "has no claim none" in run(images.NOTEBOOK, **{**claim, "builder_claim": "none"}).msg
    failed = run(images.WITHOUT_KERNEL, **claim)
    assert f"image {images.WITHOUT_KERNEL}: /usr/bin/python3 cannot import ipykernel" in failed.msg
    assert jobs.software.current == first
    published = run(images.NOTEBOOK, **claim)
    assert not published.failed, published.msg
    assert published.release == jobs.software.current != first
    assert_nothing_is_left(jobs)


def test_entries_that_are_ready_build_at_the_same_time(new_tree):
    jobs = new_tree(copy=True)
    names = [jobs.software.add(name, "1.0", SLOW) for name in ("one", "two", "three")]
    jobs.add_sources()
    jobs.software.stack("easyconfigs:\n" + "".join(f"  - {name}\n" for name in names))
    running = jobs.start(state="built", jobs=2)
    most = 0
    for _attempt in range(600):
        most = max(most, len(building(jobs)))
        if len(jobs.software.installations()) == 5:
            break
        time.sleep(0.2)
    assert not running.wait().failed
    assert most == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_ends_during_a_build_is_cleaned_up(new_tree, how):
    jobs = new_tree(copy=True)
    first = jobs.software.current
    jobs.software.stack(lib_stack(f"  - {jobs.software.add('slow', '1.0', SLOW)}"))
    jobs.add_sources()
    running = jobs.start()
    wait_for(lambda: building(jobs), "a build runs", within=120)
    killed = {name for name in jobs.jobs() if name.endswith("-build")}
    os.kill(running.process.pid, how)
    running.process.communicate()
    if how == signal.SIGTERM:
        assert_nothing_is_left(jobs)
        assert not (jobs.software.path / "locks" / "run.lock").exists()
    assert jobs.software.current == first
    # A run that waits for the lock of a dead run would wait for minutes.
    result = jobs.ok(lock_timeout=20)
    assert result.changed
    assert "slow/1.0" in result.modules
    assert not killed & set(jobs.jobs())
    assert_nothing_is_left(jobs)


def test_a_build_that_fails_keeps_its_job(new_tree):
    jobs = new_tree(copy=True)
    first = jobs.software.current
    name = jobs.software.add("bad", "1.0", "postinstallcmds = ['echo no luck; exit 3']")
    jobs.software.stack(lib_stack(f"  - {name}"))
    jobs.add_sources()
    result = jobs.run()
    assert result.failed
    assert "bad/1.0" in result.msg
    (kept,) = jobs.jobs().values()
    assert kept["metadata"]["annotations"]["odh.persistency/entry"] == "bad/1.0"
    assert kept["status"]["failed"] == 1
    assert kept["metadata"]["name"] in jobs.pods().kubectl("logs", f"job/{kept['metadata']['name']}", "--prefix")
    assert jobs.software.current == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"builder_claim": "none"}, "has no claim none: create it with lmod_tree"),
        ({"builder_image": "odh.persistency/none:1", "builder_start_timeout": 5}, "its pod did not start in 5 s ("),
        ({"builder_node_selector": {"gpu": "yes"}, "builder_start_timeout": 3}, "did not start in 3 s (Unschedulable"),
        ({"builder_service_account": "nobody"}, "no pod can be created"),
        ({"easybuild": "/opt/none"}, "/opt/none/bin/python"),
    ],
)
def test_what_cannot_run_is_one_sentence(new_tree, options, message):
    jobs = new_tree(copy=True)
    files = jobs.software.files()
    result = jobs.run(check=True, **options)
    assert result.failed
    assert message in result.msg
    assert jobs.software.files() == files


def test_the_example_of_permissions_is_enough(new_tree, cluster):
    """The rules of examples/rbac/software.yml for the namespace that builds."""
    jobs = new_tree(copy=True)
    kubeconfig = jobs.restricted_kubeconfig()
    jobs.software.stack("easyconfigs:\n  - lib-1.0.eb\n")
    result = jobs.start(kubeconfig=str(kubeconfig)).wait(300)
    assert not result.failed, result.msg
    assert result.changed
    assert_nothing_is_left(jobs)
