# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server, or the way to it, said: as exceptions whose message is one sentence with the way out."""

from __future__ import annotations

import re
from typing import Optional

from .._core.requests import Resource

_RBAC = re.compile(r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]*)"')


class ExternalError(Exception):
    """Something outside this program failed. `mends`: whether running again may mend it by itself."""

    retryable = True

    def __init__(self, sentence: str, retryable: Optional[bool] = None) -> None:
        super().__init__(sentence)
        if retryable is not None:
            self.retryable = retryable


class ConfigError(ExternalError):
    """The connection as configured cannot work: no kubeconfig, no such context, an unusable certificate."""

    retryable = False


class ConnectionFailed(ExternalError):
    """No answer: refused, timed out, wrong CA, name not found, or broken off more often than is worth a retry."""


class UnexpectedAnswer(ExternalError):
    """A write was answered with success, and the answer does not show what was written."""

    retryable = False


class ApiError(ExternalError):
    """The API server answered, and the answer is no.

    `unsure`: an earlier try of the same request got no clear answer, so it may have been carried out all the same.
    """

    unsure = False

    def __init__(
        self,
        status: int,
        verb: str,
        resource: Resource,
        namespace: Optional[str],
        name: Optional[str],
        message: str,
        reason: str = "",
    ) -> None:
        self.status = status
        self.verb = verb
        self.resource = resource
        self.namespace = namespace
        self.name = name
        self.api_message = message
        self.reason = reason
        super().__init__(self._sentence(), retryable=status in (408, 409, 429) or status >= 500)
        if self.is_quota or self.is_outdated:
            self.retryable = True

    @property
    def is_rbac(self) -> bool:
        """Whether the login lacks a right (a quota's or a webhook's refusal is a 403 as well, and is none)."""
        return self.status == 403 and bool(_RBAC.search(self.api_message))

    @property
    def is_quota(self) -> bool:
        """Whether a ResourceQuota stands in the way."""
        return self.status == 403 and "exceeded quota" in self.api_message

    @property
    def is_outdated(self) -> bool:
        """Whether a JSON patch met an object that is not as its tests say (the API server's answer to that has no words)."""
        return (
            self.status == 422
            and self.verb == "patch"
            and self.api_message.startswith("the server rejected our request")
        )

    @property
    def is_namespace_missing(self) -> bool:
        """Whether the namespace, not the object, is what is not there."""
        return self.status == 404 and self.api_message.startswith("namespaces ")

    def _where(self) -> str:
        return f" in namespace {self.namespace}" if self.resource.namespaced and self.namespace else ""

    def _what(self) -> str:
        return f"{self.resource.plural} {self.name}" if self.name else self.resource.plural

    def _sentence(self) -> str:
        said = self.api_message.strip().rstrip(".") or f"status {self.status}"
        if self.status == 401:
            return (
                "The API server does not accept this login (401): the token or certificate is wrong or has expired; "
                "log in again, or set `api_key`, `client_cert` or `kubeconfig`"
            )
        if self.is_rbac:
            match = _RBAC.search(self.api_message)
            user = match.group("user") if match else "this login"
            return (
                f"{user} may not {self.verb} {self.resource.plural}{self._where() or ' in the cluster'}: "
                f"it needs {rule_for(self.resource, self.verb, self.namespace)}"
            )
        if self.is_quota:
            return (
                f"A ResourceQuota{self._where()} does not allow {self._what()}: {said}; raise the quota or ask for less"
            )
        if self.is_outdated:
            return f"{self._what()}{self._where()} is not as it was when it was looked at: somebody else wrote it meanwhile"
        if self.is_namespace_missing:
            return f"Namespace {self.namespace} does not exist: create it first, or correct `namespace`"
        if self.status == 403:
            return f"The API server forbids to {self.verb} {self._what()}{self._where()}: {said}"
        if self.status == 404 and self.name is None:
            return f"The API server does not serve {self.resource.plural}: {said}"
        return f"The API server answered {self.status} to {self.verb} {self._what()}{self._where()}: {said}"


def rule_for(resource: Resource, verb: str, namespace: Optional[str]) -> str:
    """Return the RBAC rule that allows a verb, in the words of a Role."""
    where = f"a Role in namespace {namespace}" if resource.namespaced and namespace else "a ClusterRole"
    return f'{where} with the rule {{apiGroups: ["{resource.group}"], resources: ["{resource.plural}"], verbs: ["{verb}"]}}'
