# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""That what is about to become a share's is not another one's data, nor a home's, by what lives in the cluster.

The list of a run is held against itself before anything is read (`paths.shared_data`). Here come shares that this run does
not list, and volumes that somebody else made: of a class, or by hand. Only what is new is looked at, so a run that has
nothing to do asks nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from ..plan import ADOPT, CREATE, Change
from ..steps import CREATE as MAKE
from ..steps import VOLUMES
from .about import Context, refuse
from .backends import Source, described, place_of
from .entries import PRESENT
from .live import Volume, share_of, volume_from, what_else
from .paths import is_inside
from .wanted import Share, Spot


class _Holder(NamedTuple):
    """What holds a folder: of which share it is ("" for a home), and both in words."""

    path: str
    share: str
    told: str
    volume: str


def keep_apart(ctx: Context, shares: Sequence[Share], changes: Sequence[Change]) -> list[Change]:
    """Return the changes, of which those are refused that would make a share of data that is another's."""
    found = list(changes)
    placed = []
    for number, change in enumerate(found):
        source = _source(ctx, change) if change.action in (CREATE, ADOPT) else None
        if change.action == ADOPT and source is None and ctx.live.volumes_fault:
            ctx.notes[_unknown(ctx)] = None
        place = place_of(source) if source is not None else None
        if source is not None and place is not None:
            placed.append((number, source, place))
    if not placed:
        return found
    volumes = ctx.live.all_volumes()
    if volumes is None:
        if ctx.live.volumes_fault:
            ctx.notes[_unknown(ctx)] = None
        return found
    holders = _holders(ctx, shares, volumes)
    for number, source, (where, path) in placed:
        spot: Spot = found[number].subject
        for holder in _around(holders.get(where, ([], [])), path):
            if holder.share != spot.share.name:
                found[number] = refuse(spot, _reason(source, path, holder), found[number].name)
                break
    return found


def _unknown(ctx: Context) -> str:
    return f"Whether new shares hold the data of others is not known, for {ctx.live.volumes_fault}"


def _reason(source: Source, path: str, holder: _Holder) -> str:
    how = "is" if path == holder.path else "lies inside" if is_inside(path, holder.path) else "is around"
    way = (
        f"retire {holder.share} first if this one takes its place"
        if holder.share
        else "take the data out of there first"
    )
    return (
        f"its data ({described(source)}) {how} that of {holder.told} (volume {holder.volume}), so who may use it could reach "
        f"the other: give it a place of its own, or {way}"
    )


def _source(ctx: Context, change: Change) -> Optional[Source]:
    """Where the data is that a change makes a share of; None where a class is yet to make its volume."""
    for step in change.steps:
        if step.verb == MAKE and step.resource == VOLUMES:
            return volume_from(step.body).source
    claim = ctx.live.claim(change.namespace, change.name)
    volume = ctx.live.volume(claim.volume) if claim is not None and claim.volume else None
    return volume.source if volume is not None else None


_Sorted = tuple[list[list[str]], list[_Holder]]


def _holders(ctx: Context, shares: Sequence[Share], volumes: Sequence[Volume]) -> dict[str, _Sorted]:
    """What is known to hold data, by what its folder is a path of: the parts of the paths in order, and whose they are."""
    listed = {
        (spot.namespace, spot.claim): share.name for share in shares if share.state == PRESENT for spot in share.spots()
    }
    leaving = {share.name for share in shares if share.state != PRESENT}
    holders: dict[str, list[_Holder]] = {}
    for volume in volumes:
        place = place_of(volume.source)
        if place is None:
            continue
        holder = _holder(ctx, volume, place[1], listed)
        if holder is not None and holder.share not in leaving:
            holders.setdefault(place[0], []).append(holder)
    for found in holders.values():
        found.sort(key=lambda holder: _key(holder.path))
    return {where: ([_key(holder.path) for holder in found], found) for where, found in holders.items()}


def _holder(ctx: Context, volume: Volume, path: str, listed: dict[tuple[str, str], str]) -> Optional[_Holder]:
    at = (volume.claim_namespace, volume.claim_name)
    claim = ctx.live.known_claim(*at)
    if claim is not None and claim.volume not in ("", volume.name):
        claim = None
    if volume.retired_at is not None or (claim is not None and claim.retired_at is not None):
        return None  # withdrawn from everybody, so another share may take its place
    share = volume.share or (share_of(claim) if claim is not None else None)
    if share is None and claim is not None and what_else(claim):
        return _Holder(path, "", f"{claim.name} in {at[0]}, which is {what_else(claim)}", volume.name)
    share = share or (listed.get(at) if claim is not None else None)
    return _Holder(path, share, f"the share {share}", volume.name) if share else None


def _key(path: str) -> list[str]:
    return path.rstrip("/").split("/")


def _around(known: _Sorted, path: str) -> Iterator[_Holder]:
    """Those whose folder is this one, holds it, or lies inside it."""
    keys, holders = known
    parts = _key(path)
    for length in range(1, len(parts)):
        place = bisect_left(keys, parts[:length])
        while place < len(keys) and keys[place] == parts[:length]:
            yield holders[place]
            place += 1
    place = bisect_left(keys, parts)
    while place < len(keys) and keys[place][: len(parts)] == parts:
        yield holders[place]
        place += 1
