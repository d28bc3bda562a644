"""Releases are sent to a file server with the real rsync over a real SSH server, interrupted and resumed."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import Result, Running
from tests.support.nfs import *  # noqa: F403
from tests.support.nfs import Export, Nfs, NfsError
from tests.support.software_tree import *  # noqa: F403
from tests.support.software_tree import Killed, PhaseEnded, SoftwareTree
from tests.support.ssh import *  # noqa: F403
from tests.support.ssh import SshServer


class Synced:
    """A tree here, and one on the other side of an SSH connection."""

    def __init__(self, near: SoftwareTree, far: SoftwareTree, server: SshServer) -> None:
        self.near, self.far, self.server = near, far, server
        self.target = f"{server.login}:{far.path}"

    def options(self, **more: Any) -> dict[str, Any]:
        return {"target": self.target, "ssh_args": self.server.arguments, **more}

    def phase(self, **more: Any) -> Any:
        return self.near.run("sync", **self.options(**more))

    def run(self, check: bool = False, **more: Any) -> Result:
        given = {"prefix": str(self.near.prefix), **self.options(**more)}
        return Running("lmod_sync", given, dict(os.environ), check, True).wait()

    def ok(self, **more: Any) -> Result:
        result = self.run(**more)
        assert not result.failed, result.output.get("msg")
        return result

    def refused(self, **more: Any) -> str:
        result = self.run(**more)
        assert result.failed, result.output
        assert result.output["changed"] is False
        return str(result.output["msg"])

    def staged(self) -> list[str]:
        folder = self.far.path / "locks" / "sync"
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    def differences(self) -> str:
        """What rsync itself finds different between store and releases of the two trees."""
        command = ["rsync", "-rlptHcn", "--itemize-changes", "--exclude=.journal", "--omit-dir-times"]
        found = ""
        for name in ("store", "releases"):
            done = subprocess.run(
                [*command, f"{self.near.path}/{name}/", f"{self.far.path}/{name}/"], capture_output=True, text=True
            )
            found += done.stdout + done.stderr
        return found


@pytest.fixture
def synced(tmp_path: Path, ssh_server: SshServer) -> Synced:
    near = SoftwareTree(tmp_path / "apps")
    return Synced(near, SoftwareTree(near.prefix, tmp_path / "exports"), ssh_server)


def actions(result: Result) -> list[tuple[str, str, str]]:
    return [(change["action"], change["kind"], change["name"]) for change in result.changes]


def noise(size: int) -> str:
    return random.Random(1).randbytes(size // 2).hex()


def test_only_what_is_missing_is_sent_and_the_link_last(synced: Synced) -> None:
    synced.near.add("zlib/1.3", files_of={"lib/a b'c": "x"})
    first = synced.near.publish("zlib/1.3")
    shown = synced.run(check=True)
    assert actions(shown) == [
        ("create", "entry", "zlib/1.3"),
        ("create", "release", first),
        ("update", "link", "current"),
    ]
    assert not (synced.far.path / "current").exists()
    assert synced.staged() == []
    made = synced.ok()
    assert made.changes == shown.changes
    assert made.output["diff"] == shown.output["diff"]
    assert made.release == first
    assert synced.far.current == first
    synced.far.assert_whole()
    assert synced.differences() == ""
    synced.near.add("tool/1.0", needs=("zlib/1.3",))
    second = synced.near.publish("zlib/1.3", "tool/1.0")
    made = synced.ok()
    assert actions(made) == [
        ("create", "entry", "tool/1.0"),
        ("create", "release", second),
        ("update", "link", "current"),
    ]
    again = synced.ok()
    assert not again.changed
    assert again.changes == []
    assert synced.differences() == ""
    assert not (synced.far.path / "locks" / "sync").exists()


def test_a_rollback_renames_the_link_alone(synced: Synced) -> None:
    synced.near.add("tool/1.0")
    first, second = synced.near.publish("tool/1.0"), synced.near.publish("tool/1.0")
    synced.ok()
    synced.ok(release=first)
    assert synced.far.current == first
    assert actions(synced.ok()) == [("update", "link", "current")]
    assert synced.far.current == second
    assert [line["release"] for line in synced.far.observe()["journal"]] == [second, first, second]


def test_a_connection_that_breaks_leaves_current_alone_and_what_was_sent_is_not_sent_again(synced: Synced) -> None:
    synced.near.add("tool/1.0")
    first = synced.near.publish("tool/1.0")
    synced.ok()
    synced.near.add("tool/2.0", files_of={f"lib/{number}": noise(1 << 20) for number in range(8)})
    second = synced.near.publish("tool/1.0", "tool/2.0")
    broken = synced.run(ssh_args=synced.server.broken(4 << 20))
    assert broken.failed
    assert broken.failed_items[0]["retryable"]
    assert synced.far.current == first
    synced.far.assert_whole()
    assert list((synced.far.path / "store" / "tool").iterdir()) == [
        synced.far.path / "store" / synced.near.entries["tool/1.0"]["path"]
    ]
    staged = synced.far.path / "locks" / "sync" / "store" / synced.near.entries["tool/2.0"]["path"]
    sent = {path.name: path.stat().st_ino for path in (staged / "lib").iterdir() if path.stat().st_size == 1 << 20}
    assert 1 <= len(sent) < 8
    synced.ok()
    assert synced.far.current == second
    synced.far.assert_whole()
    assert synced.differences() == ""
    installed = synced.far.path / "store" / synced.near.entries["tool/2.0"]["path"] / "lib"
    assert {name: (installed / name).stat().st_ino for name in sent} == sent


@pytest.mark.parametrize("start", [3, 5])
def test_a_run_that_is_killed_leaves_a_whole_tree(synced: Synced, start: int) -> None:
    synced.near.add("tool/1.0")
    first = synced.near.publish("tool/1.0")
    synced.phase()
    synced.near.add("tool/2.0")
    second = synced.near.publish("tool/1.0", "tool/2.0")
    for number in itertools.count(start, 4):
        try:
            synced.near.run("sync", kill_at=number, **synced.options())
        except Killed:
            assert synced.far.current in (first, second)
            synced.far.assert_whole()
        else:
            break
    assert number > start + 4
    assert synced.far.current == second
    assert synced.differences() == ""


def test_servers_of_the_file_server_see_the_release_at_once_and_cannot_write(
    nfs: Nfs, tmp_path: Path, ssh_server: SshServer
) -> None:
    near = SoftwareTree(tmp_path / "apps")
    synced = Synced(near, SoftwareTree(near.prefix, nfs.folder / "exports"), ssh_server)
    exported = nfs(Export(str(synced.far.path), "/apps", "RO", "all_squash"))
    for version in ("1.0", "2.0"):
        near.add(f"tool/{version}")
        release = near.publish(*near.entries)
        synced.phase()
        assert json.loads(exported.get("/apps/current/manifest.json", uid=1000))["id"] == release
        modulefile = exported.get(f"/apps/current/modules/all/tool/{version}.lua", uid=1000)
        assert modulefile == Path(near.tree.current, f"modules/all/tool/{version}.lua").read_bytes()
        script = exported.get(f"/apps/store/{near.entries[f'tool/{version}']['path']}/bin/tool", uid=1000)
        assert script == f"#!/bin/sh\necho tool/{version}\n".encode()
    with pytest.raises(NfsError, match="ROFS"):
        exported.put("/apps/current/modules/all/tool/9.lua", b"x", uid=0)


def test_an_incomplete_installation_of_the_other_side_is_replaced(synced: Synced) -> None:
    synced.near.add("tool/1.0")
    synced.near.publish("tool/1.0")
    half = synced.far.path / "store" / synced.near.entries["tool/1.0"]["path"]
    half.mkdir(parents=True)
    (half / "rest").write_text("of a build that was interrupted")
    half.chmod(0o555)
    synced.phase()
    synced.far.assert_whole()


def test_another_build_of_the_same_entry_is_rejected(synced: Synced) -> None:
    synced.near.add("tool/1.0")
    synced.near.publish("tool/1.0")
    synced.phase()
    entry = Path(synced.far.volume.entry_file(synced.near.entries["tool/1.0"]["path"]))
    entry.chmod(0o644)
    entry.write_text(entry.read_text() + " ")
    assert "is another build than the one here" in synced.refused()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "nas"}, "target 'nas' is not a directory of another host: write [USER@]HOST:/PATH"),
        ({"target": "-oProxyCommand=x:/a"}, "is not a directory of another host"),
        ({"target": "nas:/a b"}, "is not a directory of another host"),
        ({"target": "nas:/a;reboot"}, "is not a directory of another host"),
        ({"release": "../x"}, "'../x' is not a release"),
        ({"release": "20200101T000000Z-00000000"}, "release 20200101T000000Z-00000000 does not exist"),
        ({"prefix": "/no/such"}, "path: the directory /no/such does not exist"),
    ],
    ids=str,
)
def test_bad_input_is_one_sentence_each(synced: Synced, options: dict[str, Any], message: str) -> None:
    synced.near.add("tool/1.0")
    synced.near.publish("tool/1.0")
    refused = synced.refused(**options)
    assert message in refused, refused


def test_what_is_no_tree_on_the_other_side_is_rejected(synced: Synced, tmp_path: Path) -> None:
    synced.near.add("tool/1.0")
    with pytest.raises(PhaseEnded, match="has no current release: publish one first"):
        synced.phase()
    synced.near.publish("tool/1.0")
    with pytest.raises(PhaseEnded, match="does not exist: create it, or correct the path"):
        synced.phase(target=f"{synced.server.login}:{tmp_path}/no")
    with pytest.raises(
        PhaseEnded, match=r"is not a software tree \(no store, releases, locks\): create it with lmod_tree"
    ):
        synced.phase(target=f"{synced.server.login}:{tmp_path}")


def test_a_login_that_does_not_work_is_one_sentence(synced: Synced) -> None:
    synced.near.add("tool/1.0")
    synced.near.publish("tool/1.0")
    wrong = [argument for argument in synced.server.arguments if not argument.endswith("client")]
    wrong.remove("-i")
    with pytest.raises(PhaseEnded, match=r"cannot be reached over SSH \(.*Permission denied.*\): correct the login"):
        synced.phase(ssh_args=[*wrong, "-o", "IdentitiesOnly=yes", "-o", "IdentityFile=/dev/null"])
