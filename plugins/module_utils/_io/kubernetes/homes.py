# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Homes in the cluster: what planning needs read, the plan carried out, and new capacity waited for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Callable, Optional

from ..._core import requests
from ..._core.homes.activity import HubUsers
from ..._core.homes.changes import keep_home
from ..._core.homes.desired import PRESENT, Home, HomeSettings
from ..._core.homes.plan import plan_home, plan_homes
from ..._core.kubernetes.claims import Index, claim_from
from ..._core.kubernetes.facts import ACTIVITY, CLASSES, PODS, VOLUME_RIGHT, ClusterFacts
from ..._core.kubernetes.quota import Quota, quota_from, quota_warnings
from ..._core.kubernetes.readiness import readiness
from ..._core.plan import Change, Failure, Plan
from ..errors import ExternalError
from .api import Api
from .apply import Outcome, apply_plan
from .errors import ApiError
from .facts import need_namespace, read_classes, read_pods, volume_error

ReadHub = Callable[[], Optional[HubUsers]]


class HomesRun:
    """One run over the homes of one namespace."""

    def __init__(self, api: Api, settings: HomeSettings, read_hub: ReadHub, check_mode: bool) -> None:
        self.api = api
        self.settings = settings
        self.check_mode = check_mode
        self.timings: dict[str, float] = {}
        self._read_hub = read_hub
        self._lookups = ClusterFacts()
        self._index = Index((), settings.template.has_server)
        self._count = 0

    def plan(self, homes: Sequence[Home]) -> Plan:
        """Read the namespace's claims, and what else the plan turns out to need, and return the plan."""
        started = time.monotonic()
        claims = self.api.list_all(requests.CLAIMS, self.settings.namespace, claim_from)
        self._count = len(claims)
        self.settings = replace(self.settings, now=self.api.now())
        self._index = Index(claims, self.settings.template.has_server)
        self.timings["read"] = time.monotonic() - started
        started = time.monotonic()
        while True:
            plan = plan_homes(homes, self._index, self.settings, self._lookups)
            if not self._lookups.missing:
                break
            self._read(set(self._lookups.missing))
        self.timings["plan"] = time.monotonic() - started
        return plan

    def missing_namespace(self, plan: Plan) -> str:
        """Return what to warn of where the namespace is missing, in check mode, "" where it is there; else refuse.

        Asked only where it matters: before writing, and where not one claim was found, for an empty list is all that
        the API server says of a namespace that is not there.
        """
        if not plan.changed and self._count:
            return ""
        return need_namespace(self.api, self.settings.namespace, self.check_mode)

    def quota_warnings(self, plan: Plan) -> list[str]:
        """In check mode: hold what the plan asks for in sum against the namespace's quotas; a dry-run passes them singly."""
        if not plan.changed:
            return []
        try:
            quotas: list[Quota] = self.api.list_all(requests.QUOTAS, self.settings.namespace, quota_from)
        except ApiError as error:
            return [f"Whether a ResourceQuota allows the plan is not known: {error}"]
        if not quotas:
            return []
        return quota_warnings(plan, quotas, self._index, self._lookups.default_class())

    def apply_plan(self, plan: Plan) -> Outcome:
        """Carry the plan out; in check mode, have the API server validate it."""
        started = time.monotonic()
        outcome = apply_plan(self.api, plan, self._replan, self.check_mode)
        self.timings["write"] = time.monotonic() - started
        return outcome

    def wait(self, outcome: Outcome, timeout: float, sleep: float) -> None:
        """Wait until every wanted home has its capacity; what has not by then is unready in the outcome."""
        desired = {
            change.name: change
            for change in outcome.plan.changes
            if change.name and change.subject is not None and change.subject.state == PRESENT
        }
        try:
            self._wait_for(desired, outcome, timeout, sleep)
        except ExternalError as error:
            # What was done stays told, whatever becomes of the looking.
            reason = f"whether it is ready is not known: {error}"
            asked = [change for change in desired.values() if change.operations] or list(desired.values())
            outcome.unready.extend(Failure(change, reason, retryable=error.retryable) for change in asked)

    def _wait_for(self, desired: Mapping[str, Change], outcome: Outcome, timeout: float, sleep: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            claims = self.api.list_all(requests.CLAIMS, self.settings.namespace, claim_from)
            pending, warnings = readiness(claims, desired, self._lookups)
            while CLASSES in self._lookups.missing:
                self._read({CLASSES})
                pending, warnings = readiness(claims, desired, self._lookups)
            if not pending or time.monotonic() >= deadline:
                break
            time.sleep(max(0.0, min(sleep, deadline - time.monotonic())))
        outcome.warnings.extend(warnings)
        for name, why in pending.items():
            reason = f"{why} after {timeout:g} s of waiting: see the events of claim {name}, or raise `wait_timeout`"
            outcome.unready.append(Failure(desired[name], reason, retryable=True))

    def _replan(self, change: Change) -> Change:
        """Read one home again that somebody else wrote, and plan it again."""
        home: Home = change.subject
        found = self.api.get(requests.CLAIMS, self.settings.namespace, change.name)
        fresh = claim_from(found) if found is not None else None
        if change.action == "delete" and (fresh is None or fresh.deleting):
            return keep_home(home, self.settings, change.name, "is gone already")
        index = self._index.around(home.user, home.server, change.name, fresh)
        again = [item for item in self._planned_alone(home, index) if item.name == change.name or not item.name]
        if again:
            return again[0]
        return keep_home(home, self.settings, change.name, "needs nothing any more")

    def _planned_alone(self, home: Home, index: Index) -> list[Change]:
        while True:
            changes = plan_home(home, index, self.settings, self._lookups, [])
            if not self._lookups.missing:
                return changes
            self._read(set(self._lookups.missing))

    def _hub(self) -> Optional[HubUsers]:
        hub = self._read_hub()
        if hub is None or not hub.users or hub.knows_any(user for user, _server in self._index.owners()):
            return hub
        return replace(hub, foreign=True)

    def _read_pods(self) -> None:
        try:
            self._lookups.set_pods(read_pods(self.api, self.settings.namespace))
        except ApiError as error:
            if error.status != 403:
                raise
            self._lookups.set_pods({}, str(error))

    def _read(self, missing: set[str]) -> None:
        if CLASSES in missing:
            self._lookups.set_classes(read_classes(self.api))
        if PODS in missing:
            self._read_pods()
        if ACTIVITY in missing:
            self._lookups.set_hub(self._hub())
        if VOLUME_RIGHT in missing:
            self._lookups.set_volume_right(volume_error(self.api))
