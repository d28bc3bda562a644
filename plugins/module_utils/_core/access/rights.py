# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rights of all people under an ACL, as bit sets with one bit per share.

The rule is that of `_hub.access.grants_of`, which decides for one person; the tests compare the two. Here it costs a few
integer operations per person, so that ten thousand people and hundreds of shares take well under a second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple, Optional

from ..shares.groups import source_of
from .model import RO, RW, Acl, last_day_if_expired


class Rights(NamedTuple):
    """The shares that a person can read (including those with write access) and write, one bit each."""

    read: int
    write: int

    def mode(self, bit: int) -> Optional[str]:
        """Return the access to the share of `bit`: `rw`, `ro` or None."""
        return RW if self.write & bit else RO if self.read & bit else None


class AccessIndex:
    """What an ACL grants on one day, before the decisions at spawn (requests for secret shares, no write-down).

    `names` are the shares; bit n stands for the n-th. Other shares of the ACL are ignored. Nobody has an expired share.
    """

    def __init__(self, acl: Acl, names: Sequence[str], today: date) -> None:
        self._people = acl.people
        self._bits: dict[str, int] = {}
        self._group_read: defaultdict[str, int] = defaultdict(int)
        self._group_write: defaultdict[str, int] = defaultdict(int)
        everyone = 0
        for number, name in enumerate(names):
            share = acl.by_name.get(name)
            if share is None or last_day_if_expired(share, today):
                continue
            bit = self._bits[name] = 1 << number
            if share["read"].get("everyone"):
                everyone |= bit
            for group in share["read"].get("groups", ()):
                self._group_read[group] |= bit
            for group in share["write"].get("groups", ()):
                self._group_write[group] |= bit
        #: The rights of everyone, named or not.
        self.everyone = Rights(everyone, 0)
        #: The groups of the hub with grants, sorted. Only the hub knows their members.
        self.hub_groups = sorted(
            group for group in {*self._group_read, *self._group_write} if source_of(group) == "hub"
        )

    def of_person(self, person: str) -> Rights:
        """Return the rights of a person, without those through groups of the hub."""
        record = self._people.get(person)
        if record is None:
            return self.everyone
        read = self.everyone.read
        write = 0
        for group in record.get("groups", ()):
            # Groups without grants are frequent: get() does not create entries for them.
            read |= self._group_read.get(group, 0)
            write |= self._group_write.get(group, 0)
        for share in record.get("read", ()):
            read |= self._bits.get(share, 0)
        for share in record.get("write", ()):
            write |= self._bits.get(share, 0)
        return Rights(read | write, write)

    def of_group(self, group: str) -> Rights:
        """Return the rights of the members of a group, including those of everyone."""
        write = self._group_write.get(group, 0)
        return Rights(self.everyone.read | self._group_read.get(group, 0) | write, write)


def numbers_of(bits: int) -> Iterator[int]:
    """Yield the numbers of the set bits in ascending order."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
