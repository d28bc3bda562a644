"""`share_directory` and a real NFS server that exports its folder: clients see what it created."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from testbed import ganesha
from testbed.progress import TestbedError
from tests.support.directories import Directories, attributes, run_as_root, snapshot
from tests.support.nfs import *  # noqa: F403
from tests.support.nfs import Export, Nfs, NfsError, Server

TEAM = 5000
SHARES = [
    {
        "name": "shared-data",
        "gid": TEAM,
        "directories": ["cases", "tests/old"],
        "backend": {"type": "nfs", "server": "127.0.0.1", "path": "/exports/shared-data"},
    },
    {
        "name": "notes",
        "owner": 1000,
        "mode": "0755",
        "backend": {"type": "nfs", "server": "127.0.0.1", "path": "/exports/teams/notes"},
    },
]


if os.geteuid() != 0:

    @pytest.fixture(autouse=True)
    def _as_root_only(request: pytest.FixtureRequest) -> None:
        if request.function is not test_all_of_this_as_root:
            pytest.skip("runs as root in test_all_of_this_as_root")

    def test_all_of_this_as_root() -> None:
        """Where tests are not run by root, root comes with sudo; without it, this fails and says so."""
        ganesha.programs()
        run_as_root(__file__, ganesha.sudo())


@pytest.fixture
def server(nfs: Nfs) -> Server:
    """The folder, for who writes and for who only reads; and with root squashed."""
    folder = str(nfs.folder)
    return nfs(
        Export(folder, "/exports"),
        Export(folder, "/ro/exports", "RO"),
        Export(folder, "/squashed", "RW", "root_squash"),
    )


@pytest.fixture
def directories(nfs: Nfs) -> Directories:
    return Directories(nfs.folder)


def manage(directories: Directories, **options):
    return directories.ok(SHARES, export="/exports", mounted=False, **options)


def test_created_directories_are_what_clients_see(server, directories) -> None:
    assert server.ls("/exports") == {}
    assert manage(directories, check=True).changed is True
    assert server.ls("/exports") == {}
    assert manage(directories).changed is True
    for where in ("/exports", "/ro/exports"):
        seen = server.ls(where)
        assert set(seen) == {"shared-data", "teams"}
        assert (seen["shared-data"].mode, seen["shared-data"].uid, seen["shared-data"].gid) == ("drwxrwx---", 0, TEAM)
        assert (seen["teams"].mode, seen["teams"].uid) == ("drwxr-xr-x", 0)
        notes = server.ls(f"{where}/teams")["notes"]
        assert (notes.mode, notes.uid) == ("drwxr-xr-x", 1000)
        inside = server.ls(f"{where}/shared-data")
        assert {(name, entry.mode, entry.gid) for name, entry in inside.items()} == {
            ("cases", "drwxrwx---", TEAM),
            ("tests", "drwxrwx---", TEAM),
        }
        assert set(server.ls(f"{where}/shared-data/tests", uid=1234, gid=TEAM)) == {"old"}


def test_a_file_put_in_through_one_export_is_read_through_the_read_only_one(server, directories) -> None:
    manage(directories)
    server.put("/exports/shared-data/cases/data.csv", b"a,b\n1,2\n", uid=1000, gid=TEAM)
    assert server.get("/ro/exports/shared-data/cases/data.csv", uid=1001, gid=TEAM) == b"a,b\n1,2\n"
    # Its group is the share's, whoever put it in.
    server.put("/exports/shared-data/root", b"", uid=0, gid=0)
    assert server.ls("/ro/exports/shared-data")["root"].gid == TEAM


@pytest.mark.parametrize("uid", [0, 1000])
def test_writing_through_the_read_only_export_fails_as_read_only(server, directories, uid) -> None:
    manage(directories)
    server.put("/exports/shared-data/cases/data.csv", b"1", uid=1000, gid=TEAM)
    before = snapshot(directories.root)
    for name in ("new", "data.csv"):
        with pytest.raises(NfsError, match="NFS4ERR_ROFS"):
            server.put(f"/ro/exports/shared-data/cases/{name}", b"2", uid=uid, gid=TEAM)
    assert snapshot(directories.root) == before
    assert server.get("/ro/exports/shared-data/cases/data.csv", uid=1000, gid=TEAM) == b"1"


def test_the_modes_deny_others(server, directories) -> None:
    manage(directories)
    server.put("/exports/shared-data/data.csv", b"1", uid=1000, gid=TEAM)
    for where in ("/exports", "/ro/exports"):
        with pytest.raises(NfsError, match="NFS4ERR_ACCESS"):
            server.get(f"{where}/shared-data/data.csv", uid=1001, gid=1001)
    with pytest.raises(NfsError, match="NFS4ERR_ACCESS"):
        server.put("/exports/shared-data/other", b"2", uid=1001, gid=1001)
    with pytest.raises(NfsError, match="NFS4ERR_ACCESS"):
        server.put("/squashed/shared-data/other", b"2", uid=0, gid=0)


def test_what_people_put_in_is_left_alone(server, directories) -> None:
    manage(directories)
    server.put("/exports/shared-data/data.csv", b"1", uid=1000, gid=TEAM)
    before = snapshot(directories.root)
    assert manage(directories).changed is False
    assert snapshot(directories.root) == before
    message = directories.refused([{**SHARES[0], "gid": TEAM + 1, "directories": []}], export="/exports", mounted=False)
    assert "has content ('cases', 'data.csv', 'tests')" in message
    adopted = directories.ok(
        [{**SHARES[0], "gid": TEAM + 1, "directories": []}], export="/exports", mounted=False, adopt=True
    )
    assert adopted.actions() == {f"{directories.root}/shared-data": "adopt"}
    assert attributes(directories.root)["shared-data"] == f"2770 0:{TEAM + 1}"
    assert attributes(directories.root)["shared-data/cases"] == f"2770 0:{TEAM}"
    assert server.ls("/exports/shared-data")["data.csv"].gid == TEAM


# --- the server itself ---


def test_nothing_but_loopback_reaches_it(server) -> None:
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == server.port
    }
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert listening


def test_missing_prerequisites_are_reported_in_a_sentence(monkeypatch) -> None:
    monkeypatch.setattr(ganesha.shutil, "which", lambda *_words, **_more: None)
    monkeypatch.setattr(ganesha, "MODULES", ("/nowhere/*.so",))
    with pytest.raises(TestbedError, match=r"install nfs-ganesha nfs-ganesha-vfs libnfs-utils \(bin/system-packages"):
        ganesha.up([])


def test_without_root_the_error_is_one_sentence(monkeypatch) -> None:
    monkeypatch.setattr(ganesha.os, "geteuid", lambda: 54321)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TestbedError, match="needs root, because it opens files by handle: run this as root"):
        ganesha.sudo()


def test_the_testbeds_command_line(nfs: Nfs, tmp_path) -> None:
    environment = os.environ | {"ODHP_TESTBED_DATA": str(nfs.folder / "data")}

    def testbed(*words: str, code: int = 0) -> str:
        answer = subprocess.run(
            [sys.executable, "-m", "testbed", "nfs", *words],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
        )
        assert answer.returncode == code, answer.stdout + answer.stderr
        return answer.stdout + answer.stderr

    assert "not running" in testbed("status", code=1)
    try:
        folder = nfs.folder / "exports"
        folder.mkdir()
        (folder / "file").write_text("text")
        assert "nfs://127.0.0.1/exports?version=4&nfsport=" in testbed("up", str(folder))
        running = testbed("status")
        assert testbed("up", str(folder)).splitlines()[-2:] == running.splitlines()[-2:]
        url = running.split()[1].replace("/exports?", "/exports/file?")
        assert subprocess.run(["nfs-cat", url], capture_output=True, text=True).stdout == "text"
    finally:
        testbed("down")
    assert "not running" in testbed("status", code=1)
    assert "was not running" in testbed("down")
