"""Runs of commands, timed from outside: `ansible-playbook` with one task, and other processes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).resolve().parent
LIMIT = 3600.0  # seconds; a command that takes longer hangs
SAMPLE = 0.1  # seconds between two samples of the memory of a process tree
MIB = 2**20


class RunFailed(Exception):
    """A command failed. The message has the end of its output."""


@dataclass
class Run:
    """One run. `seconds` is the whole process, `task_seconds` the one task in it. Memory is in bytes, if measured."""

    seconds: float
    task_seconds: float = 0.0
    result: dict[str, Any] = field(default_factory=dict)
    output: str = ""
    tree_memory: int = 0
    module_memory: int = 0


def command(arguments: Sequence[str | Path], environment: Mapping[str, str], *, watch_memory: bool = False) -> Run:
    """Run a command to its end. Raises RunFailed when it fails or takes longer than LIMIT."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(one) for one in arguments],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    tree = _TreeMemory(process.pid) if watch_memory else None
    try:
        output, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"{arguments[0]} did not end within {LIMIT:.0f} s") from error
    finally:
        process.kill()
        process.wait()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise RunFailed(f"{' '.join(map(str, arguments))} returned {process.returncode}:\n{output[-3000:]}")
    return Run(seconds, output=output, tree_memory=tree.stop() if tree else 0)


def play(
    task: Mapping[str, Any],
    folder: Path,
    environment: Mapping[str, str],
    *,
    check: bool = False,
    variables: Sequence[Path] = (),
    watch_memory: bool = False,
) -> Run:
    """Run a playbook of one task on localhost. `variables` are files for `vars_files`.

    Raises RunFailed when the task fails.
    """
    playbook, outcome, memory = folder / "playbook.yml", folder / "outcome.jsonl", folder / "memory"
    for path in (outcome, memory):
        path.unlink(missing_ok=True)
    values: dict[str, Any] = {"ansible_python_interpreter": sys.executable}
    if watch_memory:
        values["ansible_python_interpreter"] = str(_measuring_interpreter(folder, memory))
    one_play = {
        "name": "Benchmark",
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": values,
        "vars_files": [str(path) for path in variables],
        "tasks": [{"name": "The one task", **task}],
    }
    playbook.write_text(json.dumps([one_play]), encoding="utf-8")
    settings = {
        "ANSIBLE_LIBRARY": str(HERE / "library"),
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "outcome",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ODH_BENCH_OUTCOME": str(outcome),
        "ODH_PERSISTENCY_TIMINGS": "1",
    }
    arguments = ["ansible-playbook", "-i", "localhost,", str(playbook), *(["--check"] if check else [])]
    run = command(arguments, {**environment, **settings}, watch_memory=watch_memory)
    (line,) = outcome.read_text(encoding="utf-8").splitlines()
    run.result = json.loads(line)
    run.task_seconds = run.result["seconds"]
    if watch_memory:
        run.module_memory = max(int(one) for one in memory.read_text().split()) * 1024
    return run


def rounds(count: int, runs: Sequence[Callable[[], Mapping[str, float]]]) -> dict[str, float]:
    """Run each of the runs several times, alternating, so that a slow machine affects all of them.

    A run returns what it took, by name; the result has the median for each name.
    """
    found: dict[str, list[float]] = {}
    for _ in range(count):
        for run in runs:
            for name, seconds in run().items():
                found.setdefault(name, []).append(seconds)
    return {name: statistics.median(values) for name, values in found.items()}


def _measuring_interpreter(folder: Path, memory: Path) -> Path:
    path = folder / "measuring-python"
    path.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -IS "{HERE / "measured.py"}" "{memory}" "{sys.executable}" "$@"\n'
    )
    path.chmod(0o755)
    return path


class _TreeMemory:
    """Samples a process and all its descendants until stopped: the largest sum of resident sets.

    Shared memory counts for each of them, so the result is an upper limit.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._peak = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._stopped.wait(SAMPLE):
            try:
                tree = [self._root, *self._root.children(recursive=True)]
            except psutil.Error:
                return
            self._peak = max(self._peak, sum(_resident(process) for process in tree))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def current_environment(kubeconfig: Path) -> dict[str, str]:
    """Return the environment of bin/dev with another cluster, and without other connection settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("K8S_AUTH_")}
    return {**kept, "KUBECONFIG": str(kubeconfig), "K8S_AUTH_KUBECONFIG": str(kubeconfig)}
