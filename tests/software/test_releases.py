"""Releases on the real Lmod: what servers see of them, publication and rollback."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.software_tree import *  # noqa: F403
from tests.support.software_tree import LMOD, PhaseEnded, SoftwareTree


def test_a_release_is_what_servers_see(software_tree: SoftwareTree) -> None:
    software_tree.add("zlib/1.3")
    software_tree.add("tool/1.0")
    software_tree.add("tool/2.0", needs=("zlib/1.3",))
    release = software_tree.publish("zlib/1.3", "tool/1.0", "tool/2.0", defaults={"tool": "1.0"})
    assert software_tree.available() == ["tool/1.0", "tool/2.0", "zlib/1.3"]
    assert software_tree.load("tool")["VERSION_TOOL"] == "1.0"
    assert software_tree.load("tool/2.0")["VERSION_ZLIB"] == "1.3"
    observed = software_tree.observe(lmod_cmd=LMOD, digests=True)
    [seen] = observed["releases"]
    assert (observed["current"], observed["previous"], observed["lmod"]) == (release, None, "8.6.19")
    assert [entry["digest"] for entry in seen["entries"]] == [
        software_tree.entries[entry["module"]]["digest"] for entry in seen["entries"]
    ]
    assert (observed["incomplete"], observed["staging"], observed["changed_entries"]) == ([], [], [])
    assert observed["lock"] is None


def test_without_a_default_lmod_takes_the_newest(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/9.0")
    software_tree.add("tool/10.0")
    software_tree.publish("tool/9.0", "tool/10.0")
    assert software_tree.load("tool")["VERSION_TOOL"] == "10.0"


def test_featured_modules_are_links_that_hold_in_every_view(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    software_tree.add("tool/2.0")
    software_tree.add("other/1.0")
    software_tree.publish("tool/1.0", "tool/2.0", "other/1.0", featured=("tool/1.0",), defaults={"tool": "1.0"})
    featured = software_tree.prefix / "current/modules/featured"
    assert sorted(path.name for path in featured.rglob("*") if not path.is_dir()) == [".modulerc.lua", "1.0.lua"]
    assert os.readlink(featured / "tool/1.0.lua") == "../../all/tool/1.0.lua"
    done = software_tree.lmod("bash", "--terse", "avail", MODULEPATH=str(featured))
    assert [line for line in done.stderr.split() if line.startswith("tool/1")] == ["tool/1.0"]
    assert software_tree.load("tool", MODULEPATH=str(featured))["VERSION_TOOL"] == "1.0"


def test_a_publication_shows_at_once_and_a_rollback_too(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    software_tree.add("tool/2.0")
    first = software_tree.publish("tool/1.0")
    second = software_tree.publish("tool/1.0", "tool/2.0")
    assert software_tree.available() == ["tool/1.0", "tool/2.0"]
    assert software_tree.run("roll_back") == {"current": first, "previous": second, "changed": True}
    assert software_tree.available() == ["tool/1.0"]
    assert software_tree.run("roll_back", release=second)["changed"]
    assert software_tree.run("roll_back", release=second) == {"current": second, "previous": second, "changed": False}
    observed = software_tree.observe()
    assert [line["how"] for line in observed["journal"]] == ["published", "published", "rolled_back", "rolled_back"]
    assert {release["id"]: len(release["current_from"]) for release in observed["releases"]} == {first: 2, second: 2}


def test_rollbacks_go_back_in_time_not_to_and_fro(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    first, second, third = (software_tree.publish("tool/1.0") for _ in range(3))
    assert software_tree.run("roll_back")["current"] == second
    assert software_tree.observe()["previous"] == first
    assert software_tree.run("roll_back")["current"] == first
    with pytest.raises(PhaseEnded, match="has no release before the current one: publish one first"):
        software_tree.run("roll_back")
    fourth = software_tree.publish("tool/1.0")
    assert software_tree.observe()["previous"] == first
    assert software_tree.current == fourth
    assert third in [release["id"] for release in software_tree.observe()["releases"]]


def test_published_files_are_read_only(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    release = software_tree.publish("tool/1.0")
    folder = Path(software_tree.tree.release(release))
    assert not [path for path in [folder, *folder.rglob("*")] if path.lstat().st_mode & 0o222]
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in folder.rglob("*"))


def test_a_cache_is_valid_whatever_the_clocks_say(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    software_tree.publish("tool/1.0")
    cache = software_tree.prefix / "current/.lmod/cache"
    # The clock of the builder or the file server is years behind that of the servers, or ahead of it.
    for seconds in (time.time() + 1e8, 1e9):
        for name in ("spiderT.lua", "spiderT.luac_5.3"):
            os.utime(cache / name, (seconds, seconds))
        assert _cached(software_tree)
    # By Lmod's rule a cache is stale that is older than its time stamp: this is why that has the oldest time.
    os.utime(cache / "timestamp", (1e9 + 1, 1e9 + 1))
    assert not _cached(software_tree)


def _cached(tree: SoftwareTree) -> bool:
    """Return whether Lmod takes what it lists from the cache, in which the one module has another name."""
    cache = tree.prefix / "current/.lmod/cache/spiderT.lua"
    compiled = cache.with_name("spiderT.luac_5.3")
    text, times = cache.read_text(), cache.stat()
    cache.parent.chmod(0o755)
    compiled.chmod(0o644)
    kept = compiled.read_bytes()
    compiled.unlink()
    cache.chmod(0o644)
    cache.write_text(text.replace('"tool/1.0"', '"cached/1.0"').replace("tool = {", "cached = {"))
    os.utime(cache, (times.st_atime, times.st_mtime))
    found = tree.available()
    cache.write_text(text)
    os.utime(cache, (times.st_atime, times.st_mtime))
    compiled.write_bytes(kept)
    os.utime(compiled, (times.st_atime, times.st_mtime))
    return found == ["cached/1.0"]


def test_a_modulefile_that_lmod_cannot_list_fails_the_cache(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    release = software_tree.new_id()
    software_tree.run("assemble", release=release, manifest=software_tree.manifest("tool/1.0"))
    modulefile = Path(software_tree.tree.staging(release), "modules/all/tool/1.0.lua")
    modulefile.unlink()
    with pytest.raises(PhaseEnded, match=r"the spider cache lacks 1 of 1 modulefiles, such as .*/tool/1\.0\.lua"):
        software_tree.run("cache", view="release", release=release, lmod_cmd=LMOD)


def test_a_cache_that_the_lua_of_servers_cannot_run_is_read_as_text(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    release = software_tree.publish("tool/1.0")
    [compiled] = Path(software_tree.tree.release(release), ".lmod/cache").glob("spiderT.luac_*")
    content = compiled.read_bytes()
    assert content.count(b'("\x1bLuaS') == 1
    compiled.chmod(0o644)
    compiled.write_bytes(content.replace(b'("\x1bLuaS', b'("\x1bLuaT'))
    assert software_tree.load("tool/1.0")["VERSION_TOOL"] == "1.0"
    assert software_tree.available() == ["tool/1.0"]
    # As by Lmod itself, one that is cut off is left out.
    compiled.write_bytes(content[:-20])
    assert software_tree.load("tool/1.0")["VERSION_TOOL"] == "1.0"


def test_the_cache_is_built_from_the_release_and_not_from_a_users_settings(
    software_tree: SoftwareTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    software_tree.add("tool/1.0")
    software_tree.publish("tool/1.0")
    software_tree.add("tool/2.0")
    monkeypatch.setenv("LMOD_RC", f"{software_tree.prefix}/current/.lmod/lmodrc.lua")
    monkeypatch.setenv("MODULEPATH", "/somewhere")
    hidden = software_tree.prefix.parent / "modulerc.lua"
    hidden.write_text('hide_version("tool/2.0")\n')
    monkeypatch.setenv("LMOD_MODULERCFILE", str(hidden))
    monkeypatch.setenv("MODULERCFILE", str(hidden))
    software_tree.publish("tool/1.0", "tool/2.0")
    assert software_tree.available() == ["tool/1.0", "tool/2.0"]


def test_a_store_entry_that_is_not_as_planned_is_not_released(software_tree: SoftwareTree) -> None:
    entry = software_tree.add("tool/1.0")
    manifest = software_tree.manifest("tool/1.0")
    release = software_tree.new_id()
    manifest["entries"][0]["digest"] = "0" * 64
    with pytest.raises(PhaseEnded, match=r"store entry tool/1\.0-\w+ of tool/1\.0 is not the one that was planned"):
        software_tree.run("assemble", release=release, manifest=manifest)
    modulefile = Path(software_tree.tree.entry_modulefile(entry["path"]))
    modulefile.chmod(0o644)
    modulefile.write_text("setenv(")
    with pytest.raises(PhaseEnded, match="changed since it was built: build it again with `rebuild`"):
        software_tree.run("assemble", release=release, manifest=software_tree.manifest("tool/1.0"))
    os.unlink(software_tree.tree.entry_file(entry["path"]))
    with pytest.raises(PhaseEnded, match="is missing or incomplete: run again to build it"):
        software_tree.run("assemble", release=release, manifest=software_tree.manifest("tool/1.0"))
    assert software_tree.observe()["incomplete"] == [entry["path"]]


def test_digests_find_what_changed_in_the_store(software_tree: SoftwareTree) -> None:
    entry = software_tree.add("tool/1.0", files_of={"lib/data": "x", "bin/run": "y"})
    software_tree.add("other/1.0")
    root = Path(software_tree.tree.installation(entry["path"]))
    assert software_tree.observe(digests=True)["changed_entries"] == []
    (root / "bin/run").chmod(0o755)  # the right to write does not count
    assert software_tree.observe(digests=True)["changed_entries"] == []
    (root / "bin/run").chmod(0o444)  # the right to execute does
    assert software_tree.observe(digests=True)["changed_entries"] == [entry["path"]]
    (root / "bin/run").chmod(0o555)
    (root / "lib/data").chmod(0o644)
    (root / "lib/data").write_text("z")
    assert software_tree.observe(digests=True)["changed_entries"] == [entry["path"]]


def test_a_release_that_was_published_in_between(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    first = software_tree.publish("tool/1.0")
    second = software_tree.stage("tool/1.0")
    with pytest.raises(PhaseEnded, match=f"the current release is {first}, not None: another run published it"):
        software_tree.run("publish", release=second, expected_current=None)
    assert software_tree.current == first
    assert software_tree.run("publish", release=second, expected_current=first)["current"] == second


def test_bad_input(software_tree: SoftwareTree, tmp_path: Path) -> None:
    software_tree.add("tool/1.0")
    release = software_tree.publish("tool/1.0")
    before = software_tree.names()
    unknown = "20250101T000000Z-00000000"
    for wrong, message in (
        ("../../etc", r"'../../etc' is not a release: use an id such as"),
        ("current", "'current' is not a release"),
        (unknown, rf"release {unknown} does not exist: name one of .*/releases \(the newest: {release}\)"),
    ):
        with pytest.raises(PhaseEnded, match=message) as rejected:
            software_tree.run("roll_back", release=wrong)
        assert rejected.value.kind == "rejected"
    for key, wrong in (
        ("module", "tool/1.0;touch /tmp/x"),
        ("module", "tool/$(id)"),
        ("module", "tool/.."),
        ("module", "/tmp/tool"),
        ("module", "tool"),
        ("path", "../../tmp"),
        ("path", "/tmp/x"),
    ):
        manifest = software_tree.manifest("tool/1.0")
        manifest["entries"][0][key] = wrong
        with pytest.raises(PhaseEnded, match=r"is not a module such as|is not the path of a store entry") as rejected:
            software_tree.run("assemble", release=software_tree.new_id(), manifest=manifest)
        assert rejected.value.kind == "rejected"
    with pytest.raises(PhaseEnded, match=r"lacks tool/3.0, a default version: correct `default`"):
        software_tree.stage("tool/1.0", defaults={"tool": "3.0"})
    (tmp_path / "link").symlink_to(software_tree.prefix)
    for prefix, message in (
        (tmp_path / "link", "is a symbolic link to .*: use a directory, because modules contain the prefix"),
        (tmp_path, "is not a software tree .no store, releases, locks.: create it with lmod_tree"),
        (tmp_path / "nothing", "is not a software tree"),
        ("apps", "must be an absolute path"),
        (f"{software_tree.prefix}/../apps", "must be an absolute path without `..`"),
    ):
        with pytest.raises(PhaseEnded, match=message) as rejected:
            software_tree.run("observe", prefix=str(prefix))
        assert rejected.value.kind == "rejected"
    assert software_tree.names() == before


def test_a_link_that_leads_elsewhere_is_not_trusted(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    release = software_tree.stage("tool/1.0")
    os.symlink("/etc", software_tree.tree.current)
    with pytest.raises(PhaseEnded, match="leads to /etc, which is not a release: move it away, and"):
        software_tree.run("publish", release=release)
    os.unlink(software_tree.tree.current)
    os.mkdir(software_tree.tree.current)
    with pytest.raises(PhaseEnded, match="is not a link to a release: move it away, and"):
        software_tree.run("publish", release=release)
    os.rmdir(software_tree.tree.current)
    software_tree.run("publish", release=release)
    os.rename(software_tree.tree.current, software_tree.tree.current + ".away")
    software_tree.run("roll_back", release=release)
    assert software_tree.current == release


def test_a_staging_folder_that_somebody_made_current_by_hand_stays(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    by_hand = software_tree.stage("tool/1.0")
    os.symlink(f"releases/.new-{by_hand}", software_tree.tree.current)
    with pytest.raises(PhaseEnded, match=f"release {by_hand} is current"):
        software_tree.run("prune", staging=[by_hand])
    release = software_tree.stage("tool/1.0")
    assert software_tree.load("tool/1.0")
    software_tree.run("publish", release=release)
    assert software_tree.current == release


def test_a_rollback_is_a_few_changes_however_many_modules_there_are(software_tree: SoftwareTree) -> None:
    modules = [f"package{number}/1.0" for number in range(50)]
    for module in modules:
        software_tree.add(module)
    first = software_tree.publish(*modules)
    software_tree.publish(*modules)
    assert len(list(software_tree.kill_everywhere("roll_back", release=first))) < 35


def test_what_a_killed_cache_build_leaves_running_does_not_touch_the_next_release(software_tree: SoftwareTree) -> None:
    software_tree.add("tool/1.0")
    release = software_tree.new_id()
    software_tree.run("assemble", release=release, manifest=software_tree.manifest("tool/1.0"))
    slow = software_tree.prefix.parent / "lmod"
    slow.mkdir()
    script = f'#!/bin/sh\nsleep 0.5\nexec {Path(LMOD).parent}/update_lmod_system_cache_files "$@"\n'
    for name, text in (("lmod", "#!/bin/sh\n"), ("update_lmod_system_cache_files", script)):
        (slow / name).write_text(text)
        (slow / name).chmod(0o755)
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            software_tree.run("cache", view="release", release=release, lmod_cmd=str(slow / "lmod"))
        os._exit(0)
    time.sleep(0.3)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    second = software_tree.stage("tool/1.0")
    time.sleep(0.6)
    assert software_tree.names() == [f"releases/.new-{second}", f"store/{software_tree.entries['tool/1.0']['path']}"]
    cache = Path(software_tree.tree.staging(second), ".lmod/cache")
    assert sorted(path.name for path in cache.iterdir()) == ["spiderT.lua", "spiderT.luac_5.3", "timestamp"]
