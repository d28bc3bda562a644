# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for homes: the change of each home with its reason, and what the cluster cannot change."""

from __future__ import annotations

from collections.abc import Sequence

from ..kubernetes.facts import ClusterFacts
from ..kubernetes.storage_classes import classes_of_new_claims, unknown_class_warnings
from ..metadata import PRESENT
from ..plan import Change, Plan, Rejected, Unchanged
from .changes import HomesContext, granted_error, keep_home, keep_unchanged, leave_out, reject_home
from .creation import plan_creation, reject_shared_names
from .deletion import plan_retirement_or_deletion
from .desired import Home, HomeSettings
from .observed import ObservedHomes
from .selection import named_by_another_entry, select_claim, was_changed_by_others
from .update import missing_labels, plan_update


def plan_homes(homes: Sequence[Home], observed: ObservedHomes, settings: HomeSettings, facts: ClusterFacts) -> Plan:
    """Return the plan for all homes of one namespace. Read `facts.missing` and plan again until it is empty."""
    named = frozenset(home.spec.claim for home in homes if home.spec.claim is not None)
    context = HomesContext(settings, observed, facts, named)
    changes: list[Change] = []
    for home in homes:
        changes.extend(plan_home(context, home))
    changes = reject_shared_names(context, changes, homes)
    classes = classes_of_new_claims(changes)
    warnings = unknown_class_warnings(classes, facts.storage_classes()) if classes else []
    if facts.unknown:
        reasons = "; ".join(f"{question}: {error}" for question, error in facts.unknown.items())
        warnings.append(f"This is not known of homes that are created or adopted: {reasons}")
    return Plan(tuple(changes), tuple(context.unreconcilable), tuple(warnings))


def plan_home(context: HomesContext, home: Home) -> list[Change]:
    """Return the change of one home, and of each other claim of its owner that is changed with it."""
    owned = context.observed.owned(home.user, home.server)
    active = [claim for claim in owned if not claim.deleting]
    named = home.spec.claim is not None
    try:
        if home.state != PRESENT and not named:
            return plan_retirement_or_deletion(context, home, active, owned)
        claim = select_claim(context, home, active)
        if claim is None:
            if home.state != PRESENT:
                return [keep_home(home, "", "has no home here")]
            return [plan_creation(context, home, owned)]
    except Rejected as rejected:
        if home.spec.from_hub or (named and was_changed_by_others(context, home)):
            return [leave_out(context, home, rejected)]
        return [reject_home(home, "", rejected)]
    except Unchanged as unchanged:
        return [keep_unchanged(context, home, "", unchanged)]
    if home.state != PRESENT:
        return plan_retirement_or_deletion(context, home, [claim], owned)
    if claim.user is None or missing_labels(home, claim):
        if claim.name in context.named and home.spec.claim != claim.name:
            return [leave_out(context, home, named_by_another_entry(claim))]
        granted = granted_error(context, claim.name)
        if granted is not None and claim.user is None and not was_changed_by_others(context, home):
            return [reject_home(home, claim.name, granted)]
        if granted is not None:
            return [leave_out(context, home, granted)]
    return plan_update(context, home, claim, active)
