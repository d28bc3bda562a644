"""A software tree with small easyconfigs, built by the real EasyBuild once and copied for each test.

The copies are shown at the prefix of the first tree in mount namespaces, so each test has a tree of its own, and no test
builds what another has built.
"""

from __future__ import annotations

import hashlib
import io
import os
import pwd
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.software.environment import LMOD_CMD, easybuild
from tests.support.modules import Result, Running

#: EasyBuild does not run as root.
BUILD_USER = "nobody" if os.geteuid() == 0 else None

_EASYCONFIG = """\
easyblock = 'Tarball'
name = '{name}'
version = '{version}'
homepage = 'https://example.org'
description = "A small program"
toolchain = SYSTEM
sources = ['{source}']
checksums = ['{checksum}']
{more}
sanity_check_paths = {{'files': ['bin/{name}'], 'dirs': []}}
moduleclass = 'tools'
"""


def public_folder() -> Path:
    """Return a new folder that the build user can enter, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="odh-software-", dir="/var/tmp"))
    folder.chmod(0o755)
    return folder


def remove(folder: Path) -> None:
    """Remove a folder with read-only folders in it."""
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
    shutil.rmtree(folder)


class Software:
    """Easyconfigs, their sources, and a tree that is seen at a prefix."""

    def __init__(self, folder: Path, prefix: Path, path: Path) -> None:
        self.folder = folder
        self.prefix = prefix
        self.path = path
        self.easyconfigs = folder / "easyconfigs"
        self.sources = folder / "sources"
        self.stack_file = folder / "stack.yml"
        self.progress_file = folder / "progress"

    def make_tree(self) -> None:
        """Make what lmod_tree makes."""
        for name in ("store", "releases", "locks"):
            (self.path / name).mkdir(parents=True)
        if BUILD_USER is not None:
            account = pwd.getpwnam(BUILD_USER)
            for path in (self.path, *self.path.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)

    def add(self, name: str, version: str, more: str = "", script: str = "", source: bool = True) -> str:
        """Add an easyconfig of a program that prints its name and version, and its source. Return its file name."""
        self.easyconfigs.mkdir(exist_ok=True)
        self.sources.mkdir(exist_ok=True)
        script = script or f"#!/bin/sh\necho {name} {version}\n"
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            # EasyBuild would descend into a folder that is alone.
            for path, text in ((f"bin/{name}", script), ("README", name)):
                member = tarfile.TarInfo(f"{name}-{version}/{path}")
                member.size, member.mode = len(text), 0o755
                archive.addfile(member, io.BytesIO(text.encode()))
        file = f"{name}-{version}.tar"
        if source:
            (self.sources / file).write_bytes(data.getvalue())
        checksum = hashlib.sha256(data.getvalue()).hexdigest()
        text = _EASYCONFIG.format(name=name, version=version, source=file, checksum=checksum, more=more)
        easyconfig = self.easyconfigs / f"{name}-{version}.eb"
        easyconfig.write_text(text, encoding="utf-8")
        return easyconfig.name

    def stack(self, text: str) -> None:
        """Write the stack file."""
        self.stack_file.write_text(text, encoding="utf-8")

    def options(self, **more: Any) -> dict[str, Any]:
        """Return the options of the module for this tree."""
        return {
            "prefix": str(self.prefix),
            "path": str(self.path),
            "build_user": BUILD_USER,
            "easybuild": str(easybuild().parent.parent),
            "lmod_cmd": LMOD_CMD,
            **more,
        }

    def stack_options(self, **more: Any) -> dict[str, Any]:
        """Return the options of a run for the stack."""
        return {
            **self.options(),
            "stack_file": str(self.stack_file),
            "robot_paths": [str(self.easyconfigs)],
            "source_paths": [str(self.sources)],
            "progress_file": str(self.progress_file),
            **more,
        }

    def start(self, check: bool = False, **more: Any) -> Running:
        """Start the module for the stack."""
        options = {name: value for name, value in self.stack_options(**more).items() if value is not None}
        return Running("lmod_release", options, dict(os.environ), check, True)

    def run(self, check: bool = False, **more: Any) -> Result:
        """Run the module for the stack."""
        return self.start(check, **more).wait()

    def ok(self, check: bool = False, **more: Any) -> Result:
        """Run the module for the stack, which must not fail."""
        result = self.run(check, **more)
        assert not result.failed, result.output["msg"]
        return result

    def switch(self, state: str, check: bool = False, **more: Any) -> Result:
        """Run the module for a state that needs no stack."""
        return self.module("lmod_release", check, state=state, **more)

    def module(self, name: str, check: bool = False, **more: Any) -> Result:
        """Run a module on this tree."""
        options = {key: value for key, value in self.options(**more).items() if value is not None}
        return Running(name, options, dict(os.environ), check, True).wait()

    @property
    def progress(self) -> list[str]:
        """The lines of the last run's progress."""
        return self.progress_file.read_text(encoding="utf-8").splitlines()

    @property
    def current(self) -> str | None:
        """The current release."""
        link = self.path / "current"
        return os.readlink(link).rpartition("/")[2] if link.is_symlink() else None

    def installations(self) -> list[str]:
        """Return the complete installations, as NAME/VERSION-HASH."""
        return sorted(
            str(file.parent.parent.relative_to(self.path / "store"))
            for file in self.path.glob("store/*/*/.odh-persistency/entry.json")
        )

    def files(self) -> dict[str, tuple[int, float]]:
        """Return every path of the tree with its inode and time, to see that nothing was written."""
        found = {}
        for parent, folders, files in os.walk(self.path):
            for name in [*folders, *files]:
                status = os.lstat(os.path.join(parent, name))
                found[os.path.join(parent, name)] = (status.st_ino, status.st_mtime)
        return found

    def wait_for(self, pattern: str, within: float = 300) -> None:
        """Wait until the tree has a path."""
        deadline = time.monotonic() + within
        while not any(self.path.glob(pattern)):
            assert time.monotonic() < deadline, f"no {pattern} in {within} s"
            time.sleep(0.05)

    def shell(self, commands: str) -> str:
        """Run commands in a shell of a server: Lmod's, with the tree at its prefix and the environment of servers."""
        script = f"""
            export LMOD_CMD={LMOD_CMD} MODULEPATH={self.prefix}/current/modules/all LMOD_CACHED_LOADS=yes
            export LMOD_RC={self.prefix}/current/.lmod/lmodrc.lua LMOD_SHORT_TIME=86400 LMOD_PIN_VERSIONS=yes HOME=/nowhere
            . {Path(LMOD_CMD).parent.parent}/init/sh
            {commands}
        """
        bind = ["unshare", "--mount", "sh", "-c", f'mount --bind {self.path} {self.prefix} && exec sh -c "$0"', script]
        return subprocess.run(bind, check=True, capture_output=True, text=True).stdout


def lib_stack(*more: str) -> str:
    """Return a stack with the two entries of the base tree, and more lines below `easyconfigs`."""
    tests = """      tests: ["test \\"$(tool)\\" = 'tool 1.0'"]"""
    return "\n".join(["easyconfigs:", "  - lib-1.0.eb", "  - tool-1.0.eb:", tests, *more, ""])


@pytest.fixture(scope="session")
def base_software() -> Iterator[Software]:
    """A tree with a library, and a tool that depends on it."""
    folder = public_folder()
    software = Software(folder, folder / "apps", folder / "base")
    software.prefix.mkdir()
    software.make_tree()
    software.add("lib", "1.0")
    software.add("tool", "1.0", "dependencies = [('lib', '1.0')]")
    software.stack(lib_stack())
    software.ok()
    yield software
    remove(folder)


@pytest.fixture
def software(base_software: Software) -> Iterator[Software]:
    """A copy of the base tree."""
    folder = public_folder()
    software = Software(folder, base_software.prefix, folder / "tree")
    for name in ("easyconfigs", "sources"):
        shutil.copytree(base_software.folder / name, folder / name)
    subprocess.run(["cp", "-a", str(base_software.path), str(software.path)], check=True)
    software.stack(base_software.stack_file.read_text(encoding="utf-8"))
    yield software
    remove(folder)
