# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`share_acl` with `format: jsp`: what of the ACL classic Open Data Hub's profiles can carry, in one ConfigMap."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Optional

from ..._core.access.compile import compile_acl, left_out
from ..._core.access.diff import NO_CHANGE, Comparison, as_data, compare
from ..._core.access.guards import guard, unknown_levels, withdrawn
from ..._core.access.jsp import WARNING, profiles_of, unfit
from ..._core.access.model import EMPTY, Acl
from ..._core.access.observed import Stored, stored_from
from ..._core.access.profiles import (
    NAME,
    PROFILES,
    Profiles,
    carried,
    foreign_refusal,
    hub_group_errors,
    is_ours,
    plan_profiles,
    plan_profiles_away,
    profiles_from,
    shares_of,
    standing,
)
from ..._core.access.publish import Publication, PublishSettings, effects_of, quota_warnings
from ..._core.kubernetes.quota import quota_from
from ..._core.metadata import ABSENT
from ..._core.outcome import Outcome
from ..._core.plan import REFUSE, Change, Plan, Unreconcilable
from ..._core.requests import CONFIG_MAPS, QUOTAS
from ..._core.shares.spec import ShareSpec
from ..._hub.access import AccessError
from ..module import PlanRejected, finish, timings_result
from .acl import WRITER, consents, triable
from .api import Api
from .apply import apply_plan
from .errors import ApiError
from .facts import check_namespace
from .granted_claims import claim_refusals, claims_granted


def manage_profiles(
    module: Any,
    api: Api,
    shares: Sequence[ShareSpec],
    groups: Mapping[str, Sequence[str]],
    timings: Mapping[str, float],
) -> dict[str, Any]:
    """Bring the ConfigMap with the profiles to what the options ask for, or, in check mode, show what that would take."""
    params = module.params
    run = ProfilesRun(api, params, shares, compile_acl(shares, groups, params["namespace"]))
    started = time.monotonic()
    live = run.read()
    plan = run.plan(live)
    planned = time.monotonic()
    refusals = [change.reason for change in plan.refusals]
    if refusals:
        refused = PlanRejected(refusals, plan)
        refused.more["access"] = as_data(run.comparison)
        raise refused
    outcome = run.apply_plan(plan, live, module.check_mode)
    phases = {**timings, "plan": planned - started, "write": time.monotonic() - planned}
    return finish(module, outcome, PROFILES, access=as_data(run.comparison), **timings_result(phases))


class ProfilesRun:
    """One run over the profiles of one namespace."""

    def __init__(self, api: Api, params: dict[str, Any], shares: Sequence[ShareSpec], acl: Acl) -> None:
        self.api = api
        self.params = params
        self.namespace: str = params["namespace"]
        self.known = [share.name for share in shares]
        self.causes = left_out(shares, self.namespace)
        self.acl = acl
        #: What becomes different for people, as of the last planning.
        self.comparison = NO_CHANGE

    def read(self) -> Optional[Stored]:
        """Return the ConfigMap, None where there is none."""
        found = self.api.get(CONFIG_MAPS, self.namespace, NAME)
        return None if found is None else stored_from(found)

    def plan(self, live: Optional[Stored]) -> Plan:
        """Return the plan: what changes for people, and the ConfigMap; or the refusals."""
        settings = PublishSettings(self.namespace, WRITER, self.api.now())
        if live is not None and not is_ours(live):
            if self.params["state"] == ABSENT:
                return Plan(notes=(f"{foreign_refusal(self.namespace)}; it is left as it is",))
            return self._refused([foreign_refusal(self.namespace)])
        today = settings.now.date()
        left: list[str] = []
        desired = None
        if self.params["state"] == ABSENT:
            change = plan_profiles_away(live, settings)
        else:
            errors = hub_group_errors(self.acl, today)
            try:
                text, left = profiles_of(self.acl, today, self.params["home_path"], self.params["mount_roots"])
                desired = profiles_from(text, self.acl)
            except ValueError as error:
                return self._refused([*errors, str(error)])
            if errors:
                return self._refused(errors)
            change = plan_profiles(live, desired, settings)
        notes = (WARNING,) if desired is not None else ()
        unreconcilable = tuple(Unreconcilable(PROFILES, self.namespace, NAME, sentence) for sentence in left)
        if not change.operations:
            return Plan((change,), unreconcilable, notes)
        stood, broken = _standing(live)
        comparison = self.comparison = self._compared(stood, desired, today)
        refusals = self._refusals(live, stood, desired, comparison, broken)
        old, new = (EMPTY if one is None else one.offer for one in (stood, desired))
        wrong, unsure = claim_refusals(
            self.api, self.namespace, claims_granted(old.by_name if stood is not None else None, new.by_name)
        )
        refusals += wrong
        notes = (*notes, *unsure)
        if refusals:
            return self._refused(refusals)
        if broken:
            notes = (*notes, f"The profiles that stood could not be compared: {broken}")
        return Plan((*effects_of(comparison, self.namespace), change), unreconcilable, notes)

    def _compared(self, stood: Optional[Profiles], desired: Optional[Profiles], today: date) -> Comparison:
        """Compare what profiles offer, before and after, as of a day."""
        home, roots = self.params["home_path"], self.params["mount_roots"]
        new = EMPTY if desired is None else carried(desired, today, home, roots)
        old = None if stood is None else carried(stood, today, home, roots, new.by_name)
        causes = dict(self.causes)
        for name, share in self.acl.by_name.items():
            why = unfit(share, home, roots)
            if why:
                causes[name] = why
        return compare(old, new, today, causes)

    def apply_plan(self, plan: Plan, live: Optional[Stored], check_mode: bool) -> Outcome:
        """Carry the plan out; when somebody else writes meanwhile, plan anew over that, guards included."""
        warnings = []
        if plan.changed or live is None:
            missing = check_namespace(self.api, self.namespace, check_mode)
            if missing:
                return Outcome(plan, warnings=[missing])
        if check_mode:
            warnings = self._quota_warnings(plan)
            plan = replace(plan, changes=tuple(replace(change, operations=triable(change)) for change in plan.changes))
        latest = [plan]

        def again(change: Change) -> Change:
            latest[0] = self.plan(self.read())
            if latest[0].refusals:
                return replace(
                    change, action=REFUSE, reason="; ".join(one.reason for one in latest[0].refusals), operations=()
                )
            return next(one for one in latest[0].changes if not one.effect)

        outcome = apply_plan(self.api, plan, again, check_mode)
        done = [change for change in outcome.plan.changes if change.operations]
        source = latest[0] if latest[0].changed else plan
        effects = [change for change in source.changes if change.effect] if done else []
        kept = [change for change in outcome.plan.changes if not change.effect]
        outcome.plan = replace(outcome.plan, changes=(*effects, *kept))
        outcome.warnings += warnings
        return outcome

    def _refused(self, reasons: Sequence[str]) -> Plan:
        return Plan(tuple(Change(REFUSE, PROFILES, self.namespace, NAME, reason) for reason in reasons))

    def _refusals(
        self,
        live: Optional[Stored],
        stood: Optional[Profiles],
        desired: Optional[Profiles],
        comparison: Comparison,
        broken: str,
    ) -> list[str]:
        most = self.params["max_withdrawals"]
        if broken and most >= 0:
            return [
                f"The profiles that stand cannot be compared ({broken}), so nobody can say what would be withdrawn: set "
                "`max_withdrawals: -1` to go ahead without that comparison"
            ]
        if desired is None:
            return list(withdrawn(comparison, most))
        # By the shares as the ACL has them: levels and groups are nowhere else.
        levels = None
        unsure: list[str] = []
        if live is not None:
            try:
                levels = shares_of(live)
            except AccessError:
                unsure = unknown_levels(self.acl, self.params["declassify"])
        return unsure + guard(
            None if stood is None else stood.shares,
            self.acl,
            comparison,
            known=self.known,
            levels=levels,
            **consents(self.params),
        )

    def _quota_warnings(self, plan: Plan) -> list[str]:
        change = next((one for one in plan.changes if not one.effect), None)
        if change is None or not change.operations:
            return []
        try:
            quotas = self.api.list_all(QUOTAS, self.namespace, quota_from)
        except ApiError as error:
            return [f"Whether a ResourceQuota allows the plan is not known: {error}"]
        return quota_warnings(Publication((), change), quotas)


def _standing(live: Optional[Stored]) -> tuple[Optional[Profiles], str]:
    """Return the profiles that stand (None: there are none, or none that can be read), and what is wrong with them."""
    if live is None:
        return None, ""
    try:
        return standing(live), ""
    except AccessError as error:
        return None, str(error)
