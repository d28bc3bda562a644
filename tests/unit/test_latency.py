"""How long a hub takes to answer, without the time in which a busy machine has no processor for it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.support.latency import measured

SERVER = """
import http.server, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if sys.argv[1] == "blocked":
            time.sleep(0.3)
        began = time.thread_time()
        while sys.argv[1] == "busy" and time.thread_time() - began < 0.3:
            pass
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
HOG = "while True: pass"


@pytest.mark.parametrize("what", ["blocked", "busy"])
def test_what_a_hub_waits_for_and_what_it_computes_counts_on_a_busy_machine_too(what):
    hogs = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(4)]
    server = subprocess.Popen([sys.executable, "-c", SERVER, what], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().strip()
        began = time.monotonic()
        with measured(f"http://127.0.0.1:{port}/", server.pid) as latencies:
            time.sleep(1)
        wall = time.monotonic() - began
    finally:
        for process in (server, *hogs):
            process.kill()
            process.wait()
        server.stdout.close()
    assert min(latencies) >= 0.29
    assert sum(latencies) < wall
