# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The homes observed in a namespace: its claims by name and by owner."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Optional

from ..._hub.acl_format import is_hub_database
from ..kubernetes.claims import Claim
from ..metadata import KIND_LABEL, KIND_SHARE, KIND_TREE, OWNER_LABEL
from .spec import owner_text

_HUB = "hub"
_BLOCK = "block"


def other_kind(claim: Claim) -> Optional[str]:
    """Return what a claim is when it is not a home (`share`, `tree`, `hub`, `block`). None otherwise.

    That is decided by our label, the hub's names and labels, and the volume mode: a raw block device has no files.
    """
    kind = claim.labels.get(KIND_LABEL)
    if kind in (KIND_SHARE, KIND_TREE):
        return kind
    if is_hub_database(claim.name) or claim.labels.get("component") == "hub":
        return _HUB
    return _BLOCK if claim.is_block else None


def is_home(claim: Claim) -> bool:
    """Whether a claim is a user's home: it names an owner and is of no other kind."""
    return claim.user is not None and other_kind(claim) is None


def describe_other_kind(claim: Claim) -> str:
    """Return what such a claim is, for messages."""
    kind = other_kind(claim)
    if kind == _BLOCK:
        return "is a raw block device (volumeMode Block), not a home"
    return "belongs to the hub, not to a user" if kind == _HUB else f"is a {kind}, not a home"


def claim_owner(claim: Claim) -> str:
    """Return the owner of a home for messages."""
    return owner_text(claim.user or "", claim.server)


class ObservedHomes:
    """The claims of one namespace by name and by owner.

    When the name template distinguishes named servers (`by_server`), a home belongs to (user, server). Otherwise all
    servers of a user share the home of (user, "").
    """

    def __init__(self, claims: Iterable[Claim], by_server: bool) -> None:
        self.by_server = by_server
        self.by_name: dict[str, Claim] = {}
        self._by_owner: dict[tuple[str, str], list[Claim]] = {}
        #: The claims without an owner that have our label of one, by its value.
        self.former: dict[str, list[Claim]] = {}
        for claim in claims:
            self.by_name[claim.name] = claim
            user = claim.user
            if user is None:
                if OWNER_LABEL in claim.labels:
                    self.former.setdefault(claim.labels[OWNER_LABEL], []).append(claim)
            elif other_kind(claim) is None:
                self._by_owner.setdefault((user, claim.server if by_server else ""), []).append(claim)

    @cached_property
    def uids(self) -> frozenset[str]:
        """The UIDs of all claims."""
        return frozenset(claim.uid for claim in self.by_name.values())

    def owned(self, user: str, server: str) -> list[Claim]:
        """Return the claims of an owner sorted by name, including those that are being deleted."""
        return sorted(self._by_owner.get((user, server), ()), key=lambda claim: claim.name)

    def active(self, user: str, server: str) -> list[Claim]:
        """Return the claims of an owner sorted by name, without those that are being deleted."""
        return [claim for claim in self.owned(user, server) if not claim.deleting]

    def owners(self) -> Iterable[tuple[str, str]]:
        """Return all owners as (user, server)."""
        return self._by_owner.keys()

    def for_replanning(self, owner: tuple[str, str], name: str, claim: Optional[Claim]) -> ObservedHomes:
        """Return what planning one home again needs: its owner's claims, with claim `name` as it is now (None: gone)."""
        claims = [other for other in self.owned(*owner) if other.name != name]
        return ObservedHomes([*claims, claim] if claim is not None else claims, self.by_server)
