# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says when the published ACL is damaged, of a newer schema, or not what our last publication wrote."""

from __future__ import annotations

from ..._hub.acl_format import INDEX_NAME, SCHEMA
from ..text import quote_list
from .baseline import Baseline, is_newer_publication
from .model import EMPTY
from .observed import PUBLICATION_ANNOTATION, WRITER_ANNOTATION, ObservedAcl, PublishedAcl


def schema_error(observed: ObservedAcl, namespace: str) -> str:
    """Return why an ACL of a newer schema is left alone, or "".

    Only one that a run of a newer version published: anybody can write another schema into a ConfigMap.
    """
    if observed.index is None or not is_newer_publication(observed, namespace):
        return ""
    writer = observed.index.annotations.get(WRITER_ANNOTATION) or "an unknown writer"
    return (
        f"The ACL in ConfigMap {INDEX_NAME} has schema {observed.newer_schema}, written by {writer}, but this version of the "
        f"collection supports schemas up to {SCHEMA}: use a newer version, or, if none of yours wrote it, delete that "
        "ConfigMap and run again"
    )


def damage_note(published: PublishedAcl, baseline: Baseline, namespace: str) -> str:
    """Return a warning if the published ACL is damaged, or not what our last publication wrote, or ""."""
    known = (
        "guards compare with what the last run published"
        if baseline.is_unchanged or (baseline.acl or EMPTY).by_name
        else "what the last run published is unknown, so `max_withdrawals` holds nothing back this time"
    )
    if published.errors:
        return (
            f"{published.title} was damaged ({quote_list(published.errors, 3)}): people whom this concerned got no shares. It is "
            f"written again; {known}"
        )
    if not baseline.is_tampered:
        return ""
    return (
        f"{published.title} in ConfigMap {INDEX_NAME} is not what a run of this collection published (its annotation "
        f"{PUBLICATION_ANNOTATION} does not match): somebody changed it, or an older version wrote it. The ACL of the inventory "
        f"replaces it; {known}. Check who may write ConfigMaps in namespace {namespace}"
    )


def damaged(published: PublishedAcl, sentence: str) -> str:
    """Return the sentence of a rejection with the damage of the published ACL before it."""
    return (
        f"{published.title} is published but damaged ({quote_list(published.errors, 3)}), so the run compares with what the last "
        f"run published: {sentence}"
    )
