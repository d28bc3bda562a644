# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ResourceQuotas: whether the sum of a plan fits. A dry-run is held against a quota singly, as if it were alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from ..plan import CREATE, Change, Plan
from ..quantity import format_size, parse_quantity
from ..requests import CLAIMS, PATCH
from .claims import Index

_PER_CLASS = ".storageclass.storage.k8s.io/"


class Quota(NamedTuple):
    """A ResourceQuota: what is left of each resource it bounds (bytes, or a number of objects)."""

    name: str
    left: Mapping[str, int]


def quota_from(item: Mapping[str, Any]) -> Quota:
    """Reduce a ResourceQuota of the API to what is left."""
    status = item.get("status") or {}
    hard = status.get("hard") or (item.get("spec") or {}).get("hard") or {}
    used = status.get("used") or {}
    left = {key: int(parse_quantity(value)) - int(parse_quantity(used.get(key, "0"))) for key, value in hard.items()}
    return Quota(item["metadata"]["name"], left)


class Ask(NamedTuple):
    """What one change asks of a quota: more bytes of a storage class (None: of none), and a claim where it is a new one."""

    storage_class: Optional[str]
    size: int
    is_new: bool


def quota_warnings(plan: Plan, quotas: Iterable[Quota], index: Index, default_class: Optional[str]) -> list[str]:
    """Return a sentence for each bound of a quota that a plan of homes, carried out whole, would run into."""
    asks = []
    for change in plan.pending:
        home = change.subject
        if change.action == CREATE:
            asks.append(Ask(home.storage_class if home.storage_class is not None else default_class, home.size, True))
            continue
        claim = index.by_name.get(change.name)
        if claim is not None and expands(change):
            asks.append(Ask(claim.storage_class, home.size - (claim.size or 0), False))
    return exceeded(asks, quotas)


def expands(change: Change) -> bool:
    """Whether a change raises what a claim asks for."""
    patches = [step.body for step in change.operations if (step.verb, step.resource) == (PATCH, CLAIMS)]
    return any(body.get("spec", {}).get("resources") for body in patches)


def exceeded(asks: Iterable[Ask], quotas: Iterable[Quota]) -> list[str]:
    """Return a sentence for each bound of the quotas of a namespace that all this together would run into."""
    desired: dict[str, int] = {}

    def add(key: str, amount: int) -> None:
        desired[key] = desired.get(key, 0) + amount

    for ask in asks:
        add("requests.storage", ask.size)
        add("persistentvolumeclaims", ask.is_new)
        add("count/persistentvolumeclaims", ask.is_new)
        if ask.storage_class:
            add(f"{ask.storage_class}{_PER_CLASS}requests.storage", ask.size)
            add(f"{ask.storage_class}{_PER_CLASS}persistentvolumeclaims", ask.is_new)
    warnings = []
    for quota in quotas:
        for key, left in quota.left.items():
            need = desired.get(key, 0)
            if need <= max(left, 0) or need == 0:
                continue
            storage = key.endswith("requests.storage")
            has, asked = (format_size(max(left, 0)), format_size(need)) if storage else (str(max(left, 0)), str(need))
            warnings.append(
                f"ResourceQuota {quota.name} has {has} of {key} left and the plan needs {asked}: some of its changes would "
                "fail; raise the quota or ask for less"
            )
    return warnings
