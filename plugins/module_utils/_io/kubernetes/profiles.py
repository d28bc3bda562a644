# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`share_acl` with `format: jsp`: the profiles of classic Open Data Hub that express an ACL, in one ConfigMap."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Optional

from ..._core.access.diff import NO_CHANGE, Comparison, as_data, compare
from ..._core.access.granted_claims import left_out_before
from ..._core.access.guards import Proposal, Rejection, excess_withdrawals, guard
from ..._core.access.jsp_config_map import (
    comparable_acl,
    foreign_error,
    hub_group_errors,
    plan_profiles,
    plan_profiles_deletion,
    profiles_from,
)
from ..._core.access.jsp_profiles import WARNING, profiles_of, unsupported_reason
from ..._core.access.model import EMPTY
from ..._core.access.observed import ConfigMap, earlier_levels
from ..._core.access.publish import Publication, PublishSettings, effects_of
from ..._core.access.published_profiles import (
    NAME,
    PROFILES,
    Profiles,
    is_our_publication,
    is_ours,
    levels_of,
    published_profiles,
)
from ..._core.metadata import ABSENT
from ..._core.outcome import Outcome
from ..._core.plan import KEEP, REFUSE, Change, Plan, Unreconcilable
from ..._hub.acl_format import AccessError
from ..module import PlanRejected, finish, timings_result
from .acl import WRITER, consent_of, consents_needed, operations_to_try, warnings_of_quotas
from .acl_inputs import AclInputs, Granted, Intended, guarded_comparison
from .acl_reader import AclReader
from .api import Api
from .apply import apply_plan
from .facts import check_namespace


def manage_profiles(module: Any, api: Api, inputs: AclInputs, timings: Mapping[str, float]) -> dict[str, Any]:
    """Publish the profiles that the options describe, or, in check mode, preview this."""
    params = module.params
    publisher = ProfilesPublisher(api, params, inputs)
    started = time.monotonic()
    observed = publisher.read()
    plan = publisher.plan(observed)
    planned = time.monotonic()
    if plan.refusals:
        rejected = PlanRejected([change.reason for change in plan.refusals], plan)
        rejected.more["access"] = as_data(publisher.comparison)
        rejected.more["needs_consent"] = consents_needed(publisher.rejections)
        raise rejected
    outcome = publisher.apply(plan, observed, module.check_mode, module.allows_missing)
    phases = {**timings, "plan": planned - started, "write": time.monotonic() - planned}
    return finish(module, outcome, PROFILES, access=as_data(publisher.comparison), **timings_result(phases))


@dataclass(frozen=True)
class _Published:
    """The published profiles (None if there are none, or none that are readable), and what is wrong with them.

    `is_ours` is whether a run of this collection published them as they are.
    """

    profiles: Optional[Profiles]
    damage: str = ""
    is_ours: bool = True

    @classmethod
    def of(cls, observed: Optional[ConfigMap], namespace: str) -> _Published:
        if observed is None:
            return cls(None)
        try:
            return cls(published_profiles(observed), is_ours=is_our_publication(observed, namespace))
        except AccessError as error:
            return cls(None, str(error), False)


class ProfilesPublisher:
    """Publishes or deletes the profiles of one namespace."""

    def __init__(self, api: Api, params: dict[str, Any], inputs: AclInputs) -> None:
        self.api = api
        self.params = params
        #: That of the hub, which reads the profiles. Claims are in the namespace of the servers.
        self.namespace: str = params["profiles_namespace"] or params["namespace"]
        self.inputs = inputs
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
        published = _Published.of(observed, self.namespace)
        if self.params["state"] == ABSENT:
            change = plan_profiles_deletion(observed, settings)
            comparison = self.comparison = self._compare(published.profiles, None, Intended(EMPTY), today)
            counted = comparison if published.is_ours else NO_CHANGE
            rejections = list(excess_withdrawals(counted, self.params["max_withdrawals"]))
            return self._planned(change, comparison, rejections, ())
        intended = self.inputs.intend(self._granted(observed, published), today)
        errors = hub_group_errors(intended.acl, today)
        omitted: list[str] = []
        desired = None
        try:
            text, omitted = profiles_of(intended.acl, today, self.params["home_path"], self.params["mount_roots"])
            desired = replace(profiles_from(text, intended.acl), left_out=intended.left_out)
        except ValueError as error:
            if self.inputs.leave_out_largest_group(str(error)):
                return self.plan(observed)
            errors.append(str(error))
        if errors or desired is None:
            return self._reject([Rejection(error) for error in errors])
        change = plan_profiles(observed, desired, settings)
        unreconcilable = tuple(Unreconcilable(PROFILES, self.namespace, NAME, sentence) for sentence in omitted)
        base = Plan((), (*unreconcilable, *intended.unreconcilable), (WARNING,))
        if not change.operations and not intended.rejections:
            return replace(base, changes=(change,))
        comparison = self.comparison = self._compare(published.profiles, desired, intended, today)
        rejections = [*self._guard(published, intended), *intended.rejections]
        notes = base.notes
        if published.damage:
            notes = (*notes, f"The published profiles could not be compared: {published.damage}")
        elif not published.is_ours:
            notes = (
                *notes,
                f"The published profiles (ConfigMap {NAME}) are not what a run of this collection published: somebody changed "
                "them, or an older version wrote them. Those of the inventory replace them, and `max_withdrawals` holds nothing "
                f"back this time. Check who may write ConfigMaps in namespace {self.namespace}",
            )
        return replace(self._planned(change, comparison, rejections, notes), unreconcilable=base.unreconcilable)

    def _planned(
        self, change: Change, comparison: Comparison, rejections: list[Rejection], notes: tuple[str, ...]
    ) -> Plan:
        if rejections:
            return self._reject(rejections)
        effects = effects_of(comparison, self.namespace) if change.operations else ()
        return Plan((*effects, change), (), notes)

    def _granted(self, observed: Optional[ConfigMap], published: _Published) -> Granted:
        """Return what is granted before the run. Levels of an access list count if there are no profiles yet."""
        shares = None if published.profiles is None else published.profiles.granted
        earlier = levels_of(observed, self.namespace)
        if observed is None:
            namespace = self.params["namespace"]
            earlier = earlier_levels(AclReader(self.api, namespace).observe(), namespace)
        return Granted(
            in_force=shares,
            baseline=shares if published.is_ours else None,
            left_out=left_out_before(observed),
            earlier=earlier,
            is_tampered=not published.is_ours,
        )

    def _compare(
        self, published: Optional[Profiles], desired: Optional[Profiles], intended: Intended, today: date
    ) -> Comparison:
        """Compare what published and desired profiles offer on a day."""
        home, roots = self.params["home_path"], self.params["mount_roots"]
        new = EMPTY if desired is None else comparable_acl(desired, home, roots)
        old = None if published is None else comparable_acl(published, home, roots, new.by_name)
        causes = dict(intended.causes)
        for name, share in intended.acl.by_name.items():
            reason = unsupported_reason(share, home, roots)
            if reason:
                causes[name] = reason
        return compare(old, new, today, causes)

    def apply(self, plan: Plan, observed: Optional[ConfigMap], check_mode: bool, allows_missing: bool) -> Outcome:
        """Apply the plan. When something else writes in the meantime, plan again, with all guards.

        `allows_missing` is whether an earlier task may create the namespace.
        """
        warnings = []
        if plan.changed or observed is None:
            missing = check_namespace(self.api, self.namespace, allows_missing)
            if missing:
                return Outcome(plan, warnings=[missing], missing=[self.namespace])
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
            kept = replace(change, action=KEEP, reason="it does not belong to this collection", operations=())
            return next((one for one in latest[0].changes if not one.effect), kept)

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

    def _guard(self, published: _Published, intended: Intended) -> list[Rejection]:
        """Return why guards hold the plan back. Profiles have no levels and groups: the shares have the form of the ACL."""
        consent = consent_of(self.params)
        known = self.inputs.known
        if published.profiles is None or not published.is_ours:
            return guard(Proposal(None, intended.acl, NO_CHANGE, known), consent)
        old = intended.guarded(published.profiles.shares)
        comparison = guarded_comparison(self.comparison, intended)
        return guard(Proposal(old, intended.acl, comparison, known, self.inputs.compile().by_name), consent)

    def _quota_warnings(self, plan: Plan) -> list[str]:
        change = next((one for one in plan.changes if not one.effect), None)
        if change is None or not change.operations:
            return []
        return warnings_of_quotas(self.api, self.namespace, Publication((), change))
