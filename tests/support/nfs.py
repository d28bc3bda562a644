"""A real NFS server for tests, and its clients, which mount nothing. `from tests.support.nfs import *` in a test file.

def test_it(nfs):
    server = nfs(Export(str(nfs.folder), "/exports"), Export(str(nfs.folder), "/ro/exports", "RO"))
    server.put("/exports/file", b"text")
    assert server.get("/ro/exports/file") == b"text"
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed import ganesha
from testbed.ganesha import Export
from testbed.progress import TestbedError

__all__ = ["Export", "Nfs", "NfsError", "nfs"]


class NfsError(Exception):
    """A client failed. The text has the server's error, such as NFS4ERR_ROFS."""


@dataclass(frozen=True)
class Entry:
    """A line of nfs-ls, which does not show setuid, setgid and sticky bits."""

    mode: str
    uid: int
    gid: int
    size: int


class Server:
    """A running server as its clients see it. Each request names its user, by default the caller."""

    def __init__(self, server: ganesha.Server) -> None:
        self.port = server.port
        self._url = server.url

    def address(self, path: str) -> str:
        """Return the address of a folder for libnfs."""
        return self._url(path)

    def get(self, path: str, uid: int | None = None, gid: int | None = None) -> bytes:
        """Return the content of a file. Raises NfsError."""
        return self._run("nfs-cat", self._url(path, uid, gid))

    def put(self, path: str, content: bytes, uid: int | None = None, gid: int | None = None) -> None:
        """Write a file. Raises NfsError."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            self._run("nfs-cp", file.name, self._url(path, uid, gid))

    def ls(self, path: str, uid: int | None = None, gid: int | None = None) -> dict[str, Entry]:
        """List a folder. Raises NfsError."""
        lines = self._run("nfs-ls", self._url(path, uid, gid)).decode().splitlines()
        found = {}
        for line in lines:
            match = re.match(r"(\S{10}) +\d+ +(\d+) +(\d+) +(\d+) (.+)\Z", line)
            assert match, line
            found[match[5]] = Entry(match[1], int(match[2]), int(match[3]), int(match[4]))
        return found

    def _run(self, *command: str) -> bytes:
        answer = subprocess.run(command, capture_output=True, timeout=60)
        said = answer.stderr.decode()
        if answer.returncode or "NFS4ERR" in said or "failed" in said.lower():
            raise NfsError(said.strip() or f"{command[0]} ended with {answer.returncode}")
        return answer.stdout


class Nfs:
    """Starts servers for one test. `folder` can be exported, and every user may enter it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="odhp-nfs-")))
        if not ganesha.has_handles(self.folder):
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="odhp-nfs-", dir="/dev/shm")))
        self.folder.chmod(0o755)

    def __call__(self, *exports: Export) -> Server:
        """Start a server with these exports until the test ends. Fails the test if something is missing."""
        data = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="odhp-ganesha-")))
        self._stack.callback(ganesha.down, data)
        try:
            return Server(ganesha.up(exports, data))
        except TestbedError as error:
            pytest.fail(str(error), pytrace=False)


@pytest.fixture
def nfs() -> Iterator[Nfs]:
    """Starts NFS servers; see the docstring of this file."""
    with ExitStack() as stack:
        yield Nfs(stack)
