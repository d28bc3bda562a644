"""Runs modules in forks of a process that has already imported them.

Imports take a module a second, its task milliseconds. Here imports happen once per test session. Each run still has its own
process, with its own environment, standard streams and exit code, and can be killed.

The server is `python -m tests.support.module_server SOCKET`. `fork` asks it for a process.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import IO, Any

from tests.support import run_module

_LONGEST_REQUEST = 1 << 20


class Forked:
    """A process that the server forked, with the part of subprocess.Popen's interface that the tests use."""

    def __init__(self, request: dict[str, Any], stdin: IO[bytes]) -> None:
        self._out, self._err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 - closed by communicate()
        self._status, status = os.pipe()
        files = [stdin.fileno(), self._out.fileno(), self._err.fileno(), status]
        socket.send_fds(_server(), [json.dumps(request).encode()], files)
        os.close(status)
        self.returncode: int | None = None
        self.pid = int(self._line())

    def _line(self) -> str:
        line = b""
        while not line.endswith(b"\n"):
            read = os.read(self._status, 1)
            assert read, "the server of modules has ended"
            line += read
        return line.decode()

    def kill(self) -> None:
        """kill -9, unless it has ended."""
        if self.returncode is None and not select.select([self._status], [], [], 0)[0]:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float) -> int:
        """The exit code, negative for a signal. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a module", timeout)
            self.returncode = int(self._line())
            os.close(self._status)
        return self.returncode

    def communicate(self, timeout: float = 120) -> tuple[bytes, bytes]:
        """Wait for the end; return what it wrote to standard output and standard error. Raises subprocess.TimeoutExpired."""
        self.wait(timeout)
        outputs = []
        for file in (self._out, self._err):
            with file:
                file.seek(0)
                outputs.append(file.read())
        return outputs[0], outputs[1]


def fork(name: str, how: dict[str, Any], environment: dict[str, str], stdin: IO[bytes]) -> Forked:
    """Run a module in a fork of the server. `how` is the JSON argument of run_module.py."""
    return Forked({"name": name, "how": how, "environment": environment, "cwd": os.getcwd()}, stdin)


def can_serve(environment: dict[str, str]) -> bool:
    """Return whether a fork equals a new interpreter in this environment. PYTHONPATH and the like change imports.

    Libraries of LD_PRELOAD are loaded when a program starts.
    """

    def of_python(variables: Any) -> dict[str, str]:
        return {name: value for name, value in variables.items() if name.startswith("PYTHON")}

    return of_python(environment) == of_python(os.environ) and "LD_PRELOAD" not in environment


@functools.cache
def _server() -> socket.socket:
    """Return the connection to the server, started at the first call. The server ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST_REQUEST)
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            cwd=run_module.ROOT,
        )
    return ours


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Serve requests until the client closes the connection, then return None. In a fork, return what to run there."""
    while True:
        message, files, _flags, _address = socket.recv_fds(requests, _LONGEST_REQUEST, 4)
        if not message:
            return None
        if not os.fork():
            # This process waits for the module, as only a parent gets the exit code.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            *streams, status = files
            child = os.fork()
            if not child:
                for number, file in enumerate(streams):
                    os.dup2(file, number)
                for file in files:
                    os.close(file)
                return dict(json.loads(message))
            os.write(status, f"{child}\n".encode())
            _pid, ended = os.waitpid(child, 0)
            os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
            os._exit(0)
        for file in files:
            os.close(file)


def _become(environment: dict[str, str], cwd: str) -> None:
    """Set in this process what an interpreter reads from its environment on start and on import."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    time.tzset()
    tempfile.tempdir = None
    # The only constant of the client that comes from the environment. Modules import it by name.
    constant = "KUBE_CONFIG_DEFAULT_LOCATION"
    for module in list(sys.modules.values()):
        if constant in vars(module):
            setattr(module, constant, environment.get("KUBECONFIG", "~/.kube/config"))


def main() -> None:
    for found in pkgutil.iter_modules(importlib.import_module(run_module.PACKAGE).__path__, f"{run_module.PACKAGE}."):
        importlib.import_module(found.name)
    importlib.import_module("kubernetes.dynamic")
    importlib.import_module("ansible_collections.kubernetes.core.plugins.module_utils.k8s.client")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    job = _serve(socket.socket(fileno=int(sys.argv[1])))
    if job:
        _become(job["environment"], job["cwd"])
        run_module.run(job["name"], job["how"])


if __name__ == "__main__":
    main()
