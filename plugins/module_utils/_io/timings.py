# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The seconds that each phase of a module takes, for the benchmarks."""

from __future__ import annotations

import time


class Timings:
    """Measures phases one after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def note(self, phase: str) -> None:
        """Record the time since the end of the previous phase, or since creation."""
        now = time.monotonic()
        self.seconds[phase], self._last = now - self._last, now
