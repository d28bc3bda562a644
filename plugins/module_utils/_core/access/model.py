# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The access list (ACL): shares with their grants, and the memberships of all people, in the form in which they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Optional

from ..._hub.acl_format import SCHEMA

RO = "ro"
RW = "rw"


@dataclass(frozen=True)
class Acl:
    """A complete access list.

    `shares` is the shares part: `{"schema": 1, "shares": {name: {"level", "claim", "mount_path", "read", "write", ...}}}`.
    `people` has a record for each person who is a member of a group or named directly:
    `{"groups": [...], "read": [share...], "write": [share...]}`, lists sorted, empty ones omitted. Do not modify either:
    ACLs share records.
    """

    shares: Mapping[str, Any]
    people: Mapping[str, Mapping[str, Any]]

    @property
    def by_name(self) -> Mapping[str, Mapping[str, Any]]:
        """The shares by name."""
        found: Mapping[str, Mapping[str, Any]] = self.shares["shares"]
        return found


#: The ACL without shares and people: what holds when none is published.
EMPTY = Acl({"schema": SCHEMA, "shares": {}}, {})


def last_day_if_expired(share: Mapping[str, Any], today: date) -> Optional[str]:
    """Return the last day of a share (`2027-03-31`) if it is before `today`, a day in UTC, or None."""
    until: Optional[str] = share.get("until")
    return until if until is not None and date.fromisoformat(until) < today else None
