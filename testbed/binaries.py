"""The testbed's programs: compiled from the pinned Go modules in `go/`, kept in the per-user cache by their pins.

A second checkout with the same pins compiles nothing. A process that compiles holds a lock, builds in a temporary folder
and renames each program into place, so every program in the cache is complete.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from . import golang, locks
from .paths import GO_MODULES, cache_dir
from .progress import Heartbeat, TestbedError, minutes, say


@dataclass(frozen=True)
class Module:
    """One of our Go modules: the programs that it builds, and the expected duration for messages."""

    name: str
    pinned: str
    packages: dict[str, str]
    expect: str

    @property
    def folder(self) -> Path:
        return GO_MODULES / self.name

    @property
    def version(self) -> str:
        """Return the version of the pinned module, with its `v`."""
        found = re.search(
            rf"^\s*(?:require )?{re.escape(self.pinned)} (v\S+)", (self.folder / "go.mod").read_text(), re.M
        )
        assert found, f"{self.pinned} is not in {self.folder}/go.mod"
        return found[1]

    @property
    def ldflags(self) -> str:
        if self.name != "kubernetes":
            return "-s -w"
        # Without it the server reports v0.0.0-master, which clients reject.
        major, minor, _ = self.version[1:].split(".", 2)
        values = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        return " ".join(["-s -w", *(f"-X {p}.{key}={value}" for p in packages for key, value in values.items())])

    @property
    def cache(self) -> Path:
        """Return the folder of its programs. Its name depends on everything that determines the build."""
        sources = sorted(self.folder.rglob("*.go"))
        pins = [file.read_bytes() for file in (self.folder / "go.mod", self.folder / "go.sum", *sources)]
        target = f"{platform.system()}/{platform.machine()}"
        key = hashlib.sha256(b"\0".join([*pins, self.ldflags.encode(), target.encode()])).hexdigest()[:12]
        return cache_dir() / "testbed" / f"{self.name}-{self.version}-{key}"


_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CNI = "github.com/containernetworking/plugins/plugins"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
#: What a node needs in addition to the control plane (testbed/node).
NODE = (
    "kube-scheduler",
    "kubelet",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "bridge",
    "host-local",
    "loopback",
    "pause",
)
MODULES = (
    Module(
        "etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}, "about a minute on two idle cores"
    ),
    Module(
        "kubernetes",
        "k8s.io/kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kubectl", "kube-scheduler", "kubelet")
        },
        "about ten minutes on two idle cores for the API server, two for the rest",
    ),
    Module(
        "containerd",
        "github.com/containerd/containerd/v2",
        {
            "containerd": f"{_CONTAINERD}/containerd",
            "containerd-shim-runc-v2": f"{_CONTAINERD}/containerd-shim-runc-v2",
            "ctr": f"{_CONTAINERD}/ctr",
            "bridge": f"{_CNI}/main/bridge",
            "loopback": f"{_CNI}/main/loopback",
            "host-local": f"{_CNI}/ipam/host-local",
            "pause": "./pause",
        },
        "about two minutes on two idle cores",
    ),
)
PROGRAMS = [program for module in MODULES for program in module.packages]


def locate() -> dict[str, Path]:
    """Return the path of each program by its name, whether it is built or not.

    `KUBEBUILDER_ASSETS`, the folder that other projects' test tools take etcd and kube-apiserver from, is honoured for
    these two.
    """
    assets = Path(os.environ["KUBEBUILDER_ASSETS"]).absolute() if os.environ.get("KUBEBUILDER_ASSETS") else None
    found: dict[str, Path] = {}
    for module in MODULES:
        folder = module.cache
        for program in module.packages:
            if assets and program in ("etcd", "kube-apiserver") and os.access(assets / program, os.X_OK):
                found[program] = assets / program
            else:
                found[program] = folder / program
    return found


def ensure(programs: Iterable[str] = CONTROL_PLANE) -> dict[str, Path]:
    """Compile missing `programs` and return the path of each. Raises TestbedError with the compiler's output."""
    located = {program: path for program, path in locate().items() if program in set(programs)}
    for module in MODULES:
        missing = [p for p in module.packages if p in located and not located[p].exists()]
        if missing:
            _build(module, missing)
    return located


def _build(module: Module, programs: list[str]) -> None:
    target = module.cache
    target.mkdir(parents=True, exist_ok=True)
    with open(target / ".lock", "w") as lock:
        locks.acquire(lock, f"compiles {module.name} {module.version}", module.expect)
        programs = [program for program in programs if not (target / program).exists()]
        if not programs:
            return
        for leftover in target.glob(".building*"):
            shutil.rmtree(leftover, ignore_errors=True)
        temporary = target / f".building-{os.getpid()}"
        temporary.mkdir()
        go = golang.find_or_install()
        say(f"compiling {', '.join(programs)} {module.version}, once for this user; expect {module.expect}")
        # With -o FOLDER/ Go names a program after its package, "v3" for etcd. A single program gets its name here.
        output = str(temporary / programs[0]) if len(programs) == 1 else f"{temporary}/"
        command = [go, "build", "-v", "-trimpath", "-ldflags", module.ldflags, "-o", output]
        command += [module.packages[program] for program in programs]
        seconds = _run(command, module, lock)
        for program in programs:
            os.replace(temporary / program, target / program)
        temporary.rmdir()
        say(f"compiled {', '.join(programs)} in {minutes(seconds)}, kept in {target}")


def _run(command: list[str], module: Module, lock: IO[str]) -> float:
    """Run the compiler and report its progress. Return the seconds that it took."""
    # The compiler inherits the lock: if this process is killed, the next one waits instead of compiling at the same time.
    process = subprocess.Popen(
        command,
        cwd=module.folder,
        env=golang.environment(),
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[lock.fileno()],
    )
    counts = {"modules downloaded": 0, "packages compiled": 0}
    complaints: deque[str] = deque(maxlen=25)

    def read() -> None:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("go: downloading"):
                counts["modules downloaded"] += 1
            elif " " not in line.strip():
                counts["packages compiled"] += 1
            else:
                complaints.append(line.rstrip())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    heartbeat = Heartbeat()
    try:
        while not _ended(process, within=0.5):
            progress = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "linking"
            heartbeat.beat(f"compiling {module.name}: {progress}, {{elapsed}} so far; expect {module.expect}")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        heartbeat.done()
    reader.join(5)
    if process.returncode:
        raise TestbedError(f"compiling {module.name} {module.version} failed:\n" + "\n".join(complaints))
    return time.monotonic() - heartbeat.began


def _ended(process: subprocess.Popen[str], within: float) -> bool:
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True
