"""What Lmod does on a tree of many modules, as strace sees it: a handful of calls with the environment of our servers."""

from __future__ import annotations

from tests.support.lmod_calls import SERVER_SETTINGS, calls
from tests.support.software_tree import *  # noqa: F403
from tests.support.software_tree import SoftwareTree

COMMANDS = ("avail", "--terse avail", "load package7/2.0")
MOST = 12


def test_a_command_makes_a_handful_of_calls_however_many_modules_there_are(software_tree: SoftwareTree) -> None:
    modules = [f"package{number}/{version}.0" for number in range(100) for version in (1, 2, 3)]
    for module in modules:
        software_tree.add(module)
    software_tree.publish(*modules)
    assert len(software_tree.available()) == len(modules)
    for command in COMMANDS:
        assert len(calls(software_tree, command.split())) <= MOST
        assert len(calls(software_tree, command.split(), without=SERVER_SETTINGS)) > 2 * len(modules)
    # The cache alone is not enough: what JupyterLab's tab calls and what loads a module ignore it without LMOD_CACHED_LOADS.
    assert len(calls(software_tree, ["--terse", "avail"], without=["LMOD_CACHED_LOADS"])) > 2 * len(modules)
