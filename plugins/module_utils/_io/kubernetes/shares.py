# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares in the cluster: what planning needs read, the plan carried out, and volumes waited for."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Callable, Optional, TypeVar

from ..._core import requests
from ..._core.kubernetes.claims import Claim, claim_from
from ..._core.kubernetes.quota import Demand, Quota, claim_demands, quota_from, quota_warnings
from ..._core.metadata import PRESENT
from ..._core.plan import Change, Plan
from ..._core.shares.changes import Context, keep
from ..._core.shares.desired import Share, ShareSettings, ShareTarget
from ..._core.shares.facts import ShareClusterFacts
from ..._core.shares.naming import SELECTOR
from ..._core.shares.observed import ObservedShares, volume_from
from ..._core.shares.plan import plan_again, plan_shares
from .api import CONNECTIONS, Api
from .apply import Outcome, apply_plan
from .errors import ApiError
from .facts import FactsReader, missing_namespace_warning, namespace_error
from .readiness import Timings, Wait, wait_until_ready

#: In more namespaces than this, one list over the whole cluster is tried before a list in each.
FEW_NAMESPACES = 3
#: More single objects than this are not worth a request each: their whole collection is listed.
FEW_OBJECTS = 24

T = TypeVar("T")
U = TypeVar("U")
Placed = tuple[str, Claim]


class SharesRun:
    """One run over some shares in some namespaces."""

    def __init__(self, api: Api, settings: ShareSettings, shares: Sequence[Share]) -> None:
        self.api = api
        self.settings = settings
        self.shares = shares
        self.timings: dict[str, float] = {}
        self._live = ObservedShares()
        self._lookups = ShareClusterFacts()
        self._reader = FactsReader(api)
        self._namespaces = list(dict.fromkeys(name for share in shares for name in share.namespaces))
        self._populated: set[str] = set()
        self._cluster_wide = len(self._namespaces) > FEW_NAMESPACES
        self._may_look_everywhere = True

    # -- reading and planning --------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Read what is marked as a share's, and what else the plan turns out to need, and return the plan."""
        started = time.monotonic()
        readers: list[Callable[[], None]] = [self._read_marked_claims]
        if any(_needs_volumes(share) for share in self.shares):
            readers.append(self._read_marked_volumes)
        if self.shares:
            _in_parallel(lambda read: read(), readers)
            self.settings = replace(self.settings, now=self.api.now())
        self.timings["read"] = time.monotonic() - started
        started = time.monotonic()
        while True:
            context = Context(self.settings, self._live, self._lookups)
            plan = plan_shares(context, self.shares)
            if not context.is_missing:
                break
            self._read_missing(self._live, self._lookups)
        self.timings["plan"] = time.monotonic() - started
        return plan

    def _read_marked_claims(self) -> None:
        self._live.add_claims(self._list_claims(self._namespaces, SELECTOR))

    def _read_marked_volumes(self) -> None:
        self._list_volumes(self._live, SELECTOR)

    def _list_claims(self, namespaces: Sequence[str], selector: str) -> list[Placed]:
        """List the claims of namespaces: in one go over the cluster where that is less work and allowed, or one by one."""
        desired = frozenset(namespaces)

        def convert(item: dict[str, Any]) -> Optional[Placed]:
            namespace = item["metadata"]["namespace"]
            return (namespace, claim_from(item)) if namespace in desired else None

        if self._cluster_wide and len(namespaces) > FEW_NAMESPACES:
            try:
                found = self.api.list_all(requests.CLAIMS, None, convert, selector)
            except ApiError as error:
                if error.status != 403:
                    raise
                self._cluster_wide = self._may_look_everywhere = False
            else:
                return self._noted(found)
        pages = _in_parallel(lambda name: self.api.list_all(requests.CLAIMS, name, convert, selector), namespaces)
        return self._noted(item for page in pages for item in page)

    def _noted(self, found: Iterable[Optional[Placed]]) -> list[Placed]:
        placed = [item for item in found if item is not None]
        self._populated.update(namespace for namespace, _claim in placed)
        return placed

    def _list_volumes(self, live: ObservedShares, selector: str) -> None:
        try:
            live.add_volumes(self.api.list_all(requests.VOLUMES, None, volume_from, selector), everything=not selector)
        except ApiError as error:
            if error.status != 403:
                raise
            live.forbid_volumes(str(error))

    def _read_missing(self, live: ObservedShares, facts: ShareClusterFacts) -> None:
        """Read what planning asked for, and no more."""
        if live.missing_claims:
            self._read_claims(live)
        if live.wants_all_volumes or len(live.missing_volumes) > FEW_OBJECTS:
            self._list_volumes(live, "")
        elif live.wants_marked_volumes:
            self._list_volumes(live, SELECTOR)
        elif live.missing_volumes:
            self._read_volumes(live)
        if live.wants_everywhere:
            self._read_everywhere(live)
        live.wants_all_volumes = live.wants_marked_volumes = live.wants_everywhere = False
        live.missing_volumes.clear()
        self._reader.read_missing(facts)

    def _read_claims(self, live: ObservedShares) -> None:
        asked = sorted(live.missing_claims)
        live.missing_claims.clear()
        self._read_others(live, [key for key in asked if key[0] not in self._namespaces])
        missing = [key for key in asked if key[0] in self._namespaces]
        if len(missing) > FEW_OBJECTS:
            namespaces = sorted({namespace for namespace, _name in missing})
            live.add_claims(self._list_claims(namespaces, ""), is_complete=namespaces)
            return
        found = _in_parallel(lambda key: self.api.get(requests.CLAIMS, *key), missing)
        for (namespace, name), item in zip(missing, found):
            live.put_claim(namespace, name, claim_from(item) if item is not None else None)

    def _read_everywhere(self, live: ObservedShares) -> None:
        """Read the marked claims of the whole cluster; for a note alone, so a login need not be allowed to."""
        found: list[Placed] = []
        try:
            if self._may_look_everywhere:
                found = self.api.list_all(requests.CLAIMS, None, _placed, SELECTOR)
        except ApiError as error:
            if error.status != 403:
                raise
        live.add_everywhere(item for item in found if item[0] not in self._namespaces)

    def _read_others(self, live: ObservedShares, missing: Sequence[tuple[str, str]]) -> None:
        """Read claims in namespaces that are none of the run's, where a login need not have any right."""

        def read(key: tuple[str, str]) -> tuple[Optional[Claim], str]:
            try:
                item = self.api.get(requests.CLAIMS, *key)
            except ApiError as denied:
                if denied.status != 403:
                    raise
                return None, str(denied)
            return (claim_from(item) if item is not None else None), ""

        for (namespace, name), (claim, error) in zip(missing, _in_parallel(read, missing)):
            if error:
                live.forbid_claim(namespace, name, error)
            else:
                live.put_claim(namespace, name, claim)

    def _read_volumes(self, live: ObservedShares) -> None:
        names = sorted(live.missing_volumes)
        try:
            found = _in_parallel(lambda name: self.api.get(requests.VOLUMES, None, name), names)
        except ApiError as error:
            if error.status != 403:
                raise
            live.forbid_volumes(str(error))
            return
        for name, item in zip(names, found):
            live.put_volume(name, volume_from(item) if item is not None else None)

    # -- namespaces and quotas -------------------------------------------------------------------------------------

    def namespace_errors(self, plan: Plan) -> tuple[list[str], set[str]]:
        """Return what is wrong with namespaces that shares are wanted in, and those that only do not exist in check mode.

        Asked only where it matters: before writing, and where not one claim was found.
        """
        desired = {name for share in self.shares if share.state == PRESENT for name in share.namespaces}
        changing = {change.namespace for change in plan.pending}
        names = sorted(name for name in desired if name in changing or name not in self._populated)
        errors, absent = [], set()
        for name, (error, missing) in zip(names, _in_parallel(lambda name: namespace_error(self.api, name), names)):
            if error and missing and self.settings.check_mode:
                absent.add(name)
            elif error:
                errors.append(error.replace("`namespace`", "`namespaces`"))
        return errors, absent

    def _quota_warnings(self, plan: Plan) -> list[str]:
        """In check mode: hold what the plan asks for in sum against the quotas; a dry-run passes them singly."""
        demands: dict[str, list[Demand]] = {}
        found = claim_demands(plan.pending, self._live.claim, lambda: self._reader.default_class(self._lookups))
        for namespace, demand in found:
            demands.setdefault(namespace, []).append(demand)
        return [
            warning
            for warnings in _in_parallel(lambda item: self._check_quotas(*item), list(demands.items()))
            for warning in warnings
        ]

    def _check_quotas(self, namespace: str, demands: Sequence[Demand]) -> list[str]:
        try:
            quotas: list[Quota] = self.api.list_all(requests.QUOTAS, namespace, quota_from)
        except ApiError as error:
            return [f"Whether a ResourceQuota allows the plan is unknown: {error}"]
        return [f"{warning} (namespace {namespace})" for warning in quota_warnings(demands, quotas)]

    # -- carrying out ----------------------------------------------------------------------------------------------

    def apply_plan(self, plan: Plan, absent: Collection[str]) -> Outcome:
        """Carry the plan out; in check mode, have the API server validate it, save in namespaces that do not exist yet."""
        started = time.monotonic()
        shown = replace(plan, changes=tuple(change for change in plan.changes if change.namespace in absent))
        tried = Plan(tuple(change for change in plan.changes if change.namespace not in absent))
        warnings = self._quota_warnings(tried) if self.settings.check_mode else []
        outcome = apply_plan(self.api, tried, self._replan, self.settings.check_mode)
        outcome.plan = outcome.plan.joined(shown)
        for name in sorted(absent):
            outcome.warnings.append(missing_namespace_warning(name))
        outcome.warnings.extend(warnings)
        self.timings["write"] = time.monotonic() - started
        return outcome

    def _replan(self, change: Change) -> Change:
        """Read one share in one namespace again that somebody else wrote, and plan it again."""
        target: ShareTarget = change.subject
        share = target.share
        targets = [(namespace, share.spec.claim) for namespace in share.namespaces]
        live = self._live.around(targets, share.name)
        for name in dict.fromkeys((target.claim, change.name)):
            found = self.api.get(requests.CLAIMS, target.namespace, name)
            live.put_claim(target.namespace, name, claim_from(found) if found is not None else None)
        volumes = {step.name for step in change.operations if step.resource is requests.VOLUMES} | {target.volume}
        for name in volumes if _needs_volumes(share) or len(volumes) > 1 else ():
            item = self.api.get(requests.VOLUMES, None, name)
            live.put_volume(name, volume_from(item) if item is not None else None)
        while True:
            context = Context(self.settings, live, self._lookups)
            changes = plan_again(context, change, self.shares)
            if not context.is_missing:
                break
            self._read_missing(live, self._lookups)
        again = [item for item in changes if item.name in (change.name, "")]
        return again[0] if again else keep(target, "needs nothing any more", change.name)

    # -- waiting ---------------------------------------------------------------------------------------------------

    def wait(self, outcome: Outcome, timings: Timings) -> None:
        """Wait until the claim of every present share is bound and has its capacity."""
        awaited = {
            (change.namespace, change.name): change
            for change in outcome.plan.changes
            if change.subject.share.state == PRESENT
        }
        namespaces = list(dict.fromkeys(namespace for namespace, _name in awaited))
        wait_until_ready(
            Wait(awaited, lambda: self._list_claims(namespaces, SELECTOR), self._lookups, self._reader),
            outcome,
            timings,
        )


def _placed(item: dict[str, Any]) -> Placed:
    return item["metadata"]["namespace"], claim_from(item)


def _needs_volumes(share: Share) -> bool:
    """Whether a share has volumes that a run looks at whatever there is to do."""
    if share.state != PRESENT:
        return True
    return len(share.namespaces) > 1 or not (share.is_dynamic or share.is_found)


def _in_parallel(what: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """Do something for each item, over as many connections as there are, and return what came of it in their order."""
    if len(items) < 2:
        return [what(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(CONNECTIONS, len(items))) as pool:
        return list(pool.map(what, items))
