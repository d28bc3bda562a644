# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A share whose volume a storage class makes: in one namespace by its claim, in the others as static copies of that volume."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .. import requests
from ..metadata import KIND_LABEL, KIND_SHARE, SHARE_KEY
from ..plan import CREATE, Change
from .backends import described, is_same_data
from .changes import Context, change, keep, line, place, refuse
from .copies import clone_source
from .desired import Share, ShareTarget
from .existing import keep_up, objection
from .facts import PATCH
from .manifests import claim_manifest
from .observed import PROVISIONED, RETAIN, Claim, Volume, share_of, what_else
from .static import Make, plan_static, take_up, unreadable, volume_objection
from .volumes import NOTHING, Fix, fix, retain

_OTHER_BACKEND = (
    "a share keeps its backend, for another one is other data: make a new share with it, copy what is to be kept, and retire "
    "this one"
)


class Held(NamedTuple):
    """What a share has in one namespace: a claim, its volume, or a volume that an earlier claim left."""

    target: ShareTarget
    claim: Optional[Claim] = None
    volume: Optional[Volume] = None


def plan_dynamic(ctx: Context, share: Share) -> list[Change]:
    """Plan a share of a storage class in all its namespaces."""
    targets = share.targets()
    if len(targets) == 1:
        return [_plan_alone(ctx, targets[0])]
    held = [_held(ctx, target) for target in targets]
    origin = _origin(held)
    if origin is None:
        return _plan_unbound(ctx, held)
    return [_plan_around(ctx, here, origin) for here in held]


def _plan_alone(ctx: Context, target: ShareTarget) -> Change:
    """A share in one namespace: its volume is of interest only where there is no claim, or it may be one of ours."""
    claim = ctx.live.claim(target.namespace, target.claim)
    if claim is None:
        left = _left_volumes(ctx, target, unmarked=True)
        if ctx.live.volumes_error:
            ctx.notes[
                f"Whether an earlier claim of a share left its volume is not known, for {ctx.live.volumes_error}"
            ] = None
        if len(left) > 1:
            return _several_left(target, left)
        if not left:
            return _creation(ctx, target)
        return _own_backend(target, left[0]) or take_up(
            ctx, target, left[0], (), target.share.size or 0, target.share.size_text
        )
    refused = objection(ctx, target, claim)
    if refused is not None:
        return refused
    refused = _adopted_before(ctx, target, claim)
    if refused is not None:
        return refused
    if claim.volume and (claim.volume == target.volume or claim.phase != "Bound"):
        # Static by its name: a copy that outlived its first namespace, or a share that had another backend. Or not bound
        # to the volume that it names.
        volume = ctx.live.volume(claim.volume)
        if ctx.live.volumes_error:
            return unreadable(ctx, target)
        if volume is not None:
            expands = volume.name != target.volume
            return _own_backend(target, volume) or _keep_with_volume(ctx, target, claim, volume, expands)
    return keep_up(ctx, target, claim, expands=True, size=target.share.size)


def _left_volumes(ctx: Context, target: ShareTarget, unmarked: bool = False) -> list[Volume]:
    """The share's own volumes that a claim left; `unmarked` has all volumes read, for others are to be looked at next."""
    found = ctx.live.volumes_for(target.namespace, target.claim, unmarked)
    return [volume for volume in found if volume.share == target.share.name and not volume.deleting]


def _several_left(target: ShareTarget, left: list[Volume]) -> Change:
    names = " and ".join(volume.name for volume in left)
    return refuse(
        target,
        f"earlier claims left the volumes {names}, and which of them is meant is not known: take the label odh.persistency/kind "
        "off those that are not",
    )


def _creation(ctx: Context, target: ShareTarget) -> Change:
    """A new claim, and so a new and empty volume."""
    share = target.share
    for volume in ctx.live.volumes_for(target.namespace, target.claim, unmarked=True):
        if volume.share is None and volume.phase == "Released":
            return refuse(
                target,
                f"its claim is gone, and left the volume {volume.name}, which no mark calls the share's, so it would begin anew "
                f"and empty: to have that data again, set the label {KIND_LABEL}={KIND_SHARE} and the annotation "
                f"{SHARE_KEY}={share.name} on the volume; if it is not wanted, remove its claimRef",
            )
    storage_class = share.spec.backend.storage_class
    manifest = claim_manifest(target, share.size_text, storage_class)
    return change(
        CREATE,
        target,
        f"the share is not in {target.namespace} yet",
        after=line(target, target.claim, share.size, place(storage_class, "", None), []),
        operations=(requests.create(requests.CLAIMS, target.namespace, manifest),),
    )


def _own_backend(target: ShareTarget, volume: Volume) -> Optional[Change]:
    """Refuse a share that had a static backend before."""
    if volume.name == target.volume and volume.share in (None, target.share.name) and volume.clone_of is None:
        return _static_before(target, volume)
    return None


def _static_before(target: ShareTarget, volume: Volume) -> Change:
    where = described(volume.source)
    return refuse(target, f"its volume {volume.name} is {where} where a storage class is asked for: {_OTHER_BACKEND}")


def _adopted_before(ctx: Context, target: ShareTarget, claim: Claim) -> Optional[Change]:
    """Refuse a share that had a static backend before, on a volume made by hand.

    Its claim has no class then, and its volume, which no class made, bears our marks without being a copy.
    """
    if not claim.volume or claim.storage_class != "" or claim.volume == target.volume:
        return None
    volume = ctx.live.volume(claim.volume)
    if volume is None or volume.share != target.share.name or volume.clone_of is not None:
        return None
    return None if PROVISIONED in volume.annotations else _static_before(target, volume)


def _keep_with_volume(ctx: Context, target: ShareTarget, claim: Claim, volume: Volume, expands: bool) -> Change:
    refused = volume_objection(target, volume, claim)
    if refused is not None:
        return refused
    fixes, refused = fix(ctx, target, volume, claim.uid, lost=claim.phase == "Lost")
    if refused is not None:
        return refused
    return keep_up(ctx, target, claim, volume, fixes, expands=expands, size=target.share.size if expands else None)


# -- in several namespaces ------------------------------------------------------------------------------------------


def _held(ctx: Context, target: ShareTarget) -> Held:
    claim = ctx.live.claim(target.namespace, target.claim)
    if claim is None:
        left = _left_volumes(ctx, target)
        return Held(target, None, left[0] if left else None)
    return Held(target, claim, ctx.live.volume(claim.volume) if claim.volume else None)


def _is_ours(here: Held) -> bool:
    """Whether what is in a namespace may be the share at all; if not, its own change says so."""
    claim, volume, share = here.claim, here.volume, here.target.share
    if claim is not None and (claim.deleting or what_else(claim) or share_of(claim) not in (None, share.name)):
        return False
    if volume is None or volume.share not in (None, share.name):
        return False
    if claim is not None and not volume.is_for(here.target.namespace, claim.name):
        return False
    return claim is None or volume.claim_uid in ("", claim.uid) or volume.phase == "Released"


def _origin(held: list[Held]) -> Optional[Held]:
    """Return the one whose volume the others are copies of: made by a class, if there is one, and bound to its claim."""
    candidates = [here for here in held if _is_ours(here)]
    ranked = sorted(candidates, key=_rank)
    return ranked[0] if ranked else None


def _rank(here: Held) -> tuple[bool, bool, bool]:
    """Lowest first: no copy of ours, made by a provisioner, with a claim."""
    volume = here.volume
    if volume is None:
        return (True, True, True)
    return (volume.name == here.target.volume, PROVISIONED not in volume.annotations, here.claim is None)


def _plan_unbound(ctx: Context, held: list[Held]) -> list[Change]:
    """No volume yet: the claim in the first namespace (or the one that is there) waits for one, and the others for it."""
    first = next((here for here in held if here.claim is not None and not here.claim.deleting), held[0])
    changes = []
    for here in held:
        target, claim = here.target, here.claim
        if claim is not None:
            refused = objection(ctx, target, claim)
            if refused is None and ctx.live.volumes_error:
                refused = unreadable(ctx, target)
            if refused is None and here is not first and claim.volume != target.volume:
                refused = _second_claim(target, claim, first)
            changes.append(refused or keep_up(ctx, target, claim, expands=True, size=target.share.size))
        elif here is first:
            changes.append(unreadable(ctx, target) if ctx.live.volumes_error else _creation(ctx, target))
        else:
            changes.append(_waiting(ctx, target, first.target))
    return changes


def _second_claim(target: ShareTarget, claim: Claim, first: Held) -> Change:
    return refuse(
        target,
        f"claim {claim.name} waits for a volume of its own, beside the one that {first.target.namespace} gets, and would hold "
        "other data: delete it, if nothing needs it, and run again",
    )


def _waiting(ctx: Context, target: ShareTarget, first: ShareTarget) -> Change:
    why = f"is not there yet, for its claim in {first.namespace} is not bound to a volume: run again once it is"
    ctx.differs(target, why)
    return keep(target, why)


def _plan_around(ctx: Context, here: Held, origin: Held) -> Change:
    """Plan one namespace of a share whose volume is known."""
    target, claim, volume = here
    if claim is not None:
        refused = objection(ctx, target, claim)
        if refused is not None:
            return refused
    if ctx.live.volumes_error:
        return unreadable(ctx, target)
    source = origin.volume
    if source is None:
        return _waiting(ctx, target, origin.target)
    if volume is not None:
        is_copy = here is not origin and is_same_data(volume.source, source.source)
        # A copy that lost its marks is still one.
        refused = None if is_copy and volume.share is None else _own_backend(target, volume)
        if refused is None and here is not origin and not is_same_data(volume.source, source.source):
            refused = refuse(
                target,
                f"its volume {volume.name} is {described(volume.source)}, and that of {origin.target.namespace} is "
                f"{described(source.source)}: one share is one place, so retire it in one of the two namespaces",
            )
        if refused is not None:
            return refused
        if claim is not None:
            return _keep_with_volume(ctx, target, claim, volume, here is origin and volume.name != target.volume)
        left = _left_volumes(ctx, target)
        if len(left) > 1:
            return _several_left(target, left)
        if here is origin and volume.name != target.volume:
            return take_up(ctx, target, volume, (), target.share.size or 0, target.share.size_text)
        return take_up(ctx, target, volume, (), volume.capacity or 0, volume.capacity_text)
    if claim is not None and claim.volume != target.volume:
        if claim.volume:
            return refuse(
                target,
                f"the claim {claim.name} names the volume {claim.volume}, which does not exist: restore that volume",
            )
        return _second_claim(target, claim, origin)
    made = clone_source(source, target.share.spec.backend, target.volume)
    if isinstance(made, str):
        return refuse(target, made)
    first, refused = _kept_first(ctx, target, source)
    if refused is not None:
        return refused
    make = Make(
        made,
        source.capacity or 0,
        source.capacity_text,
        source.mount_options,
        clone_of=source.name,
        affinity=source.affinity,
        first=first,
    )
    return plan_static(ctx, target, make)


def _kept_first(ctx: Context, target: ShareTarget, source: Volume) -> tuple[Fix, Optional[Change]]:
    """What is due before a volume is copied: the policy of most classes would take the data, and every copy with it."""
    if source.policy == RETAIN:
        return NOTHING, None
    error = ctx.facts.may_not(PATCH)
    if error:
        return NOTHING, refuse(
            target,
            f"the volume {source.name} would go with its claim ({source.policy}), and its data with it, so it is not shared with "
            f"{target.namespace} before it is set to Retain, but {error}: have that rule granted, or set it by hand first",
        )
    return Fix((retain(source),), (f"the volume {source.name} is set to Retain first",)), None
