# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the cluster must be asked besides claims and volumes, and only when a plan turns on it: see the homes' Lookups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from ..kubernetes.facts import ClusterFacts

PATCH, DELETE = "patch", "delete"


class ShareClusterFacts(ClusterFacts):
    """As for homes, but of several namespaces, and of each verb on volumes."""

    def __init__(self) -> None:
        super().__init__()
        self.missing_pods: set[str] = set()
        self.missing_verbs: set[str] = set()
        self._pods_in: dict[str, tuple[Mapping[str, Sequence[str]], str]] = {}
        self._verbs: dict[str, Optional[str]] = {}

    @property
    def is_missing(self) -> bool:
        """Whether planning asked for what was not read."""
        return bool(self.missing or self.missing_pods or self.missing_verbs)

    def set_pods_in(self, namespace: str, claims: Mapping[str, Sequence[str]], error: str = "") -> None:
        """Give, for each claim of a namespace that pods mount, the names of these pods; or why pods cannot be read."""
        self._pods_in[namespace] = (claims, error)
        self.missing_pods.discard(namespace)

    def set_volume_verb(self, verb: str, error: Optional[str]) -> None:
        """Give why this may not be done to volumes, None where it may."""
        self._verbs[verb] = error
        self.missing_verbs.discard(verb)

    def pods_in(self, namespace: str, claim: str) -> tuple[Sequence[str], str]:
        """The pods that mount a claim, and why pods cannot be read, if so."""
        known = self._pods_in.get(namespace)
        if known is None:
            self.missing_pods.add(namespace)
            return (), ""
        return known[0].get(claim, ()), known[1]

    def may_not(self, verb: str) -> Optional[str]:
        """Why this may not be done to volumes, None where it may."""
        if verb not in self._verbs:
            self.missing_verbs.add(verb)
        return self._verbs.get(verb)
