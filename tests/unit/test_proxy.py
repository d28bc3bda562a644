"""The fault proxy in front of a small HTTPS server of our own (the tests on the testbed put it before the real one)."""

from __future__ import annotations

import base64
import datetime
import errno
import http.client
import json
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from testbed.faults import Rule, call, clock, conflict, cut, drop, expired, hang, slow, status
from testbed.proxy import FaultProxy
from testbed.proxy_certificate import make_certificate

CLAIMS = "/api/v1/namespaces/n/persistentvolumeclaims"
LARGE = 3_000_000


class Handler(BaseHTTPRequestHandler):
    """Answers with the request. The path selects the framing of the answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as the API server
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        self.server.seen.append((self.command, self.path))
        body = self.read_body()
        parts = urlsplit(self.path)
        if parts.path == "/watch":
            self.watch()
        elif parts.path == "/until-close":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 1000)
            self.close_connection = True
        elif parts.path == "/no-content":
            self.send_response(204)
            self.end_headers()
        elif parts.path == "/large":
            self.answer(b"y" * LARGE)
        elif parts.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for size in (1, 70_000, 5):
                self.wfile.write(b"%x;extension=1\r\n" % size + b"z" * size + b"\r\n")
            self.wfile.write(b"0\r\nTrailer: yes\r\n\r\n")
        elif parts.path == "/together":
            self.server.barrier.wait(10)
            self.answer(b"{}")
        else:
            certificate = self.connection.getpeercert()
            value = {
                "method": self.command,
                "target": self.path,
                "headers": self.headers.items(),
                "body": body.decode(),
                "subject": dict(pair[0] for pair in certificate["subject"]) if certificate else None,
            }
            self.answer(json.dumps(value).encode())
            if parts.path == "/and-close":
                self.close_connection = True  # without a word, as a server does whose idle limit is reached

    do_POST = do_PATCH = do_DELETE = do_HEAD = do_GET

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Warning", "one")
        self.send_header("Warning", "two")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def watch(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(3):
            self.wfile.write(b"2\r\n%d\n\r\n" % number)
            self.server.event.wait(10)
            self.server.event.clear()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = self.closed = 0
        self.seen: list[tuple[str, str]] = []
        self.event = threading.Event()
        self.barrier = threading.Barrier(4)
        self.folder = folder
        authority, chain = make_certificate(folder)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(chain)
        tls.verify_mode = ssl.CERT_OPTIONAL
        tls.load_verify_locations(client_certificate(folder))
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.cluster = {
            "server": f"https://127.0.0.1:{self.server_port}",
            "certificate-authority": authority.name,  # relative to the kubeconfig
        }

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.closed += 1

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a broken connection is what these tests are about

    def kubeconfig(self, user: dict[str, object], **cluster: object) -> Path:
        path = self.folder / "config"
        value = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {**self.cluster, **cluster}}],
            "users": [{"name": "u", "user": user}],
        }
        path.write_text(yaml.safe_dump(value))
        return path


def client_certificate(folder: Path) -> Path:
    """A self-signed client certificate and its key; the path of the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "client.key").write_bytes(private)
    (folder / "client.crt").write_bytes(certificate.public_bytes(pem))
    return folder / "client.crt"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def kubeconfig(server: Server) -> Path:
    return server.kubeconfig({"client-certificate": "client.crt", "client-key": "client.key"})


def pool(proxy: FaultProxy, **options: object) -> urllib3.HTTPSConnectionPool:
    parts = urlsplit(proxy.url)
    options = {"maxsize": 1, "block": True, "retries": False, "timeout": 10, "ca_certs": proxy.authority, **options}
    return urllib3.HTTPSConnectionPool(parts.hostname, parts.port, **options)


def post(client: urllib3.HTTPSConnectionPool, name: str) -> urllib3.BaseHTTPResponse:
    body = json.dumps({"kind": "PersistentVolumeClaim", "metadata": {"name": name}})
    return client.request("POST", CLAIMS, body=body, headers={"Content-Type": "application/json"})


# -- what is passed on ---------------------------------------------------------------------------------------------


def test_passes_requests_and_answers_on_as_they_are(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig) as proxy:
        client = pool(proxy)
        answer = client.request(
            "POST", "/a%2Fb?limit=5&continue=a%3D%3D", body="né".encode(), headers={"User-Agent": "me", "X-One": "1"}
        )
    value = answer.json()
    assert (value["method"], value["target"], value["body"]) == ("POST", "/a%2Fb?limit=5&continue=a%3D%3D", "né")
    headers = dict(value["headers"])
    assert (headers["User-Agent"], headers["X-One"], headers["Host"]) == ("me", "1", f"127.0.0.1:{server.server_port}")
    assert answer.headers.getlist("Warning") == ["one", "two"]
    (request,) = proxy.requests
    assert (request.method, request.path, request.query) == ("POST", "/a/b", {"limit": "5", "continue": "a=="})
    assert (request.status, request.server_status, request.user_agent) == (200, 200, "me")
    assert request.ended is not None
    assert request.faults == ()


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/large", b"y" * LARGE),
        ("GET", "/chunked", b"z" * 70_006),
        ("GET", "/until-close", b"x" * 1000),
        ("GET", "/no-content", b""),
        ("HEAD", "/large", b""),
    ],
)
def test_every_framing_of_an_answer(kubeconfig: Path, method: str, path: str, expected: bytes) -> None:
    with FaultProxy(kubeconfig) as proxy:
        client = pool(proxy)
        for _ in range(2):  # the second one shows that the connection was left in order
            assert client.request(method, path).data == expected
        assert proxy.connections == (2 if path == "/until-close" else 1)


def test_chunked_and_large_request_bodies(kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig) as proxy:
        client = pool(proxy)
        pieces = [b"a" * 10, b"b" * 100_000, b"c"]
        assert client.request("POST", "/echo", body=iter(pieces), chunked=True).json()["body"].encode() == b"".join(
            pieces
        )
        assert proxy.requests[0].body == b"".join(pieces)
        assert len(client.request("POST", "/echo", body=b"d" * LARGE).json()["body"]) == LARGE
    assert proxy.connections == 1


def test_expect_100_continue_is_answered(kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig) as proxy:
        parts = urlsplit(proxy.url)
        tls = ssl.create_default_context(cafile=proxy.authority)
        client = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=tls, timeout=10)
        client.putrequest("POST", "/echo")
        client.putheader("Expect", "100-continue")
        client.putheader("Content-Length", "2")
        client.endheaders()
        assert client.sock.recv(100).startswith(b"HTTP/1.1 100 ")
        client.send(b"ok")
        assert json.loads(client.getresponse().read())["body"] == "ok"
        client.close()


def test_a_watch_comes_event_by_event(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig) as proxy:
        answer = pool(proxy).request("GET", "/watch", preload_content=False)
        events = []
        for block in answer.stream():
            events.append(block)
            server.event.set()  # the server sends the next one only after this one has arrived
        assert events == [b"0\n", b"1\n", b"2\n"]


def test_connections_are_kept_on_both_sides(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig) as proxy:
        client = pool(proxy)
        for _ in range(20):
            assert client.request("GET", "/").status == 200
    assert (proxy.connections, server.connections, proxy.parallel) == (1, 1, 1)
    assert {request.connection for request in proxy.requests} == {1}


def test_requests_run_side_by_side(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig) as proxy, ThreadPoolExecutor(4) as threads:
        client = pool(proxy, maxsize=4)
        # The server answers none of them before all four have come.
        answers = list(threads.map(lambda _: client.request("GET", "/together").status, range(8)))
        client.request("GET", "/")
    assert answers == [200] * 8
    assert (proxy.parallel, proxy.connections) == (4, 4)


def test_a_connection_that_the_server_gave_up_is_opened_anew(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig) as proxy:
        client = pool(proxy)
        for number in range(3):
            assert client.request("POST", "/and-close").status == 200
            wait_for(lambda expected=number + 1: server.closed == expected)
    assert (proxy.connections, server.connections) == (1, 3)


def test_protocol_upgrades_are_rejected(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig) as proxy:
        answer = pool(proxy).request("GET", "/exec", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert (answer.status, server.seen) == (501, [])


# -- identity ------------------------------------------------------------------------------------------------------


def test_the_proxy_brings_the_clients_certificate(kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig) as proxy:
        value = pool(proxy).request("GET", "/", headers={"Authorization": "Bearer nobody"}).json()
        user = yaml.safe_load(Path(proxy.kubeconfig).read_text())["users"][0]["user"]
    assert value["subject"] == {"commonName": "admin"}
    assert "Authorization" not in dict(value["headers"])
    assert list(user) == ["token"]


def test_credentials_inside_the_kubeconfig(server: Server) -> None:
    encoded = {
        f"client-{part}-data": base64.b64encode((server.folder / name).read_bytes()).decode()
        for part, name in (("certificate", "client.crt"), ("key", "client.key"))
    }
    authority = base64.b64encode((server.folder / "ca.crt").read_bytes()).decode()
    path = server.kubeconfig({**encoded, "token": "t"}, **{"certificate-authority-data": authority})
    with FaultProxy(path) as proxy:
        value = pool(proxy).request("GET", "/").json()
    assert value["subject"] == {"commonName": "admin"}
    assert dict(value["headers"])["Authorization"] == "Bearer t"


def test_a_token_is_passed_through_without_the_certificate(kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig, token="from-a-service-account") as proxy:
        config = yaml.safe_load(Path(proxy.kubeconfig).read_text())
        token = config["users"][0]["user"]["token"]
        value = pool(proxy).request("GET", "/", headers={"Authorization": f"Bearer {token}"}).json()
    assert value["subject"] is None
    assert dict(value["headers"])["Authorization"] == "Bearer from-a-service-account"


def test_the_servers_path_prefix_is_kept(server: Server) -> None:
    path = server.kubeconfig({"token": "t"}, server=f"https://127.0.0.1:{server.server_port}/k8s/c1/")
    with FaultProxy(path) as proxy:
        config = yaml.safe_load(Path(proxy.kubeconfig).read_text())
    assert config["clusters"][0]["cluster"]["server"] == proxy.url
    assert proxy.url.endswith("/k8s/c1")


def test_a_client_that_does_not_trust_the_proxy(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig) as proxy:
        with pytest.raises(urllib3.exceptions.SSLError):
            pool(proxy, ca_certs=str(server.folder / "ca.crt")).request("GET", "/")
        wait_for(lambda: proxy.handshakes_failed == 1)
        assert pool(proxy).request("GET", "/").status == 200


@pytest.mark.parametrize(
    ("user", "cluster", "named"),
    [
        ({"exec": {"command": "x"}}, {}, "'exec'"),
        ({"as": "root"}, {}, "'as'"),
        ({}, {"proxy-url": "http://x"}, "'proxy-url'"),
    ],
)
def test_unsupported_features_are_rejected(server: Server, user: dict, cluster: dict, named: str) -> None:
    with pytest.raises(ValueError, match=f"does not support {named}"):
        FaultProxy(server.kubeconfig(user, **cluster))


def test_a_missing_context(kubeconfig: Path) -> None:
    with pytest.raises(ValueError, match="no context named 'other'"):
        FaultProxy(kubeconfig, context="other")


# -- faults --------------------------------------------------------------------------------------------------------


def test_status_is_answered_without_asking_the_server(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig, [Rule(status(429, retry_after=7), method="POST", first=2)]) as proxy:
        client = pool(proxy)
        answers = [post(client, f"claim-{number}") for number in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"
    value = answers[0].json()
    assert (value["kind"], value["code"], value["reason"]) == ("Status", 429, "TooManyRequests")
    assert value["details"] == {"retryAfterSeconds": 7}
    assert server.seen == [("POST", CLAIMS)]
    assert [request.status for request in proxy.requests] == [429, 429, 200]
    assert [request.server_status for request in proxy.requests] == [None, None, 200]
    assert proxy.requests[0].faults == ("status 429",)
    assert proxy.connections == 1


def test_status_in_place_of_the_servers_answer(server: Server, kubeconfig: Path) -> None:
    page = status(504, body=b"<html>gateway</html>", forward=True)
    with FaultProxy(kubeconfig, [Rule(page, nth=1)]) as proxy:
        client = pool(proxy)
        answer = post(client, "claim-a")
        assert (answer.status, answer.data) == (504, b"<html>gateway</html>")
        assert post(client, "claim-b").status == 200
    assert len(server.seen) == 2
    assert proxy.requests[0].server_status == 200
    assert (proxy.connections, server.connections) == (1, 1)


def test_status_that_closes_the_connection(kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig, [Rule(status(503, headers={"Connection": "close"}), nth=1)]) as proxy:
        client = pool(proxy)
        assert [client.request("GET", "/").status for _ in range(2)] == [503, 200]
    assert proxy.connections == 2


def test_head_gets_no_body(kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig, [Rule(status(500), nth=1)]) as proxy:
        client = pool(proxy)
        assert [client.request("HEAD", "/").status for _ in range(2)] == [500, 200]


def test_drop_closes_before_the_server_is_asked(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig, [Rule(drop(), nth=1)]) as proxy:
        client = pool(proxy)
        with pytest.raises(urllib3.exceptions.ProtocolError):
            post(client, "claim-a")
        assert server.seen == []
        assert post(client, "claim-a").status == 200
    assert proxy.requests[0].status is None


@pytest.mark.parametrize(("reset", "error"), [(False, 0), (True, errno.ECONNRESET)])
@pytest.mark.parametrize("fault", [drop, cut])
def test_a_connection_ends_in_order_or_by_a_reset(kubeconfig: Path, fault: object, reset: bool, error: int) -> None:
    with FaultProxy(kubeconfig, [Rule(fault(reset=reset))]) as proxy:  # type: ignore[operator]
        parts = urlsplit(proxy.url)
        tls = ssl.create_default_context(cafile=proxy.authority)
        raw = socket.create_connection((parts.hostname or "", parts.port or 0))
        with tls.wrap_socket(raw, server_hostname="localhost") as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            poll = select.poll()
            poll.register(client.fileno(), select.POLLRDHUP)
            assert poll.poll(10_000)
            # Asked of the socket, for Python's TLS takes a reset for an ordinary end.
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == error


def test_cut_closes_after_the_server_has_answered(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig, [Rule(cut(), nth=1)]) as proxy:
        client = pool(proxy)
        with pytest.raises(urllib3.exceptions.ProtocolError):
            post(client, "claim-a")
        assert server.seen == [("POST", CLAIMS)]
        assert (proxy.requests[0].status, proxy.requests[0].server_status) == (None, 200)


def test_cut_within_the_head(kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig, [Rule(cut(head_bytes=5))]) as proxy, pytest.raises(urllib3.exceptions.ProtocolError):
        pool(proxy).request("GET", "/")


@pytest.mark.parametrize(("path", "complete"), [("/large", LARGE), ("/chunked", 70_006)])
@pytest.mark.parametrize("size", [0, 1000, 66_000])
def test_cut_within_the_body(kubeconfig: Path, path: str, complete: int, size: int) -> None:
    with FaultProxy(kubeconfig, [Rule(cut(body_bytes=size), nth=1)]) as proxy:
        client = pool(proxy)
        answer = client.request("GET", path, preload_content=False)
        assert answer.status == 200
        got: list[bytes] = []
        with pytest.raises(urllib3.exceptions.HTTPError):
            got.extend(answer.stream(100))
        assert sum(map(len, got)) <= size
        assert len(client.request("GET", path).data) == complete
    assert proxy.requests[0].status == 200


def test_a_clock_that_is_ahead(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig, [Rule(clock(7200), nth=2)]) as proxy:
        client = pool(proxy)
        dates = [parsedate_to_datetime(client.request("GET", "/").headers["Date"]) for _ in range(2)]
    assert 7195 <= (dates[1] - dates[0]).total_seconds() <= 7205


@pytest.mark.parametrize("forward", [False, True])
def test_slow_delays_the_request_or_the_answer(server: Server, kubeconfig: Path, forward: bool) -> None:
    with FaultProxy(kubeconfig, [Rule(slow(1.0, forward=forward), nth=1)]) as proxy, ThreadPoolExecutor(1) as threads:
        client = pool(proxy)
        started = time.monotonic()
        answer = threads.submit(client.request, "GET", "/")
        if forward:
            wait_for(lambda: len(server.seen) == 1)
        else:
            time.sleep(0.3)
            assert server.seen == []
        assert not answer.done()
        assert answer.result(10).status == 200
        assert time.monotonic() - started >= 1.0
    assert proxy.requests[0].faults == ("slow",)


def test_a_client_that_loses_patience(server: Server, kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig, [Rule(slow(30), nth=1)]) as proxy:
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            pool(proxy, timeout=1.0).request("POST", "/")
        wait_for(lambda: proxy.requests[0].ended is not None)  # long before the 30 s are over
        assert server.seen == [("POST", "/")]
        assert pool(proxy).request("GET", "/").status == 200


@pytest.mark.parametrize("forward", [False, True])
def test_hang_never_answers(server: Server, kubeconfig: Path, forward: bool) -> None:
    with FaultProxy(kubeconfig, [Rule(hang(forward=forward))]) as proxy:
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            pool(proxy, timeout=1.0).request("POST", "/")
        assert len(server.seen) == forward
        assert proxy.requests[0].faults == ("hang",)


def test_conflict_once_for_each_object(kubeconfig: Path) -> None:
    rule = Rule(conflict(), method=("POST", "PATCH"), nth=1, per=lambda request: request.name)
    with FaultProxy(kubeconfig, [rule]) as proxy:
        client = pool(proxy)
        first = post(client, "claim-a")
        assert (first.status, first.json()["reason"]) == (409, "Conflict")
        assert post(client, "claim-a").status == 200
        assert post(client, "claim-b").status == 409
        assert client.request("PATCH", f"{CLAIMS}/claim-c", body=b"{}").status == 409
        assert client.request("PATCH", f"{CLAIMS}/claim-a", body=b"{}").status == 200
    assert (rule.matched, rule.fired) == (5, 3)


def test_a_list_expires_on_its_third_page_once(kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig, [expired(CLAIMS, page=3)]) as proxy:
        client = pool(proxy)
        queries = ["limit=5", "limit=5&continue=a", "limit=5&continue=b"] * 2
        answers = [client.request("GET", f"{CLAIMS}?{query}") for query in queries]
    assert [answer.status for answer in answers] == [200, 200, 410, 200, 200, 200]
    assert answers[2].json()["reason"] == "Expired"


def test_call_runs_before_the_request_is_forwarded(server: Server, kubeconfig: Path) -> None:
    seen: list[tuple[str, int]] = []
    before = call(lambda request: seen.append((request.name, len(server.seen))))
    after = call(lambda request: seen.append((request.name, len(server.seen))), forward=True)
    with FaultProxy(kubeconfig, [Rule(before), Rule(after)]) as proxy:
        post(pool(proxy), "claim-a")
    assert seen == [("claim-a", 0), ("claim-a", 1)]


def test_call_holds_only_its_own_connection(kubeconfig: Path) -> None:
    go_on = threading.Event()
    rule = Rule(call(lambda request: go_on.wait(10)), path="/held")
    with FaultProxy(kubeconfig, [rule]) as proxy, ThreadPoolExecutor(1) as threads:
        held = threads.submit(pool(proxy).request, "GET", "/held")
        assert pool(proxy).request("GET", "/other").status == 200
        assert not held.done()
        go_on.set()
        assert held.result(10).status == 200


def test_what_a_function_raises_reaches_the_test(kubeconfig: Path) -> None:
    proxy = FaultProxy(kubeconfig, [Rule(call(lambda request: pytest.fail("from within")), nth=1)]).start()
    client = pool(proxy)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        client.request("GET", "/")
    assert client.request("GET", "/").status == 200
    with pytest.raises(pytest.fail.Exception, match="from within"):
        proxy.close()


def test_a_client_process_is_killed_at_an_exact_request(server: Server, kubeconfig: Path) -> None:
    program = (
        "import sys, urllib3\n"
        "pool = urllib3.PoolManager(ca_certs=sys.argv[2])\n"
        "for number in range(100): pool.request('POST', f'{sys.argv[1]}/{number}', body=b'')\n"
    )
    processes: list[subprocess.Popen[bytes]] = []
    rule = Rule(call(lambda request: (processes[0].kill(), processes[0].wait())), method="POST", nth=7)
    with FaultProxy(kubeconfig, [rule]) as proxy:
        processes.append(subprocess.Popen([sys.executable, "-c", program, proxy.url, proxy.authority]))
        assert processes[0].wait(30) == -9
    assert proxy.count("POST") == 7
    # The seventh had left the client when it died: the server carries it out all the same.
    assert [path for _, path in server.seen] == [f"/{number}" for number in range(7)]


# -- rules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"nth": 3}, [3]),
        ({"first": 3}, [1, 2, 3]),
        ({"every": 3}, [3, 6]),
        ({"probability": 0.0}, []),
        ({"probability": 1.0}, [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_which_requests_a_rule_chooses(kubeconfig: Path, choice: dict, expected: list[int]) -> None:
    with FaultProxy(kubeconfig, [Rule(status(500), method="GET", path="^/yes$", query="a=1", **choice)]) as proxy:
        client = pool(proxy)
        for other in ("/no?a=1", "/yes?a=2", "/yes"):
            assert client.request("GET", other).status == 200
        assert client.request("POST", "/yes?a=1").status == 200
        answers = [client.request("GET", "/yes?a=1").status for _ in range(8)]
    assert [number for number, answer in enumerate(answers, 1) if answer == 500] == expected


def test_probability_is_repeatable_whatever_the_order(kubeconfig: Path) -> None:
    def run(names: list[str], seed: int) -> set[tuple[str, int]]:
        rule = Rule(status(500), probability=0.3, seed=seed, per=lambda request: request.name)
        with FaultProxy(kubeconfig, [rule]) as proxy:
            client, count = pool(proxy), Counter()
            for name in names:
                count[name] += 1
                if post(client, name).status == 500:
                    count[name, "failed"] += 1
        return {(name, count[name, "failed"]) for name in names}

    names = [f"claim-{number}" for number in range(50)] * 2
    once = run(names, 1)
    assert run(names[::-1], 1) == once
    assert run(names, 2) != once
    assert 10 < sum(failed for _, failed in once) < 50


def test_rules_can_be_added_and_cleared(kubeconfig: Path) -> None:
    with FaultProxy(kubeconfig) as proxy:
        client = pool(proxy)
        answers = [client.request("GET", "/").status]
        proxy.add(Rule(status(503), where=lambda request: request.user_agent.startswith("python-urllib3")))
        answers.append(client.request("GET", "/").status)
        proxy.clear()
        answers.append(client.request("GET", "/").status)
    assert answers == [200, 503, 200]
    assert len(proxy.seen("GET", "^/$")) == 3


def test_rules_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="one of nth"):
        Rule(drop(), nth=1, first=2)
    with pytest.raises(ValueError, match="head_bytes or body_bytes"):
        cut(head_bytes=1, body_bytes=1)
    with pytest.raises(ValueError, match="page must be 2"):
        expired(page=1)


# -- the end -------------------------------------------------------------------------------------------------------


def test_close_breaks_what_is_under_way(server: Server, kubeconfig: Path) -> None:
    with ThreadPoolExecutor(3) as threads:
        proxy = FaultProxy(kubeconfig, [Rule(hang(), path="/hang")]).start()
        hanging = threads.submit(pool(proxy).request, "GET", "/hang")
        waiting = threads.submit(pool(proxy).request, "GET", "/together")  # the server waits for three more
        idle = pool(proxy)
        idle.request("GET", "/")
        wait_for(lambda: len(proxy.requests) == 3)
        started = time.monotonic()
        proxy.close()
        assert time.monotonic() - started < 2
        for each in (hanging, waiting):
            with pytest.raises(urllib3.exceptions.ProtocolError):
                each.result(10)
        server.barrier.abort()
    assert not Path(proxy.kubeconfig).exists()


def test_a_server_that_does_not_answer(server: Server) -> None:
    path = server.kubeconfig({"token": "t"}, server="https://127.0.0.1:1")
    with FaultProxy(path) as proxy, pytest.raises(urllib3.exceptions.ProtocolError):
        pool(proxy).request("GET", "/")


def wait_for(condition: object) -> None:
    end = time.monotonic() + 5
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited 5 s in vain"
        time.sleep(0.01)
