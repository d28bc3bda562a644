"""The phase `resolve` on the real EasyBuild: what it finds, what changes a hash, and what it says of errors."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.software.executor import PhaseFailed

from testbed.software.sources import EASYCONFIGS, sources
from testbed.software.stack import DemoStack
from tests.support.phases import *  # noqa: F403
from tests.support.phases import Phases, snapshot

BZIP2 = "ab5a03176ee106d3f0fa90e381da478ddae405918153cca248e682cd0c4a2269"


def test_stock_easyconfigs_and_our_own(phases: Phases) -> None:
    phases.kept = {"robot_paths": [str(EASYCONFIGS)], "source_paths": [str(sources())]}
    before = snapshot(phases.software.path)
    entries = phases.resolve("tables-1.0.eb", "UnZip-6.0.eb", "hello-1.0.eb")
    assert snapshot(phases.software.path) == before
    assert list(entries).index("bzip2/1.0.8") < list(entries).index("UnZip/6.0")
    assert {module: entry["requested"] for module, entry in entries.items()} == {
        "tables/1.0": True,
        "bzip2/1.0.8": False,
        "UnZip/6.0": True,
        "hello/1.0": True,
    }
    unzip, bzip2 = entries["UnZip/6.0"], entries["bzip2/1.0.8"]
    assert unzip["dependencies"] == ["bzip2/1.0.8"]
    assert unzip["build_dependencies"] == []  # filtered
    assert unzip["inputs"]["dependencies"] == {"bzip2/1.0.8": bzip2["hash"]}
    assert bzip2["path"] == f"bzip2/1.0.8-{bzip2['hash'][:12]}"
    assert bzip2["sources"][0] == {
        "file": "bzip2-1.0.8.tar.gz",
        "sha256": BZIP2,
        "found": str(sources() / "bzip2-1.0.8.tar.gz"),
        "valid": True,
        "urls": ["https://sourceware.org/pub/bzip2/bzip2-1.0.8.tar.gz"],
    }
    assert [(item["file"], item["valid"]) for item in bzip2["sources"]][1:] == [("bzip2-1.0.8-pkgconfig.patch", True)]
    # Of an extension.
    assert [(item["file"], item["valid"]) for item in entries["tables/1.0"]["sources"]] == [
        ("tabulate-0.9.0-py3-none-any.whl", True)
    ]


def test_the_store_is_known(phases: Phases, demo: DemoStack) -> None:
    """What is in the store needs no sources."""
    demo.copy(phases.software.path, ["bzip2/1.0.8"])
    phases.kept = {"robot_paths": [str(EASYCONFIGS)], "source_paths": ["/nonexistent"]}
    entries = phases.resolve("bzip2-1.0.8.eb", "UnZip-6.0.eb")
    assert entries["bzip2/1.0.8"]["path"] == demo.entries["bzip2/1.0.8"]["path"]
    assert entries["bzip2/1.0.8"]["sources"] == []
    assert entries["UnZip/6.0"]["sources"][0]["found"] is None
    rebuilt = phases.resolve("bzip2-1.0.8.eb", rebuild=["bzip2/1.0.8"])["bzip2/1.0.8"]
    assert rebuilt["path"] == entries["bzip2/1.0.8"]["path"]
    assert rebuilt["sources"][0]["file"] == "bzip2-1.0.8.tar.gz"


def test_each_input_that_changes_a_build_changes_the_hash(phases: Phases) -> None:
    software = phases.software
    software.add("lib", "1.0", "patches = ['lib.patch']")
    software.add("tool", "1.0", "dependencies = [('lib', '1.0')]")
    software.add("other", "1.0")
    patch = software.easyconfigs / "lib.patch"
    patch.write_text("one\n")
    names = ("lib-1.0.eb", "tool-1.0.eb", "other-1.0.eb")

    def changed(**request: object) -> set[str]:
        """Return the modules whose hash is another one than at first."""
        now = phases.resolve(*names, **request)
        return {module for module in now if now[module]["hash"] != first[module]["hash"]}

    first = phases.resolve(*names)
    assert phases.resolve(*reversed(names))["tool/1.0"]["hash"] == first["tool/1.0"]["hash"]
    assert changed(easybuild_options={"optarch": "Intel:march=native"}) == {"lib/1.0", "tool/1.0", "other/1.0"}
    assert changed(easybuild_options={"rpath": True}) == {"lib/1.0", "tool/1.0", "other/1.0"}
    assert changed(easybuild_options={"filter-deps": ["binutils", "zlib"], "parallel": 2}) == set()

    hooks = software.easyconfigs / "hooks.py"
    hooks.write_text("def start_hook(): pass\n")
    hooked = phases.resolve(*names, easybuild_options={"hooks": str(hooks)})
    hooks.write_text("def end_hook(): pass\n")
    changed_hooks = phases.resolve(*names, easybuild_options={"hooks": str(hooks)})
    assert len({item["other/1.0"]["hash"] for item in (first, hooked, changed_hooks)}) == 3

    patch.write_text("another\n")
    assert changed() == {"lib/1.0", "tool/1.0"}
    patch.write_text("one\n")

    easyconfig = software.easyconfigs / "tool-1.0.eb"
    text = easyconfig.read_text()
    easyconfig.write_text(f"# a comment\n\n{text}")
    assert changed() == set()
    easyconfig.write_text(text + "postinstallcmds = ['true']\n")
    assert changed() == {"tool/1.0"}


def test_options_of_an_entry_are_for_it_and_for_what_it_brings(phases: Phases) -> None:
    phases.software.add("lib", "1.0")
    phases.software.add("tool", "1.0", "dependencies = [('lib', '1.0')]")
    phases.software.add("other", "1.0")
    plain = phases.resolve("tool-1.0.eb", "other-1.0.eb")
    # The shape of EESSI's stacks.
    mixed = phases.resolve({"tool-1.0.eb": {"options": {"rpath": True, "rebuild": True}}}, "other-1.0")
    assert mixed["tool/1.0"]["options"] == {"rpath": True}
    assert {module for module in plain if plain[module]["hash"] != mixed[module]["hash"]} == {"lib/1.0", "tool/1.0"}


def test_own_options_of_an_entry_win(phases: Phases) -> None:
    phases.software.add("base", "1.0")
    phases.software.add("lib", "1.0", "dependencies = [('base', '1.0')]")
    phases.software.add("tool", "1.0", "dependencies = [('lib', '1.0')]")
    first, last = {"options": {"rpath": True}}, {"options": {"optarch": "x"}}
    for entries in (
        [{"lib-1.0.eb": first}, "tool-1.0.eb", "base-1.0.eb"],
        [{"tool-1.0.eb": last}, "base-1.0.eb", {"lib-1.0.eb": first}],
    ):
        found = phases.resolve(*entries)
        assert list(found) == ["base/1.0", "lib/1.0", "tool/1.0"]
        expected = last if {"tool-1.0.eb": last} in entries else {"options": {}}
        options = {module: entry["options"] for module, entry in found.items()}
        assert options == {"base/1.0": {}, "lib/1.0": first["options"], "tool/1.0": expected["options"]}
        assert found["tool/1.0"]["inputs"]["options"]["optarch"] == expected["options"].get("optarch", "GENERIC")
        assert all(entry["requested"] for entry in found.values())


@pytest.mark.parametrize("options", [{}, {"options": {"rpath": True}}], ids=str)
def test_two_easyconfigs_of_one_module(phases: Phases, options: dict[str, object]) -> None:
    phases.software.add("tool", "1.0")
    folder = phases.software.easyconfigs
    (folder / "my-tool.eb").write_text((folder / "tool-1.0.eb").read_text())
    assert phases.errors("tool-1.0.eb", {"my-tool.eb": options} if options else "my-tool.eb") == [
        "my-tool.eb: its module tool/1.0 is already that of tool-1.0.eb: remove one of the two"
    ]


def test_what_an_easyconfig_does_with_python_changes_no_hash(phases: Phases) -> None:
    more = "import os\nlocal_home = os.environ['HOME']\npreconfigopts = 'HOME=%s ' % os.environ['HOME']\n"
    phases.software.add("tool", "1.0", more + "def local_function(): pass\nfunction = local_function\n")
    [one], [other] = (phases.resolve("tool-1.0.eb").values() for _time in range(2))
    assert one["hash"] == other["hash"]


def test_every_easyconfig_with_an_error_is_named(phases: Phases) -> None:
    software = phases.software
    software.add("good", "1.0")
    software.add("needs", "1.0", "dependencies = [('absent', '7')]")
    software.add("syntax", "1.0", "sources = [")
    software.add("raises", "1.0", "1 / 0")
    software.add("typo", "1.0", "dependencys = []")
    software.add("block", "1.0")
    software.add("system", "1.0", "osdependencies = ['no-such-package-anywhere']")
    software.add("dots", "1.0")
    dots = software.easyconfigs / "dots-1.0.eb"
    dots.write_text(dots.read_text().replace("version = '1.0'", "version = '../../1.0'"))
    file = software.easyconfigs / "block-1.0.eb"
    file.write_text(file.read_text().replace("Tarball", "NoSuchBlock"))
    names = ["good", "goood", "needs", "syntax", "raises", "typo", "block", "system", "dots"]
    result = phases.run("resolve", easystack=json.dumps({"easyconfigs": [f"{name}-1.0.eb" for name in names]}))
    assert [entry["module"] for entry in result["entries"]] == ["good/1.0"]
    errors = {error["easyconfig"]: error["message"] for error in result["errors"]}
    assert sorted(errors) == sorted(f"{name}-1.0.eb" for name in names[1:])
    assert errors["goood-1.0.eb"].startswith("goood-1.0.eb: there is no such easyconfig in ")
    assert "(did you mean good-1.0.eb?): correct the name, or add its folder to `robot_paths`" in errors["goood-1.0.eb"]
    assert "absent/7" in errors["needs-1.0.eb"]
    assert "NoSuchBlock" in errors["block-1.0.eb"]
    assert "no-such-package-anywhere" in errors["system-1.0.eb"]
    assert "may only have letters, digits, '.', '_', '+' and '-'" in errors["dots-1.0.eb"]
    for name, message in errors.items():
        assert message.startswith(f"{name}: ")
        assert "\n" not in message
        assert message.count(name) == 1


def test_missing_and_wrong_sources_are_all_listed(phases: Phases) -> None:
    software = phases.software
    software.add("absent", "1.0", "source_urls = ['https://example.org/files/']", source=False)
    software.add("wrong", "1.0")
    (software.sources / "wrong-1.0.tar").write_bytes(b"something else")
    software.add("ok", "1.0")
    entries = phases.resolve("absent-1.0.eb", "wrong-1.0.eb", "ok-1.0.eb")
    [absent], [wrong], [right] = (entries[f"{name}/1.0"]["sources"] for name in ("absent", "wrong", "ok"))
    assert (absent["file"], absent["found"], absent["valid"]) == ("absent-1.0.tar", None, None)
    assert absent["urls"] == ["https://example.org/files/absent-1.0.tar"]
    assert len(absent["sha256"]) == 64
    assert (wrong["valid"], right["valid"]) == (False, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"installpath": "/tmp"}, "the EasyBuild option installpath belongs to the collection: remove it"),
        ({"robot_paths": "/tmp"}, "the EasyBuild option robot-paths belongs to the collection: remove it"),
        # EasyBuild would take the start of a name.
        ({"optarc": "x"}, "EasyBuild 5.4.1 has no option optarc: correct its name"),
        ({"no-such-option": "x"}, "EasyBuild 5.4.1 rejects an option (no such option: --no-such-option): correct "),
    ],
)
def test_options_that_do_not_work(phases: Phases, options: dict[str, str], message: str) -> None:
    phases.software.add("good", "1.0")
    with pytest.raises(PhaseFailed) as error:
        phases.resolve("good-1.0.eb", easybuild_options=options)
    assert str(error.value).startswith(message)
    assert error.value.kind == "rejected"


def test_the_build_folder_is_not_on_the_tree(phases: Phases) -> None:
    phases.software.add("good", "1.0")
    with pytest.raises(PhaseFailed, match="is on the tree: set `build_path` to a folder of this machine"):
        phases.resolve("good-1.0.eb", build_path=f"{phases.software.prefix}/store")


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can try to build as root")
def test_nothing_runs_as_root(phases: Phases) -> None:
    phases.software.add("good", "1.0")
    phases.executor.account = None
    before = snapshot(phases.software.path)
    for phase in ("resolve", "build"):
        with pytest.raises(PhaseFailed, match="EasyBuild does not run as root: set `build_user`"):
            phases.run(phase, easystack="easyconfigs: [good-1.0.eb]", entry={})
    assert snapshot(phases.software.path) == before


def test_settings_of_the_host_change_nothing(phases: Phases, monkeypatch: pytest.MonkeyPatch) -> None:
    phases.software.add("good", "1.0")
    first = phases.resolve("good-1.0.eb")
    monkeypatch.setenv("EASYBUILD_OPTARCH", "Intel:march=native")
    monkeypatch.setenv("EASYBUILD_SUBDIR_SOFTWARE", "elsewhere")
    plain = phases.executor._environment()
    monkeypatch.setattr(phases.executor, "_environment", lambda: {**os.environ, **plain})
    assert phases.resolve("good-1.0.eb") == first
