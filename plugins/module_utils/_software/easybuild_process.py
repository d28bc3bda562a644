# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EasyBuild as a process that builds one entry: its command, its progress, its log, and its errors."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable

from .build_errors import Logs, build_error
from .easybuild_session import arguments, environment
from .files import make_folders
from .leftovers import VARIABLE, mark
from .store_naming_scheme import VARIABLE as STORE_PATHS
from .tree_layout import TreeLayout

#: What EasyBuild prints when a step starts.
_STEP = re.compile(r"== (?P<step>[a-z][^\n]*?)\.\.\.$")
#: Seconds after which a step that goes on is reported again.
_REPEAT = 30
_PR_SET_PDEATHSIG = 1


class EasyBuildProcess:
    """Runs `eb` for the entry of a request."""

    def __init__(self, tree: TreeLayout, request: dict[str, Any], scratch: str) -> None:
        self.tree = tree
        self.request = request
        self.entry = request["entry"]
        self.scratch = scratch
        #: The module path, of this build alone.
        self.modules = os.path.join(scratch, "modules")
        name = self.entry["module"].replace("/", "-")
        self.log = os.path.join(tree.logs(request["run"]), name + ".log")
        self.debug_log = os.path.join(tree.logs(request["run"]), name + ".debug.log")
        self.step = "start"
        self.began = time.monotonic()

    def run(self, emit: Callable[[dict[str, Any]], None]) -> None:
        """Build. Raises PhaseError with EasyBuild's reason."""
        make_folders(os.path.dirname(self.log))
        # Before the fork: nothing may be imported after it.
        libc = ctypes.CDLL(None)
        with open(self.log, "wb") as log:
            process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                cwd=self.scratch,
                start_new_session=True,
                preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
            )
            done = threading.Event()
            repeated = threading.Thread(target=self._repeat, args=(done, emit), daemon=True)
            repeated.start()
            try:
                for line in process.stdout or ():
                    log.write(line)
                    log.flush()
                    self._read(line.decode("utf-8", "replace"), emit)
                code = process.wait()
            finally:
                done.set()
                # With everything that it started.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code:
            raise build_error(self.entry["module"], code, self.step, self._keep_logs())

    def _command(self) -> list[str]:
        given = arguments(self.request, self.scratch, self.modules, self.entry.get("options") or {})
        jobs = self.request.get("jobs")
        return [
            sys.executable,
            "-m",
            "easybuild.main",
            *given,
            *([f"--parallel={jobs}"] if jobs else []),
            self.entry["easyconfig_path"],
        ]

    def _environment(self) -> dict[str, str]:
        entries = [*(self.request.get("store") or []), self.entry]
        return {
            **environment(self.request, self.scratch),
            STORE_PATHS: json.dumps({entry["module"]: entry["path"] for entry in entries}),
            VARIABLE: mark(self.tree, self.entry["path"]),
        }

    def _read(self, line: str, emit: Callable[[dict[str, Any]], None]) -> None:
        match = _STEP.match(line.rstrip("\n"))
        if match and match["step"]:
            self.step = match["step"]
            self._report(emit)

    def _report(self, emit: Callable[[dict[str, Any]], None]) -> None:
        elapsed = round(time.monotonic() - self.began, 1)
        emit({"entry": self.entry["module"], "step": self.step, "elapsed": elapsed})

    def _repeat(self, done: threading.Event, emit: Callable[[dict[str, Any]], None]) -> None:
        while not done.wait(_REPEAT):
            self._report(emit)

    def _keep_logs(self) -> Logs:
        """Copy EasyBuild's own log, which it writes to a temporary folder, beside the output."""
        found = glob.glob(os.path.join(self.scratch, "tmp", "eb-*", "easybuild-*.log"))
        places = (self.tree.store, self.scratch)
        if not found:
            return Logs(self.log, "", places)
        newest = max(found, key=os.path.getsize)
        try:
            shutil.copyfile(newest, self.debug_log)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(self.debug_log)
            return Logs(self.log, newest, places)
        return Logs(self.log, self.debug_log, places)
