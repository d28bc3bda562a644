"""Run the steps of `make test`, in parallel as far as the cores allow, and print a summary. A failure stops no other step.

    bin/dev python tests/run.py                  all of them
    bin/dev python tests/run.py unit gates       these

A step that uses all cores runs alone, with its output on the terminal. The output of other steps is printed when they end.
The summary shows the duration and the CPU time of each step, without the CPU time of the testbed.

The last line counts each test of a pytest step, and each other step as one. The exit code is 1 if anything failed or if a
pytest step ran no test.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / ".dev" / "test-results"
CORES = min(4, len(os.sched_getaffinity(0)))
# loadgroup keeps tests together that share a fixture of their module, see tests/integration/conftest.py.
BY_GROUP = ("-n", str(CORES), "--dist", "loadgroup")
SPREAD = {"unit": ("-n", str(CORES), "--dist", "worksteal"), "integration": BY_GROUP, "adversary": BY_GROUP}
PYTEST = ("unit", "oracle", "hub", "software", "integration", "adversary", "awx", "e2e")
STEPS = ("lint", *PYTEST, "molecule", "gates")
# The order in which commands start: of those that run in parallel, the longest first.
ORDER = (
    "unit",
    "molecule",
    "sanity",
    "lint",
    "software",
    "awx",
    "hub",
    "e2e",
    "oracle",
    "build",
    "docs",
    "galaxy-importer",
    "integration",
    "adversary",
)
#: These write the same file.
ARTIFACT = ("build", "galaxy-importer")


@dataclass(frozen=True)
class Command:
    """A command of a step, and the cores it uses."""

    step: str
    name: str
    words: tuple[str, ...]

    @property
    def cores(self) -> int:
        return CORES if self.name in SPREAD else 1

    def fits_beside(self, others: list[Command]) -> bool:
        """Return whether it can run at the same time as the others."""
        if self.name in ARTIFACT and any(other.name in ARTIFACT for other in others):
            return False
        return self.cores + sum(other.cores for other in others) <= CORES


@dataclass
class Result:
    """The outcome of one command."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def __str__(self) -> str:
        counts = ", ".join(
            f"{n} {what}"
            for n, what in ((self.passed, "passed"), (self.failed, "failed"), (self.skipped, "skipped"))
            if n
        )
        return f"{self.name:18} {clock(self.seconds)}  (CPU {clock(self.cpu_seconds).strip()})  {counts}"


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60:3}:{int(seconds) % 60:02}"


def say(text: str) -> None:
    print(text, flush=True)


def commands(step: str) -> list[Command]:
    """Return the commands of a step."""
    if step in PYTEST:
        words = (
            "pytest",
            f"tests/{step}",
            *SPREAD.get(step, ()),
            "--durations=10",
            f"--junit-xml={RESULTS / step}.xml",
        )
        return [Command(step, step, words)]
    if step == "molecule":
        return [Command(step, step, ("molecule", "test", "--all"))]
    gates = [
        path for path in sorted((ROOT / "tests" / "gates").iterdir()) if os.access(path, os.X_OK) and path.is_file()
    ]
    return [Command(step, gate.name, (str(gate),)) for gate in gates if (gate.name == "lint") == (step == "lint")]


def run(command: Command) -> Result:
    """Run a command in the checkout and return its result."""
    title = f"{command.name}: {shlex.join(command.words)}"
    report, log = RESULTS / f"{command.name}.xml", RESULTS / f"{command.name}.log"
    report.unlink(missing_ok=True)
    began = time.monotonic()
    if command.cores == CORES:
        say(f"\n=== {title}")
        process = subprocess.Popen(command.words, cwd=ROOT)
    else:
        say(f"\n=== started {title}")
        with log.open("wb") as output:
            process = subprocess.Popen(command.words, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    result = Result(command.name, seconds=time.monotonic() - began, cpu_seconds=usage.ru_utime + usage.ru_stime)
    if command.step in PYTEST and report.exists():
        count(report, result)
    if process.returncode == 0 and command.step not in PYTEST:
        result.passed = 1
    elif process.returncode and not result.failed:
        # It failed before any test ran: a crash, a collection error, no tests at all.
        result.failed = 1
    if command.cores < CORES:
        say(f"\n=== output of {title}\n{log.read_text(errors='replace')}")
    say(f"--- {result}")
    return result


def count(report: Path, result: Result) -> None:
    for suite in ElementTree.parse(report).iter("testsuite"):
        tests, failed, skipped = (
            sum(int(suite.get(key, "0")) for key in keys) for keys in (("tests",), ("failures", "errors"), ("skipped",))
        )
        result.passed += tests - failed - skipped
        result.failed += failed
        result.skipped += skipped


def run_all(waiting: list[Command], run: Callable[[Command], Result] = run) -> list[Result]:
    """Run commands, each as soon as cores are free, and return the results in the order given."""
    results: dict[Command, Result] = {}
    running: dict[Future[Result], Command] = {}
    queue = sorted(waiting, key=lambda command: ORDER.index(command.name) if command.name in ORDER else 0)
    with ThreadPoolExecutor(CORES) as pool:
        while queue or running:
            for command in list(queue):
                if command.fits_beside(list(running.values())):
                    queue.remove(command)
                    running[pool.submit(run, command)] = command
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                results[running.pop(future)] = future.result()
    return [results[command] for command in waiting]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run.py", description="Run the steps of `make test`.")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}; all by default")
    options = parser.parse_args()
    unknown = [step for step in options.steps if step not in STEPS]
    if unknown:
        parser.error(f"no such step: {', '.join(unknown)}; there are {', '.join(STEPS)}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    results = run_all([command for step in options.steps or STEPS for command in commands(step)])
    say("\n=== summary")
    for result in results:
        say(str(result))
    passed, failed, skipped = (sum(getattr(r, key) for r in results) for key in ("passed", "failed", "skipped"))
    say(f"{passed} passed, {failed} failed, {skipped} skipped in {clock(time.monotonic() - began).strip()}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
