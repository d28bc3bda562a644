# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Conflicts: two shares, or a share and a home, with the same data or with the data of one inside the other's.

The shares of a run are compared with each other before anything is read (`overlaps.shared_data`). Here they are compared
with the cluster: shares outside this run, and volumes that a class or somebody else created. Only shares that take effect
are compared, so a run without changes reads nothing, and only claims of overlapping volumes are read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Optional

from ...kubernetes.claims import Claim
from ...kubernetes.volumes import Volume, VolumeSource, volume_from
from ...metadata import LEVEL_ANNOTATION, PRESENT
from ...plan import ADOPT, CREATE, UPDATE, Change
from ...requests import CLAIMS, VOLUMES
from ...requests import CREATE as CREATE_VERB
from ...text import quote_list
from ..backend_spec import CSI
from ..naming import describe_share, plain_name, share_label
from ..overlaps import doubtful_pairs
from ..places import MAY_BE, SAME
from .changes import refuse_share
from .context import PlanContext
from .desired import Share, ShareTarget
from .observed import reserved_for, reserved_volume, share_of
from .sources import describe_source, is_same_data, location_of
from .volume_index import VolumeIndex

#: The phases of a volume whose claim is gone.
_UNCLAIMED = ("Released", "Failed")


class _Owner(NamedTuple):
    """Whose the data of a volume is: a share ("" for a home) and its description, or why that is unknown."""

    share: str
    description: str
    error: str = ""


class ConflictFinder:
    """Compares the data that changes use with the volumes of the cluster."""

    def __init__(self, context: PlanContext, shares: Sequence[Share]) -> None:
        self.context = context
        self.observed = context.observed
        present = [share for share in shares if share.state == PRESENT]
        self._targets = {(target.namespace, target.claim): target for share in present for target in share.targets()}
        self._doubted: set[str] = set()
        self._distinct = {spec.name: spec.distinct_from for spec in context.settings.specs}
        self._levels = {spec.name: spec.level for spec in context.settings.specs}
        self._withdrawn = {
            (share.name, namespace) for share in shares if share.state != PRESENT for namespace in share.namespaces
        }

    def reject_conflicts(self, changes: Sequence[Change]) -> list[Change]:
        """Return the changes, with a refusal for each one whose data belongs to another share or to a home."""
        found = list(changes)
        compared: dict[int, Volume] = {}
        for number, change in enumerate(found):
            if not self._takes_effect(change):
                continue
            volume = self.volume_of(change)
            if volume is None and change.action != CREATE:
                self._note_unreadable_volumes()
            if volume is not None:
                compared[number] = volume
        volumes = self.observed.all_volumes() if compared else None
        if volumes is None:
            if compared:
                self._note_unreadable_volumes()
            return found
        index = VolumeIndex(volumes)
        for number, volume in compared.items():
            for other, relation in index.related(volume):
                reason = self._conflict(found[number], volume, other, relation)
                if reason:
                    found[number] = refuse_share(found[number].subject, reason, found[number].name)
                    break
        return found

    def report_overlaps(self, rejected: Collection[str] = ()) -> None:
        """Report the shares in force that hold the data of another share or of a home, as far as volumes were read.

        Two runs at once may have created both, or somebody else created or bound a volume later. `rejected` are shares whose
        changes are rejected, which says the same.
        """
        volumes = [volume for volume in self.observed.known_volumes() if not self._is_out_of_use(volume)]
        targets = {volume.name: target for volume in volumes if (target := self._target_in_force(volume)) is not None}
        in_force = _one_of_each_share([volume for volume in volumes if volume.name in targets])
        index = VolumeIndex(_one_of_each_share(volumes) if in_force else ())
        reported: set[frozenset[str]] = set()
        for volume in in_force:
            target = targets[volume.name]
            name = target.share.name
            for other, relation in index.related(volume):
                is_candidate = other.name != volume.name and name not in rejected
                owner = self._owner(other) if is_candidate else None
                if owner is None or owner.error or owner.share in (name, share_label(name)):
                    continue
                pair = frozenset((name, owner.share or other.name))
                if (
                    pair in reported
                    or owner.share in rejected
                    or (relation == MAY_BE and not self._differ(target, owner, other))
                ):
                    continue
                reported.add(pair)
                how = "may be" if relation == MAY_BE else relation
                way_out = (
                    "so users of one can reach the other: retire one of the two, or move its data to a separate place"
                    if owner.share
                    else f"so users of the {target.share.kind} can reach it: retire the {target.share.kind}, or move the "
                    "home's data to a separate place"
                )
                if relation == MAY_BE and owner.share:
                    way_out += f"; if the data differ, set `distinct_from: [{owner.share}]`"
                self.context.add_unreconcilable(
                    target,
                    f"has data ({describe_source(volume.source)}, volume {volume.name}) that {how} that of "
                    f"{owner.description} (volume {other.name}), {way_out}",
                )

    def _is_out_of_use(self, volume: Volume) -> bool:
        """Return whether nobody uses a volume, or this run withdraws its share."""
        is_withdrawn = (volume.share, volume.claim_namespace) in self._withdrawn
        return volume.phase in _UNCLAIMED or volume.retired_at is not None or is_withdrawn

    def _target_in_force(self, volume: Volume) -> Optional[ShareTarget]:
        """Return the target that a volume serves, None when it serves no present share of the run."""
        key = (volume.claim_namespace, volume.claim_name)
        target = self._targets.get(key)
        claim = self.observed.known_claim(*key) if target is not None else None
        if target is None or claim is None or claim.volume not in ("", volume.name) or _is_retired(volume, claim):
            return None
        return target if share_of(claim) in (target.share.name, share_label(target.share.name)) else None

    def _differ(self, target: ShareTarget, owner: _Owner, volume: Volume) -> bool:
        """Return whether a share and a volume whose data may be the same have different levels, and no entry says more."""
        if not owner.share or self._are_distinct(target.share.name, owner.share):
            return False
        return target.share.spec.level != self._level_of(owner.share, volume)

    def _are_distinct(self, share: str, other: str) -> bool:
        return other in self._distinct.get(share, ()) or share in self._distinct.get(other, ())

    def _level_of(self, share: str, volume: Volume) -> Optional[str]:
        return self._levels.get(share) or volume.annotations.get(LEVEL_ANNOTATION)

    def doubts(self) -> list[str]:
        """Return a note for each pair of shares of the inventory that may hold the same data, as far as can be compared."""
        return [
            f"{one.position} ({one.name}): whether its data is that of {other.name} ({other.position}) is unknown, because "
            f"everything that can be compared is equal: set `distinct_from: [{other.name}]` if the data differ"
            for one, other in doubtful_pairs([spec for spec in self.context.settings.specs if spec.backend.type == CSI])
            if PRESENT == (one.state or PRESENT) == (other.state or PRESENT)
        ]

    def source_of(self, change: Change) -> Optional[VolumeSource]:
        """Return where the data of a change is, None when a class is yet to provision it."""
        volume = self.volume_of(change)
        return volume.source if volume is not None else None

    def volume_of(self, change: Change) -> Optional[Volume]:
        """Return the volume of a change, created or observed, None when a class is yet to provision it."""
        created = _created_volume(change)
        if created is not None:
            return created
        for request in change.operations:
            if (request.verb, request.resource) == (CREATE_VERB, CLAIMS) and request.body["spec"].get("volumeName"):
                return self.observed.volume(request.body["spec"]["volumeName"])
        return self.observed.bound_volume(self.observed.claim(change.namespace, change.name))

    def other_namespace_notes(self, changes: Sequence[Change]) -> list[str]:
        """Return a note for each new share with a claim outside its namespaces: if the share was moved, it starts empty.

        This is only a note because two hubs may each have a share of that name.
        """
        created = [change for change in changes if change.action == CREATE]
        if not created:
            return []
        self.observed.request_cluster_claims()
        found: dict[tuple[str, str], set[str]] = {}
        for change in created:
            share: Share = change.subject.share
            source = self.source_of(change)
            for namespace, claim in self.observed.cluster_claims_of(share.name):
                if namespace in share.namespaces or claim.deleting or claim.retired_at is not None:
                    continue
                other = self.observed.known_volume(claim.volume)
                if source is None or other is None or not is_same_data(source, other.source):
                    found.setdefault((share.title, share.kind), set()).add(namespace)
        return [
            f"{title}: a {kind} of this name has a claim in {quote_list(sorted(namespaces))} too, and the new one holds other "
            f"data: if they are one {kind}, list all of its namespaces"
            for (title, kind), namespaces in found.items()
        ]

    def _takes_effect(self, change: Change) -> bool:
        """Return whether a change makes data a share: a new or adopted one, one that was retired, or one with a new volume."""
        if change.action in (CREATE, ADOPT):
            return True
        if change.action != UPDATE or change.subject.share.state != PRESENT:
            return False
        claim = self.observed.claim(change.namespace, change.name)
        return _is_retired(self.volume_of(change), claim) or created_source(change) is not None

    def _note_unreadable_volumes(self) -> None:
        if self.observed.volumes_error:
            self.context.add_note(f"Whether new shares hold data of others is unknown: {self.observed.volumes_error}")

    def _conflict(self, change: Change, own_volume: Volume, volume: Volume, relation: str) -> str:
        """Return why a change conflicts with a volume that holds the same data as its own, "" when it does not."""
        if volume.name == own_volume.name:
            return ""
        source = own_volume.source
        target: ShareTarget = change.subject
        own, kind = (target.share.name, share_label(target.share.name)), target.share.kind
        if volume.share in own and relation == SAME:
            return ""
        owner = self._owner(volume)
        if owner is None:
            self._note_left_behind(target, volume, relation)
            return ""
        if owner.share in own and relation in (SAME, MAY_BE):
            return ""
        if relation == MAY_BE:
            return self._doubt(target, source, volume, owner)
        data = f"its data ({describe_source(source)}) {relation}"
        if owner.error:
            return (
                f"{data} that of volume {volume.name}, and whether that belongs to a home or to another share is unknown: "
                f"{owner.error}; have that rule granted, or give the {kind} a separate place"
            )
        if owner.share in own:
            return (
                f"{data} that of the {kind} of the same name in {volume.claim_namespace or 'no namespace'} (volume "
                f"{volume.name}), and a {kind} has one location: set the same location, or give this {kind} another name and a "
                "separate place"
            )
        way_out = f"retire {plain_name(owner.share)} first if this {kind} replaces it"
        if not owner.share:
            way_out = "move the data out first"
        return (
            f"{data} that of {owner.description} (volume {volume.name}), so users of one could reach the other: give it a "
            f"separate place, or {way_out}"
        )

    def _note_left_behind(self, target: ShareTarget, volume: Volume, relation: str) -> None:
        """Note that data was that of a deleted claim of others, which may have been a home under a name that no hub gives."""
        if volume.phase in _UNCLAIMED and volume.claim_name and volume.retired_at is None and relation != MAY_BE:
            self.context.add_note(
                f"{target.share.title}: its data ({describe_source(volume.source)}) {relation} that of volume {volume.name}, "
                f"which the deleted claim {volume.claim_name} in {volume.claim_namespace} left behind: check that it was no home"
            )

    def _doubt(self, target: ShareTarget, source: VolumeSource, volume: Volume, owner: _Owner) -> str:
        """Note that a share may hold the data of another volume. Return why that is refused, "" when it is only noted.

        Data of two levels is refused: whoever may use the lower one would reach the other.
        """
        if self._are_distinct(target.share.name, owner.share):
            return ""
        what = owner.description or f"volume {volume.name}"
        data = (
            f"whether its data ({describe_source(source)}) is that of {what} (volume {volume.name}) is unknown, because "
            "everything that can be compared is equal"
        )
        if owner.share and self._level_of(owner.share, volume) != target.share.spec.level:
            return (
                f"{data}, and their levels differ: if the data differ, set `distinct_from: [{owner.share}]`; otherwise make "
                "them one share"
            )
        way_out = f"set `distinct_from: [{owner.share}]` if the data differ" if owner.share else "check that it is not"
        if owner.share or target.share.title not in self._doubted:
            # One home serves as an example of all.
            self._doubted.add(target.share.title if not owner.share else "")
            self.context.add_note(f"{target.share.title}: {data}: {way_out}")
        return ""

    def _owner(self, volume: Volume) -> Optional[_Owner]:
        """Return whose the data of a volume is, None when it is nobody's or nobody has access any more."""
        if volume.retired_at is not None:
            return None
        namespace, name = volume.claim_namespace, volume.claim_name
        # The claim of a released volume is gone, so there is nothing to read.
        has_claim = name and volume.phase not in _UNCLAIMED
        claim = self.observed.claim(namespace, name) if has_claim else None
        error = self.observed.claim_error(namespace, name) if has_claim else ""
        if claim is not None and claim.volume not in ("", volume.name):
            claim = None
        share = volume.share or (share_of(claim) if claim is not None else None)
        if volume.share is None and claim is not None and reserved_for(claim):
            # A retired home still belongs to somebody, and so does one with forged marks of a share.
            return _Owner("", f"claim {claim.name} in {namespace}, which is {reserved_for(claim)}")
        if _is_retired(volume, claim):
            return None  # So that another share can replace a retired one.
        home = reserved_volume(volume) if share is None and claim is None else None
        if home is not None:
            return _Owner("", f"volume {volume.name}, which is {home}")
        target = self._targets.get((namespace, name)) if claim is not None else None
        share = share or (target.share.name if target is not None else None)
        if share is None:
            return _Owner("", "", error) if error else None
        if (share, namespace) in self._withdrawn:
            return None
        return _Owner(share, describe_share(share) + (f" in {namespace}" if namespace else ""))


def _is_retired(volume: Optional[Volume], claim: Optional[Claim]) -> bool:
    """Return whether data is retired. Only the mark on a volume with our marks counts: namespace editors can mark claims."""
    if volume is not None and (volume.retired_at is not None or volume.share is not None):
        return volume.retired_at is not None
    return claim is not None and claim.retired_at is not None


def _one_of_each_share(volumes: Sequence[Volume]) -> list[Volume]:
    """Return the volumes, and of those of one share over one place only the first: the others are copies of it."""
    found: dict[tuple[str, ...], Volume] = {}
    for volume in volumes:
        key = (volume.share, *location_of(volume.source)) if volume.share and not volume.nodes else (volume.name,)
        found.setdefault(key, volume)
    return list(found.values())


def created_source(change: Change) -> Optional[VolumeSource]:
    """Return the source of the volume that a change creates, None when it creates none."""
    volume = _created_volume(change)
    return volume.source if volume is not None else None


def _created_volume(change: Change) -> Optional[Volume]:
    created = (item for item in change.operations if (item.verb, item.resource) == (CREATE_VERB, VOLUMES))
    return next((volume_from(item.body) for item in created), None)
