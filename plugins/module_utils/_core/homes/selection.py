# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which claim is the home of a user: the one that the entry names, the only one, or the one marked as primary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ..kubernetes.claims import Claim
from ..kubernetes.deletion import reject_terminating
from ..kubespawner.manifests import owner_hash
from ..metadata import OWNER_LABEL, PRESENT, RETIRED, USERNAME_ANNOTATION
from ..plan import Rejected, Unchanged
from ..text import did_you_mean, quote_list
from .changes import HomesContext
from .desired import Home
from .observed import claim_owner, describe_other_kind, other_kind


def select_claim(context: HomesContext, home: Home, active: Sequence[Claim]) -> Optional[Claim]:
    """Return the claim that is the home, None when there is none. `active` are the owner's claims.

    Raises Rejected when the entry names a claim that cannot be this home now, and Unchanged when nothing says which of
    several claims is the home.
    """
    if home.spec.claim is None:
        return _primary_claim(context, home, active)
    name = home.spec.claim
    claim = context.observed.by_name.get(name)
    if claim is None:
        _check_missing(context, home, active)
        return None
    _check_owner(home, claim, active)
    if claim.deleting:
        if home.state == PRESENT:
            reject_terminating(home.namespace, claim, context.facts)
        return None
    if claim.user is None and home.state != PRESENT:
        raise Rejected(
            f"claim {name} names no owner, so it cannot be {home.state} as the home of {home.owner}: adopt it first with "
            "state present",
            name,
        )
    return claim


def was_changed_by_others(context: HomesContext, home: Home) -> bool:
    """Return whether the claim that an entry names may have been this home, and somebody deleted it or changed its owner.

    That is a claim that does not exist any more, or one with the label that an earlier run gave it for this user.
    """
    claim = context.observed.by_name.get(home.spec.claim or "")
    return claim is None or claim.deleting or claim.labels.get(OWNER_LABEL) == owner_hash(home.user)


def named_by_another_entry(claim: Claim) -> Rejected:
    """Return why a claim that names this owner does not become their home: another entry says that it is another one's."""
    return Rejected(
        f"claim {claim.name} names {claim_owner(claim)} as its owner, and another entry names it as its home: correct the "
        f"annotation {USERNAME_ANNOTATION} of the claim, or `claim` in that entry",
        claim.name,
    )


def _check_missing(context: HomesContext, home: Home, active: Sequence[Claim]) -> None:
    name = home.spec.claim or ""
    if home.state == RETIRED:
        context.warn(
            home,
            name,
            f"Claim {name} of {home.owner} does not exist and cannot be retired: correct or remove the entry",
        )
    if home.state == PRESENT:
        known = [item.name for item in active] or list(context.observed.by_name)
        raise Rejected(
            f"claim {name} does not exist in namespace {home.namespace}{did_you_mean(name, known)}: correct `claim`, or "
            "remove it to create a home",
            name,
        )


def _check_owner(home: Home, claim: Claim, active: Sequence[Claim]) -> None:
    if other_kind(claim) is not None:
        raise Rejected(f"claim {claim.name} {describe_other_kind(claim)}: set `claim` to another claim", claim.name)
    if claim.user is not None and claim not in active and not claim.deleting:
        raise Rejected(
            f"claim {claim.name} belongs to {claim_owner(claim)}: set `claim` to a claim of {home.owner}, or change the "
            f"annotation {USERNAME_ANNOTATION} of the claim first",
            claim.name,
        )


def _primary_claim(context: HomesContext, home: Home, active: Sequence[Claim]) -> Optional[Claim]:
    if len(active) < 2:
        return active[0] if active else None
    primary = [claim for claim in active if claim.is_primary]
    not_retired = [claim for claim in active if claim.retired_at is None]
    if len(primary) == 1:
        return primary[0]
    if len(not_retired) == 1 and not primary:
        return not_retired[0]
    for claim in active:
        context.warn_of_volume(home, claim)
    names = quote_list([claim.name for claim in active])
    context.warn(
        home,
        active[0].name,
        f"{home.owner} owns {names}, and not exactly one of them is marked as primary: set `claim` in "
        f"{home.spec.position} to the one to mount. Until then none of them is changed",
    )
    raise Unchanged(f"owns {names}, and the entry does not say which one is the home")
