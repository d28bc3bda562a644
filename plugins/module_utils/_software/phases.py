# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one phase: PYTHON -m odh_persistency_software.phases PHASE REQUEST.json (`-` reads the request from the standard input).

The standard output has one JSON object a line: progress, and at the end one result or one error. Everything that a phase
or its libraries print goes to the standard error.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import sys
import traceback
from typing import Any, Callable

from .errors import FAILED, NO_SPACE, REJECTED, PhaseError

Emit = Callable[[dict[str, Any]], None]

#: Each is a file of this package with a function `run(request, emit) -> dict`.
PHASES = (
    "observe",
    "lock",
    "unlock",
    "resolve",
    "build",
    "assemble",
    "cache",
    "verify",
    "verify_image",
    "publish",
    "roll_back",
    "prune",
    "promote",
    "adopt",
    "sync",
    "remote_observe",
    "remote_prune",
)


def run_phase(phase: str, request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Run a phase and return its last event: its result, or its error."""
    try:
        if phase not in PHASES:
            raise PhaseError(f"the phase {phase} is unknown: it is one of {', '.join(PHASES)}", REJECTED)
        function = importlib.import_module("." + phase, __package__).run
        return {"event": "result", "result": function(request, emit)}
    except PhaseError as error:
        return {"event": "error", "message": error.message, "kind": error.kind, "details": error.details}
    except OSError as error:
        traceback.print_exc()
        return _system_error(phase, error)
    except Exception as error:
        traceback.print_exc()
        message = f"the phase {phase} failed with {type(error).__name__} ({error}): report this with its log"
        return {"event": "error", "message": message, "kind": FAILED, "details": {}}


def _system_error(phase: str, error: OSError) -> dict[str, Any]:
    where = error.filename2 or error.filename
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = "the file system of %s is full: free some space, or raise its quota, and run again" % (
            where or "the tree"
        )
        return {"event": "error", "message": message, "kind": NO_SPACE, "details": {"path": where}}
    place = f" at {where}" if where else ""
    way_out = "correct that, and run again"
    if error.errno == errno.EROFS:
        way_out = "mount the tree read-write on the host that runs this, and run again"
    elif error.errno in (errno.EACCES, errno.EPERM):
        way_out = (
            f"let the user with the id {os.getuid()} own the tree, or set `build_user` to its owner, and run again"
        )
    message = f"the phase {phase} failed{place} ({error.strerror or error}): {way_out}"
    return {"event": "error", "message": message, "kind": FAILED, "details": {"path": where}}


def main(arguments: list[str]) -> int:
    """Run the phase of the command line. Return 0 if it has a result."""
    phase, source = arguments
    if source == "-":
        return serve(phase, json.load(sys.stdin))
    with open(source, encoding="utf-8") as file:
        request = json.load(file)
    return serve(phase, request)


def serve(phase: str, request: dict[str, Any], last: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> int:
    """Run a phase and write its events; `last` gets the last one and returns how it is written."""
    # What libraries print must not come between the events.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def write(event: dict[str, Any]) -> None:
        events.write(json.dumps(event, sort_keys=True) + "\n")
        events.flush()

    ended = run_phase(phase, request, lambda progress: write({"event": "progress", **progress}))
    write(last(ended))
    return 0 if ended["event"] == "result" else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
