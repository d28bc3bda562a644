# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress of a run, one line an event, for whoever reads the file while the run goes on."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping
from typing import Any, Optional, TextIO

from ..._core.visible import visible
from ..errors import ExternalError


class Progress:
    """Writes lines to a file, or nowhere."""

    def __init__(self, path: Optional[str] = None) -> None:
        self._file: Optional[TextIO] = _open(path) if path else None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def say(self, text: str) -> None:
        """Write one line. If the file system is full, the run goes on without progress."""
        with self._lock:
            try:
                if self._file is not None:
                    self._file.write(visible(text) + "\n")
                    self._file.flush()
            except OSError:
                self.close()

    def event(self, event: Mapping[str, Any]) -> None:
        """Write the progress of a phase: the entry, the step, and the seconds since the entry began."""
        elapsed = event.get("elapsed")
        seconds = f" ({elapsed:.0f} s)" if isinstance(elapsed, (int, float)) else ""
        self.say(": ".join(str(event[key]) for key in ("entry", "step") if event.get(key)) + seconds)


def _open(path: str) -> TextIO:
    """Open the file for writing. In a folder that everybody may write to, a link could lead elsewhere."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
        return os.fdopen(os.open(path, flags, 0o644), "w", encoding="utf-8")
    except OSError as error:
        raise ExternalError(
            f"progress_file: {path} cannot be written ({error.strerror}): set a file in a folder that exists", False
        ) from None
