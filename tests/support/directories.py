"""`share_directory` and the real file system it works on; no cluster. Fixtures: directory_fixtures.py."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import Result, Running

#: Someone without any right but their own, in one more group than their own.
USER, GROUP, TEAM = 54321, 54321, 54400
SOMEBODY = [USER, GROUP, [GROUP, TEAM]]


ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="runs as root in test_all_of_this_as_root")

DATA = {"name": "shared-data", "directory": "shared-data", "gid": 5000, "directories": ["cases", "deep/er"]}
NOTES = {"name": "notes", "directory": "teams/notes", "owner": 1000, "mode": "0750"}
SHARES = [DATA, NOTES]
#: What these two are to be, made by root.
MADE = {
    "shared-data": "2770 0:5000",
    "shared-data/cases": "2770 0:5000",
    "shared-data/deep": "2770 0:5000",
    "shared-data/deep/er": "2770 0:5000",
    "teams": "0755 0:0",
    "teams/notes": "0750 1000:0",
}


def _may_mount() -> bool:
    """Whether file systems can be mounted here, which root in a container often may not."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return ROOT and subprocess.run(command, capture_output=True).returncode == 0


mounts = pytest.mark.skipif(not _may_mount(), reason="nothing can be mounted here, or only by root")


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder of a test's own that everybody may enter, which pytest's tmp_path is not."""
    folder = Path(tempfile.mkdtemp(prefix="odhp-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def snapshot(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Everything in a folder and the folder itself, with all that a change would leave a trace in."""
    paths = [folder, *(Path(above) / name for above, dirs, files in os.walk(folder) for name in dirs + files)]
    found = {}
    for path in paths:
        seen = path.lstat()
        found[str(path)] = (
            seen.st_ino,
            seen.st_mode,
            seen.st_uid,
            seen.st_gid,
            seen.st_nlink,
            seen.st_size,
            seen.st_mtime_ns,
            seen.st_ctime_ns,
        )
    return found


def attributes(folder: Path) -> dict[str, str]:
    """The directories below a folder, as `2770 0:5000`."""
    found = {}
    for above, names, _files in os.walk(folder):
        for name in names:
            path = Path(above) / name
            seen = path.lstat()
            if stat.S_ISDIR(seen.st_mode):
                reported = f"{stat.S_IMODE(seen.st_mode):04o} {seen.st_uid}:{seen.st_gid}"
                found[str(path.relative_to(folder))] = reported
    return found


class Directories:
    """Runs `share_directory` over one root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def start(
        self,
        shares: list[dict[str, Any]],
        *,
        check: bool = False,
        how: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
        **options: Any,
    ) -> Running:
        """Start it; `how` is what run_module.py takes."""
        shares = [{"level": "public", **share} for share in shares]
        given = {"path": str(self.root), "shares": shares, **options}
        # One's home may be closed to whom the module runs as.
        chosen = {**os.environ, "HOME": "/tmp", **(environment or {})}
        return Running("share_directory", given, chosen, check, True, how)

    def run(self, shares: list[dict[str, Any]], **how: Any) -> Result:
        return self.start(shares, **how).wait()

    def ok(self, shares: list[dict[str, Any]], **how: Any) -> Result:
        """Run it; it must not fail."""
        result = self.run(shares, **how)
        assert not result.failed, result.output.get("msg")
        return result

    def refused(self, shares: list[dict[str, Any]], **how: Any) -> str:
        """Run it; it must fail, and leave no trace. Check mode must say the same. Returns its message."""
        before = snapshot(self.root) if self.root.is_dir() else {}
        result = self.run(shares, **how)
        assert result.failed, result.output
        assert result.output["changed"] is False
        shown = self.run(shares, **{**how, "check": True})
        assert shown.failed, shown.output
        assert shown.output["msg"] == result.output["msg"]
        if before:
            assert snapshot(self.root) == before
        return str(result.output["msg"])


def with_sudo(tests: str) -> None:
    """Run a test file again as root. Skips the test if root is not available."""
    if not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode:
        pytest.skip("needs root, or sudo without a password")
    run_as_root(tests, ["sudo", "-n"])


def run_as_root(tests: str, sudo: list[str]) -> None:
    """Run a test file once more, as root; for tests that are run by somebody else."""
    kept = [f"{name}={os.environ[name]}" for name in ("PATH", "PYTHONPATH", "LC_ALL") if name in os.environ]
    command = [*sudo, "env", *kept, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", tests]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@contextmanager
def mounted(where: Path, *arguments: str) -> Iterator[Path]:
    """Something mounted at a folder: `mounted(folder, "-t", "tmpfs", "none")`."""
    where.mkdir(exist_ok=True)
    subprocess.run(["mount", *arguments, str(where)], check=True, capture_output=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True, capture_output=True)
