# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of access: who gains or loses which share, and the cause of each change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, NamedTuple, Optional

from .model import RO, RW, Acl, last_day_if_expired

PERSON = "person"
HUB_GROUP = "hub group"
EVERYONE = "everyone"

_RANK = {None: 0, RO: 1, RW: 2}


class AccessChange(NamedTuple):
    """A change of the access of `who` to `share` from `old` to `new`, each `ro`, `rw` or None, never equal.

    `kind` is `person` (`who` is the user name), `hub group` (`who` is `hub:NAME`: its members, known only to the hub) or
    `everyone` (`who` is None: all people without a grant of their own, including unknown ones). `cause` is a short phrase.
    """

    share: str
    kind: str
    who: Optional[str]
    old: Optional[str]
    new: Optional[str]
    cause: str

    @property
    def narrows(self) -> bool:
        """Whether access is lost or reduced. A change that does not narrow access widens it."""
        return _RANK[self.new] < _RANK[self.old]

    @property
    def widens(self) -> bool:
        """Whether access is gained or extended."""
        return not self.narrows


class Causes:
    """The causes of changes between two ACLs on a day. `removed` has the cause for shares that are not in the new ACL."""

    def __init__(self, old: Acl, new: Acl, today: date, removed: Mapping[str, str]) -> None:
        self._old = old
        self._new = new
        #: The causes that lie in the share and apply to everybody.
        self._common = {name: removed.get(name, "share removed") for name in old.by_name}
        for name, share in new.by_name.items():
            self._common[name] = _cause_in_share(old.by_name.get(name), share, today)
        self._groups_before, self._groups_after = _groups_of(old), _groups_of(new)

    def of_person(self, share: str, person: str, old: Optional[str], new: Optional[str]) -> str:
        """Return why the access of a person changes from `old` to `new`."""
        common = self._common[share]
        if common:
            return common
        if old is None or new == RW:
            after = self._new.people.get(person, _NO_RECORD)
            right = "write" if new == RW else "read"
            if share in after.get(right, ()):
                return f"named in {right}"
            group = _first_granted(after, self._groups_after[share, right])
            return f"group {group}" if group is not None else "everyone"
        before = self._old.people.get(person, _NO_RECORD)
        right = "write" if old == RW else "read"
        if share in before.get(right, ()):
            return f"removed from {right}"
        group = _first_granted(before, self._groups_before[share, right])
        if group is None:
            return "no longer for everyone"
        if group in self._groups_after[share, right]:
            return f"left group {group}"
        return f"group {group} removed from {right}"

    def of_hub_group(self, share: str, old: Optional[str], new: Optional[str]) -> str:
        """Return why the access of the members of a group of the hub changes."""
        common = self._common[share]
        if common:
            return common
        if share not in self._old.by_name:
            return "share added"
        if old is None or new == RW:
            return "added to write" if new == RW else "added to read"
        return "removed from write" if old == RW else "removed from read"

    def of_everyone(self, share: str) -> str:
        """Return why the access of everyone changes."""
        common = self._common[share]
        if common:
            return common
        if share not in self._old.by_name:
            return "share added"
        return f"level {self._old.by_name[share]['level']} to {self._new.by_name[share]['level']}"


_NO_RECORD: Mapping[str, Any] = {}


def _cause_in_share(before: Optional[Mapping[str, Any]], after: Mapping[str, Any], today: date) -> str:
    last = last_day_if_expired(after, today)
    if last:
        return f"expired after {last}"
    if before is not None and last_day_if_expired(before, today):
        return f"granted again until {after['until']}" if "until" in after else "granted again"
    if before is not None and before["claim"] != after["claim"]:
        return f"claim {after['claim']} instead of {before['claim']}"
    return ""


def _groups_of(acl: Acl) -> dict[tuple[str, str], frozenset[str]]:
    rights = ("read", "write")
    return {(name, right): frozenset(share[right]["groups"]) for name, share in acl.by_name.items() for right in rights}


def _first_granted(record: Mapping[str, Any], granted: Collection[str]) -> Optional[str]:
    """Return the first group of a person that is among the granted ones."""
    for group in record.get("groups", ()):
        if group in granted:
            found: str = group
            return found
    return None
