# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `share_acl` does, from options to result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Optional

from ..._core.access.compile import Document, compile_acl, document_of, left_out
from ..._core.access.diff import NO_CHANGE, Comparison, as_data, compare
from ..._core.access.guards import guard, unknown_levels, withdrawn
from ..._core.access.model import EMPTY, Acl
from ..._core.access.observed import ObservedAcl, PublishedAcl, published_acl
from ..._core.access.publish import (
    PublishSettings,
    effects_of,
    is_repair,
    plan_deletion,
    plan_publication,
    refusals_over_broken,
    schema_refusal,
    stands,
)
from ..._core.metadata import ABSENT, NAMESPACE, PRESENT, RETIRED
from ..._core.shares.groups import OPENSHIFT, named_groups, source_of, undefined_groups
from ..._core.shares.spec import ShareSpec
from ..._core.text import nearest, quote_list
from ..kubernetes.acl import AclRun, Planned, consents
from ..kubernetes.api import Api
from ..kubernetes.connection import argument_spec as connection_spec
from ..kubernetes.granted_claims import claim_refusals, claims_granted
from ..kubernetes.openshift_groups import read_members
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
    """Bring the ACL of a namespace to what the options ask for, or, in check mode, show what that would take."""
    params = module.params
    started = time.monotonic()
    shares, groups = _input(params)
    parsed = time.monotonic()
    api = open_api(module)
    if params["state"] == PRESENT:
        groups.update(_members_of_openshift_groups(api, shares))
    asked = time.monotonic()
    timings = {"input": parsed - started, "groups": asked - parsed}
    if params["format"] == JSP:
        from ..kubernetes.profiles import manage_profiles

        return manage_profiles(module, api, shares, groups, timings)
    acl, desired = _compiled(params, shares, groups)
    timings["compile"] = time.monotonic() - asked
    run = AclRun(api, params["namespace"], desired, module.check_mode)
    planner = Planner(api, params, shares, acl, desired)
    try:
        outcome = run.run(planner)
    except PlanRejected as refused:
        # Its sentences name a few people.
        refused.more["access"] = as_data(planner.comparison)
        raise
    is_complete = run.digest == (desired.digest if desired is not None else "")
    result = {
        "digest": run.digest,
        "shares": len(acl.by_name) if is_complete else None,
        "people": len(acl.people) if is_complete else None,
        "parts": (len(desired.parts) if desired is not None else 0) if is_complete else None,
        "published": run.published,
    }
    access = as_data(planner.comparison)
    return finish(module, outcome, "acl", acl=result, access=access, **timings_result({**timings, **run.timings}))


def _input(params: dict[str, Any]) -> tuple[list[ShareSpec], dict[str, Sequence[str]]]:
    """Return the shares and the inventory's groups. Raises Refused with everything that is wrong with the options."""
    errors: list[str] = []
    if not NAMESPACE.match(params["namespace"]):
        errors.append(
            f"namespace {params['namespace']!r} is no name of a namespace: write lower-case letters, digits and '-', at most 63"
        )
    if params["max_withdrawals"] < -1:
        errors.append(
            f"max_withdrawals is {params['max_withdrawals']}: write how many grants one run may withdraw, or -1 for no bound"
        )
    if params["state"] == PRESENT and not shares_given(params):
        errors.append("neither `shares` nor `shares_file` is given: list the shares, or set `state: absent`")
    shares = shares_of(params, errors, params["state"])
    wrong: list[str] = []
    groups: dict[str, Sequence[str]] = dict(groups_of(params, wrong))
    if not wrong and params["state"] == PRESENT:
        wrong = undefined_groups(shares, groups)
    if errors or wrong:
        raise PlanRejected([*errors, *wrong])
    return shares, groups


def _members_of_openshift_groups(api: Api, shares: Sequence[ShareSpec]) -> dict[str, Sequence[str]]:
    """Return the members of the cluster's Groups that shares name. Raises Refused for those that cannot be read."""
    named = named_groups(share for share in shares if share.state not in (RETIRED, ABSENT))
    names = [group[len(OPENSHIFT) :] for group in named if source_of(group) == "openshift"]
    if not names:
        return {}
    errors: list[str] = []
    members = read_members(api.connection, names, errors)
    if errors:
        raise PlanRejected(errors)
    return {OPENSHIFT + name: users for name, users in members.items()}


def _compiled(
    params: dict[str, Any], shares: Sequence[ShareSpec], groups: dict[str, Sequence[str]]
) -> tuple[Acl, Optional[Document]]:
    if params["state"] == ABSENT:
        return EMPTY, None
    acl = compile_acl(shares, groups, params["namespace"])
    try:
        return acl, document_of(acl)
    except ValueError as error:
        raise PlanRejected([str(error)]) from error


class Planner:
    """From what is live to a publication, or a removal, and what speaks against it."""

    def __init__(
        self, api: Api, params: dict[str, Any], shares: Sequence[ShareSpec], acl: Acl, desired: Optional[Document]
    ) -> None:
        self.api = api
        self.params = params
        self.known = [share.name for share in shares]
        here: str = params["namespace"]
        self.causes = left_out(shares, here)
        elsewhere = [share for share in shares if share.namespaces and here not in share.namespaces]
        # Shares of other hubs may well be in one list with this one's; what looks like a slip of the pen is told.
        self.slips = tuple(
            f"The share {share.name} is left out, for its `namespaces` ({quote_list(share.namespaces)}) do not have {here}: is "
            f"{near} meant to be {here}?"
            for share in elsewhere
            if (near := nearest(here, share.namespaces)) is not None
        )
        self.acl = acl
        self.desired = desired
        #: What becomes different for people, as of the last planning.
        self.comparison = NO_CHANGE

    def __call__(self, live: ObservedAcl, settings: PublishSettings) -> Planned:
        """Plan against what is live now."""
        today = settings.now.date()
        namespace = settings.namespace
        newer = schema_refusal(live)
        if newer:
            return Planned(plan_deletion(ObservedAcl(), settings), (newer,))
        if self.desired is not None and stands(live, self.desired):
            comparison = self.comparison = compare(self.acl, self.acl, today)
            notes = (*comparison.notes, *self.slips)
            return Planned(plan_publication(live, self.desired, settings), notes=notes)
        standing = published_acl(live)
        comparison = self.comparison = compare(
            standing.acl if live.index is not None else None, self.acl, today, self.causes
        )
        refusals = self._refusals(live, standing, comparison)
        effects = effects_of(comparison, namespace) if live.index is not None or self.desired is not None else ()
        if self.desired is None:
            publication = plan_deletion(live, settings, effects)
        else:
            publication = plan_publication(live, self.desired, settings, effects)
        old = standing.acl.by_name if live.index is not None else None
        wrong, unsure = claim_refusals(self.api, namespace, claims_granted(old, self.acl.by_name))
        refusals += wrong
        notes = (*comparison.notes, *self.slips, *unsure)
        if standing.errors and not refusals:
            notes = (*notes, _broken(standing))
        return Planned(publication, tuple(refusals), notes)

    def _refusals(self, live: ObservedAcl, standing: PublishedAcl, comparison: Comparison) -> list[str]:
        most = self.params["max_withdrawals"]
        empty = not self.acl.by_name
        digest = "" if self.desired is None else self.desired.digest
        emptied = self.desired is not None and empty and not self.params["allow_empty"]
        refusals = refusals_over_broken(live, standing, digest, most, emptied)
        if self.desired is None:
            return [*refusals, *withdrawn(comparison, most)]
        # The very ACL that stood lowers nothing, whatever can be read of it.
        repair = is_repair(live, standing, digest)
        if standing.levels is None and not repair:
            refusals += unknown_levels(self.acl, self.params["declassify"])
        return refusals + guard(
            standing.acl if live.index is not None else None,
            self.acl,
            comparison,
            known=self.known,
            levels=None if repair else standing.levels,
            **consents(self.params),
        )


def _broken(standing: PublishedAcl) -> str:
    called = f"ACL {standing.digest[:12]}" if standing.digest else "The ACL"
    return (
        f"{called} could not be read whole ({quote_list(standing.errors, 3)}): whom that concerned got no share. What changes is "
        "told, and was guarded, as far as it could be read"
    )
