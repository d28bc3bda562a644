"""tests/run.py: which steps run at the same time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests import run
from tests.run import Command, Result, run_all


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch):
    monkeypatch.setattr(run, "CORES", 2)


def command(name, step="gates"):
    return Command(step, name, ("true",))


def test_a_step_that_takes_all_cores_runs_alone():
    unit, docs, sanity = command("unit", "unit"), command("docs"), command("sanity")
    assert unit.cores == 2
    assert unit.fits_beside([])
    assert not unit.fits_beside([docs])
    assert not docs.fits_beside([unit])
    assert sanity.fits_beside([docs])
    assert not command("hub", "hub").fits_beside([docs, sanity])


def test_what_makes_the_artifact_runs_one_at_a_time():
    assert not command("galaxy-importer").fits_beside([command("build")])


def test_all_run_two_at_a_time_and_results_keep_the_order_given():
    given = [command("lint", "lint"), command("unit", "unit"), command("docs"), command("sanity")]
    both = threading.Barrier(2, timeout=60)
    order = []

    def fake(one):
        order.append(one.name)
        if one.name in ("sanity", "lint"):
            both.wait()
        return Result(one.name, passed=1)

    assert [result.name for result in run_all(given, fake)] == ["lint", "unit", "docs", "sanity"]
    assert order[0] == "unit"
    assert set(order[1:3]) == {"sanity", "lint"}


def test_every_gate_and_suite_is_a_command():
    found = {one.name for step in run.STEPS for one in run.commands(step)}
    assert found == set(run.ORDER)
    tests = Path(run.__file__).parent
    assert {path.parent.name for path in tests.glob("*/test_*.py")} == set(run.PYTEST)


def test_a_result_names_its_minutes():
    assert "2:05" in str(Result("hub", passed=3, seconds=125.0, cpu_seconds=61.0))
    assert "3 passed" in str(Result("hub", passed=3, seconds=125.0))
