# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run programs as a server would run them: with its environment, limited in time, with nothing left running."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from ..lmod import server_settings
from .subject import Subject

#: What a server's shell has besides the variables of Lmod and of the notebook.
BASE_PATH = "/usr/local/bin:/usr/bin:/bin"
#: A message quotes the last lines of what a program printed, up to so many characters.
QUOTE = 300
#: Seconds after its time limit that a program ends even if nobody waits for it.
_GRACE = 10
_HEADING = "Lmod has detected the following error:"
_ADVICE = ("Please check the", "It is also possible", "Also make sure", "While processing the following")


class Ended(NamedTuple):
    """How a program ended: its exit status, or None if it exceeded its time limit, and the end of what it printed."""

    status: int | None
    output: str


def server_environment(subject: Subject, home: str) -> dict[str, str]:
    """Return the environment of a new server, with a home of its own, so that no file of a user takes part."""
    folder = os.path.dirname(subject.python)
    return {
        "PATH": f"{folder}:{BASE_PATH}" if folder else BASE_PATH,
        **subject.image_environment,
        "HOME": home,
        "USER": "jovyan",
        "LOGNAME": "jovyan",
        "SHELL": "/bin/bash",
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        **server_settings(subject.tree, subject.lmod_cmd),
    }


def run_limited(command: Sequence[str], environment: dict[str, str], folder: str, seconds: float) -> Ended:
    """Run a program in a process group of its own, and end all that is left of the group when it ends or is too slow.

    Its output goes to a file, because what it leaves running may keep a pipe open. If this process is killed meanwhile,
    `timeout` ends the group.
    """
    path = os.path.join(folder, "output")
    timeout = shutil.which("timeout")
    guard = [timeout, "--signal=KILL", str(int(seconds) + _GRACE)] if timeout else []
    with open(path, "wb") as output:
        process = subprocess.Popen(
            [*guard, *command],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    status: int | None
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Ended(status, read_end(path))


def lmod_error(path: str) -> str:
    """Return what Lmod wrote to a file about an error, as one line without its general advice."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        text = ""
    for advice in _ADVICE:
        text = text.partition(advice)[0]
    words = " ".join(text.replace(_HEADING, "").split())
    return (words if len(words) <= QUOTE else words[:QUOTE] + "...") or "Lmod gives no reason"


def read_end(path: str) -> str:
    """Return the end of a text file as one line."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 4 * QUOTE))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    words = " ".join(text.split())
    return words if len(words) <= QUOTE else "..." + words[-QUOTE:]


def describe(ended: Ended, seconds: float) -> str:
    """Say in a few words how a program failed."""
    if ended.status is None:
        return f"did not end within {seconds:g} seconds"
    how = f"was killed by signal {-ended.status}" if ended.status < 0 else f"ended with status {ended.status}"
    return how + (f" ({ended.output})" if ended.output else "")
