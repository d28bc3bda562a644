"""Something that must always succeed, done again and again in a thread while a test does something else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Repeated(threading.Thread):
    """Repeat an action that raises an exception if it fails. `with` starts it, and at the end asserts that it never did.

    with Repeated(lambda: load("tool/1.0")):
        publish()
    """

    LEAST = 3
    #: Seconds between two times, so that what is tested has a processor too.
    PAUSE = 0.2

    def __init__(self, action: Callable[[], object]) -> None:
        super().__init__()
        self.action = action
        self.times = 0
        self.failures: list[str] = []
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(self.PAUSE):
            try:
                self.action()
            except Exception as error:
                self.failures.append(repr(error))
            self.times += 1

    def __enter__(self) -> Repeated:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        deadline = time.monotonic() + 30
        while self.times < self.LEAST and time.monotonic() < deadline:
            time.sleep(0.05)
        self.ended.set()
        self.join()
        assert self.times >= self.LEAST
        assert not self.failures, self.failures[0]
