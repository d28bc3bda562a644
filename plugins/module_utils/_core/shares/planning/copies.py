# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims whose content is a copy (`dataSource`, `dataSourceRef`): one of a home is no share, one of a share has its level."""

from __future__ import annotations

from typing import NamedTuple, Optional, Protocol

from ...._hub.acl_format import LEVELS
from ...kubernetes.claims import Claim, SnapshotSource
from ...metadata import LEVEL_ANNOTATION
from ..naming import is_spawner_name, reserved_name
from .observed import reserved_for

_CLAIM = ("", "PersistentVolumeClaim")
_SNAPSHOT = ("snapshot.storage.k8s.io", "VolumeSnapshot")
#: How many copies of copies are followed.
_MOST_COPIES = 8


class SourceLookup(Protocol):
    """Finds the sources of copies."""

    def source_claim(self, namespace: str, name: str) -> tuple[Optional[Claim], str]:
        """Return a claim, None when it does not exist; and why it cannot be read, "" when it can."""

    def snapshot_source(self, namespace: str, name: str) -> SnapshotSource:
        """Return the claim that a VolumeSnapshot was taken of, and when."""


class CopyProblem(NamedTuple):
    """Why the content of a claim cannot be a share's ("is a copy of ..."). `is_known`: it is known that it cannot."""

    reason: str
    is_known: bool


def copy_problem(namespace: str, claim: Claim, lookup: SourceLookup, level: str) -> Optional[CopyProblem]:
    """Return why a claim cannot be a share of a level because of what it was copied from, None when it can be one.

    A source that cannot be read, or that is newer than its copy, is not assumed to be different from a home.
    """
    current, path = claim, "is"
    for _copy in range(_MOST_COPIES):
        source = current.data_source
        if source is None:
            return None
        where, name, copied_at = source.namespace or namespace, source.name, current.created
        kind = (source.group, source.kind)
        if kind == _SNAPSHOT:
            path = f"{path} restored from VolumeSnapshot {name}"
            name, copied_at, error = lookup.snapshot_source(where, name)
            if not name:
                return CopyProblem(f"{path}, and whether that holds a home is unknown: {error}", is_known=False)
            path += f", a snapshot of claim {name}"
        elif kind == _CLAIM:
            path = f"{path} a copy of claim {name}"
        else:
            described = f"{source.kind} {name}" + (f" ({source.group})" if source.group else "")
            return CopyProblem(f"{path} filled from {described}, which may hold a home", is_known=False)
        found, error = lookup.source_claim(where, name)
        if found is None:
            if reserved_name(name) or is_spawner_name(name):
                return CopyProblem(f"{path}, which is {reserved_name(name) or 'a home by its name'}", is_known=True)
            error = error or f"claim {name} does not exist in {where}"
            return CopyProblem(f"{path}, and whether that is a home is unknown: {error}", is_known=False)
        other_use = reserved_for(found)
        if other_use is not None:
            return CopyProblem(f"{path}, which is {other_use}", is_known=True)
        stricter = found.annotations.get(LEVEL_ANNOTATION, "")
        if level in LEVELS and stricter in LEVELS and LEVELS.index(stricter) > LEVELS.index(level):
            return CopyProblem(f"{path}, whose data is {stricter} and not {level}", is_known=True)
        if found.created > copied_at:
            return CopyProblem(
                f"{path}, and whether that is a home is unknown: claim {name} is newer than its copy", is_known=False
            )
        current, namespace, path = found, where, f"{path}, which is"
    return CopyProblem(f"{path} a copy of so many copies that whether it holds a home is unknown", is_known=False)
