"""Pruning a tree and promoting a release, on real files."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.software.pruning import (
    PruneSettings,
    decide,
    used_since,
)
from ansible_collections.odh.persistency.plugins.module_utils._software import files, store

from tests.support.software_tree import *  # noqa: F403
from tests.support.software_tree import PhaseEnded, SoftwareTree

Trees = tuple[SoftwareTree, SoftwareTree]


def prune_settings(keep: int, oldest_server: datetime | None = None) -> PruneSettings:
    now = datetime.now(timezone.utc) + timedelta(seconds=2)
    return PruneSettings(keep, now, used_since(now, timedelta(0), oldest_server, servers_known=True))


def test_prune_what_nothing_needs(software_tree: SoftwareTree) -> None:
    for module in ("old/1.0", "library/1.0", "tool/1.0"):
        software_tree.add(module)
    software_tree.add("tool/2.0", needs=("library/1.0",))
    releases = [software_tree.publish(*modules) for modules in (["old/1.0"], ["tool/1.0"], ["tool/2.0", "library/1.0"])]
    path = {module: entry["path"] for module, entry in software_tree.entries.items()}
    log = Path(software_tree.tree.logs("first"), "tool.log")
    log.parent.mkdir(parents=True)
    log.write_text("== building\n")
    observed = software_tree.observe()
    start = datetime.now(timezone.utc)
    seen = decide(observed, prune_settings(1, oldest_server=start))  # a server that may have seen them all
    assert seen.names("release", "store") == []
    decision = decide(observed, prune_settings(2))
    assert decision.request() == {
        "releases": releases[:1],
        "store": [path["old/1.0"]],
        "staging": [],
        "runs": ["first"],
    }
    before = software_tree.names()
    size = software_tree.run("prune", dry_run=True, **decision.request())["bytes"]
    assert software_tree.names() == before
    assert software_tree.run("prune", **decision.request()) == {"bytes": size}
    assert size > sum(item.size for item in decision.removed) > 0
    assert software_tree.names() == sorted(
        ["current", *(f"releases/{release}" for release in releases[1:])]
        + [f"store/{path[module]}" for module in ("library/1.0", "tool/1.0", "tool/2.0")]
    )
    assert not Path(software_tree.tree.store, "old").exists()
    assert not Path(software_tree.tree.work("first")).exists()
    assert decide(software_tree.observe(), prune_settings(2)).removed == ()
    software_tree.assert_whole()


def test_what_must_stay_is_not_pruned(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    software_tree.add("tool/2.0")
    first, second = software_tree.publish("tool/1.0"), software_tree.publish("tool/2.0")
    path = {module: entry["path"] for module, entry in software_tree.entries.items()}
    before = software_tree.names()
    for request, message in (
        (
            {"releases": [second]},
            f"release {second} is current: publish or roll back to another one before you prune it",
        ),
        (
            {"store": [path["tool/1.0"]]},
            rf"store entry tool/1\.0-\w+ is part of release {first}: prune that release first",
        ),
        ({"releases": [first], "store": [path["tool/2.0"]]}, f"is part of release {second}"),
        ({"store": ["../releases/x"]}, "is not the path of a store entry"),
        ({"store": ["tool/.."]}, "is not the path of a store entry"),
        ({"store": ["/etc"]}, "is not the path of a store entry"),
        ({"staging": [".."]}, "is not a release"),
        ({"runs": ["../../store"]}, "is not a run"),
        ({"releases": [first, "../store"]}, "is not a release"),
    ):
        with pytest.raises(PhaseEnded, match=message) as rejected:
            software_tree.run("prune", **request)
        assert rejected.value.kind == "rejected"
        assert software_tree.names() == before
    manifest = Path(software_tree.tree.release(first), "manifest.json")
    manifest.chmod(0o644)
    manifest.write_text("{")
    with pytest.raises(PhaseEnded, match=f"release {first} has no readable manifest, so what it uses is unknown"):
        software_tree.run("prune", store=[path["tool/1.0"]])
    assert software_tree.run("prune", releases=[first], store=[path["tool/1.0"]])["bytes"] > 0


def test_promote_copies_what_is_missing(software_trees: Trees) -> None:
    staging, production = software_trees
    for tree in software_trees:
        tree.add("tool/1.0")
    production.publish("tool/1.0")
    staging.add("new/1.0", files_of={"lib/data": "x" * 10_000})
    root = Path(staging.volume.installation(staging.entries["new/1.0"]["path"]))
    root.chmod(0o755)
    os.link(root / "lib/data", root / "same")
    os.symlink("lib/data", root / "link")
    _complete_again(staging, "new/1.0")
    release = staging.publish("tool/1.0", "new/1.0", release="20261129T120000Z-0000aaaa", defaults={"tool": "1.0"})
    result = production.run("promote", source=str(staging.path))
    new = staging.entries["new/1.0"]
    assert result == {"release": release, "copied": [new["path"]], "bytes": new["size"]}
    assert production.observe()["staging"] == [release]
    production.run("publish", release=release)
    production.assert_whole()
    copy = Path(production.volume.installation(new["path"]))
    assert copy.joinpath("same").stat().st_nlink == 2
    assert os.readlink(copy / "link") == "lib/data"
    for path in Path(staging.volume.release(release)).rglob("*"):
        there = Path(production.volume.release(release)) / path.relative_to(staging.volume.release(release))
        if path.name != "manifest.json" and path.is_file():
            assert (there.read_bytes(), there.stat().st_mtime) == (path.read_bytes(), path.stat().st_mtime)
    assert production.run("promote", source=str(staging.path))["copied"] == []
    assert production.observe()["staging"] == []


def test_promote_keeps_an_entry_that_was_built_here(software_trees: Trees) -> None:
    staging, production = software_trees
    for tree, stamp in zip(software_trees, ("1", "2")):
        entry = tree.add("tool/1.0")
        root = Path(tree.volume.installation(entry["path"]))
        root.chmod(0o755)
        (root / "built").write_text(stamp)
        _complete_again(tree, "tool/1.0")
    release = staging.publish("tool/1.0")
    assert production.run("promote", source=str(staging.path))["copied"] == []
    production.run("publish", release=release)
    production.assert_whole()


def _complete_again(tree: SoftwareTree, module: str) -> None:
    """Write the digest of an installation that the test has changed."""
    entry = tree.entries[module]
    entry.update(store.content_of(tree.volume.installation(entry["path"]))._asdict())
    ours = Path(tree.volume.entry_file(entry["path"]))
    ours.parent.chmod(0o755)
    files.replace_file(str(ours), files.as_json(entry))
    files.make_read_only(tree.volume.installation(entry["path"]))


def test_a_changed_store_entry_is_not_promoted(software_trees: Trees) -> None:
    staging, production = software_trees
    entry = staging.add("tool/1.0")
    staging.publish("tool/1.0")
    before = production.names()
    program = Path(staging.volume.installation(entry["path"]), "bin/tool")
    program.chmod(0o755)
    program.write_text("something else")
    with pytest.raises(PhaseEnded, match=r"store entry tool/1\.0-\w+ of .* changed since it was built: build it there"):
        production.run("promote", source=str(staging.path))
    assert production.names() == before
    assert production.observe()["incomplete"] == []
    modulefile = Path(staging.volume.release(staging.current), "modules/all/tool/1.0.lua")
    modulefile.chmod(0o644)
    modulefile.write_text("os.execute('touch /tmp/x')")
    with pytest.raises(PhaseEnded, match=r"the modulefile of tool/1\.0 in release .* changed since it was published"):
        production.run("promote", source=str(staging.path))
    os.unlink(staging.volume.entry_file(entry["path"]))
    modulefile.write_bytes(Path(staging.volume.entry_modulefile(entry["path"])).read_bytes())
    with pytest.raises(PhaseEnded, match=r"store entry tool/1\.0-\w+ of .* is missing, or not the one of its release"):
        production.run("promote", source=str(staging.path))


def test_what_an_entry_was_built_against_is_promoted_too(software_trees: Trees) -> None:
    staging, production = software_trees
    older = staging.add("library/1.0")
    staging.add("tool/1.0", needs=("library/1.0",))
    staging.publish("library/1.0", "tool/1.0")
    staging.add("library/1.0", "-- built again")
    staging.publish("library/1.0", "tool/1.0")
    copied = production.run("promote", source=str(staging.path))["copied"]
    assert copied == [older["path"], *(staging.entries[module]["path"] for module in ("library/1.0", "tool/1.0"))]
    assert production.run("promote", source=str(staging.path))["copied"] == []


def test_an_installation_in_use_is_not_replaced(software_trees: Trees) -> None:
    staging, production = software_trees
    for tree in software_trees:
        tree.add("tool/1.0")
        tree.publish("tool/1.0")
    release = staging.publish("tool/1.0")
    entry = production.entries["tool/1.0"]
    ours = Path(production.volume.entry_file(entry["path"]))
    ours.parent.chmod(0o755)
    ours.unlink()
    before = production.names()
    with pytest.raises(PhaseEnded, match=r"is part of release .* restore that file, or prune"):
        production.run("promote", source=str(staging.path), release=release)
    assert production.names() == before
    assert Path(production.volume.installation(entry["path"]), "bin/tool").exists()


def test_a_manifest_of_another_release_is_not_promoted(software_trees: Trees) -> None:
    staging, production = software_trees
    staging.add("tool/1.0")
    release = staging.publish("tool/1.0")
    manifest = Path(staging.volume.release(release), "manifest.json")
    manifest.parent.chmod(0o755)
    manifest.chmod(0o644)
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "id": "x/../../store/tool/1.0-aaaa"}))
    before = production.names()
    with pytest.raises(PhaseEnded, match=f"the manifest of release {release} of .* is that of another one"):
        production.run("promote", source=str(staging.path))
    assert production.names() == before


def test_folders_of_others_in_the_store_are_left_alone(software_tree: SoftwareTree) -> None:
    software_tree.add("old/1.0")
    software_tree.add("tool/1.0")
    software_tree.publish("old/1.0")
    software_tree.publish("tool/1.0")
    theirs = [software_tree.path / "store" / name for name in ("@eaDir/x", "tool/1.3-abc~", "my software/1.0")]
    for folder in theirs:
        folder.mkdir(parents=True)
    decision = decide(software_tree.observe(), prune_settings(1))
    assert decision.names("incomplete") == []
    software_tree.run("prune", **decision.request())
    assert all(folder.is_dir() for folder in theirs)


def test_sources_that_are_rejected(software_trees: Trees, tmp_path: Path) -> None:
    staging, production = software_trees
    elsewhere = SoftwareTree(tmp_path / "elsewhere")
    elsewhere.add("tool/1.0")
    other = elsewhere.publish("tool/1.0")
    empty = tmp_path / "empty"
    empty.mkdir()
    unknown = "20250101T000000Z-00000000"
    for source, release, message in (
        (elsewhere.path, None, f"release {other} was built for prefix {elsewhere.prefix}, not {production.prefix}"),
        (staging.path, None, "has no current release: publish one there, or name a release"),
        (production.path, None, "is the tree itself: name the other tree"),
        (empty, None, "is not a software tree"),
        (elsewhere.path, unknown, f"release {unknown} does not exist"),
        (elsewhere.path, "../x", "is not a release"),
    ):
        with pytest.raises(PhaseEnded, match=message) as rejected:
            production.run("promote", source=str(source), release=release)
        assert rejected.value.kind == "rejected"
        assert production.names() == []


def test_a_release_cannot_lead_out_of_the_tree(software_trees: Trees) -> None:
    """A manifest of another tree is input: its paths must stay below the store and the release."""
    staging, production = software_trees
    staging.add("tool/1.0")
    release = staging.publish("tool/1.0")
    manifest = Path(staging.volume.release(release), "manifest.json")
    manifest.chmod(0o644)
    good = json.loads(manifest.read_text())
    for key, value in (
        ("path", "../../etc"),
        ("path", "tool/../../x"),
        ("module", "../../../../etc/passwd"),
        ("path", "/etc"),
    ):
        content = {**good, "entries": [{**good["entries"][0], key: value}]}
        manifest.write_text(json.dumps(content))
        with pytest.raises(PhaseEnded) as rejected:
            production.run("promote", source=str(staging.path))
        assert rejected.value.kind == "rejected"
    assert production.names() == []


def test_a_volume_that_is_too_small(software_trees: Trees) -> None:
    staging, production = software_trees
    entry = staging.add("tool/1.0")
    release = staging.publish("tool/1.0")
    huge = 10**18
    for path in (
        Path(staging.volume.release(release), "manifest.json"),
        Path(staging.volume.entry_file(entry["path"])),
    ):
        content = json.loads(path.read_text())
        for item in content.get("entries", [content]):
            item["size"] = huge
        path.parent.chmod(0o755)
        path.chmod(0o644)
        path.write_text(json.dumps(content))
    with pytest.raises(
        PhaseEnded, match=f"1 missing store entries take {huge} bytes, and .* has [0-9]+ left: prune, or enlarge"
    ) as full:
        production.run("promote", source=str(staging.path))
    assert full.value.kind == "no_space"
    assert production.names() == []
