"""A bare script with urllib3: the baseline of reading and writing. Nothing is retried or compared.

    python -m benchmarks.bare list PAGE PATH...               paginated LISTs, one after the other, each page parsed
    python -m benchmarks.bare create CONNECTIONS FILE...      POST the definitions in each FILE (a JSON list), in parallel

Prints one line of JSON: {"seconds": of the requests alone, "requests": how many, "objects": how many}.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3

from testbed.proxy_identity import read_server

TIMEOUT = urllib3.Timeout(connect=10, read=60)


class Bare:
    """A pool of kept-alive connections to the server of KUBECONFIG's current context."""

    def __init__(self, connections: int) -> None:
        server = read_server(Path(os.environ["KUBECONFIG"]))
        self.prefix = server.prefix
        self.headers = {"User-Agent": "bare-script", "Accept": "application/json"}
        if server.authorization is not None:
            self.headers["Authorization"] = server.authorization
        options: dict[str, Any] = {"maxsize": connections, "block": True, "retries": False, "timeout": TIMEOUT}
        if server.tls is None:
            self.pool: urllib3.HTTPConnectionPool = urllib3.HTTPConnectionPool(*server.address, **options)
        else:
            options |= {"ssl_context": server.tls, "server_hostname": server.tls_name}
            self.pool = urllib3.HTTPSConnectionPool(*server.address, **options)

    def request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = self.headers if body is None else {**self.headers, "Content-Type": "application/json"}
        answer = self.pool.request(method, self.prefix + path, body=body, headers=headers)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path} got {answer.status}: {answer.data[:300].decode(errors='replace')}")
        return answer.data


#: The plural of each kind that is written here. All are of the core API.
PLURALS = {
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "PersistentVolume": "persistentvolumes",
    "ConfigMap": "configmaps",
    "Pod": "pods",
}
VOLUMES = "/api/v1/persistentvolumes"


def claims(namespace: str) -> str:
    """Return the path of a namespace's claims."""
    return f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"


def pods(namespace: str) -> str:
    """Return the path of a namespace's pods."""
    return f"/api/v1/namespaces/{namespace}/pods"


def config_maps(namespace: str) -> str:
    """Return the path of a namespace's ConfigMaps."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def collection(definition: Mapping[str, Any]) -> str:
    """Return the path to which a manifest is POSTed."""
    namespace = definition["metadata"].get("namespace")
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"/api/v1{where}/{PLURALS[definition['kind']]}"


def list_pages(bare: Bare, path: str, page: int) -> tuple[int, list[dict[str, Any]]]:
    """Return the number of requests, and the items. `path` may have a query."""
    items: list[dict[str, Any]] = []
    token, requests = "", 0
    while True:
        query = f"limit={page}" + (f"&continue={quote(token)}" if token else "")
        answer = json.loads(bare.request("GET", f"{path}{'&' if '?' in path else '?'}{query}"))
        requests += 1
        items += answer["items"]
        token = answer["metadata"].get("continue", "")
        if not token:
            return requests, items


def create(bare: Bare, definitions: list[dict[str, Any]], connections: int) -> float:
    """POST all and return the seconds. The bodies are prepared first, so only the requests are timed."""
    bodies = [(collection(one), json.dumps(one).encode()) for one in definitions]
    started = time.perf_counter()
    with ThreadPoolExecutor(connections) as threads:
        for _ in threads.map(lambda pair: bare.request("POST", *pair), bodies):
            pass
    return time.perf_counter() - started


def main() -> None:
    command, number, what = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    requests = objects = 0
    seconds = 0.0
    if command == "list":
        started = time.perf_counter()
        bare = Bare(1)
        for path in what:
            pages, items = list_pages(bare, path, number)
            requests, objects = requests + pages, objects + len(items)
        seconds = time.perf_counter() - started
    else:
        bare = Bare(number)
        for file in what:
            definitions = json.loads(Path(file).read_bytes())
            seconds += create(bare, definitions, number)
            requests, objects = requests + len(definitions), objects + len(definitions)
    print(json.dumps({"seconds": seconds, "requests": requests, "objects": objects}))


if __name__ == "__main__":
    main()
