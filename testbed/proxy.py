"""A proxy in front of the real API server that injects faults into selected requests and records all of them.

    with FaultProxy(kubeconfig, [Rule(status(503), method="POST", first=2)]) as proxy:
        subprocess.run([...], env={**os.environ, "KUBECONFIG": proxy.kubeconfig})
    assert proxy.count(method="POST") == 12

It uses HTTP/1.1 over TLS on both sides, with one connection to the server for each of the client's, both kept alive, and
forwards everything byte for byte (except Host and the identity). It authenticates to the server as the user of the
kubeconfig, and removes the client's credentials. With `token` it has no identity: the client's Authorization is
forwarded, and the new kubeconfig has that token. Protocol upgrades (exec, port-forward) get a 501.
"""

from __future__ import annotations

import contextlib
import re
import select
import shutil
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.client import responses
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import cast

from .faults import Answer, Ended, Exchange, Request, Rule, status
from .proxy_certificate import make_certificate
from .proxy_identity import Server, read_server, write_kubeconfig
from .proxy_wire import BLOCK, body_blocks, header_fields, read_body, read_head, until_close

NO_UPGRADE = status(501, reason="NotImplemented", message="The fault proxy does not support protocol upgrades.")
JOIN = 5.0  # seconds for a connection's thread to end when the proxy is closed


class FaultProxy:
    """Serves from `start` (or `with`) until `close`. `rules` may be changed at any time through `add` and `clear`.

    `kubeconfig` is the path of the kubeconfig that leads through the proxy, `requests` has every request in the order of
    arrival, `connections` is the number of client connections so far, `parallel` the largest number of concurrent
    requests, and `handshakes_failed` counts clients that did not trust the proxy, or were killed.
    """

    def __init__(
        self,
        kubeconfig: str | Path,
        rules: Iterable[Rule] = (),
        *,
        token: str | None = None,
        context: str | None = None,
    ) -> None:
        self.server: Server = read_server(Path(kubeconfig), context, with_identity=token is None)
        self.requests: list[Request] = []
        self.connections = 0
        self.parallel = 0
        self.handshakes_failed = 0
        self.errors: list[BaseException] = []
        self._token = token
        self._rules = list(rules)
        self._lock = threading.Lock()
        self._under_way = 0
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()

    def start(self) -> FaultProxy:
        self.folder = Path(tempfile.mkdtemp(prefix="fault-proxy-"))
        authority, chain = make_certificate(self.folder)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(chain)
        self._tls.set_alpn_protocols(["http/1.1"])  # Go's clients would take HTTP/2 otherwise
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.settimeout(0.05)  # how long close() may have to wait for the accepting thread
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}{self.server.prefix}"
        self.authority = str(authority)  # path of the CA certificate that signed the proxy's certificate
        self.kubeconfig = str(self.folder / "kubeconfig")
        write_kubeconfig(Path(self.kubeconfig), self.url, authority, self._token)
        self._spawn(self._accept, "fault proxy")
        return self

    def close(self) -> None:
        """Stop at once, and break running requests. Raises the first error that a rule's function raised."""
        self._stopped.set()
        with self._lock:
            sockets, threads = list(self._sockets), list(self._threads)
        for each in sockets:
            _shut(each)
        for thread in threads:
            thread.join(JOIN)
        self._listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        stuck = [thread.name for thread in threads if thread.is_alive()]
        if self.errors:
            raise self.errors[0]
        if stuck:
            raise RuntimeError(f"The fault proxy's {stuck[0]} did not end: does a rule's function wait for something?")

    def __enter__(self) -> FaultProxy:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        with contextlib.suppress(Exception):  # the error that is on its way tells more
            self.close()

    def add(self, *rules: Rule) -> None:
        with self._lock:
            self._rules = [*self._rules, *rules]

    def clear(self) -> None:
        """Forget all rules; what was seen is kept."""
        with self._lock:
            self._rules = []

    def seen(self, method: str | None = None, path: str = "") -> list[Request]:
        """Return the requests with this method whose path matches the regular expression, in the order of arrival."""
        with self._lock:
            requests = list(self.requests)
        return [one for one in requests if method in (None, one.method) and re.search(path, one.path)]

    def count(self, method: str | None = None, path: str = "") -> int:
        return len(self.seen(method, path))

    def _spawn(self, target: object, name: str, *arguments: object) -> None:
        thread = threading.Thread(target=target, name=name, args=arguments, daemon=True)  # type: ignore[arg-type]
        with self._lock:
            self._threads = [one for one in self._threads if one.is_alive() or one.ident is None]
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                raw, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            raw.settimeout(None)
            self.connections += 1
            self._spawn(self._serve_connection, f"connection {self.connections}", raw, self.connections)

    def _serve_connection(self, raw: socket.socket, number: int) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = self._tls.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
        with self._tracked(client), contextlib.closing(_Upstream(self)) as upstream:
            try:
                client.do_handshake()
            except (OSError, ValueError):
                self.handshakes_failed += 1
                client.close()
                return
            connection = _Connection(self, client, upstream, number)
            try:
                while not self._stopped.is_set() and connection.serve_one():
                    pass
            except (OSError, ValueError):
                pass  # the client or the server has disconnected: close both sides, so that the other one notices
            except Exception as error:
                self.errors.append(error)
            finally:
                connection.close()

    @contextlib.contextmanager
    def _tracked(self, one: socket.socket) -> Iterator[None]:
        """Register a socket that `close` shuts down while the block runs."""
        self._track(one)
        try:
            yield
        finally:
            self._untrack(one)

    def _track(self, one: socket.socket) -> None:
        with self._lock:
            self._sockets.add(one)
        if self._stopped.is_set():
            _shut(one)

    def _untrack(self, one: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(one)

    def _arrived(self, request: Request) -> list[Rule]:
        with self._lock:
            self.requests.append(request)
            self._under_way += 1
            self.parallel = max(self.parallel, self._under_way)
            return self._rules

    @contextlib.contextmanager
    def _errors_kept(self) -> Iterator[None]:
        """For functions of tests: their errors, including pytest's own, must reach the test instead of ending a thread."""
        try:
            yield
        except Ended:
            raise
        except BaseException as error:
            self.errors.append(error)
            raise Ended() from error

    def _left(self, request: Request) -> None:
        request.ended = time.monotonic()
        with self._lock:
            self._under_way -= 1

    def _wait(self, client: socket.socket, seconds: float | None) -> None:
        """Sleep for `seconds`. Raise Ended when the client closes first or the proxy stops."""
        end = None if seconds is None else time.monotonic() + seconds
        poll = select.poll()
        poll.register(client.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        while not self._stopped.is_set():
            left = 0.05 if end is None else min(0.05, end - time.monotonic())
            if left <= 0:
                return
            # A client that waits for an answer sends nothing until it closes.
            if poll.poll(left * 1000):
                break
        raise Ended()


class _Upstream:
    """The connection to the real server for one client connection, opened on demand."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self._socket: socket.socket | None = None
        self.reader: BufferedReader | None = None

    def send(self, data: bytes) -> BufferedReader:
        # A server may close an idle connection. The request has not been sent yet then.
        if self._socket is not None and _readable(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._proxy.server.connect()
            self._proxy._track(self._socket)
            self.reader = cast("BufferedReader", self._socket.makefile("rb", BLOCK))
        self._socket.sendall(data)
        assert self.reader is not None
        return self.reader

    def close(self) -> None:
        if self._socket is not None:
            self._proxy._untrack(self._socket)
            _close(self._socket, self.reader)
        self._socket = self.reader = None


class _Connection:
    """One client connection: reads a request, applies the rules, forwards it, returns the answer."""

    def __init__(self, proxy: FaultProxy, client: ssl.SSLSocket, upstream: _Upstream, number: int) -> None:
        self._proxy = proxy
        self._client = client
        self._upstream = upstream
        self._number = number
        self._reader = cast("BufferedReader", client.makefile("rb", BLOCK))

    def close(self, reset: bool = False) -> None:
        if reset:
            with contextlib.suppress(OSError):
                self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        _close(self._client, self._reader)

    def serve_one(self) -> bool:
        """Serve the next request of the connection. Return False when the connection has ended."""
        head = read_head(self._reader)
        if head is None:
            return False
        method, target, _ = head[0].decode("latin-1").split(None, 2)
        headers = header_fields(head)
        if headers.get("expect", "").lower() == "100-continue":
            self._client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw_body, body = read_body(self._reader, headers)
        request = Request(self._number, method, target, headers, body)
        exchange = Exchange(request, lambda seconds: self._proxy._wait(self._client, seconds))
        rules = self._proxy._arrived(request)
        try:
            with self._proxy._errors_kept():
                rules = [rule for rule in rules if rule.chooses(request)]
                request.faults = tuple(rule.fault.label for rule in rules)
                for rule in rules:
                    rule.fault.before(exchange)
            if "upgrade" in headers:
                raise Ended(NO_UPGRADE)
            reader = self._upstream.send(_forwarded(head, self._proxy.server) + raw_body)
            return self._answer(exchange, reader, rules)
        except Ended as ended:
            if ended.answer is None:
                self.close(ended.reset)
                return False
            self._client.sendall(_answer_bytes(ended.answer, method))
            request.status = ended.answer.status
            return "close" not in (headers.get("connection", "").lower(), ended.answer.headers.get("Connection"))
        finally:
            self._proxy._left(request)

    def _answer(self, exchange: Exchange, reader: BufferedReader, rules: list[Rule]) -> bool:
        """Return the server's answer to the client, as far as the rules allow. Return False when the connection has ended."""
        request = exchange.request
        head = read_head(reader)
        if head is None:
            raise ConnectionResetError("the server closed the connection without an answer")
        headers = header_fields(head)
        request.server_status = int(head[0].split(None, 2)[1])
        body = body_blocks(reader, headers, request.method, request.server_status)
        try:
            with self._proxy._errors_kept():
                for rule in rules:
                    rule.fault.after(exchange)
        except Ended as ended:
            if ended.answer is not None:
                for _ in body:  # the connection to the server stays usable
                    pass
            raise
        if exchange.later:
            head = [_later(line, exchange.later) for line in head]
        data = b"".join(head) + b"\r\n"
        if exchange.head_bytes is not None:
            self._client.sendall(data[: exchange.head_bytes])
            raise Ended(reset=exchange.reset)
        left = exchange.body_bytes
        # A small answer is sent at once: head and body in one TLS record.
        for block in body:
            if left is not None:
                data += block[:left]
                left -= min(left, len(block))
            else:
                data += block
            self._client.sendall(data)
            data = b""
            if left == 0:
                break
        if data:
            self._client.sendall(data)
        request.status = request.server_status
        if exchange.body_bytes is not None:
            raise Ended(reset=exchange.reset)
        if until_close(headers, request.method, request.server_status):
            with contextlib.suppress(OSError, ValueError):  # show the client that the answer is complete
                self._client.settimeout(1.0)
                self._client.unwrap()
            return False
        closing = "close" in (headers.get("connection", "").lower(), request.headers.get("connection", "").lower())
        return not closing and head[0].startswith(b"HTTP/1.1")


def _forwarded(head: list[bytes], server: Server) -> bytes:
    """Return the head for the server: with its Host, the proxy's identity, and no Expect, which the proxy has answered."""
    lines = [head[0], b"Host: " + server.host.encode("latin-1") + b"\r\n"]
    dropped = (b"host", b"expect", b"authorization") if server.has_identity else (b"host", b"expect")
    lines += [line for line in head[1:] if line.split(b":", 1)[0].strip().lower() not in dropped]
    if server.authorization is not None:
        lines.append(b"Authorization: " + server.authorization.encode("latin-1") + b"\r\n")
    return b"".join(lines) + b"\r\n"


def _later(line: bytes, seconds: float) -> bytes:
    """Return a line of a head, with a later Date."""
    name, _, value = line.decode("latin-1").partition(":")
    if name.lower() != "date":
        return line
    moved = parsedate_to_datetime(value.strip()) + timedelta(seconds=seconds)
    return f"{name}: {format_datetime(moved, usegmt=True)}\r\n".encode("latin-1")


def _answer_bytes(answer: Answer, method: str) -> bytes:
    fields = {**answer.headers, "Content-Length": str(len(answer.body))}
    head = f"HTTP/1.1 {answer.status} {responses.get(answer.status, 'Unknown')}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    return head.encode("latin-1") + (b"" if method == "HEAD" else answer.body)


def _readable(one: socket.socket) -> bool:
    poll = select.poll()
    poll.register(one.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


def _shut(one: socket.socket) -> None:
    """Wake threads that read from or write to the socket. SSLSocket's own method would drop its TLS state first."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(one, socket.SHUT_RDWR)


def _close(one: socket.socket, reader: BufferedReader | None) -> None:
    for each in (reader, one):
        if each is not None:
            with contextlib.suppress(OSError, ValueError):
                each.close()
