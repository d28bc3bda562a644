"""The testbed when it is killed, loses its port or is started twice; in a second testbed."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from testbed import binaries, paths, processes, state
from testbed.processes import NAMES, find_all, paused, pid_file
from tests.support.cluster import Cluster, wait_for


class Other:
    """A second testbed, controlled through its command line."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.environment = os.environ | {"ODHP_TESTBED_DATA": str(data)}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "testbed", *arguments],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run a command, check its exit code, and return standard output and standard error."""
        process = self.start(*arguments, **environment)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == code, output + errors
        return output + errors

    @property
    def status(self) -> dict[str, Any]:
        process = self.start("status", "--json")
        return json.loads(process.communicate(timeout=60)[0])  # type: ignore[no-any-return]

    @property
    def pids(self) -> dict[str, int]:
        """Return the ids of its processes by name, including strays. Two of one name fail the test."""
        found = find_all(self.data)
        assert len({name for name, _ in found}) == len(found), found
        return {name: process.pid for name, process in found}

    def cluster(self) -> Cluster:
        testbed = state.load(self.data)
        return Cluster(testbed.kubeconfig, testbed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    data = tmp_path_factory.mktemp("a second") / "test bed"
    yield data
    for _, process in find_all(data):
        process.kill()
    shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def other(folder) -> Other:
    found = Other(folder)
    found.run("up")
    assert found.pids.keys() == set(NAMES)
    return found


def test_two_testbeds_live_side_by_side(other, testbed):
    assert other.status["server"] != testbed.server
    assert other.status["ready"] is True
    assert testbed.client().ready()


def test_up_again_starts_nothing_and_costs_little(other):
    before = other.pids
    spent = []
    for _ in range(5):
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "up already" in other.run("up")
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime)
    assert other.pids == before
    assert other.run("up", "--quiet") == ""
    assert min(spent) < 0.5, f"seconds of CPU: {spent}"


def test_the_processes_have_no_terminal_and_no_parent_of_ours(other):
    for pid in other.pids.values():
        assert os.getsid(pid) == pid


def test_down_keeps_the_data_and_the_ports(other):
    name = other.cluster().make_namespace()
    server = other.status["server"]
    assert "stopped kube-controller-manager, kube-apiserver, etcd" in other.run("down")
    assert other.pids == {}
    assert other.status["ready"] is False
    assert "was not running" in other.run("down")
    other.run("up")
    assert other.status["server"] == server
    assert other.cluster().get("namespaces", name)


@pytest.mark.parametrize("name", NAMES)
def test_a_process_that_died_is_replaced(other, name):
    namespace = other.cluster().make_namespace()
    os.kill(other.pids[name], signal.SIGKILL)
    other.run("up")
    assert other.pids.keys() == set(NAMES)
    assert other.cluster().get("namespaces", namespace)


@pytest.mark.parametrize("after", [0.3, 1.0, 2.5])
def test_a_killed_up_is_cleaned_by_the_next(other, after):
    other.run("down")
    process = other.start("up")
    time.sleep(after)
    process.kill()
    process.communicate()
    other.run("up")
    assert other.pids.keys() == set(NAMES)
    assert other.status["ready"] is True


def test_a_stray_without_a_pid_file_is_found(other):
    """As if `up` was killed after it started a process and before it wrote the pid file."""
    before = other.pids
    pid_file(other.data, "kube-apiserver").unlink()
    assert "stopped the remains of an earlier start" in other.run("up")
    assert not before.items() & other.pids.items()


def test_several_at_once_start_it_once(other):
    other.run("down")
    started = [other.start("up") for _ in range(4)]
    outputs = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, outputs
    assert sum("starting etcd" in output for output in outputs) == 1
    assert other.pids.keys() == set(NAMES)


def test_a_recycled_pid_is_nobody_of_ours(other):
    """The pids in the pid files now belong to unrelated processes, with the same name or in the same folder."""
    other.run("down")
    sleep = shutil.which("sleep")
    assert sleep
    bystanders = [
        subprocess.Popen([sleep, "600"], cwd=other.data),
        subprocess.Popen(["/usr/bin/kube-apiserver", "600"], executable=sleep),
        subprocess.Popen(
            ["/usr/bin/etcd", "-c", "import time; time.sleep(600)", f"--data-dir={other.data}2/etcd"],
            executable=sys.executable,
        ),
    ]
    try:
        for name, process in zip(reversed(NAMES), bystanders, strict=True):
            pid_file(other.data, name).parent.mkdir(exist_ok=True)
            pid_file(other.data, name).write_text(f"{process.pid}\n")
        assert other.status["processes"] == dict.fromkeys(NAMES)
        assert "was not running" in other.run("down")
        other.run("up")
        other.run("down")
        assert [process.poll() for process in bystanders] == [None] * 3
    finally:
        for process in bystanders:
            process.kill()
            process.wait()


def test_a_port_that_somebody_took_is_replaced(other):
    before = other.status["server"]
    other.run("down")
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", int(before.rsplit(":", 1)[1])))
        thief.listen()
        other.run("up")
        assert other.status["server"] != before
        assert other.status["ready"] is True
        assert other.cluster().list("namespaces")


def test_the_log_that_matters_is_shown(other):
    other.run("down")
    broken = other.data / "etcd"
    kept = broken.rename(other.data / "kept")
    broken.write_text("no folder\n")
    try:
        said = other.run("up", code=1)
        assert "etcd ended while it started; the end of its log:" in said
        assert "not a directory" in said
        assert other.pids == {}
    finally:
        broken.unlink()
        kept.rename(broken)


def test_a_process_with_other_flags_is_restarted(other):
    """As after a change of the pinned versions or of `commands.py`."""
    before = other.pids
    links = other.data.parent / "assets"
    links.mkdir(exist_ok=True)
    for name in ("etcd", "kube-apiserver"):
        with contextlib.suppress(FileExistsError):
            (links / name).symlink_to(binaries.ensure([name])[name])
    other.run("up", KUBEBUILDER_ASSETS=str(links))
    assert not before.items() & other.pids.items()
    commands = {name: psutil.Process(pid).cmdline()[0] for name, pid in other.pids.items()}
    assert commands["etcd"] == str(links / "etcd")
    assert commands["kube-apiserver"] == str(links / "kube-apiserver")
    assert Path(commands["kube-controller-manager"]).is_relative_to(paths.cache_dir())


def test_reset_wipes(other):
    name = other.cluster().make_namespace()
    other.run("reset")
    assert other.cluster().get("namespaces", name) is None
    other.run("reset", "--wipe-only")
    assert not other.data.exists()
    assert other.pids == {}


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work\n")
    somebody = Other(tmp_path)
    for command in ("up", "reset"):
        assert "is not empty and not of a testbed" in somebody.run(command, code=1)
    assert (tmp_path / "thesis.tex").read_text() == "years of work\n"


def test_env_is_for_a_shell(other):
    command = 'eval "$1"; kubectl get ns -o name'
    answer = subprocess.run(
        ["env", "-u", "KUBECONFIG", "sh", "-c", command, "sh", other.run("env")], capture_output=True, text=True
    )
    assert "namespace/kube-system" in answer.stdout, answer.stderr
    assert "start one with" in Other(other.data / "none").run("env", code=1)


def test_a_paused_controller_does_nothing_until_up_wakes_it(other):
    cluster = other.cluster()
    namespace = cluster.make_namespace()
    with paused(other.data):
        cluster.make_claim(namespace, "home")
        with pytest.raises(TimeoutError):
            cluster.bind(namespace, "home", within=2)
    wait_for(lambda: cluster.claims(namespace)["home"]["status"]["phase"] == "Bound", "the claim bound afterwards")
    found = processes.find(other.data, "kube-controller-manager")
    assert found
    found[0].suspend()
    other.run("up")
    assert found[0].status() != psutil.STATUS_STOPPED


def test_the_sweep_removes_what_killed_tests_left(other):
    left = other.cluster()
    namespace = left.make_namespace()
    left.make_claim(namespace, "home")
    volume = left.bind(namespace, "home")
    cluster = other.cluster()
    cluster.sweep(older_than=datetime.timedelta(seconds=-5))
    wait_for(lambda: cluster.get("namespaces", namespace) is None, "the namespace gone")
    wait_for(lambda: cluster.get("persistentvolumes", volume) is None, "the volume gone")
    assert cluster.get("namespaces", "default")


class TestBuild:
    """With etcd, the smallest, from Go's build cache into an empty cache of ours."""

    @pytest.fixture
    def cache(self, tmp_path, monkeypatch):
        # Go's default depends on XDG_CACHE_HOME.
        monkeypatch.setenv("GOCACHE", os.environ.get("GOCACHE") or str(paths.cache_dir().parent / "go-build"))
        # Use a Go that bin/dev installed.
        (tmp_path / "odh-persistency").mkdir()
        (tmp_path / "odh-persistency" / "go").symlink_to(paths.cache_dir() / "go")
        return tmp_path

    def test_two_builders_compile_once(self, cache, tmp_path):
        builders = [Other(tmp_path / "d").start("build", "etcd", XDG_CACHE_HOME=str(cache)) for _ in range(2)]
        outputs = [builder.communicate(timeout=600)[1] for builder in builders]
        assert [builder.returncode for builder in builders] == [0, 0], outputs
        assert sum("compiled etcd" in output for output in outputs) == 1
        built = list(cache.glob("odh-persistency/testbed/etcd-*/etcd"))
        assert len(built) == 1
        assert subprocess.run([built[0], "--version"], capture_output=True, text=True).stdout.startswith(
            "etcd Version: 3."
        )

    def test_a_killed_builder_leaves_nothing(self, cache, tmp_path):
        other = Other(tmp_path / "d")
        builder = other.start("build", "etcd", XDG_CACHE_HOME=str(cache))
        wait_for(lambda: list(cache.glob("odh-persistency/testbed/etcd-*/.building*")), "the build begun")
        builder.kill()
        builder.communicate()
        other.run("build", "etcd", XDG_CACHE_HOME=str(cache))
        (folder,) = cache.glob("odh-persistency/testbed/etcd-*")
        assert sorted(path.name for path in folder.iterdir()) == [".lock", "etcd"]
