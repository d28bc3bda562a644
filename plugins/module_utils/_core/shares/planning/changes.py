# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of one share in one namespace, and their lines in a diff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ...kubernetes.volumes import VolumeSource
from ...plan import KEEP, REFUSE, Change
from ...quantity import format_size
from ..naming import plain_name
from .desired import ShareTarget
from .sources import describe_source


def change_share(action: str, target: ShareTarget, reason: str, name: str = "", **more: Any) -> Change:
    """Return a change of a share in a namespace, by default of its claim."""
    return Change(action, target.share.kind, target.namespace, name or target.claim, reason, subject=target, **more)


def keep_share(target: ShareTarget, reason: str, name: str = "") -> Change:
    """Return that a share stays unchanged."""
    return change_share(KEEP, target, reason, name)


def refuse_share(target: ShareTarget, reason: str, name: str = "") -> Change:
    """Return the refusal of a share. The reason starts with its position in the inventory."""
    spec = target.share.spec
    return change_share(
        REFUSE, target, f"{spec.position} ({plain_name(spec.name)} in {target.namespace}): {reason}", name
    )


def share_line(target: ShareTarget, name: str, size: Optional[int], location: str, notes: Sequence[str] = ()) -> str:
    """Return the line of a share in a diff. `name` is that of its claim, `size` is in bytes."""
    parts = [format_size(size) if size is not None else "no size", location, *notes]
    return f"{target.share.kind} {name} in {target.namespace}: {', '.join(part for part in parts if part)}"


def describe_location(storage_class: Optional[str], volume: str, source: Optional[VolumeSource]) -> str:
    """Describe where the data is for a diff: `NFS nas:/exports/x (volume share.a.x)`, or the storage class."""
    if source is not None:
        return f"{describe_source(source)} (volume {volume})"
    if storage_class:
        return f"class {storage_class}"
    if storage_class is None:
        return "the default class"
    return f"volume {volume}" if volume else "no class"
