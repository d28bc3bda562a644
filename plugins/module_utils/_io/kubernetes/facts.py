# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules read besides the objects that they manage: storage classes, pods, namespaces, quotas, rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..._core import requests
from ..._core.kubernetes.expansion import StorageClass
from ..._core.kubernetes.facts import pods_by_claim
from ..module import PlanRejected
from .api import Api
from .errors import ApiError, rule_for

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def read_classes(api: Api) -> Optional[list[StorageClass]]:
    """Return the storage classes, None where this login may not read them."""

    def convert(item: Mapping[str, Any]) -> StorageClass:
        metadata = item["metadata"]
        return StorageClass(
            metadata["name"],
            bool(item.get("allowVolumeExpansion")),
            (metadata.get("annotations") or {}).get(_DEFAULT_CLASS) == "true",
            item.get("volumeBindingMode") == "WaitForFirstConsumer",
        )

    try:
        return api.list_all(requests.STORAGE_CLASSES, None, convert)
    except ApiError as error:
        if error.status == 403:
            return None
        raise


def read_pods(api: Api, namespace: str) -> dict[str, list[str]]:
    """Return, for each claim of a namespace that pods mount, these pods' names. Finished pods mount nothing."""

    def convert(item: Mapping[str, Any]) -> tuple[str, list[str]]:
        if (item.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return item["metadata"]["name"], []
        volumes = (item.get("spec") or {}).get("volumes") or ()
        claims = [
            volume["persistentVolumeClaim"]["claimName"] for volume in volumes if volume.get("persistentVolumeClaim")
        ]
        return item["metadata"]["name"], claims

    return pods_by_claim(api.list_all(requests.PODS, namespace, convert))


def volume_error(api: Api, verb: str = "patch") -> Optional[str]:
    """Return why this login may not patch (or `verb`) volumes, None where it may. Asks the API server; nothing is stored."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": verb, "resource": "persistentvolumes"}},
    }
    answer = api.post(requests.ACCESS_REVIEWS, review)
    if (answer.get("status") or {}).get("allowed"):
        return None
    return f"this login may not {verb} volumes, which takes {rule_for(requests.VOLUMES, verb, None)}"


def unmade(namespace: str) -> str:
    """What to warn of where a plan for a namespace that does not exist is shown, in check mode: an earlier task may make it."""
    return f"Namespace {namespace} does not exist yet, so what is planned there is shown and the API server could not validate it"


def need_namespace(api: Api, name: str, check_mode: bool) -> str:
    """Return what to warn of in check mode where a namespace does not exist yet, else "". Raises Refused with what is
    wrong with it otherwise.
    """
    error, missing = namespace_error(api, name)
    if error and not (missing and check_mode):
        raise PlanRejected([error])
    return unmade(name) if error else ""


def namespace_error(api: Api, name: str) -> tuple[str, bool]:
    """Return what is wrong with a namespace, and whether that is only that it does not exist; ("", False) for nothing.

    A login that may not read namespaces is told by the writes themselves.
    """
    try:
        found = api.get(requests.NAMESPACES, None, name)
    except ApiError as error:
        if error.status == 403:
            return "", False
        raise
    if found is None:
        return f"Namespace {name} does not exist: create it first, or correct `namespace`", True
    if (found.get("status") or {}).get("phase") == "Terminating":
        return (
            f"Namespace {name} is being deleted: wait until it is gone and create it anew, or correct `namespace`",
            False,
        )
    return "", False
