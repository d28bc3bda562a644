# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What planning has at hand, and changes and drift that are about one share in one namespace, in one form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from ..kubernetes.volumes import Source
from ..metadata import KIND_SHARE
from ..plan import KEEP, REFUSE, Change, Unreconcilable
from ..quantity import format_size
from .backends import described
from .desired import ShareSettings, ShareTarget
from .facts import ShareClusterFacts
from .observed import ObservedShares


@dataclass
class Context:
    """What a plan is made from, and what it finds besides its changes. `notes` are sentences about the whole run."""

    settings: ShareSettings
    live: ObservedShares
    facts: ShareClusterFacts
    unreconcilable: list[Unreconcilable] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)

    def differs(self, target: ShareTarget, reason: str) -> None:
        """Note how a share differs in a way that may not, or cannot, be corrected."""
        text = f"{target.claim} in {target.namespace} {reason}"
        self.unreconcilable.append(Unreconcilable(KIND_SHARE, target.namespace, target.claim, text))

    @property
    def is_missing(self) -> bool:
        """Whether something must be read before the plan is one."""
        return self.live.is_missing or self.facts.is_missing


def change(action: str, target: ShareTarget, reason: str, name: str = "", **more: Any) -> Change:
    """Return what becomes of a share in a namespace, under the name of its claim."""
    return Change(action, KIND_SHARE, target.namespace, name or target.claim, reason, subject=target, **more)


def keep(target: ShareTarget, reason: str, name: str = "") -> Change:
    """Return that a share stays as it is."""
    return change(KEEP, target, reason, name)


def refuse(target: ShareTarget, reason: str, name: str = "") -> Change:
    """Return that a share is refused; the sentence gets its place in front."""
    spec = target.share.spec
    return change(REFUSE, target, f"{spec.position} ({spec.name} in {target.namespace}): {reason}", name)


def line(target: ShareTarget, name: str, size: Optional[int], where: str, marks: list[str]) -> str:
    """Return the line that stands for a share in a diff."""
    parts = [format_size(size) if size is not None else "no size", where, *marks]
    return f"share {name} in {target.namespace}: {', '.join(part for part in parts if part)}"


def place(storage_class: Optional[str], volume: str, source: Optional[Source]) -> str:
    """Say for a line where the data is: `NFS nas:/exports/x (volume share.a.x)`, or the class."""
    if source is not None:
        return f"{described(source)} (volume {volume})"
    if storage_class:
        return f"class {storage_class}"
    return "the default class" if storage_class is None else f"volume {volume}" if volume else "no class"
