# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The retry policy of all HTTP clients here, and the readable part of a urllib3 error."""

from __future__ import annotations

import contextlib
import random
import time
from typing import Any, Callable, NamedTuple

with contextlib.suppress(ImportError):  # each client reports it when it is created
    import urllib3
    from urllib3.exceptions import HTTPError, NewConnectionError, ProxyError, SSLError, TimeoutError

#: Tries per request, and the delay before the second one (seconds, doubled for each further one).
TRIES = 5
BACKOFF = 0.25
#: Tries per request after a request that used up all of its tries: the server is probably down.
TRIES_WHEN_DOWN = 2
#: A Retry-After longer than this (seconds) is not waited for.
LONGEST_RETRY_AFTER = 60.0


class Answer(NamedTuple):
    """The last response to a request. `may_be_applied`: an earlier try failed unclearly, so it may have been applied."""

    response: Any
    may_be_applied: bool


class Retrier:
    """Sends requests to one server and retries 429 (honouring Retry-After), 5xx and broken connections.

    A server that never answered is not retried when it cannot be reached at all: the address or TLS is wrong. Safe to
    use from several threads.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._is_down = False
        #: Whether the server ever answered.
        self.answered = False

    def send(self, request: Callable[[], Any]) -> Answer:
        """Call `request` until it returns a response that is worth no retry, or no try is left.

        A response has `status` and `headers`. Raises urllib3's HTTPError when the last try got no response.
        """
        may_be_applied = False
        tries = 0
        while True:
            tries += 1
            delay = BACKOFF * 2 ** (tries - 1) * (0.75 + random.random() / 2)
            failure = None
            try:
                response = request()
            except HTTPError as error:
                failure = error
                never_sent = isinstance(error, (NewConnectionError, SSLError, ProxyError))
                may_be_applied = may_be_applied or not never_sent
                if not self.answered and (never_sent or isinstance(error, TimeoutError)):
                    raise
                if isinstance(error, TimeoutError):
                    tries += 2  # one timeout is a long wait already
            else:
                self.answered = True
                if response.status != 429 and response.status < 500:
                    self._is_down = False
                    return Answer(response, may_be_applied)
                # A 5xx may come after the write was stored, such as a timeout inside the server.
                may_be_applied = may_be_applied or response.status >= 500
                asked = retry_after(response)
                if asked > LONGEST_RETRY_AFTER:
                    return Answer(response, may_be_applied)
                delay = max(delay, asked)
            if tries >= (TRIES_WHEN_DOWN if self._is_down else TRIES):
                self._is_down = True
                if failure is not None:
                    raise failure
                return Answer(response, may_be_applied)
            self._sleep(delay)


def retry_after(response: Any) -> float:
    """Return Retry-After in seconds, given as a number or a date; 0 when it is missing or unreadable."""
    try:
        return float(urllib3.util.Retry().parse_retry_after(response.headers["Retry-After"]))
    except (KeyError, urllib3.exceptions.InvalidHeader):
        return 0.0


def root_cause(failure: BaseException) -> str:
    """Return the innermost cause of a urllib3 error: the only part of its text that helps a reader."""
    inner: object = failure
    while isinstance(inner, BaseException):
        failure = inner
        inner = getattr(failure, "reason", None) or (failure.args[-1] if failure.args else None)
    text = getattr(failure, "verify_message", None) or str(failure)
    return text.rsplit(": ", 1)[-1].strip(" ')\"") if len(text) > 120 else text
