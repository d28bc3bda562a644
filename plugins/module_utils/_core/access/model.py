# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ACL as one thing: the shares with their grants, and everybody's memberships, both in the form in which they are
stored (see `pure/access.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Optional

from ..._hub.access import SCHEMA

RO = "ro"
RW = "rw"


@dataclass(frozen=True)
class Acl:
    """An access list, whole.

    `shares` is the shares part: `{"schema": 1, "shares": {name: {"level", "claim", "mount_path", "read", "write", ...}}}`.
    `people` has a record for each person who is a member of a group or named directly:
    `{"groups": [...], "read": [share...], "write": [share...]}`, lists sorted, empty ones left out. Nothing in either
    is to be changed: records are shared between ACLs.
    """

    shares: Mapping[str, Any]
    people: Mapping[str, Mapping[str, Any]]

    @property
    def by_name(self) -> Mapping[str, Mapping[str, Any]]:
        """The shares, by name."""
        found: Mapping[str, Mapping[str, Any]] = self.shares["shares"]
        return found


#: What stands where no ACL does: no share, nobody.
EMPTY = Acl({"schema": SCHEMA, "shares": {}}, {})


def ended(share: Mapping[str, Any], today: date) -> Optional[str]:
    """Return the share's last day (`2027-03-31`) when that is before `today`, a day in UTC; else None."""
    until: Optional[str] = share.get("until")
    return until if until is not None and date.fromisoformat(until) < today else None
