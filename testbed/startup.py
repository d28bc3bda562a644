"""A cold start: choose ports, create certificates, start the processes in sequence, and wait until they are ready."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from . import binaries, kubeconfig, pki, processes, state
from .commands import AUDIT_POLICY, audit_policy, commands
from .paths import MANIFESTS
from .progress import Heartbeat, TestbedError, say
from .state import Testbed

READY_WITHIN = 90.0  # seconds; a loaded machine with two cores needs about ten


def start(data: Path) -> Testbed:
    """Stop the remains of an earlier start, and start everything. Raises TestbedError."""
    pki.ensure(data / "pki")
    state.link_kubectl()
    for attempt in range(3):
        stopped = processes.stop_all(data)
        if stopped:
            say(f"stopped the remains of an earlier start: {', '.join(stopped)}")
        ports = _ports(state.read(data).get("ports") or {})
        state.write(data, {"ports": ports})
        try:
            return _start_on(data, ports)
        except TestbedError as error:
            # Another process took one of the ports after it was checked.
            if attempt == 2 or "address already in use" not in str(error):
                processes.stop_all(data)
                raise
            say("a port was taken meanwhile; choosing others")
            state.write(data, {})
        except BaseException:
            processes.stop_all(data)
            raise
    raise AssertionError


def _start_on(data: Path, ports: dict[str, int]) -> Testbed:
    command_lines = commands(data, ports)
    testbed = Testbed(data, f"https://127.0.0.1:{ports['kube-apiserver']}")
    _write_kubeconfigs(testbed)
    audit_policy(data).write_bytes(AUDIT_POLICY.read_bytes())
    (data / "logs").mkdir(exist_ok=True)
    if testbed.audit_log.exists():
        os.replace(testbed.audit_log, testbed.audit_log.with_suffix(".log.old"))
    say("starting etcd, kube-apiserver and kube-controller-manager", detail=True)
    processes.start(data, "etcd", command_lines["etcd"])
    processes.start(data, "kube-apiserver", command_lines["kube-apiserver"])
    client = testbed.client()
    _wait(data, "kube-apiserver", client.ready)
    processes.start(data, "kube-controller-manager", command_lines["kube-controller-manager"])
    _apply_manifests(testbed)
    # Pods need it, and it shows that the controllers work.
    _wait(data, "kube-controller-manager", lambda: client.exists("/api/v1/namespaces/default/serviceaccounts/default"))
    # A custom resource is available a moment after its definition was accepted.
    _wait(data, "kube-apiserver", lambda: client.exists("/apis/user.openshift.io/v1/groups?limit=1"))
    state.write(data, {"ports": ports, "manifests": state.digest_of_manifests()})
    return testbed


def _wait(data: Path, name: str, ready: Callable[[], bool]) -> None:
    heartbeat = Heartbeat(every=10.0)
    deadline = time.monotonic() + READY_WITHIN
    try:
        while not ready():
            for other in processes.NAMES[: processes.NAMES.index(name) + 1]:
                if processes.find(data, other) is None:
                    raise TestbedError(
                        f"{other} ended while it started; the end of its log:\n{processes.tail(data, other)}"
                    )
            if time.monotonic() > deadline:
                raise TestbedError(
                    f"{name} was not ready within {READY_WITHIN:.0f} s; the end of its log:\n"
                    + processes.tail(data, name)
                )
            heartbeat.beat(f"waiting for {name} ({{elapsed}})")
            time.sleep(0.1)
    finally:
        heartbeat.done()


def _apply_manifests(testbed: Testbed) -> None:
    command = [str(binaries.locate()["kubectl"]), "--kubeconfig", str(testbed.kubeconfig), "apply", "--server-side"]
    command += ["--force-conflicts", "--field-manager=testbed", "-f", str(MANIFESTS)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=READY_WITHIN)
    if answer.returncode:
        raise TestbedError(f"testbed/manifests could not be applied: {answer.stderr.strip()}")


def _write_kubeconfigs(testbed: Testbed) -> None:
    authority = (testbed.pki / "ca.crt").read_bytes()
    for path, pair, user in (
        (testbed.kubeconfig, "admin", "testbed-admin"),
        (testbed.data / "controller-manager.kubeconfig", "controller-manager", "system:kube-controller-manager"),
    ):
        found = pki.Pair.read(testbed.pki, pair)
        shown = kubeconfig.certificate_user(found.certificate, found.key)
        kubeconfig.write(path, kubeconfig.document(testbed.server, authority, user, shown))


def _ports(remembered: dict[str, int]) -> dict[str, int]:
    """Return a free port for each server: its previous one, if that is free."""
    ports = {}
    with contextlib.ExitStack() as held:
        for name in ("etcd", "kube-apiserver"):
            for wanted in (remembered.get(name, 0), 0):
                sock = held.enter_context(socket.socket())
                # As the servers do: a port with connections in TIME_WAIT counts as free.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with contextlib.suppress(OSError):
                    sock.bind(("127.0.0.1", wanted))
                    ports[name] = sock.getsockname()[1]
                    break
    return ports
