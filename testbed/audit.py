"""Which requests the API server answered while a block of code ran, read from its audit log.

    with audit.record(user_agent="odh.persistency/") as log:
        run_the_module()
    assert not log.writes, log
    assert log.count(verb="list", resource="persistentvolumeclaims") == 4

The controller manager and other tests write too: narrow a recording by user agent, user or namespace. The policy leaves
out what the API server asks itself, leases, and probes (`audit-policy.yaml`).
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import api, state
from .state import Testbed

FLUSHED_WITHIN = 60.0  # seconds
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# Created as queries; nothing is stored.
QUESTIONS = frozenset({"authorization.k8s.io", "authentication.k8s.io"})
_MARKER = "odhp-audit-marker-"


@dataclass(frozen=True)
class Request:
    """One request that was answered (or, if it is a watch, started)."""

    verb: str
    """The verb of RBAC: get, list, watch, create, update, patch, delete, deletecollection; or get, post... if there is no
    resource.
    """
    resource: str
    """Plural and lower case; empty for a path that is not a resource, such as /version."""
    subresource: str
    group: str
    """The API group, empty for core."""
    namespace: str
    name: str
    """Empty if the server generated it, or for a collection."""
    path: str
    """Without the query."""
    query: dict[str, tuple[str, ...]]
    dry_run: bool
    """By the query, or, for a delete with a body, by the body, because the server then ignores the query."""
    user: str
    user_agent: str
    code: int
    received: str
    """RFC 3339 with microseconds, so that strings sort like times."""

    @property
    def writes(self) -> bool:
        """Whether it was a write, and not a dry run. Rejected ones (`code` 400 and above) count."""
        return self.verb in WRITES and not self.dry_run and self.group not in QUESTIONS

    def __str__(self) -> str:
        what = self.resource + (f"/{self.subresource}" if self.subresource else "") or self.path
        where = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {what}{' ' + where if where else ''}{' (dry run)' if self.dry_run else ''} -> {self.code}"


_ATTRIBUTES = frozenset(field.name for field in fields(Request)) | {"writes"}


class Log:
    """The requests of a recording, in the order in which they were received. Available when its block has ended."""

    def __init__(self) -> None:
        self._requests: tuple[Request, ...] | None = None

    @property
    def requests(self) -> tuple[Request, ...]:
        if self._requests is None:
            raise RuntimeError("the recording has not ended: read it after the `with` block")
        return self._requests

    @property
    def writes(self) -> tuple[Request, ...]:
        return tuple(request for request in self.requests if request.writes)

    @property
    def dry_runs(self) -> tuple[Request, ...]:
        return tuple(request for request in self.requests if request.dry_run)

    def select(self, **attributes: Any) -> tuple[Request, ...]:
        """Return the requests with these attributes, such as `verb="patch", dry_run=False, code=200`."""
        unknown = attributes.keys() - _ATTRIBUTES
        if unknown:
            raise TypeError(f"a request has no {', '.join(sorted(unknown))}")
        wanted = attributes.items()
        return tuple(r for r in self.requests if all(getattr(r, name) == value for name, value in wanted))

    def count(self, **attributes: Any) -> int:
        return len(self.select(**attributes))

    def __str__(self) -> str:
        """Return a text for the message of an assertion: each kind of request once with a count, the most frequent first."""
        kinds = Counter(
            f"{r.verb} {r.resource or r.path}{'/' + r.subresource if r.subresource else ''}"
            f"{' (dry run)' if r.dry_run else ''} -> {r.code}"
            for r in self.requests
        )
        return "; ".join(f"{number}x {kind}" for kind, number in kinds.most_common()) or "no requests"

    __repr__ = __str__  # pytest shows an assertion's message by its repr


@contextlib.contextmanager
def record(
    *, user_agent: str = "", user: str = "", namespace: str | None = None, testbed: Testbed | None = None
) -> Iterator[Log]:
    """Record the requests that are received during the block and match, such as those whose user agent contains `user_agent`.

    Raises RuntimeError when the audit log does not show the end of the block within FLUSHED_WITHIN seconds.
    """
    testbed = testbed or state.load()
    client = testbed.client()
    log = Log()
    offset = testbed.audit_log.stat().st_size if testbed.audit_log.exists() else 0
    begin = _mark(client, testbed.audit_log, offset)
    yield log
    # Two markers, because an answer may arrive a moment before its line is written.
    _mark(client, testbed.audit_log, offset)
    _mark(client, testbed.audit_log, offset)
    log._requests = tuple(
        request
        for request in read(testbed.audit_log, offset)
        if request.received > begin.received
        and not request.name.startswith(_MARKER)
        and user_agent in request.user_agent
        and (not user or request.user == user)
        and (namespace is None or request.namespace == namespace)
    )


def read(path: Path, offset: int = 0) -> list[Request]:
    """Return the requests in an audit log from an offset on, each once, by the time they were received."""
    found: dict[str, Request] = {}
    with open(path, "rb") as file:
        # The API server may have been in the middle of a line when the offset was taken: that request came before.
        file.seek(max(offset - 1, 0))
        if offset and file.read(1) != b"\n":
            file.readline()
        for line in file:
            if line.endswith(b"\n"):
                event = json.loads(line)
                found[event["auditID"]] = _request(event)
    return sorted(found.values(), key=lambda request: request.received)


def _request(event: dict[str, Any]) -> Request:
    address = urlsplit(event["requestURI"])
    query = {name: tuple(values) for name, values in parse_qs(address.query, keep_blank_values=True).items()}
    reference = event.get("objectRef", {})
    options = event.get("requestObject")  # of a delete, by the policy
    dry_run = options.get("dryRun") if options is not None else query.get("dryRun", ("",))[0]
    return Request(
        verb=event["verb"],
        resource=reference.get("resource", ""),
        subresource=reference.get("subresource", ""),
        group=reference.get("apiGroup", ""),
        namespace=reference.get("namespace", ""),
        name=reference.get("name", ""),
        path=address.path,
        query=query,
        dry_run=bool(dry_run),
        user=event.get("impersonatedUser", event["user"]).get("username", ""),  # none where a login is turned away
        user_agent=event.get("userAgent", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        received=event["requestReceivedTimestamp"],
    )


def _mark(client: api.Client, path: Path, offset: int) -> Request:
    """Send a request with a unique name and wait until the log shows it."""
    name = f"{_MARKER}{uuid.uuid4().hex}"
    client.request("GET", f"/api/v1/namespaces/{name}")
    deadline = time.monotonic() + FLUSHED_WITHIN
    while True:
        # The end of the file is enough unless somebody else writes. Otherwise read everything since the recording began.
        size = path.stat().st_size
        for start in (max(offset, size - 65536), offset):
            with open(path, "rb") as file:
                file.seek(start)
                for line in file:
                    if name.encode() in line and line.endswith(b"\n"):
                        return _request(json.loads(line))
        if time.monotonic() > deadline:
            raise RuntimeError(f"{path} did not show a request within {FLUSHED_WITHIN:.0f} s after it was answered")
        time.sleep(0.01)
