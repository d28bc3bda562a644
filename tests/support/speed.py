"""How long pure Python takes, on a machine that does other things as well."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

#: What the loop below takes on the machine that the bounds of the tests were set on, in seconds, with nothing else running.
REFERENCE = 0.012
_TRIES = 5


def seconds_of(work: Callable[[], object], enough: float) -> float:
    """Return the CPU seconds that work takes: the first of a few tries below `enough`, or the best of them.

    Each is put right for how slow the machine is just then. On one that is faster than the reference, seconds are seconds.
    """
    best = float("inf")
    for _try in range(_TRIES):
        gc.collect()
        slow = max(1.0, _loop() / REFERENCE)
        begun = time.process_time()
        work()
        best = min(best, (time.process_time() - begun) / slow)
        if best < enough:
            break
    return best


def _loop() -> float:
    begun = time.process_time()
    total = 0
    for number in range(400_000):
        total += number & 255
    return time.process_time() - begun
