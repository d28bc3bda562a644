# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running phases: what the local executor and that of Kubernetes Jobs have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable, Optional, Protocol

from ..errors import ExternalError

#: The view of a phase: the tree itself, or `current` showing `request["release"]`, which is not published yet.
TREE = "tree"
RELEASE = "release"

#: Gets each progress event: `entry`, `step` and `elapsed` (seconds).
OnEvent = Callable[[Mapping[str, Any]], None]


class PhaseFailed(ExternalError):
    """A phase ended with an error. `kind` and `details` are those of `_software/errors.py`."""

    def __init__(self, phase: str, message: str, kind: str, details: Mapping[str, Any]) -> None:
        super().__init__(message, retryable=kind in ("no_space", "locked"))
        self.phase = phase
        self.kind = kind
        self.details = details


class Executor(Protocol):
    """Runs phases where the tree is. `parallel`: how many builds it runs at a time; `missing`: why there is no tree yet."""

    parallel: int
    missing: str

    def run(self, phase: str, request: Mapping[str, Any], view: str = TREE, on_event: Optional[OnEvent] = None) -> Any:
        """Run a phase and return its result. Raises PhaseFailed."""


class EventReader:
    """Reads the output of a phase line by line."""

    def __init__(self, phase: str, on_event: Optional[OnEvent]) -> None:
        self.phase = phase
        self.on_event = on_event
        self.last: Optional[Mapping[str, Any]] = None

    def read(self, line: str) -> None:
        """Take one line of the output."""
        try:
            event = json.loads(line)
        except ValueError:
            return
        if not isinstance(event, dict):
            return
        if event.get("event") == "progress":
            if self.on_event is not None:
                self.on_event(event)
        else:
            self.last = event

    def result(self, ending: str) -> Any:
        """Return the result. Raises PhaseFailed; `ending` says how the phase ended if it did not say so itself."""
        if self.last is None:
            raise PhaseFailed(self.phase, f"the phase {self.phase} ended without a result ({ending})", "failed", {})
        if self.last.get("event") == "error":
            details = self.last.get("details") or {}
            raise PhaseFailed(self.phase, str(self.last.get("message")), str(self.last.get("kind")), details)
        return self.last["result"]
