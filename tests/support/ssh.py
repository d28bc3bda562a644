"""A real SSH server on loopback for tests, with keys of its own. `from tests.support.ssh import *` in a test file.

def test_it(ssh_server):
    subprocess.run(["ssh", *ssh_server.arguments, ssh_server.login, "true"], check=True)

`ssh_server.broken(count)` returns arguments with which each connection breaks after so many bytes to the server.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["SshServer", "ssh_server"]

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") or "/usr/sbin/sshd"
READY_WITHIN = 20.0
_CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/client.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
"""
#: Passes a connection on and ends after so many bytes to the server.
_RELAY = """\
import os, socket, sys, threading
server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
left = int(sys.argv[3])
def answers():
    while data := server.recv(65536):
        os.write(1, data)
    os._exit(0)
threading.Thread(target=answers, daemon=True).start()
while left > 0 and (data := os.read(0, min(left, 65536))):
    server.sendall(data)
    left -= len(data)
os._exit(1)
"""


class SshServer:
    """A running server. `arguments` are those of a client, for `login`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("host", "client"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.login = f"{getpass.getuser()}@127.0.0.1"
        (folder / "config").write_text(_CONFIGURATION.format(port=self.port, folder=folder))
        (folder / "relay.py").write_text(_RELAY)
        host_key = (folder / "host.pub").read_text()
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {host_key}")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with open(folder / "log", "wb") as log:
            self._process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "config")], stderr=log)
        self._wait()

    @property
    def arguments(self) -> list[str]:
        known = ["-o", f"UserKnownHostsFile={self.folder}/known", "-o", "StrictHostKeyChecking=yes"]
        return ["-F", "none", "-i", str(self.folder / "client"), "-p", str(self.port), *known]

    def broken(self, count: int) -> list[str]:
        relay = f"{sys.executable} {self.folder}/relay.py %h %p {count}"
        return [*self.arguments, "-o", f"ProxyCommand={relay}"]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        pytest.fail(f"no SSH server: {(self.folder / 'log').read_text()}", pytrace=False)


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[SshServer]:
    """A server for all tests; see the docstring of this file."""
    with tempfile.TemporaryDirectory(prefix="odhp-ssh-") as folder:
        server = SshServer(Path(folder))
        yield server
        server.stop()
