"""Faults between the phases of a run: an environment of EasyBuild whose Python first runs a command of the test.

def test_it(software, phase_hooks):
    phase_hooks.before("publish", "kill -9 $MODULE")
    software.start(easybuild=str(phase_hooks.environment)).process.communicate()
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.software.environment import easybuild
from tests.support.software import public_folder, remove

__all__ = ["PhaseHooks", "phase_hooks"]

#: The module runs `PYTHON -m PACKAGE.mounted_view VIEW PHASE`, and MODULE is its process.
_PYTHON = """#!/bin/sh
for phase; do :; done
hook={folder}/$phase.sh
if [ -f "$hook" ]; then
  mv "$hook" "$hook.done"
  MODULE=$PPID sh "$hook.done" </dev/null >"$hook.log" 2>&1
fi
exec $(cat {folder}/prefix) {python} "$@"
"""


class PhaseHooks:
    """`environment` is what the option `easybuild` takes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.environment = folder, folder / "environment"
        (folder / "prefix").touch()
        python = self.environment / "bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(_PYTHON.format(folder=folder, python=easybuild()))
        python.chmod(0o755)

    def before(self, phase: str, command: str) -> None:
        """Run a command once, before the next phase of this name. It sees $MODULE, the process of the module."""
        (self.folder / f"{phase}.sh").write_text(f"{command}\n")

    def during(self, phase: str, seconds: float, command: str) -> None:
        """Run a command once, seconds after the start of the next phase of this name."""
        self.before(phase, f"( sleep {seconds}; {command} ) &")

    def run_with(self, command: str) -> None:
        """Run all phases with a command that runs another one, such as faketime."""
        (self.folder / "prefix").write_text(command)

    def ran(self, phase: str) -> bool:
        """Whether the command before this phase was run."""
        return not (self.folder / f"{phase}.sh").exists()


@pytest.fixture
def phase_hooks() -> Iterator[PhaseHooks]:
    """Commands before phases; see the docstring of this file."""
    folder = public_folder()
    yield PhaseHooks(folder)
    remove(folder)
