# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""That one share is one place: existing claims in several namespaces, and claims of its name where this run does not look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ..plan import ADOPT, CREATE, REFUSE, Change
from ..text import quote_list
from .backends import described, is_same_data, place_of
from .changes import Context, refuse
from .conflicts import source_of
from .desired import ShareTarget
from .observed import PROVISIONED, Volume


def other_place(ctx: Context, change: Change) -> Optional[Change]:
    """Refuse an existing claim whose data is not that of the share's claims in its other namespaces."""
    target: ShareTarget = change.subject
    here = _bound_volume(ctx, target) if len(target.share.namespaces) > 1 and change.action != REFUSE else None
    if here is None:
        return None
    for other in target.share.targets():
        there = _bound_volume(ctx, other) if other.namespace != target.namespace else None
        if there is None or is_same_data(here.source, there.source):
            continue
        mine, theirs = (f"{described(volume.source)} (volume {volume.name})" for volume in (here, there))
        is_known = any(place_of(volume.source) is not None for volume in (here, there))
        if is_known or all(PROVISIONED in volume.annotations for volume in (here, there)):
            return refuse(
                target,
                f"its claim {target.claim} is {mine}, and that in {other.namespace} is {theirs}: one share is one place, so make "
                "them two shares",
            )
        if change.action == ADOPT:
            # A driver that is not known here may call one place by several handles.
            ctx.notes[
                f"{target.share.spec.position} ({target.share.name}): whether {mine} in {target.namespace} and {theirs} in "
                f"{other.namespace} are the same data is not known here: see that they are"
            ] = None
    return None


def _bound_volume(ctx: Context, target: ShareTarget) -> Optional[Volume]:
    claim = ctx.live.claim(target.namespace, target.claim)
    volume = ctx.live.volume(claim.volume) if claim is not None and claim.volume else None
    return volume if claim is not None and volume is not None and volume.claim_uid == claim.uid else None


def made_elsewhere(ctx: Context, changes: Sequence[Change]) -> list[str]:
    """Warn of shares that are made while claims of their names are in other namespaces: moved by its list, one begins empty.

    No more than that, for two hubs may each have a share of a name.
    """
    made = [change for change in changes if change.action == CREATE]
    if not made:
        return []
    ctx.live.ask_everywhere()
    found: dict[str, set[str]] = {}
    for change in made:
        target: ShareTarget = change.subject
        source = source_of(ctx, change)
        for namespace, claim in ctx.live.claims_everywhere(target.share.name):
            if namespace in target.share.namespaces or claim.deleting or claim.retired_at is not None:
                continue
            there = ctx.live.known_volume(claim.volume)
            if source is None or there is None or not is_same_data(source, there.source):
                found.setdefault(f"{target.share.spec.position} ({target.share.name})", set()).add(namespace)
    return [
        f"{who}: a share of this name has a claim in {quote_list(sorted(where))} too, and what is made now is other data: if the "
        "two are one share, name all of its namespaces"
        for who, where in found.items()
    ]
