"""A real etcd, kube-apiserver and kube-controller-manager on loopback: up, down, and what lies between.

`up` is idempotent and holds a lock. It trusts nothing that an earlier `up` left: processes are recognised by their very
command line, which also says whether they still run what the pins and flags of now ask for.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import api, binaries, kubeconfig, pki, processes
from .paths import DEV, HERE, MANIFESTS, data_dir
from .progress import Heartbeat, TestbedError, say

READY_WITHIN = 90.0  # seconds; a loaded machine with two cores needs about ten
MARKER = "odh-persistency-testbed"  # a file that says: this folder is ours to wipe
AUDIT_MAXIMUM_MB = 100_000  # no rotation while the server runs; a cold start begins a new log


@dataclass(frozen=True)
class Testbed:
    """Where a testbed is and how to reach it."""

    __test__ = False  # for pytest, which would collect the class for its name

    data: Path
    server: str

    @property
    def kubeconfig(self) -> Path:
        return self.data / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.data / "logs" / "audit.log"

    @property
    def pki(self) -> Path:
        return self.data / "pki"

    def client(self) -> api.Client:
        """A client with all rights."""
        return api.Client(self.server, self.pki / "ca.crt", self.pki / "admin.crt", self.pki / "admin.key")


def load(data: Path | None = None) -> Testbed:
    """The testbed in `data` as it was last started. Raises TestbedError when it never was."""
    data = data or data_dir()
    state = _read_state(data)
    if not state.get("ports"):
        raise TestbedError(f"there is no testbed in {data}; start one with: bin/dev python -m testbed up")
    return Testbed(data, f"https://127.0.0.1:{state['ports']['kube-apiserver']}")


def up(data: Path | None = None, *, quiet_when_up: bool = False) -> Testbed:
    """Start what is not running; return the testbed when the API server and the controller manager are ready.

    Raises TestbedError with the end of the log that matters when that takes longer than READY_WITHIN.
    """
    data = data or data_dir()
    testbed = _running(data)
    if testbed is None:
        with _locked(data):
            testbed = _running(data)
            if testbed is None:
                _claim(data)
                binaries.ensure()
                testbed = _start(data)
                say(f"the testbed is up: {testbed.server} (Kubernetes {binaries.MODULES[1].version})")
                return testbed
    if not quiet_when_up:
        say(f"the testbed is up already: {testbed.server}", detail=True)
    return testbed


def down(data: Path | None = None) -> list[str]:
    """Stop the testbed's processes; its data stays. Return what was stopped."""
    data = data or data_dir()
    if not data.exists():
        return []
    with _locked(data):
        return processes.stop_all(data)


def reset(data: Path | None = None) -> None:
    """Stop the testbed and wipe its data."""
    data = data or data_dir()
    if not data.exists():
        return
    with _locked(data):
        _claim(data)
        processes.stop_all(data)
        shutil.rmtree(data)


def status(data: Path | None = None) -> dict[str, Any]:
    """What runs: `{"data", "server", "ready", "processes": {name: {"pid", "memory_mib", "since"} or None}}`."""
    data = data or data_dir()
    state = _read_state(data)
    running: dict[str, Any] = {}
    for name in processes.NAMES:
        found = processes.find(data, name)
        running[name] = found and {
            "pid": found[0].pid,
            "memory_mib": found[0].memory_info().rss // 2**20,
            "since": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found[0].create_time())),
            "current": found[1] == _commands(data, state["ports"])[name] if state.get("ports") else False,
        }
    testbed = load(data) if state.get("ports") else None
    return {
        "data": str(data),
        "server": testbed.server if testbed else None,
        "ready": bool(testbed and all(running.values()) and testbed.client().ready()),
        "processes": running,
    }


# --- state -----------------------------------------------------------------------------------------------------------


def _read_state(data: Path) -> dict[str, Any]:
    try:
        state = json.loads((data / "state.json").read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _write_state(data: Path, state: dict[str, Any]) -> None:
    temporary = data / "state.json.new"
    temporary.write_text(json.dumps(state, indent=2) + "\n")
    os.replace(temporary, data / "state.json")


@contextlib.contextmanager
def _locked(data: Path) -> Iterator[None]:
    """One `up`, `down` or `reset` at a time. The lock lies beside the folder, which `reset` removes; it dies with its holder."""
    data.parent.mkdir(parents=True, exist_ok=True)
    with open(data.with_name(f"{data.name}.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process starts or stops this testbed; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _claim(data: Path) -> None:
    """Make the folder ours, or refuse one that holds something else."""
    if data.exists() and any(data.iterdir()) and not (data / MARKER).exists():
        raise TestbedError(f"{data} is not empty and no testbed's; name another folder with ODHP_TESTBED_DATA, or empty it")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    (data / MARKER).touch()


def _running(data: Path) -> Testbed | None:
    """The testbed when all of it runs, with the flags, pins and manifests of now, and answers; else None."""
    state = _read_state(data)
    if not state.get("ports") or state.get("manifests") != _digest_of_manifests():
        return None
    expected = _commands(data, state["ports"])
    for name in processes.NAMES:
        found = processes.find(data, name)
        if found is None or found[1] != expected[name]:
            return None
        if found[0].status() == "stopped":
            found[0].resume()
    testbed = load(data)
    kubectl = DEV / "bin" / "kubectl"
    return testbed if kubectl.exists() and testbed.client().ready() else None


def _digest_of_manifests() -> str:
    files = sorted(MANIFESTS.glob("*.yaml"))
    return hashlib.sha256(b"\0".join(part for file in files for part in (file.name.encode(), file.read_bytes()))).hexdigest()


# --- starting --------------------------------------------------------------------------------------------------------


def _start(data: Path) -> Testbed:
    pki.ensure(data / "pki")
    link_kubectl()
    for attempt in range(3):
        stopped = processes.stop_all(data)
        if stopped:
            say(f"stopped what was left of an earlier start: {', '.join(stopped)}")
        state = _read_state(data)
        ports = _ports(state.get("ports") or {})
        _write_state(data, {"ports": ports})
        try:
            return _start_on(data, ports)
        except TestbedError as error:
            # Somebody took one of the ports between our look and the server's.
            if attempt == 2 or "address already in use" not in str(error):
                processes.stop_all(data)
                raise
            say("a port was taken meanwhile; choosing others")
            _write_state(data, {})
        except BaseException:
            processes.stop_all(data)
            raise
    raise AssertionError


def _start_on(data: Path, ports: dict[str, int]) -> Testbed:
    commands = _commands(data, ports)
    testbed = Testbed(data, f"https://127.0.0.1:{ports['kube-apiserver']}")
    _write_kubeconfigs(testbed)
    _audit_policy(data).write_bytes((HERE / "audit-policy.yaml").read_bytes())
    (data / "logs").mkdir(exist_ok=True)
    if testbed.audit_log.exists():
        os.replace(testbed.audit_log, testbed.audit_log.with_suffix(".log.old"))
    say("starting etcd, kube-apiserver and kube-controller-manager", detail=True)
    processes.start(data, "etcd", commands["etcd"])
    processes.start(data, "kube-apiserver", commands["kube-apiserver"])
    client = testbed.client()
    _wait(data, "kube-apiserver", client.ready)
    processes.start(data, "kube-controller-manager", commands["kube-controller-manager"])
    _apply_manifests(testbed)
    # Pods need it, and it shows that the controllers are at work.
    _wait(data, "kube-controller-manager", lambda: client.exists("/api/v1/namespaces/default/serviceaccounts/default"))
    _write_state(data, {"ports": ports, "manifests": _digest_of_manifests()})
    return testbed


def _wait(data: Path, name: str, ready: Any) -> None:
    heartbeat = Heartbeat(every=10.0)
    deadline = time.monotonic() + READY_WITHIN
    try:
        while not ready():
            for other in processes.NAMES[: processes.NAMES.index(name) + 1]:
                if processes.find(data, other) is None:
                    raise TestbedError(f"{other} ended while it started; the end of its log:\n{processes.tail(data, other)}")
            if time.monotonic() > deadline:
                raise TestbedError(
                    f"{name} was not ready within {READY_WITHIN:.0f} s; the end of its log:\n{processes.tail(data, name)}"
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


def link_kubectl() -> None:
    """`.dev/bin/kubectl`, which bin/dev has in PATH."""
    link, target = DEV / "bin" / "kubectl", binaries.locate()["kubectl"]
    if link.is_symlink() and link.readlink() == target:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".kubectl.{os.getpid()}")
    temporary.symlink_to(target)
    os.replace(temporary, link)


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
    """A free port for each server: the one it had before, if nobody else has it now."""
    ports = {}
    with contextlib.ExitStack() as held:
        for name in ("etcd", "kube-apiserver"):
            for wanted in (remembered.get(name, 0), 0):
                sock = held.enter_context(socket.socket())
                # As the servers do themselves: a port whose last connections still linger counts as free.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with contextlib.suppress(OSError):
                    sock.bind(("127.0.0.1", wanted))
                    ports[name] = sock.getsockname()[1]
                    break
    return ports


def _audit_policy(data: Path) -> Path:
    digest = hashlib.sha256((HERE / "audit-policy.yaml").read_bytes()).hexdigest()[:8]
    return data / f"audit-policy-{digest}.yaml"


def _commands(data: Path, ports: dict[str, int]) -> dict[str, list[str]]:
    """The command line of each process; a process that runs with another one is out of date."""
    located = binaries.locate()
    keys = data / "pki"
    etcd = f"https://127.0.0.1:{ports['etcd']}"
    return {
        "etcd": [
            str(located["etcd"]),
            "--name=testbed",
            f"--data-dir={data}/etcd",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            "--listen-peer-urls=https://127.0.0.1:0",
            f"--cert-file={keys}/etcd.crt",
            f"--key-file={keys}/etcd.key",
            f"--trusted-ca-file={keys}/etcd-ca.crt",
            "--client-cert-auth",
            f"--peer-cert-file={keys}/etcd.crt",
            f"--peer-key-file={keys}/etcd.key",
            f"--peer-trusted-ca-file={keys}/etcd-ca.crt",
            "--peer-client-cert-auth",
            # Nothing here has to survive a power cut, and without it a start takes 2 s instead of 6 to 14.
            "--unsafe-no-fsync",
            f"--quota-backend-bytes={8 * 2**30}",
        ],
        "kube-apiserver": [
            str(located["kube-apiserver"]),
            f"--etcd-servers={etcd}",
            f"--etcd-cafile={keys}/etcd-ca.crt",
            f"--etcd-certfile={keys}/etcd-client.crt",
            f"--etcd-keyfile={keys}/etcd-client.key",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            # It would refuse a loopback address; nothing here uses the `kubernetes` service.
            "--endpoint-reconciler-type=none",
            f"--secure-port={ports['kube-apiserver']}",
            f"--tls-cert-file={keys}/apiserver.crt",
            f"--tls-private-key-file={keys}/apiserver.key",
            f"--client-ca-file={keys}/ca.crt",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys}/service-accounts.pub",
            f"--service-account-signing-key-file={keys}/service-accounts.key",
            f"--audit-policy-file={_audit_policy(data)}",
            f"--audit-log-path={data}/logs/audit.log",
            f"--audit-log-maxsize={AUDIT_MAXIMUM_MB}",
        ],
        "kube-controller-manager": [
            str(located["kube-controller-manager"]),
            f"--kubeconfig={data}/controller-manager.kubeconfig",
            "--secure-port=0",
            "--leader-elect=false",
            "--use-service-account-credentials",
            f"--root-ca-file={keys}/ca.crt",
            f"--service-account-private-key-file={keys}/service-accounts.key",
            # A namespace with 10,000 homes goes away in seconds, not in the 8 minutes that the default of 20 requests a second takes.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            # Each round repeats an event for every claim that is still Pending, and with thousands of them little else.
            # Binding itself does not wait for a round.
            "--pvclaimbinder-sync-period=2m",
        ],
    }
