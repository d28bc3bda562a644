# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a share whose claim exists: adopted, taken out of retirement, labelled, grown; or not a share's at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .. import requests
from ..kubernetes.expansion import decide_expansion
from ..metadata import FOUND_ANNOTATION, KIND_LABEL, RETIRED_ANNOTATION, SHARE_KEY
from ..plan import ADOPT, KEEP, UPDATE, Change
from ..quantity import format_size
from ..text import quote_list
from .changes import Context, change, keep, line, place, refuse
from .desired import ShareTarget
from .naming import share_label
from .observed import MANY, Claim, Volume, share_of, what_else
from .volumes import NOTHING, Fix

_MARKS = (KIND_LABEL, SHARE_KEY, FOUND_ANNOTATION)


def objection(ctx: Context, target: ShareTarget, claim: Claim) -> Optional[Change]:
    """Return the refusal of a claim that may not be this share's, None where it may."""
    other = what_else(claim)
    if other is not None:
        how = "name another one" if target.share.is_found else "give the share another name"
        return refuse(target, f"the claim {claim.name} is {other}, and is never made a share: {how}")
    marked = share_of(claim)
    if marked is not None and marked not in (target.share.name, share_label(target.share.name)):
        return refuse(
            target, f"the claim {claim.name} is that of the share {marked}: make them one share, or name another claim"
        )
    if claim.deleting:
        pods, error = ctx.facts.pods_in(target.namespace, claim.name)
        if error:
            holder = "whether a pod holds it is not known, as pods may not be listed"
        else:
            holder = f"held by pod {quote_list(pods)}" if pods else "nothing mounts it any more"
        way = "stop that pod and run again once the claim is gone" if pods else "run again once it is gone"
        return refuse(target, f"the claim {claim.name} is being deleted, {holder}: {way}")
    return None


def keep_up(
    ctx: Context,
    target: ShareTarget,
    claim: Claim,
    volume: Optional[Volume] = None,
    fixes: Fix = NOTHING,
    *,
    expands: bool,
    size: Optional[int] = None,
) -> Change:
    """Plan a claim that is the share's: mark it, take it out of retirement, grow it; what cannot be corrected is drift.

    `fixes` come first. `grows` says that a class made its volume; else a `size` that differs is only told (None: is not).
    """
    share = target.share
    labels: dict[str, Any] = {key: text for key, text in share.labels.items() if claim.labels.get(key) != text}
    annotations: dict[str, Any] = {
        key: text for key, text in share.annotations.items() if claim.annotations.get(key) != text
    }
    reasons: list[str] = []
    before: list[str] = []
    after: list[str] = []
    action = KEEP
    if labels or annotations:
        adopts = any(key in labels for key in _MARKS) or SHARE_KEY in annotations
        action = ADOPT if adopts else UPDATE
        if adopts and share.is_found:
            annotations[FOUND_ANNOTATION] = "true"
        if adopts:
            reasons.append("the claim was there and lacked this collection's marks")
            before.append("not marked as a share")
        for what, changed, live in (
            ("label", labels, claim.labels),
            ("annotation", annotations, claim.annotations),
        ):
            _tell(what, changed, live, reasons, before, after)
    if claim.retired_at is not None:
        action = UPDATE if action == KEEP else action
        annotations[RETIRED_ANNOTATION] = None
        reasons.append("it is taken out of retirement")
        before.append(f"retired since {claim.retired_at}")
    if fixes.operations:
        action = ADOPT if fixes.adopts else UPDATE if action == KEEP else action
        reasons.extend(fixes.reasons)
        after.extend(fixes.reasons)
    expanding = _expands(ctx, target, claim, size) if expands else _told_size(ctx, target, claim, size)
    if expanding:
        action = UPDATE if action == KEEP else action
        reasons.append(f"it grows from {format_size(claim.size or 0)} to {share.size_text}")
    _report_fixed(ctx, target, claim)
    if claim.phase == "Lost" and not fixes.operations:
        ctx.differs(
            target, f"has lost its volume {claim.volume}: restore it, or make the share anew under another name"
        )
    if action == KEEP:
        return keep(target, "is as it should be", claim.name)
    where = place(claim.storage_class, claim.volume, volume.source if volume is not None else None)
    return change(
        action,
        target,
        "; ".join(reasons),
        claim.name,
        before=line(target, claim.name, claim.size, where, before),
        after=line(target, claim.name, share.size if expanding else claim.size, where, after),
        operations=(*fixes.operations, *_claim_steps(target, claim, labels, annotations, expanding)),
    )


def _claim_steps(
    target: ShareTarget, claim: Claim, labels: Mapping[str, Any], annotations: Mapping[str, Any], expanding: bool
) -> list[requests.ApiRequest]:
    metadata = {key: value for key, value in (("labels", labels), ("annotations", annotations)) if value}
    planned = []
    if metadata:
        planned.append(
            requests.patch(
                requests.CLAIMS,
                target.namespace,
                claim.name,
                {"metadata": metadata},
                requests.Precondition(claim.version),
            )
        )
    if expanding:
        # A patch of its own and of this one field: what the API server refuses of it must not undo the marks.
        body = {"spec": {"resources": {"requests": {"storage": target.share.size_text}}}}
        precondition = requests.Precondition(uid=claim.uid) if planned else requests.Precondition(claim.version)
        planned.append(requests.patch(requests.CLAIMS, target.namespace, claim.name, body, precondition))
    return planned


def _tell(
    what: str,
    changed: Mapping[str, Any],
    live: Mapping[str, str],
    reasons: list[str],
    before: list[str],
    after: list[str],
) -> None:
    for key, value in changed.items():
        if key in _MARKS:
            continue
        reasons.append(f"its {what} {key} becomes {value}")
        if key in live:
            before.append(f"{what} {key}={live[key]}")
        after.append(f"{what} {key}={value}")


def _expands(ctx: Context, target: ShareTarget, claim: Claim, size: Optional[int]) -> bool:
    if size is None:
        return False
    expands, why_not = decide_expansion(size, target.share.size_text, claim, ctx.facts.classes)
    if why_not:
        ctx.differs(target, why_not)
    return expands


def _told_size(ctx: Context, target: ShareTarget, claim: Claim, size: Optional[int]) -> bool:
    """Tell of a static volume's size that differs: nothing can be done about it here, and nothing needs to be."""
    has = claim.size
    if size is not None and has is not None and size != has and not has < size <= (claim.capacity or 0):
        ctx.differs(
            target,
            f"has {format_size(has)} where {target.share.size_text} is asked for: its volume is static, and Kubernetes resizes "
            "only what a class made. The storage itself decides what fits, so let the size stand as it was",
        )
    return False


def _report_fixed(ctx: Context, target: ShareTarget, claim: Claim) -> None:
    """Report what Kubernetes lets nobody change on a claim, and what it has lost."""
    if MANY not in claim.access_modes:
        ctx.differs(
            target,
            f"has the access modes {quote_list(claim.access_modes)} and not {MANY}: servers on several nodes may not be able to "
            "mount it at once; modes hold for new claims only, so move the data to a new share to change them",
        )
    desired = target.share.spec.backend.storage_class
    if target.share.is_dynamic and desired is not None and claim.storage_class and claim.storage_class != desired:
        ctx.differs(
            target,
            f"has the storage class {claim.storage_class} where {desired} is asked for: a class holds for new claims only, "
            "move the data to a new share to change it",
        )
