# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one ConfigMap with which classic Open Data Hub is told of shares: what stands there, and what becomes of it.

What profiles offer is read back into an ACL, so that the same sentences and guards do for both formats. Profiles know people
alone; so what they cannot say, levels, groups and last days, stands beside them in the same ConfigMap, where JSP does not look.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Optional

from ..._hub.access import (
    SCHEMA,
    AccessError,
    canonical,
    digest_of,
    load_shares,
    members_errors,
    shares_errors,
)
from ..plan import CREATE, DELETE, KEEP, UPDATE, Change
from ..requests import CONFIG_MAPS, ApiRequest, Precondition, create, delete, patch
from ..shares.groups import HUB
from ..text import quote_list
from .jsp import KEY, MOST_TEXT, unfit
from .model import RO, RW, Acl, ended
from .observed import DIGEST_ANNOTATION, KIND_LABEL, WRITER_ANNOTATION, Stored
from .publish import PublishSettings

NAME = "odh-persistency-shares-profiles"
PROFILES = "acl-profiles"
#: Under this key stand the shares as the ACL has them, all of them, and without people.
SHARES_KEY = "odh-persistency-shares.json"
#: What classic Open Data Hub finds such ConfigMaps by.
_LABELS = {KIND_LABEL: PROFILES, "jupyterhub": "singleuser-profiles"}
_PREFIX = "odh.persistency/"
_EVERYBODY = ["*"]


def hub_group_errors(acl: Acl, today: date) -> list[str]:
    """Return why profiles cannot carry groups of the hub's, for the shares that they could carry otherwise."""
    errors = []
    for name, share in sorted(acl.by_name.items()):
        if share["level"] == "secret" or ended(share, today):
            continue
        named = {group for right in ("read", "write") for group in share[right]["groups"] if group.startswith(HUB)}
        if named:
            errors.append(
                f"{name} is granted to {quote_list(sorted(named))}, and singleuser-profiles know no groups of the hub's: name "
                "the people, or a group of the inventory or of OpenShift"
            )
    return errors


@dataclass(frozen=True)
class Profiles:
    """What the ConfigMap holds: `text` with the profiles, what they `offer` as an ACL of people alone, and the `shares` behind
    them, levels, groups and last days, as an ACL without people."""

    text: str
    offer: Acl
    shares: Acl

    @property
    def data(self) -> dict[str, str]:
        """The ConfigMap's data."""
        return {KEY: self.text, SHARES_KEY: canonical(self.shares.shares)}


def profiles_from(text: str, acl: Acl) -> Profiles:
    """Return what is to be stored, from the profiles and the ACL that they were made of. Raises ValueError where it is too
    large."""
    found = Profiles(text, acl_of(text), Acl(acl.shares, {}))
    size = sum(len(value.encode("utf-8")) for value in found.data.values())
    if size > MOST_TEXT:
        raise ValueError(
            f"the profiles and their shares take {size // 1024} KiB, and a ConfigMap may take {MOST_TEXT // 1024} KiB: publish "
            "the ACL (`format: acl`), or grant to smaller groups"
        )
    return found


def standing(live: Stored) -> Profiles:
    """Return what stands. Raises AccessError for what this collection does not write."""
    text = live.text(KEY)
    return Profiles(text, acl_of(text), shares_of(live))


def shares_of(live: Stored) -> Acl:
    """Return the shares behind the profiles, be these readable or not. Raises AccessError."""
    text = live.text(SHARES_KEY)
    return Acl(load_shares(text, digest_of(text)), {})


def carried(profiles: Profiles, today: date, home: str, roots: Sequence[str], also: Collection[str] = ()) -> Acl:
    """Return what profiles offer together with what is known of the shares, to be compared.

    Shares that profiles cannot carry here are left out, except those in `also`; one that has ended by `today` is there, and
    nobody's, as in any other ACL.
    """
    shares: dict[str, Any] = {}
    for name, share in profiles.shares.by_name.items():
        offered = profiles.offer.by_name.get(name)
        if offered is None and name not in also and unfit(share, home, roots):
            continue
        everyone = offered is not None and offered["read"]["everyone"]
        shares[name] = {**share, "read": {"everyone": everyone, "groups": []}, "write": {"groups": []}}
    return Acl({"schema": SCHEMA, "shares": shares}, profiles.offer.people)


def acl_of(text: str) -> Acl:
    """Return what profiles written by this collection offer, as an ACL. Raises AccessError for anything else."""
    try:
        data = json.loads(text)
        return _acl_of(data["profiles"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, AccessError):
            raise
        raise AccessError(["they are not in the form in which this collection writes them"]) from error


def _acl_of(profiles: Sequence[Any]) -> Acl:
    shares: dict[str, Any] = {}
    people: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for profile in profiles:
        prefix, name, mode = profile["name"].split("/")
        if f"{prefix}/" != _PREFIX or mode not in (RO, RW):
            raise AccessError([f"the profile {profile['name']} is not one of this collection's"])
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


def is_ours(live: Stored) -> bool:
    """Return whether a ConfigMap of that name is this collection's."""
    return live.label == PROFILES


def foreign_refusal(namespace: str) -> str:
    """Return why a ConfigMap of that name that is somebody else's is left alone."""
    return (
        f"ConfigMap {NAME} in namespace {namespace} is not of this collection (no label {KIND_LABEL}: {PROFILES}): remove it, or "
        "give it that label if it is to be replaced"
    )


def plan_profiles(live: Optional[Stored], desired: Profiles, settings: PublishSettings) -> Change:
    """Return what becomes of the ConfigMap."""
    text, data = desired.text, desired.data
    digest = digest_of(text)
    marks = {DIGEST_ANNOTATION: digest, WRITER_ANNOTATION: settings.writer}
    after = f"profiles {digest[:12]}"
    namespace = settings.namespace
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "labels": _LABELS, "annotations": marks},
        "data": data,
    }
    made = create(CONFIG_MAPS, namespace, manifest)
    if live is None:
        return Change(CREATE, PROFILES, namespace, NAME, "there are none yet", after=after, operations=(made,))
    before = f"profiles {digest_of(live.text(KEY))[:12]}"
    if dict(live.data) == data and live.has_labels(_LABELS) and live.annotations.get(DIGEST_ANNOTATION) == digest:
        return Change(KEEP, PROFILES, namespace, NAME, "the profiles stand as they are wanted")
    reason = "its marks are not as they were written"
    if dict(live.data) != data:
        reason = "the profiles change" if live.text(KEY) != text else "what stands beside the profiles changes"
    operations: tuple[ApiRequest, ...] = (
        delete(CONFIG_MAPS, namespace, NAME, Precondition(live.resource_version, live.uid)),
        made,
    )
    if not live.immutable:
        others = {key: None for key in live.data if key not in data}
        body = {"metadata": {"labels": _LABELS, "annotations": marks}, "data": {**others, **data}}
        operations = (patch(CONFIG_MAPS, namespace, NAME, body, Precondition(live.resource_version, live.uid)),)
    return Change(UPDATE, PROFILES, namespace, NAME, reason, before=before, after=after, operations=operations)


def plan_profiles_away(live: Optional[Stored], settings: PublishSettings) -> Change:
    """Return what removes the ConfigMap."""
    namespace = settings.namespace
    if live is None:
        return Change(KEEP, PROFILES, namespace, NAME, "there are none")
    before = f"profiles {digest_of(live.text(KEY))[:12]}"
    step = delete(CONFIG_MAPS, namespace, NAME, Precondition(live.resource_version, live.uid))
    return Change(DELETE, PROFILES, namespace, NAME, "they are to be absent", before=before, operations=(step,))
