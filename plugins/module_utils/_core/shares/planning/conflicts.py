# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Conflicts: two shares, or a share and a home, with the same data or with the data of one inside the other's.

The shares of a run are compared with each other before anything is read (`overlaps.shared_data`). Here they are compared
with the cluster: shares outside this run, and volumes that a class or somebody else created. Only shares that take effect
are compared, so a run without changes reads nothing, and only claims of overlapping volumes are read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from ...kubernetes.volumes import Volume, VolumeSource, volume_from
from ...metadata import PRESENT
from ...plan import ADOPT, CREATE, UPDATE, Change
from ...requests import CLAIMS, VOLUMES
from ...requests import CREATE as CREATE_VERB
from ...text import quote_list
from ..naming import share_label
from ..paths import is_inside
from .changes import refuse_share
from .context import PlanContext
from .desired import Share, ShareTarget
from .observed import reserved_for, reserved_volume, share_of
from .sources import describe_source, folder_of, is_same_data, on_other_file_systems


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
        self._claims = {(target.namespace, target.claim): share.name for share in present for target in share.targets()}
        self._withdrawn = {
            (share.name, namespace) for share in shares if share.state != PRESENT for namespace in share.namespaces
        }

    def reject_conflicts(self, changes: Sequence[Change]) -> list[Change]:
        """Return the changes, with a refusal for each one whose data belongs to another share or to a home."""
        found = list(changes)
        sources = {}
        for number, change in enumerate(found):
            if not self._takes_effect(change):
                continue
            source = self.source_of(change)
            if source is None and change.action != CREATE:
                self._note_unreadable_volumes()
            if source is not None and (folder_of(source) is not None or source.handle):
                sources[number] = source
        volumes = self.observed.all_volumes() if sources else None
        if volumes is None:
            if sources:
                self._note_unreadable_volumes()
            return found
        index = _VolumeIndex(volumes)
        for number, source in sources.items():
            for volume in index.overlapping(source):
                reason = self._conflict(found[number], source, volume)
                if reason:
                    found[number] = refuse_share(found[number].subject, reason, found[number].name)
                    break
        return found

    def source_of(self, change: Change) -> Optional[VolumeSource]:
        """Return where the data of a change is, None when a class is yet to provision it."""
        created = created_source(change)
        if created is not None:
            return created
        for request in change.operations:
            if (request.verb, request.resource) == (CREATE_VERB, CLAIMS) and request.body["spec"].get("volumeName"):
                volume = self.observed.volume(request.body["spec"]["volumeName"])
                return volume.source if volume is not None else None
        volume = self.observed.bound_volume(self.observed.claim(change.namespace, change.name))
        return volume.source if volume is not None else None

    def other_namespace_notes(self, changes: Sequence[Change]) -> list[str]:
        """Return a note for each new share with a claim outside its namespaces: if the share was moved, it starts empty.

        This is only a note because two hubs may each have a share of that name.
        """
        created = [change for change in changes if change.action == CREATE]
        if not created:
            return []
        self.observed.request_cluster_claims()
        found: dict[str, set[str]] = {}
        for change in created:
            share: Share = change.subject.share
            source = self.source_of(change)
            for namespace, claim in self.observed.cluster_claims_of(share.name):
                if namespace in share.namespaces or claim.deleting or claim.retired_at is not None:
                    continue
                other = self.observed.known_volume(claim.volume)
                if source is None or other is None or not is_same_data(source, other.source):
                    found.setdefault(share.title, set()).add(namespace)
        return [
            f"{title}: a share of this name has a claim in {quote_list(sorted(namespaces))} too, and the new one holds other "
            "data: if they are one share, list all of its namespaces"
            for title, namespaces in found.items()
        ]

    def _takes_effect(self, change: Change) -> bool:
        """Return whether a change makes data a share: a new or adopted one, one that was retired, or one with a new volume."""
        if change.action in (CREATE, ADOPT):
            return True
        if change.action != UPDATE or change.subject.share.state != PRESENT:
            return False
        claim = self.observed.claim(change.namespace, change.name)
        return (claim is not None and claim.retired_at is not None) or created_source(change) is not None

    def _note_unreadable_volumes(self) -> None:
        if self.observed.volumes_error:
            self.context.add_note(f"Whether new shares hold data of others is unknown: {self.observed.volumes_error}")

    def _conflict(self, change: Change, source: VolumeSource, volume: Volume) -> str:
        """Return why a change conflicts with a volume that holds the same data, "" when it does not."""
        if volume.is_for(change.namespace, change.name) or on_other_file_systems(source, volume.source):
            return ""
        target: ShareTarget = change.subject
        relation = _relation(source, volume.source)
        own = (target.share.name, share_label(target.share.name))
        if volume.share in own and relation == "is":
            return ""
        owner = self._owner(volume)
        if owner is None or (owner.share in own and relation == "is"):
            return ""
        data = f"its data ({describe_source(source)}) {relation}"
        if owner.error:
            return (
                f"{data} that of volume {volume.name}, and whether that belongs to a home or to another share is unknown: "
                f"{owner.error}; have that rule granted, or give the share a separate place"
            )
        if owner.share in own:
            return (
                f"{data} that of the share of the same name in {volume.claim_namespace or 'no namespace'} (volume "
                f"{volume.name}), and a share has one location: set the same location, or give this share another name and a "
                "separate place"
            )
        way_out = f"retire {owner.share} first if this share replaces it" if owner.share else "move the data out first"
        return (
            f"{data} that of {owner.description} (volume {volume.name}), so users of one could reach the other: give it a "
            f"separate place, or {way_out}"
        )

    def _owner(self, volume: Volume) -> Optional[_Owner]:
        """Return whose the data of a volume is, None when it is nobody's or nobody has access any more."""
        if volume.retired_at is not None:
            return None
        namespace, name = volume.claim_namespace, volume.claim_name
        # The claim of a released volume is gone, so there is nothing to read.
        has_claim = name and volume.phase not in ("Released", "Failed")
        claim = self.observed.claim(namespace, name) if has_claim else None
        error = self.observed.claim_error(namespace, name) if has_claim else ""
        if claim is not None and claim.volume not in ("", volume.name):
            claim = None
        share = volume.share or (share_of(claim) if claim is not None else None)
        if share is None and claim is not None and reserved_for(claim):
            # A retired home still belongs to somebody.
            return _Owner("", f"claim {claim.name} in {namespace}, which is {reserved_for(claim)}")
        if claim is not None and claim.retired_at is not None:
            return None  # So that another share can replace a retired one.
        home = reserved_volume(volume) if share is None and claim is None else None
        if home is not None:
            return _Owner("", f"volume {volume.name}, which is {home}")
        share = share or (self._claims.get((namespace, name)) if claim is not None else None)
        if share is None:
            return _Owner("", "", error) if error else None
        if (share, namespace) in self._withdrawn:
            return None
        return _Owner(share, f"the share {share}" + (f" in {namespace}" if namespace else ""))


def created_source(change: Change) -> Optional[VolumeSource]:
    """Return the source of the volume that a change creates, None when it creates none."""
    created = (item for item in change.operations if (item.verb, item.resource) == (CREATE_VERB, VOLUMES))
    return next((volume_from(item.body).source for item in created), None)


def _relation(source: VolumeSource, other: VolumeSource) -> str:
    """Return how the data of one source relates to that of another, which it overlaps."""
    one, two = folder_of(source), folder_of(other)
    if one is None or two is None or one == two or one[0] != two[0]:
        return "is"
    if is_inside(one[1], two[1]):
        return "lies inside"
    return "contains" if is_inside(two[1], one[1]) else "is"


class _VolumeIndex:
    """All volumes by the location of their data: by folder, sorted by the parts of the path, and by CSI handle."""

    def __init__(self, volumes: Sequence[Volume]) -> None:
        self._handles: dict[tuple[str, str], list[Volume]] = {}
        by_root: dict[str, list[tuple[list[str], Volume]]] = {}
        for volume in volumes:
            folder = folder_of(volume.source)
            if folder is not None:
                by_root.setdefault(folder[0], []).append((_parts(folder[1]), volume))
            if volume.source.handle:
                self._handles.setdefault(_handle(volume.source), []).append(volume)
        self._folders: dict[str, tuple[list[list[str]], list[Volume]]] = {}
        for root, found in by_root.items():
            found.sort(key=lambda item: item[0])
            self._folders[root] = ([key for key, _volume in found], [volume for _key, volume in found])

    def overlapping(self, source: VolumeSource) -> Iterator[Volume]:
        """Yield volumes with the same handle, which a node mounts once, and with the same folder or one inside the other."""
        if source.handle:
            yield from self._handles.get(_handle(source), ())
        folder = folder_of(source)
        if folder is None:
            return
        keys, volumes = self._folders.get(folder[0], ([], []))
        parts = _parts(folder[1])
        for length in range(1, len(parts)):
            at = bisect_left(keys, parts[:length])
            while at < len(keys) and keys[at] == parts[:length]:
                yield volumes[at]
                at += 1
        at = bisect_left(keys, parts)
        while at < len(keys) and keys[at][: len(parts)] == parts:
            yield volumes[at]
            at += 1


def _handle(source: VolumeSource) -> tuple[str, str]:
    return source.driver.lower(), source.handle


def _parts(path: str) -> list[str]:
    return path.rstrip("/").split("/")
