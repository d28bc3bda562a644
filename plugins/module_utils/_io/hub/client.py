# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of a JupyterHub, their servers and last activity, from its REST API.

Tested with JupyterHub 4.1, 5.5 and 6.1, which behave alike here. JupyterHub 1.5 has no scopes and no pages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any
from urllib.parse import quote

from ..._core.hub_activity import HubUser, HubUsers
from ..._core.text import quote_list
from ..._core.times import parse_time
from .http import HubError, HubHttp, HubOptions

__all__ = [
    "DELETE_SERVERS",
    "LIST_USERS",
    "READ_ACTIVITY",
    "READ_GROUPS",
    "READ_SERVERS",
    "SCOPES",
    "HubClient",
    "HubError",
    "HubUser",
    "HubUsers",
]

LIST_USERS = "list:users"
READ_SERVERS = "read:servers"
READ_ACTIVITY = "read:users:activity"
READ_GROUPS = "read:users:groups"
DELETE_SERVERS = "delete:servers"
#: The scopes that show whether a home was used; the names of the users alone need only LIST_USERS.
SCOPES = (LIST_USERS, READ_ACTIVITY, READ_SERVERS)

#: Users per page. The hub reduces this to its own `api_page_max_limit` (200 unless configured).
PAGE = 1000
#: How often a list is restarted because users were removed while it was read.
LIST_RESTARTS = 5


class HubClient:
    """A JupyterHub. Creating a client sends nothing.

    ``url`` is the hub's public address (``https://hub.example.org/jupyter``), with or without ``/hub`` or
    ``/hub/api``; ``token`` that of a service (or of an admin). ``ca_cert`` is the path of a PEM file of authorities,
    if the hub's CA is not one of the system's. ``timeout`` is in seconds, for each answer. The proxy is that
    of the environment (``https_proxy``, ``no_proxy``), as Ansible's own modules do.
    """

    def __init__(self, url: str, token: str, sleep: Callable[[float], None] = time.sleep, **options: Any) -> None:
        self._http = HubHttp(url, token, HubOptions(**options), sleep)
        self.api = self._http.api

    def users(self) -> list[HubUser]:
        """Return all users that the token may see, in the order in which the hub created them.

        Needs the scope LIST_USERS alone; each user marks what the token may not see. Raises HubError.
        """
        return list(self.listing(need=(LIST_USERS,)).users.values())

    def servers(self, need: Collection[str]) -> HubUsers:
        """Return all users with their groups and running servers, also from JupyterHub 1.5. Otherwise like ``listing``."""
        account = self._account()
        if "scopes" not in account and account.get("admin") is True:
            users = self._http.get("/users", {})
            if isinstance(users, list):
                return HubUsers({user.name: user for user in self._users(users)})
        if "scopes" not in account and account.get("admin") is False:
            raise HubError(
                f"The token for the hub at {self.api} is not that of an administrator, and JupyterHub 1 has no scopes: set "
                "`admin` for its service in `c.JupyterHub.services`",
                retryable=False,
            )
        return self._listing(account, need)

    def stop(self, user: str, server: str) -> None:
        """Stop a server. One that is not running is no error. Raises HubError."""
        path = f"/users/{quote(user, safe='')}/"
        self._http.delete(path + (f"servers/{quote(server, safe='')}" if server else "server"))

    def listing(self, need: Collection[str] = SCOPES) -> HubUsers:
        """Return all users that the token may see, and whether these are all. One request, and one for each page.

        Raises HubError, also when the token lacks a scope of ``need``.
        """
        return self._listing(self._account(), need)

    def _listing(self, account: dict[str, Any], need: Collection[str]) -> HubUsers:
        held = self._scopes(account)
        lacking = [scope for scope in need if scope not in held]
        if lacking:
            raise HubError(
                f"The token for the hub at {self.api} lacks the scope{'s' if len(lacking) > 1 else ''} "
                f"{quote_list([f'`{scope}`' for scope in lacking])}: give its service a role with "
                f"`scopes: [{', '.join(need)}]` in `c.JupyterHub.load_roles`",
                retryable=False,
            )
        for _restart in range(LIST_RESTARTS):
            found = self._read_all()
            if found is not None:
                return HubUsers(found, complete=held.get(LIST_USERS, False))
        raise HubError(
            f"The list of users of the hub at {self.api} lost users {LIST_RESTARTS} times while it was read: run again "
            "when nobody removes users"
        )

    def _account(self) -> dict[str, Any]:
        """Return what the hub says about the token itself."""
        answer = self._http.get("/user", {})
        return answer if isinstance(answer, dict) else {}

    def _scopes(self, account: dict[str, Any]) -> dict[str, bool]:
        """Return the scopes of the token, each with whether it is for all users (without a `!user=` filter)."""
        scopes = account.get("scopes")
        if not isinstance(scopes, list):
            raise HubError(
                f"The answer of {self.api}/user has no scopes: set the address of a JupyterHub of version 4 or newer",
                retryable=False,
            )
        held: dict[str, bool] = {}
        for scope in scopes:
            name, restricted, _to = str(scope).partition("!")
            held[name] = held.get(name, False) or not restricted
        return held

    def _read_all(self) -> dict[str, HubUser] | None:
        """Return the users of all pages by name, None if a user was removed meanwhile, so another may be missing.

        The hub counts each page from the start, in the order in which users were created. A new user comes last, and a
        removed one shifts all later ones by one. So each page starts with the last user of the previous page. The URLs of
        next pages that the hub returns are not used: behind a proxy they are often wrong.
        """
        found: dict[str, HubUser] = {}
        offset = 0
        last: str | None = None
        while True:
            # A stopped server has a home too, and its time of last activity.
            answer = self._http.get(
                "/users", {"include_stopped_servers": "1", "limit": str(PAGE), "offset": str(offset)}
            )
            users, limit, more = self._page(answer)
            if last is not None and (not users or users[0].name != last):
                return None
            found.update((user.name, user) for user in users)
            if not more:
                return found
            if len(users) < limit:
                return None
            # Pages of a single user cannot overlap.
            last = users[-1].name if limit > 1 else None
            offset += limit - 1 if limit > 1 else 1

    def _page(self, answer: Any) -> tuple[list[HubUser], int, bool]:
        if isinstance(answer, list):
            raise HubError(
                f"The hub at {self.api} answers with a list without pages: a proxy removes the Accept header, or the hub is "
                "older than JupyterHub 2",
                retryable=False,
            )
        try:
            pagination = answer["_pagination"]
            limit, more = int(pagination["limit"]), pagination["next"] is not None
            return self._users(answer["items"]), max(limit, 1), more
        except (KeyError, TypeError, ValueError, AttributeError) as failure:
            raise self._unknown_format(failure) from None

    def _users(self, items: list[Any]) -> list[HubUser]:
        try:
            return [_user(item) for item in items]
        except (KeyError, TypeError, ValueError, AttributeError) as failure:
            raise self._unknown_format(failure) from None

    def _unknown_format(self, failure: Exception) -> HubError:
        return HubError(
            f"The hub at {self.api} answers with users in an unknown format ({failure!r}): JupyterHub 4 to 6 are supported",
            retryable=False,
        )


def _user(item: dict[str, Any]) -> HubUser:
    """Return one user of an answer. A missing field is one that the token may not see; it does not mean "never"."""
    servers = item.get("servers")
    activity_known = "last_activity" in item
    return HubUser(
        name=_text(item["name"]),
        servers=tuple(servers or ()),
        # A server that is not marked as stopped runs.
        active=frozenset(name for name, server in (servers or {}).items() if server.get("stopped") is not True),
        last_activity=_moment(item["last_activity"]) if activity_known else None,
        server_activity={name: _moment(server.get("last_activity")) for name, server in (servers or {}).items()},
        activity_known=activity_known,
        servers_known=servers is not None,
        groups=tuple(map(_text, item.get("groups") or ())),
        groups_known="groups" in item,
        created=_moment(item.get("created")),
        started={name: _moment(server.get("started")) for name, server in (servers or {}).items()},
        pods={name: pod for name, server in (servers or {}).items() if (pod := _pod_of(server))},
    )


def _pod_of(server: dict[str, Any]) -> str:
    """Return the name of the pod of a server by the state of KubeSpawner, or ""."""
    state = server.get("state")
    name = state.get("pod_name") if isinstance(state, dict) else None
    return name if isinstance(name, str) else ""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a name that is not text: {value!r}")
    return value


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    moment = parse_time(_text(value))
    if moment is None:
        raise ValueError(f"an invalid time: {value!r}")
    return moment
