"""Faults of the proxy: rules that select requests, and what happens to these.

    rules = [
        Rule(status(429, retry_after=1), method="POST", first=3),           # the first three POSTs are throttled
        Rule(cut(), method="POST", path=r"/persistentvolumeclaims$", nth=5),  # written, but the client gets no answer
        Rule(status(503), every=10),                                        # each tenth request of any kind
        Rule(conflict(), method="PATCH", per=lambda request: request.name, nth=1),  # each object's first PATCH
        expired(page=2),                                                    # 410 Gone on the second page of a list
        Rule(call(lambda request: process.kill()), method="POST", nth=100),  # kill the client right there
    ]

Several rules may select one request. All of them apply in the given order, until one ends the exchange.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
"""The `reason` of a Kubernetes Status for each HTTP status (apimachinery, `metav1.StatusReason`)."""

# The API server's message when the snapshot of a list was compacted (apiserver, `etcd3/errors.go`).
EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter."
)


@dataclass(eq=False)
class Request:
    """One request as the proxy received it. The proxy sets the last six fields while it serves the request."""

    connection: int  # the number of its client connection, from 1
    method: str
    target: str  # path and query as they were on the wire
    headers: Mapping[str, str]  # names in lower case
    body: bytes  # as sent by the client, chunks joined
    path: str = ""
    query: dict[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None  # monotonic seconds, None until it was served
    status: int | None = None  # the status that the client got, None without an answer
    server_status: int | None = None  # the status of the real server, None without an answer
    faults: tuple[str, ...] = ()  # the names of the faults that were selected for it, in order

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        self.path = unquote(parts.path)
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))

    @property
    def json(self) -> Any:
        """Return the request's body as JSON, None without one. Raises ValueError for other bodies."""
        return json.loads(self.body) if self.body else None

    @property
    def name(self) -> str:
        """Return the object of a write: the name in the body of a POST, otherwise the last part of the path."""
        if self.method == "POST" and self.body.lstrip()[:1] == b"{":
            return str(self.json.get("metadata", {}).get("name", ""))
        return self.path.rsplit("/", 1)[-1]

    @property
    def user_agent(self) -> str:
        return self.headers.get("user-agent", "")


class Ended(Exception):
    """A fault has ended the exchange: with `answer` for the client or, without one, with a closed connection."""

    def __init__(self, answer: Answer | None = None, reset: bool = False) -> None:
        super().__init__("reset" if reset else "closed" if answer is None else f"answered {answer.status}")
        self.answer = answer
        self.reset = reset


@dataclass(eq=False)
class Exchange:
    """What a fault may do to a request. `wait` returns after a number of seconds (None: never), and raises Ended as soon
    as the client disconnects or the proxy stops.
    """

    request: Request
    wait: Callable[[float | None], None]
    head_bytes: int | None = None  # how much of the response passes, if it is cut
    body_bytes: int | None = None
    reset: bool = False
    later: float = 0.0  # seconds by which the server's clock appears to be ahead


class Fault:
    """Does nothing. `before` runs before the request is forwarded, `after` when the real server has started to answer (a
    write is stored by then). Both may raise Ended.
    """

    def before(self, exchange: Exchange) -> None:
        return None

    def after(self, exchange: Exchange) -> None:
        return None

    @property
    def label(self) -> str:
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Answer(Fault):
    """An answer of the proxy. With `forward` it replaces the server's, otherwise the server gets no request."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    forward: bool = False

    def before(self, exchange: Exchange) -> None:
        if not self.forward:
            raise Ended(self)

    def after(self, exchange: Exchange) -> None:
        raise Ended(self)

    @property
    def label(self) -> str:
        return f"status {self.status}"


@dataclass(frozen=True)
class Drop(Fault):
    reset: bool

    def before(self, exchange: Exchange) -> None:
        raise Ended(reset=self.reset)


@dataclass(frozen=True)
class Cut(Fault):
    head_bytes: int | None
    body_bytes: int | None
    reset: bool

    def after(self, exchange: Exchange) -> None:
        if self.head_bytes is None and self.body_bytes is None:
            raise Ended(reset=self.reset)
        exchange.head_bytes, exchange.body_bytes, exchange.reset = self.head_bytes, self.body_bytes, self.reset


@dataclass(frozen=True)
class Slow(Fault):
    seconds: float | None
    forward: bool

    def before(self, exchange: Exchange) -> None:
        if not self.forward:
            exchange.wait(self.seconds)

    def after(self, exchange: Exchange) -> None:
        if self.forward:
            exchange.wait(self.seconds)

    @property
    def label(self) -> str:
        return "hang" if self.seconds is None else "slow"


@dataclass(frozen=True)
class Clock(Fault):
    seconds: float

    def after(self, exchange: Exchange) -> None:
        exchange.later = self.seconds


@dataclass(frozen=True)
class Call(Fault):
    function: Callable[[Request], object]
    forward: bool

    def before(self, exchange: Exchange) -> None:
        if not self.forward:
            self.function(exchange.request)

    def after(self, exchange: Exchange) -> None:
        if self.forward:
            self.function(exchange.request)


def api_status(code: int, reason: str | None = None, message: str | None = None, **details: Any) -> bytes:
    """Return a Kubernetes `Status` object as JSON, in the form of the API server."""
    reason = REASONS.get(code, "") if reason is None else reason
    value = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"the fault proxy answers {code} {reason}".rstrip() if message is None else message,
        "reason": reason,
        "details": details,
        "code": code,
    }
    return json.dumps(value).encode() + b"\n"


def status(
    code: int,
    *,
    reason: str | None = None,
    message: str | None = None,
    headers: Mapping[str, str] | None = None,
    retry_after: int | None = None,
    body: bytes | None = None,
    forward: bool = False,
) -> Answer:
    """Answer `code` with a Kubernetes Status (or with `body`, as text, such as a gateway's HTML page).

    `retry_after` (seconds) sets the header and the Status' `retryAfterSeconds`. With `forward` the real server processes
    the request first, as with a gateway's 504 after a successful write.
    """
    fields = {"Content-Type": "application/json" if body is None else "text/plain; charset=utf-8", **(headers or {})}
    details = {}
    if retry_after is not None:
        fields["Retry-After"] = str(retry_after)
        details["retryAfterSeconds"] = retry_after
    return Answer(code, api_status(code, reason, message, **details) if body is None else body, fields, forward)


def conflict(message: str = "the object has been modified; please apply your changes to the latest version") -> Fault:
    """Answer 409 Conflict, as after a write of another client. Nothing is forwarded."""
    return status(409, reason="Conflict", message=message)


def drop(*, reset: bool = False) -> Fault:
    """Close the connection without forwarding, with `reset` by a TCP RST."""
    return Drop(reset)


def cut(*, body_bytes: int | None = None, head_bytes: int | None = None, reset: bool = False) -> Fault:
    """Forward, then close the connection in the middle of the answer: the write succeeded, but the client does not know.

    The client gets nothing, or the first `head_bytes` of status line and headers, or the complete head and the first
    `body_bytes` of the body (as transferred, with chunk sizes).
    """
    if head_bytes is not None and body_bytes is not None:
        raise ValueError("cut() takes head_bytes or body_bytes: a head that is cut has no body.")
    return Cut(head_bytes, body_bytes, reset)


def slow(seconds: float, *, forward: bool = True) -> Fault:
    """Delay the server's answer by a number of seconds, or, with `forward=False`, the request."""
    return Slow(seconds, forward)


def hang(*, forward: bool = False) -> Fault:
    """Never answer. With `forward` the server has processed the request. Ends when the client closes."""
    return Slow(None, forward)


def clock(seconds: float) -> Fault:
    """Make the server's clock appear to be ahead: the Date of its answers. Stored times do not change."""
    return Clock(seconds)


def call(function: Callable[[Request], object], *, forward: bool = False) -> Fault:
    """Run `function(request)` before the request is forwarded, or, with `forward`, before its answer is passed on.

    Only this request waits for it. An exception closes the connection, and is raised again when the proxy is closed.
    """
    return Call(function, forward)


def each(request: Request) -> Hashable:
    """A `per` of a rule that counts each object separately, by method and name, so that the order does not matter."""
    return request.method, request.name


class Rule:
    """Applies `fault` to some of the requests that it matches.

    Matching: `method` (one, or several in a tuple), `path` and `query` (regular expressions, searched for), and `where`
    (any function of the request). Selection among them, at most one of: `nth` (only this one, from 1), `first` (this
    number), `every` (each n-th), `probability` (0 to 1, repeatable with `seed`). Without any of these: all. `per` selects
    within each group of requests separately, such as `per=lambda request: request.name`. `matched` counts the requests
    that match, whatever other rules do with them, and `fired` those that were selected.
    """

    def __init__(
        self,
        fault: Fault,
        *,
        method: str | tuple[str, ...] | None = None,
        path: str = "",
        query: str = "",
        where: Callable[[Request], bool] | None = None,
        nth: int | None = None,
        first: int | None = None,
        every: int | None = None,
        probability: float | None = None,
        seed: int = 0,
        per: Callable[[Request], Hashable] | None = None,
    ) -> None:
        if sum(choice is not None for choice in (nth, first, every, probability)) > 1:
            raise ValueError("A rule takes one of nth, first, every and probability.")
        self.fault = fault
        self.matched = 0
        self.fired = 0
        self._methods = (method,) if isinstance(method, str) else method
        self._path = re.compile(path)
        self._query = re.compile(query)
        self._where = where
        self._nth, self._first, self._every, self._probability = nth, first, every, probability
        self._seed = seed
        self._per = per
        self._counts: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    def chooses(self, request: Request) -> bool:
        """Return whether the fault applies to this request, and count it. Safe to call from several threads."""
        if self._methods is not None and request.method not in self._methods:
            return False
        if not self._path.search(request.path) or not self._query.search(urlsplit(request.target).query):
            return False
        if self._where is not None and not self._where(request):
            return False
        group = None if self._per is None else self._per(request)
        with self._lock:
            self._counts[group] += 1
            chosen = self._choice(group, self._counts[group])
            self.matched += 1
            self.fired += chosen
        return chosen

    def _choice(self, group: Hashable, count: int) -> bool:
        if self._nth is not None:
            return count == self._nth
        if self._first is not None:
            return count <= self._first
        if self._every is not None:
            return count % self._every == 0
        if self._probability is not None:
            # Drawn for the group and its count, not from one stream, because threads arrive in any order.
            return random.Random(f"{self._seed} {group!r} {count}").random() < self._probability
        return True


def expired(path: str = "", page: int = 2) -> Rule:
    """Answer 410 Gone (reason Expired) once, on this page of a paginated list. The first page (1) cannot expire."""
    if page < 2:
        raise ValueError("Only a page that continues a list can expire: page must be 2 or more.")
    fault = status(410, reason="Expired", message=EXPIRED)
    return Rule(fault, method="GET", path=path, query=r"(^|&)continue=[^&]", nth=page - 1)
