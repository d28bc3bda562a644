"""Requests to a hub that fail: one sentence for each error, never with the token, after a bounded time."""

from __future__ import annotations

import socket
import time
import urllib.request
import warnings
from pathlib import Path

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.hub.client import HubClient, HubError

from testbed.faults import Rule, cut, drop, hang, status
from tests.hub.rig import NEWEST, RealHub, numbered, proxied

# What is said and what is retried is ours; one hub is enough.
pytestmark = pytest.mark.parametrize("running_hub", [NEWEST], indirect=True)


def sentence(url: str, token: str, **options: object) -> str:
    """The message when the hub cannot be queried."""
    start = time.monotonic()
    with pytest.raises(HubError) as caught:
        HubClient(url, token, **options).users()
    assert time.monotonic() - start < 15
    said = str(caught.value)
    assert "\n" not in said
    assert said[-1] not in ".?"  # the module ends it
    assert token not in said
    assert token not in repr(caught.getrepr(style="long"))
    return said


@pytest.mark.parametrize(
    ("fault", "choice"),
    [
        (status(429, retry_after=1), {"nth": 2}),
        (status(429), {"every": 2}),
        (status(500), {"first": 3}),
        (status(503, body=b"<html>no hub</html>", headers={"Content-Type": "text/html"}), {"every": 2}),
        (cut(body_bytes=20), {"every": 2}),
        (cut(), {"first": 1}),
        (drop(), {"nth": 3}),
        (drop(reset=True), {"every": 2}),
    ],
    ids=["429", "429 without a time", "500", "503", "cut", "cut at once", "closed", "reset"],
)
def test_transient_faults_of_a_hub_are_retried(hub: RealHub, fault: object, choice: dict[str, int]) -> None:
    names = numbered("user", 25)
    hub.add(*names)
    rule = Rule(fault, **choice)
    waits: list[float] = []
    with proxied(hub, rule) as proxy:
        client = HubClient(proxy.url, hub.tokens["full"], ca_cert=proxy.authority, sleep=waits.append)
        assert [user.name for user in client.users()] == names
    assert rule.fired == len(waits) > 0
    if fault == status(429, retry_after=1):
        assert waits == [1.0]
    assert sum(waits) < 5


@pytest.mark.parametrize(
    ("fault", "words", "requests"),
    [
        (status(429, retry_after=3600), "limits the rate of requests (429", 1),
        (status(429), "limits the rate of requests (429", 5),
        (status(500), "has an internal error (500", 5),
        (status(504, body=b"<html>late</html>"), "has an internal error (504)", 5),
        (cut(body_bytes=20), "broke", 5),
        (drop(), "broke", 5),
        (hang(), "did not answer in time", 1),
        (status(400), "rejects /user (400", 1),
    ],
    ids=["429 for an hour", "429", "500", "504", "cut", "closed", "hangs", "400"],
)
def test_permanent_faults_are_reported(hub: RealHub, fault: object, words: str, requests: int) -> None:
    with proxied(hub, Rule(fault)) as proxy:
        said = sentence(
            proxy.url, hub.tokens["full"], ca_cert=proxy.authority, timeout=1.0, sleep=lambda _seconds: None
        )
        assert proxy.count() == requests
    assert words in said
    assert proxy.url in said


def test_a_hub_that_stops_answering_half_way(hub: RealHub) -> None:
    hub.add(*numbered("user", 25))
    with proxied(hub, Rule(hang(), query="offset=9")) as proxy:
        said = sentence(proxy.url, hub.tokens["full"], ca_cert=proxy.authority, timeout=0.5)
        assert proxy.count(path="/users$") == 3
    assert "did not answer in time" in said


def test_a_login_page_in_the_way(hub: RealHub) -> None:
    with urllib.request.urlopen(f"{hub.url}/hub/login") as page:
        login = page.read()
    assert login.lstrip().startswith(b"<!DOCTYPE")
    html = {"Content-Type": "text/html; charset=utf-8"}
    elsewhere = {"Location": "https://login.example.org/oauth?state=secret"}
    with proxied(hub, Rule(status(200, body=login, headers=html), nth=1)) as proxy:
        assert "answers with a web page, perhaps a login page" in sentence(
            proxy.url, hub.tokens["full"], ca_cert=proxy.authority
        )
    with proxied(hub, Rule(status(302, body=b"", headers=elsewhere), nth=1)) as proxy:
        said = sentence(proxy.url, hub.tokens["full"], ca_cert=proxy.authority)
    assert "redirects to 'https://login.example.org/oauth'" in said
    assert "secret" not in said


def test_an_answer_in_another_form(hub: RealHub) -> None:
    token = hub.tokens["full"]
    for path, body, words in [
        ("/user$", b"{}", "has no scopes"),
        ("/user$", b"pong", "answers with something, not with JSON"),
        ("/users$", b"[]", "without pages"),
        ("/users$", b'{"items": []}', "in an unknown format"),
        ("/users$", b'{"items": [{"name": 7}], "_pagination": {"limit": 9, "next": null}}', "in an unknown format"),
        (
            "/users$",
            b'{"items": [{"name": "a", "last_activity": "soon"}], "_pagination": {"limit": 9, "next": null}}',
            "an invalid time: 'soon'",
        ),
    ]:
        with proxied(hub, Rule(status(200, body=body), path=path)) as proxy:
            assert words in sentence(proxy.url, token, ca_cert=proxy.authority)


def test_a_wrong_token(hub: RealHub) -> None:
    said = sentence(hub.url, "0123456789abcdef")
    assert "does not accept the token (403)" in said


def test_a_proxy_that_forbids_the_list(hub: RealHub) -> None:
    with proxied(hub, Rule(status(403), path="/users$")) as proxy:
        said = sentence(proxy.url, hub.tokens["full"], ca_cert=proxy.authority)
    assert "does not allow the token to list its users (403" in said


def test_addresses(hub: RealHub) -> None:
    hub.add("ann")
    token = hub.tokens["full"]
    for ending in ("", "/", "/hub", "/hub/", "/hub/api", "/hub/api/"):
        assert [user.name for user in HubClient(hub.url + ending, token).users()] == ["ann"]
    # The hub is at /jupyter/; it says so itself.
    for address in (hub.root, hub.root + "/hub/api", hub.root + "/elsewhere"):
        assert sentence(address, token).endswith(f"the hub's base URL is /jupyter/: set its address to {hub.url}")
    assert f"no JupyterHub API at {hub.url}/hub/login/hub/api (404)" in sentence(f"{hub.url}/hub/login", token)


def test_tls(hub: RealHub, tmp_path: Path) -> None:
    hub.add("ann")
    token = hub.tokens["full"]
    with proxied(hub) as proxy, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(HubClient(proxy.url, token, ca_cert=proxy.authority).users()) == 1
        assert len(HubClient(proxy.url, token, validate_certs=False).users()) == 1
        assert "is not accepted (unable to get local issuer certificate)" in sentence(proxy.url, token)
        assert "set `ca_cert` to the file of its CA" in sentence(proxy.url, token)
        # 127.1 is the same address under a name that the certificate does not have.
        other = sentence(proxy.url.replace("127.0.0.1", "127.1"), token, ca_cert=proxy.authority)
        assert "set an address with the name in the certificate" in other
        assert "that it serves http, not https" in sentence(proxy.url.replace("https:", "http:"), token)
    # The hub takes the greeting of TLS for the beginning of a request, and waits for the rest.
    assert "that it serves https, not http" in sentence(hub.url.replace("http:", "https:"), token, timeout=1.0)
    assert "does not exist" in sentence(hub.url, token, ca_cert=str(tmp_path / "none.pem"))
    (tmp_path / "bad.pem").write_text("no certificate")
    assert "cannot be used" in sentence(hub.url, token, ca_cert=str(tmp_path / "bad.pem"))


def test_no_hub_at_the_address(hub: RealHub) -> None:
    token = hub.tokens["full"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    assert "connection refused" in sentence(f"http://127.0.0.1:{free}", token)
    assert "cannot be resolved" in sentence("http://hub.invalid", token)


def test_the_environments_proxy_is_used(hub: RealHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("ann")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://someone:else@127.0.0.1:{free}")
    said = sentence(hub.url, hub.tokens["full"])
    assert "The proxy to the hub" in said
    assert "else@" not in said
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert len(HubClient(hub.url, hub.tokens["full"]).users()) == 1


def test_a_hub_that_went_down(hub: RealHub) -> None:
    """A server that answered before may be restarting, so refused connections are retried."""
    hub.add(*numbered("user", 15))
    waits: list[float] = []
    client = HubClient(hub.url, hub.tokens["full"], sleep=waits.append)
    client.users()
    client._http._pool.clear()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    client._http.api = f"http://127.0.0.1:{free}/hub/api"
    with pytest.raises(HubError, match="connection refused"):
        client.users()
    assert waits
