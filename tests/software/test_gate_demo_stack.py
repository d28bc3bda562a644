"""What EasyBuild builds passes the gate, with the kernel of a real notebook server, and fails it once it is damaged."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.software.executor import RELEASE
from ansible_collections.odh.persistency.plugins.module_utils._io.software.local import LocalExecutor, LocalSettings

from testbed.software.environment import LMOD_CMD, notebook
from testbed.software.stack import DemoStack, build_user, demo_stack
from tests.support.software import public_folder, remove

ID = "20261129T101500Z-0a1b2c3d"


class Release:
    """The demo stack as a release that is not published."""

    def __init__(self, stack: DemoStack, folder: Path) -> None:
        self.stack, self.path = stack, stack.copy(folder / "tree")
        self.settings = LocalSettings(str(self.path), str(stack.prefix), str(stack.python), build_user())
        entries = [
            {"module": module, "path": entry["path"], "hash": entry["hash"]} for module, entry in stack.entries.items()
        ]
        self.manifest: dict[str, Any] = {"schema": 1, "entries": entries, "defaults": {"hello": "1.0"}, "failed": []}
        self.manifest["tests"] = {"hello/1.0": ["hello"], "tables/1.0": ["tabulate --help"], "UnZip/6.0": ["unzip -v"]}
        self.manifest["collections"] = {"text": ["UnZip/6.0", "tables/1.0"]}

    def installation(self, module: str) -> Path:
        return self.path / "store" / self.stack.entries[module]["path"]

    def verify(self) -> dict[str, Any]:
        with LocalExecutor(self.settings) as executor:
            more = {"run": "gate", "release": ID, "lmod_cmd": LMOD_CMD}
            executor.run("assemble", {**more, "manifest": self.manifest})
            executor.run("cache", more, RELEASE)
            asked = {**more, "scope": "all", "python": str(notebook()), "previous": None}
            result: dict[str, Any] = executor.run("verify", asked, RELEASE)
            return result


@pytest.fixture(scope="module")
def stack() -> DemoStack:
    return demo_stack()


@pytest.fixture
def release(stack: DemoStack) -> Iterator[Release]:
    folder = public_folder()
    yield Release(stack, folder)
    remove(folder)


def test_what_easybuild_built(release: Release) -> None:
    assert release.verify() == {"checked": len(release.stack.entries), "failures": []}


def test_what_is_damaged(release: Release) -> None:
    hello, tables, bzip2 = (release.installation(module) for module in ("hello/1.0", "tables/1.0", "bzip2/1.0.8"))
    for folder in (hello, tables, bzip2):
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    (hello / "bin/hello").write_text("#!/tmp/build/bin/python3\n")
    os.remove(bzip2 / "bin/bzless")
    os.symlink("/var/tmp/odh-persistency-build/bzip2/bin/bzmore", bzip2 / "bin/bzless")
    for packages in tables.glob("lib/python3*/site-packages"):
        (packages / "traitlets.py").write_text("")
    found = release.verify()["failures"]
    assert {(failure["module"], failure["check"]) for failure in found} == {
        ("hello/1.0", "content"),
        ("hello/1.0", "tests"),
        ("bzip2/1.0.8", "content"),
        ("tables/1.0", "kernel"),
    }
