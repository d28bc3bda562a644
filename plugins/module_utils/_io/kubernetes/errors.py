# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of the Kubernetes API server, and of the connection to it."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any, NamedTuple, Optional

from ..._core.requests import Resource
from ..errors import ExternalError
from ..http import root_cause

with contextlib.suppress(ImportError):  # the module reports it, with missing_required_lib
    from urllib3.exceptions import ProxyError, SSLError, TimeoutError

#: From its start, because policies and webhooks put any text behind "is forbidden".
_RBAC = re.compile(
    r'\S+(?: "[^"]*")? is forbidden: User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]*)"'
)

#: Source: ``NewDryRunUnsupportedErr`` of the API server.
_NO_DRY_RUN = re.compile(r'admission webhook "[^"]*" does not support dry run')


class ApiCall(NamedTuple):
    """A request as RBAC sees it: a verb on a collection, or on one object of it when there is a name."""

    verb: str
    resource: Resource
    namespace: Optional[str] = None
    name: Optional[str] = None

    @property
    def scope(self) -> str:
        """` in namespace NAME`, or nothing for what has no namespace."""
        return f" in namespace {self.namespace}" if self.resource.namespaced and self.namespace else ""

    @property
    def object(self) -> str:
        """`persistentvolumeclaims NAME`, or the collection alone."""
        return f"{self.resource.plural} {self.name}" if self.name else self.resource.plural


class ApiConnectionError(ExternalError):
    """The API server did not answer: refused, timed out, wrong CA, unknown host, or broken off too often."""


class UnexpectedAnswer(ExternalError):
    """The API server accepted a write, but its answer does not show what was written."""

    retryable = False


class ApiError(ExternalError):
    """The API server answered with an error status.

    `message` and `reason` are those of its Status object. `may_be_applied`: an earlier try of the same request failed
    unclearly, so it may have been applied anyway.
    """

    may_be_applied = False

    def __init__(self, status: int, call: ApiCall, message: str, reason: str = "") -> None:
        self.status = status
        self.call = call
        self.api_message = message
        self.reason = reason
        super().__init__(self._explain(), retryable=status in (408, 409, 429) or status >= 500)
        if self.is_quota or self.is_outdated:
            self.retryable = True

    @property
    def is_rbac(self) -> bool:
        """Whether the login lacks a permission (a 403 of a quota or a webhook is something else)."""
        return self.status == 403 and bool(_RBAC.match(self.api_message))

    @property
    def is_quota(self) -> bool:
        """Whether a ResourceQuota does not allow it."""
        return self.status == 403 and "exceeded quota" in self.api_message

    @property
    def is_outdated(self) -> bool:
        """Whether a test of a JSON patch failed: the object has changed (the API server gives no reason for that)."""
        return (
            self.status == 422
            and self.call.verb == "patch"
            and self.api_message.startswith("the server rejected our request")
        )

    @property
    def is_namespace_missing(self) -> bool:
        """Whether the namespace does not exist, rather than the object."""
        return self.status == 404 and self.api_message.startswith("namespaces ")

    @property
    def is_conflict(self) -> bool:
        """Whether somebody else wrote: the object has changed, is gone, or exists already."""
        return self.status == 409 or self.is_outdated or (self.status == 404 and not self.is_namespace_missing)

    @property
    def is_dry_run_unsupported(self) -> bool:
        """Whether a dry run could not be tried: no permission to write, or a webhook that does not support dry runs.

        Everything else fails for real too: policies, limits, quotas, invalid objects.
        """
        return self.is_rbac or (self.status == 400 and bool(_NO_DRY_RUN.match(self.api_message)))

    @property
    def untried(self) -> str:
        """Why a dry run could not be tried, in the same words for all objects."""
        return str(self) if self.is_rbac else self.api_message.strip().rstrip(".")

    def _explain(self) -> str:
        call = self.call
        message = self.api_message.strip().rstrip(".") or f"status {self.status}"
        if self.status == 401:
            return (
                "The API server does not accept this login (401): the token or certificate is wrong or has expired; "
                "log in again, or set `api_key`, `client_cert` or `kubeconfig`"
            )
        match = _RBAC.match(self.api_message) if self.status == 403 else None
        if match:
            return (
                f"{match.group('user')} may not {call.verb} {call.resource.plural}{call.scope or ' in the cluster'}: "
                f"it needs {rule_for(call.resource, call.verb, call.namespace)}"
            )
        if self.is_quota:
            return (
                f"A ResourceQuota{call.scope} does not allow {call.object}: {message}; raise the quota or request less"
            )
        if self.is_outdated:
            return f"{call.object}{call.scope} has changed since it was read: somebody else wrote it"
        if self.is_namespace_missing:
            return f"Namespace {call.namespace} does not exist: create it first, or correct `namespace`"
        if self.status == 403:
            return f"The API server forbids to {call.verb} {call.object}{call.scope}: {message}"
        if self.status == 404 and call.name is None:
            return f"The API server does not serve {call.resource.plural}: {message}"
        return f"The API server answered {self.status} to {call.verb} {call.object}{call.scope}: {message}"


def rule_for(resource: Resource, verb: str, namespace: Optional[str]) -> str:
    """Return the RBAC rule that allows a verb, as a Role has it."""
    role = f"a Role in namespace {namespace}" if resource.namespaced and namespace else "a ClusterRole"
    return (
        f'{role} with the rule {{apiGroups: ["{resource.group}"], resources: ["{resource.plural}"], verbs: ["{verb}"]}}'
    )


def api_error(response: Any, call: ApiCall) -> ApiError:
    """Return the error that a response with an error status stands for; its body may be anything."""
    message, reason = "", ""
    try:
        status = json.loads(response.data)
        message, reason = (str(status.get(key) or "") for key in ("message", "reason"))
    except (ValueError, AttributeError):
        message = response.data[:200].decode("utf-8", "replace")
    return ApiError(response.status, call, message, reason)


def connection_error(server: str, error: Exception) -> ApiConnectionError:
    """Return the error for a urllib3 error, with what to check."""
    text, cause = str(error), root_cause(error)
    if isinstance(error, SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return ApiConnectionError(
                f"The certificate of {server} is not signed by the CA that the connection trusts ({cause}): "
                "set `ca_cert`, or correct certificate-authority in the kubeconfig",
                retryable=False,
            )
        return ApiConnectionError(f"TLS with {server} failed ({cause}): check the address and the certificates", False)
    if isinstance(error, ProxyError):
        return ApiConnectionError(f"The proxy to {server} failed ({cause}): correct `proxy`")
    if "Connection refused" in text:
        return ApiConnectionError(
            f"Nothing answers at {server} (connection refused): check that the API server is up and the port is right"
        )
    if "Name or service not known" in text or "resolve" in text or "name resolution" in text:
        return ApiConnectionError(f"The name of {server} cannot be resolved: correct `host` or the kubeconfig's server")
    if isinstance(error, TimeoutError):
        return ApiConnectionError(f"{server} did not answer in time ({cause}): check that this host can reach it")
    return ApiConnectionError(f"The connection to {server} broke ({cause}): run again to do what is missing")
