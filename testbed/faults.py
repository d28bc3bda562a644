"""What the fault proxy does to a request: rules that choose requests, and the faults they bring.

    rules = [
        Rule(status(429, retry_after=1), method="POST", first=3),           # the first three POSTs are throttled
        Rule(cut(), method="POST", path=r"/persistentvolumeclaims$", nth=5),  # made, but the client never hears of it
        Rule(status(503), every=10),                                        # each tenth request of any kind
        Rule(conflict(), method="PATCH", per=lambda request: request.name, nth=1),  # each object's first PATCH
        expired(page=2),                                                    # 410 Gone on the second page of a list
        Rule(call(lambda request: process.kill()), method="POST", nth=100),  # kill the client right there
    ]

Several rules may choose one request: all of them act, in the order they were given, until one ends the exchange.
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

# What the API server says when a list's snapshot has been compacted away (apiserver, `etcd3/errors.go`).
EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter."
)


@dataclass(eq=False)
class Request:
    """One request as the proxy saw it; the proxy fills in the last six fields while it serves it."""

    connection: int  # which client connection it came on, from 1 in the order of their arrival
    method: str
    target: str  # path and query as they were on the wire
    headers: Mapping[str, str]  # names in lower case
    body: bytes  # as the client sent it, chunks put together
    path: str = ""
    query: dict[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None  # monotonic seconds; None while it is being served
    status: int | None = None  # what the client was told; None when it was told nothing
    server_status: int | None = None  # what the real server answered; None when it never got to answer
    faults: tuple[str, ...] = ()  # the names of the faults that were chosen for it, in order

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        self.path = unquote(parts.path)
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The request's body as JSON; None without one. Raises ValueError for anything else than JSON."""
        return json.loads(self.body) if self.body else None

    @property
    def name(self) -> str:
        """The object that a write is about: the name in the body of a POST, else the last part of the path."""
        if self.method == "POST" and self.body.lstrip()[:1] == b"{":
            return str(self.json.get("metadata", {}).get("name", ""))
        return self.path.rsplit("/", 1)[-1]

    @property
    def user_agent(self) -> str:
        return self.headers.get("user-agent", "")


class Ended(Exception):
    """A fault has ended the exchange: with `answer` for the client, or, without one, by a closed connection."""

    def __init__(self, answer: Answer | None = None, reset: bool = False) -> None:
        super().__init__("reset" if reset else "closed" if answer is None else f"answered {answer.status}")
        self.answer = answer
        self.reset = reset


@dataclass(eq=False)
class Exchange:
    """What a fault may do to the request at hand. `wait` returns after so many seconds (None: never) and raises
    Ended as soon as the client has gone or the proxy stops."""

    request: Request
    wait: Callable[[float | None], None]
    head_bytes: int | None = None  # how much of the response is let through, when it is cut
    body_bytes: int | None = None
    reset: bool = False
    later: float = 0.0  # seconds by which the server's clock seems to be ahead


class Fault:
    """Does nothing. `before` runs ahead of the forwarding, `after` once the real server has begun to answer (so a
    write has been made by then); both may raise Ended."""

    def before(self, exchange: Exchange) -> None:
        return None

    def after(self, exchange: Exchange) -> None:
        return None

    @property
    def label(self) -> str:
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Answer(Fault):
    """An answer of the proxy's own; with `forward` in place of the server's, else without asking the server."""

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
    """A Kubernetes `Status` object as JSON, in the form that the API server gives it."""
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

    `retry_after` (seconds) sets the header and the Status' `retryAfterSeconds`. With `forward` the real server carries
    the request out first: what a gateway's 504 looks like after a write that was made.
    """
    fields = {"Content-Type": "application/json" if body is None else "text/plain; charset=utf-8", **(headers or {})}
    details = {}
    if retry_after is not None:
        fields["Retry-After"] = str(retry_after)
        details["retryAfterSeconds"] = retry_after
    return Answer(code, api_status(code, reason, message, **details) if body is None else body, fields, forward)


def conflict(message: str = "the object has been modified; please apply your changes to the latest version") -> Fault:
    """409 Conflict, as after somebody else's write. Nothing is forwarded."""
    return status(409, reason="Conflict", message=message)


def drop(*, reset: bool = False) -> Fault:
    """Close the connection without forwarding; with `reset` by a TCP RST."""
    return Drop(reset)


def cut(*, body_bytes: int | None = None, head_bytes: int | None = None, reset: bool = False) -> Fault:
    """Forward, then close the connection amid the answer: the write was made, but the client does not know.

    The client gets nothing at all, or the first `head_bytes` of status line and headers, or the whole head and the
    first `body_bytes` of the body (as it is on the wire, chunk sizes included).
    """
    if head_bytes is not None and body_bytes is not None:
        raise ValueError("cut() takes head_bytes or body_bytes: a head that is cut has no body.")
    return Cut(head_bytes, body_bytes, reset)


def slow(seconds: float, *, forward: bool = True) -> Fault:
    """Hold back the server's answer for so long; with `forward=False` hold back the request."""
    return Slow(seconds, forward)


def hang(*, forward: bool = False) -> Fault:
    """Never answer; with `forward` the server has carried the request out. Ends when the client closes."""
    return Slow(None, forward)


def clock(seconds: float) -> Fault:
    """Let the server's clock seem to be that much ahead: the Date of its answers. What it stores has its real time."""
    return Clock(seconds)


def call(function: Callable[[Request], object], *, forward: bool = False) -> Fault:
    """Run `function(request)` before the request is forwarded, or, with `forward`, before its answer is passed on.

    Only this request waits for it. What it raises closes the connection, and comes up where the proxy is closed.
    """
    return Call(function, forward)


def each(request: Request) -> Hashable:
    """For `per` of a rule: count each object separately, by method and name, so that chance does not matter."""
    return request.method, request.name


class Rule:
    """Brings `fault` to some of the requests that it matches.

    Matching: `method` (one, or several in a tuple), `path` and `query` (regular expressions, searched for), and `where`
    (any function of the request). Choosing among them, at most one of: `nth` (that one alone, from 1), `first` (so
    many), `every` (each so-many-th), `probability` (0 to 1, repeatable through `seed`); without any of these: all.
    `per` makes the choice within each group of requests of its own, such as `per=lambda request: request.name`.
    `matched` counts the requests that match, whatever other rules do with them, and `fired` those that were chosen.
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
        """Whether the fault is brought to this request; counts it. Safe to call from several threads."""
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
            # Drawn for the group and its count, not from one stream: threads may arrive in any order.
            return random.Random(f"{self._seed} {group!r} {count}").random() < self._probability
        return True


def expired(path: str = "", page: int = 2) -> Rule:
    """410 Gone (reason Expired), once, on that page of a paginated list: the first page (1) cannot expire."""
    if page < 2:
        raise ValueError("Only a page that continues a list can expire: page must be 2 or more.")
    fault = status(410, reason="Expired", message=EXPIRED)
    return Rule(fault, method="GET", path=path, query=r"(^|&)continue=[^&]", nth=page - 1)
