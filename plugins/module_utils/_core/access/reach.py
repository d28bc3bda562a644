# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who reaches what, for everybody at once: rights as sets of bits, one bit a share.

The rule is that of `access.grants_of`, which says it for one person (and the tests hold the two against each other). For
ten thousand people and hundreds of shares it is asked here in a handful of operations on whole numbers each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple, Optional

from ..shares.groups import source_of
from .model import RO, RW, Acl, ended


class Rights(NamedTuple):
    """The shares that somebody reads (those written to included) and writes to, a bit for each."""

    read: int
    write: int

    def mode(self, bit: int) -> Optional[str]:
        """Return what this grants of the one share of `bit`: `rw`, `ro` or None."""
        return RW if self.write & bit else RO if self.read & bit else None


class Reach:
    """What an ACL grants on one day, before what is decided at spawn (asking for secret shares, no write-down).

    `names` are the shares, bit n standing for the n-th; shares of the ACL that are not among them do not count. A share that
    has ended is nobody's.
    """

    def __init__(self, acl: Acl, names: Sequence[str], today: date) -> None:
        self._people = acl.people
        self._bits: dict[str, int] = {}
        self._group_read: defaultdict[str, int] = defaultdict(int)
        self._group_write: defaultdict[str, int] = defaultdict(int)
        everyone = 0
        for number, name in enumerate(names):
            share = acl.by_name.get(name)
            if share is None or ended(share, today):
                continue
            bit = self._bits[name] = 1 << number
            if share["read"].get("everyone"):
                everyone |= bit
            for group in share["read"].get("groups", ()):
                self._group_read[group] |= bit
            for group in share["write"].get("groups", ()):
                self._group_write[group] |= bit
        #: What anybody has, named or not.
        self.everyone = Rights(everyone, 0)
        #: The hub's groups that are granted something, sorted; who is in them only the hub knows.
        self.hub_groups = sorted(
            group for group in {*self._group_read, *self._group_write} if source_of(group) == "hub"
        )

    def of_person(self, person: str) -> Rights:
        """Return what a person has, groups of the hub aside."""
        record = self._people.get(person)
        if record is None:
            return self.everyone
        read = self.everyone.read
        write = 0
        for group in record.get("groups", ()):
            # Groups without grants are asked for all the time: get() makes no entries for them.
            read |= self._group_read.get(group, 0)
            write |= self._group_write.get(group, 0)
        for share in record.get("read", ()):
            read |= self._bits.get(share, 0)
        for share in record.get("write", ()):
            write |= self._bits.get(share, 0)
        return Rights(read | write, write)

    def of_group(self, group: str) -> Rights:
        """Return what the members of a group have by it, and as everyone."""
        write = self._group_write.get(group, 0)
        return Rights(self.everyone.read | self._group_read.get(group, 0) | write, write)


def numbers_of(bits: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, from the lowest."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
