"""The phases that plan and build, run alone on a tree of their own with the real EasyBuild."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.software.executor import PhaseFailed
from ansible_collections.odh.persistency.plugins.module_utils._io.software.local import LocalExecutor, LocalSettings

from testbed.software.environment import LMOD_CMD, easybuild
from testbed.software.stack import OPTIONS, DemoStack, build_user, demo_stack, make_tree
from tests.support.software import Software, public_folder, remove

__all__ = ["Phases", "demo", "make_phases", "phases"]


class Phases:
    """A tree, easyconfigs and sources (`software.add`), and the phases for them. `kept` options go to every phase."""

    def __init__(self, software: Software, executor: LocalExecutor) -> None:
        self.software = software
        self.executor = executor
        self.kept: dict[str, Any] = {}
        self.events: list[Mapping[str, Any]] = []

    def run(self, phase: str, **request: Any) -> Any:
        """Run a phase and return its result. Raises PhaseFailed."""
        self.events.clear()
        common = {
            "easybuild_options": dict(OPTIONS),
            "robot_paths": [str(self.software.easyconfigs)],
            "source_paths": [str(self.software.sources)],
            "lmod_cmd": LMOD_CMD,
            "run": "test",
            **self.kept,
        }
        return self.executor.run(phase, {**common, **request}, on_event=self.events.append)

    def resolve(self, *easyconfigs: Any, **request: Any) -> dict[str, Any]:
        """Resolve a stack, which has no errors, and return its entries by module."""
        result = self.run("resolve", easystack=json.dumps({"easyconfigs": list(easyconfigs)}), **request)
        assert result["errors"] == []
        return {entry["module"]: entry for entry in result["entries"]}

    def errors(self, *easyconfigs: Any, **request: Any) -> list[str]:
        """Resolve a stack and return the sentences of its errors."""
        result = self.run("resolve", easystack=json.dumps({"easyconfigs": list(easyconfigs)}), **request)
        return [error["message"] for error in result["errors"]]

    def build(self, entry: Mapping[str, Any], **request: Any) -> dict[str, Any]:
        """Build an entry and return its `entry.json`."""
        return dict(self.run("build", entry=entry, **request)["entry"])

    def build_killed_at(self, entry: Mapping[str, Any], step: str, after: Path | None = None) -> None:
        """Build an entry, and kill -9 the phase, and nothing else, when it reports a step, or then when a file exists."""

        def kill(event: Mapping[str, Any]) -> None:
            if event["step"].startswith(step):
                deadline = time.monotonic() + 60
                while after is not None and not after.exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                for process in psutil.Process().children():
                    if "build" in process.cmdline():
                        process.kill()

        with pytest.raises(PhaseFailed, match="ended without a result"):
            self.executor.run("build", self.request(entry), on_event=kill)

    def request(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request of a build, for a phase that a test starts in its own way."""
        return {
            "easybuild_options": dict(OPTIONS),
            "robot_paths": [str(self.software.easyconfigs)],
            "source_paths": [str(self.software.sources)],
            "lmod_cmd": LMOD_CMD,
            "run": "killed",
            **self.kept,
            "entry": entry,
        }

    def installation(self, entry: Mapping[str, Any]) -> Path:
        """Return the folder of an installation, where this test sees it."""
        return self.software.path / "store" / entry["path"]

    def shell(self, commands: str, *entries: Mapping[str, Any]) -> str:
        """Run commands with the modules of the entries loaded, where the tree is at its prefix."""
        modules = self.software.folder / "modules"
        for entry in entries:
            target = modules / f"{entry['module']}.lua"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((self.installation(entry) / ".odh-persistency/module.lua").read_bytes())
        script = f"""set -e
            export LMOD_CMD={LMOD_CMD} MODULEPATH={modules} HOME=/nowhere
            . {Path(LMOD_CMD).parent.parent}/init/sh
            {commands}
        """
        bind = f'mount --bind {self.software.path} {self.software.prefix} && exec sh -c "$0"'
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", bind, script], check=True, capture_output=True, text=True
        ).stdout


@pytest.fixture(scope="session")
def demo() -> DemoStack:
    """The demo stack, built."""
    return demo_stack()


@pytest.fixture
def phases(make_phases: Callable[..., Phases]) -> Phases:
    """An empty tree."""
    return make_phases()


@pytest.fixture
def make_phases() -> Iterator[Callable[..., Phases]]:
    """Make trees: empty ones, or at `path`, such as a file system of its own."""
    made: list[tuple[Path, LocalExecutor]] = []

    def make(path: Path | None = None, prefix: Path | None = None) -> Phases:
        folder = public_folder()
        software = Software(folder, prefix or folder / "apps", path or folder / "tree")
        software.prefix.mkdir(exist_ok=True)
        for place in (software.easyconfigs, software.sources):
            place.mkdir()
        make_tree(software.path)
        executor = LocalExecutor(
            LocalSettings(str(software.path), str(software.prefix), str(easybuild()), build_user())
        )
        made.append((folder, executor))
        return Phases(software, executor)

    yield make
    for folder, executor in made:
        executor.close()
        remove(folder)


def snapshot(path: Path) -> dict[str, int]:
    """Return every path below a folder and its time, to see that nothing was written."""
    return {
        os.path.join(parent, name): os.lstat(os.path.join(parent, name)).st_mtime_ns
        for parent, folders, files in os.walk(path)
        for name in [*folders, *files]
    }
