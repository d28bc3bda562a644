# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which groups (gids) OpenShift lets a pod have: security context constraints, and the ranges of a namespace."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .permissions import Account

GROUPS_ANNOTATION = "openshift.io/sa.scc.supplemental-groups"
#: OpenShift takes this range if the namespace has none of groups.
USERS_ANNOTATION = "openshift.io/sa.scc.uid-range"
#: Python refuses to read integers of thousands of digits.
_RANGE = re.compile(r"(\d{1,20})(?:/(\d{1,20})|-(\d{1,20}))\Z")


class IdRange(NamedTuple):
    """A range of ids, both ends included, and its text."""

    first: int
    last: int
    text: str

    def __contains__(self, gid: object) -> bool:
        """Return whether an id is in the range."""
        return isinstance(gid, int) and self.first <= gid <= self.last


def ranges_of_namespace(annotations: Mapping[str, str]) -> Optional[list[IdRange]]:
    """Return the ranges that a namespace of OpenShift has for groups, None if it has none."""
    text = annotations.get(GROUPS_ANNOTATION) or annotations.get(USERS_ANNOTATION)
    if not text:
        return None
    found = []
    for part in text.split(","):
        match = _RANGE.match(part.strip())
        if match:
            first = int(match[1])
            last = first + int(match[2]) - 1 if match[2] else int(match[3])
            found.append(IdRange(first, last, part.strip()))
    return found


def outside(gids: Mapping[int, Sequence[str]], ranges: Iterable[IdRange]) -> dict[int, Sequence[str]]:
    """Return the gids, with the shares that have them, that are in none of the ranges."""
    known = list(ranges)
    return {gid: shares for gid, shares in gids.items() if not any(gid in one for one in known)}


def allowed_ranges(constraint: Mapping[str, Any], namespace_ranges: Sequence[IdRange]) -> Optional[list[IdRange]]:
    """Return the ranges of groups that a security context constraint allows, None if it allows all."""
    groups = constraint.get("supplementalGroups") or {}
    if groups.get("type") != "MustRunAs":
        return None
    own = [
        IdRange(one["min"], one["max"], f"{one['min']}-{one['max']}")
        for one in groups.get("ranges") or ()
        if isinstance(one.get("min"), int) and isinstance(one.get("max"), int)
    ]
    return own or list(namespace_ranges)


def names_account(constraint: Mapping[str, Any], account: Account) -> bool:
    """Return whether a security context constraint itself names a service account, or a group that it is in."""
    is_named = account.user in (constraint.get("users") or ())
    return is_named or not set(account.groups).isdisjoint(constraint.get("groups") or ())


def gid_errors(
    gids: Mapping[int, Sequence[str]],
    namespace: str,
    namespace_ranges: Sequence[IdRange],
    usable: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Return a sentence without a full stop for each gid that no usable constraint allows."""
    ranges: list[IdRange] = []
    for constraint in usable:
        allowed = allowed_ranges(constraint, namespace_ranges)
        if allowed is None:
            return []
        ranges += allowed
    texts = ", ".join(dict.fromkeys(one.text for one in ranges or namespace_ranges))
    return [
        f"gid {gid} of {'share' if len(shares) == 1 else 'shares'} {', '.join(sorted(shares))} is outside of the range {texts} "
        f"that OpenShift allows for groups in namespace {namespace} (MustRunAs): choose a gid in the range, or let the servers "
        "use a security context constraint that allows it"
        for gid, shares in sorted(outside(gids, ranges).items())
    ]
