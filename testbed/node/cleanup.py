"""Remove a node, and the remains of a killed one.

No recorded state is needed: the names of everything that is removed follow from the testbed's folder.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil

from .. import processes
from ..hub import cleanup as hubs
from ..progress import TestbedError
from ..state import Testbed
from . import kernel
from .layout import NAME, Layout

ENDED_WITHIN = 10.0  # seconds from SIGKILL until all processes are gone


def clean(data: Path) -> bool:
    """Kill the node and the hubs whose servers it runs, and remove what it made; return whether there was any of that."""
    had_hubs = hubs.stop(data)
    layout = Layout(data)
    found = list(_processes(data))
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    # When process 1 has ended, all processes and mounts of its namespaces are gone.
    if not all(processes.gone(process, ENDED_WITHIN) for process in found):
        raise TestbedError(f"the node's processes did not end within {ENDED_WITHIN:.0f} s of being killed: {found}")
    there = had_hubs or bool(found) or layout.folder.exists()
    there |= kernel.remove_bridge(layout)
    there |= kernel.remove_cgroups(layout)
    processes.pid_file(data, "node").unlink(missing_ok=True)
    if layout.folder.exists():
        mounted = Path("/proc/self/mountinfo")
        # The kernel writes a space in a path as \040.
        if mounted.exists() and " {}/".format(str(layout.folder).replace(" ", "\\040")) in mounted.read_text():
            raise TestbedError(f"a file system is mounted in {layout.folder}: unmount it and run this again")
        shutil.rmtree(layout.folder)
    return there


def forget(testbed: Testbed) -> None:
    """Remove the node and its pods from the API server, because no kubelet is left to do so."""
    client = testbed.client()
    code, pods = client.request("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NAME}")
    for pod in pods["items"] if code == 200 else []:
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        client.request("DELETE", path, {"gracePeriodSeconds": 0})
    client.request("DELETE", f"/api/v1/nodes/{NAME}")


def _processes(data: Path) -> Iterator[psutil.Process]:
    """Yield the supervisor and the `unshare` that waits for it, with or without a pid file."""
    plan = f"--plan={Layout(data).plan}"
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if plan in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                yield process
