# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ConfigMap that offers shares to classic Open Data Hub: its observed content, and the plan for it.

Profiles are read back into an ACL, so that both formats use the same sentences and guards. Profiles have only people. Levels,
groups and last days are stored under a second key of the same ConfigMap, and the members of Groups of OpenShift under a third.
JSP ignores both.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Optional

from ..._hub.access import load_members, load_shares
from ..._hub.acl_format import HUB, OPENSHIFT, SCHEMA, AccessError, canonical, digest_of, members_errors, shares_errors
from ..plan import CREATE, DELETE, KEEP, UPDATE, Change
from ..requests import CONFIG_MAPS, ApiRequest, Precondition, create, patch
from ..text import quote_list
from .baseline import publication_mark
from .jsp_profiles import KEY, MOST_TEXT, as_json, unsupported_reason
from .model import EMPTY, RO, RW, Acl, last_day_if_expired
from .observed import (
    DIGEST_ANNOTATION,
    KIND_LABEL,
    LEFT_OUT_ANNOTATION,
    PUBLICATION_ANNOTATION,
    WRITER_ANNOTATION,
    ConfigMap,
)
from .publish import PublishSettings, deletion_of

NAME = "odh-persistency-shares-profiles"
PROFILES = "acl-profiles"
#: The key with all shares in the form of the ACL, without people.
SHARES_KEY = "odh-persistency-shares.json"
#: The key with the members of Groups of OpenShift: those of a Group that a later run cannot read stay.
MEMBERS_KEY = "odh-persistency-members.json"
#: Classic Open Data Hub finds ConfigMaps with profiles by this label.
_HUB_LABELS = {"jupyterhub": "singleuser-profiles"}
_LABELS = {KIND_LABEL: PROFILES, **_HUB_LABELS}
_PREFIX = "odh.persistency/"
_EVERYBODY = ["*"]


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


@dataclass(frozen=True)
class Profiles:
    """The content of the ConfigMap: the `text` of the profiles, what they `offer` as an ACL without groups, and the `shares`
    with levels, groups and last days as an ACL whose people have only their Groups of OpenShift. `left_out` are claims as in
    AclDocument."""

    text: str
    offer: Acl
    shares: Acl
    left_out: tuple[str, ...] = ()

    @property
    def data(self) -> dict[str, str]:
        """The data of the ConfigMap."""
        found = {KEY: self.text, SHARES_KEY: canonical(self.shares.shares)}
        people = self.shares.people
        return {**found, MEMBERS_KEY: canonical({"schema": SCHEMA, "people": people})} if people else found

    @property
    def granted(self) -> Acl:
        """The offer with levels, groups and last days."""
        offer, members = self.offer.people, self.shares.people
        people = {person: {**offer.get(person, {}), **members.get(person, {})} for person in {**offer, **members}}
        return Acl(self.shares.shares, people)

    def mark(self, namespace: str) -> str:
        """Return the mark that binds the ConfigMap to what a run of this collection published."""
        return publication_mark(namespace, digest_of(canonical(self.data)))

    def annotations(self, settings: PublishSettings) -> dict[str, str]:
        """Return the annotations of the ConfigMap that identify its content."""
        found = {DIGEST_ANNOTATION: digest_of(self.text), PUBLICATION_ANNOTATION: self.mark(settings.namespace)}
        return {**found, LEFT_OUT_ANNOTATION: canonical(list(self.left_out))} if self.left_out else found


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


def published_profiles(observed: ConfigMap) -> Profiles:
    """Return the published profiles. Raises AccessError if this collection did not write them."""
    text = observed.text(KEY)
    members = observed.text(MEMBERS_KEY)
    people = load_members(members, digest_of(members))["people"] if members else {}
    return Profiles(text, acl_of(text), Acl(shares_of(observed).shares, people))


def _openshift_members(acl: Acl) -> dict[str, dict[str, list[str]]]:
    members = {
        person: [group for group in record.get("groups", ()) if group.startswith(OPENSHIFT)]
        for person, record in acl.people.items()
    }
    return {person: {"groups": groups} for person, groups in members.items() if groups}


def shares_of(observed: ConfigMap) -> Acl:
    """Return the shares of the profiles, even if the profiles are unreadable. Raises AccessError."""
    text = observed.text(SHARES_KEY)
    return Acl(load_shares(text, digest_of(text)), {})


def levels_of(observed: Optional[ConfigMap]) -> dict[str, str]:
    """Return the levels of the claims in published profiles, as far as they are readable."""
    try:
        shares = EMPTY if observed is None else shares_of(observed)
    except AccessError:
        return {}
    return {share["claim"]: share["level"] for share in shares.by_name.values()}


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


def acl_of(text: str) -> Acl:
    """Return the offer of profiles as an ACL. Raises AccessError if this collection did not write them."""
    try:
        data = json.loads(as_json(text))
        return _acl_of(data["profiles"])
    # chr() raises OverflowError for the largest escapes.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        if isinstance(error, AccessError):
            raise
        raise AccessError(["this collection did not write them in this form"]) from error


def _acl_of(profiles: Sequence[Any]) -> Acl:
    shares: dict[str, Any] = {}
    people: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for profile in profiles:
        prefix, name, mode = profile["name"].split("/")
        if f"{prefix}/" != _PREFIX or mode not in (RO, RW):
            raise AccessError([f"the profile {profile['name']} does not belong to this collection"])
        [volume] = profile["volumes"]
        users = profile["users"]
        everyone = users == _EVERYBODY
        shares[name] = {
            "level": "public" if everyone else "private",
            "claim": volume["persistentVolumeClaim"]["claimName"],
            "mount_path": volume["mountPath"],
            "read": {"everyone": everyone, "groups": []},
            "write": {"groups": []},
        }
        for user in () if everyone else users:
            people[user].setdefault("read" if mode == RO else "write", []).append(name)
    found = Acl({"schema": SCHEMA, "shares": shares}, people)
    errors = shares_errors(found.shares) + members_errors({"schema": SCHEMA, "people": found.people})
    if errors:
        raise AccessError(errors)
    return found


def is_ours(observed: ConfigMap) -> bool:
    """Return whether the ConfigMap belongs to this collection, even if somebody removed its labels.

    The name is reserved: without our marks, the hub still reads the profiles of the last run by its own label.
    """
    return (
        bool(observed.kind)
        or DIGEST_ANNOTATION in observed.annotations
        or SHARES_KEY in observed.data
        or observed.has_labels(_HUB_LABELS)
        or _PREFIX in observed.text(KEY)
    )


def is_our_publication(observed: ConfigMap, namespace: str) -> bool:
    """Return whether a run of this collection published the content of the ConfigMap as it is."""
    content = {key: observed.text(key) for key in (KEY, SHARES_KEY, MEMBERS_KEY) if key in observed.data}
    mark = publication_mark(namespace, digest_of(canonical(content)))
    return observed.annotations.get(PUBLICATION_ANNOTATION) == mark


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
    annotations = desired.annotations(settings)
    metadata: dict[str, Any] = {
        "labels": _LABELS,
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
    has_metadata = observed.has_labels(_LABELS) and annotations.items() <= observed.annotations.items()
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
