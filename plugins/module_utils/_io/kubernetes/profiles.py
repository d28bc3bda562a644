# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`share_acl` with `format: jsp`: the profiles of classic Open Data Hub that express an ACL, in one ConfigMap."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Optional

from ..._core.access.compile import compile_acl, reasons_left_out
from ..._core.access.diff import NO_CHANGE, Comparison, as_data, compare
from ..._core.access.guards import Proposal, Rejection, excess_withdrawals, guard, unknown_levels
from ..._core.access.jsp_config_map import (
    NAME,
    PROFILES,
    Profiles,
    comparable_acl,
    foreign_error,
    hub_group_errors,
    is_ours,
    plan_profiles,
    plan_profiles_deletion,
    profiles_from,
    published_profiles,
    shares_of,
)
from ..._core.access.jsp_profiles import WARNING, profiles_of, unsupported_reason
from ..._core.access.model import EMPTY, Acl
from ..._core.access.observed import ConfigMap
from ..._core.access.publish import Publication, PublishSettings, effects_of
from ..._core.metadata import ABSENT
from ..._core.outcome import Outcome
from ..._core.plan import REFUSE, Change, Plan, Unreconcilable
from ..._core.shares.spec import ShareSpec
from ..._hub.acl_format import AccessError
from ..module import PlanRejected, finish, timings_result
from .acl import WRITER, consent_of, consents_needed, operations_to_try, warnings_of_quotas
from .acl_reader import AclReader
from .api import Api
from .apply import apply_plan
from .facts import check_namespace
from .granted_claims import claim_refusals, claims_granted


def manage_profiles(
    module: Any,
    api: Api,
    shares: Sequence[ShareSpec],
    groups: Mapping[str, Sequence[str]],
    timings: Mapping[str, float],
) -> dict[str, Any]:
    """Publish the profiles that the options describe, or, in check mode, preview this."""
    params = module.params
    publisher = ProfilesPublisher(api, params, shares, compile_acl(shares, groups, params["namespace"]))
    started = time.monotonic()
    observed = publisher.read()
    plan = publisher.plan(observed)
    planned = time.monotonic()
    if plan.refusals:
        rejected = PlanRejected([change.reason for change in plan.refusals], plan)
        rejected.more["access"] = as_data(publisher.comparison)
        rejected.more["needs_consent"] = consents_needed(publisher.rejections)
        raise rejected
    outcome = publisher.apply(plan, observed, module.check_mode)
    phases = {**timings, "plan": planned - started, "write": time.monotonic() - planned}
    return finish(module, outcome, PROFILES, access=as_data(publisher.comparison), **timings_result(phases))


@dataclass(frozen=True)
class _Published:
    """The published profiles (None if there are none, or none that are readable), and what is wrong with them."""

    profiles: Optional[Profiles]
    damage: str = ""

    @classmethod
    def of(cls, observed: Optional[ConfigMap]) -> _Published:
        if observed is None:
            return cls(None)
        try:
            return cls(published_profiles(observed))
        except AccessError as error:
            return cls(None, str(error))


class ProfilesPublisher:
    """Publishes or deletes the profiles of one namespace."""

    def __init__(self, api: Api, params: dict[str, Any], shares: Sequence[ShareSpec], acl: Acl) -> None:
        self.api = api
        self.params = params
        self.namespace: str = params["namespace"]
        self.known = [share.name for share in shares]
        self.causes = reasons_left_out(shares, self.namespace)
        self.acl = acl
        #: The changes of access and the rejections of the last plan.
        self.comparison = NO_CHANGE
        self.rejections: list[Rejection] = []

    def read(self) -> Optional[ConfigMap]:
        """Return the ConfigMap, or None if it does not exist."""
        return AclReader(self.api, self.namespace).get(NAME)

    def plan(self, observed: Optional[ConfigMap]) -> Plan:
        """Return the plan: the changes of access and of the ConfigMap, or the rejections."""
        settings = PublishSettings(self.namespace, WRITER, self.api.now())
        if observed is not None and not is_ours(observed):
            if self.params["state"] == ABSENT:
                return Plan(notes=(f"{foreign_error(self.namespace)}; it is left unchanged",))
            return self._reject([Rejection(foreign_error(self.namespace))])
        today = settings.now.date()
        omitted: list[str] = []
        desired = None
        if self.params["state"] == ABSENT:
            change = plan_profiles_deletion(observed, settings)
        else:
            errors = hub_group_errors(self.acl, today)
            try:
                text, omitted = profiles_of(self.acl, today, self.params["home_path"], self.params["mount_roots"])
                desired = profiles_from(text, self.acl)
            except ValueError as error:
                errors.append(str(error))
            if errors or desired is None:
                return self._reject([Rejection(error) for error in errors])
            change = plan_profiles(observed, desired, settings)
        notes = (WARNING,) if desired is not None else ()
        unreconcilable = tuple(Unreconcilable(PROFILES, self.namespace, NAME, sentence) for sentence in omitted)
        if not change.operations:
            return Plan((change,), unreconcilable, notes)
        published = _Published.of(observed)
        comparison = self.comparison = self._compare(published.profiles, desired, today)
        rejections = self._guard(observed, published, desired)
        old, new = (EMPTY if one is None else one.offer for one in (published.profiles, desired))
        wrong, unsure = claim_refusals(
            self.api, self.namespace, claims_granted(old.by_name if published.profiles else None, new.by_name)
        )
        rejections += [Rejection(sentence) for sentence in wrong]
        notes = (*notes, *unsure)
        if rejections:
            return self._reject(rejections)
        if published.damage:
            notes = (*notes, f"The published profiles could not be compared: {published.damage}")
        return Plan((*effects_of(comparison, self.namespace), change), unreconcilable, notes)

    def _compare(self, published: Optional[Profiles], desired: Optional[Profiles], today: date) -> Comparison:
        """Compare what published and desired profiles offer on a day."""
        home, roots = self.params["home_path"], self.params["mount_roots"]
        new = EMPTY if desired is None else comparable_acl(desired, home, roots)
        old = None if published is None else comparable_acl(published, home, roots, new.by_name)
        causes = dict(self.causes)
        for name, share in self.acl.by_name.items():
            reason = unsupported_reason(share, home, roots)
            if reason:
                causes[name] = reason
        return compare(old, new, today, causes)

    def apply(self, plan: Plan, observed: Optional[ConfigMap], check_mode: bool) -> Outcome:
        """Apply the plan. When something else writes in the meantime, plan again, with all guards."""
        warnings = []
        if plan.changed or observed is None:
            missing = check_namespace(self.api, self.namespace, check_mode)
            if missing:
                return Outcome(plan, warnings=[missing])
        if check_mode:
            warnings = self._quota_warnings(plan)
            tried = tuple(replace(change, operations=operations_to_try(change)) for change in plan.changes)
            plan = replace(plan, changes=tried)
        latest = [plan]

        def plan_again(change: Change) -> Change:
            latest[0] = self.plan(self.read())
            if latest[0].refusals:
                reasons = "; ".join(one.reason for one in latest[0].refusals)
                return replace(change, action=REFUSE, reason=reasons, operations=())
            return next(one for one in latest[0].changes if not one.effect)

        outcome = apply_plan(self.api, plan, plan_again, check_mode)
        done = [change for change in outcome.plan.changes if change.operations]
        source = latest[0] if latest[0].changed else plan
        effects = [change for change in source.changes if change.effect] if done else []
        kept = [change for change in outcome.plan.changes if not change.effect]
        outcome.plan = replace(outcome.plan, changes=(*effects, *kept))
        outcome.warnings += warnings
        return outcome

    def _reject(self, rejections: list[Rejection]) -> Plan:
        self.rejections = rejections
        return Plan(tuple(Change(REFUSE, PROFILES, self.namespace, NAME, one.sentence) for one in rejections))

    def _guard(
        self, observed: Optional[ConfigMap], published: _Published, desired: Optional[Profiles]
    ) -> list[Rejection]:
        consent = consent_of(self.params)
        if published.damage and consent.max_withdrawals >= 0:
            sentence = (
                f"The published profiles are damaged ({published.damage}), so the withdrawals are unknown: set "
                "`max_withdrawals: -1` to proceed without a comparison"
            )
            return [Rejection(sentence, "max_withdrawals", -1)]
        if desired is None:
            return list(excess_withdrawals(self.comparison, consent.max_withdrawals))
        # Profiles have no levels and groups: compare the shares in the form of the ACL.
        levels = None
        unreadable: list[Rejection] = []
        if observed is not None:
            try:
                levels = shares_of(observed)
            except AccessError:
                unreadable = unknown_levels(self.acl, consent.declassify)
        old = None if published.profiles is None else published.profiles.shares
        return unreadable + guard(Proposal(old, self.acl, self.comparison, self.known, levels), consent)

    def _quota_warnings(self, plan: Plan) -> list[str]:
        change = next((one for one in plan.changes if not one.effect), None)
        if change is None or not change.operations:
            return []
        return warnings_of_quotas(self.api, self.namespace, Publication((), change))
