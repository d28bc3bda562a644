# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ResourceQuotas: whether the sum of a plan fits. A dry-run is held against a quota singly, as if it were alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from .homes.claims import Index
from .plan import CREATE, Plan
from .quantity import format_size, parse_quantity
from .steps import CLAIMS, PATCH

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


def quota_warnings(plan: Plan, quotas: Iterable[Quota], index: Index, default_class: Optional[str]) -> list[str]:
    """Return a sentence for each bound of a quota that the plan, carried out whole, would run into."""
    wanted: dict[str, int] = {}

    def add(key: str, amount: int) -> None:
        wanted[key] = wanted.get(key, 0) + amount

    for change in plan.pending:
        home = change.subject
        if change.action == CREATE:
            grows, is_new, storage_class = (
                home.size,
                1,
                home.storage_class if home.storage_class is not None else default_class,
            )
        else:
            claim = index.by_name.get(change.name)
            patches = [step.body for step in change.steps if (step.verb, step.resource) == (PATCH, CLAIMS)]
            asks = [body.get("spec", {}).get("resources") for body in patches]
            if claim is None or not any(asks):
                continue
            grows, is_new, storage_class = home.size - (claim.size or 0), 0, claim.storage_class
        add("requests.storage", grows)
        add("persistentvolumeclaims", is_new)
        add("count/persistentvolumeclaims", is_new)
        if storage_class:
            add(f"{storage_class}{_PER_CLASS}requests.storage", grows)
            add(f"{storage_class}{_PER_CLASS}persistentvolumeclaims", is_new)
    warnings = []
    for quota in quotas:
        for key, left in quota.left.items():
            need = wanted.get(key, 0)
            if need <= max(left, 0) or need == 0:
                continue
            storage = key.endswith("requests.storage")
            has, asked = (format_size(max(left, 0)), format_size(need)) if storage else (str(max(left, 0)), str(need))
            warnings.append(
                f"ResourceQuota {quota.name} has {has} of {key} left and the plan needs {asked}: some of its changes would "
                "fail; raise the quota or ask for less"
            )
    return warnings
