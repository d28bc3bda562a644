"""Progress messages for terminals and CI logs: on standard error, with the elapsed time."""

from __future__ import annotations

import sys
import time

_start = time.monotonic()
_quiet = False


class TestbedError(Exception):
    """The reason and the way out, in a sentence or two, with the end of a log if that helps."""

    __test__ = False  # for pytest, which would collect the class because of its name


def be_quiet() -> None:
    """Suppress everything but important messages from here on."""
    global _quiet
    _quiet = True


def minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def say(message: str, *, detail: bool = False) -> None:
    """Print one line. A `detail` is omitted with `--quiet`."""
    if not (detail and _quiet):
        print(f"[testbed {minutes(time.monotonic() - _start)}] {message}", file=sys.stderr, flush=True)


class Heartbeat:
    """Reports that a long step is still running: one line that is updated on a terminal, otherwise a line every half minute."""

    def __init__(self, every: float = 30.0) -> None:
        self.began = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.every = 1.0 if self.terminal else every
        self.last = self.began
        self.shown = False

    def beat(self, message: str) -> None:
        """Show `message` if enough time has passed. {elapsed} in it is replaced."""
        now = time.monotonic()
        if now - self.last < self.every:
            return
        self.last = now
        line = message.format(elapsed=minutes(now - self.began))
        if self.terminal:
            print(f"\r\033[K[testbed {minutes(now - _start)}] {line}", end="", file=sys.stderr, flush=True)
            self.shown = True
        else:
            say(line)

    def done(self) -> None:
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
