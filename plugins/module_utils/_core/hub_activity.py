# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a home was used since it was retired, as far as a JupyterHub can tell.

What the hub records, read in JupyterHub 4.1 to 6.1: ``User.last_activity`` and ``Spawner.last_activity`` are set to
the hub's clock when a server starts and when it stops (``user.py``), and while it runs from the proxy and from the
server itself; the user's also when the person or a token of theirs calls at the hub. So whoever used a home after the
mark either has a server that runs now, or an activity at or after the mark. A named server's record, and with it its
own time, goes when the server is deleted, and a user's goes with the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from .times import format_time
from .validation import shown

USED = "used"
UNUSED = "unused"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class HubUser:
    """A user as the hub's API shows them. Times are aware, in UTC; None is "never".

    ``servers`` names the servers that the hub has a record of, stopped ones included; the default server is ``""``.
    ``active`` names those that run, start or stop now. ``activity_known`` and ``servers_known`` are False where the
    token may not see ``last_activity`` or the servers: then these fields say nothing.
    """

    name: str
    servers: tuple[str, ...] = ()
    active: frozenset[str] = frozenset()
    last_activity: datetime | None = None
    server_activity: Mapping[str, datetime | None] = field(default_factory=dict)
    activity_known: bool = True
    servers_known: bool = True


@dataclass(frozen=True)
class HubUsers:
    """The users of a hub by name. ``complete`` is False where the token sees only some of them.

    ``foreign`` is True where the hub knows none of those whose homes are at stake: it is probably another one's hub.
    """

    users: Mapping[str, HubUser]
    complete: bool = True
    foreign: bool = False

    @cached_property
    def by_lower_case(self) -> Mapping[str, str]:
        """The name of a user for each name in lower case."""
        return {name.lower(): name for name in self.users}

    def knows_any(self, names: Iterable[str]) -> bool:
        """Whether the hub knows one of these: a hub that knows no owner of a namespace's homes is another's hub."""
        return any(name in self.users for name in names)


@dataclass(frozen=True)
class Use:
    """``state`` is USED, UNUSED or UNKNOWN; ``reason`` is the part of a sentence that says why."""

    state: str
    reason: str


def use_since(hub: HubUsers | None, user: str, server: str | None, mark: datetime) -> Use:
    """Whether a home was used at or after ``mark`` (aware), the time at which it was retired.

    ``server`` is the server that the home belongs to, ``""`` for the default one; None when the home serves all of the
    user's servers, or when that is in doubt. What cannot be shown is UNKNOWN, never UNUSED:

    - Activity exactly at the mark is use, and so is a server that runs now.
    - A user whom the hub does not know has not used the home: a server is only ever started for a user in the hub's
      database, and retiring mostly follows on removing the user there. It takes a token that sees all users, a hub
      that has users at all, and no user whose name differs in case alone (hubs make names lower case).
    - A server's own record decides for its home. Without one (deleted with the named server) the user's time does.
    """
    if hub is None:
        return Use(UNKNOWN, "no hub was asked")
    if hub.foreign:
        return Use(UNKNOWN, "the hub knows nobody who has a home here, so it may be the hub of another namespace")
    if not hub.users:
        return Use(UNKNOWN, "the hub has no users at all, so it may be a new or another hub")
    found = hub.users.get(user)
    if found is None:
        return _use_of_stranger(hub, user)
    if not found.servers_known:
        return Use(UNKNOWN, f"the token may not see the servers of {shown(user)} (scope `read:servers`)")
    running = sorted(found.active if server is None else found.active & {server})
    if running:
        return Use(USED, f"{_server_of(user, running[0])} is running")
    own = None if server is None else found.server_activity.get(server)
    if own is not None and server is not None:
        return _compared(_server_of(user, server), own, mark)
    if not found.activity_known:
        return Use(UNKNOWN, f"the token may not see the activity of {shown(user)} (scope `read:users:activity`)")
    times = [time for time in (found.last_activity, *found.server_activity.values()) if time is not None]
    if not times:
        return Use(UNUSED, f"{shown(user)} was never active in the hub")
    return _compared(shown(user), max(times), mark)


def _use_of_stranger(hub: HubUsers, user: str) -> Use:
    if not hub.complete:
        return Use(UNKNOWN, f"the token sees only some of the hub's users, and {shown(user)} is not among them")
    twin = hub.by_lower_case.get(user.lower())
    if twin is not None:
        return Use(UNKNOWN, f"the hub knows {shown(twin)}, who may be {shown(user)}, but not {shown(user)} itself")
    return Use(UNUSED, f"the hub knows no user {shown(user)} (any more)")


def _compared(who: str, last: datetime, mark: datetime) -> Use:
    if last >= mark:
        return Use(USED, f"{who} was active at {format_time(last)}, and the home was retired at {format_time(mark)}")
    return Use(UNUSED, f"{who} was last active at {format_time(last)}, before the home was retired")


def _server_of(user: str, server: str) -> str:
    return f"the server {shown(server)} of {shown(user)}" if server else f"the server of {shown(user)}"
