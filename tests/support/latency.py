"""How long a hub takes to answer, measured by a process of its own: `python latency.py URL`, until stdin ends.

Prints the seconds of each request as one JSON list. Threads of a test would delay each other.
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

PAUSE = 0.02  # seconds between requests


@contextlib.contextmanager
def measured(url: str) -> Iterator[list[float]]:
    """Ask for a page again and again meanwhile. The list has the seconds of each request afterwards."""
    seconds: list[float] = []
    command = [sys.executable, __file__, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()  # it has started
        try:
            yield seconds
        finally:
            process.stdin.close()
            seconds += json.loads(process.stdout.read())


def main() -> None:
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    print(flush=True)
    seconds = []
    while not ended.is_set():
        before = time.monotonic()
        with opener.open(sys.argv[1], timeout=60) as answer:
            answer.read()
        seconds.append(time.monotonic() - before)
        time.sleep(PAUSE)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
