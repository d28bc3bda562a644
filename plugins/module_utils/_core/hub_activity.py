# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a home was used since its retirement, by the records of JupyterHub.

JupyterHub 4.1 to 6.1 record: ``User.last_activity`` and ``Spawner.last_activity`` are set to
the hub's clock when a server starts and stops (``user.py``), and by the proxy and the server while it runs. The user's
activity is also set when the person or one of their tokens calls the hub. Whoever used a home after its retirement
therefore has a running server, or an activity at or after that time. Deleting a named server deletes its record and
time, and deleting a user deletes those of the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from .times import format_time
from .validation import quoted

USED = "used"
UNUSED = "unused"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class HubUser:
    """A user as the hub's API returns them. Times are aware and in UTC, None means never.

    ``servers`` are the servers in the hub's database, including stopped ones. The default server is ``""``.
    ``active`` are those that run, start or stop now. ``activity_known`` and ``servers_known`` are False when the token
    may not read ``last_activity`` or the servers. These fields are then meaningless.

    ``created`` is None when the token may not read it (scope ``read:users``).

    ``groups`` are meaningless when ``groups_known`` is False. ``started`` has the time at which each server was started.
    ``pods`` has the names of their pods, if the hub runs KubeSpawner and the token may see the state of servers.
    """

    name: str
    servers: tuple[str, ...] = ()
    active: frozenset[str] = frozenset()
    last_activity: datetime | None = None
    server_activity: Mapping[str, datetime | None] = field(default_factory=dict)
    activity_known: bool = True
    servers_known: bool = True
    groups: tuple[str, ...] = ()
    groups_known: bool = True
    created: datetime | None = None
    started: Mapping[str, datetime | None] = field(default_factory=dict)
    pods: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HubUsers:
    """The users of a hub by name. ``complete`` is False when the token may read only some of them.

    ``foreign`` is True when the hub knows no owner of the homes in the namespace: it is probably another hub.
    """

    users: Mapping[str, HubUser]
    complete: bool = True
    foreign: bool = False

    @cached_property
    def by_lower_case(self) -> Mapping[str, str]:
        """The name of a user for each name in lower case."""
        return {name.lower(): name for name in self.users}

    def knows_any(self, names: Iterable[str]) -> bool:
        """Return whether the hub knows one of these users."""
        return any(name in self.users for name in names)


@dataclass(frozen=True)
class Use:
    """``state`` is USED, UNUSED or UNKNOWN, ``reason`` a clause that says why."""

    state: str
    reason: str


def use_since(hub: HubUsers | None, user: str, server: str | None, retired_at: datetime) -> Use:
    """Return whether a home was used at or after ``retired_at`` (aware), the time of its retirement.

    ``server`` is the server of the home, ``""`` for the default server, None when the home serves all servers of the
    user or when that is in doubt. Without evidence the answer is UNKNOWN, never UNUSED:

    - Activity at that very time is use, and so is a running server.
    - A user whom the hub does not know proves nothing. The hub can rename users, and KubeSpawner remembers the claim of
      a server, so that somebody with another name may use this home.
    - A user whom the hub created after the retirement may be a new record of somebody who used the home.
    - The record of a server decides for its home. Without one (deleted with the named server) the user's time decides.
    """
    if hub is None:
        return Use(UNKNOWN, "no hub was asked")
    if hub.foreign:
        return Use(UNKNOWN, "the hub knows no owner of a home here, so it may be the hub of another namespace")
    if not hub.users:
        return Use(UNKNOWN, "the hub has no users, so it may be a new or another hub")
    found = hub.users.get(user)
    if found is None:
        return _use_of_unknown_user(hub, user)
    if not found.servers_known:
        return Use(UNKNOWN, f"the token may not read the servers of {quoted(user)} (scope `read:servers`)")
    running = sorted(found.active if server is None else found.active & {server})
    if running:
        return Use(USED, f"{_server_of(user, running[0])} is running")
    own = None if server is None else found.server_activity.get(server)
    if own is not None and server is not None:
        return _compared(_server_of(user, server), own, retired_at)
    if not found.activity_known:
        return Use(UNKNOWN, f"the token may not read the activity of {quoted(user)} (scope `read:users:activity`)")
    times = [time for time in (found.last_activity, *found.server_activity.values()) if time is not None]
    if times:
        return _compared(quoted(user), max(times), retired_at)
    if found.created is not None and found.created >= retired_at:
        return Use(
            UNKNOWN,
            f"the hub's record of {quoted(user)} was created at {format_time(found.created)}, after the home was retired, and an "
            "earlier record may have been deleted",
        )
    return Use(UNUSED, f"{quoted(user)} was never active in the hub")


def _use_of_unknown_user(hub: HubUsers, user: str) -> Use:
    if not hub.complete:
        return Use(UNKNOWN, f"the token may read only some of the hub's users, and {quoted(user)} is not among them")
    same_name = hub.by_lower_case.get(user.lower())
    if same_name is not None:
        return Use(UNKNOWN, f"the hub knows {quoted(same_name)}, which may be {quoted(user)}, but not {quoted(user)}")
    return Use(UNKNOWN, f"the hub has no user {quoted(user)}, who may have another name there now and use the home")


def _compared(who: str, last: datetime, retired_at: datetime) -> Use:
    if last >= retired_at:
        return Use(
            USED, f"{who} was active at {format_time(last)}, and the home was retired at {format_time(retired_at)}"
        )
    return Use(UNUSED, f"{who} was last active at {format_time(last)}, before the home was retired")


def _server_of(user: str, server: str) -> str:
    return f"the server {quoted(server)} of {quoted(user)}" if server else f"the server of {quoted(user)}"
