"""A hub of the testbed whose processes are killed: the next start replaces it, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from testbed.hub import account, lifecycle, proxy_program
from testbed.hub.cleanup import folder_of, running, stop
from testbed.paths import ROOT
from tests.support.cluster import wait_for
from tests.support.node import *  # noqa: F403

#: Starts the hub, as the demo does it.
PROGRAM = """\
import sys
from tests.integration.test_testbed_hub import start
from testbed.node import lifecycle

start(lifecycle.up(), *sys.argv[1:])
"""


def start(node, namespace, folder):
    """Start a hub of the chart without anything of ours."""
    configuration = lifecycle.Configuration(
        name=namespace,
        namespace=namespace,
        kubeconfig=account.create(node.testbed, namespace, Path(folder) / "hub.kubeconfig"),
        values={"hub": {}},
        volumes=Path(folder) / "volumes",
    )
    return lifecycle.up(node, configuration)


def named(text):
    """Return the processes whose command line or folder has this text: the hub, its supervisor, its proxy."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and any(text in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def answers(hub):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{hub.url}/hub/login", timeout=10) as answer:
        return b"JupyterHub" in answer.read()


def test_a_killed_hub_is_replaced_and_leaves_nothing(node, namespace, tmp_path):
    if proxy_program.missing():
        pytest.skip(proxy_program.missing())
    data = node.testbed.data
    folder = str(folder_of(data, namespace))
    # What starts the hub is killed half-way.
    starter = subprocess.Popen([sys.executable, "-c", PROGRAM, namespace, str(tmp_path)], cwd=ROOT)
    try:
        first = wait_for(lambda: list(running(data, namespace)), "the supervisor of the hub runs", 60)
    finally:
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    hub = start(node, namespace, tmp_path)
    assert answers(hub)
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in first)
    # One kill of any process of it ends all.
    for is_victim in (lambda words: words[0].endswith("unshare"), lambda words: "jupyterhub" in words):
        (victim,) = [process for process in named(folder) if is_victim(process.cmdline())]
        os.kill(victim.pid, signal.SIGKILL)
        wait_for(lambda: not named(folder), "no process of the hub is left", 20)
        hub = start(node, namespace, tmp_path)
        assert answers(hub)
    assert stop(data, namespace)
    assert named(folder) == []
    assert not Path(folder).exists()
    assert not stop(data, namespace)
    # It mounts nothing, and its process namespace went with its processes. Pods of its servers are the node's.
    assert folder not in Path("/proc/self/mountinfo").read_text()
