# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `share_acl`: from its options to its result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Optional

from ..._core.access.compile import AclDocument, compile_acl, document_of, reasons_left_out
from ..._core.access.diff import NO_CHANGE, as_data, compare
from ..._core.access.guards import Proposal, Rejection, excess_withdrawals, guard, unknown_levels
from ..._core.access.model import EMPTY, Acl
from ..._core.access.observed import ObservedAcl, PublishedAcl, published_acl
from ..._core.access.publish import PublishSettings, effects_of, is_published, plan_deletion, plan_publication
from ..._core.access.repair import Replacement, damage_rejections, schema_error
from ..._core.metadata import ABSENT, NAMESPACE, PRESENT
from ..._core.shares.spec import ShareSpec, undefined_groups
from ..._core.text import nearest, quote_list
from ..kubernetes.acl import AclPublisher, Planned, consent_of
from ..kubernetes.api import Api
from ..kubernetes.connection import argument_spec as connection_spec
from ..kubernetes.granted_claims import claim_refusals, claims_granted
from ..kubernetes.openshift_groups import groups_in_use, members_of_groups
from ..module import PlanRejected, finish, open_api, timings_result
from ..options.shares import GROUPS_SPEC, SHARES_SPEC, groups_of, shares_given, shares_of

ACL = "acl"
JSP = "jsp"


def argument_spec() -> dict[str, Any]:
    """Return the options of `share_acl`."""
    return {
        **connection_spec(),
        **SHARES_SPEC,
        **GROUPS_SPEC,
        "namespace": {"type": "str", "required": True},
        "state": {"type": "str", "default": PRESENT, "choices": [PRESENT, ABSENT]},
        "format": {"type": "str", "default": ACL, "choices": [ACL, JSP]},
        "max_withdrawals": {"type": "int", "default": 50},
        "allow_empty": {"type": "bool", "default": False},
        "declassify": {"type": "list", "elements": "str", "default": []},
        "allow_source_change": {"type": "list", "elements": "str", "default": []},
    }


def manage_acl(module: Any) -> dict[str, Any]:
    """Publish the ACL that the options describe, or, in check mode, preview this."""
    params = module.params
    started = time.monotonic()
    shares, groups = _input(params)
    parsed = time.monotonic()
    api = open_api(module)
    if params["state"] == PRESENT:
        groups.update(members_of_groups(api.connection, groups_in_use(shares)))
    read = time.monotonic()
    timings = {"input": parsed - started, "groups": read - parsed}
    if params["format"] == JSP:
        from ..kubernetes.profiles import manage_profiles

        return manage_profiles(module, api, shares, groups, timings)
    acl, desired = _compile(params, shares, groups)
    timings["compile"] = time.monotonic() - read
    publisher = AclPublisher(api, params["namespace"], desired, module.check_mode)
    planner = Planner(api, params, shares, acl, desired)
    try:
        outcome = publisher.run(planner)
    except PlanRejected as rejected:
        # The sentences name only some people.
        rejected.more["access"] = as_data(planner.comparison)
        raise
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
    if not NAMESPACE.match(params["namespace"]):
        errors.append(
            f"namespace {params['namespace']!r} is not a valid name of a namespace: use at most 63 lower-case letters, digits "
            "and '-'"
        )
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


def _compile(
    params: dict[str, Any], shares: Sequence[ShareSpec], groups: dict[str, Sequence[str]]
) -> tuple[Acl, Optional[AclDocument]]:
    if params["state"] == ABSENT:
        return EMPTY, None
    acl = compile_acl(shares, groups, params["namespace"])
    try:
        return acl, document_of(acl)
    except ValueError as error:
        raise PlanRejected([str(error)]) from error


class Planner:
    """Plans the publication of an ACL, or its deletion, against the observed one, with all guards."""

    def __init__(
        self, api: Api, params: dict[str, Any], shares: Sequence[ShareSpec], acl: Acl, desired: Optional[AclDocument]
    ) -> None:
        self.api = api
        self.consent = consent_of(params)
        self.known = [share.name for share in shares]
        self.causes = reasons_left_out(shares, params["namespace"])
        self.misspelt = _misspelt_namespaces(shares, params["namespace"])
        self.acl = acl
        self.desired = desired
        #: The changes of access in the last plan.
        self.comparison = NO_CHANGE

    def __call__(self, observed: ObservedAcl, settings: PublishSettings) -> Planned:
        """Return the plan against the observed ACL."""
        today = settings.now.date()
        newer = schema_error(observed)
        if newer:
            return Planned(plan_deletion(ObservedAcl(), settings), (Rejection(newer),))
        if self.desired is not None and is_published(observed, self.desired):
            comparison = self.comparison = compare(self.acl, self.acl, today)
            notes = (*comparison.notes, *self.misspelt)
            return Planned(plan_publication(observed, self.desired, settings), notes=notes)
        published = published_acl(observed)
        old = published.acl if observed.index is not None else None
        comparison = self.comparison = compare(old, self.acl, today, self.causes)
        rejections = self._guard(observed, published)
        effects = () if old is None and self.desired is None else effects_of(comparison, settings.namespace)
        if self.desired is None:
            publication = plan_deletion(observed, settings, effects)
        else:
            publication = plan_publication(observed, self.desired, settings, effects)
        claims = claims_granted(None if old is None else old.by_name, self.acl.by_name)
        wrong, unsure = claim_refusals(self.api, settings.namespace, claims)
        rejections += [Rejection(sentence) for sentence in wrong]
        notes = (*comparison.notes, *self.misspelt, *unsure)
        if published.errors and not rejections:
            notes = (*notes, _damage(published))
        return Planned(publication, tuple(rejections), notes)

    def _guard(self, observed: ObservedAcl, published: PublishedAcl) -> list[Rejection]:
        digest = "" if self.desired is None else self.desired.digest
        is_emptied = self.desired is not None and not self.acl.by_name and not self.consent.allow_empty
        replacement = Replacement(observed, published, digest, is_emptied)
        rejections = damage_rejections(replacement, self.consent.max_withdrawals)
        if self.desired is None:
            return [*rejections, *excess_withdrawals(self.comparison, self.consent.max_withdrawals)]
        if published.levels is None and not replacement.is_repair:
            rejections += unknown_levels(self.acl, self.consent.declassify)
        old = published.acl if observed.index is not None else None
        # A repair lowers no level, however much of the damaged ACL is readable.
        levels = None if replacement.is_repair else published.levels
        return rejections + guard(Proposal(old, self.acl, self.comparison, self.known, levels), self.consent)


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


def _damage(published: PublishedAcl) -> str:
    return (
        f"{published.title} was damaged ({quote_list(published.errors, 3)}): people whom this concerned got no shares. Changes "
        "and guards consider only the readable parts"
    )
