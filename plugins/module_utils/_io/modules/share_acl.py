# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `share_acl`: from its options to its result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Optional

from ..._core.access.baseline import Baseline, baseline_of
from ..._core.access.compile import AclDocument, document_of
from ..._core.access.diff import NO_CHANGE, as_data, compare
from ..._core.access.granted_claims import left_out_before
from ..._core.access.guards import Proposal, Rejection, excess_withdrawals, guard
from ..._core.access.model import EMPTY, Acl
from ..._core.access.observed import ObservedAcl, earlier_levels, published_acl
from ..._core.access.publish import PublishSettings, effects_of, is_published, plan_deletion, plan_publication
from ..._core.access.published_profiles import NAME as PROFILES_NAME
from ..._core.access.published_profiles import levels_of
from ..._core.access.repair import damage_note, damaged, schema_error
from ..._core.metadata import ABSENT, NAMESPACE, PRESENT
from ..._core.shares.spec import ShareSpec, undefined_groups
from ..._core.text import nearest, quote_list
from ..._hub.acl_format import INDEX_NAME
from ..kubernetes.acl import AclPublisher, Planned, consent_of
from ..kubernetes.acl_inputs import AclInputs, Granted, Groups, Intended, guarded_comparison
from ..kubernetes.acl_reader import AclReader
from ..kubernetes.api import Api
from ..kubernetes.openshift_groups import groups_in_use, readable_members
from ..module import PlanRejected, finish, open_api, timings_result
from ..options.connection import argument_spec as connection_spec
from ..options.result import RESULT_SPEC
from ..options.shares import GROUPS_SPEC, SHARES_SPEC, groups_of, shares_given, shares_of

ACL = "acl"
JSP = "jsp"


def argument_spec() -> dict[str, Any]:
    """Return the options of `share_acl`."""
    return {
        **connection_spec(),
        **SHARES_SPEC,
        **RESULT_SPEC,
        **GROUPS_SPEC,
        "namespace": {"type": "str", "required": True},
        "state": {"type": "str", "default": PRESENT, "choices": [PRESENT, ABSENT]},
        "format": {"type": "str", "default": ACL, "choices": [ACL, JSP]},
        "profiles_namespace": {"type": "str"},
        "max_withdrawals": {"type": "int", "default": 50},
        "allow_empty": {"type": "bool", "default": False},
        "declassify": {"type": "list", "elements": "str", "default": []},
        "allow_source_change": {"type": "list", "elements": "str", "default": []},
        "volumes_results": {"type": "list", "elements": "dict", "default": []},
    }


def manage_acl(module: Any) -> dict[str, Any]:
    """Publish the ACL that the options describe, or, in check mode, preview this."""
    params = module.params
    started = time.monotonic()
    shares, groups = _input(params)
    parsed = time.monotonic()
    api = open_api(module)
    members: dict[str, Sequence[str]] = {}
    unreadable: dict[str, str] = {}
    if params["state"] == PRESENT:
        members, unreadable = readable_members(api.connection, groups_in_use(shares))
    inputs = AclInputs(api, params, shares, Groups({**groups, **members}, unreadable))
    read = time.monotonic()
    timings = {"input": parsed - started, "groups": read - parsed}
    if params["format"] == JSP:
        from ..kubernetes.profiles import manage_profiles

        return manage_profiles(module, api, inputs, timings)
    compiled = compiled_document(params, inputs)
    timings["compile"] = time.monotonic() - read
    publisher = AclPublisher(api, params["namespace"], module.check_mode, module.allows_missing)
    planner = Planner(api, params, inputs, compiled)
    try:
        outcome = publisher.run(planner)
    except PlanRejected as rejected:
        # The sentences name only some people.
        rejected.more["access"] = as_data(planner.comparison)
        raise
    desired, acl = publisher.desired, planner.acl
    is_desired = publisher.digest == (desired.digest if desired is not None else "")
    result = {
        "digest": publisher.digest,
        "shares": len(acl.by_name) if is_desired else None,
        "people": len(acl.people) if is_desired else None,
        "parts": (len(desired.parts) if desired is not None else 0) if is_desired else None,
        "published": publisher.published_at,
    }
    access = as_data(planner.comparison)
    return finish(module, outcome, "acl", acl=result, access=access, **timings_result({**timings, **publisher.timings}))


def _input(params: dict[str, Any]) -> tuple[list[ShareSpec], dict[str, Sequence[str]]]:
    """Return the shares and the groups of the inventory. Raises PlanRejected with all errors of the options."""
    errors: list[str] = []
    for option in ("namespace", "profiles_namespace"):
        name = params[option]
        if name is not None and not NAMESPACE.match(name):
            errors.append(
                f"{option} {name!r} is not a valid name of a namespace: use at most 63 lower-case letters, digits and '-'"
            )
    if params["profiles_namespace"] and params["format"] != JSP:
        errors.append("`profiles_namespace` is set, but only `format: jsp` publishes profiles: remove it")
    if params["max_withdrawals"] < -1:
        errors.append(
            f"max_withdrawals is {params['max_withdrawals']}: set the number of grants that one run may withdraw, or -1 for no "
            "limit"
        )
    if params["state"] == PRESENT and not shares_given(params):
        errors.append("neither `shares` nor `shares_file` is set: list the shares, or set `state: absent`")
    shares = shares_of(params, errors, params["state"])
    group_errors: list[str] = []
    groups: dict[str, Sequence[str]] = dict(groups_of(params, group_errors))
    if not group_errors and params["state"] == PRESENT:
        group_errors = undefined_groups(shares, groups)
    if errors or group_errors:
        raise PlanRejected([*errors, *group_errors])
    return shares, groups


def compiled_document(params: dict[str, Any], inputs: AclInputs) -> Optional[AclDocument]:
    """Return the ACL with all shares, None to delete the ACL. Raises PlanRejected if it cannot be stored."""
    while params["state"] != ABSENT:
        try:
            return document_of(inputs.compile())
        except ValueError as error:
            if not inputs.leave_out_largest_group(str(error)):
                raise PlanRejected([str(error)]) from error
    return None


def _document(acl: Acl) -> AclDocument:
    try:
        return document_of(acl)
    except ValueError as error:
        raise PlanRejected([str(error)]) from error


class Planner:
    """Plans the publication of an ACL, or its deletion, against the observed one, with all guards."""

    def __init__(self, api: Api, params: dict[str, Any], inputs: AclInputs, compiled: Optional[AclDocument]) -> None:
        self.api = api
        self.consent = consent_of(params)
        self.namespace: str = params["namespace"]
        self.inputs = inputs
        self.misspelt = _misspelt_namespaces(inputs.shares, self.namespace)
        self._documents = [] if compiled is None else [(inputs.compile(), compiled)]
        self._is_deletion = compiled is None
        #: The ACL of the last plan, and its changes of access.
        self.acl = EMPTY
        self.comparison = NO_CHANGE

    def __call__(self, observed: ObservedAcl, settings: PublishSettings) -> Planned:
        """Return the plan against the observed ACL."""
        newer = schema_error(observed, self.namespace)
        if newer:
            return Planned(plan_deletion(ObservedAcl(), settings), (Rejection(newer),))
        published = published_acl(observed)
        in_force = published.acl if observed.index is not None else None
        if self._is_deletion:
            return self._plan_deletion(observed, settings, in_force)
        possible = [self._document_of(acl).digest for acl in self.inputs.possible()]
        baseline = baseline_of(observed, published, self.namespace, possible)
        known = baseline.acl
        if baseline.is_unchanged and known is None:
            known = self.inputs.compile()
        granted = Granted(
            in_force=in_force,
            baseline=known,
            left_out=left_out_before(observed.index),
            earlier=self._earlier(observed),
            is_tampered=baseline.is_tampered,
        )
        today = settings.now.date()
        intended = self.inputs.intend(granted, today)
        self.acl = intended.acl
        desired = replace(self._document_of(intended.acl), left_out=intended.left_out)
        if is_published(observed, desired) and not intended.rejections:
            comparison = self.comparison = compare(self.acl, self.acl, today)
            publication = plan_publication(observed, desired, settings)
            notes = (*comparison.notes, *self.misspelt)
            return Planned(publication, (), notes, desired, intended.unreconcilable)
        comparison = self.comparison = compare(in_force, self.acl, today, intended.causes)
        rejections = [*self._guard(baseline, in_force, intended, today), *intended.rejections]
        if published.errors and rejections:
            rejections[0] = rejections[0]._replace(sentence=damaged(published, rejections[0].sentence))
        note = damage_note(published, baseline, self.namespace)
        notes = (*comparison.notes, *self.misspelt, *([note] if note else []))
        publication = plan_publication(observed, desired, settings, effects_of(comparison, self.namespace))
        return Planned(publication, tuple(rejections), notes, desired, intended.unreconcilable)

    def _plan_deletion(self, observed: ObservedAcl, settings: PublishSettings, in_force: Optional[Acl]) -> Planned:
        comparison = self.comparison = compare(in_force, EMPTY, settings.now.date())
        baseline = baseline_of(observed, published_acl(observed), self.namespace, ())
        guarded = comparison
        if baseline.is_tampered:
            guarded = NO_CHANGE if baseline.acl is None else compare(baseline.acl, EMPTY, settings.now.date())
        rejections = tuple(excess_withdrawals(guarded, self.consent.max_withdrawals))
        effects = () if in_force is None else effects_of(comparison, self.namespace)
        notes = (*comparison.notes, *self.misspelt)
        if observed.is_name_taken:
            notes = (*notes, _foreign_index(self.namespace))
        return Planned(plan_deletion(observed, settings, effects), rejections, notes)

    def _document_of(self, acl: Acl) -> AclDocument:
        """Return the document of an ACL, which is made once."""
        for known, document in self._documents:
            if known is acl or known == acl:
                return document
        self._documents.append((acl, _document(acl)))
        return self._documents[-1][1]

    def _earlier(self, observed: ObservedAcl) -> dict[str, str]:
        """Return the levels of claims in earlier publications, also in the profiles if no ACL is published."""
        levels = earlier_levels(observed, self.namespace)
        if observed.index is None:
            profiles = AclReader(self.api, self.namespace).get(PROFILES_NAME)
            levels = {**levels_of(profiles, self.namespace), **levels}
        return levels

    def _guard(self, baseline: Baseline, in_force: Optional[Acl], intended: Intended, today: date) -> list[Rejection]:
        """Return why guards hold the plan back: by what the inventory takes from what our last publication granted."""
        if baseline.is_unchanged:
            return guard(Proposal(None, self.acl, NO_CHANGE, self.inputs.known), self.consent)
        old = intended.guarded(baseline.acl)
        if baseline.acl is in_force:
            comparison = guarded_comparison(self.comparison, intended)
        else:
            comparison = NO_CHANGE if old is None else compare(old, self.acl, today)
        declared = self.inputs.compile().by_name
        rejections = guard(Proposal(old, self.acl, comparison, self.inputs.known, declared), self.consent)
        is_unknown = baseline.is_tampered and not (baseline.acl or EMPTY).by_name
        if is_unknown and not declared and not self.consent.allow_empty:
            rejections.append(
                Rejection(
                    "the new ACL has no shares, and those of the last publication are unknown, because the published ACL is "
                    "damaged or was changed: list the shares, or set `allow_empty: true` to withdraw all",
                    "allow_empty",
                    True,
                )
            )
        return rejections


def _foreign_index(namespace: str) -> str:
    return (
        f"ConfigMap {INDEX_NAME} in namespace {namespace} exists and does not belong to this collection (it has no key "
        "index.json and none of our labels and annotations), so it grants nothing and is left unchanged: delete or rename it"
    )


def _misspelt_namespaces(shares: Sequence[ShareSpec], namespace: str) -> tuple[str, ...]:
    """Return warnings about shares whose `namespaces` have a name similar to this namespace.

    One list may have shares of several hubs, so other namespaces are no error.
    """
    return tuple(
        f"The share {share.name} is left out, because its `namespaces` ({quote_list(share.namespaces)}) do not include "
        f"{namespace}: did you mean {namespace} instead of {near}?"
        for share in shares
        if share.namespaces and namespace not in share.namespaces
        if (near := nearest(namespace, share.namespaces)) is not None
    )
