# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of shares: a change for each share in each of its namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Optional

from ...kubernetes.storage_classes import classes_of_new_claims, unknown_class_warnings
from ...metadata import PRESENT
from ...plan import ADOPT, CREATE, REFUSE, Change, Plan
from ...text import did_you_mean
from .changes import refuse_share
from .conflicts import ConflictFinder, created_source
from .context import PlanContext
from .deletion import DeletionPlanner, note_missed_namespaces
from .desired import Share, ShareTarget
from .dynamic import plan_dynamic
from .existing_claim import ExistingClaimPlanner
from .levels import reject_lowered_levels
from .static import StaticPlanner, volume_spec
from .target import TargetPlanner


def plan_shares(context: PlanContext, shares: Sequence[Share]) -> Plan:
    """Return the plan of all shares. It is valid only when nothing is missing in the context."""
    planned = [_with_known_shares(context, change) for share in shares for change in plan_share(context, share)]
    for share in shares:
        if share.state != PRESENT:
            note_missed_namespaces(context, share, planned)
    conflicts = ConflictFinder(context, shares)
    changes = reject_lowered_levels(context, conflicts, conflicts.reject_conflicts(planned))
    conflicts.report_overlaps({change.subject.share.name for change in changes if change.action == REFUSE})
    classes = classes_of_new_claims(changes)
    known = context.facts.storage_classes() if classes else None
    notes = [
        *context.notes,
        *unknown_class_warnings(classes, known),
        *conflicts.doubts(),
        *conflicts.other_namespace_notes(changes),
    ]
    return Plan(tuple(changes), tuple(context.unreconcilable), tuple(notes))


def plan_share(context: PlanContext, share: Share, namespace: Optional[str] = None) -> list[Change]:
    """Return the changes of one share, in one of its namespaces or in all."""
    targets = [target for target in share.targets() if namespace in (None, target.namespace)]
    if share.state != PRESENT:
        return [change for target in targets for change in DeletionPlanner(context, target).plan()]
    if share.is_dynamic:
        changes = [change for change in plan_dynamic(context, share) if namespace in (None, change.namespace)]
    elif share.is_existing_claim:
        planners = [ExistingClaimPlanner(context, target) for target in targets]
        changes = [planner.decide(planner.plan) for planner in planners]
    else:
        static = [StaticPlanner(context, target) for target in targets]
        changes = [planner.decide(partial(planner.plan_static, volume_spec(planner.target))) for planner in static]
    return [_with_one_claim(TargetPlanner(context, change.subject), change) for change in changes]


def plan_again(context: PlanContext, before: Change, shares: Sequence[Share]) -> list[Change]:
    """Return the changes of one share in one namespace after a write conflict, compared with the others as in the plan.

    They are not compared again when the data is the one that the plan compared before.
    """
    target: ShareTarget = before.subject
    changes = [_not_found_meanwhile(before, change) for change in plan_share(context, target.share, target.namespace)]
    conflicts = ConflictFinder(context, shares)
    created = created_source(before)
    if created is not None and all(conflicts.source_of(change) in (None, created) for change in changes):
        return reject_lowered_levels(context, conflicts, changes)
    return reject_lowered_levels(context, conflicts, conflicts.reject_conflicts(changes))


def _not_found_meanwhile(before: Change, change: Change) -> Change:
    """Return the change, or a refusal when the plan was to create a claim and somebody else created one meanwhile.

    Another run of this collection is nobody else: its claim has the share's labels.
    """
    if before.action != CREATE or change.action != ADOPT or change.subject.share.is_dynamic:
        return change
    reason = (
        f"somebody else created claim {change.name} while this run created the share, and Kubernetes may have bound it to the "
        "share's volume: check who uses it, then delete it and run again, or run again to adopt it"
    )
    return refuse_share(change.subject, reason, change.name)


def _with_known_shares(context: PlanContext, change: Change) -> Change:
    """Return the change, or a refusal when `distinct_from` of its share names a share that nobody knows."""
    target: ShareTarget = change.subject
    listed = {spec.name for spec in context.settings.specs}
    unknown = [name for name in target.share.spec.distinct_from if name not in listed]
    if not unknown or target.share.state != PRESENT:
        return change
    known = {volume.share or "" for volume in context.observed.labelled_volumes()} | context.observed.known_shares()
    missing = [name for name in unknown if name not in known]
    if not missing or context.observed.volumes_error:
        return change
    hint = did_you_mean(missing[0], sorted(listed | known))
    reason = f"`distinct_from` names {missing[0]}, which is no share here and has no volume{hint}: correct or remove it"
    return refuse_share(target, reason, change.name)


def _with_one_claim(planner: TargetPlanner, change: Change) -> Change:
    """Return the change, or a refusal when the share has a claim of another name in this namespace."""

    def checked() -> Change:
        planner.check_other_claims()
        return change

    return planner.decide(checked)
