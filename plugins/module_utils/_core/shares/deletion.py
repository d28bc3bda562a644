# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leaving: the only way a share goes away, and everything that must be true before. Its data never goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from .. import requests
from ..kubernetes.retention import Retention
from ..metadata import FOUND_ANNOTATION, KIND_LABEL, KIND_SHARE, RETIRED, RETIRED_ANNOTATION, SHARE_KEY
from ..plan import DELETE, KEEP, RETIRE, UPDATE, Change, Rejected, Unchanged
from ..text import did_you_mean, quote_list
from ..times import format_span, format_time, parse_time
from . import facts
from .changes import Context, change, keep, line, place, refuse
from .desired import Share, ShareTarget
from .naming import share_label
from .observed import RETAIN, Claim, Volume, share_of
from .volumes import retain


def plan_deletion(ctx: Context, target: ShareTarget) -> list[Change]:
    """Retire or remove what a share has in a namespace: its claims, and its static volume where no claim is left."""
    share = target.share
    claims = list(ctx.live.claims_of(target.namespace, share.name))
    named = ctx.live.claim(target.namespace, target.claim)
    if named is not None and named not in claims and claims and share_of(named) is None:
        named = None  # the share's claim has another name, and this one is nobody's business
    if named is not None and named not in claims and not named.deleting:
        marked = share_of(named)
        what = f"is that of the share {marked}" if marked else "is no share's by its marks"
        return [
            refuse(
                target,
                f"the claim {named.name} {what}, so it cannot be {share.state}: correct the name, or adopt it first with state "
                "present",
            )
        ]
    living = [claim for claim in claims if not claim.deleting]
    if living:
        plan = _retire if share.state == RETIRED else _remove
        return [plan(ctx, target, claim) for claim in living]
    going = [claim.name for claim in (*claims, *((named,) if named is not None else ())) if claim.deleting]
    left = ctx.live.volume(target.volume)
    if left is None or left.share != share.name or left.deleting or (going and share.state == RETIRED):
        told = f"{going[0]} is being deleted already" if going else f"is not in {target.namespace}"
        return [keep(target, told, going[0] if going else "")]
    if going:
        # The volume may be asked to go as well: Kubernetes keeps it for as long as it has its claim.
        return [_remove_volume(ctx, target, left, going[0])]
    held = _holding_claim(ctx, target, left)
    if held is not None:
        return [held]
    if share.state == RETIRED:
        return [_retire_volume(ctx, target, left)]
    return [_remove_volume(ctx, target, left)]


def _holding_claim(ctx: Context, target: ShareTarget, volume: Volume) -> Optional[Change]:
    """Refuse a volume whose claim is there after all, under a name that the entry does not say, or without our marks."""
    claim = ctx.live.claim(volume.claim_namespace, volume.claim_name) if volume.claim_name else None
    if claim is None or volume.claim_uid not in ("", claim.uid):
        return None
    return refuse(
        target,
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
    who = f"{share.spec.position} ({share.name})"
    if elsewhere:
        ctx.notes[
            f"{who}: the share is in {quote_list(elsewhere)} too, which this run does not look at: name these `namespaces`, or "
            f"it is not {share.state} there"
        ] = None
        return
    mine = [change for change in changes if isinstance(change.subject, ShareTarget) and change.subject.share is share]
    known = ctx.live.marked_shares()
    if share.state == RETIRED and share.name not in known and all(change.action == KEEP for change in mine):
        where = quote_list(share.namespaces)
        ctx.notes[
            f"{who}: nothing of such a share is in {where}{did_you_mean(share.name, sorted(known))}: correct the name, or take "
            "it off the list"
        ] = None


def _own_volume(ctx: Context, target: ShareTarget, claim: Claim) -> Optional[Volume]:
    """The static volume that we made for a claim, None for a claim whose volume is not ours."""
    if claim.volume not in ("", target.volume):
        return None
    volume = ctx.live.volume(target.volume)
    return volume if volume is not None and volume.share == target.share.name and not volume.deleting else None


def _line(target: ShareTarget, claim: Claim, volume: Optional[Volume], marks: list[str]) -> str:
    where = place(claim.storage_class, claim.volume, volume.source if volume is not None else None)
    return line(target, claim.name, claim.size, where, marks)


# -- retiring -------------------------------------------------------------------------------------------------------


def _retire(ctx: Context, target: ShareTarget, claim: Claim) -> Change:
    """Mark a claim, and its static volume, which may outlive it; what is marked stays as it is, its time too."""
    mark = claim.retired_at if claim.retired_at is not None else format_time(ctx.settings.now)
    planned = []
    if claim.retired_at is None:
        body = {"metadata": {"annotations": {RETIRED_ANNOTATION: mark}}}
        planned.append(
            requests.patch(requests.CLAIMS, target.namespace, claim.name, body, requests.Precondition(claim.version))
        )
    volume = _own_volume(ctx, target, claim)
    if volume is not None and volume.retired_at is None and parse_time(mark) is not None:
        planned.append(_mark_volume(volume, mark))
    if not planned:
        return keep(target, f"is retired since {claim.retired_at}", claim.name)
    return change(
        RETIRE,
        target,
        "the share is retired; the data stays",
        claim.name,
        before=_line(target, claim, volume, []),
        after=_line(target, claim, volume, [f"retired since {mark}"]),
        operations=tuple(planned),
    )


def _mark_volume(volume: Volume, mark: str) -> requests.ApiRequest:
    body = {"metadata": {"annotations": {RETIRED_ANNOTATION: mark}}}
    return requests.patch(requests.VOLUMES, "", volume.name, body, requests.Precondition(uid=volume.uid))


def _retire_volume(ctx: Context, target: ShareTarget, volume: Volume) -> Change:
    if volume.retired_at is not None:
        return keep(target, f"its volume {volume.name} is retired since {volume.retired_at}")
    return change(
        RETIRE,
        target,
        f"its claim is gone already, and its volume {volume.name} is retired; the data stays",
        before=f"volume {volume.name} of the share {target.share.name}",
        after=f"volume {volume.name} of the share {target.share.name}: retired",
        operations=(_mark_volume(volume, format_time(ctx.settings.now)),),
    )


def _retention(ctx: Context) -> Retention:
    return Retention(KIND_SHARE, ctx.settings.retention, ctx.settings.now)


# -- removing -------------------------------------------------------------------------------------------------------


def _remove(ctx: Context, target: ShareTarget, claim: Claim) -> Change:
    """Return a deletion, or why not (yet): what is a mistake in what was asked is refused, what may come later is kept."""
    try:
        _retention(ctx).check(claim.retired_at, f"claim {claim.name}")
    except Rejected as rejected:
        return refuse(target, rejected.reason, claim.name)
    except Unchanged as unchanged:
        return keep(target, unchanged.reason, claim.name)
    pods, error = ctx.facts.pods_in(target.namespace, claim.name)
    if error:
        return refuse(target, f"whether a pod mounts {claim.name} is not known, for {error}", claim.name)
    if pods:
        reason = f"pod {quote_list(pods)} mounts it; stop that server first"
        ctx.differs(target, f"is kept: {reason}")
        return keep(target, reason, claim.name)
    told = f"the share is retired since {claim.retired_at}, longer than {format_span(ctx.settings.retention)}"
    before = _line(target, claim, ctx.live.volume(claim.volume) if claim.volume else None, ["retired"])
    if target.share.is_found or claim.name != target.share.name or FOUND_ANNOTATION in claim.annotations:
        released, refused = _release(ctx, target, claim)
        if refused is not None:
            return refused
        return change(
            UPDATE,
            target,
            f"{told}; the claim was not made for it, so it stays and is no share's any more",
            claim.name,
            before=before,
            after=f"claim {claim.name} in {target.namespace}: no share's",
            operations=released,
        )
    volume_steps, fate, refused = _keep_data(ctx, target, claim)
    if refused is not None:
        return refused
    planned = list(volume_steps)
    own = _own_volume(ctx, target, claim)
    if own is not None and own.retired_at != claim.retired_at and claim.retired_at is not None:
        # Should the run be cut short after the claim is gone, the next one finds the mark here.
        planned.append(_mark_volume(own, claim.retired_at))
    planned.append(
        requests.delete(requests.CLAIMS, target.namespace, claim.name, requests.Precondition(claim.version, claim.uid))
    )
    if own is not None:
        lacks = ctx.facts.may_not(facts.DELETE)
        if lacks:
            return refuse(target, f"its volume {own.name} cannot be removed after its claim, for {lacks}", claim.name)
        # As it was looked at, for the share may be taken up again as soon as its claim is gone. Where it changes by what is
        # done here, or by its claim going, that is a conflict, and the next look at it decides.
        planned.append(requests.delete(requests.VOLUMES, "", own.name, requests.Precondition(own.version, own.uid)))
    return change(DELETE, target, f"{told}; {fate}", claim.name, before=before, operations=tuple(planned))


def _release(
    ctx: Context, target: ShareTarget, claim: Claim
) -> tuple[tuple[requests.ApiRequest, ...], Optional[Change]]:
    """Take our marks off a claim, and off its volume before, which else would be held for this share for ever."""
    marks = {
        "labels": dict.fromkeys((KIND_LABEL, SHARE_KEY)),
        "annotations": dict.fromkeys((SHARE_KEY, RETIRED_ANNOTATION, FOUND_ANNOTATION)),
    }
    freed = requests.patch(
        requests.CLAIMS, target.namespace, claim.name, {"metadata": marks}, requests.Precondition(claim.version)
    )
    volume = ctx.live.volume(claim.volume) if claim.volume else None
    if volume is None or volume.share != target.share.name or not volume.is_for(target.namespace, claim.name):
        return (freed,), None
    error = ctx.facts.may_not(facts.PATCH)
    if error:
        what = f"the marks of its volume {volume.name} cannot be taken off, for {error}"
        return (), refuse(target, f"{what}: have that rule granted, or take them off by hand first", claim.name)
    return (
        requests.patch(requests.VOLUMES, "", volume.name, {"metadata": marks}, requests.Precondition(uid=volume.uid)),
        freed,
    ), None


def _keep_data(
    ctx: Context, target: ShareTarget, claim: Claim
) -> tuple[list[requests.ApiRequest], str, Optional[Change]]:
    """Return what makes sure that the data outlives the claim, the words for it, and the refusal where it cannot be."""
    if not claim.volume:
        own = _own_volume(ctx, target, claim)
        return [], f"its volume {own.name} goes too, the data stays" if own is not None else "it has no volume", None
    volume = ctx.live.volume(claim.volume)
    if ctx.live.volumes_error:
        refused = refuse(target, f"its volume cannot be looked at, for {ctx.live.volumes_error}", claim.name)
        return [], "", refused
    if volume is None:
        return [], "its volume is gone already", None
    if not volume.is_for(target.namespace, claim.name) or volume.claim_uid not in ("", claim.uid):
        return [], f"it has no volume, for {volume.name} is another claim's", None
    if volume.share not in (None, target.share.name):
        what = f"the volume {volume.name} of {claim.name} is that of the share {volume.share}: look at which of the two it is"
        return [], "", refuse(target, what, claim.name)
    static = volume.name == target.volume and volume.share == target.share.name
    planned = []
    if volume.policy != RETAIN:
        planned.append(retain(volume))
    if not static and (volume.share != target.share.name or volume.retired_at != claim.retired_at):
        # So that the same share takes it up again, and no other; and retired, so that it holds its place for nobody.
        metadata: dict[str, Any] = {
            "labels": {KIND_LABEL: KIND_SHARE, SHARE_KEY: share_label(target.share.name)},
            "annotations": {SHARE_KEY: target.share.name, RETIRED_ANNOTATION: claim.retired_at},
        }
        planned.append(
            requests.patch(
                requests.VOLUMES, "", volume.name, {"metadata": metadata}, requests.Precondition(uid=volume.uid)
            )
        )
    error = ctx.facts.may_not(facts.PATCH) if planned else None
    if error:
        return (
            [],
            "",
            refuse(
                target,
                f"the volume {volume.name} of {claim.name} cannot be kept, for {error}: have that rule granted, or set it "
                "to Retain by hand first",
                claim.name,
            ),
        )
    if static:
        return planned, f"its volume {volume.name} goes too, which is Retain, so the data stays", None
    return planned, f"its volume {volume.name} is kept (Retain)", None


def _remove_volume(ctx: Context, target: ShareTarget, volume: Volume, going: str = "") -> Change:
    """Remove a static volume whose claim is gone, or going: a run was cut short, or somebody removed the claim by hand."""
    told = f"its claim {going} is being deleted already" if going else "its claim is gone already"
    try:
        _retention(ctx).check(volume.retired_at, f"volume {volume.name}")
    except Rejected as rejected:
        return keep(target, told, going) if going else refuse(target, rejected.reason)
    except Unchanged as unchanged:
        return keep(target, told, going) if going else keep(target, f"its volume {volume.name} {unchanged.reason}")
    for verb in (facts.PATCH, facts.DELETE) if volume.policy != RETAIN else (facts.DELETE,):
        error = ctx.facts.may_not(verb)
        if error:
            return refuse(target, f"its volume {volume.name} cannot be removed, for {error}")
    planned = [retain(volume)] if volume.policy != RETAIN else []
    return change(
        DELETE,
        target,
        f"{told}, and its volume {volume.name} goes too, which is Retain, so the data stays",
        going,
        before=f"volume {volume.name} of the share {target.share.name}",
        # Over the very version that was looked at: somebody may take it up meanwhile. What is set to Retain first is another
        # version by that, so it is a conflict, and is looked at and planned again.
        operations=(
            *planned,
            requests.delete(requests.VOLUMES, "", volume.name, requests.Precondition(volume.version, volume.uid)),
        ),
    )
