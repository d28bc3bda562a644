"""The testbed's processes: start them so that they outlive the shell, find them again, stop them.

A process is ours when its program has one of our names and one of its arguments names our data folder. The number in a
pid file is not sufficient, because it may belong to another process by now.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager")
# The order in which they are stopped: clients before servers.
STOP_ORDER = ("kube-controller-manager", "kube-apiserver", "etcd")
#: The program of a process if it differs from its name: the node's supervisor (testbed/node).
PROGRAMS = {"node": "unshare"}
STARTING = 2.0  # seconds until a new process has its command line
PATIENCE = 8.0  # seconds between SIGTERM and SIGKILL


def pid_file(data: Path, name: str) -> Path:
    return data / "run" / f"{name}.pid"


def log_file(data: Path, name: str) -> Path:
    return data / "logs" / f"{name}.log"


def start(data: Path, name: str, command: list[str]) -> psutil.Process:
    """Start `command` in its own session, with its output in its log file (the previous log becomes `.old`)."""
    log = log_file(data, name)
    log.parent.mkdir(exist_ok=True)
    if log.exists():
        os.replace(log, log.with_suffix(".log.old"))
    file = pid_file(data, name)
    file.parent.mkdir(exist_ok=True)
    with open(log, "wb") as output:
        child = subprocess.Popen(
            command,
            cwd=data,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=_environment(),
        )
    # Not waited for here, and Popen's destructor must not warn about it.
    child.returncode = 0
    temporary = file.with_suffix(".new")
    temporary.write_text(f"{child.pid}\n")
    os.replace(temporary, file)
    return psutil.Process(child.pid)


def _environment() -> dict[str, str]:
    """Return the environment without ETCD_*, which etcd reads as flags, and without GODEBUG and proxies, which Go
    programs read.
    """
    return {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "GOMAXPROCS")}


def _command_line(process: psutil.Process) -> list[str]:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return []
        return process.cmdline()
    except psutil.Error:
        return []


def _is_ours(command: list[str], data: Path, name: str) -> bool:
    program = PROGRAMS.get(name, name)
    return (
        bool(command) and Path(command[0]).name == program and any(f"={data}/" in argument for argument in command[1:])
    )


def find(data: Path, name: str) -> tuple[psutil.Process, list[str]] | None:
    """Return the running process `name` of the testbed in `data`, by its pid file and command line."""
    try:
        process = psutil.Process(int(pid_file(data, name).read_text()))
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    command = _command_line(process)
    deadline = time.monotonic() + STARTING
    # A program that is being started has no command line yet (exec closes files before it sets the arguments).
    while not command and _runs(process) and time.monotonic() < deadline:
        time.sleep(0.01)
        command = _command_line(process)
    return (process, command) if _is_ours(command, data, name) else None


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def find_all(data: Path) -> list[tuple[str, psutil.Process]]:
    """Return every process of the testbed in `data`, also strays without a pid file, in the order in which to stop them."""
    found = []
    for process in psutil.process_iter():
        command = _command_line(process)
        found += [(name, process) for name in NAMES if _is_ours(command, data, name)]
    return sorted(found, key=lambda item: STOP_ORDER.index(item[0]))


def stop_all(data: Path) -> list[str]:
    """Stop the testbed's processes, with SIGTERM and then SIGKILL. Return what was stopped."""
    stopped = []
    found = find_all(data)
    # Without etcd the API server would wait for it until the timeout.
    orphaned = all(name != "etcd" for name, _ in found)
    for name, process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)
            process.terminate()
            if not gone(process, 0.5 if orphaned else PATIENCE):
                process.kill()
                gone(process, 10.0)
        stopped.append(name)
    for name in NAMES:
        pid_file(data, name).unlink(missing_ok=True)
    return stopped


def gone(process: psutil.Process, within: float) -> bool:
    """Wait until a process has ended; return whether it did. A zombie has ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            # A child of ours stays a zombie until it is waited for; somebody else's vanishes.
            if process.status() == psutil.STATUS_ZOMBIE:
                with contextlib.suppress(psutil.Error, ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


@contextlib.contextmanager
def paused(data: Path, name: str = "kube-controller-manager") -> Iterator[None]:
    """Pause a process for a block of code, so that it does not change the objects under test or disturb a measurement. A
    test that is killed in the block leaves it paused. The next `up` resumes it.
    """
    found = find(data, name)
    if found is None:
        raise RuntimeError(f"{name} does not run in {data}")
    found[0].suspend()
    try:
        yield
    finally:
        found[0].resume()


def tail(data: Path, name: str, lines: int = 15) -> str:
    """Return the end of a log, indented, with long lines cut."""
    try:
        text = log_file(data, name).read_text(errors="replace")
    except OSError:
        return "  (no log)"
    return "\n".join(f"  {line[:400]}" for line in text.splitlines()[-lines:]) or "  (the log is empty)"
