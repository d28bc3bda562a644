# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to the Kubernetes API: paginated lists, single reads and writes, with bounded retries.

One request is one round trip on a kept-alive connection; nothing is discovered, and nothing is asked twice.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Optional, TypeVar
from urllib.parse import urlencode

from ..._core.requests import CREATE, DELETE, PATCH, ApiRequest, Resource
from ..errors import ApiError, ConnectionFailed, ExternalError, UnexpectedAnswer
from ..http import BACKOFF, LONGEST_RETRY_AFTER, TRIES, core, retry_after
from ..version import USER_AGENT
from .connection import Connection

try:
    import urllib3
    from urllib3.exceptions import HTTPError, NewConnectionError, ProxyError, SSLError, TimeoutError
except ImportError:  # told by the module, through missing_required_lib
    pass

T = TypeVar("T")

#: Objects a page. The size kubectl asks for as well; a page of homes is about a megabyte.
PAGE = 500
#: Writes under way at once. More gains nothing against a small API server (facts were measured at 1, 8 and 16).
CONNECTIONS = 8
CONNECT_TIMEOUT = 4.0
READ_TIMEOUT = 30.0
#: How often a list that expired half-way (410) is begun anew.
LIST_RESTARTS = 5

_METHODS = {CREATE: "POST", PATCH: "PATCH", DELETE: "DELETE"}


class Api:
    """The API server, as far as a module needs it. Safe to use from several threads."""

    def __init__(self, connection: Connection, sleep: Callable[[float], None] = time.sleep) -> None:
        self._connection = connection
        self._sleep = sleep
        self._lock = threading.Lock()
        self._headers = self._with_login(connection.headers())
        self._answered = False
        self._date = ""
        self._tired = False
        self._timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT)

    @property
    def connection(self) -> Connection:
        """The way to the API server, for a client of somebody else's."""
        return self._connection

    def now(self) -> datetime:
        """Return the API server's time, in UTC, as its last answer had it; this host's own where it says none.

        Spans are counted between marks on objects, so one clock has to do, and not that of whoever runs the task.
        """
        try:
            return parsedate_to_datetime(self._date).astimezone(timezone.utc)
        except (TypeError, ValueError):
            return datetime.now(timezone.utc)

    def get(self, resource: Resource, namespace: Optional[str], name: str) -> Optional[dict[str, Any]]:
        """Return one object, or None where there is none of that name."""
        try:
            data, _unsure = self._send("GET", "get", resource, namespace, name)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return _parsed(data)

    def list_all(
        self,
        resource: Resource,
        namespace: Optional[str],
        convert: Callable[[dict[str, Any]], T],
        label_selector: str = "",
        page: int = PAGE,
    ) -> list[T]:
        """Return all objects of a collection, each converted as its page arrives, so that only the result is kept.

        A list whose continuation expired (410 Gone) is begun anew, for half of one list and half of another is
        neither.
        """
        for _restart in range(LIST_RESTARTS):
            found: list[T] = []
            token = ""
            while True:
                query = {"limit": str(page)}
                if label_selector:
                    query["labelSelector"] = label_selector
                if token:
                    query["continue"] = token
                try:
                    data, _unsure = self._send("GET", "list", resource, namespace, None, query=query)
                except ApiError as error:
                    if error.status == 410 and token:
                        break
                    raise
                answer = _parsed(data)
                found.extend(convert(item) for item in answer.get("items") or ())
                token = (answer.get("metadata") or {}).get("continue") or ""
                if not token:
                    return found
        raise ExternalError(
            f"The list of {resource.plural} expired {LIST_RESTARTS} times half-way: the API server is too slow or "
            "compacts too often; run again later"
        )

    def post(self, resource: Resource, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request object that stores nothing (an access review) and return the answer."""
        data, _unsure = self._send("POST", "create", resource, None, None, json.dumps(body))
        return _parsed(data)

    def write(self, step: ApiRequest, dry_run: bool = False) -> bool:
        """Carry out one step; return whether an earlier try of the same request may have done it already.

        Raises ApiError (`unsure` set in the same sense) and ConnectionFailed; UnexpectedAnswer when the
        answer does not show what the step expects.
        """
        query = {"fieldManager": "odh.persistency"} if step.verb != DELETE else {}
        body: Any = step.body
        if dry_run:
            query["dryRun"] = "All"
            if step.verb == DELETE:
                # The API server reads a delete's options from its body alone where it has one, and would delete.
                body = {**body, "dryRun": ["All"]}
        data, unsure = self._send(
            _METHODS[step.verb],
            step.verb,
            step.resource,
            step.namespace,
            step.name,
            json.dumps(body),
            query,
        )
        if step.expected:
            answer = _parsed(data)
            for path, desired in step.expected:
                found = _at(answer, path)
                if found != desired:
                    raise UnexpectedAnswer(
                        f"{step.resource.plural} {step.name} shows {'.'.join(path)} {found!r} where {desired!r} is needed; "
                        "nothing further was done with it"
                    )
        return unsure

    def _with_login(self, pairs: list[tuple[str, str]]) -> Any:
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT, **dict(pairs)}
        if len(headers) == len(pairs) + 2:
            return headers  # a plain dictionary costs a request far less than one that holds a name several times
        repeated = urllib3.HTTPHeaderDict({"Accept": "application/json", "User-Agent": USER_AGENT})
        for name, value in pairs:
            repeated.add(name, value)
        return repeated

    def _renew_login(self, used: Any) -> bool:
        """After a 401: ask for the login anew (an exec plugin's token expires); return whether it differs."""
        with self._lock:
            if self._headers is not used:
                return True
            renewed = self._with_login(self._connection.headers())
            if list(renewed.items()) == list(used.items()):
                return False
            self._headers = renewed
            return True

    def _send(
        self,
        method: str,
        verb: str,
        resource: Resource,
        namespace: Optional[str],
        name: Optional[str],
        body: Optional[str] = None,
        query: Optional[Mapping[str, str]] = None,
    ) -> tuple[bytes, bool]:
        path = resource.path(namespace, None if method == "POST" else name)
        target = path + (f"?{urlencode(query)}" if query else "")
        content = body.encode("utf-8") if body is not None else None
        content_type = "application/json"
        if method == "PATCH":
            kind = "json-patch" if content is not None and content.startswith(b"[") else "merge-patch"
            content_type = f"application/{kind}+json"
        unsure = False
        renewed = False
        tries = 0
        while True:
            tries += 1
            headers = self._headers
            if body is not None:
                headers = headers.copy()
                headers["Content-Type"] = content_type
            failure: ExternalError
            wait = BACKOFF * 2 ** (tries - 1) * (0.75 + random.random() / 2)
            try:
                response = self._connection.request(method, target, content, headers, self._timeout)
            except HTTPError as error:
                first = not self._answered
                failure = no_answer(self._connection.server, error)
                lasting = isinstance(error, (NewConnectionError, SSLError, ProxyError))
                unsure = unsure or not lasting
                if first and (lasting or isinstance(error, TimeoutError)):
                    raise failure from error
                if isinstance(error, TimeoutError):
                    tries += 2  # it was waited for long enough already
            else:
                self._answered = True
                if response.status < 300:
                    self._tired = False
                    self._date = response.headers.get("Date", "")
                    return response.data, unsure
                refused = _refusal(response, verb, resource, namespace, name)
                if response.status == 401 and not renewed and self._renew_login(self._headers):
                    renewed = True
                    continue
                if response.status != 429 and response.status < 500:
                    refused.unsure = unsure
                    raise refused
                # An error of the server's own may come after the write was done (a timeout inside it).
                unsure = unsure or response.status >= 500
                failure = refused
                asked = retry_after(response)
                if asked > LONGEST_RETRY_AFTER:
                    raise failure
                wait = max(wait, asked)
            if tries >= (2 if self._tired else TRIES):
                self._tired = True
                raise failure
            self._sleep(wait)


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except ValueError as error:
        raise ExternalError(
            f"The answer is not JSON ({error}): is `host` the address of a Kubernetes API server?"
        ) from error
    if not isinstance(answer, dict):
        raise ExternalError("The answer is not a Kubernetes object: is `host` the address of a Kubernetes API server?")
    return answer


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _refusal(response: Any, verb: str, resource: Resource, namespace: Optional[str], name: Optional[str]) -> ApiError:
    message, reason = "", ""
    try:
        status = json.loads(response.data)
        message, reason = status.get("message", ""), status.get("reason", "")
    except (ValueError, AttributeError):
        message = response.data[:200].decode("utf-8", "replace")
    return ApiError(response.status, verb, resource, namespace, name, message, reason)


def no_answer(server: str, error: Exception) -> ConnectionFailed:
    text = str(error)
    if isinstance(error, SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return ConnectionFailed(
                f"The certificate of {server} is not signed by the CA that the connection trusts ({core(error)}): "
                "set `ca_cert`, or correct certificate-authority in the kubeconfig",
                retryable=False,
            )
        return ConnectionFailed(
            f"TLS with {server} failed ({core(error)}): check the address and the certificates", False
        )
    if isinstance(error, ProxyError):
        return ConnectionFailed(f"The proxy on the way to {server} failed ({core(error)}): correct `proxy`")
    if "Connection refused" in text:
        return ConnectionFailed(
            f"Nothing answers at {server} (connection refused): is the API server up, the port right?"
        )
    if "Name or service not known" in text or "resolve" in text or "name resolution" in text:
        return ConnectionFailed(f"The name of {server} cannot be resolved: correct `host` or the kubeconfig's server")
    if isinstance(error, TimeoutError):
        return ConnectionFailed(f"{server} did not answer in time ({core(error)}): is it reachable from this host?")
    return ConnectionFailed(f"The connection to {server} broke ({core(error)}): run again to do what is missing")
