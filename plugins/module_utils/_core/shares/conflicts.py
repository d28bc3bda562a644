# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""That what is about to become a share's is not another one's data, nor a home's, by what lives in the cluster.

The list of a run is held against itself before anything is read (`paths.shared_data`). Here come shares that this run does
not list, and volumes that somebody else made: of a class, or by hand. Only what comes into force is looked at, so a run
that has nothing to do asks nothing; and only claims of volumes that overlap are read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from ..kubernetes.volumes import Source
from ..metadata import PRESENT
from ..plan import ADOPT, CREATE, UPDATE, Change
from ..requests import CLAIMS, VOLUMES
from ..requests import CREATE as MAKE
from .backends import described, on_other_file_systems, place_of
from .changes import Context, refuse
from .desired import Share, ShareTarget
from .naming import share_label
from .observed import Volume, share_of, volume_from, what_else
from .paths import is_inside


class _Run(NamedTuple):
    """What this run itself makes of claims: whose those are that it adopts, and what leaves, as (share, namespace)."""

    listed: dict[tuple[str, str], str]
    leaving: set[tuple[str, str]]


class _Holder(NamedTuple):
    """What holds data: of which share it is ("" for a home), and it in words; or why that is not known."""

    share: str
    told: str
    error: str = ""


def reject_conflicts(ctx: Context, shares: Sequence[Share], changes: Sequence[Change]) -> list[Change]:
    """Return the changes, of which those are refused that would make a share of data that is another's."""
    found = list(changes)
    placed = []
    for number, change in enumerate(found):
        if not _comes_into_force(ctx, change):
            continue
        source = source_of(ctx, change)
        if source is None and change.action != CREATE and ctx.live.volumes_error:
            ctx.notes[_unknown(ctx)] = None
        if source is not None and (place_of(source) is not None or source.handle):
            placed.append((number, source))
    if not placed:
        return found
    volumes = ctx.live.all_volumes()
    if volumes is None:
        if ctx.live.volumes_error:
            ctx.notes[_unknown(ctx)] = None
        return found
    known = _Known(volumes)
    run = _Run(
        {
            (target.namespace, target.claim): share.name
            for share in shares
            if share.state == PRESENT
            for target in share.targets()
        },
        {(share.name, namespace) for share in shares if share.state != PRESENT for namespace in share.namespaces},
    )
    for number, source in placed:
        change = found[number]
        for volume in known.around(source):
            if volume.is_for(change.namespace, change.name) or on_other_file_systems(source, volume.source):
                continue
            reason = _reason(ctx, run, change, source, volume)
            if reason is not None:
                found[number] = refuse(change.subject, reason, change.name)
                break
    return found


def _comes_into_force(ctx: Context, change: Change) -> bool:
    """Whether a change makes a share of data, or puts one in force again that was retired, or whose volume was gone."""
    if change.action in (CREATE, ADOPT):
        return True
    if change.action != UPDATE or change.subject.share.state != PRESENT:
        return False
    claim = ctx.live.claim(change.namespace, change.name)
    return (claim is not None and claim.retired_at is not None) or any(
        step.verb == MAKE and step.resource == VOLUMES for step in change.operations
    )


def _unknown(ctx: Context) -> str:
    return f"Whether new shares hold the data of others is not known, for {ctx.live.volumes_error}"


def made_volume(change: Change) -> Optional[Source]:
    """What the volume is made of that a change makes, None where it makes none."""
    made = (step for step in change.operations if step.verb == MAKE and step.resource == VOLUMES)
    return next((volume_from(step.body).source for step in made), None)


def source_of(ctx: Context, change: Change) -> Optional[Source]:
    """Where the data is that a change makes a share of; None where a class is yet to make its volume."""
    made = made_volume(change)
    if made is not None:
        return made
    for step in change.operations:
        if step.verb == MAKE and step.resource == CLAIMS and step.body["spec"].get("volumeName"):
            left = ctx.live.volume(step.body["spec"]["volumeName"])
            return left.source if left is not None else None
    claim = ctx.live.claim(change.namespace, change.name)
    volume = ctx.live.volume(claim.volume) if claim is not None and claim.volume else None
    return volume.source if volume is not None else None


def _reason(ctx: Context, run: _Run, change: Change, source: Source, volume: Volume) -> Optional[str]:
    """Why a change must not make a share of what a volume holds too, None where nothing speaks against it."""
    target: ShareTarget = change.subject
    how = _how(source, volume.source)
    own = (target.share.name, share_label(target.share.name))
    if volume.share in own and how == "is":
        return None
    holder = _holder(ctx, run, volume)
    if holder is None or (holder.share in own and how == "is"):
        return None
    data = f"its data ({described(source)}) {how}"
    if holder.error:
        return (
            f"{data} that of the volume {volume.name}, and whether that is a home's or another share's is not known, for "
            f"{holder.error}: have that rule granted, or give it a place of its own"
        )
    if holder.share in own:
        return (
            f"{data} that of the share of the same name in {volume.claim_namespace or 'no namespace'} (volume {volume.name}), "
            "and one share is one place: write the same place, or give this one another name and a place of its own"
        )
    way = (
        f"retire {holder.share} first if this one takes its place"
        if holder.share
        else "take the data out of there first"
    )
    return (
        f"{data} that of {holder.told} (volume {volume.name}), so who may use it could reach the other: give it a place of its "
        f"own, or {way}"
    )


def _how(source: Source, other: Source) -> str:
    """How the data of one lies to that of the other, which is known to overlap it."""
    one, two = place_of(source), place_of(other)
    if one is None or two is None or one == two or one[0] != two[0]:
        return "is"
    return "lies inside" if is_inside(one[1], two[1]) else "is around" if is_inside(two[1], one[1]) else "is"


def _holder(ctx: Context, run: _Run, volume: Volume) -> Optional[_Holder]:
    """Whose the data of a volume is; None where it is nobody's, or was withdrawn from everybody."""
    if volume.retired_at is not None:
        return None
    at = (volume.claim_namespace, volume.claim_name)
    has_claim = volume.claim_name and volume.phase not in ("Released", "Failed")  # else it is gone: nothing to look for
    claim = ctx.live.claim(*at) if has_claim else None
    error = ctx.live.claim_error(*at) if has_claim else ""
    if claim is not None and claim.volume not in ("", volume.name):
        claim = None
    share = volume.share or (share_of(claim) if claim is not None else None)
    if share is None and claim is not None and what_else(claim):
        return _Holder(
            "", f"{claim.name} in {at[0]}, which is {what_else(claim)}"
        )  # a retired home is somebody's still
    if claim is not None and claim.retired_at is not None:
        return None  # so another share may take its place
    share = share or (run.listed.get(at) if claim is not None else None)
    if share is None:
        return _Holder("", "", error) if error else None
    if (share, volume.claim_namespace) in run.leaving:
        return None
    return _Holder(share, f"the share {share}" + (f" in {at[0]}" if at[0] else ""))


class _Known:
    """All volumes by where their data is: by the folders, in the order of the parts of their paths, and by the handles."""

    def __init__(self, volumes: Sequence[Volume]) -> None:
        self._handles: dict[tuple[str, str], list[Volume]] = {}
        placed: dict[str, list[tuple[list[str], Volume]]] = {}
        for volume in volumes:
            place = place_of(volume.source)
            if place is not None:
                placed.setdefault(place[0], []).append((_key(place[1]), volume))
            if volume.source.handle:
                self._handles.setdefault(_handle(volume.source), []).append(volume)
        self._folders: dict[str, tuple[list[list[str]], list[Volume]]] = {}
        for where, found in placed.items():
            found.sort(key=lambda item: item[0])
            self._folders[where] = ([key for key, _volume in found], [volume for _key, volume in found])

    def around(self, source: Source) -> Iterator[Volume]:
        """Those of the same handle, which a node mounts as one, and those whose folder is this one, holds it or is inside."""
        if source.handle:
            yield from self._handles.get(_handle(source), ())
        place = place_of(source)
        if place is None:
            return
        keys, volumes = self._folders.get(place[0], ([], []))
        parts = _key(place[1])
        for length in range(1, len(parts)):
            at = bisect_left(keys, parts[:length])
            while at < len(keys) and keys[at] == parts[:length]:
                yield volumes[at]
                at += 1
        at = bisect_left(keys, parts)
        while at < len(keys) and keys[at][: len(parts)] == parts:
            yield volumes[at]
            at += 1


def _handle(source: Source) -> tuple[str, str]:
    return source.driver.lower(), source.handle


def _key(path: str) -> list[str]:
    return path.rstrip("/").split("/")
