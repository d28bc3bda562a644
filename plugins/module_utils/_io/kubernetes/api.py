# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to the Kubernetes API: paginated lists, single reads and writes, with bounded retries.

Each is one round trip on a kept-alive connection. There is no discovery.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Callable, NamedTuple, Optional, TypeVar
from urllib.parse import urlencode

from ..._core.requests import CLAIMS, CREATE, DELETE, PATCH, POD_LOGS, ApiRequest, Resource
from ..errors import ExternalError
from ..http import Retrier
from ..version import USER_AGENT
from .connection import Connection
from .errors import ApiCall, ApiError, UnexpectedAnswer, api_error, connection_error

with contextlib.suppress(ImportError):  # the module reports it, with missing_required_lib
    import urllib3
    from urllib3.exceptions import HTTPError

T = TypeVar("T")

#: Objects per page, as in kubectl. A page of homes is about a megabyte.
PAGE = 500
CONNECT_TIMEOUT = 4.0
READ_TIMEOUT = 30.0
#: How often a list whose continuation expired (410) is restarted.
LIST_RESTARTS = 5

GET = "get"
LIST = "list"
_METHODS = {GET: "GET", LIST: "GET", CREATE: "POST", PATCH: "PATCH", DELETE: "DELETE"}


class _Answer(NamedTuple):
    data: bytes
    may_be_applied: bool = False


class CreatedClaim(NamedTuple):
    """A claim that was created: its UID as the answer had it, and the `spec` that was sent.

    Without a UID the answer was lost, and the repeated request got a conflict: it may also be with the claim of somebody else.
    """

    uid: str
    spec: Mapping[str, Any]


class Api:
    """The API server, as far as modules need it. Safe to use from several threads."""

    def __init__(self, connection: Connection, sleep: Callable[[float], None] = time.sleep) -> None:
        #: For other clients of the same API server.
        self.connection = connection
        self._retrier = Retrier(sleep)
        self._lock = threading.Lock()
        self._headers = self._with_login(connection.headers())
        self._date = ""
        #: The created claims, by namespace and name.
        self.created_claims: dict[tuple[str, str], CreatedClaim] = {}
        self._timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT)

    def now(self) -> datetime:
        """Return the time in UTC of the API server's last answer, or of this host if that had none.

        Times on objects are compared with each other, so they need one clock, whichever host runs the task.
        """
        try:
            return parsedate_to_datetime(self._date).astimezone(timezone.utc)
        except (TypeError, ValueError):
            return datetime.now(timezone.utc)

    def get(self, resource: Resource, namespace: Optional[str], name: str) -> Optional[dict[str, Any]]:
        """Return one object, or None when it does not exist."""
        try:
            return _parse(self._send(ApiCall(GET, resource, namespace, name)).data)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list_all(
        self,
        resource: Resource,
        namespace: Optional[str],
        convert: Callable[[dict[str, Any]], T],
        label_selector: str = "",
        page: int = PAGE,
    ) -> list[T]:
        """Return all objects of a collection, each converted as its page arrives, so that only the results are kept.

        When the continuation expires (410 Gone), the list is restarted: halves of two lists are not one list.
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
                    data = self._send(ApiCall(LIST, resource, namespace), query=query).data
                except ApiError as error:
                    if error.status == 410 and token:
                        break
                    raise
                answer = _parse(data)
                found.extend(convert(item) for item in answer.get("items") or ())
                token = (answer.get("metadata") or {}).get("continue") or ""
                if not token:
                    return found
        raise ExternalError(
            f"The list of {resource.plural} expired {LIST_RESTARTS} times half-way: the API server is too slow or "
            "compacts too often; run again later"
        )

    def list_first(self, resource: Resource, convert: Callable[[dict[str, Any]], T]) -> Optional[list[T]]:
        """Return all objects of a collection if they are one page, None when there are more."""
        answer = _parse(self._send(ApiCall(LIST, resource, None), query={"limit": str(PAGE)}).data)
        if (answer.get("metadata") or {}).get("continue"):
            return None
        return [convert(item) for item in answer.get("items") or ()]

    def read_log(self, namespace: str, pod: str, query: Mapping[str, str]) -> bytes:
        """Return the log of a pod; `query` has the parameters of the API, such as `tailLines` and `limitBytes`."""
        return self._send(ApiCall(GET, POD_LOGS, namespace, pod), query=query).data

    def post(self, resource: Resource, body: Mapping[str, Any], namespace: Optional[str] = None) -> dict[str, Any]:
        """Send an object that is not stored, such as an access review, and return the answer."""
        return _parse(self._send(ApiCall(CREATE, resource, namespace), json.dumps(body)).data)

    def write(self, request: ApiRequest, dry_run: bool = False) -> dict[str, Any]:
        """Send a write; return the object as stored, or what is left of a deleted one.

        Raises ApiError, ApiConnectionError, and UnexpectedAnswer when the answer does not show what is expected.
        """
        query = {"fieldManager": "odh.persistency"} if request.verb != DELETE else {}
        body: Any = request.body
        if dry_run:
            query["dryRun"] = "All"
            if request.verb == DELETE:
                # The API server reads the options of a delete from its body alone when it has one, and would delete.
                body = {**body, "dryRun": ["All"]}
        call = ApiCall(request.verb, request.resource, request.namespace, request.name)
        try:
            answer = self._send(call, json.dumps(body), query)
        except ApiError as error:
            if error.status == 409 and error.may_be_applied:
                self._note_created(request, {}, dry_run)
            raise
        is_read = request.expected or request.marks or request.verb == CREATE
        found = _parse(answer.data) if is_read else {}
        if request.expected:
            for path, expected in request.expected:
                value = _value_at(found, path)
                if value != expected:
                    raise UnexpectedAnswer(
                        f"{call.object} has {'.'.join(path)} {value!r} after {expected!r} was written; nothing more was done "
                        "with it"
                    )
        self._note_created(request, found, dry_run)
        return found

    def _note_created(self, request: ApiRequest, answer: Mapping[str, Any], dry_run: bool) -> None:
        if request.verb == CREATE and request.resource is CLAIMS and isinstance(request.body, Mapping) and not dry_run:
            uid = _value_at(answer, ("metadata", "uid"))
            self.created_claims[request.namespace, request.name] = CreatedClaim(str(uid or ""), request.body["spec"])

    def _with_login(self, pairs: list[tuple[str, str]]) -> Any:
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT, **dict(pairs)}
        if len(headers) == len(pairs) + 2:
            return headers  # a dict costs far less per request than one that allows a header several times
        repeated = urllib3.HTTPHeaderDict({"Accept": "application/json", "User-Agent": USER_AGENT})
        for name, value in pairs:
            repeated.add(name, value)
        return repeated

    def _renew_login(self, used: Any) -> bool:
        """Read the login again (the token of an exec plugin expires); return whether it has changed since it was used."""
        with self._lock:
            if self._headers is not used:
                return True
            renewed = self._with_login(self.connection.headers())
            if list(renewed.items()) == list(used.items()):
                return False
            self._headers = renewed
            return True

    def _send(self, call: ApiCall, body: Optional[str] = None, query: Optional[Mapping[str, str]] = None) -> _Answer:
        method = _METHODS[call.verb]
        path = call.resource.path(call.namespace, None if method == "POST" else call.name)
        path += f"?{urlencode(query)}" if query else ""
        content = body.encode("utf-8") if body is not None else None
        content_type = "application/json"
        if method == "PATCH":
            kind = "json-patch" if content is not None and content.startswith(b"[") else "merge-patch"
            content_type = f"application/{kind}+json"
        login = self._headers

        def request() -> Any:
            headers = login
            if content is not None:
                headers = headers.copy()
                headers["Content-Type"] = content_type
            return self.connection.request(method, path, content, headers, self._timeout)

        may_be_applied = False
        for is_renewed in (False, True):
            try:
                answer = self._retrier.send(request)
            except HTTPError as error:
                raise connection_error(self.connection.server, error) from error
            may_be_applied = may_be_applied or answer.may_be_applied
            if answer.response.status != 401 or is_renewed or not self._renew_login(login):
                break
            login = self._headers
        if answer.response.status < 300:
            self._date = answer.response.headers.get("Date", "")
            return _Answer(answer.response.data, may_be_applied)
        failure = api_error(answer.response, call)
        failure.may_be_applied = may_be_applied
        raise failure


def _parse(data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except ValueError as error:
        raise ExternalError(
            f"The answer is not JSON ({error}): check that `host` is the address of a Kubernetes API server"
        ) from error
    if not isinstance(answer, dict):
        raise ExternalError(
            "The answer is not a Kubernetes object: check that `host` is the address of a Kubernetes API server"
        )
    return answer


def _value_at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
