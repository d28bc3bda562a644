"""The module `lmod_release` on the real EasyBuild and the real Lmod."""

from __future__ import annotations

import json

from tests.support.software import *  # noqa: F403
from tests.support.software import Software, lib_stack


def test_a_release_is_built_published_and_loaded(base_software: Software) -> None:
    assert base_software.current is not None
    assert [path.split("-")[0] for path in base_software.installations()] == ["lib/1.0", "tool/1.0"]
    assert base_software.shell("module load tool; tool; module -t list 2>&1").splitlines() == [
        "tool 1.0",
        "lib/1.0",
        "tool/1.0",
    ]
    manifest = json.loads((base_software.path / "current/manifest.json").read_text())
    assert manifest["id"] == base_software.current
    assert [entry["state"] for entry in manifest["entries"]] == ["built", "built"]
    assert "tool/1.0: sanity checking" in "\n".join(base_software.progress)


def test_a_second_run_changes_nothing(software: Software) -> None:
    before = software.files()
    result = software.ok()
    assert not result.changed
    assert result.changes == []
    assert result.release == software.current
    assert software.progress == []
    assert software.files() == before


def test_a_new_version_and_a_rollback(software: Software) -> None:
    first = software.current
    software.add("tool", "1.1")
    software.stack(lib_stack("  - tool-1.1.eb:", "      default: true", "      featured: true"))
    before = software.files()
    planned = software.ok(check=True)
    assert planned.changed
    assert software.files() == before
    assert planned.output["diff"]["before"] == f"current: {first}\n"
    assert planned.output["diff"]["after"].splitlines()[1].startswith("tool/1.1 (default and featured), ")

    result = software.ok()
    assert [(change["action"], change["kind"], change["name"]) for change in result.changes] == [
        ("create", "entry", "tool/1.1"),
        ("create", "module", "tool/1.1"),
        ("update", "release", f"{software.prefix}/current"),
    ]
    assert result.release == software.current != first
    assert result.previous == first
    assert [entry["state"] for entry in result.entries] == ["carried", "carried", "built"]
    assert software.shell("module load tool; tool") == "tool 1.1\n"
    assert (software.path / "current/modules/featured/tool/1.1.lua").is_symlink()
    assert not software.ok().changed

    planned = software.switch("rolled_back", check=True)
    assert (planned.changed, software.current) == (True, result.release)
    # At night the host may have no Lmod.
    back = software.switch("rolled_back", lmod_cmd="/nowhere/lmod")
    assert (back.changed, back.release, software.current) == (True, first, first)
    assert software.shell("module load tool; tool") == "tool 1.0\n"
    again = software.switch("rolled_back")
    assert (again.changed, software.current) == (False, first)
    forth = software.switch("rolled_back", release=result.release)
    assert (forth.changed, software.current) == (True, result.release)


def test_an_optional_entry_that_fails_is_left_out_and_not_tried_again(software: Software) -> None:
    software.add("bad", "1.0", "postinstallcmds = ['false']")
    software.add("needs", "1.0", "dependencies = [('bad', '1.0')]")
    software.stack(lib_stack("  - bad-1.0.eb:", "      optional: true", "  - needs-1.0.eb:", "      optional: true"))
    result = software.ok()
    assert result.changed
    assert result.modules == ["lib/1.0", "tool/1.0"]
    assert [item["module"] for item in result.output["failed_modules"]] == ["bad/1.0", "needs/1.0"]
    assert "bad/1.0 is optional and failed: " in result.warnings[0]
    again = software.ok()
    assert not again.changed
    assert software.progress == []
    assert [item["module"] for item in again.output["failed_modules"]] == ["bad/1.0", "needs/1.0"]
    assert software.ok(rebuild=["bad/1.0"]).output["failed_modules"]
    # With what needs it.
    assert "bad/1.0: build 1 of 2" in software.progress


def test_a_failed_build_is_not_repeated_although_nothing_was_published(software: Software) -> None:
    """One that was killed is, because its easyconfig is not the reason."""
    flag = software.folder / "enough-memory"
    software.add("bad", "1.0", "postinstallcmds = ['false']")
    software.add("killed", "1.0", f"postinstallcmds = ['test -e {flag} || kill -9 $PPID']")
    software.stack(lib_stack("  - bad-1.0.eb: {optional: true}", "  - killed-1.0.eb: {optional: true}"))
    first = software.ok(state="built")
    assert [item["module"] for item in first.output["failed_modules"]] == ["bad/1.0", "killed/1.0"]
    assert "ended by signal 9" in first.output["failed_modules"][1]["reason"]
    flag.touch()
    second = software.ok(state="built")
    assert [item["module"] for item in second.output["failed_modules"]] == ["bad/1.0"]
    assert [line for line in software.progress if "build" in line and "of" in line] == ["killed/1.0: build 1 of 1"]
    before = software.files()
    assert not software.ok(state="built").changed
    assert software.files() == before
    assert software.ok().modules == ["killed/1.0", "lib/1.0", "tool/1.0"]
    assert not software.ok().changed


def test_the_last_good_one_of_an_optional_entry_is_kept(software: Software) -> None:
    software.add("extra", "1.0", "dependencies = [('lib', '1.0')]")
    software.stack(lib_stack("  - extra-1.0.eb: {optional: true}"))
    software.ok()
    software.add("extra", "1.1", "postinstallcmds = ['false']")
    software.stack(lib_stack("  - extra-1.1.eb: {optional: true}"))
    result = software.ok()
    assert {entry["module"]: entry["state"] for entry in result.entries} == {
        "extra/1.0": "kept",
        "lib/1.0": "carried",
        "tool/1.0": "carried",
    }
    assert "the release keeps extra/1.0" in result.warnings[0]
    assert software.shell("module load extra; extra") == "extra 1.0\n"
    assert not software.ok().changed
    software.stack(lib_stack())
    assert software.ok().modules == ["lib/1.0", "tool/1.0"]


def test_a_required_entry_that_fails_publishes_nothing(software: Software) -> None:
    first = software.current
    software.add("bad", "1.0", "postinstallcmds = ['false']")
    software.add("good", "1.0")
    software.stack(lib_stack("  - bad-1.0.eb", "  - good-1.0.eb"))
    result = software.run()
    assert result.failed
    assert [item["name"] for item in result.output["failed_items"]] == ["bad/1.0"]
    assert "bad/1.0" in result.msg
    assert software.current == first
    assert any(path.startswith("good/1.0-") for path in software.installations())
    software.add("bad", "1.0")
    result = software.ok()
    assert result.actions()["bad/1.0"] == "create"
    assert [change["name"] for change in result.changes if change["kind"] == "entry"] == ["bad/1.0"]


def test_a_test_that_fails_publishes_nothing(software: Software) -> None:
    first = software.current
    software.add("tool", "1.1")
    software.stack(lib_stack("  - tool-1.1.eb:", "      tests: [tool | grep 2.0]"))
    result = software.run()
    assert result.failed
    assert "tool/1.1" in result.msg
    assert "tool | grep 2.0" in result.msg
    assert "is not published" in result.msg
    assert software.current == first
    software.stack(lib_stack("  - tool-1.1.eb:", "      tests: [tool | grep 1.1]"))
    assert software.ok().release == software.current != first


def test_missing_sources_are_listed_before_anything_is_built(software: Software) -> None:
    before = software.files()
    software.add("good", "1.0")
    software.add("gone", "1.0", source=False)
    software.add("other", "1.0")
    (software.sources / "other-1.0.tar").write_bytes(b"something else")
    software.stack(lib_stack("  - good-1.0.eb", "  - gone-1.0.eb", "  - other-1.0.eb"))
    result = software.run()
    assert result.failed
    assert result.msg.startswith("Nothing was changed, for 2 reasons:")
    assert f"{software.stack_file}:6: the source gone-1.0.tar of gone/1.0 is missing (SHA256 " in result.msg
    assert f"{software.stack_file}:7: the source other-1.0.tar of other/1.0 has another checksum" in result.msg
    assert software.files() == before
    software.stack(lib_stack("  - gone-1.0.eb: {optional: true}"))
    assert [item["module"] for item in software.ok().output["failed_modules"]] == ["gone/1.0"]


def test_pruning(software: Software) -> None:
    first = software.current
    software.add("tool", "1.1")
    software.stack("easyconfigs:\n  - tool-1.1.eb\n")
    software.ok()
    waiting = software.switch("pruned", keep=1)
    assert not waiting.changed  # it was current until just now
    planned = software.switch("pruned", check=True, keep=1, minimum_age="0s")
    assert any(change["kind"] == "logs" for change in planned.changes)
    assert {
        (change["kind"], change["name"].split("-")[0]) for change in planned.changes if change["kind"] != "logs"
    } == {
        ("release", str(first).split("-")[0]),
        ("store", "lib/1.0"),
        ("store", "tool/1.0"),
    }
    assert planned.bytes > 0
    assert len(software.installations()) == 3
    result = software.switch("pruned", keep=1, minimum_age="0s")
    assert result.changed
    assert [path.split("-")[0] for path in software.installations()] == ["tool/1.1"]
    assert software.shell("module load tool; tool") == "tool 1.1\n"
    assert not software.switch("pruned", keep=1, minimum_age="0s").changed


def test_promotion(software: Software, base_software: Software) -> None:
    software.add("tool", "1.1")
    software.stack(lib_stack("  - tool-1.1.eb"))
    release = software.ok().release
    target = Software(software.folder, software.prefix, software.folder / "production")
    target.make_tree()
    source = {"source": str(software.path)}
    planned = target.switch("promoted", check=True, **source)
    assert [change["kind"] for change in planned.changes] == ["entry"] * 3 + ["module"] * 3 + ["release"]
    result = target.switch("promoted", **source)
    assert (result.changed, result.release, target.current) == (True, release, release)
    assert target.installations() == software.installations()
    assert target.shell("module load tool/1.1; tool") == "tool 1.1\n"
    assert not target.switch("promoted", **source).changed
    older = target.switch("promoted", release=base_software.current, **source)
    assert (older.changed, older.bytes) == (True, 0)


def test_a_run_that_is_killed_is_continued(software: Software) -> None:
    first = software.current
    software.add("slow", "1.0", "postinstallcmds = ['touch %(installdir)s/started && sleep 60']")
    software.stack(lib_stack("  - slow-1.0.eb"))
    running = software.start()
    software.wait_for("store/slow/*/started")
    running.kill()
    assert software.current == first
    software.add("slow", "1.0")
    assert software.ok(when_locked="reject").changed
    assert software.shell("module load slow; slow") == "slow 1.0\n"


def test_of_two_runs_the_second_waits_or_is_rejected(software: Software) -> None:
    flag = software.folder / "go-on"
    wait = f"while ! test -e {flag}; do sleep 0.1; done"
    software.add("slow", "1.0", f"postinstallcmds = ['touch %(installdir)s/started && {wait}']")
    software.stack(lib_stack("  - slow-1.0.eb"))
    first = software.start()
    software.wait_for("store/slow/*/started")
    for patience, way_out in (
        ({"when_locked": "reject"}, "wait for it with `when_locked: wait`, or end it"),
        ({"lock_timeout": 0}, "wait longer with `lock_timeout`, or end it"),
    ):
        rejected = software.run(**patience)
        assert rejected.failed
        assert "another run changes" in rejected.msg
        assert way_out in rejected.msg
    second = software.start()
    flag.touch()
    assert first.wait().changed
    assert not second.wait().changed


def test_info(software: Software) -> None:
    first = software.current
    software.add("tool", "1.1")
    software.stack("easyconfigs:\n  - tool-1.1.eb: {default: true}\n")
    second = software.ok().release
    before = software.files()
    info = software.module("lmod_release_info", keep=1, minimum_age="0s")
    assert not info.failed, info.output
    assert (info.current, info.previous) == (second, first)
    assert [release["id"] for release in info.releases] == [second, first]
    assert [release["modules"] for release in info.releases] == [1, 2]
    assert [entry["module"] for entry in info.content["entries"]] == ["tool/1.1"]
    difference = info.difference
    assert (difference["from"], difference["to"]) == (first, second)
    assert (difference["added"], difference["removed"]) == (["tool/1.1"], ["lib/1.0", "tool/1.0"])
    assert difference["defaults"] == {"tool": [None, "1.1"]}
    assert info.reclaimable["releases"] == [first]
    assert [path.split("-")[0] for path in info.reclaimable["store"]] == ["lib/1.0", "tool/1.0"]
    assert info.reclaimable["bytes"] > 0
    assert software.files() == before
    assert software.module("lmod_release_info", release="20261129T101500Z-0a1b2c3d").failed

    assert software.module("lmod_release_info", digests=True).changed_entries == []
    [tool] = software.path.glob("store/tool/1.1-*/bin/tool")
    tool.write_text("#!/bin/sh\necho changed\n")
    changed = software.module("lmod_release_info", digests=True).changed_entries
    assert [path.split("-")[0] for path in changed] == ["tool/1.1"]
    # Only naming it builds it again, elsewhere.
    assert not software.ok().changed
    rebuilt = software.ok(rebuild=["tool/1.1"])
    assert rebuilt.actions()["tool/1.1"] == "update"
    assert software.shell("module load tool; tool") == "tool 1.1\n"
    assert len(list(software.path.glob("store/tool/1.1-*"))) == 2
    assert not software.ok(rebuild=["tool/1.1"]).changed
