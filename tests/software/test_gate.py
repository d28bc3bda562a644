"""The gate before publication, on real modules and the real Lmod: each check fails for the module that it is about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plugins.module_utils._software.errors import PhaseError
from tests.support.release_tree import *  # noqa: F403
from tests.support.release_tree import ReleaseTree

GOOD = """
prepend_path("PATH", pathJoin(root, "bin"))
setenv("EBROOTTOOL", root)
"""


def ends(file: Path, seconds: float = 10) -> bool:
    """Whether the process whose id is in a file ends soon. A zombie has ended."""
    stat, deadline = Path(f"/proc/{file.read_text().strip()}/stat"), time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if stat.read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_a_good_release_passes(release_tree: ReleaseTree) -> None:
    release_tree.add("zlib/1.3", GOOD, {"lib/libz.so.1": "text"})
    root = release_tree.add(
        "tool/1.0", GOOD + 'depends_on("zlib/1.3")', {"bin/tool": "#!/usr/bin/env bash\necho works\n"}
    )
    (root / "bin/alias").symlink_to("tool")
    (root / "bin/absolute").symlink_to(root / "bin/tool")
    (root / "certificates").symlink_to("/etc/ssl/certs")
    (root / "broken-in-itself").symlink_to("nothing")
    release_tree.add("tool/0.9", GOOD)
    release_tree.manifest.update(
        defaults={"tool": "0.9"},
        tests={"tool/1.0": ['test "$(tool)" = works', "test -n $LOADEDMODULES"]},
        collections={"work": ["zlib/1.3", "tool/1.0"]},
    )
    release_tree.set_default("tool", "0.9")
    assert release_tree.verify() == []


def test_a_truncated_modulefile(release_tree: ReleaseTree) -> None:
    release_tree.add("tool/1.0", GOOD)
    release_tree.add("other/1.0", GOOD)
    path = Path(release_tree.staging.modulefile("tool/1.0"))
    path.write_text(path.read_text()[:-10])
    [(module, check, reason)] = release_tree.verify()
    assert (module, check) == ("tool/1.0", "syntax")
    assert reason.startswith("its modulefile does not parse (line 4: unfinished string")


def test_a_modulefile_that_is_cut_at_the_end_of_a_line(release_tree: ReleaseTree) -> None:
    release_tree.add("tool/1.0", GOOD)
    path = Path(release_tree.staging.modulefile("tool/1.0"))
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    assert release_tree.verify() == [("tool/1.0", "listing", "its modulefile is not the one that the manifest lists")]


def test_a_module_that_the_manifest_does_not_list(release_tree: ReleaseTree) -> None:
    release_tree.add("tool/1.0", GOOD)
    release_tree.add("stray/1.0", GOOD)
    release_tree.write_cache()
    del release_tree.manifest["entries"][1]
    assert release_tree.verify() == [
        ("stray/1.0", "listing", "the release has its modulefile, but the manifest does not list it"),
        ("stray/1.0", "cache", "the spider cache lists it, but the manifest does not"),
    ]


def test_a_modulefile_that_is_missing(release_tree: ReleaseTree) -> None:
    release_tree.add("tool/1.0", GOOD)
    release_tree.add("gone/1.0", GOOD)
    release_tree.write_cache()
    os.remove(release_tree.staging.modulefile("gone/1.0"))
    found = release_tree.verify()
    assert [(module, check) for module, check, _reason in found] == [("gone/1.0", "listing"), ("gone/1.0", "load")]
    assert found[0][2] == f"its modulefile {release_tree.current.modulefile('gone/1.0')} does not exist"


def test_another_default_version(release_tree: ReleaseTree) -> None:
    for version in ("1.0", "2.0"):
        release_tree.add(f"tool/{version}", GOOD)
    release_tree.manifest["defaults"] = {"tool": "1.0"}
    reason = "it is not the default version, as the manifest wants: see .modulerc.lua"
    assert release_tree.verify() == [("tool/1.0", "listing", reason)]


class TestCache:
    """Lmod ignores a cache that it takes for old, and believes one that it takes for valid."""

    def test_a_cache_older_than_its_time_stamp(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", GOOD)
        release_tree.write_cache()
        os.utime(f"{release_tree.staging.cache}/timestamp", (time.time() + 60, time.time() + 60))
        [(module, check, reason)] = release_tree.verify()
        assert (module, check) == ("", "cache")
        assert reason.endswith("is older than its time stamp, so Lmod ignores it")

    def test_a_cache_without_a_module(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", GOOD)
        release_tree.write_cache()
        release_tree.add("late/1.0", GOOD)
        found = release_tree.verify()
        assert ("late/1.0", "cache", "the spider cache lacks it") in found
        assert [check for _module, check, _reason in found] == ["cache", "load"]  # as for users

    def test_a_cache_of_another_path(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", GOOD)
        release_tree.write_cache(release_tree.staging.modules)
        [(module, check, reason)] = release_tree.verify()
        assert (module, check) == ("", "cache")
        assert f"has nothing about {release_tree.current.modules}" in reason

    def test_no_cache(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", GOOD)
        release_tree.write_cache()
        for path in Path(release_tree.staging.cache).glob("spiderT*"):
            path.unlink()
        reason = f"{release_tree.current.cache} has no spider cache, so every load reads the whole tree"
        assert release_tree.verify() == [("", "cache", reason)]


class TestContent:
    """Nothing in an installation points to where it was built."""

    @staticmethod
    def reason(release_tree: ReleaseTree) -> str:
        [(module, check, reason)] = release_tree.verify()
        assert (module, check) == ("tool/1.0", "content")
        return reason

    @pytest.mark.parametrize("target", ["/tmp/build/tool/1.0/data", "../../../../outside", "/home/builder/data"])
    def test_a_link_out_of_the_store(self, release_tree: ReleaseTree, target: str) -> None:
        (release_tree.add("tool/1.0", GOOD) / "data").symlink_to(target)
        assert (
            self.reason(release_tree) == f"its installation points outside of all installations: data links to {target}"
        )

    def test_a_link_to_an_installation_that_is_gone(self, release_tree: ReleaseTree) -> None:
        target = f"{release_tree.tree.store}/other/2.0-0123456789ab/lib"
        (release_tree.add("tool/1.0", GOOD) / "lib").symlink_to(target)
        assert self.reason(release_tree).endswith(f": lib links to {target}, which does not exist")

    def test_a_program_of_a_build_folder(self, release_tree: ReleaseTree) -> None:
        files = {"bin/tool": "#!/tmp/build/venv/bin/python -E\n", "share/example.pl": "#!/usr/local/bin/perl\n"}
        release_tree.add("tool/1.0", GOOD, files)
        assert self.reason(release_tree).endswith(": bin/tool is run by /tmp/build/venv/bin/python")

    @pytest.mark.parametrize(
        ("file", "text"),
        [
            ("libexec/helper", "#!{build}/python\n"),
            ("usr/bin/helper", "#!{build}/python\n"),
            ("bin/helper", "#!/usr/bin/env {build}/python\n"),
            ("bin/helper", "#!/bin/sh\n'''exec' {build}/python3 \"$0\" \"$@\"\n' '''\n"),
            ("lib/python3.11/site-packages/tool/bin/helper", "#! {build}/python\n"),
        ],
    )
    def test_a_script_that_a_program_of_its_build_runs(self, release_tree: ReleaseTree, file: str, text: str) -> None:
        build = "/scratch/odh-persistency-build-1-2-abc/build/tool"
        release_tree.add("tool/1.0", GOOD, {file: text.format(build=build)})
        assert self.reason(release_tree).endswith(f": {file} names its build folder")

    def test_a_script_in_any_folder_that_a_program_below_the_build_path_runs(self, release_tree: ReleaseTree) -> None:
        files = {"libexec/helper": "#!/run/build/python\n", "share/example.sh": "#!/bin/sh\nls /run/build\n"}
        root = release_tree.add("tool/1.0", GOOD, files)
        (root / "lib.so").symlink_to("/run/build/tool/lib.so")
        (root / "lib64").symlink_to("/var/lib/odh-persistency-build-1-2-abc/lib64")
        (root / "resolv.conf").symlink_to("/run/systemd/resolve/resolv.conf")
        [(_module, _check, reason)] = release_tree.verify(build_path="/run/build")
        assert sorted(reason.partition(": ")[2].split(", ")) == [
            "lib.so links to /run/build/tool/lib.so",
            "lib64 links to /var/lib/odh-persistency-build-1-2-abc/lib64",
            "libexec/helper names its build folder",
        ]

    def test_a_program_whose_interpreter_is_gone(self, release_tree: ReleaseTree) -> None:
        python = f"{release_tree.tree.store}/Python/3.11-0123456789ab/bin/python"
        release_tree.add("tool/1.0", GOOD, {"bin/tool": f"#!{python}\n"})
        assert self.reason(release_tree).endswith(f": bin/tool is run by {python}, which does not exist")

    def test_rpaths(self, release_tree: ReleaseTree, tmp_path: Path) -> None:
        def linked(*rpaths: str) -> bytes:
            source, library = tmp_path / "empty.c", tmp_path / "library.so"
            source.write_text("")
            rpath = "-Wl,-rpath," + ":".join(rpaths)
            subprocess.run(["gcc", "-shared", "-o", library, source, rpath], check=True)
            return library.read_bytes()

        good = ["$ORIGIN/../lib", f"{release_tree.tree.store}/zlib/1.3-0123456789ab/lib", "/usr/lib/x86_64-linux-gnu"]
        release_tree.add("good/1.0", GOOD, {"lib/libgood.so.1": linked(*good), "lib/second.so": linked("$ORIGIN")})
        release_tree.add("tool/1.0", GOOD, {"lib/libtool.so.1": linked(*good, "/tmp/build/lib")})
        assert self.reason(release_tree).endswith(": lib/libtool.so.1 has the RPATH /tmp/build/lib")
        release_tree.remove("tool/1.0")
        release_tree.add(
            "tool/1.0", GOOD, {"lib/a.so": linked("$ORIGIN/../../../../lib"), "lib/b.so": linked("$ORIGIN")}
        )
        assert self.reason(release_tree).endswith(": lib/a.so has the RPATH $ORIGIN/../../../../lib")

    def test_an_installation_that_is_missing(self, release_tree: ReleaseTree) -> None:
        root = release_tree.add("tool/1.0", GOOD)
        root.rename(root.with_name("moved"))
        assert self.reason(release_tree) == f"its installation {root} does not exist"


class TestLoad:
    """Modules load alone, and unload clean."""

    def test_a_dependency_that_does_not_exist(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", GOOD + 'depends_on("missing/2")')
        [(module, check, reason)] = release_tree.verify()
        assert (module, check) == ("tool/1.0", "load")
        assert reason == 'it does not load: The following module(s) are unknown: "missing/2"'

    def test_an_error_of_a_modulefile(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", 'if mode() == "load" then LmodError("no licence on this host") end')
        [(module, check, reason)] = release_tree.verify()
        assert (module, check) == ("tool/1.0", "load")
        assert reason == "it does not load: no licence on this host"

    def test_a_load_that_hangs(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", 'if mode() == "load" then os.execute("sleep 1000") end')
        release_tree.add("other/1.0", GOOD)
        start = time.monotonic()
        found = release_tree.verify(limits={"load": 3})
        assert found == [("tool/1.0", "load", "it does not load: did not end within 3 seconds")]
        assert time.monotonic() - start < 30

    def test_an_unload_that_leaves_a_variable(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", GOOD + 'if mode() == "load" then setenv("LEFT", "1") end')
        reason = "its unload does not restore the environment: LEFT stays set"
        assert release_tree.verify() == [("tool/1.0", "unload", reason)]

    def test_an_unload_that_removes_what_was_set(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", 'setenv("TERM", "dumb")\nexecute{cmd="export LEFT=1; f() { :; }", modeA={"load"}}')
        [(module, check, reason)] = release_tree.verify()
        assert (module, check) == ("tool/1.0", "unload")
        assert (
            reason == "its unload does not restore the environment: LEFT stays set, TERM is unset, function f stays set"
        )

    def test_what_a_modulefile_only_loads_may_stay(self, release_tree: ReleaseTree) -> None:
        release_tree.add("zlib/1.3", GOOD)
        release_tree.add("tool/1.0", 'if not isloaded("zlib/1.3") then load("zlib/1.3") end')
        assert release_tree.verify() == []


class TestModuleTests:
    """Commands of `tests` run with the module loaded."""

    def test_a_test_that_fails(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", GOOD, {"bin/tool": "#!/bin/sh\necho no such licence >&2\nexit 3\n"})
        release_tree.manifest["tests"] = {"tool/1.0": ["tool --version", "true"]}
        reason = "the test `tool --version` ended with status 3 (no such licence)"
        assert release_tree.verify() == [("tool/1.0", "tests", reason)]

    def test_a_test_that_hangs(self, release_tree: ReleaseTree, tmp_path: Path) -> None:
        release_tree.add("tool/1.0", GOOD)
        release_tree.manifest["tests"] = {"tool/1.0": [f"sleep 1000 & echo $! >{tmp_path}/pid; wait"]}
        found = release_tree.verify(limits={"test": 1})
        assert [(module, check) for module, check, _reason in found] == [("tool/1.0", "tests")]
        assert found[0][2].endswith("did not end within 1 seconds")
        assert ends(tmp_path / "pid")

    def test_a_test_leaves_nothing_running(self, release_tree: ReleaseTree, tmp_path: Path) -> None:
        release_tree.add("tool/1.0", GOOD)
        release_tree.manifest["tests"] = {"tool/1.0": [f"sleep 1000 & echo $! >{tmp_path}/pid"]}
        assert release_tree.verify() == []
        assert ends(tmp_path / "pid")


def test_a_gate_that_is_killed_leaves_nothing_running(release_tree: ReleaseTree, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    release_tree.add("tool/1.0", GOOD)
    release_tree.manifest["tests"] = {"tool/1.0": [f"sleep 1000 & echo $! >{pid}; wait"]}
    release_tree.write_manifest()
    release_tree.write_cache()
    code = (
        "import json, sys; from plugins.module_utils._software import verify; verify.run(json.load(sys.stdin), print)"
    )
    request = release_tree.request(limits={"test": 1})
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, text=True) as gate:
        assert gate.stdin is not None
        gate.stdin.write(json.dumps(request))
        gate.stdin.close()
        while not pid.exists() or not pid.read_text():
            assert gate.poll() is None
            time.sleep(0.02)
        gate.kill()
    assert ends(pid, 20)


class TestCollections:
    """Collections of the stack restore."""

    def test_a_module_that_the_release_lacks(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", GOOD)
        release_tree.manifest["collections"] = {"work": ["tool/1.0", "gone/2.0"]}
        reason = "collection work needs it, but the release does not have it"
        assert release_tree.verify() == [("gone/2.0", "collections", reason)]

    def test_modules_that_exclude_each_other(self, release_tree: ReleaseTree) -> None:
        release_tree.add("tool/1.0", GOOD)
        release_tree.add("rival/1.0", 'conflict("tool")')
        release_tree.manifest["collections"] = {"work": ["tool/1.0", "rival/1.0"]}
        [(module, check, reason)] = release_tree.verify()
        assert (module, check) == ("", "collections")
        assert reason.startswith('collection work does not load: Cannot load module "rival/1.0"')


class TestScope:
    """With `changed`, only what changed and what depends on it is loaded."""

    @staticmethod
    def checked(release_tree: ReleaseTree, previous: dict[str, object] | None) -> int:
        release_tree.write_manifest()
        return release_tree.result(scope="changed", previous=release_tree.write_previous(previous))["checked"]

    def test_dependents_are_loaded(self, release_tree: ReleaseTree) -> None:
        release_tree.add("zlib/1.3", GOOD)
        release_tree.add("tool/1.0", GOOD + 'depends_on("zlib/1.3")')
        release_tree.add("app/1.0", GOOD + 'load("tool")')
        release_tree.add("other/1.0", GOOD)
        assert self.checked(release_tree, None) == 4
        same = json.loads(json.dumps(release_tree.manifest))
        assert self.checked(release_tree, same) == 0
        old = json.loads(json.dumps(release_tree.manifest))
        old["entries"][0]["hash"] = "1" * 64
        assert self.checked(release_tree, old) == 3
        old = json.loads(json.dumps(release_tree.manifest))
        old["entries"].append({**old["entries"][1], "module": "tool/2.0"})
        assert self.checked(release_tree, old) == 1
        old = json.loads(json.dumps(release_tree.manifest))
        release_tree.manifest["tests"] = {"other/1.0": ["true"]}
        assert self.checked(release_tree, old) == 1

    def test_a_gate_keeps_other_runs_out(self, release_tree: ReleaseTree, tmp_path: Path) -> None:
        lock = tmp_path / "lock"
        release_tree.add("tool/1.0", GOOD)
        release_tree.manifest["tests"] = {"tool/1.0": [f"cp {release_tree.tree.run_lock} {lock}"]}
        assert release_tree.verify(run="first") == []
        assert json.loads(lock.read_text())["run"] == "first"
        assert not os.path.exists(release_tree.tree.run_lock)

    def test_an_unknown_scope(self, release_tree: ReleaseTree) -> None:
        with pytest.raises(PhaseError, match="the scope some is unknown: it is changed or all"):
            release_tree.verify(scope="some")
