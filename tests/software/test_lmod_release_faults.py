"""`lmod_release` is killed, loses its volume, and finds a broken modulefile or a wrong clock: `current` stays whole, the next
run goes on, and servers that load modules all the time notice nothing.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from plugins.module_utils._software.tree_layout import STAGING_PREFIX, TreeLayout
from tests.support.clock import skewed_clock
from tests.support.modules import Running
from tests.support.phase_hooks import *  # noqa: F403
from tests.support.phase_hooks import PhaseHooks
from tests.support.repeated import Repeated
from tests.support.software import *  # noqa: F403
from tests.support.software import Software, lib_stack
from tests.support.software_tree import assert_whole
from tests.support.volume import *  # noqa: F403
from tests.support.volume import Volume

KILL = "kill -9 $MODULE"
#: The phases of a run that builds and publishes, before the new release is current.
PHASES = ("observe", "resolve", "lock", "build", "assemble", "cache", "verify", "publish")


@contextmanager
def servers(software: Software) -> Iterator[None]:
    """Servers that load a module again and again, in new shells."""

    def load() -> None:
        assert software.shell("module load tool/1.0; tool; module -t list 2>&1") == "tool 1.0\nlib/1.0\ntool/1.0\n"

    with Repeated(load):
        yield


def whole(software: Software) -> None:
    assert_whole(TreeLayout(str(software.path)))


def new_version(software: Software, more: str = "") -> str | None:
    """Let the stack want one more version, and return the current release."""
    software.add("tool", "1.1", f"dependencies = [('lib', '1.0')]\n{more}")
    software.stack(lib_stack("  - tool-1.1.eb: {default: true, tests: [tool]}"))
    return software.current


def killed(software: Software, hooks: PhaseHooks, phase: str, **options: object) -> None:
    """Run the module until it is killed around a phase."""
    running = software.start(easybuild=str(hooks.environment), **options)
    running.process.communicate(timeout=300)
    assert hooks.ran(phase), phase
    assert running.process.returncode == -9, phase


def test_kill_9_before_and_in_each_phase(software: Software, phase_hooks: PhaseHooks) -> None:
    first = new_version(software)
    with servers(software):
        for phase in PHASES:
            phase_hooks.before(phase, KILL)
            killed(software, phase_hooks, phase)
            whole(software)
            assert software.current == first, phase
        # The entry is built. What is left takes parts of a second.
        for phase, seconds in (("resolve", 0.3), ("cache", 0.05), ("verify", 0.1)):
            phase_hooks.during(phase, seconds, KILL)
            killed(software, phase_hooks, phase)
            whole(software)
            assert software.current == first, phase
        phase_hooks.before("unlock", KILL)
        killed(software, phase_hooks, "unlock")
        whole(software)
        assert software.current != first
        result = software.ok(when_locked="reject")
        assert not result.changed
    assert software.shell("module load tool; tool") == "tool 1.1\n"
    assert [path.split("-")[0] for path in software.installations()] == ["lib/1.0", "tool/1.0", "tool/1.1"]
    assert not list(software.path.glob(f"releases/{STAGING_PREFIX}*"))


def test_kill_9_while_it_builds(software: Software, phase_hooks: PhaseHooks) -> None:
    # Still building when it is killed, however fast the machine is.
    first = new_version(software, "postinstallcmds = ['sleep 4']")
    with servers(software):
        for seconds in (0.5, 2):
            phase_hooks.during("build", seconds, KILL)
            killed(software, phase_hooks, "build")
            whole(software)
            assert software.current == first
        software.ok(when_locked="reject")
        whole(software)
    assert software.shell("module load tool; tool") == "tool 1.1\n"


def test_kill_9_while_it_rolls_back_and_prunes(software: Software, phase_hooks: PhaseHooks) -> None:
    first = new_version(software)
    second = software.ok().release
    hooked = {"easybuild": str(phase_hooks.environment)}

    def kill_at(phase: str, **options: object) -> None:
        phase_hooks.before(phase, KILL)
        arguments = {name: value for name, value in software.options(**options, **hooked).items() if value is not None}
        running = Running("lmod_release", arguments, dict(os.environ), False, False)
        running.process.communicate(timeout=300)
        assert phase_hooks.ran(phase)
        assert running.process.returncode == -9
        whole(software)

    with servers(software):
        kill_at("roll_back", state="rolled_back")
        assert software.current == second
        kill_at("unlock", state="rolled_back")
        assert software.current == first
        software.switch("rolled_back", release=second)
        kill_at("prune", state="pruned", keep=1, minimum_age="0s")
        kill_at("unlock", state="pruned", keep=1, minimum_age="0s")
        assert software.current == second
        assert not software.switch("pruned", keep=1, minimum_age="0s").changed
    assert [path.name for path in (software.path / "releases").glob("2*")] == [second]


def test_a_modulefile_that_is_truncated(software: Software, phase_hooks: PhaseHooks) -> None:
    first = new_version(software)
    modulefile = f"{software.path}/releases/{STAGING_PREFIX}*/modules/all/tool/1.1.lua"
    with servers(software):
        for phase in ("cache", "verify"):
            phase_hooks.before(phase, f"chmod u+w {modulefile}; truncate -s 150 {modulefile}")
            result = software.run(easybuild=str(phase_hooks.environment))
            assert result.failed
            assert "- tool/1.1: its modulefile does not parse (line " in result.msg
            assert software.current == first
            whole(software)
        assert software.ok().changed
        whole(software)
    assert software.shell("module load tool; tool") == "tool 1.1\n"


def test_a_modulefile_of_the_store_that_is_truncated(software: Software) -> None:
    first = new_version(software)
    software.ok(state="built")
    [modulefile] = software.path.glob("store/tool/1.1-*/.odh-persistency/module.lua")
    os.chmod(modulefile, 0o644)
    os.truncate(modulefile, 150)
    result = software.run()
    assert result.failed
    assert "the modulefile of store entry tool/1.1-" in result.msg
    assert "changed since it was built: build it again with `rebuild`" in result.msg
    assert software.current == first
    assert software.ok(rebuild=["tool/1.1"]).changed
    whole(software)
    assert software.shell("module load tool; tool") == "tool 1.1\n"


@pytest.mark.parametrize("days", [-3, 3])
def test_a_builder_whose_clock_is_wrong(
    software: Software, phase_hooks: PhaseHooks, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    # Of the module, its phases and EasyBuild. Files get their times from the kernel, as from a file server.
    settings = {"LD_PRELOAD": str(skewed_clock(phase_hooks.folder)), "CLOCK_SKEW": str(days * 86400)}
    phase_hooks.run_with("env " + " ".join(f"{name}={value}" for name, value in settings.items()))
    hooked = {"easybuild": str(phase_hooks.environment)}
    first = new_version(software)
    with servers(software):
        with monkeypatch.context() as patched:
            for name, value in settings.items():
                patched.setenv(name, value)
            second = software.ok(**hooked).release
            assert software.current == second
            assert (str(second) < str(first)) == (days < 0)
            assert not software.ok(**hooked).changed
        whole(software)
        assert software.shell("module load tool; tool") == "tool 1.1\n"
        assert not software.ok().changed
        assert software.switch("rolled_back").release == first
        assert software.switch("rolled_back", release=second).release == second
        software.add("tool", "1.2")
        software.stack(lib_stack("  - tool-1.2.eb"))
        third = software.ok()
        assert (third.previous, software.current) == (second, third.release)
        whole(software)


class TestLostVolume:
    """The volume of the tree goes away."""

    @pytest.fixture
    def on_volume(self, software: Software, volume: Volume) -> Software:
        """The tree on a volume of its own."""
        path = volume.path / "tree"
        subprocess.run(["cp", "-a", software.path, path], check=True)
        os.sync()
        found = Software(software.folder, software.prefix, path)
        new_version(found)
        return found

    def test_before_and_in_the_run(self, on_volume: Software, volume: Volume, phase_hooks: PhaseHooks) -> None:
        first = on_volume.current
        volume.unmount()
        result = on_volume.run()
        assert result.failed
        assert f"path: the directory {on_volume.path} does not exist" in result.msg
        assert not list(volume.path.iterdir())
        volume.mount()
        for phase in ("build", "assemble", "cache", "verify", "publish", "unlock"):
            phase_hooks.before(phase, volume.command_that_loses_it)
            result = on_volume.start(easybuild=str(phase_hooks.environment)).wait(600)
            assert phase_hooks.ran(phase)
            volume.recover()
            whole(on_volume)
            if phase != "unlock":
                assert result.failed, phase
                assert len(result.msg.splitlines()) <= 3, result.msg
                assert on_volume.current == first
        assert on_volume.current != first
        assert not on_volume.ok(when_locked="reject").changed
        assert on_volume.shell("module load tool; tool") == "tool 1.1\n"

    def test_the_directory_below_is_left_alone(
        self, on_volume: Software, volume: Volume, phase_hooks: PhaseHooks
    ) -> None:
        phase_hooks.before("assemble", f"umount --lazy {volume.path}")
        result = on_volume.run(easybuild=str(phase_hooks.environment))
        assert result.failed
        assert not list(volume.path.iterdir())
        volume.mount()
        whole(on_volume)
        assert on_volume.ok(when_locked="reject").changed
