# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions of a run that publishes an ACL while others may do so: what a failed write means, and what to plan again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

from ..plan import KEEP, REFUSE, Change
from .observed import INDEX, ConfigMap, ObservedAcl
from .publish import PublishSettings, is_recent, plan_part

#: The results of a failed write of the index.
WRITTEN = "written"  # the answer was lost, but the write succeeded
CONFLICT = "conflict"  # another run was faster: read and plan again
NOT_OURS = "not ours"  # the ConfigMap belongs to somebody else
FAILED = "failed"


@dataclass(frozen=True)
class FailedIndexWrite:
    """A failed write of the index: whether it was a conflict, whether its result is unknown, and the index found after it.

    `desired_digest` is "" if the index was to be deleted.
    """

    is_conflict: bool
    is_unknown: bool
    found: Optional[ConfigMap]
    desired_digest: str

    @property
    def result(self) -> str:
        """One of the results above."""
        if self.is_unknown and self._is_desired():
            return WRITTEN
        if not self.is_conflict:
            return FAILED
        return NOT_OURS if self.lacks_label and self.found and not self.found.is_part_of_acl else CONFLICT

    @property
    def lacks_label(self) -> bool:
        """Whether the index lost the label that lists select."""
        return self.found is not None and self.found.kind != INDEX

    def _is_desired(self) -> bool:
        if not self.desired_digest:
            return self.found is None
        return ObservedAcl(self.found).digest == self.desired_digest


def plan_part_again(
    change: Change, found: Optional[ConfigMap], observed: ObservedAcl, settings: PublishSettings
) -> Change:
    """Plan a part again that another run has created, annotated or deleted, or that somebody else created.

    Its name contains a digest, so a ConfigMap of that name with another content is there to keep the ACL from being published.
    """
    safe = found is not None and (change.name in observed.in_force or is_recent(found, settings))
    return plan_part(found, change.subject, safe, settings)


def plan_deletion_again(change: Change, found: Optional[ConfigMap]) -> Change:
    """Plan the deletion of an unused part again that another run has deleted or annotated."""
    reason = "it is already deleted" if found is None else "another run uses it again"
    return replace(change, action=KEEP, reason=reason, operations=())


def reject_foreign(change: Change) -> Change:
    """Return the rejection of a change to a ConfigMap that does not belong to this collection."""
    reason = f"ConfigMap {change.name} exists and does not belong to this collection: delete or rename it"
    return replace(change, action=REFUSE, reason=reason, operations=())


def state_of(digest: str) -> str:
    """Return which ACL is published, as a clause."""
    return f"ACL {digest[:12]} is published" if digest else "no ACL is published"


def other_run_warning(previous: str, current: str, desired: str) -> str:
    """Return a warning if another run changed the ACL between two rounds, by the digests, or ""."""
    if current in (previous, desired):
        return ""
    what = f"published ACL {current[:12]}" if current else "deleted the ACL"
    return f"Another run {what} in the meantime; this run planned again on top of it"
