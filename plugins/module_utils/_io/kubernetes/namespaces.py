# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create the namespaces of a plan that do not exist, before everything else that the plan creates."""

from __future__ import annotations

from collections.abc import Iterable

from ..._core.outcome import Outcome
from ..._core.plan import CREATE, KEEP, Change, Plan
from ..._core.requests import NAMESPACES, create
from ..module import PlanRejected
from .api import Api
from .apply import apply_plan

KIND = "namespace"


def creation_of(name: str) -> Change:
    """Return the change that creates a namespace."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    reason = f"namespace {name} does not exist"
    return Change(
        CREATE, KIND, name, name, reason, after=f"namespace {name}", operations=(create(NAMESPACES, "", manifest),)
    )


def create_namespaces(api: Api, names: Iterable[str], dry_run: bool) -> Outcome:
    """Create namespaces. Raises PlanRejected if nothing was created."""

    def plan_again(change: Change) -> Change:
        return Change(KEEP, KIND, change.name, change.name, f"namespace {change.name} exists by now")

    outcome = apply_plan(api, Plan(tuple(creation_of(name) for name in sorted(names))), plan_again, dry_run)
    if outcome.failures and not outcome.wrote:
        raise PlanRejected([failure.reason for failure in outcome.failures])
    return outcome
