# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning shares: what becomes of each in each of its namespaces, with its reason, and drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ..kubernetes.storage_classes import classes_of_new_claims, unknown_class_warnings
from ..metadata import PRESENT
from ..plan import Change, Plan
from .changes import Context, keep, refuse
from .conflicts import made_volume, reject_conflicts, source_of
from .deletion import overlooked, plan_deletion
from .desired import Share, ShareTarget
from .dynamic import plan_dynamic
from .existing import keep_up, objection
from .same_place import made_elsewhere, other_place
from .static import made_by_entry, plan_static, unreadable
from .volumes import NOTHING, fix


def plan_shares(ctx: Context, shares: Sequence[Share]) -> Plan:
    """Return the plan for all shares; what it still needs to know is missing in the context."""
    changes: list[Change] = []
    for share in shares:
        changes.extend(plan_share(ctx, share))
    for share in shares:
        if share.state != PRESENT:
            overlooked(ctx, share, changes)
    changes = reject_conflicts(ctx, shares, changes)
    classes = classes_of_new_claims(changes)
    unknown = unknown_class_warnings(classes, ctx.facts.storage_classes()) if classes else []
    notes = [*ctx.notes, *unknown, *made_elsewhere(ctx, changes)]
    return Plan(tuple(changes), tuple(ctx.unreconcilable), tuple(notes))


def plan_share(ctx: Context, share: Share, namespace: Optional[str] = None) -> list[Change]:
    """Return the changes for one share, in one of its namespaces or in all."""
    changes = _planned(ctx, share, namespace)
    if share.state != PRESENT:
        return changes
    return [_other_claim(ctx, change.subject) or change for change in changes]


def plan_again(ctx: Context, before: Change, shares: Sequence[Share]) -> list[Change]:
    """Return the changes for one share in one of its namespaces once more, held against the others as in the whole plan.

    Not where it makes the very data its own that it was to be made of before: that was held against them then.
    """
    target: ShareTarget = before.subject
    changes = plan_share(ctx, target.share, target.namespace)
    planned = made_volume(before)
    if planned is not None and all(source_of(ctx, change) in (None, planned) for change in changes):
        return changes
    return reject_conflicts(ctx, shares, changes)


def _other_claim(ctx: Context, target: ShareTarget) -> Optional[Change]:
    """Refuse a share that has another claim in this namespace: that is what changing `backend.claim`, or to or from it, does."""
    for claim in ctx.live.claims_of(target.namespace, target.share.name):
        if claim.name != target.claim and not claim.deleting:
            return refuse(
                target,
                f"the share has the claim {claim.name} already, and {target.claim} would be other data under its name: leave "
                "`backend` as it was, or, to move the share, make a new one there, copy what is to be kept, and retire this one",
            )
    return None


def _planned(ctx: Context, share: Share, namespace: Optional[str]) -> list[Change]:
    if share.state == PRESENT and share.is_dynamic:
        # Its namespaces hang together: each may hold the volume that the others copy.
        changes = plan_dynamic(ctx, share)
        return [change for change in changes if namespace in (None, change.namespace)]
    targets = [target for target in share.targets() if namespace in (None, target.namespace)]
    if share.state != PRESENT:
        return [change for target in targets for change in plan_deletion(ctx, target)]
    if share.is_found:
        changes = [_plan_found(ctx, target, len(share.namespaces) > 1) for target in targets]
        return [other_place(ctx, change) or change for change in changes]
    return [plan_static(ctx, target, made_by_entry(target)) for target in targets]


def _plan_found(ctx: Context, target: ShareTarget, several: bool) -> Change:
    """A share whose claim somebody else makes."""
    claim = ctx.live.claim(target.namespace, target.claim)
    if claim is None:
        reason = f"claim {target.claim} does not exist"
        if ctx.settings.check_mode:
            ctx.differs(target, "does not exist; an earlier task may be what makes it")
            return keep(target, reason)
        return refuse(
            target, f"the {reason}: make it first, correct `backend.claim`, or give the share a backend that makes one"
        )
    refused = objection(ctx, target, claim)
    if refused is not None:
        return refused
    volume = ctx.live.volume(claim.volume) if several and claim.volume else None
    fixes = NOTHING
    if several and claim.volume:
        # Its volumes may be several over the same data, and one of them with the policy Delete would take it.
        if ctx.live.volumes_error:
            return unreadable(ctx, target)
        if volume is not None and volume.claim_uid == claim.uid:
            fixes, refused = fix(ctx, target, volume, claim.uid)
            if refused is not None:
                return refused
    return keep_up(ctx, target, claim, volume, fixes, expands=True, size=target.share.size)
