# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A share whose volume a storage class makes: in one namespace by its claim, in the others as static copies of that volume."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .. import steps
from ..kubespawner import KIND_LABEL
from ..plan import CREATE, Change
from .about import Context, change, keep, line, place, refuse
from .backends import described, is_same_data
from .cloning import clone_source
from .existing import keep_up, objection
from .live import PROVISIONED, RETAIN, Claim, Volume, share_of, what_else
from .lookups import PATCH
from .manifests import claim_manifest
from .naming import KIND_SHARE, SHARE_KEY
from .static import Make, plan_static, take_up, unreadable, volume_objection
from .volumes import NOTHING, Fix, fix, retain
from .wanted import Share, Spot

_OTHER_BACKEND = (
    "a share keeps its backend, for another one is other data: make a new share with it, copy what is to be kept, and retire "
    "this one"
)


class Held(NamedTuple):
    """What a share has in one namespace: a claim, its volume, or a volume that an earlier claim left."""

    spot: Spot
    claim: Optional[Claim] = None
    volume: Optional[Volume] = None


def plan_dynamic(ctx: Context, share: Share) -> list[Change]:
    """Plan a share of a storage class in all its namespaces."""
    spots = share.spots()
    if len(spots) == 1:
        return [_plan_alone(ctx, spots[0])]
    held = [_held(ctx, spot) for spot in spots]
    origin = _origin(held)
    if origin is None:
        return _plan_unbound(ctx, held)
    return [_plan_around(ctx, here, origin) for here in held]


def _plan_alone(ctx: Context, spot: Spot) -> Change:
    """A share in one namespace: its volume is of interest only where there is no claim, or it may be one of ours."""
    claim = ctx.live.claim(spot.namespace, spot.claim)
    if claim is None:
        left = _left_volumes(ctx, spot, unmarked=True)
        if ctx.live.volumes_fault:
            ctx.notes[
                f"Whether an earlier claim of a share left its volume is not known, for {ctx.live.volumes_fault}"
            ] = None
        if len(left) > 1:
            return _several_left(spot, left)
        if not left:
            return _creation(ctx, spot)
        return _own_backend(spot, left[0]) or take_up(
            ctx, spot, left[0], (), spot.share.size or 0, spot.share.size_text
        )
    refused = objection(ctx, spot, claim)
    if refused is not None:
        return refused
    refused = _adopted_before(ctx, spot, claim)
    if refused is not None:
        return refused
    if claim.volume and (claim.volume == spot.volume or claim.phase != "Bound"):
        # Static by its name: a copy that outlived its first namespace, or a share that had another backend. Or not bound
        # to the volume that it names.
        volume = ctx.live.volume(claim.volume)
        if ctx.live.volumes_fault:
            return unreadable(ctx, spot)
        if volume is not None:
            grows = volume.name != spot.volume
            return _own_backend(spot, volume) or _keep_with_volume(ctx, spot, claim, volume, grows)
    return keep_up(ctx, spot, claim, grows=True, size=spot.share.size)


def _left_volumes(ctx: Context, spot: Spot, unmarked: bool = False) -> list[Volume]:
    """The share's own volumes that a claim left; `unmarked` has all volumes read, for others are to be looked at next."""
    found = ctx.live.volumes_for(spot.namespace, spot.claim, unmarked)
    return [volume for volume in found if volume.share == spot.share.name and not volume.deleting]


def _several_left(spot: Spot, left: list[Volume]) -> Change:
    names = " and ".join(volume.name for volume in left)
    return refuse(
        spot,
        f"earlier claims left the volumes {names}, and which of them is meant is not known: take the label odh.persistency/kind "
        "off those that are not",
    )


def _creation(ctx: Context, spot: Spot) -> Change:
    """A new claim, and so a new and empty volume."""
    share = spot.share
    for volume in ctx.live.volumes_for(spot.namespace, spot.claim, unmarked=True):
        if volume.share is None and volume.phase == "Released":
            return refuse(
                spot,
                f"its claim is gone, and left the volume {volume.name}, which no mark calls the share's, so it would begin anew "
                f"and empty: to have that data again, set the label {KIND_LABEL}={KIND_SHARE} and the annotation "
                f"{SHARE_KEY}={share.name} on the volume; if it is not wanted, remove its claimRef",
            )
    storage_class = share.entry.backend.storage_class
    manifest = claim_manifest(spot, share.size_text, storage_class)
    return change(
        CREATE,
        spot,
        f"the share is not in {spot.namespace} yet",
        after=line(spot, spot.claim, share.size, place(storage_class, "", None), []),
        steps=(steps.create(steps.CLAIMS, spot.namespace, manifest),),
    )


def _own_backend(spot: Spot, volume: Volume) -> Optional[Change]:
    """Refuse a share that had a static backend before."""
    if volume.name == spot.volume and volume.share in (None, spot.share.name) and volume.clone_of is None:
        return _static_before(spot, volume)
    return None


def _static_before(spot: Spot, volume: Volume) -> Change:
    where = described(volume.source)
    return refuse(spot, f"its volume {volume.name} is {where} where a storage class is asked for: {_OTHER_BACKEND}")


def _adopted_before(ctx: Context, spot: Spot, claim: Claim) -> Optional[Change]:
    """Refuse a share that had a static backend before, on a volume made by hand.

    Its claim has no class then, and its volume, which no class made, bears our marks without being a copy.
    """
    if not claim.volume or claim.storage_class != "" or claim.volume == spot.volume:
        return None
    volume = ctx.live.volume(claim.volume)
    if volume is None or volume.share != spot.share.name or volume.clone_of is not None:
        return None
    return None if PROVISIONED in volume.annotations else _static_before(spot, volume)


def _keep_with_volume(ctx: Context, spot: Spot, claim: Claim, volume: Volume, grows: bool) -> Change:
    refused = volume_objection(spot, volume, claim)
    if refused is not None:
        return refused
    fixes, refused = fix(ctx, spot, volume, claim.uid, lost=claim.phase == "Lost")
    if refused is not None:
        return refused
    return keep_up(ctx, spot, claim, volume, fixes, grows=grows, size=spot.share.size if grows else None)


# -- in several namespaces ------------------------------------------------------------------------------------------


def _held(ctx: Context, spot: Spot) -> Held:
    claim = ctx.live.claim(spot.namespace, spot.claim)
    if claim is None:
        left = _left_volumes(ctx, spot)
        return Held(spot, None, left[0] if left else None)
    return Held(spot, claim, ctx.live.volume(claim.volume) if claim.volume else None)


def _is_ours(here: Held) -> bool:
    """Whether what is in a namespace may be the share at all; if not, its own change says so."""
    claim, volume, share = here.claim, here.volume, here.spot.share
    if claim is not None and (claim.deleting or what_else(claim) or share_of(claim) not in (None, share.name)):
        return False
    if volume is None or volume.share not in (None, share.name):
        return False
    if claim is not None and not volume.is_for(here.spot.namespace, claim.name):
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
    return (volume.name == here.spot.volume, PROVISIONED not in volume.annotations, here.claim is None)


def _plan_unbound(ctx: Context, held: list[Held]) -> list[Change]:
    """No volume yet: the claim in the first namespace (or the one that is there) waits for one, and the others for it."""
    first = next((here for here in held if here.claim is not None and not here.claim.deleting), held[0])
    changes = []
    for here in held:
        spot, claim = here.spot, here.claim
        if claim is not None:
            refused = objection(ctx, spot, claim)
            if refused is None and ctx.live.volumes_fault:
                refused = unreadable(ctx, spot)
            if refused is None and here is not first and claim.volume != spot.volume:
                refused = _second_claim(spot, claim, first)
            changes.append(refused or keep_up(ctx, spot, claim, grows=True, size=spot.share.size))
        elif here is first:
            changes.append(unreadable(ctx, spot) if ctx.live.volumes_fault else _creation(ctx, spot))
        else:
            changes.append(_waiting(ctx, spot, first.spot))
    return changes


def _second_claim(spot: Spot, claim: Claim, first: Held) -> Change:
    return refuse(
        spot,
        f"the claim {claim.name} waits for a volume of its own, beside the one that {first.spot.namespace} gets, and would hold "
        "other data: delete it, if nothing needs it, and run again",
    )


def _waiting(ctx: Context, spot: Spot, first: Spot) -> Change:
    why = f"is not there yet, for its claim in {first.namespace} is not bound to a volume: run again once it is"
    ctx.differs(spot, why)
    return keep(spot, why)


def _plan_around(ctx: Context, here: Held, origin: Held) -> Change:
    """Plan one namespace of a share whose volume is known."""
    spot, claim, volume = here
    if claim is not None:
        refused = objection(ctx, spot, claim)
        if refused is not None:
            return refused
    if ctx.live.volumes_fault:
        return unreadable(ctx, spot)
    source = origin.volume
    if source is None:
        return _waiting(ctx, spot, origin.spot)
    if volume is not None:
        is_copy = here is not origin and is_same_data(volume.source, source.source)
        # A copy that lost its marks is still one.
        refused = None if is_copy and volume.share is None else _own_backend(spot, volume)
        if refused is None and here is not origin and not is_same_data(volume.source, source.source):
            refused = refuse(
                spot,
                f"its volume {volume.name} is {described(volume.source)}, and that of {origin.spot.namespace} is "
                f"{described(source.source)}: one share is one place, so retire it in one of the two namespaces",
            )
        if refused is not None:
            return refused
        if claim is not None:
            return _keep_with_volume(ctx, spot, claim, volume, here is origin and volume.name != spot.volume)
        left = _left_volumes(ctx, spot)
        if len(left) > 1:
            return _several_left(spot, left)
        if here is origin and volume.name != spot.volume:
            return take_up(ctx, spot, volume, (), spot.share.size or 0, spot.share.size_text)
        return take_up(ctx, spot, volume, (), volume.capacity or 0, volume.capacity_text)
    if claim is not None and claim.volume != spot.volume:
        if claim.volume:
            return refuse(
                spot,
                f"the claim {claim.name} names the volume {claim.volume}, which does not exist: restore that volume",
            )
        return _second_claim(spot, claim, origin)
    made = clone_source(source, spot.share.entry.backend, spot.volume)
    if isinstance(made, str):
        return refuse(spot, made)
    first, refused = _kept_first(ctx, spot, source)
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
    return plan_static(ctx, spot, make)


def _kept_first(ctx: Context, spot: Spot, source: Volume) -> tuple[Fix, Optional[Change]]:
    """What is due before a volume is copied: the policy of most classes would take the data, and every copy with it."""
    if source.policy == RETAIN:
        return NOTHING, None
    fault = ctx.lookups.may_not(PATCH)
    if fault:
        return NOTHING, refuse(
            spot,
            f"the volume {source.name} would go with its claim ({source.policy}), and its data with it, so it is not shared with "
            f"{spot.namespace} before it is set to Retain, but {fault}: have that rule granted, or set it by hand first",
        )
    return Fix((retain(source),), (f"the volume {source.name} is set to Retain first",)), None
