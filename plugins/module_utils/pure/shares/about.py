# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What planning has at hand, and changes and drift that are about one share in one namespace, in one form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from ..plan import KEEP, REFUSE, Change, Drift
from ..quantity import format_size
from .backends import Source, described
from .live import Live
from .lookups import ShareLookups
from .wanted import Settings, Spot

KIND = "share"


@dataclass
class Context:
    """What a plan is made from, and what it finds besides its changes. `notes` are sentences about the whole run."""

    settings: Settings
    live: Live
    lookups: ShareLookups
    drift: list[Drift] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)

    def differs(self, spot: Spot, reason: str) -> None:
        """Note how a share differs in a way that may not, or cannot, be corrected."""
        text = f"{spot.claim} in {spot.namespace} {reason}"
        self.drift.append(Drift(KIND, spot.namespace, spot.claim, text))

    @property
    def is_missing(self) -> bool:
        """Whether something must be read before the plan is one."""
        return self.live.is_missing or self.lookups.is_missing


def change(action: str, spot: Spot, reason: str, name: str = "", **more: Any) -> Change:
    """Return what becomes of a share in a namespace, under the name of its claim."""
    return Change(action, KIND, spot.namespace, name or spot.claim, reason, subject=spot, **more)


def keep(spot: Spot, reason: str, name: str = "") -> Change:
    """Return that a share stays as it is."""
    return change(KEEP, spot, reason, name)


def refuse(spot: Spot, reason: str, name: str = "") -> Change:
    """Return that a share is refused; the sentence gets its place in front."""
    entry = spot.share.entry
    return change(REFUSE, spot, f"{entry.position} ({entry.name} in {spot.namespace}): {reason}", name)


def line(spot: Spot, name: str, size: Optional[int], where: str, marks: list[str]) -> str:
    """Return the line that stands for a share in a diff."""
    parts = [format_size(size) if size is not None else "no size", where, *marks]
    return f"share {name} in {spot.namespace}: {', '.join(part for part in parts if part)}"


def place(storage_class: Optional[str], volume: str, source: Optional[Source]) -> str:
    """Say for a line where the data is: `NFS nas:/exports/x (volume share.a.x)`, or the class."""
    if source is not None:
        return f"{described(source)} (volume {volume})"
    if storage_class:
        return f"class {storage_class}"
    return "the default class" if storage_class is None else f"volume {volume}" if volume else "no class"
