# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read facts about the cluster: storage classes, pods, access to volumes, hub activity, namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from ..._core import requests
from ..._core.hub_activity import HubUsers
from ..._core.kubernetes.facts import (
    GRANTED_CLAIMS,
    HUB_ACTIVITY,
    PODS,
    RELEASED_VOLUMES,
    STORAGE_CLASSES,
    VOLUME_ACCESS,
    ClusterFacts,
    Fact,
    by_claim,
)
from ..._core.kubernetes.quota import UNKNOWN_CLASS
from ..._core.kubernetes.storage_classes import StorageClass, storage_class_from
from ..._core.kubernetes.volumes import released_volume_from
from ..module import PlanRejected
from .api import Api
from .errors import ApiError, rule_for

#: Claims with the shares that grant them, and why they are not known.
Grants = tuple[Mapping[str, str], str]


def _no_hub() -> Optional[HubUsers]:
    return None


def _no_acl() -> Grants:
    return {}, ""


class FactsReader:
    """Reads what planning asked for.

    `read_hub` returns the users of the hub, None without a hub. `read_grants` returns the claims that the ACL grants with
    their shares, and why they are not known.
    """

    def __init__(
        self,
        api: Api,
        read_hub: Callable[[], Optional[HubUsers]] = _no_hub,
        read_grants: Callable[[], Grants] = _no_acl,
    ) -> None:
        self.api = api
        self._read_hub = read_hub
        self._read_grants = read_grants

    def read_missing(self, facts: ClusterFacts) -> None:
        """Read every fact that is missing."""
        for fact in sorted(facts.missing):
            self._read(facts, fact)

    def default_class(self, facts: ClusterFacts) -> Optional[str]:
        """Return the name of the default storage class, UNKNOWN_CLASS if this login may not list the classes."""
        facts.storage_classes()
        self.read_missing(facts)
        return UNKNOWN_CLASS if facts.storage_classes() is None else facts.default_class()

    def _read(self, facts: ClusterFacts, fact: Fact) -> None:
        if fact.kind == STORAGE_CLASSES:
            facts.set_storage_classes(read_storage_classes(self.api))
        elif fact.kind == PODS:
            self._read_pods(facts, fact.scope)
        elif fact.kind == VOLUME_ACCESS:
            facts.set_volume_error(fact.scope, volume_error(self.api, fact.scope))
        elif fact.kind == HUB_ACTIVITY:
            facts.set_hub(self._read_hub())
        elif fact.kind == GRANTED_CLAIMS:
            facts.set_granted_claims(*self._read_grants())
        elif fact.kind == RELEASED_VOLUMES:
            self._read_released_volumes(facts, fact.scope)

    def _read_released_volumes(self, facts: ClusterFacts, namespace: str) -> None:
        try:
            found = self.api.list_all(requests.VOLUMES, None, lambda item: released_volume_from(item, namespace))
            facts.set_released_volumes(namespace, [volume for volume in found if volume is not None])
        except ApiError as error:
            if error.status != 403:
                raise
            facts.set_released_volumes(namespace, [], str(error))

    def _read_pods(self, facts: ClusterFacts, namespace: str) -> None:
        try:
            facts.set_pods(namespace, read_pods(self.api, namespace))
        except ApiError as error:
            if error.status != 403:
                raise
            facts.set_pods(namespace, {}, str(error))


def read_storage_classes(api: Api) -> Optional[list[StorageClass]]:
    """Return the storage classes, None when this login may not read them."""
    try:
        return api.list_all(requests.STORAGE_CLASSES, None, storage_class_from)
    except ApiError as error:
        if error.status == 403:
            return None
        raise


def read_pods(api: Api, namespace: str) -> dict[str, list[str]]:
    """Return the names of the pods that mount each claim of a namespace. Finished pods mount nothing."""

    def convert(item: Mapping[str, Any]) -> tuple[str, list[str]]:
        if (item.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return item["metadata"]["name"], []
        volumes = (item.get("spec") or {}).get("volumes") or ()
        claims = [
            volume["persistentVolumeClaim"]["claimName"] for volume in volumes if volume.get("persistentVolumeClaim")
        ]
        return item["metadata"]["name"], claims

    return by_claim(api.list_all(requests.PODS, namespace, convert))


def volume_error(api: Api, verb: str) -> Optional[str]:
    """Return why this login may not use a verb on PersistentVolumes, None when it may. Stores nothing."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": verb, "resource": "persistentvolumes"}},
    }
    answer = api.post(requests.ACCESS_REVIEWS, review)
    if (answer.get("status") or {}).get("allowed"):
        return None
    return f"this login may not {verb} persistentvolumes, it needs {rule_for(requests.VOLUMES, verb, None)}"


def missing_namespace_warning(namespace: str) -> str:
    """Return the warning of check mode about a namespace that an earlier task may create."""
    return f"Namespace {namespace} does not exist yet: the plan is shown, but the API server could not validate it"


def check_namespace(api: Api, name: str, allows_missing: bool) -> str:
    """Return the warning about a namespace that does not exist and that an earlier task may create, "" otherwise.

    Raises PlanRejected when the namespace does not exist, or is being deleted.
    """
    error, missing = namespace_error(api, name)
    if error and not (missing and allows_missing):
        raise PlanRejected([error])
    return missing_namespace_warning(name) if error else ""


def namespace_error(api: Api, name: str, must_read: bool = False) -> tuple[str, bool]:
    """Return why a namespace cannot be used, and whether the only reason is that it does not exist; ("", False) if it can.

    A login that may not read namespaces gets ("", False): the writes themselves then show the error. With `must_read` that
    raises ApiError.
    """
    try:
        found = api.get(requests.NAMESPACES, None, name)
    except ApiError as error:
        if error.status == 403 and not must_read:
            return "", False
        raise
    if found is None:
        return f"Namespace {name} does not exist: create it first, or correct `namespace`", True
    if (found.get("status") or {}).get("phase") == "Terminating":
        return (
            f"Namespace {name} is being deleted: wait until it is gone and create it again, or correct `namespace`",
            False,
        )
    return "", False
