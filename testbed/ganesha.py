"""A real NFS server on loopback: NFS-Ganesha from the system's packages, in user space, NFSv4, on its own port. It needs
no kernel module, no rpcbind and no mount. The clients are those of libnfs (`nfs-ls`, `nfs-cat`, `nfs-cp`). It needs root,
because it opens files by handle. A caller that is not root needs sudo without a password.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from .paths import data_dir
from .progress import TestbedError

PROGRAM = "ganesha.nfsd"
CLIENTS = ("nfs-ls", "nfs-cat", "nfs-cp")
#: Recognises a server's module for local folders.
MODULES = ("/usr/lib/*/ganesha/libfsalvfs.so", "/usr/lib64/ganesha/libfsalvfs.so")
READY_WITHIN = 20.0  # seconds; usually 0.1, on a loaded machine one or two
TRIES = 3

_CONFIGURATION = """\
# The clients' port is no privileged one, and nobody but this machine can reach the server.
NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = {port}; Bind_addr = 127.0.0.1; Enable_NLM = false; Enable_RQUOTA = false; }}
NFS_KRB5 {{ Active_krb5 = false; }}
NFSV4 {{ Graceless = true; RecoveryBackend = fs; RecoveryRoot = "{recovery}"; Only_Numeric_Owners = true; }}
EXPORT_DEFAULTS {{ SecType = sys; Protocols = 4; Transports = TCP; }}
"""
#: The server caches names and attributes of what it exports. With 0 it sees at once what is changed beside it.
_EXPORT = """\
EXPORT {{ Export_Id = {number}; Path = "{path}"; Pseudo = "{pseudo}"; Access_Type = {access}; Squash = {squash};
  Attr_Expiration_Time = 0;
  FSAL {{ Name = VFS; }} }}
"""


@dataclass(frozen=True)
class Export:
    """A local folder and its path for clients. `access` is RW or RO."""

    path: str
    pseudo: str
    access: str = "RW"
    squash: str = "no_root_squash"


@dataclass(frozen=True)
class Server:
    """A running server, and the addresses of its exports."""

    data: Path
    port: int
    exports: tuple[Export, ...]

    def url(self, path: str, uid: int | None = None, gid: int | None = None) -> str:
        """Return the address of a file or folder for libnfs, as a user (by default the caller)."""
        who = "".join(f"&{key}={value}" for key, value in (("uid", uid), ("gid", gid)) if value is not None)
        return f"nfs://127.0.0.1{path}?version=4&nfsport={self.port}{who}"


def nfs_dir() -> Path:
    """Return the folder of this testbed's NFS server. It is next to the testbed's data, which may not exist yet."""
    return data_dir().with_name(f"{data_dir().name}-nfs")


def up(exports: Sequence[Export], data: Path | None = None) -> Server:
    """Start a server with these exports, unless it runs with them already. A server with other exports is replaced.
    Raises TestbedError with what is missing, or the end of the log.
    """
    data = data or nfs_dir()
    programs()
    sudo()
    for export in exports:
        _check(export)
    with _locked(data):
        running = status(data)
        if running is not None and running.exports == tuple(exports):
            return running
        _stop(data)
        for attempt in range(TRIES):
            server = Server(data, _free_port(), tuple(exports))
            _write(server)
            if _start(server) or attempt == TRIES - 1:
                break
        else:
            raise AssertionError
        if status(data) is None:
            raise TestbedError(f"NFS-Ganesha did not start; the end of its log:\n{tail(data)}")
        return server


def down(data: Path | None = None) -> bool:
    """Stop the server; return whether it ran."""
    data = data or nfs_dir()
    if not data.exists():
        return False
    with _locked(data):
        return _stop(data)


def status(data: Path | None = None) -> Server | None:
    """Return the running server in `data`, or None."""
    data = data or nfs_dir()
    try:
        state = json.loads((data / "state.json").read_text())
        server = Server(data, state["port"], tuple(Export(**export) for export in state["exports"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return server if _find(data) else None


def programs() -> dict[str, str]:
    """Return the paths of the server and its clients. Raises TestbedError with what to install."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    found = {name: shutil.which(name, path=path) for name in (PROGRAM, *CLIENTS)}
    missing = {name for name, place in found.items() if place is None}
    packages = []
    if PROGRAM in missing:
        packages.append("nfs-ganesha")
    if not any(list(Path("/").glob(pattern[1:])) for pattern in MODULES):
        packages.append("nfs-ganesha-vfs")
    if missing - {PROGRAM}:
        packages.append("libnfs-utils")
    if packages:
        raise TestbedError(
            f"NFS-Ganesha or its clients are not installed here: install {' '.join(packages)} (bin/system-packages does so "
            "on Debian and Ubuntu)"
        )
    return {name: place for name, place in found.items() if place is not None}


def sudo() -> list[str]:
    """Return the prefix of a command that needs root. Raises TestbedError if root is not available."""
    if os.geteuid() == 0:
        return []
    with contextlib.suppress(OSError):
        if subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
            return ["sudo", "-n"]
    raise TestbedError(
        "NFS-Ganesha needs root, because it opens files by handle: run this as root, or allow sudo without a password"
    )


def has_handles(folder: Path) -> bool:
    """Return whether files in a folder have handles, which an export needs. Overlay file systems of containers have none."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = (ctypes.c_uint * 34)(128)
    mount = ctypes.c_int()
    return libc.name_to_handle_at(-100, os.fsencode(folder), ctypes.byref(handle), ctypes.byref(mount), 0) == 0


def tail(data: Path, lines: int = 15) -> str:
    """Return the end of the server's log, without the warnings that it always has."""
    try:
        text = (data / "ganesha.log").read_text(errors="replace")
    except OSError:
        return "  (no log)"
    log = [line for line in text.splitlines() if ":DBUS :" not in line and ":NFS CB :" not in line]
    return "\n".join(f"  {line[:400]}" for line in log[-lines:]) or "  (the log is empty)"


def _check(export: Export) -> None:
    if any(character in f"{export.path}{export.pseudo}" for character in '"\n'):
        raise TestbedError(
            f"the export {export.path!r} has a character in its path that the configuration does not support"
        )
    if not Path(export.path).is_dir():
        raise TestbedError(f"the export {export.path} is not a folder: create it first")
    if not has_handles(Path(export.path)):
        raise TestbedError(
            f"{export.path} is on a file system without file handles (overlayfs?), which cannot be exported: use a folder on "
            "ext4, xfs or tmpfs, such as /dev/shm"
        )


def _write(server: Server) -> None:
    data = server.data
    (data / "recovery").mkdir(parents=True, exist_ok=True)
    text = _CONFIGURATION.format(port=server.port, recovery=data / "recovery")
    for number, export in enumerate(server.exports, 1):
        text += _EXPORT.format(number=number, **asdict(export))
    (data / "ganesha.conf").write_text(text)
    with contextlib.suppress(FileNotFoundError):
        os.replace(data / "ganesha.log", data / "ganesha.log.old")
    state = {"port": server.port, "exports": [asdict(export) for export in server.exports]}
    (data / "state.json").write_text(json.dumps(state, indent=2) + "\n")


def _start(server: Server) -> bool:
    """Start it and wait until it answers. Return False if it ended instead, for example because the port was taken."""
    found = programs()
    files = ["-f", str(server.data / "ganesha.conf"), "-L", str(server.data / "ganesha.log")]
    command = [*sudo(), found[PROGRAM], "-F", *files, "-p", str(server.data / "ganesha.pid"), "-N", "NIV_EVENT"]
    child = subprocess.Popen(
        command,
        cwd=server.data,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + READY_WITHIN
    ask = [found["nfs-ls"], server.url(server.exports[0].pseudo)]
    while child.poll() is None and time.monotonic() < deadline:
        if subprocess.run(ask, capture_output=True, timeout=READY_WITHIN).returncode == 0:
            child.returncode = 0  # not waited for here, and Popen's destructor must not warn about it
            return True
        time.sleep(0.05)
    _stop(server.data)
    child.wait()
    return False


def _find(data: Path) -> list[psutil.Process]:
    """Return the server's processes by its command line. This includes sudo, which waits for it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            ours = str(data / "ganesha.conf") in command and any(Path(word).name == PROGRAM for word in command[:3])
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _stop(data: Path) -> bool:
    found = _find(data)
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = _find(data)
        if left:
            kill = [*sudo(), "kill", f"-{int(number)}", *(str(process.pid) for process in left)]
            subprocess.run(kill, capture_output=True)
            psutil.wait_procs(left, timeout=5.0)
    return bool(found)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def _locked(data: Path) -> Iterator[None]:
    """One `up` or `down` at a time."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(data / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
