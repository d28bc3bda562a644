"""What is pruned from a software tree: never what a running server may use, and else everything beyond `keep`."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.software.pruning import (
    CLOCK_DIFFERENCE,
    PruneSettings,
    Pruning,
    decide,
    used_since,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.times import format_time
from ansible_collections.odh.persistency.plugins.module_utils._software import journal
from ansible_collections.odh.persistency.plugins.module_utils._software.tree_layout import RELEASES, TreeLayout
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def release_id(number: int, at: datetime = NOW) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}-{number:08x}"


def entry(name: str, needs: tuple[str, ...] = (), built: datetime = NOW - 30 * DAY) -> dict[str, Any]:
    dependencies = {other: f"hash of {other}" for other in needs}
    values = {"path": f"{name}/1-0", "hash": f"hash of {name}", "size": 10, "built_at": format_time(built)}
    return {**values, "dependencies": dependencies}


def manifest(release: str, *names: str) -> dict[str, Any]:
    return {"id": release, "entries": [{"path": f"{name}/1-0"} for name in names]}


def observed(releases: list[dict[str, Any]], current: str | None = None, **values: Any) -> dict[str, Any]:
    """A tree whose releases were each current for a day, the last one since yesterday, unless `journal` says otherwise."""
    ids = [release["id"] for release in releases]
    lines = [{"release": one, "at": format_time(NOW - DAY * (len(ids) - index))} for index, one in enumerate(ids)]
    base = {"releases": releases, "current": current or (ids[-1] if ids else None), "journal": lines}
    return {**base, "store": [], "incomplete": [], "staging": [], "runs": [], **values}


def settings(keep: int = 1, since: datetime = NOW, **values: Any) -> PruneSettings:
    return PruneSettings(keep, NOW, since, **values)


A, B, C = (release_id(number, NOW - 10 * DAY + number * DAY) for number in range(3))


def test_releases_beyond_keep_go_with_the_entries_that_nothing_needs() -> None:
    store = [entry("old"), entry("shared"), entry("new", ("library",)), entry("library")]
    found = decide(observed([manifest(A, "old", "shared"), manifest(B, "shared", "new")], store=store), settings())
    assert found.request() == {"releases": [A], "store": ["old/1-0"], "staging": [], "runs": []}
    assert [(item.name, item.reason) for item in found.kept] == [(B, "is current")]
    assert sum(item.size for item in found.removed) == 10


def test_a_release_stays_while_a_server_that_saw_it_runs() -> None:
    tree = observed([manifest(A, "a"), manifest(B, "b"), manifest(C, "c")], store=[entry(name) for name in "abc"])
    # B was current from two days ago until yesterday.
    start = NOW - 1.5 * DAY
    found = decide(tree, settings(since=used_since(NOW, DAY, start, servers_known=True)))
    assert found.request() == {"releases": [A], "store": ["a/1-0"], "staging": [], "runs": []}
    assert {item.name: item.reason for item in found.kept}[B].endswith("a running server may use it")
    assert decide(tree, settings()).names("release") == [A, B]


def test_without_a_cluster_the_minimum_age_decides() -> None:
    tree = observed([manifest(A), manifest(B), manifest(C)])
    assert used_since(NOW, 1.5 * DAY, None, servers_known=False) == NOW - 1.5 * DAY
    assert decide(tree, settings(since=NOW - 1.5 * DAY)).names("release") == [A]
    assert decide(tree, settings(since=NOW - 7 * DAY)).names("release") == []


def test_a_server_of_a_cluster_whose_clock_is_ahead() -> None:
    assert used_since(NOW, DAY, NOW, servers_known=True) == NOW - CLOCK_DIFFERENCE
    assert used_since(NOW, DAY, NOW + 5 * DAY, servers_known=True) == NOW


def test_after_a_rollback_the_newer_release_counts_as_recent() -> None:
    tree = observed([manifest(A), manifest(B), manifest(C)])
    tree["journal"].append({"release": A, "at": format_time(NOW - DAY / 2)})
    tree["current"] = A
    assert decide(tree, settings(keep=2)).names("release") == [B]
    assert decide(tree, settings(keep=1)).names("release") == [B, C]


def test_what_runs_left_behind_goes() -> None:
    tree = observed([manifest(A)], staging=[B], incomplete=["tool/.tmp-1-0", "tool/2-0"])
    assert decide(tree, settings()).request() == {
        "releases": [],
        "store": ["tool/.tmp-1-0", "tool/2-0"],
        "staging": [B],
        "runs": [],
    }


def test_what_a_failed_run_has_built_stays_for_its_minimum_age() -> None:
    store = [entry("young", built=NOW - DAY), entry("old", built=NOW - 3 * DAY)]
    found = decide(observed([manifest(A)], store=store), settings(minimum_age=2 * DAY))
    assert found.names("store") == ["old/1-0"]


def test_logs_of_runs_stay_for_the_minimum_age() -> None:
    runs = [{"run": "young", "ended": format_time(NOW - DAY)}, {"run": "old", "ended": format_time(NOW - 3 * DAY)}]
    found = decide(observed([manifest(A)], runs=runs), settings(minimum_age=2 * DAY))
    assert found.request()["runs"] == ["old"]


def test_keep_0_is_rejected() -> None:
    with pytest.raises(ValueError, match="keep: 0 would delete the current release: set it to 1 or more"):
        decide(observed([manifest(A)]), settings(keep=0))


def test_a_release_without_a_manifest_that_stays_is_rejected() -> None:
    damaged = {"id": B, "entries": [], "damaged": True}
    with pytest.raises(ValueError, match=f"release {B} stays and has no readable manifest"):
        decide(observed([manifest(A), damaged]), settings())
    assert decide(observed([damaged, manifest(C)]), settings()).names("release") == [B]


def test_a_line_of_the_journal_without_a_time_counts_as_now() -> None:
    tree = observed([manifest(A), manifest(B), manifest(C)])
    tree["journal"][1]["at"] = "yesterday"
    assert decide(tree, settings()).names("release") == []


def test_without_the_start_of_the_journal_a_release_may_have_been_current_until_then() -> None:
    """Somebody deleted the journal, and a publication began a new one."""
    since = used_since(NOW, DAY, NOW - 2 * DAY, servers_known=True)
    tree = observed([manifest(A, "a"), manifest(B, "b")], store=[entry("a"), entry("b")])
    tree["journal"] = [{"release": B, "at": format_time(NOW - DAY)}]
    assert decide(tree, settings(since=since)).removed == ()
    assert decide(tree, settings(since=NOW - DAY / 2)).names("release", "store") == [A, "a/1-0"]
    tree["journal"] = []
    assert decide(tree, settings(since=since)).removed == ()


def real(name: str, *needs: str) -> dict[str, Any]:
    """An entry whose path has its hash, as in a tree."""
    made = entry(name, needs)
    made["dependencies"] = {other: digest(other) for other in needs}
    return {**made, "hash": digest(name), "path": f"{name}/1-{digest(name)[:12]}"}


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


class TestDamagedEntries:
    """While what a release needs is unknown, nothing is deleted from the store."""

    @staticmethod
    def prune(damaged: str, *rest: dict[str, Any]) -> Pruning:
        release = {"id": B, "entries": [{"path": real(name)["path"]} for name in ("app", "zlib_new")]}
        store = [real("zlib_new"), real("unused"), *rest]
        incomplete = [real(damaged)["path"], "app/1-0123456789ab"]
        return decide(observed([release], store=store, incomplete=incomplete), settings())

    def test_of_a_dependency_that_no_release_lists(self) -> None:
        found = self.prune("zlib_old", real("app", "zlib_old"))
        assert found.request()["store"] == []
        assert found.notes == (
            f"store/{real('zlib_old')['path']} has no readable entry.json, and a release that stays needs it: nothing is "
            "deleted from the store until that file is restored",
        )

    def test_that_a_release_lists(self) -> None:
        assert self.prune("app", real("zlib_old")).request()["store"] == []

    def test_that_nothing_needs(self) -> None:
        found = self.prune("old", real("app", "zlib_old"), real("zlib_old"))
        assert found.request()["store"] == [real("old")["path"], "app/1-0123456789ab", real("unused")["path"]]
        assert found.notes == ()


@dataclass
class World:
    """A tree and its servers in the course of time, with the real journal."""

    tree: TreeLayout
    clock: datetime = NOW - 100 * DAY
    releases: list[dict[str, Any]] = field(default_factory=list)
    #: What each live server may use.
    servers: list[tuple[datetime, set[str]]] = field(default_factory=list)
    store: dict[str, dict[str, Any]] = field(default_factory=dict)

    def current(self) -> str | None:
        return os.readlink(self.tree.current).rpartition("/")[2] if os.path.islink(self.tree.current) else None

    def link(self, release: str) -> None:
        if os.path.islink(self.tree.current):
            os.unlink(self.tree.current)
        os.symlink(f"{RELEASES}/{release}", self.tree.current)
        for _start, seen in self.servers:
            seen.add(release)

    def journal_is_complete(self) -> bool:
        return journal.publications(self.tree) == journal.read_journal(self.tree)

    def observe(self) -> dict[str, Any]:
        lines = [line._asdict() for line in journal.publications(self.tree)]
        base = {
            "releases": self.releases,
            "current": self.current(),
            "journal": lines,
            "incomplete": [],
            "staging": [],
        }
        return {**base, "runs": [], "store": list(self.store.values())}

    def prune(self, keep: int, minimum_age: timedelta) -> Pruning:
        oldest = min((start for start, _seen in self.servers), default=None)
        since = used_since(self.clock, minimum_age, oldest, servers_known=True)
        return decide(self.observe(), PruneSettings(keep, self.clock, since, minimum_age))


NAMES = "abcdef"
#: Entry x depends on those after it in the alphabet that it names.
NEEDS = st.fixed_dictionaries({name: st.sets(st.sampled_from(NAMES)).map(sorted) for name in NAMES})
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["publish", "publish", "roll_back", "by hand", "crash", "start", "stop", "prune"]),
        st.integers(1, 3 * 86400),
        st.integers(0, 5),
        st.sets(st.sampled_from(NAMES)),
    ),
    min_size=3,
    max_size=12,
)


@given(NEEDS, STEPS, st.integers(1, 4))
def test_what_a_server_may_use_is_never_pruned_and_everything_else_is(
    needs: dict[str, list[str]], steps: list[tuple[str, int, int, set[str]]], keep: int
) -> None:
    with tempfile.TemporaryDirectory(dir=_memory()) as folder, mock.patch.object(journal, "utc_now") as now:
        world = World(TreeLayout(folder))
        os.mkdir(world.tree.releases)
        world.store = {
            name: entry(name, tuple(other for other in needs[name] if other > name), built=world.clock)
            for name in NAMES
        }
        for step, seconds, number, names in steps:
            world.clock += timedelta(seconds=seconds)
            now.return_value = format_time(world.clock)
            _take(world, step, number, names)
            if step == "prune" and world.releases:
                _check_and_prune(world, world.prune(keep, timedelta(0)), keep)


def _take(world: World, step: str, number: int, names: set[str]) -> None:
    if step in ("publish", "crash"):
        release = release_id(len(world.releases) * 100 + number, world.clock)
        world.releases.append(manifest(release, *sorted(names & set(world.store))))
        journal.record(world.tree, release, journal.PUBLISHED)
        if step == "publish":
            world.link(release)
    elif step == "roll_back" and world.releases:
        release = world.releases[number % len(world.releases)]["id"]
        journal.record(world.tree, release, journal.ROLLED_BACK)
        world.link(release)
    elif step == "by hand" and world.releases and world.journal_is_complete():
        world.link(world.releases[number % len(world.releases)]["id"])
        journal.record(world.tree, str(world.current()), journal.OBSERVED)
    elif step == "start":
        current = world.current()
        world.servers.append((world.clock, {current} if current else set()))
    elif step == "stop" and world.servers:
        world.servers.pop(number % len(world.servers))


def _check_and_prune(world: World, pruning: Pruning, keep: int) -> None:
    gone, gone_entries = set(pruning.names("release")), set(pruning.names("store"))
    left = [release for release in world.releases if release["id"] not in gone]
    assert world.current() not in gone
    for _start, seen in world.servers:
        assert not seen & gone
    needed: set[str] = set()
    todo = [item["path"] for release in left for item in release["entries"]]
    by_path = {item["path"]: item for item in world.store.values()}
    while todo:
        path = todo.pop()
        if path in by_path and path not in needed:
            needed.add(path)
            todo += [f"{name}/1-0" for name in by_path[path]["dependencies"]]
    assert gone_entries == set(by_path) - needed
    assert len(left) >= min(keep, len(world.releases))
    if not world.servers and world.journal_is_complete():
        assert len(left) <= keep
    world.releases = left
    world.store = {name: item for name, item in world.store.items() if item["path"] not in gone_entries}
    again = world.prune(keep, timedelta(0))
    assert again.removed == ()


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
