"""Releases are sent to a file server with the real rsync over a real SSH server, interrupted and resumed."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._software import remote_tree
from ansible_collections.odh.persistency.plugins.module_utils._software.locks import NOBODY_AFTER

from tests.support.cluster import wait_for
from tests.support.modules import Result, Running
from tests.support.nfs import *  # noqa: F403
from tests.support.nfs import Export, Nfs, NfsError
from tests.support.software_tree import *  # noqa: F403
from tests.support.software_tree import LMOD, Killed, PhaseEnded, SoftwareTree
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


def test_a_tree_of_another_prefix_is_rejected(synced: Synced, tmp_path: Path) -> None:
    synced.near.add("tool/1.0")
    release = synced.near.publish("tool/1.0")
    (tmp_path / "other").mkdir()
    message = synced.refused(prefix=str(tmp_path / "other"), path=str(synced.near.prefix))
    assert f"release {release} of this tree is for the prefix {synced.near.prefix}, not {tmp_path / 'other'}" in message
    assert not (synced.far.path / "current").exists()


def test_a_rollback_renames_the_link_alone(synced: Synced) -> None:
    synced.near.add("tool/1.0")
    first, second = synced.near.publish("tool/1.0"), synced.near.publish("tool/1.0")
    synced.ok()
    synced.ok(release=first)
    assert synced.far.current == first
    assert actions(synced.ok()) == [("update", "link", "current")]
    assert synced.far.current == second
    assert [line["release"] for line in synced.far.observe()["journal"]] == [second, first, second]


def test_what_an_entry_was_built_against_is_sent_too(synced: Synced) -> None:
    synced.near.add("library/1.0")
    synced.near.add("tool/1.0", needs=("library/1.0",))
    synced.near.publish("library/1.0", "tool/1.0")
    synced.near.add("library/1.0", "-- built again")
    synced.near.publish("library/1.0", "tool/1.0")
    made = synced.ok()
    assert [name for _action, kind, name in actions(made) if kind == "entry"] == [
        "library/1.0",
        "library/1.0",
        "tool/1.0",
    ]
    assert len(list((synced.far.path / "store" / "library").iterdir())) == 2
    assert not synced.ok().changed


def test_an_installation_in_use_there_is_not_replaced(synced: Synced) -> None:
    entry = synced.near.add("tool/1.0")
    synced.near.publish("tool/1.0")
    synced.ok()
    ours = Path(synced.far.volume.entry_file(entry["path"]))
    ours.parent.chmod(0o755)
    ours.unlink()
    synced.near.publish("tool/1.0")
    message = str(synced.run().output["msg"])
    assert f"store/{entry['path']} has no .odh-persistency/entry.json and is part of a release there" in message
    assert Path(synced.far.volume.installation(entry["path"]), "bin/tool").exists()


def test_a_run_that_waited_sends_what_is_current_then(synced: Synced) -> None:
    synced.near.add("tool/1.0")
    synced.near.publish("tool/1.0")
    token = synced.near.run("lock", run="other", pid=os.getpid())["token"]
    given = {"prefix": str(synced.near.prefix), **synced.options()}
    waiting = Running("lmod_sync", given, dict(os.environ), False, True)
    wait_for(
        lambda: any(path.name.startswith(".run.lock-") for path in (synced.near.path / "locks").iterdir()), "it waits"
    )
    second = synced.near.new_id()
    synced.near.run("assemble", run="other", release=second, manifest=synced.near.manifest("tool/1.0"))
    synced.near.run("cache", "release", run="other", release=second, lmod_cmd=LMOD)
    synced.near.run("publish", run="other", release=second)
    synced.near.run("unlock", token=token)
    assert not waiting.wait().failed
    assert synced.far.current == second


def test_a_rollback_by_hand_there_is_written_down(synced: Synced) -> None:
    synced.near.add("tool/1.0")
    first = synced.near.publish("tool/1.0")
    synced.ok()
    second = synced.near.publish("tool/1.0")
    synced.ok()
    link = synced.far.path / "current"
    link.unlink()
    link.symlink_to(f"releases/{first}")
    # A crash cut the last line off.
    journal = synced.far.path / "releases" / ".journal"
    journal.write_text(journal.read_text()[:-1])
    third = synced.near.publish("tool/1.0")
    synced.ok()
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [(line["release"], line["how"]) for line in lines] == [
        (first, "published"),
        (second, "published"),
        (first, "observed"),
        (third, "published"),
    ]


def test_a_link_there_that_leads_to_the_release_in_another_way_is_replaced(synced: Synced) -> None:
    """Clients that mount the tree elsewhere cannot follow an absolute link."""
    synced.near.add("tool/1.0")
    release = synced.near.publish("tool/1.0")
    synced.ok()
    link = synced.far.path / "current"
    absolute = f"{synced.far.path}/releases/{release}"
    link.unlink()
    link.symlink_to(absolute)
    made = synced.ok()
    assert actions(made) == [("update", "link", "current")]
    assert made.changes[0]["reason"].endswith(f"has {absolute}")
    assert os.readlink(link) == f"releases/{release}"
    assert not synced.ok().changed


@pytest.mark.parametrize(
    ("folder", "complete"), [("store/tool/1-0", ".odh-persistency/entry.json"), ("releases/one", "manifest.json")]
)
def test_only_what_is_complete_gets_its_name(tmp_path: Path, folder: str, complete: str) -> None:
    """What rsync left out of a folder, because somebody damaged it meanwhile, would stay half for ever."""
    staged = tmp_path / "locks/sync" / folder
    staged.mkdir(parents=True)
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "old").touch()
    command = ["sh", "-s", "--", str(tmp_path), folder]
    done = subprocess.run(command, input=remote_tree._MOVE, text=True, capture_output=True)
    assert done.returncode == 1
    assert done.stderr == f"locks/sync/{folder} was not sent as a whole: it has no {complete}\n"
    assert (tmp_path / folder / "old").exists()
    (staged / complete).parent.mkdir(exist_ok=True)
    (staged / complete).touch()
    subprocess.run(command, input=remote_tree._MOVE, text=True, check=True)
    assert (tmp_path / folder / complete).exists()


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


class TestPruning:
    """`state: pruned` deletes on the other side what lmod_release would delete there."""

    @pytest.fixture
    def pruned(self, synced: Synced) -> Synced:
        """Three releases on the other side, of which the second has a tool of its own."""
        synced.near.add("tool/1.0", needs=())
        synced.near.add("tool/2.0", files_of={"lib/large": noise(1 << 20)})
        synced.near.add("other/1.0", needs=("tool/1.0",))
        for modules in (("tool/1.0",), ("tool/1.0", "tool/2.0"), ("tool/1.0", "other/1.0")):
            synced.near.publish(*modules)
            synced.phase()
        return synced

    def prune(self, synced: Synced, check: bool = False, **more: Any) -> Result:
        return synced.run(check, state="pruned", **{"keep": 1, "minimum_age": "0s", **more})

    def releases(self, synced: Synced) -> list[str]:
        return sorted(path.name for path in (synced.far.path / "releases").glob("2*"))

    def test_what_nothing_needs_goes_and_check_mode_says_so(self, pruned: Synced) -> None:
        first, second, third = self.releases(pruned)
        path = pruned.near.entries["tool/2.0"]["path"]
        before = pruned.differences()
        shown = self.prune(pruned, check=True)
        assert actions(shown) == [
            ("delete", "release", first),
            ("delete", "release", second),
            ("delete", "store", path),
        ]
        assert shown.bytes > 1 << 20
        assert pruned.differences() == before == ""
        done = self.prune(pruned)
        assert (done.changes, done.bytes) == (shown.changes, shown.bytes)
        assert done.output["diff"] == shown.output["diff"]
        assert self.releases(pruned) == [third]
        assert sorted(str(found.relative_to(pruned.far.path)) for found in (pruned.far.path / "store").glob("*/*")) == [
            f"store/{pruned.near.entries[module]['path']}" for module in ("other/1.0", "tool/1.0")
        ]
        pruned.far.assert_whole()
        assert len(list((pruned.near.path / "releases").glob("2*"))) == 3  # here nothing is deleted
        again = self.prune(pruned)
        assert (again.changed, again.bytes) == (False, 0)

    def test_the_rules_are_those_of_the_tree_itself(self, pruned: Synced) -> None:
        here = pruned.near.run("observe")
        there = pruned.near.run("remote_observe", **pruned.options())
        names = ("current", "previous", "releases", "store", "incomplete", "staging", "runs", "lock")
        assert {name: there[name] for name in names if name != "releases"} == {
            name: here[name] for name in names if name != "releases"
        }
        assert [release["id"] for release in there["releases"]] == [release["id"] for release in here["releases"]]
        assert [line["release"] for line in there["journal"]] == [line["release"] for line in here["journal"]]
        assert not self.prune(pruned, minimum_age="1d").changed  # all were current a moment ago
        assert not self.prune(pruned, keep=3).changed

    def test_a_run_that_ends_early_is_repeated(self, pruned: Synced) -> None:
        *_older, third = self.releases(pruned)
        shown = self.prune(pruned, check=True)
        # What the run has left of a folder is incomplete, whatever it was.
        path = pruned.far.path / "store" / pruned.near.entries["tool/2.0"]["path"]
        path.chmod(0o755)
        (path / ".odh-persistency").chmod(0o755)
        (path / ".odh-persistency" / "entry.json").unlink()
        (pruned.far.path / "releases" / _older[0] / "manifest.json").unlink()
        resumed = self.prune(pruned)
        assert {change["name"] for change in resumed.changes} == {change["name"] for change in shown.changes}
        assert self.releases(pruned) == [third]
        assert not path.exists()
        pruned.far.assert_whole()

    @pytest.mark.parametrize("start", [2, 3])
    def test_a_run_that_is_killed_leaves_a_whole_tree(self, pruned: Synced, start: int) -> None:
        planned = self.prune(pruned, check=True).changes
        request = {
            "releases": [change["name"] for change in planned if change["kind"] == "release"],
            "store": [change["name"] for change in planned if change["kind"] == "store"],
        }
        for number in itertools.count(start, 6):
            try:
                pruned.near.run("remote_prune", kill_at=number, **pruned.options(), **request)
            except Killed:
                pruned.far.assert_whole()
            else:
                break
        assert len(self.releases(pruned)) == 1

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"keep": None}, "keep: set how many releases stay"),
            ({"keep": 0}, "keep: 0 is too small"),
            ({"minimum_age": "soon"}, "minimum_age: "),
            ({"target": "nas"}, "is not a directory of another host"),
        ],
        ids=str,
    )
    def test_bad_input(self, pruned: Synced, more: dict[str, Any], message: str) -> None:
        options = {name: value for name, value in {"keep": 1, **more}.items() if value is not None}
        assert message in pruned.refused(state="pruned", **options)
        assert len(self.releases(pruned)) == 3

    def test_what_must_stay_stays_whatever_is_asked(self, pruned: Synced) -> None:
        *_older, third = self.releases(pruned)
        with pytest.raises(PhaseEnded, match=f"release {third} is current"):
            pruned.near.run("remote_prune", **pruned.options(), releases=[third])
        with pytest.raises(PhaseEnded, match=r"is part of release .*: prune that release first"):
            pruned.near.run("remote_prune", **pruned.options(), store=[pruned.near.entries["tool/2.0"]["path"]])
        with pytest.raises(PhaseEnded, match="is not the path of a store entry"):
            pruned.near.run("remote_prune", **pruned.options(), store=["../x"])

    def test_a_run_on_the_other_side_is_waited_for(self, pruned: Synced) -> None:
        pruned.far.run("lock", run="other", when_locked="reject")
        failed = self.prune(pruned)
        assert failed.failed
        assert "changes " in str(failed.output["msg"])
        assert len(self.releases(pruned)) == 3
        # Its time is the other host's, and so is the time that it is compared with.
        old = time.time() - NOBODY_AFTER - 1
        os.utime(pruned.far.path / "locks" / "run.lock", (old, old))
        assert not self.prune(pruned).failed
        assert len(self.releases(pruned)) == 1
