"""Process 1 of a node: prepares its mounts, starts its programs, and ends when one of them does.

Run by `lifecycle.py` under `unshare --mount --pid --fork --kill-child --mount-proc`, as a separate script, because it has
nothing of the caller's environment. Its instructions are in a JSON file (`lifecycle._plan`).

A node must leave nothing on the host. All mounts are in this namespace. Folders that kubelet, containerd and
network plugins have at fixed places are created only in it (`shadow`). Kernel settings that kubelet would change are
covered with plain files.
"""

from __future__ import annotations

import ctypes
import glob
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_SHARED = 1, 32, 4096, 16384, 1 << 20
#: The kernel settings of the machine that kubelet changes when it starts.
KERNEL_SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
IMPORTED_WITHIN = 30.0  # seconds from the start of containerd until it has the images; usually one
SNAPSHOTS = "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots"

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str | Path, kind: str | None = None, flags: int = 0) -> None:
    """mount(2). Raises OSError."""
    arguments = [value and os.fsencode(value) for value in (source, str(target), kind)]
    if _libc.mount(*arguments, ctypes.c_ulong(flags), None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def shadow(folder: str, hidden: list[str]) -> None:
    """Mount a tmpfs over a folder, with the same content except for the folders `hidden`, which are new and empty."""
    parent = os.open(folder, os.O_PATH)
    names = os.listdir(folder)
    mount("tmpfs", folder, "tmpfs")
    for name in hidden:
        os.mkdir(os.path.join(folder, name))
    for name in set(names) - set(hidden):
        # The parent's descriptor leads below the tmpfs.
        source, target = f"/proc/self/fd/{parent}/{name}", os.path.join(folder, name)
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
            continue
        if os.path.isdir(source):
            os.mkdir(target)
        elif os.path.exists(source):
            Path(target).touch()
        else:
            continue
        mount(source, target, flags=MS_BIND | MS_REC)
    os.close(parent)


def cover(setting: str) -> None:
    """Make writes to a kernel setting have no effect."""
    path = Path("/proc/sys") / setting
    if path.exists():
        plain = Path("/run/odhp-settings") / setting
        plain.parent.mkdir(parents=True, exist_ok=True)
        plain.write_text(path.read_text())
        mount(str(plain), path, flags=MS_BIND)


def prepare_mounts(folder: Path) -> None:
    """Return the node's view of the host. Volumes see later mounts of the host's folders only if they are created in here."""
    mount("none", "/", flags=MS_REC | MS_SHARED)
    shadow("/run", ["containerd", "netns"])
    shadow("/var/log", ["containers", "pods"])
    shadow("/var/lib", ["cni", "containerd", "kubelet"])
    for name in ("containerd", "kubelet"):
        (folder / name).mkdir()
        mount(str(folder / name), f"/var/lib/{name}", flags=MS_BIND)
    Path(os.environ["TMPDIR"]).mkdir()
    for setting in KERNEL_SETTINGS:
        cover(setting)


def import_images(plan: dict[str, Any], containerd: subprocess.Popen[bytes]) -> None:
    """Import the archive of images as soon as containerd answers, and mount the notebook image."""
    command = [plan["ctr"], "--namespace=k8s.io", "images", "import", plan["archive"]]
    deadline = time.monotonic() + IMPORTED_WITHIN
    while (answer := subprocess.run(command, capture_output=True, text=True)).returncode:
        if containerd.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"containerd did not import the images: {answer.stderr.strip()}")
        time.sleep(0.05)
    (placeholder,) = glob.glob(f"{SNAPSHOTS}/*/fs/{plan['placeholder']}")
    target = os.path.dirname(placeholder)
    mount(plan["image_root"], target, flags=MS_BIND)
    mount("none", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY)


def main() -> None:
    path = Path(sys.argv[1].partition("=")[2])
    plan = json.loads(path.read_text())
    os.environ.update(PATH=plan["path"], TMPDIR="/var/lib/containerd/tmp", HOME="/root")
    prepare_mounts(path.parent)
    running = {}

    def start(name: str) -> subprocess.Popen[bytes]:
        with open(Path(plan["logs"]) / f"{name}.log", "wb") as log:
            running[name] = subprocess.Popen(plan["commands"][name], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return running[name]

    containerd = start("containerd")
    start("kube-scheduler")
    import_images(plan, containerd)
    start("kubelet")
    print("started", flush=True)
    # Orphans of the namespace become children of this process.
    while True:
        ended, status = os.wait()
        for name, process in running.items():
            if process.pid == ended:
                raise SystemExit(f"{name} ended with {os.waitstatus_to_exitcode(status)}, which ended the node")


if __name__ == "__main__":
    main()
