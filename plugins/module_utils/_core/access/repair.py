# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rejections when the published ACL is damaged, or of a newer schema: nobody can say what would change for people."""

from __future__ import annotations

from dataclasses import dataclass

from ..._hub.acl_format import INDEX_KEY, INDEX_NAME, SCHEMA, digest_of
from ..text import quote_list
from .guards import Rejection
from .observed import WRITER_ANNOTATION, ObservedAcl, PublishedAcl


@dataclass(frozen=True)
class Replacement:
    """What replaces a published ACL: the digest of the new ACL ("" if the ACL is deleted), and whether it has no shares
    although `allow_empty` is not set."""

    observed: ObservedAcl
    published: PublishedAcl
    digest: str
    is_emptied: bool = False

    @property
    def is_repair(self) -> bool:
        """Whether the new ACL is the one that the index claims to be, or contains."""
        index = self.observed.index
        return index is not None and self.digest in (self.published.digest, digest_of(index.text(INDEX_KEY)))


def damage_rejections(replacement: Replacement, max_withdrawals: int) -> list[Rejection]:
    """Return why a damaged ACL is not replaced.

    What it granted cannot be compared, so nobody can say who would lose what. Writing the same ACL again repairs it and
    takes nothing from anybody.
    """
    published = replacement.published
    if not published.errors or replacement.observed.index is None or replacement.is_repair:
        return []
    damage = f"{published.title} is published but damaged ({quote_list(published.errors, 3)})"
    if max_withdrawals >= 0:
        sentence = (
            f"{damage}, so the withdrawals are unknown: publish the previous shares and groups again, which repairs it, or set "
            "`max_withdrawals: -1` to proceed without a comparison"
        )
        return [Rejection(sentence, "max_withdrawals", -1)]
    if replacement.is_emptied:
        sentence = (
            f"{damage}, and the new ACL has no shares: list the shares, or set `allow_empty: true` to withdraw all"
        )
        return [Rejection(sentence, "allow_empty", True)]
    return []


def schema_error(observed: ObservedAcl) -> str:
    """Return why an ACL of a newer schema is left alone, or ""."""
    newer = observed.newer_schema
    if not newer or observed.index is None:
        return ""
    writer = observed.index.annotations.get(WRITER_ANNOTATION) or "an unknown writer"
    return (
        f"The ACL in ConfigMap {INDEX_NAME} has schema {newer}, written by {writer}, but this version of the collection supports "
        f"schemas up to {SCHEMA}: use a newer version"
    )
