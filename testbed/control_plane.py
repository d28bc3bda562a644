"""Start and stop a real etcd, kube-apiserver and kube-controller-manager on loopback.

`node/` starts a node beside it. Whatever stops the control plane stops the node.

`up` is idempotent and holds a lock. It relies on nothing that an earlier `up` left. Processes are recognised by their
command lines, which also show whether they run with the current pins and flags.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import binaries, processes, state
from .commands import commands
from .node import cleanup
from .node.layout import Layout
from .paths import DEV, data_dir
from .progress import TestbedError, say
from .state import Testbed

PATIENCE = 30.0  # seconds in which a running server must answer, before it is restarted
MARKER = "odh-persistency-testbed"  # a file that marks the folder as one that may be wiped


def up(data: Path | None = None) -> Testbed:
    """Start what is not running. Return the testbed when the API server and the controller manager are ready.

    Raises TestbedError with the end of the relevant log when that takes longer than startup.READY_WITHIN.
    """
    data = data or data_dir()
    testbed = _running(data)
    if testbed is None:
        with locked(data):
            # On a loaded machine it may be slow to answer, and other processes may be using it.
            testbed = _running(data, PATIENCE)
            if testbed is None:
                _claim(data)
                binaries.ensure()
                # Imported here, because bin/dev runs `up` each time, and on a running testbed it is not needed.
                from .startup import start

                cleanup.clean(data)
                testbed = start(data)
                cleanup.forget(testbed)
                say(f"the testbed is up: {testbed.server} (Kubernetes {binaries.MODULES[1].version})")
                return testbed
    if Layout(data).folder.exists() and processes.find(data, "node") is None:
        with locked(data):
            if processes.find(data, "node") is None:
                say("removing what a killed node left behind")
                _stop_node(data, testbed)
    say(f"the testbed is up already: {testbed.server}", detail=True)
    return testbed


def down(data: Path | None = None) -> list[str]:
    """Stop the testbed's processes; its data stays. Return what was stopped."""
    data = data or data_dir()
    if not data.exists():
        # A node stays when somebody removed the folder manually.
        return ["node"] if _stop_node(data) else []
    with locked(data):
        return (["node"] if _stop_node(data) else []) + processes.stop_all(data)


def reset(data: Path | None = None) -> None:
    """Stop the testbed and wipe its data."""
    data = data or data_dir()
    if not data.exists():
        _stop_node(data)
        return
    with locked(data):
        _claim(data)
        _stop_node(data)
        processes.stop_all(data)
        shutil.rmtree(data)


def status(data: Path | None = None) -> dict[str, Any]:
    """Return what runs: `{"data", "server", "ready", "processes": {name: {"pid", "memory_mib", "since"} or None},
    "node": {"pid", "memory_mib", "name", "bridge", "address", "subnet", "image", "current", "ready"} or None}`."""
    data = data or data_dir()
    ports: dict[str, int] = state.read(data).get("ports") or {}
    running: dict[str, Any] = {}
    for name in processes.NAMES:
        found = processes.find(data, name)
        running[name] = found and {
            "pid": found[0].pid,
            "memory_mib": found[0].memory_info().rss // 2**20,
            "since": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found[0].create_time())),
            "current": bool(ports) and found[1] == commands(data, ports)[name],
        }
    testbed = state.load(data) if ports else None
    return {
        "data": str(data),
        "server": testbed.server if testbed else None,
        "ready": bool(testbed and all(running.values()) and testbed.client().ready()),
        "processes": running,
        "node": _status_of_node(data),
    }


def _stop_node(data: Path, testbed: Testbed | None = None) -> bool:
    """Remove the node, and return whether there was anything to remove. `testbed` is set if it is known to run."""
    stopped = cleanup.clean(data)
    if testbed is None and stopped and processes.find(data, "kube-apiserver"):
        testbed = state.load(data)
    if testbed is not None and testbed.client().ready():
        cleanup.forget(testbed)
    return stopped


def _status_of_node(data: Path) -> dict[str, Any] | None:
    if not Layout(data).folder.exists():
        return None
    from .node.status import status

    return status(data)


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Run one `up`, `down` or `reset` at a time. The lock ends with its process. It is next to the folder because of `reset`."""
    data.parent.mkdir(parents=True, exist_ok=True)
    with open(data.with_name(f"{data.name}.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process starts or stops this testbed; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _claim(data: Path) -> None:
    """Mark the folder as ours. Raises TestbedError for one with other content."""
    if data.exists() and any(data.iterdir()) and not (data / MARKER).exists():
        raise TestbedError(
            f"{data} is not empty and not of a testbed: set ODHP_TESTBED_DATA to another folder, or empty it"
        )
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    (data / MARKER).touch()


def _running(data: Path, patience: float = 0.0) -> Testbed | None:
    """Return the testbed if it runs completely, with the current flags, pins and manifests, and answers in time; else None."""
    known = state.read(data)
    if not known.get("ports") or known.get("manifests") != state.digest_of_manifests():
        return None
    expected = commands(data, known["ports"])
    for name in processes.NAMES:
        found = processes.find(data, name)
        if found is None or found[1] != expected[name]:
            return None
        if found[0].status() == "stopped":
            found[0].resume()
    testbed = state.load(data)
    if not (DEV / "bin" / "kubectl").exists():
        return None
    deadline = time.monotonic() + patience
    while not testbed.client().ready():
        if time.monotonic() >= deadline or any(processes.find(data, name) is None for name in processes.NAMES):
            return None
        time.sleep(0.5)
    return testbed
