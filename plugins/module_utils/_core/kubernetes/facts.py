# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the cluster must be asked besides the claims, and only when a plan turns on it.

Planning asks a Lookups object; what it does not hold yet is noted there (`missing`), the edge reads it, and planning
is done again. So a run that has nothing to do asks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Optional

from ..homes.activity import HubUsers, Use, use_since
from .expansion import StorageClass

CLASSES = "storage classes"
PODS = "pods"
ACTIVITY = "activity"
VOLUME_RIGHT = "the right to patch volumes"


class ClusterFacts:
    """Answers that planning may need. None means: not read yet (asking for it notes that it is missing)."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.pods_error = ""
        self._classes: Optional[Mapping[str, StorageClass]] = None
        self._classes_known = False
        self._pods: Optional[Mapping[str, Sequence[str]]] = None
        self._hub: Optional[HubUsers] = None
        self._hub_known = False
        self._volume_error: Optional[str] = None
        self._volume_known = False

    def set_classes(self, classes: Optional[Sequence[StorageClass]]) -> None:
        """Give the storage classes; None where they may not be read, so that the API server itself must tell."""
        self._classes = {item.name: item for item in classes} if classes is not None else None
        self._classes_known = True
        self.missing.discard(CLASSES)

    def set_pods(self, claims: Mapping[str, Sequence[str]], error: str = "") -> None:
        """Give, for each claim that pods mount, the names of these pods; or why pods cannot be read."""
        self._pods = claims
        self.pods_error = error
        self.missing.discard(PODS)

    def set_hub(self, hub: Optional[HubUsers]) -> None:
        """Give what the hub says of its users; None where there is no hub to ask."""
        self._hub = hub
        self._hub_known = True
        self.missing.discard(ACTIVITY)

    def set_volume_right(self, error: Optional[str]) -> None:
        """Give why volumes may not be patched, None where they may."""
        self._volume_error = error
        self._volume_known = True
        self.missing.discard(VOLUME_RIGHT)

    def classes(self) -> Optional[Mapping[str, StorageClass]]:
        """The storage classes by name; None where they are not known (yet)."""
        if not self._classes_known:
            self.missing.add(CLASSES)
        return self._classes

    def default_class(self) -> Optional[str]:
        """The name of the default storage class, None where there is none or it is not known."""
        return next((item.name for item in (self.classes() or {}).values() if item.default), None)

    def pods_of(self, claim: str) -> Sequence[str]:
        """The pods that mount a claim."""
        if self._pods is None:
            self.missing.add(PODS)
            return ()
        return self._pods.get(claim, ())

    def use_since(self, user: str, server: Optional[str], mark: datetime) -> Optional[Use]:
        """Whether a home was used since it was retired; None where the hub was not asked yet."""
        if not self._hub_known:
            self.missing.add(ACTIVITY)
            return None
        return use_since(self._hub, user, server, mark)

    def volume_error(self) -> Optional[str]:
        """Why the reclaim policy of volumes cannot be changed, None where it can."""
        if not self._volume_known:
            self.missing.add(VOLUME_RIGHT)
        return self._volume_error


def pods_by_claim(mounts: Sequence[tuple[str, Sequence[str]]]) -> dict[str, list[str]]:
    """Turn (pod, claims it mounts) into claim -> pods."""
    found: dict[str, list[str]] = {}
    for pod, claims in mounts:
        for claim in claims:
            found.setdefault(claim, []).append(pod)
    return found
