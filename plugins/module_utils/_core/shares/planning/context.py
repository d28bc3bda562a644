# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The input of a plan of shares, and what planning reports besides changes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...kubernetes.facts import ClusterFacts
from ...plan import Unreconcilable
from .desired import ShareSettings, ShareTarget
from .observed import ObservedShares


@dataclass
class PlanContext:
    """What one plan is made from. It collects the unreconcilable differences and the notes on the whole run."""

    settings: ShareSettings
    observed: ObservedShares
    facts: ClusterFacts
    unreconcilable: list[Unreconcilable] = field(default_factory=list)
    _notes: dict[str, None] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """The notes, each once."""
        return list(self._notes)

    def add_note(self, text: str) -> None:
        """Add a note on the whole run."""
        self._notes[text] = None

    def add_unreconcilable(self, target: ShareTarget, reason: str) -> None:
        """Add how a share differs in a way that cannot, or must not, be changed."""
        text = f"{target.claim} in {target.namespace} {reason}"
        self.unreconcilable.append(Unreconcilable(target.share.kind, target.namespace, target.claim, text))

    @property
    def is_missing(self) -> bool:
        """Whether planning asked for something that was not read, so that the plan is not valid yet."""
        return self.observed.is_missing or bool(self.facts.missing)
