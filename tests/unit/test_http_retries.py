"""The retry policy of HTTP clients, against scripted answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.http import TRIES, TRIES_WHEN_DOWN, Answer, Retrier
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, ProxyError, ReadTimeoutError, SSLError


class Server:
    """Returns scripted answers, one for each request, repeats the last one, and counts the requests."""

    def __init__(self, answers: Iterable[Any]) -> None:
        self.answers = list(answers)
        self.delays: list[float] = []
        self.retrier = Retrier(self.delays.append)
        self.requests = 0

    def _request(self) -> Any:
        answer = self.answers[min(self.requests, len(self.answers) - 1)]
        self.requests += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def send(self) -> Answer:
        self.requests = 0
        return self.retrier.send(self._request)


def response(status: int, **headers: str) -> HTTPResponse:
    return HTTPResponse(status=status, headers={key.replace("_", "-"): value for key, value in headers.items()})


OK = response(200)
BROKEN = ProtocolError("Connection aborted.")
REFUSED = NewConnectionError(None, "Connection refused")  # type: ignore[arg-type]
TIMEOUT = ReadTimeoutError(None, "/", "timed out")  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 403, 404, 409, 410, 422])
def test_what_a_retry_does_not_change_is_sent_once(status: int) -> None:
    server = Server([response(status)])
    assert server.send().response.status == status
    assert server.requests == 1
    assert not server.delays


@pytest.mark.parametrize("failure", [response(429), response(500), response(503), BROKEN])
def test_retries_are_bounded_and_their_delays_double(failure: Any) -> None:
    server = Server([failure])
    if failure is BROKEN:
        with pytest.raises(ProtocolError):
            server.send()
    else:
        assert server.send().response is failure
    assert server.requests == TRIES
    assert len(server.delays) == TRIES - 1
    for number, delay in enumerate(server.delays):
        assert 0.75 * 0.25 * 2**number <= delay <= 1.25 * 0.25 * 2**number


def test_a_server_that_is_down_gets_fewer_tries_until_it_answers() -> None:
    server = Server([response(503)])
    server.send()
    server.send()
    assert server.requests == TRIES_WHEN_DOWN
    server.answers = [OK]
    server.send()
    server.answers = [response(503)]
    server.send()
    assert server.requests == TRIES


def test_retry_after_is_the_least_delay() -> None:
    server = Server([response(429, Retry_After="7"), OK])
    server.send()
    assert server.delays == [7.0]


def test_a_long_retry_after_is_not_waited_for() -> None:
    server = Server([response(503, Retry_After="3600")])
    assert server.send().response.status == 503
    assert server.requests == 1
    assert not server.delays


@pytest.mark.parametrize("failure", [REFUSED, TIMEOUT, SSLError("bad"), ProxyError("bad", BROKEN)])
def test_a_server_that_cannot_be_reached_at_first_is_not_tried_again(failure: HTTPError) -> None:
    server = Server([failure])
    with pytest.raises(type(failure)):
        server.send()
    assert server.requests == 1


@pytest.mark.parametrize("failure", [SSLError("bad"), ProxyError("bad", BROKEN)])
def test_a_server_that_answered_before_may_be_restarting(failure: HTTPError) -> None:
    server = Server([OK])
    server.send()
    server.answers = [failure, failure, OK]
    assert server.send() == (OK, False)
    assert server.requests == 3


@pytest.mark.parametrize("failure", [TIMEOUT, REFUSED], ids=["read", "connect"])
def test_a_timeout_counts_three_times(failure: HTTPError) -> None:
    server = Server([OK])
    server.send()
    server.answers = [failure]
    with pytest.raises(type(failure)):
        server.send()
    assert server.requests == 2


@pytest.mark.parametrize(
    ("first", "expected"),
    [(response(429), False), (response(500), True), (response(504), True), (BROKEN, True)],
    ids=["429", "500", "504", "broken"],
)
def test_whether_an_earlier_try_may_be_applied(first: Any, expected: bool) -> None:
    assert Server([first, response(409)]).send().may_be_applied is expected
