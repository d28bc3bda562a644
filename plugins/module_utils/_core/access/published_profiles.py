# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The published profiles of classic Open Data Hub: the observed content of their ConfigMap, read back into an ACL.

So both formats use the same sentences and guards. Profiles have only people. Levels, groups and last days are stored under a
second key of the same ConfigMap, and the members of Groups of OpenShift under a third. JSP ignores both.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..._hub.access import load_members, load_shares
from ..._hub.acl_format import SCHEMA, AccessError, canonical, digest_of, members_errors, shares_errors
from .model import EMPTY, RO, RW, Acl
from .observed import (
    DIGEST_ANNOTATION,
    KIND_LABEL,
    LEFT_OUT_ANNOTATION,
    PUBLICATION_ANNOTATION,
    ConfigMap,
    publication_mark,
)

NAME = "odh-persistency-shares-profiles"
PROFILES = "acl-profiles"
#: The key with the profiles, as JSP reads them.
KEY = "jupyterhub-singleuser-profiles.yaml"
#: The key with all shares in the form of the ACL, without people.
SHARES_KEY = "odh-persistency-shares.json"
#: The key with the members of Groups of OpenShift: those of a Group that a later run cannot read stay.
MEMBERS_KEY = "odh-persistency-members.json"
#: Classic Open Data Hub finds ConfigMaps with profiles by this label.
_HUB_LABELS = {"jupyterhub": "singleuser-profiles"}
LABELS = {KIND_LABEL: PROFILES, **_HUB_LABELS}
_PREFIX = "odh.persistency/"
_EVERYBODY = ["*"]
_LONG = re.compile(r"\\(?:U([0-9a-f]{8})|.)", re.DOTALL)


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

    def annotations(self, namespace: str) -> dict[str, str]:
        """Return the annotations of the ConfigMap that identify its content."""
        found = {DIGEST_ANNOTATION: digest_of(self.text), PUBLICATION_ANNOTATION: self.mark(namespace)}
        return {**found, LEFT_OUT_ANNOTATION: canonical(list(self.left_out))} if self.left_out else found


def published_profiles(observed: ConfigMap) -> Profiles:
    """Return the published profiles. Raises AccessError if this collection did not write them."""
    text = observed.text(KEY)
    members = observed.text(MEMBERS_KEY)
    people = load_members(members, digest_of(members))["people"] if members else {}
    return Profiles(text, acl_of(text), Acl(shares_of(observed).shares, people))


def shares_of(observed: ConfigMap) -> Acl:
    """Return the shares of the profiles, even if the profiles are unreadable. Raises AccessError."""
    text = observed.text(SHARES_KEY)
    return Acl(load_shares(text, digest_of(text)), {})


def levels_of(observed: Optional[ConfigMap], namespace: str) -> dict[str, str]:
    """Return the levels of the claims in profiles that a run of this collection published, as far as they are readable."""
    try:
        shares = EMPTY if observed is None or not is_our_publication(observed, namespace) else shares_of(observed)
    except AccessError:
        return {}
    return {share["claim"]: share["level"] for share in shares.by_name.values()}


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


def as_json(text: str) -> str:
    """Return the text of profiles as JSON: without YAML's long escapes, which are plain characters then."""
    return _LONG.sub(lambda escape: chr(int(escape.group(1), 16)) if escape.group(1) else escape.group(), text)
