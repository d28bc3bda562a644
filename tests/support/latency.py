"""How long a hub takes to answer, measured by a process of its own: `python latency.py URL PID`, until stdin ends.

Prints the seconds of each request as one JSON list. Threads of a test would delay each other. On a busy machine the hub waits
for a processor, which says nothing about the hub, so the time in which the kernel let its main thread (the event loop) wait for
one is not counted. Whatever the hub computes or waits for otherwise is.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PAUSE = 0.02  # seconds between requests


@contextlib.contextmanager
def measured(url: str, pid: int) -> Iterator[list[float]]:
    """Ask a hub for a page again and again meanwhile. The list has the seconds of each request afterwards."""
    seconds: list[float] = []
    command = [sys.executable, __file__, url, str(pid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()  # it has started
        try:
            yield seconds
        finally:
            process.stdin.close()
            seconds += json.loads(process.stdout.read())


def waited(thread: Path) -> float:
    """Return the seconds for which a thread has waited for a processor since it began, 0 if the kernel does not count them."""
    try:
        return int((thread / "schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0


def main() -> None:
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    print(flush=True)
    loop = Path("/proc") / sys.argv[2] / "task" / sys.argv[2]
    seconds = []
    while not ended.is_set():
        before, idle = time.monotonic(), waited(loop)
        with opener.open(sys.argv[1], timeout=60) as answer:
            answer.read()
        seconds.append(time.monotonic() - before - (waited(loop) - idle))
        time.sleep(PAUSE)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
