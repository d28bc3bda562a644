# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run over the homes of a namespace: read, plan, apply and wait."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Callable, Optional

from ..._core import requests
from ..._core.homes.changes import HomesContext, keep_home
from ..._core.homes.desired import Home, HomeSettings
from ..._core.homes.observed import ObservedHomes
from ..._core.homes.plan import plan_home, plan_homes
from ..._core.hub_activity import HubUsers
from ..._core.kubernetes.claims import LOST, Claim, claim_from, read_again
from ..._core.kubernetes.facts import ClusterFacts
from ..._core.kubernetes.quota import Quota, claim_demands, quota_from, quota_warnings
from ..._core.metadata import PRESENT
from ..._core.plan import CREATE, DELETE, KEEP, REFUSE, Change, Plan
from ..module import PlanRejected
from .acl_reader import AclReader
from .api import Api
from .apply import Outcome, apply_plan
from .errors import ApiError
from .facts import FactsReader, missing_namespace_warning, namespace_error
from .namespaces import create_namespaces
from .readiness import Timings, Wait, wait_until_ready

ReadHub = Callable[[], Optional[HubUsers]]


class HomesRun:
    """One run over the homes of one namespace."""

    def __init__(self, api: Api, settings: HomeSettings, read_hub: ReadHub, check_mode: bool) -> None:
        self.api = api
        self.settings = settings
        self.check_mode = check_mode
        self.timings: dict[str, float] = {}
        self._read_hub = read_hub
        self._facts = ClusterFacts()
        self._reader = FactsReader(api, self._hub_users, AclReader(api, settings.namespace).granted_claims)
        self._observed = ObservedHomes((), settings.template.has_server)

    def plan(self, homes: Sequence[Home]) -> Plan:
        """Read the claims of the namespace, and the facts that the plan depends on, and return the plan."""
        started = time.monotonic()
        claims = self.api.list_all(requests.CLAIMS, self.settings.namespace, claim_from)
        self.settings = replace(self.settings, now=self.api.now())
        self._observed = ObservedHomes(claims, self.settings.template.has_server)
        self.timings["read"] = time.monotonic() - started
        started = time.monotonic()
        plan = plan_homes(homes, self._observed, self.settings, self._facts)
        while self._facts.missing:
            self._reader.read_missing(self._facts)
            plan = plan_homes(homes, self._observed, self.settings, self._facts)
        self.timings["plan"] = time.monotonic() - started
        return plan

    def is_namespace_missing(self, plan: Plan, create: bool) -> bool:
        """Return whether the namespace does not exist, in check mode or if it is to be created.

        The namespace is read only before a write, or when it has no claims: the API server lists a namespace that does
        not exist like an empty one. Raises PlanRejected in all other cases in which it cannot be used.
        """
        if not plan.changed and self._observed.by_name:
            return False
        must_read = create and not self._observed.by_name
        error, missing = namespace_error(self.api, self.settings.namespace, must_read)
        if error and not (missing and (create or self.check_mode)):
            raise PlanRejected([error])
        return missing

    def quota_warnings(self, plan: Plan) -> list[str]:
        """Compare the sum of the plan with the quotas, for check mode: a dry run checks each request alone."""
        if not plan.changed:
            return []
        try:
            quotas: list[Quota] = self.api.list_all(requests.QUOTAS, self.settings.namespace, quota_from)
        except ApiError as error:
            return [f"Whether a ResourceQuota allows the plan is unknown: {error}"]
        if not quotas:
            return []
        demands = claim_demands(
            plan.pending,
            lambda _namespace, name: self._observed.by_name.get(name),
            lambda: self._reader.default_class(self._facts),
        )
        return quota_warnings((demand for _namespace, demand in demands), quotas)

    def apply_plan(self, plan: Plan) -> Outcome:
        """Apply the plan. In check mode the API server only validates it."""
        started = time.monotonic()
        outcome = apply_plan(self.api, plan, self._plan_again, self.check_mode)
        self.timings["write"] = time.monotonic() - started
        return outcome

    def apply_in_missing_namespace(self, plan: Plan, create: bool) -> Outcome:
        """Create the namespace, and apply the plan. In check mode the plan is shown, and nothing can validate it."""
        namespace = self.settings.namespace
        created = create_namespaces(self.api, [namespace], self.check_mode) if create else Outcome(Plan())
        if self.check_mode:
            shown = Outcome(plan, warnings=[missing_namespace_warning(namespace)], missing=[namespace])
            return created.followed_by(shown)
        return created.followed_by(self.apply_plan(plan))

    def wait(self, outcome: Outcome, timings: Timings) -> None:
        """Wait until the claim of every present home is bound and has its capacity."""
        namespace = self.settings.namespace
        awaited = {
            (namespace, change.name): change
            for change in outcome.plan.changes
            if change.name and change.subject is not None and change.subject.state == PRESENT
            # The plan warns of lost volumes.
            if not self._is_lost(change.name)
        }

        def list_claims() -> Iterable[tuple[str, Claim]]:
            return ((namespace, claim) for claim in self.api.list_all(requests.CLAIMS, namespace, claim_from))

        wait_until_ready(Wait(awaited, list_claims, self._facts, self._reader), outcome, timings)

    def _is_lost(self, name: str) -> bool:
        claim = self._observed.by_name.get(name)
        return claim is not None and claim.phase == LOST

    def _plan_again(self, change: Change) -> Change:
        """Read the claim of one home again after a conflict, and plan this home again."""
        home: Home = change.subject
        found = self.api.get(requests.CLAIMS, self.settings.namespace, change.name)
        earlier = self._observed.by_name.get(change.name)
        claim = read_again(claim_from(found), earlier) if found is not None else None
        if change.action == DELETE and (claim is None or claim.deleting):
            return keep_home(home, change.name, "is already gone")
        observed = self._observed.for_replanning((home.user, home.server), change.name, claim)
        for planned in self._plan_one(home, observed):
            if planned.action == KEEP and not planned.name and change.action == CREATE:
                # Left out now, which the plan did not warn of: somebody else created a claim meanwhile.
                return replace(planned, action=REFUSE, name=change.name)
            if planned.name in (change.name, ""):
                return planned
        return keep_home(home, change.name, "needs no change any more")

    def _plan_one(self, home: Home, observed: ObservedHomes) -> list[Change]:
        while True:
            # What the run warned of when it planned everything is not repeated here.
            changes = plan_home(HomesContext(self.settings, observed, self._facts), home)
            if not self._facts.missing:
                return changes
            self._reader.read_missing(self._facts)

    def _hub_users(self) -> Optional[HubUsers]:
        hub = self._read_hub()
        if hub is None or not hub.users or hub.knows_any(user for user, _server in self._observed.owners()):
            return hub
        return replace(hub, foreign=True)
