"""Run the steps of `make test` one after the other, go on after a failure, and sum up.

    bin/dev python tests/run.py                  all of them
    bin/dev python tests/run.py unit gates       these

The last line counts: every test of a pytest step, and each other step as one. Returns 1 when anything failed, and also
when a pytest step ran no test.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / ".dev" / "test-results"
PYTEST = ("unit", "oracle", "hub", "integration")
# Spread over the cores; the others start hubs and interpreters once for all of their tests.
SPREAD = ("unit", "integration")
WORKERS = min(4, len(os.sched_getaffinity(0)))
STEPS = ("lint", *PYTEST, "molecule", "gates")


@dataclass
class Result:
    """What became of one command."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        counts = ", ".join(
            f"{n} {what}"
            for n, what in ((self.passed, "passed"), (self.failed, "failed"), (self.skipped, "skipped"))
            if n
        )
        return f"{self.name:18} {clock(self.seconds)}  {counts}"


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60:3}:{int(seconds) % 60:02}"


def commands(step: str) -> dict[str, list[str]]:
    """What a step runs, each command under its name."""
    if step in PYTEST:
        # A file stays with one worker: what its tests share is made once.
        workers = ["-n", str(WORKERS), "--dist", "loadfile"] if step in SPREAD else []
        return {step: ["pytest", f"tests/{step}", *workers, f"--junit-xml={RESULTS / step}.xml"]}
    if step == "lint":
        return {"lint": [str(ROOT / "tests" / "gates" / "lint")]}
    if step == "molecule":
        return {"molecule": ["molecule", "test", "--all"]}
    gates = [
        gate for gate in sorted((ROOT / "tests" / "gates").iterdir()) if os.access(gate, os.X_OK) and gate.is_file()
    ]
    return {gate.name: [str(gate)] for gate in gates if gate.name != "lint"}


def run(step: str, name: str, command: list[str]) -> Result:
    """Run one command in the checkout, its output as it comes."""
    print(f"\n=== {name}: {shlex.join(command)}", flush=True)
    report = RESULTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    began = time.monotonic()
    code = subprocess.run(command, cwd=ROOT).returncode
    result = Result(name, seconds=time.monotonic() - began)
    if step in PYTEST and report.exists():
        count(report, result)
    if code == 0 and step not in PYTEST:
        result.passed = 1
    elif code and not result.failed:
        # It broke before it could count: a crash, a collection error, no tests at all.
        result.failed = 1
    return result


def count(report: Path, result: Result) -> None:
    for suite in ElementTree.parse(report).iter("testsuite"):
        tests, failed, skipped = (
            sum(int(suite.get(key, "0")) for key in keys) for keys in (("tests",), ("failures", "errors"), ("skipped",))
        )
        result.passed += tests - failed - skipped
        result.failed += failed
        result.skipped += skipped


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run.py", description="Run the steps of `make test`.")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}; all by default")
    options = parser.parse_args()
    unknown = [step for step in options.steps if step not in STEPS]
    if unknown:
        parser.error(f"no such step: {', '.join(unknown)}; there are {', '.join(STEPS)}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    results = [run(step, name, command) for step in options.steps or STEPS for name, command in commands(step).items()]
    print("\n=== summary")
    for result in results:
        print(result)
    passed, failed, skipped = (sum(getattr(r, key) for r in results) for key in ("passed", "failed", "skipped"))
    print(
        f"{passed} passed, {failed} failed, {skipped} skipped in {clock(time.monotonic() - began).strip()}", flush=True
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
