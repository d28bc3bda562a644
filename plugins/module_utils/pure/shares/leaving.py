# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leaving: the only way a share goes away, and everything that must be true before. Its data never goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from .. import steps
from ..kubespawner import KIND_LABEL, RETIRED_ANNOTATION
from ..plan import DELETE, KEEP, RETIRE, UPDATE, Change
from ..retirement import retirement
from ..text import did_you_mean, quote_list
from ..times import format_span, format_time, parse_time
from . import lookups
from .about import KIND, Context, change, keep, line, place, refuse
from .entries import RETIRED
from .live import RETAIN, Claim, Volume, share_of
from .naming import FOUND_ANNOTATION, SHARE_KEY, share_label
from .volumes import retain
from .wanted import Share, Spot


def plan_leaving(ctx: Context, spot: Spot) -> list[Change]:
    """Retire or remove what a share has in a namespace: its claims, and its static volume where no claim is left."""
    share = spot.share
    claims = list(ctx.live.claims_of(spot.namespace, share.name))
    named = ctx.live.claim(spot.namespace, spot.claim)
    if named is not None and named not in claims and claims and share_of(named) is None:
        named = None  # the share's claim has another name, and this one is nobody's business
    if named is not None and named not in claims and not named.deleting:
        marked = share_of(named)
        what = f"is that of the share {marked}" if marked else "is no share's by its marks"
        return [
            refuse(
                spot,
                f"the claim {named.name} {what}, so it cannot be {share.state}: correct the name, or adopt it first with state "
                "present",
            )
        ]
    living = [claim for claim in claims if not claim.deleting]
    if living:
        plan = _retire if share.state == RETIRED else _remove
        return [plan(ctx, spot, claim) for claim in living]
    going = [claim.name for claim in (*claims, *((named,) if named is not None else ())) if claim.deleting]
    left = ctx.live.volume(spot.volume)
    if left is None or left.share != share.name or left.deleting or (going and share.state == RETIRED):
        told = f"{going[0]} is being deleted already" if going else f"is not in {spot.namespace}"
        return [keep(spot, told, going[0] if going else "")]
    if going:
        # The volume may be asked to go as well: Kubernetes keeps it for as long as it has its claim.
        return [_remove_volume(ctx, spot, left, going[0])]
    held = _holding_claim(ctx, spot, left)
    if held is not None:
        return [held]
    if share.state == RETIRED:
        return [_retire_volume(ctx, spot, left)]
    return [_remove_volume(ctx, spot, left)]


def _holding_claim(ctx: Context, spot: Spot, volume: Volume) -> Optional[Change]:
    """Refuse a volume whose claim is there after all, under a name that the entry does not say, or without our marks."""
    claim = ctx.live.claim(volume.claim_namespace, volume.claim_name) if volume.claim_name else None
    if claim is None or volume.claim_uid not in ("", claim.uid):
        return None
    return refuse(
        spot,
        f"its volume {volume.name} is that of the claim {claim.name} in {volume.claim_namespace}, which is there and is no "
        f"share's by its marks: write the entry as it was when the share was present, and run with state present first",
    )


def overlooked(ctx: Context, share: Share, changes: Sequence[Change]) -> None:
    """Warn where a share that is to leave is not where it is looked for: misspelt, or in other namespaces too."""
    elsewhere = sorted(
        {
            volume.claim_namespace
            for volume in ctx.live.marked_volumes()
            if volume.share == share.name
            and volume.claim_namespace
            and volume.retired_at is None
            and not volume.deleting
        }
        - set(share.namespaces)
    )
    who = f"{share.entry.position} ({share.name})"
    if elsewhere:
        ctx.notes[
            f"{who}: the share is in {quote_list(elsewhere)} too, which this run does not look at: name these `namespaces`, or "
            f"it is not {share.state} there"
        ] = None
        return
    mine = [change for change in changes if isinstance(change.subject, Spot) and change.subject.share is share]
    known = ctx.live.marked_shares()
    if share.state == RETIRED and share.name not in known and all(change.action == KEEP for change in mine):
        where = quote_list(share.namespaces)
        ctx.notes[
            f"{who}: nothing of such a share is in {where}{did_you_mean(share.name, sorted(known))}: correct the name, or take "
            "it off the list"
        ] = None


def _own_volume(ctx: Context, spot: Spot, claim: Claim) -> Optional[Volume]:
    """The static volume that we made for a claim, None for a claim whose volume is not ours."""
    if claim.volume not in ("", spot.volume):
        return None
    volume = ctx.live.volume(spot.volume)
    return volume if volume is not None and volume.share == spot.share.name and not volume.deleting else None


def _line(spot: Spot, claim: Claim, volume: Optional[Volume], marks: list[str]) -> str:
    where = place(claim.storage_class, claim.volume, volume.source if volume is not None else None)
    return line(spot, claim.name, claim.size, where, marks)


# -- retiring -------------------------------------------------------------------------------------------------------


def _retire(ctx: Context, spot: Spot, claim: Claim) -> Change:
    """Mark a claim, and its static volume, which may outlive it; what is marked stays as it is, its time too."""
    mark = claim.retired_at if claim.retired_at is not None else format_time(ctx.settings.now)
    planned = []
    if claim.retired_at is None:
        body = {"metadata": {"annotations": {RETIRED_ANNOTATION: mark}}}
        planned.append(steps.patch(steps.CLAIMS, spot.namespace, claim.name, body, claim.version))
    volume = _own_volume(ctx, spot, claim)
    if volume is not None and volume.retired_at is None and parse_time(mark) is not None:
        planned.append(_mark_volume(volume, mark))
    if not planned:
        return keep(spot, f"is retired since {claim.retired_at}", claim.name)
    return change(
        RETIRE,
        spot,
        "the share is retired; the data stays",
        claim.name,
        before=_line(spot, claim, volume, []),
        after=_line(spot, claim, volume, [f"retired since {mark}"]),
        steps=tuple(planned),
    )


def _mark_volume(volume: Volume, mark: str) -> steps.Step:
    body = {"metadata": {"annotations": {RETIRED_ANNOTATION: mark}}}
    return steps.patch(steps.VOLUMES, "", volume.name, body, "", volume.uid)


def _retire_volume(ctx: Context, spot: Spot, volume: Volume) -> Change:
    if volume.retired_at is not None:
        return keep(spot, f"its volume {volume.name} is retired since {volume.retired_at}")
    return change(
        RETIRE,
        spot,
        f"its claim is gone already, and its volume {volume.name} is retired; the data stays",
        before=f"volume {volume.name} of the share {spot.share.name}",
        after=f"volume {volume.name} of the share {spot.share.name}: retired",
        steps=(_mark_volume(volume, format_time(ctx.settings.now)),),
    )


# -- removing -------------------------------------------------------------------------------------------------------


def _remove(ctx: Context, spot: Spot, claim: Claim) -> Change:
    """Return a deletion, or why not (yet): what is a mistake in what was asked is refused, what may come later is kept."""
    retired = retirement(claim.retired_at, claim.name, KIND, ctx.settings.hold, ctx.settings.now)
    if retired.fault:
        return refuse(spot, retired.fault, claim.name)
    if retired.held:
        return keep(spot, retired.held, claim.name)
    pods, fault = ctx.lookups.pods_in(spot.namespace, claim.name)
    if fault:
        return refuse(spot, f"whether a pod mounts {claim.name} is not known, for {fault}", claim.name)
    if pods:
        reason = f"pod {quote_list(pods)} mounts it; stop that server first"
        ctx.differs(spot, f"is kept: {reason}")
        return keep(spot, reason, claim.name)
    told = f"the share is retired since {claim.retired_at}, longer than {format_span(ctx.settings.hold)}"
    before = _line(spot, claim, ctx.live.volume(claim.volume) if claim.volume else None, ["retired"])
    if spot.share.is_found or claim.name != spot.share.name or FOUND_ANNOTATION in claim.annotations:
        released, refused = _release(ctx, spot, claim)
        if refused is not None:
            return refused
        return change(
            UPDATE,
            spot,
            f"{told}; the claim was not made for it, so it stays and is no share's any more",
            claim.name,
            before=before,
            after=f"claim {claim.name} in {spot.namespace}: no share's",
            steps=released,
        )
    volume_steps, fate, refused = _keep_data(ctx, spot, claim)
    if refused is not None:
        return refused
    planned = list(volume_steps)
    own = _own_volume(ctx, spot, claim)
    if own is not None and own.retired_at != claim.retired_at and claim.retired_at is not None:
        # Should the run be cut short after the claim is gone, the next one finds the mark here.
        planned.append(_mark_volume(own, claim.retired_at))
    planned.append(steps.delete(steps.CLAIMS, spot.namespace, claim.name, claim.uid, claim.version))
    if own is not None:
        lacks = ctx.lookups.may_not(lookups.DELETE)
        if lacks:
            return refuse(spot, f"its volume {own.name} cannot be removed after its claim, for {lacks}", claim.name)
        # As it was looked at, for the share may be taken up again as soon as its claim is gone. Where it changes by what is
        # done here, or by its claim going, that is a conflict, and the next look at it decides.
        planned.append(steps.delete(steps.VOLUMES, "", own.name, own.uid, own.version))
    return change(DELETE, spot, f"{told}; {fate}", claim.name, before=before, steps=tuple(planned))


def _release(ctx: Context, spot: Spot, claim: Claim) -> tuple[tuple[steps.Step, ...], Optional[Change]]:
    """Take our marks off a claim, and off its volume before, which else would be held for this share for ever."""
    marks = {
        "labels": dict.fromkeys((KIND_LABEL, SHARE_KEY)),
        "annotations": dict.fromkeys((SHARE_KEY, RETIRED_ANNOTATION, FOUND_ANNOTATION)),
    }
    freed = steps.patch(steps.CLAIMS, spot.namespace, claim.name, {"metadata": marks}, claim.version)
    volume = ctx.live.volume(claim.volume) if claim.volume else None
    if volume is None or volume.share != spot.share.name or not volume.is_for(spot.namespace, claim.name):
        return (freed,), None
    fault = ctx.lookups.may_not(lookups.PATCH)
    if fault:
        what = f"the marks of its volume {volume.name} cannot be taken off, for {fault}"
        return (), refuse(spot, f"{what}: have that rule granted, or take them off by hand first", claim.name)
    return (steps.patch(steps.VOLUMES, "", volume.name, {"metadata": marks}, "", volume.uid), freed), None


def _keep_data(ctx: Context, spot: Spot, claim: Claim) -> tuple[list[steps.Step], str, Optional[Change]]:
    """Return what makes sure that the data outlives the claim, the words for it, and the refusal where it cannot be."""
    if not claim.volume:
        own = _own_volume(ctx, spot, claim)
        return [], f"its volume {own.name} goes too, the data stays" if own is not None else "it has no volume", None
    volume = ctx.live.volume(claim.volume)
    if ctx.live.volumes_fault:
        refused = refuse(spot, f"its volume cannot be looked at, for {ctx.live.volumes_fault}", claim.name)
        return [], "", refused
    if volume is None:
        return [], "its volume is gone already", None
    if not volume.is_for(spot.namespace, claim.name) or volume.claim_uid not in ("", claim.uid):
        return [], f"it has no volume, for {volume.name} is another claim's", None
    if volume.share not in (None, spot.share.name):
        what = f"the volume {volume.name} of {claim.name} is that of the share {volume.share}: look at which of the two it is"
        return [], "", refuse(spot, what, claim.name)
    static = volume.name == spot.volume and volume.share == spot.share.name
    planned = []
    if volume.policy != RETAIN:
        planned.append(retain(volume))
    if not static and (volume.share != spot.share.name or volume.retired_at != claim.retired_at):
        # So that the same share takes it up again, and no other; and retired, so that it holds its place for nobody.
        metadata: dict[str, Any] = {
            "labels": {KIND_LABEL: KIND, SHARE_KEY: share_label(spot.share.name)},
            "annotations": {SHARE_KEY: spot.share.name, RETIRED_ANNOTATION: claim.retired_at},
        }
        planned.append(steps.patch(steps.VOLUMES, "", volume.name, {"metadata": metadata}, "", volume.uid))
    fault = ctx.lookups.may_not(lookups.PATCH) if planned else None
    if fault:
        return (
            [],
            "",
            refuse(
                spot,
                f"the volume {volume.name} of {claim.name} cannot be kept, for {fault}: have that rule granted, or set it "
                "to Retain by hand first",
                claim.name,
            ),
        )
    if static:
        return planned, f"its volume {volume.name} goes too, which is Retain, so the data stays", None
    return planned, f"its volume {volume.name} is kept (Retain)", None


def _remove_volume(ctx: Context, spot: Spot, volume: Volume, going: str = "") -> Change:
    """Remove a static volume whose claim is gone, or going: a run was cut short, or somebody removed the claim by hand."""
    told = f"its claim {going} is being deleted already" if going else "its claim is gone already"
    retired = retirement(volume.retired_at, f"the volume {volume.name}", KIND, ctx.settings.hold, ctx.settings.now)
    if going and (retired.fault or retired.held):
        return keep(spot, told, going)
    if retired.fault:
        return refuse(spot, retired.fault)
    if retired.held:
        return keep(spot, f"its volume {volume.name} {retired.held}")
    for verb in (lookups.PATCH, lookups.DELETE) if volume.policy != RETAIN else (lookups.DELETE,):
        fault = ctx.lookups.may_not(verb)
        if fault:
            return refuse(spot, f"its volume {volume.name} cannot be removed, for {fault}")
    planned = [retain(volume)] if volume.policy != RETAIN else []
    return change(
        DELETE,
        spot,
        f"{told}, and its volume {volume.name} goes too, which is Retain, so the data stays",
        going,
        before=f"volume {volume.name} of the share {spot.share.name}",
        # Over the very version that was looked at: somebody may take it up meanwhile. What is set to Retain first is another
        # version by that, so it is a conflict, and is looked at and planned again.
        steps=(*planned, steps.delete(steps.VOLUMES, "", volume.name, volume.uid, volume.version)),
    )
