"""Start a node.

`up` is idempotent. It replaces a node that runs with other pins, flags or addresses than the current ones.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any

from .. import binaries, control_plane, kubeconfig, pki, processes
from ..paths import data_dir
from ..progress import Heartbeat, TestbedError, say
from ..state import Testbed
from . import cleanup, images, kernel
from .configuration import Configuration
from .layout import LOGS, Layout
from .status import SUPERVISOR, Node, current_node, digest, is_ready
from .support import PATH, unsupported

READY_WITHIN = 90.0  # seconds; two on an idle machine, ten on a loaded one
_UNSHARE = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")


def up(data: Path | None = None) -> Node:
    """Start the testbed and its node, and return when the node is ready. Missing programs and images are built first.
    Raises TestbedError with the reason why this machine cannot have a node, or with the ends of the logs.
    """
    data = data or data_dir()
    reason = unsupported(data)
    if reason:
        raise TestbedError(reason)
    testbed = control_plane.up(data)
    binaries.ensure(binaries.NODE)
    image_root = images.ensure_notebook()
    with control_plane.locked(data):
        node = current_node(testbed)
        if node is not None and is_ready(testbed):
            say(f"the node is up already: {node}", detail=True)
            return node
        cleanup.clean(data)
        cleanup.forget(testbed)
        try:
            node = _start(testbed, image_root)
        except BaseException:
            cleanup.clean(data)
            raise
    say(f"the node is up: {node}")
    return node


def _start(testbed: Testbed, image_root: Path) -> Node:
    layout = Layout(testbed.data)
    say("starting kube-scheduler, containerd and kubelet", detail=True)
    configuration = Configuration(testbed, kernel.free_subnet(layout), _free_port())
    # The folder comes first: `up` and `down` clean up when they find it.
    layout.network_plugins.mkdir(parents=True)
    kernel.make_bridge(layout, configuration.subnet)
    kernel.make_cgroups(layout)
    for name, content in configuration.files().items():
        (layout.folder / name).write_text(content)
    _write_kubeconfigs(testbed, layout)
    images.write_archive(layout.folder / "images.tar")
    layout.plan.write_text(json.dumps(_plan(configuration, image_root), indent=2) + "\n")
    state = {
        "subnet": str(configuration.subnet),
        "kubelet_port": configuration.kubelet_port,
        "digest": digest(configuration),
    }
    layout.state.write_text(json.dumps(state, indent=2) + "\n")
    unshare = shutil.which("unshare", path=PATH)
    command = [str(unshare), *_UNSHARE, sys.executable, "-I", str(SUPERVISOR), f"--plan={layout.plan}"]
    process = processes.start(testbed.data, "node", command)
    _wait(testbed)
    return Node(testbed, configuration.subnet, layout.identifier, process.pid)


def _plan(configuration: Configuration, image_root: Path) -> dict[str, Any]:
    located, layout = binaries.locate(), configuration.layout
    return {
        "commands": configuration.commands(),
        # containerd looks its shim up there.
        "path": os.pathsep.join([str(located["containerd"].parent), PATH]),
        "logs": str(processes.log_file(layout.data, "node").parent),
        "ctr": str(located["ctr"]),
        "archive": str(layout.folder / "images.tar"),
        "image_root": str(image_root),
        "placeholder": images.PLACEHOLDER,
    }


def _write_kubeconfigs(testbed: Testbed, layout: Layout) -> None:
    authority = (testbed.pki / "ca.crt").read_bytes()
    for path, name in ((layout.kubeconfig, "node"), (layout.scheduler_kubeconfig, "scheduler")):
        pair = pki.Pair.read(testbed.pki, name)
        user = kubeconfig.certificate_user(pair.certificate, pair.key)
        kubeconfig.write(path, kubeconfig.document(testbed.server, authority, pki.CLIENTS[name][0], user))


def _wait(testbed: Testbed) -> None:
    heartbeat = Heartbeat(every=10.0)
    deadline = time.monotonic() + READY_WITHIN
    try:
        while not is_ready(testbed):
            if processes.find(testbed.data, "node") is None:
                raise TestbedError(f"the node ended while it started; the ends of its logs:\n{_tails(testbed.data)}")
            if time.monotonic() > deadline:
                raise TestbedError(
                    f"the node was not ready within {READY_WITHIN:.0f} s; the ends of its logs:\n{_tails(testbed.data)}"
                )
            heartbeat.beat("waiting for the node ({elapsed})")
            time.sleep(0.1)
    finally:
        heartbeat.done()


def _tails(data: Path) -> str:
    return "\n".join(f"{name}:\n{processes.tail(data, name, 8)}" for name in LOGS)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
