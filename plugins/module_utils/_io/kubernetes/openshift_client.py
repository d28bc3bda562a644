# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OpenShift's own resources (Groups, Projects, security context constraints) through the client of the `openshift` package.

The resource is known, so nothing is discovered. Retries, pagination and error messages are those of `Api`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ansible.module_utils.basic import missing_required_lib

from ..._core.requests import Resource
from ..errors import ExternalError
from .connection import Connection


class OpenShiftResource(NamedTuple):
    """A type of objects: what it is for, and the sentence if the cluster does not have it."""

    resource: Resource
    kind: str
    purpose: str
    missing: str


class MissingLibrary(ExternalError):
    """The `openshift` package is not installed."""

    retryable = False


class MissingApi(ExternalError):
    """The cluster does not have this type of objects."""

    retryable = False


def _names_an_object(text: str) -> bool:
    """Return whether a 404 means that an object is missing, and not the resource."""
    try:
        return bool(json.loads(text)["details"]["name"])
    except (ValueError, KeyError, TypeError):
        return False


@dataclass(frozen=True)
class _Response:
    status: int
    data: bytes
    headers: Mapping[str, str]


class OpenShiftConnection(Connection):
    """A connection that sends its requests through the dynamic client of the `openshift` package."""

    @classmethod
    def of(cls, connection: Connection, kind: OpenShiftResource) -> OpenShiftConnection:
        """Return a connection to the same API server with the same login, for one type of objects. Raises MissingLibrary."""
        found = cls(connection.server, connection.configuration, connection.fixed_headers, connection.client)
        found._use(kind)
        return found

    def _use(self, kind: OpenShiftResource) -> None:
        """Create the dynamic client."""
        try:
            from openshift.dynamic import DynamicClient
            from openshift.dynamic import Resource as DynamicResource
        except ImportError as error:
            raise MissingLibrary(
                f"{missing_required_lib('openshift', reason=f'for {kind.purpose}')}: {error}"
            ) from error
        # The resource is known: nothing is discovered, and there is no file with a cache of discoveries.
        self._dynamic = DynamicClient(self.client, discoverer=lambda _client, _cache_file: None)
        self._kind = kind
        self._resource = DynamicResource(
            prefix="apis",
            group=kind.resource.group,
            api_version=kind.resource.version,
            kind=kind.kind,
            name=kind.resource.plural,
            namespaced=kind.resource.namespaced,
            client=self._dynamic,
        )

    def request(self, method: str, path: str, body: Optional[bytes], headers: Any, timeout: Any) -> Any:
        """Send a request that reads or creates, once, and return its response. Raises HTTPError of urllib3."""
        from kubernetes.client.rest import ApiException
        from urllib3.exceptions import SSLError

        parts = urlsplit(path)
        namespace, name = self._names(parts.path)
        options: dict[str, Any] = dict(parse_qsl(parts.query))
        options["_request_timeout"] = (timeout.connect_timeout, timeout.read_timeout)
        options.update(namespace=namespace, serialize=False)
        try:
            if method == "POST":
                options["field_manager"] = options.pop("fieldManager", None)
                answer = self._dynamic.create(self._resource, body=json.loads(body or b"{}"), **options)
            else:
                if "continue" in options:
                    options["_continue"] = options.pop("continue")
                answer = self._dynamic.get(self._resource, name=quote(name, safe="") if name else None, **options)
            return _Response(answer.status, answer.data, answer.headers)
        except ApiException as error:
            if not error.status:
                raise SSLError(error.reason) from error
            text = error.body or error.reason or ""
            if error.status == 404 and not _names_an_object(text):
                raise MissingApi(self._kind.missing) from error
            return _Response(error.status, text.encode("utf-8"), error.headers or {})

    def _names(self, path: str) -> tuple[Optional[str], str]:
        """Return the namespace (None without one) and the name ("" for a collection) in the path of a request."""
        resource = self._kind.resource
        namespace = None
        if resource.namespaced:
            namespace = unquote(path.split("/")[5])
        return namespace, unquote(path[len(resource.path(namespace)) :].lstrip("/"))
