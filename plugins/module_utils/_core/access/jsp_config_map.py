# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan the ConfigMap that offers shares to classic Open Data Hub."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any, Optional

from ..._hub.acl_format import HUB, OPENSHIFT, SCHEMA, digest_of
from ..plan import CREATE, DELETE, KEEP, UPDATE, Change
from ..requests import CONFIG_MAPS, ApiRequest, Precondition, create, patch
from ..text import quote_list
from .jsp_profiles import MOST_TEXT, unsupported_reason
from .model import Acl, last_day_if_expired
from .observed import KIND_LABEL, LEFT_OUT_ANNOTATION, WRITER_ANNOTATION, ConfigMap
from .publish import PublishSettings, deletion_of
from .published_profiles import KEY, LABELS, NAME, PROFILES, Profiles, acl_of


def hub_group_errors(acl: Acl, today: date) -> list[str]:
    """Return a sentence for each share that profiles could offer if it had no grants to groups of the hub."""
    errors = []
    for name, share in sorted(acl.by_name.items()):
        if share["level"] == "secret" or last_day_if_expired(share, today):
            continue
        named = {group for right in ("read", "write") for group in share[right]["groups"] if group.startswith(HUB)}
        if named:
            errors.append(
                f"{name} is granted to {quote_list(sorted(named))}, but singleuser-profiles do not support groups of the hub: "
                "name the people, or a group of the inventory or of OpenShift"
            )
    return errors


def profiles_from(text: str, acl: Acl) -> Profiles:
    """Return the content to store, from profiles and the ACL that they were made from. Raises ValueError if it is too
    large."""
    found = Profiles(text, acl_of(text), Acl(acl.shares, _openshift_members(acl)))
    size = sum(len(value.encode("utf-8")) for value in found.data.values())
    if size > MOST_TEXT:
        raise ValueError(
            f"the profiles and their shares take {size // 1024} KiB, but the limit for a ConfigMap is {MOST_TEXT // 1024} KiB: "
            "publish the ACL (`format: acl`), or grant to smaller groups"
        )
    return found


def _openshift_members(acl: Acl) -> dict[str, dict[str, list[str]]]:
    members = {
        person: [group for group in record.get("groups", ()) if group.startswith(OPENSHIFT)]
        for person, record in acl.people.items()
    }
    return {person: {"groups": groups} for person, groups in members.items() if groups}


def comparable_acl(profiles: Profiles, home: str, roots: Sequence[str], also: Collection[str] = ()) -> Acl:
    """Return an ACL for comparisons, from the offer of profiles and their shares.

    Shares that profiles cannot offer are omitted, except those in `also`. An expired share is included, and nobody has it,
    as in any other ACL.
    """
    shares: dict[str, Any] = {}
    for name, share in profiles.shares.by_name.items():
        offered = profiles.offer.by_name.get(name)
        if offered is None and name not in also and unsupported_reason(share, home, roots):
            continue
        everyone = offered is not None and offered["read"]["everyone"]
        shares[name] = {**share, "read": {"everyone": everyone, "groups": []}, "write": {"groups": []}}
    return Acl({"schema": SCHEMA, "shares": shares}, profiles.offer.people)


def foreign_error(namespace: str) -> str:
    """Return why a ConfigMap of this name that does not belong to this collection is left alone."""
    return (
        f"ConfigMap {NAME} in namespace {namespace} does not belong to this collection (no label {KIND_LABEL}: {PROFILES}): "
        "delete it, or add this label to have it replaced"
    )


def plan_profiles(observed: Optional[ConfigMap], desired: Profiles, settings: PublishSettings) -> Change:
    """Return the change that publishes the desired profiles."""
    text, data = desired.text, desired.data
    digest = digest_of(text)
    annotations = desired.annotations(settings.namespace)
    metadata: dict[str, Any] = {
        "labels": LABELS,
        "annotations": {**annotations, WRITER_ANNOTATION: settings.writer},
    }
    after = f"profiles {digest[:12]}"
    namespace = settings.namespace
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, **metadata}, "data": data}
    created = create(CONFIG_MAPS, namespace, manifest)
    if observed is None:
        return Change(
            CREATE, PROFILES, namespace, NAME, "there are no profiles yet", after=after, operations=(created,)
        )
    before = f"profiles {digest_of(observed.text(KEY))[:12]}"
    has_metadata = observed.has_labels(LABELS) and annotations.items() <= observed.annotations.items()
    if not desired.left_out and LEFT_OUT_ANNOTATION in observed.annotations:
        has_metadata = False
        metadata["annotations"][LEFT_OUT_ANNOTATION] = None
    is_same = dict(observed.data) == data and not observed.has_binary
    if is_same and has_metadata and not observed.deleting:
        return Change(KEEP, PROFILES, namespace, NAME, "the profiles are up to date")
    operations: tuple[ApiRequest, ...]
    if observed.immutable or observed.deleting:
        operations = (*deletion_of(observed, settings), created)
    else:
        others = {key: None for key in observed.data if key not in data}
        body: dict[str, Any] = {"metadata": metadata, "data": {**others, **data}}
        if observed.has_binary:
            body["binaryData"] = None
        elif is_same:
            del metadata["annotations"][WRITER_ANNOTATION]
            body = {"metadata": observed.missing_marks(metadata["labels"], metadata["annotations"])}
        precondition = Precondition(observed.resource_version, observed.uid)
        operations = (patch(CONFIG_MAPS, namespace, NAME, body, precondition),)
    reason = _reason_to_write(observed, desired)
    return Change(UPDATE, PROFILES, namespace, NAME, reason, before=before, after=after, operations=operations)


def _reason_to_write(observed: ConfigMap, desired: Profiles) -> str:
    if observed.text(KEY) != desired.text:
        return "the profiles change"
    if dict(observed.data) != desired.data or observed.has_binary:
        return "the data beside the profiles changes"
    return "it is being deleted: it is recreated" if observed.deleting else "its labels or annotations were modified"


def plan_profiles_deletion(observed: Optional[ConfigMap], settings: PublishSettings) -> Change:
    """Return the change that deletes the ConfigMap."""
    namespace = settings.namespace
    if observed is None:
        return Change(KEEP, PROFILES, namespace, NAME, "there are no profiles")
    before = f"profiles {digest_of(observed.text(KEY))[:12]}"
    operations = deletion_of(observed, settings)
    return Change(DELETE, PROFILES, namespace, NAME, "`state` is absent", before=before, operations=operations)
