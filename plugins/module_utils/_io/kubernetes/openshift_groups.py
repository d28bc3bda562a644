# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The members of OpenShift's Groups, read with the dynamic client of the `openshift` package.

What is read is known beforehand (user.openshift.io/v1 Groups), so nothing is discovered: one Group costs one request,
several cost one list. A Group that cannot be read is never an empty one.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ansible.module_utils.basic import missing_required_lib

from ..._core.requests import Resource
from ..._core.text import did_you_mean
from ..._core.validation import described
from ..errors import ExternalError
from ..http import BACKOFF, LONGEST_RETRY_AFTER, TRIES, retry_after
from .api import CONNECT_TIMEOUT, LIST_RESTARTS, PAGE, READ_TIMEOUT
from .connection import Connection
from .errors import ApiCall, ApiError, connection_error

GROUPS = Resource("user.openshift.io", "v1", "groups", namespaced=False)


class MissingLibrary(ExternalError):
    """A Python library that only this needs is not installed."""

    retryable = False


class _Refusal(Exception):
    """An answer of the API server, not yet in words."""

    def __init__(self, status: int, message: str, wait: float, *, has_name: bool) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.wait = wait
        self.has_name = has_name


def read_members(connection: Connection, names: Sequence[str], errors: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the members of these Groups, as the cluster has them now; what cannot be read goes to `faults`.

    Names are without the prefix. Raises EdgeError where the cluster cannot be asked at all (no answer, no right, no such
    API), and MissingLibrary.
    """
    desired = list(dict.fromkeys(names))
    usable = [name for name in desired if not _is_impossible(name)]
    errors += [f"openshift:{name} cannot be the name of a Group: correct it" for name in desired if name not in usable]
    if not usable:
        return {}
    found = _found(_Groups(connection), usable)
    members = {}
    for name in usable:
        group = found.get(name)
        if group is None:
            errors.append(
                f"openshift:{name} cannot be read: the cluster has no Group {name}{did_you_mean(name, found)}; make it "
                "there, or correct the name"
            )
            continue
        users = _users(group)
        if users is None:
            odd = (
                next((user for user in group["users"] if not isinstance(user, str) or not user), None)
                if isinstance(group["users"], list)
                else group["users"]
            )
            errors.append(
                f"openshift:{name} cannot be read: `users` of the Group {name} is no list of names, but has {described(odd)}; "
                "correct the Group"
            )
            continue
        members[name] = users
    return members


def _found(client: _Groups, names: Sequence[str]) -> Mapping[str, Any]:
    if len(names) > 1:
        try:
            return client.list()
        except ApiError as error:
            if not error.is_rbac:
                raise
    # One Group, or a login that may read these and no others: a request each.
    found = {name: client.get(name) for name in names}
    return {name: group for name, group in found.items() if group is not None}


def _is_impossible(name: str) -> bool:
    return name in ("", ".", "..") or "/" in name or "%" in name


def _by_name(items: Iterable[Any]) -> dict[str, Mapping[str, Any]]:
    return {str(item["metadata"]["name"]): item for item in items}


def _users(group: Mapping[str, Any]) -> Any:
    """Return the members; an absent list, or null, is how OpenShift writes that there are none."""
    users = group.get("users")
    if users is None:
        return ()
    if not isinstance(users, list) or not all(isinstance(user, str) and user for user in users):
        return None
    return tuple(dict.fromkeys(users))


class _Groups:
    """The cluster's Groups, through OpenShift's dynamic client over the connection's own client."""

    def __init__(self, connection: Connection) -> None:
        try:
            from kubernetes.client.rest import ApiException
            from openshift.dynamic import DynamicClient
            from openshift.dynamic import Resource as OpenShiftResource
            from urllib3.exceptions import HTTPError
        except ImportError as error:
            raise MissingLibrary(
                f"{missing_required_lib('openshift', reason='for groups of openshift:')}: {error}"
            ) from error
        self._server = connection.server
        self._failures = (ApiException, HTTPError)
        self._no_answer = HTTPError
        # Known beforehand, so that there is nothing to discover and no cache of discoveries to keep in a file.
        self._client = DynamicClient(connection.client, discoverer=lambda _client, _cache_file: None)
        self._resource = OpenShiftResource(
            prefix="apis",
            group=GROUPS.group,
            api_version=GROUPS.version,
            kind="Group",
            name=GROUPS.plural,
            namespaced=False,
            client=self._client,
        )

    def get(self, name: str) -> Any:
        """Return one Group, None where there is none of that name."""
        try:
            return self._asked("get", name, {"name": quote(name, safe="")})
        except _Refusal as refusal:
            if refusal.status == 404 and refusal.has_name:
                return None
            raise self._error("get", name, refusal) from refusal

    def list(self) -> dict[str, Mapping[str, Any]]:
        """Return all Groups by name. A list that expires half-way is begun anew."""
        for _restart in range(LIST_RESTARTS):
            found: dict[str, Mapping[str, Any]] = {}
            query: dict[str, Any] = {"limit": PAGE}
            while True:
                try:
                    answer = self._asked("list", None, query)
                except _Refusal as refusal:
                    if refusal.status == 410 and "_continue" in query:
                        break
                    raise self._error("list", None, refusal) from refusal
                found.update(_by_name(answer.get("items") or ()))
                token = (answer.get("metadata") or {}).get("continue")
                if not token:
                    return found
                query = {"limit": PAGE, "_continue": token}
        raise ExternalError(f"The list of groups expired {LIST_RESTARTS} times half-way: run again later")

    def _asked(self, verb: str, name: Any, query: Mapping[str, Any]) -> Any:
        tries = 0
        while True:
            tries += 1
            wait = BACKOFF * 2 ** (tries - 1) * (0.75 + random.random() / 2)
            failure: Exception
            try:
                answer = self._client.get(
                    self._resource,
                    serializer=lambda _client, found: found,
                    _request_timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                    **query,
                )
            except self._failures as error:
                if isinstance(error, self._no_answer):
                    failure = connection_error(self._server, error)
                else:
                    refusal = _refusal(error)
                    if refusal.status and refusal.status != 429 and refusal.status < 500:
                        raise refusal from error
                    if refusal.wait > LONGEST_RETRY_AFTER:
                        raise self._error(verb, name, refusal) from error
                    wait = max(wait, refusal.wait)
                    failure = self._error(verb, name, refusal)
            else:
                if isinstance(answer, dict) and isinstance(answer.get("metadata"), dict):
                    return answer
                raise ExternalError(
                    f"The answer to {verb} groups is not a Kubernetes object: is `host` the address of a Kubernetes API server?"
                )
            if tries >= TRIES:
                raise failure
            time.sleep(wait)

    def _error(self, verb: str, name: Any, refusal: _Refusal) -> ExternalError:
        if refusal.status == 0:
            return ExternalError(f"The connection to {self._server} broke ({refusal.message}): run again")
        if refusal.status == 404 and not refusal.has_name:
            return ExternalError(
                "This cluster has no Groups (user.openshift.io/v1), so groups of openshift: cannot be read: is it OpenShift?",
                retryable=False,
            )
        return ApiError(refusal.status, ApiCall(verb, GROUPS, None, name), refusal.message)


def _refusal(error: Any) -> _Refusal:
    """Return what an exception of the client says; status 0 is one that came without an answer."""
    message = str(error.reason or "")
    details: dict[str, Any] = {}
    try:
        body = json.loads(error.body)
        message, details = body.get("message") or message, body.get("details") or {}
    except (TypeError, ValueError, AttributeError):
        pass
    wait = retry_after(error) if error.headers else 0.0
    return _Refusal(error.status or 0, message, wait, has_name=bool(details.get("name")))
