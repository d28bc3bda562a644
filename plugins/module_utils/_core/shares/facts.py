# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shared ClusterFacts under the names that the planner of shares still uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ..kubernetes.facts import DELETE, PATCH, ClusterFacts
from ..kubernetes.storage_classes import StorageClasses

__all__ = ["DELETE", "PATCH", "ShareClusterFacts"]


class ShareClusterFacts(ClusterFacts):
    """Names to be replaced by those of ClusterFacts."""

    set_classes = ClusterFacts.set_storage_classes
    set_pods_in = ClusterFacts.set_pods
    set_volume_verb = ClusterFacts.set_volume_error

    @property
    def is_missing(self) -> bool:
        """Whether planning asked for what was not read."""
        return bool(self.missing)

    def classes(self) -> StorageClasses:
        """The storage classes by name."""
        return self.storage_classes()

    def pods_in(self, namespace: str, claim: str) -> tuple[Sequence[str], str]:
        """The pods that mount a claim, and why they cannot be listed."""
        return self.mounts(namespace, claim)

    def may_not(self, verb: str) -> Optional[str]:
        """Why this login may not use a verb on volumes."""
        return self.volume_error(verb)
