"""`lmod_tree` makes what EasyBuild installed before the first release, without moving a file; real Lmod, no cluster."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils._software.errors import PhaseError
from plugins.module_utils._software.promote import _present_or_missing
from plugins.module_utils._software.tree_layout import TreeLayout
from testbed.software.environment import easybuild
from tests.support.directories import mounts, open_folder, snapshot
from tests.support.modules import Result, Running
from tests.support.release_tree import LMOD
from tests.support.software import BUILD_USER, Software, public_folder, remove
from tests.support.software_tree import SoftwareTree

pytestmark = [mounts, pytest.mark.skipif(not LMOD.exists(), reason="needs Debian's package lmod")]

#: As EasyBuild writes it, in parts.
MODULEFILE = """help([==[

Description
===========
{name}
]==])

whatis([==[Description: {name}]==])

local root = "{root}"

conflict("{name}")
{dependencies}
prepend_path("CMAKE_PREFIX_PATH", root)
prepend_path("PATH", pathJoin(root, "bin"))
setenv("EBROOT{upper}", root)
setenv("EBVERSION{upper}", "{version}")
-- Built with EasyBuild version 4.4.2
"""


class Prefix:
    """What EasyBuild 4 leaves at a prefix: `software`, `modules/all`, links by category, and files of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        (path / "ebfiles_repo").mkdir()
        (path / "software" / ".locks").mkdir(parents=True)

    def install(self, module: str, *dependencies: str) -> Path:
        name, version = module.split("/")
        root = self.path / "software" / name / version
        (root / "bin").mkdir(parents=True)
        (root / "bin" / name).write_text(f"#!/bin/sh\necho {module}\n")
        (root / "bin" / name).chmod(0o755)
        loads = "".join(f'\nif not ( isloaded("{other}") ) then\n    load("{other}")\nend\n' for other in dependencies)
        text = MODULEFILE.format(name=name, version=version, root=root, upper=name.upper(), dependencies=loads)
        modulefile = self.path / "modules" / "all" / name / f"{version}.lua"
        modulefile.parent.mkdir(parents=True, exist_ok=True)
        modulefile.write_text(text)
        category = self.path / "modules" / "tools" / name / f"{version}.lua"
        category.parent.mkdir(parents=True, exist_ok=True)
        category.symlink_to(modulefile)
        self.give()
        return modulefile

    def give(self) -> None:
        """Give everything to the build user, who adopts it if the caller is root."""
        if BUILD_USER is not None:
            chown = ["-exec", "chown", "-h", BUILD_USER, "{}", "+"]
            subprocess.run(["find", str(self.path), "!", "-user", BUILD_USER, *chown], check=True)

    def run(self, check: bool = False, **options: Any) -> Result:
        self.give()
        given = {"path": str(self.path), "adopt": True, "lmod_cmd": str(LMOD), "build_user": BUILD_USER, **options}
        return Running("lmod_tree", given, {**os.environ, "HOME": "/tmp"}, check, True).wait()

    def adopted(self, **options: Any) -> Result:
        result = self.run(**options)
        assert not result.failed, result.output.get("msg")
        return result

    def rejected(self, **options: Any) -> str:
        self.give()
        before = snapshot(self.path)
        result, shown = self.run(**options), self.run(check=True, **options)
        assert result.failed, result.output
        assert shown.output.get("msg") == result.output["msg"]
        assert snapshot(self.path) == before
        return str(result.output["msg"])

    def module(self, command: str, path: str | None = None) -> str:
        """Run `module` as a server does."""
        current = path or str(self.path / "current")
        environment = {
            "PATH": os.environ["PATH"],
            "MODULEPATH": f"{current}/modules/all",
            "LMOD_RC": f"{current}/.lmod/lmodrc.lua",
            "LMOD_CACHED_LOADS": "yes",
            "LMOD_SHORT_TIME": "86400",
            "LMOD_PIN_VERSIONS": "yes",
        }
        script = f'module() {{ eval "$({LMOD} bash "$@")"; }}; {command}'
        done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


@pytest.fixture
def prefix() -> Iterator[Prefix]:
    with open_folder() as folder:
        made = Prefix(folder / "apps")
        made.install("zlib/1.2.11")
        made.install("bzip2/1.0.6")
        made.install("bzip2/1.0.8", "zlib/1.2.11")
        yield made


def test_the_first_release_has_the_modules_and_no_file_has_moved(prefix: Prefix) -> None:
    before = snapshot(prefix.path / "software") | snapshot(prefix.path / "modules")
    shown = prefix.run(check=True)
    assert not (prefix.path / "store").exists()
    made = prefix.adopted()
    assert made.changes == shown.changes
    assert made.output["diff"] == shown.output["diff"]
    assert "3 modules of EasyBuild become the first release; no file is moved" in [
        change["reason"] for change in made.changes
    ]
    assert made.warnings == []
    assert {**snapshot(prefix.path / "software"), **snapshot(prefix.path / "modules")} == before
    listed = prefix.module("module --terse avail 2>&1")
    assert [line for line in listed.splitlines() if not line.endswith((":", "/"))] == [
        "bzip2/1.0.6",
        "bzip2/1.0.8",
        "zlib/1.2.11",
    ]
    assert prefix.module("module load bzip2; bzip2; zlib") == "bzip2/1.0.8\nzlib/1.2.11\n"
    manifest = json.loads((prefix.path / "current" / "manifest.json").read_text())
    assert [entry["module"] for entry in manifest["entries"]] == ["bzip2/1.0.6", "bzip2/1.0.8", "zlib/1.2.11"]
    before = snapshot(prefix.path)
    again = prefix.adopted()
    assert not again.changed
    assert again.changes == []
    assert snapshot(prefix.path) == before


def test_what_was_published_later_stays(prefix: Prefix) -> None:
    prefix.adopted()
    prefix.install("hello/2.12")
    assert not prefix.adopted().changed
    assert "hello" not in prefix.module("module --terse avail 2>&1")


def test_a_promotion_does_not_take_modules_without_their_installations(prefix: Prefix) -> None:
    prefix.adopted()
    with open_folder() as other:
        for name in ("store", "releases", "locks"):
            (other / name).mkdir()
        # Another tree of the same prefix, as a promotion sees it.
        manifest = json.loads((prefix.path / "current" / "manifest.json").read_text())
        entry = manifest["entries"][0]
        with pytest.raises(PhaseError, match=f"{entry['module']} was adopted in .* which is not in the store"):
            _present_or_missing(TreeLayout(str(other)), TreeLayout(str(prefix.path)), entry)


def test_without_consent_nothing_is_adopted_and_a_warning_says_so(prefix: Prefix) -> None:
    made = prefix.adopted(adopt=False)
    assert sorted(os.listdir(prefix.path / "releases")) == []
    assert "set `adopt: true` to make them the first release" in " ".join(made.warnings)


def test_default_versions_are_kept(prefix: Prefix) -> None:
    folder = prefix.path / "modules" / "all" / "bzip2"
    (folder / ".modulerc.lua").write_text('module_version("bzip2/1.0.6", "default")\n')
    prefix.adopted()
    assert prefix.module("module load bzip2; bzip2") == "bzip2/1.0.6\n"


@pytest.mark.parametrize(
    "texts",
    [
        {".modulerc": "#%Module\nmodule-version bzip2/1.0.6 default\n"},
        {".modulerc": "#%Module\nmodule-version bzip2/1.0.6 latest default\n"},
        {".version": "#%Module\nset ModulesVersion 1.0.6\n"},
        {".modulerc.lua": '-- module_version("bzip2/1.0.8", "default")\nmodule_version("bzip2/1.0.6", "default")\n'},
        {
            ".modulerc": "#%Module\nmodule-version bzip2/1.0.8 default\n",
            ".modulerc.lua": 'module_version("bzip2/1.0.6", "default")\n',
        },
    ],
    ids=["tcl", "tcl with more names", "version", "comment", "both"],
)
def test_default_versions_are_those_of_lmod(prefix: Prefix, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (prefix.path / "modules" / "all" / "bzip2" / name).write_text(text)
    shown = prefix.module("module load bzip2; bzip2", path=str(prefix.path))
    assert "bzip2/1.0.6" in shown
    prefix.adopted()
    assert prefix.module("module load bzip2; bzip2") == "bzip2/1.0.6\n"


def test_a_module_that_does_not_load_is_a_warning(prefix: Prefix) -> None:
    prefix.install("broken/1", "no-such/1")
    made = prefix.adopted()
    assert any(warning.startswith("broken/1: ") for warning in made.warnings), made.warnings


def test_an_adoption_that_is_killed_anywhere_leaves_servers_alone_and_is_completed(prefix: Prefix) -> None:
    before = snapshot(prefix.path / "software") | snapshot(prefix.path / "modules")
    tree = SoftwareTree(prefix.path)
    for _kill in tree.kill_everywhere("adopt", lmod_cmd=str(LMOD)):
        assert not (prefix.path / "current").exists()
    prefix.adopted()
    assert prefix.module("module load bzip2; bzip2; zlib") == "bzip2/1.0.8\nzlib/1.2.11\n"
    tree.assert_whole()
    assert snapshot(prefix.path / "software") | snapshot(prefix.path / "modules") == before


def test_an_interrupted_adoption_is_completed(prefix: Prefix) -> None:
    prefix.adopted()
    (prefix.path / "current").unlink()
    assert prefix.adopted().changed
    assert prefix.module("module load bzip2; bzip2") == "bzip2/1.0.8\n"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda prefix: (prefix / "modules/all/bzip2/1.0.7").write_text("#%Module\n"),
            "in Tcl instead of Lua (bzip2/1.0.7)",
        ),
        (
            lambda prefix: (
                (prefix / "modules/all/Core").mkdir()
                or (prefix / "modules/all/Core/gcc.lua").write_text("")
                or ((prefix / "modules/all/Core/GCC").mkdir())
                or (prefix / "modules/all/Core/GCC/9.lua").write_text("")
            ),
            "in folders of a hierarchical naming scheme (Core/GCC/9.lua)",
        ),
        (
            lambda prefix: (prefix / "software/bzip2").rename(prefix / "software/gone"),
            "without an installation (bzip2/1.0.6, bzip2/1.0.8)",
        ),
        (
            lambda prefix: (prefix / "modules/all/bzip2/1.1.lua").symlink_to("/etc/hostname"),
            "links that lead out of the prefix (bzip2/1.1.lua)",
        ),
        (
            lambda prefix: (prefix / "modules/all/bzip2/1.1.lua").write_text('local root = "/usr"\n'),
            "installed outside the prefix",
        ),
        (
            lambda prefix: (prefix / "modules/all/bzip2/1.1@site.lua").write_text(""),
            "with names that no module of a release has (bzip2/1.1@site.lua)",
        ),
    ],
    ids=["tcl", "hierarchical", "lost", "link", "elsewhere", "name"],
)
def test_what_no_release_can_have_is_rejected(prefix: Prefix, spoil: Any, message: str) -> None:
    spoil(prefix.path)
    assert message in prefix.rejected()


@pytest.mark.skipif(BUILD_USER is None, reason="only root can adopt as root")
def test_root_adopts_as_the_build_user(prefix: Prefix) -> None:
    """The checks run modulefiles that others wrote. Once there is a release, nothing is run."""
    for user in (None, "root"):
        assert "which must not run as root: set it to the user that owns the tree" in prefix.rejected(build_user=user)
    prefix.adopted()
    assert not prefix.run(build_user=None).changed


def test_without_lmod_there_is_no_release(prefix: Prefix) -> None:
    assert "/no/lmod cannot be run" in prefix.rejected(lmod_cmd="/no/lmod")


def test_what_the_real_easybuild_installed_is_adopted_replaced_and_comes_back() -> None:
    """EasyBuild's own layout becomes release zero, a stack is built and published beside it, and a rollback leads back."""
    folder = public_folder()
    try:
        software = Software(folder, folder / "apps", folder / "apps")
        software.path.mkdir()
        if BUILD_USER is not None:
            account = pwd.getpwnam(BUILD_USER)
            os.chown(software.path, account.pw_uid, account.pw_gid)
        software.add("lib", "1.0")
        software.add("tool", "1.0", more="dependencies = [('lib', '1.0')]")
        _install_with_easybuild(software, "tool-1.0.eb")
        before = snapshot(software.path / "software") | snapshot(software.path / "modules")
        adopted = software.module("lmod_tree", adopt=True, easybuild=None)
        assert not adopted.failed, adopted.output["msg"]
        assert adopted.warnings == []
        zero = software.current
        assert software.shell("module load tool; tool; lib") == "tool 1.0\nlib 1.0\n"
        assert f"{software.prefix}/software/tool/1.0" in software.shell("module load tool; command -v tool")
        software.stack("easyconfigs:\n  - tool-1.0.eb\n")
        software.ok()
        assert software.current != zero
        assert f"{software.prefix}/store/tool/1.0-" in software.shell("module load tool; command -v tool")
        assert not software.switch("rolled_back").failed
        assert software.current == zero
        assert software.shell("module load tool; tool; lib") == "tool 1.0\nlib 1.0\n"
        assert snapshot(software.path / "software") | snapshot(software.path / "modules") == before
    finally:
        remove(folder)


def _install_with_easybuild(software: Software, easyconfig: str) -> None:
    build = software.folder / "build"
    build.mkdir()
    command = [
        *([] if BUILD_USER is None else ["setpriv", f"--reuid={BUILD_USER}", "--regid=nogroup", "--clear-groups"]),
        *(str(easybuild()), "-m", "easybuild.main", str(software.easyconfigs / easyconfig)),
        *(f"--robot={software.easyconfigs}", f"--sourcepath={software.sources}", f"--installpath={software.path}"),
        *(f"--buildpath={build}", f"--repositorypath={build}/repository", f"--tmpdir={build}"),
    ]
    if BUILD_USER is not None:
        os.chown(build, pwd.getpwnam(BUILD_USER).pw_uid, -1)
    path = f"{easybuild().parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(build), "LMOD_CMD": str(LMOD), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, env=environment, cwd=build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
