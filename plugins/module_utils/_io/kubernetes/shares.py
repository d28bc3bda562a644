# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run over shares: read, plan, apply and wait."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Optional

from ..._core import requests
from ..._core.kubernetes.claims import LOST, Claim
from ..._core.kubernetes.facts import ClusterFacts
from ..._core.kubernetes.quota import Demand, Quota, claim_demands, quota_from, quota_warnings
from ..._core.metadata import CLAIM_UID_ANNOTATION, PRESENT
from ..._core.plan import CREATE, Change, Plan
from ..._core.shares.naming import SELECTOR
from ..._core.shares.planning.changes import keep_share
from ..._core.shares.planning.conflicts import ConflictFinder, created_source
from ..._core.shares.planning.context import PlanContext
from ..._core.shares.planning.desired import Share, ShareSettings, ShareTarget
from ..._core.shares.planning.observed import ObservedShares
from ..._core.shares.planning.plan import plan_again, plan_shares
from ..._hub.acl_format import LEVELS
from .api import Api
from .apply import Outcome, apply_plan
from .errors import ApiError
from .facts import FactsReader, missing_namespace_warning, namespace_error
from .namespaces import create_namespaces
from .origins import Origin, mark_origins
from .parallel import in_parallel
from .readiness import Timings, Wait, wait_until_ready
from .share_reader import ShareReader


class SharesRun:
    """One run over some shares in some namespaces."""

    def __init__(self, api: Api, settings: ShareSettings, shares: Sequence[Share]) -> None:
        self.api = api
        self.settings = settings
        self.shares = shares
        self.timings: dict[str, float] = {}
        self._observed = ObservedShares()
        self._facts = ClusterFacts()
        self._facts_reader = FactsReader(api)
        self._reader = ShareReader(api, (name for share in shares for name in share.namespaces))

    def plan(self) -> Plan:
        """Read the objects with our label, and what else the plan depends on, and return the plan."""
        started = time.monotonic()
        if self.shares:
            with_volumes = any(_needs_volumes(share) for share in self.shares)
            with_homes = any(share.state == PRESENT for share in self.shares)
            self._reader.read_labelled(self._observed, with_volumes, with_homes)
            self.settings = replace(self.settings, now=self.api.now())
        self.timings["read"] = time.monotonic() - started
        started = time.monotonic()
        while True:
            context = PlanContext(self.settings, self._observed, self._facts)
            plan = plan_shares(context, self.shares)
            if not context.is_missing:
                break
            self._read_missing(context)
        self.timings["plan"] = time.monotonic() - started
        return plan

    def namespace_errors(self, plan: Plan, create: Optional[Collection[str]]) -> tuple[list[str], set[str]]:
        """Return what is wrong with the namespaces of present shares, and those that do not exist yet.

        The latter are errors, except if an earlier task may create them, or if namespaces are to be created. `create` are
        those to create even without a share, or None to create none. A namespace is read only before a write to it, or when
        no claim was found in it.
        """
        desired = {name for share in self.shares if share.state == PRESENT for name in share.namespaces}
        desired |= {*(create or ())}
        changing = {change.namespace for change in plan.pending}
        populated = self._reader.populated
        names = sorted(name for name in desired if name in changing or name not in populated)
        errors, absent = [], set()

        def read(name: str) -> tuple[str, bool]:
            return namespace_error(self.api, name, must_read=create is not None and name not in populated)

        for name, (error, missing) in zip(names, in_parallel(read, names)):
            if error and missing and (self.settings.allows_missing or create is not None):
                absent.add(name)
            elif error:
                errors.append(error.replace("`namespace`", "`namespaces`"))
        return errors, absent

    def apply_plan(self, plan: Plan, absent: Collection[str], create: bool = False) -> Outcome:
        """Create namespaces, and apply the plan. In check mode the API server only validates it.

        What is in a namespace that does not exist yet cannot be validated, and is shown.
        """
        started = time.monotonic()
        check_mode = self.settings.check_mode
        created = create_namespaces(self.api, absent, check_mode) if create and absent else Outcome(Plan())
        if created.failures:
            return created
        if not check_mode:
            absent = ()
        shown = replace(plan, changes=tuple(change for change in plan.changes if change.namespace in absent))
        applied = Plan(tuple(change for change in plan.changes if change.namespace not in absent))
        warnings = self._quota_warnings(applied) if check_mode else []
        outcome = apply_plan(self.api, applied, self._plan_again, check_mode)
        outcome.plan = outcome.plan.joined(shown)
        outcome.warnings.extend(missing_namespace_warning(name) for name in sorted(absent))
        outcome.missing.extend(sorted(absent))
        outcome.warnings.extend(warnings)
        self.timings["write"] = time.monotonic() - started
        if outcome.wrote and any(_may_overlap(change) for change in outcome.plan.pending):
            self._look_again(outcome)
        return created.followed_by(outcome)

    def _look_again(self, outcome: Outcome) -> None:
        """Report the shares that hold the data of another one since this run: two runs at once do not see each other's plan."""
        observed = self._reader.read_again()
        while True:
            context = PlanContext(self.settings, observed, self._facts)
            ConflictFinder(context, self.shares).report_overlaps()
            if not context.is_missing:
                break
            self._read_missing(context)
        known = {item.reason for item in outcome.plan.unreconcilable}
        found = tuple(item for item in context.unreconcilable if item.reason not in known)
        outcome.plan = outcome.plan.joined(Plan(unreconcilable=found))

    def mark_origins(self, outcome: Outcome, seconds: float) -> None:
        """Mark the volumes of created claims that other namespaces get copies of, once they are bound.

        Without `seconds` to wait the run has waited for all claims, and their volumes get the marks of their levels too.
        """
        started = time.monotonic()
        found = [origin for change in outcome.plan.changes if (origin := self._created_origin(change)) is not None]
        origins = [origin for origin in found if origin.is_copied or not seconds]
        outcome.warnings.extend(mark_origins(self.api, origins, seconds))
        self.timings["mark"] = time.monotonic() - started

    def _created_origin(self, change: Change) -> Optional[Origin]:
        """Return the claim that the run created for a change if its volume needs marks, None otherwise."""
        created = self.api.created_claims.get((change.namespace, change.name))
        if change.subject is None or created is None:
            return None  # A namespace, or a claim that exists.
        target: ShareTarget = change.subject
        share = target.share
        volume = created.spec.get("volumeName", "")
        if not share.is_dynamic or share.state != PRESENT or volume == target.volume:
            return None  # Static, or a clone.
        known = self._observed.known_volume(volume)
        is_copied = len(share.namespaces) > 1 or (known is not None and CLAIM_UID_ANNOTATION in known.annotations)
        if not is_copied and share.spec.level == LEVELS[0]:
            return None
        class_name = created.spec.get("storageClassName") or self._facts.default_class() or ""
        storage_class = (self._facts.storage_classes() or {}).get(class_name)
        waits = bool(volume) or storage_class is None or not storage_class.waits_for_consumer
        return Origin(target, change.name, created.uid, waits, is_copied)

    def wait(self, outcome: Outcome, timings: Timings) -> None:
        """Wait until the claim of every present share is bound and has its capacity."""
        awaited = {
            (change.namespace, change.name): change
            for change in outcome.plan.changes
            if change.subject is not None and change.subject.share.state == PRESENT and not self._is_lost(change)
        }
        namespaces = list(dict.fromkeys(namespace for namespace, _name in awaited))

        def list_claims() -> Iterable[tuple[str, Claim]]:
            return self._reader.list_claims(namespaces, SELECTOR)

        wait_until_ready(Wait(awaited, list_claims, self._facts, self._facts_reader), outcome, timings)

    def _is_lost(self, change: Change) -> bool:
        """Return whether a claim stays without its volume, of which the plan warns."""
        claim = self._observed.claim(change.namespace, change.name)
        return not change.operations and claim is not None and claim.phase == LOST

    def _read_missing(self, context: PlanContext) -> None:
        self._reader.read_missing(context.observed)
        self._facts_reader.read_missing(context.facts)

    def _plan_again(self, change: Change) -> Change:
        """Read one share in one namespace again after a conflict, and plan it again."""
        target: ShareTarget = change.subject
        share = target.share
        observed = self._observed.of_share(
            [(namespace, share.spec.claim) for namespace in share.namespaces], share.name
        )
        for name in dict.fromkeys((target.claim, change.name)):
            self._reader.read_claim(observed, target.namespace, name)
        volumes = {request.name for request in change.operations if request.resource is requests.VOLUMES}
        volumes.add(target.volume)
        if _needs_volumes(share) or len(volumes) > 1:
            for name in volumes:
                self._reader.read_volume(observed, name)
        while True:
            context = PlanContext(self.settings, observed, self._facts)
            changes = plan_again(context, change, self.shares)
            if not context.is_missing:
                break
            self._read_missing(context)
        planned = [item for item in changes if item.name in (change.name, "")]
        return planned[0] if planned else keep_share(target, "needs no change any more", change.name)

    def _quota_warnings(self, plan: Plan) -> list[str]:
        """Compare the sum of the plan with the quotas, for check mode: a dry run checks each request alone."""
        demands: dict[str, list[Demand]] = {}
        found = claim_demands(plan.pending, self._observed.claim, lambda: self._facts_reader.default_class(self._facts))
        for namespace, demand in found:
            demands.setdefault(namespace, []).append(demand)
        return [
            warning
            for warnings in in_parallel(lambda item: self._check_quotas(*item), list(demands.items()))
            for warning in warnings
        ]

    def _check_quotas(self, namespace: str, demands: Sequence[Demand]) -> list[str]:
        try:
            quotas: list[Quota] = self.api.list_all(requests.QUOTAS, namespace, quota_from)
        except ApiError as error:
            return [f"Whether a ResourceQuota allows the plan is unknown: {error}"]
        return [f"{warning} (namespace {namespace})" for warning in quota_warnings(demands, quotas)]


def _may_overlap(change: Change) -> bool:
    """Return whether a change makes data a share that another run may not have seen: all but new claims of a class."""
    is_present = change.subject is not None and change.subject.share.state == PRESENT
    return is_present and (change.action != CREATE or created_source(change) is not None)


def _needs_volumes(share: Share) -> bool:
    """Return whether a plan of a share always depends on its volumes: the lowest level needs no mark on a volume."""
    if share.state != PRESENT:
        return True
    return (
        len(share.namespaces) > 1 or not (share.is_dynamic or share.is_existing_claim) or share.spec.level != LEVELS[0]
    )
