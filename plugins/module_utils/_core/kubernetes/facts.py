# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts about the cluster, read only when a plan depends on them.

Planning asks a ClusterFacts object. It notes in `missing` what was asked and is not known, the I/O layer reads that,
and planning starts again. A run without anything to do therefore reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Optional

from ..hub_activity import HubUsers, Use, use_since
from .storage_classes import StorageClass, StorageClasses, default_class_of
from .volumes import ReleasedVolume

STORAGE_CLASSES = "storage classes"
PODS = "pods"
HUB_ACTIVITY = "hub activity"
VOLUME_ACCESS = "volume access"
GRANTED_CLAIMS = "granted claims"
RELEASED_VOLUMES = "released volumes"

PATCH, DELETE = "patch", "delete"


class Fact(NamedTuple):
    """Something to read. `scope` is the namespace of PODS and RELEASED_VOLUMES and the verb of VOLUME_ACCESS, else ""."""

    kind: str
    scope: str = ""


class Mounts(NamedTuple):
    """The pods that mount a claim, or why that is not known."""

    pods: Sequence[str] = ()
    error: str = ""


class ClusterFacts:
    """What was read so far, for homes and shares. Asking for anything else adds it to `missing`."""

    def __init__(self) -> None:
        self.missing: set[Fact] = set()
        self._classes: StorageClasses = None
        self._pods: dict[str, tuple[Mapping[str, Sequence[str]], str]] = {}
        self._hub: Optional[HubUsers] = None
        self._volume_errors: dict[str, Optional[str]] = {}
        self._granted: Mapping[str, str] = {}
        self._released: dict[str, list[ReleasedVolume]] = {}
        self._released_homes: dict[str, list[ReleasedVolume]] = {}
        #: Why something that only a warning depends on is not known, by the question.
        self.unknown: dict[str, str] = {}
        self._known: set[Fact] = set()

    def set_storage_classes(self, classes: Optional[Sequence[StorageClass]]) -> None:
        """Store the storage classes, or None when this login may not read them. The API server then decides."""
        self._classes = {item.name: item for item in classes} if classes is not None else None
        self._add(Fact(STORAGE_CLASSES))

    def set_pods(self, namespace: str, by_claim: Mapping[str, Sequence[str]], error: str = "") -> None:
        """Store the names of the pods that mount each claim of a namespace, or why pods cannot be listed."""
        self._pods[namespace] = (by_claim, error)
        self._add(Fact(PODS, namespace))

    def set_hub(self, hub: Optional[HubUsers]) -> None:
        """Store the users of the hub, or None without a hub."""
        self._hub = hub
        self._add(Fact(HUB_ACTIVITY))

    def set_volume_error(self, verb: str, error: Optional[str]) -> None:
        """Store why this login may not use a verb on PersistentVolumes, or None when it may."""
        self._volume_errors[verb] = error
        self._add(Fact(VOLUME_ACCESS, verb))

    def set_granted_claims(self, claims: Mapping[str, str], error: str = "") -> None:
        """Store the claims that the ACL grants, with their shares, or why it cannot be read."""
        self._granted = claims
        if error:
            self.unknown["whether a share grants one of the claims"] = error
        self._add(Fact(GRANTED_CLAIMS))

    def set_released_volumes(self, namespace: str, volumes: Sequence[ReleasedVolume], error: str = "") -> None:
        """Store the volumes that deleted claims of a namespace left behind, or why volumes cannot be listed."""
        for volume in volumes:
            self._released.setdefault(volume.claim, []).append(volume)
            if volume.user:
                self._released_homes.setdefault(volume.user, []).append(volume)
        if error:
            self.unknown["whether a deleted home left its volume behind"] = error
        self._add(Fact(RELEASED_VOLUMES, namespace))

    def granting_share(self, claim: str) -> Optional[str]:
        """Return the share with which the ACL grants a claim, None when it grants none, or is not known."""
        self._need(Fact(GRANTED_CLAIMS))
        return self._granted.get(claim)

    def released_volumes(self, namespace: str, user: str, claims: Iterable[str]) -> list[ReleasedVolume]:
        """Return the volumes that deleted homes of a user, or claims of these names, left behind, as far as they are known.

        Those that are marked as the home of another user are left out.
        """
        self._need(Fact(RELEASED_VOLUMES, namespace))
        found = [volume for claim in claims for volume in self._released.get(claim, ()) if volume.user in ("", user)]
        return list(dict.fromkeys([*found, *self._released_homes.get(user, ())]))

    def storage_classes(self) -> StorageClasses:
        """Return the storage classes by name, None when they are not known."""
        self._need(Fact(STORAGE_CLASSES))
        return self._classes

    def default_class(self) -> Optional[str]:
        """Return the name of the default storage class, None when there is none or it is not known."""
        return default_class_of(self.storage_classes())

    def mounts(self, namespace: str, claim: str) -> Mounts:
        """Return the pods that mount a claim."""
        self._need(Fact(PODS, namespace))
        by_claim, error = self._pods.get(namespace, ({}, ""))
        return Mounts(by_claim.get(claim, ()), error)

    def use_since(self, user: str, server: Optional[str], moment: datetime) -> Optional[Use]:
        """Return whether the hub shows use of a home since a time, None when the hub was not asked yet."""
        fact = Fact(HUB_ACTIVITY)
        self._need(fact)
        return use_since(self._hub, user, server, moment) if fact in self._known else None

    def volume_error(self, verb: str) -> Optional[str]:
        """Return why this login may not use a verb on PersistentVolumes, None when it may."""
        self._need(Fact(VOLUME_ACCESS, verb))
        return self._volume_errors.get(verb)

    def _need(self, fact: Fact) -> None:
        if fact not in self._known:
            self.missing.add(fact)

    def _add(self, fact: Fact) -> None:
        self._known.add(fact)
        self.missing.discard(fact)


def by_claim(mounts: Sequence[tuple[str, Sequence[str]]]) -> dict[str, list[str]]:
    """Turn (pod or volume, claims) into the pods or volumes of each claim."""
    found: dict[str, list[str]] = {}
    for pod, claims in mounts:
        for claim in claims:
            found.setdefault(claim, []).append(pod)
    return found
