# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A share in a namespace whose volume is static: made by us for that very claim, or by hand and adopted when it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Optional

from .. import requests
from ..kubernetes.volumes import Source
from ..plan import CREATE, Change
from ..quantity import format_size
from ..text import quote_list
from .backends import described, difference, given_handle, lesser_differences, static_source
from .changes import Context, change, line, place, refuse
from .desired import ShareTarget
from .existing import keep_up, objection
from .manifests import claim_manifest, volume_manifest
from .observed import MANY, Claim, Volume
from .volumes import Fix, fix

_MOVE = "other data is another share: make a new one there, copy what is to be kept, and retire this one"


class Make(NamedTuple):
    """The volume that a share has, or gets, in a namespace.

    `handle` is the volumeHandle that its entry names itself; `clone_of` the volume that it is a copy of; `first` is what
    must be done before it may be made. `size` is in bytes.
    """

    source: Source
    size: int
    size_text: str
    mount_options: Sequence[str] = ()
    handle: str = ""
    clone_of: str = ""
    affinity: Optional[Mapping[str, Any]] = None
    first: Fix = Fix()


def made_by_entry(target: ShareTarget) -> Make:
    """Return the volume that a share's entry asks for in a namespace."""
    share = target.share
    backend = share.spec.backend
    return Make(
        static_source(share.spec, target.namespace),
        share.size or 0,
        share.size_text,
        backend.mount_options,
        given_handle(backend, target.namespace),
    )


def plan_static(ctx: Context, target: ShareTarget, make: Make) -> Change:
    """Plan a static volume and its claim: made, completed, adopted or taken up again."""
    claim = ctx.live.claim(target.namespace, target.claim)
    if claim is None:
        return _plan_without_claim(ctx, target, make)
    refused = objection(ctx, target, claim)
    if refused is not None:
        return refused
    if not claim.volume:
        return _plan_unbound(ctx, target, claim, make)
    volume = ctx.live.volume(claim.volume)
    if volume is not None:
        return _plan_bound(ctx, target, claim, volume, make)
    if ctx.live.volumes_error:
        return unreadable(ctx, target)
    if claim.volume == target.volume:
        return _make_again(ctx, target, claim, make)
    return refuse(
        target,
        f"the claim {claim.name} names the volume {claim.volume}, which does not exist: restore that volume, or delete the claim "
        "so that it is made anew",
    )


def unreadable(ctx: Context, target: ShareTarget) -> Change:
    """Refuse what turns on volumes that this login may not read."""
    return refuse(target, f"its volume cannot be looked at, for {ctx.live.volumes_error}")


def _plan_without_claim(ctx: Context, target: ShareTarget, make: Make) -> Change:
    own = ctx.live.volume(target.volume)
    reserved = [own] if own is not None else []
    if own is None:
        reserved = ctx.live.volumes_for(target.namespace, target.claim, unmarked=True)
    if ctx.live.volumes_error:
        return unreadable(ctx, target)
    fitting = []
    for volume in reserved:
        unlike = difference(make.source, volume.source, make.handle)
        if unlike is None:
            fitting.append(volume)
        elif volume is own or (volume.phase == "Available" and volume.share is None):
            return refuse(target, f"the volume {volume.name}, reserved for its claim, {unlike}: {_MOVE}")
        elif volume.share == target.share.name:
            ctx.differs(target, f"left the volume {volume.name} behind, which {unlike}: it stays as it is")
    if len(fitting) > 1:
        names = quote_list([volume.name for volume in fitting])
        return refuse(
            target,
            f"the volumes {names} are all reserved for its claim: remove the claimRef of those that are not meant",
        )
    if fitting:
        for unlike in lesser_differences(make.source, fitting[0].source) if not make.clone_of else ():
            ctx.differs(target, f"gets a volume that {unlike}: what a volume is made of cannot be changed")
        return take_up(ctx, target, fitting[0], make.mount_options, make.size, make.size_text)
    manifest = volume_manifest(
        target, make.source, make.size_text, make.mount_options, clone_of=make.clone_of, affinity=make.affinity
    )
    return change(
        CREATE,
        target,
        "; ".join((_origin_told(target, make), *make.first.reasons)),
        after=line(target, target.claim, make.size, place("", target.volume, make.source), []),
        operations=(
            *make.first.operations,
            requests.create(requests.VOLUMES, "", manifest),
            requests.create(
                requests.CLAIMS, target.namespace, claim_manifest(target, make.size_text, "", target.volume)
            ),
        ),
    )


def _origin_told(target: ShareTarget, make: Make) -> str:
    if make.clone_of:
        return f"the share is not in {target.namespace} yet; the volume {make.clone_of} is shared with it"
    return f"the share is not in {target.namespace} yet"


def take_up(
    ctx: Context, target: ShareTarget, volume: Volume, mount_options: Sequence[str], size: int, size_text: str
) -> Change:
    """Make the claim of a volume that is there: one whose making was interrupted, left by an earlier claim, or made by hand."""
    refused = volume_objection(target, volume, None)
    if refused is not None:
        return refused
    if volume.phase == "Failed":
        return refuse(
            target, f"reclaiming the volume {volume.name} failed, so what it holds is not known: look at it first"
        )
    if MANY not in volume.access_modes:
        return refuse(
            target,
            f"the volume {volume.name} does not offer {MANY}, which a share needs: make a new share for the data",
        )
    fixes, refused = fix(ctx, target, volume, None, mount_options)
    if refused is not None:
        return refused
    if volume.capacity is not None and volume.capacity < size:
        # A claim that asks for more than its volume has is never bound.
        ctx.differs(
            target, f"gets the {volume.capacity_text} that its volume {volume.name} has, where {size_text} is asked for"
        )
        size, size_text = volume.capacity, volume.capacity_text
    manifest = claim_manifest(target, size_text, volume.storage_class, volume.name)
    return change(
        CREATE,
        target,
        "; ".join((f"the volume {volume.name} is there, and its claim is not", *fixes.reasons)),
        after=line(target, target.claim, size, place("", volume.name, volume.source), []),
        operations=(*fixes.operations, requests.create(requests.CLAIMS, target.namespace, manifest)),
    )


def volume_objection(target: ShareTarget, volume: Volume, claim: Optional[Claim]) -> Optional[Change]:
    """Return the refusal of a volume that may not be this share's, None where it may."""
    if volume.share is not None and volume.share != target.share.name:
        return refuse(
            target, f"the volume {volume.name} is that of the share {volume.share}: one volume is never two shares'"
        )
    if volume.claim_name and not volume.is_for(target.namespace, target.claim):
        return refuse(
            target,
            f"the volume {volume.name} belongs to the claim {volume.claim_name} in {volume.claim_namespace}: nothing of it is "
            "touched, so free its name, or give the share another",
        )
    if not volume.claim_name and volume.share is None and claim is None:
        return refuse(
            target,
            f"the volume {volume.name} has the name of this share's volume, and nothing says that it is one: rename or remove it",
        )
    if volume.deleting and claim is None:
        return refuse(target, f"the volume {volume.name} is being deleted: run again once it is gone (its data stays)")
    return None


def _plan_unbound(ctx: Context, target: ShareTarget, claim: Claim, make: Make) -> Change:
    """A claim that names no volume: ours is reserved for it, and is bound to it when it asks for no class."""
    if claim.storage_class != "":
        return refuse(
            target,
            f"the claim {claim.name} waits for a volume of the class {claim.storage_class or 'that is the default'}, where "
            f"{described(make.source)} is asked for: delete it, if nothing needs it, and run again",
        )
    reserved = ctx.live.volume(target.volume)
    found = [reserved] if reserved is not None else ctx.live.volumes_for(target.namespace, target.claim, unmarked=True)
    if ctx.live.volumes_error:
        return unreadable(ctx, target)
    for volume in found:
        if difference(make.source, volume.source, make.handle) is None or volume is reserved:
            return _plan_bound(ctx, target, claim, volume, make)
    return _make_again(ctx, target, claim, make)


def _make_again(ctx: Context, target: ShareTarget, claim: Claim, make: Make) -> Change:
    """The claim is there, and its volume is not: a run was cut short, or somebody removed the volume."""
    size, text = make.size, make.size_text
    if claim.size is not None and claim.size > size:
        size, text = claim.size, format_size(claim.size)
    lost = claim.phase == "Lost"
    _tell_unbindable(ctx, target, claim, target.volume, size, (MANY,))
    manifest = volume_manifest(
        target, make.source, text, make.mount_options, claim.uid if lost else "", make.clone_of, make.affinity
    )
    fixes = Fix(
        (*make.first.operations, requests.create(requests.VOLUMES, "", manifest)),
        (*make.first.reasons, f"its volume {target.volume} is {'gone and made anew' if lost else 'made'}"),
    )
    found = keep_up(ctx, target, claim, None, fixes, expands=False, size=None if make.clone_of else make.size)
    return replace(found, after=line(target, claim.name, claim.size, place("", target.volume, make.source), []))


def _tell_unbindable(
    ctx: Context,
    target: ShareTarget,
    claim: Claim,
    volume: str,
    capacity: Optional[int],
    modes: Sequence[str],
) -> None:
    """Tell of a claim that Kubernetes will never bind to its volume, however long it waits.

    One that names its volume is bound to it whatever the two ask and offer, and classes count for none that is reserved.
    """
    if claim.volume or claim.phase in ("Bound", "Lost"):
        return
    why = []
    if claim.size is not None and capacity is not None and claim.size > capacity:
        why.append(f"asks for {format_size(claim.size)} where that has {format_size(capacity)}")
    lacking = [mode for mode in claim.access_modes if mode not in modes]
    if lacking:
        why.append(f"asks for {quote_list(lacking)}, which that does not offer")
    if why:
        ctx.differs(
            target,
            f"is never bound to its volume {volume}, for it {' and '.join(why)}: delete the claim, if nothing needs it, and run "
            "again",
        )


def _plan_bound(ctx: Context, target: ShareTarget, claim: Claim, volume: Volume, make: Make) -> Change:
    refused = volume_objection(target, volume, claim)
    if refused is not None:
        return refused
    unlike = difference(make.source, volume.source, make.handle)
    if unlike is not None:
        return refuse(target, f"the volume {volume.name} of the claim {claim.name} {unlike}: {_MOVE}")
    fixes, refused = fix(
        ctx, target, volume, claim.uid, make.mount_options if not make.clone_of else (), lost=claim.phase == "Lost"
    )
    if refused is not None:
        return refused
    _tell_unbindable(ctx, target, claim, volume.name, volume.capacity, volume.access_modes)
    if volume.deleting:
        ctx.differs(
            target, f"keeps its volume {volume.name} only until the claim goes: somebody asked to delete the volume"
        )
    for unlike in lesser_differences(make.source, volume.source) if not make.clone_of else ():
        ctx.differs(target, f"is on a volume that {unlike}: what a volume is made of cannot be changed")
    return keep_up(ctx, target, claim, volume, fixes, expands=False, size=None if make.clone_of else make.size)
