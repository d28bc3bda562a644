# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ResourceQuotas: whether the sum of a plan fits. A dry run checks each change against the quota alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional

from ..plan import Change
from ..quantity import format_size, parse_quantity, size_or_none
from ..requests import CLAIMS, CREATE, PATCH
from .claims import Claim
from .storage_classes import MAY_NOT_LIST

_PER_CLASS = ".storageclass.storage.k8s.io/"
#: The default class of a login that may not list storage classes. No class has this name.
UNKNOWN_CLASS = "?"


class Scope(NamedTuple):
    """A condition of a quota. All of them must match an object that it counts."""

    name: str
    operator: str
    values: tuple[str, ...]

    def matches(self, attributes_classes: Sequence[str]) -> bool:
        """Return whether it matches a claim with these VolumeAttributesClasses. All other scopes are for pods.

        Source: ``pvcMatchesScopeFunc`` of Kubernetes, where a claim without a class has no label to select.
        """
        if self.name != "VolumeAttributesClass":
            return False
        if self.operator in ("Exists", "DoesNotExist"):
            return bool(attributes_classes) is (self.operator == "Exists")
        if self.operator == "In":
            return any(name in self.values for name in attributes_classes)
        return not attributes_classes or any(name not in self.values for name in attributes_classes)


class Quota(NamedTuple):
    """An observed ResourceQuota: what is left of each resource that it limits (bytes, or a number of objects)."""

    name: str
    left: Mapping[str, int]
    scopes: tuple[Scope, ...] = ()

    def counts(self, demand: Demand) -> bool:
        """Return whether the quota counts the claim of a demand."""
        return all(scope.matches(demand.attributes_classes) for scope in self.scopes)


def quota_from(item: Mapping[str, Any]) -> Quota:
    """Reduce a ResourceQuota of the API to what is left."""
    status = item.get("status") or {}
    hard = status.get("hard") or (item.get("spec") or {}).get("hard") or {}
    used = status.get("used") or {}
    left = {key: int(parse_quantity(value)) - int(parse_quantity(used.get(key, "0"))) for key, value in hard.items()}
    return Quota(item["metadata"]["name"], left, _scopes(item.get("spec") or {}))


def _scopes(spec: Mapping[str, Any]) -> tuple[Scope, ...]:
    selected = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return (
        *(Scope(name, "Exists", ()) for name in spec.get("scopes") or ()),
        *(Scope(item["scopeName"], item["operator"], tuple(item.get("values") or ())) for item in selected),
    )


class Demand(NamedTuple):
    """What one change needs of a quota: more bytes of a storage class (None: of no class), and a claim if it is new.

    The class is UNKNOWN_CLASS if the claim gets the default class, and nobody knows which that is.
    """

    storage_class: Optional[str]
    size: int
    is_new: bool
    attributes_classes: tuple[str, ...] = ()


def claim_demands(
    changes: Iterable[Change],
    observed: Callable[[str, str], Optional[Claim]],
    default_class: Callable[[], Optional[str]],
) -> list[tuple[str, Demand]]:
    """Return what changes need of the quotas, as (namespace, demand), from the requests that create or expand claims.

    `observed` returns a claim by namespace and name. `default_class` is called when a new claim names no class.
    """
    demands = []
    for change in changes:
        for request in change.operations:
            if request.resource is not CLAIMS or request.verb not in (CREATE, PATCH):
                continue
            size = _requested_size(request.body)
            if size is None:
                continue
            if request.verb == CREATE:
                storage_class = request.body["spec"].get("storageClassName")
                demand = Demand(default_class() if storage_class is None else storage_class, size, True)
                demands.append((request.namespace, demand))
                continue
            claim = observed(request.namespace, request.name)
            if claim is not None:
                # A request that is lowered frees nothing while the storage may still expand to the larger one.
                growth = max(size - (claim.size or 0), 0)
                demand = Demand(claim.storage_class, growth, False, claim.attributes_classes)
                demands.append((request.namespace, demand))
    return demands


def _requested_size(body: Mapping[str, Any]) -> Optional[int]:
    resources = body.get("spec", {}).get("resources", {})
    return size_or_none(resources.get("requests", {}).get("storage"))


def quota_warnings(demands: Iterable[Demand], quotas: Iterable[Quota]) -> list[str]:
    """Return a warning for each limit of a namespace's quotas that all demands together exceed."""
    warnings = []
    listed = list(demands)
    for quota in quotas:
        counted = [demand for demand in listed if quota.counts(demand)]
        if any(demand.storage_class == UNKNOWN_CLASS for demand in counted) and any(
            _PER_CLASS in key for key in quota.left
        ):
            warnings.append(
                f"ResourceQuota {quota.name} limits single storage classes, and whether the default class has enough left is "
                f"unknown: {MAY_NOT_LIST}"
            )
        desired = _sum(counted)
        for key, left in quota.left.items():
            need = desired.get(key, 0)
            if need <= max(left, 0) or need == 0:
                continue
            storage = key.endswith("requests.storage")
            has, asked = (format_size(max(left, 0)), format_size(need)) if storage else (str(max(left, 0)), str(need))
            warnings.append(
                f"ResourceQuota {quota.name} has {has} of {key} left and the plan needs {asked}: some changes would fail, raise "
                "the quota or request less"
            )
    return warnings


def _sum(demands: Iterable[Demand]) -> dict[str, int]:
    """Return what demands need of each resource that a quota can limit."""
    desired: dict[str, int] = {}

    def add(key: str, amount: int) -> None:
        desired[key] = desired.get(key, 0) + amount

    for demand in demands:
        add("requests.storage", demand.size)
        add("persistentvolumeclaims", demand.is_new)
        add("count/persistentvolumeclaims", demand.is_new)
        if demand.storage_class:
            add(f"{demand.storage_class}{_PER_CLASS}requests.storage", demand.size)
            add(f"{demand.storage_class}{_PER_CLASS}persistentvolumeclaims", demand.is_new)
    return desired
