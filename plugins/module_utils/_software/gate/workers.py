# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of many items at once, with progress."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, TypeVar

from .subject import Failure, Subject

Emit = Callable[[dict[str, Any]], None]
Item = TypeVar("Item")
Value = TypeVar("Value")

#: Seconds between two events of progress.
INTERVAL = 2.0


class Workers:
    """Run a function for many items at once, and report how far it is. To be closed."""

    def __init__(self, emit: Emit) -> None:
        self._pool, self._emit = ThreadPoolExecutor(os.cpu_count() or 1), emit
        self._lock = threading.Lock()
        self._start = self._last = time.monotonic()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown()

    def map(self, step: str, function: Callable[[Item], Value], items: Iterable[Item]) -> list[Value]:
        """Return the function's values for all items."""
        items = list(items)
        done = 0

        def work(item: Item) -> Value:
            nonlocal done
            value = function(item)
            with self._lock:
                done, now = done + 1, time.monotonic()
                if now - self._last >= INTERVAL or done == len(items):
                    self._last = now
                    event = {"entry": "", "step": f"verify: {step} ({done} of {len(items)})"}
                    self._emit({**event, "elapsed": round(now - self._start, 1)})
            return value

        return list(self._pool.map(work, items))

    def check(
        self, step: str, check: Callable[[Subject, Item], list[Failure]], subject: Subject, items: Iterable[Item]
    ) -> list[Failure]:
        """Return the failures of a check of all items."""
        return [failure for found in self.map(step, partial(check, subject), items) for failure in found]
