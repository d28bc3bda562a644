# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of a JupyterHub, from its REST API: who there is, which servers they have, when each was last used.

Read in, and tested against, JupyterHub 4.1, 5.5 and 6.1, which do the same here.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from ..._core.hub_activity import HubUser, HubUsers
from ..._core.text import quote_list
from ..._core.times import parse_time
from .http import HubError, HubHttp

__all__ = ["LIST_USERS", "READ_ACTIVITY", "READ_SERVERS", "SCOPES", "HubClient", "HubError", "HubUser", "HubUsers"]

LIST_USERS = "list:users"
READ_SERVERS = "read:servers"
READ_ACTIVITY = "read:users:activity"
#: The scopes that tell whether a home was used; the names of the users alone take LIST_USERS.
SCOPES = (LIST_USERS, READ_ACTIVITY, READ_SERVERS)

#: Users asked for in one page. The hub cuts this to its own `api_page_max_limit` (200 unless configured).
PAGE = 1000
#: How often a list is begun anew when users were removed while it was read.
LIST_RESTARTS = 5


class HubClient:
    """A JupyterHub. Making one sends nothing.

    ``url`` is the hub's address as people use it (``https://hub.example.org/jupyter``), with or without ``/hub`` or
    ``/hub/api``; ``token`` that of a service (or of an admin). ``ca_cert`` is the path of a PEM file of authorities,
    for a hub that the system's own do not vouch for. ``timeout`` is in seconds, for each answer. A proxy is taken
    from the environment (``https_proxy``, ``no_proxy``), as Ansible's own modules do.
    """

    def __init__(self, url: str, token: str, **options: Any) -> None:
        self._http = HubHttp(url, token, **options)
        self.api = self._http.api

    def users(self) -> list[HubUser]:
        """All users that the token sees, in the order in which the hub came to know them.

        Takes the scope LIST_USERS alone; what the token may not see is marked so in each user. Raises HubError.
        """
        return list(self.listing(need=(LIST_USERS,)).users.values())

    def listing(self, need: Collection[str] = SCOPES) -> HubUsers:
        """All users that the token sees, and whether these are all there are; one request, and one for each page.

        Raises HubError, also when the token lacks a scope of ``need``.
        """
        held = self._scopes()
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

    def _scopes(self) -> dict[str, bool]:
        """The scopes that the token has, each with whether it holds for everybody (no `!user=` behind it)."""
        answer = self._http.get("/user", {})
        scopes = answer.get("scopes") if isinstance(answer, dict) else None
        if not isinstance(scopes, list):
            raise HubError(
                f"The answer of {self.api}/user names no scopes: give the address of a JupyterHub, of version 4 or newer",
                retryable=False,
            )
        held: dict[str, bool] = {}
        for scope in scopes:
            name, restricted, _to = str(scope).partition("!")
            held[name] = held.get(name, False) or not restricted
        return held

    def _read_all(self) -> dict[str, HubUser] | None:
        """All pages, by name; None when a user was removed meanwhile, so that another may have been skipped.

        The hub counts from the start for each page, in the order in which the users were made: a user made meanwhile
        comes last, and one removed moves all behind it up by one. So each page begins with the last user of the page
        before. The addresses that the hub gives for next pages are not used: behind a proxy they are often wrong.
        """
        found: dict[str, HubUser] = {}
        offset = 0
        last: str | None = None
        while True:
            # A stopped server has a home all the same, and its time of last activity.
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
            # With pages of a single user there is nothing to hold on to.
            last = users[-1].name if limit > 1 else None
            offset += limit - 1 if limit > 1 else 1

    def _page(self, answer: Any) -> tuple[list[HubUser], int, bool]:
        if isinstance(answer, list):
            raise HubError(
                f"The hub at {self.api} answers with a list without pages: a proxy before it drops the Accept header, or "
                "it is older than JupyterHub 2",
                retryable=False,
            )
        try:
            pagination = answer["_pagination"]
            limit, more = int(pagination["limit"]), pagination["next"] is not None
            return [_user(item) for item in answer["items"]], max(limit, 1), more
        except (KeyError, TypeError, ValueError, AttributeError) as failure:
            raise HubError(
                f"The hub at {self.api} answers with users in a form that is unknown ({failure!r}): "
                "JupyterHub 4 to 6 are known",
                retryable=False,
            ) from None


def _user(item: dict[str, Any]) -> HubUser:
    """One user as the API shows it. A field that is missing is one that the token may not see, and is not "never"."""
    servers = item.get("servers")
    activity_known = "last_activity" in item
    return HubUser(
        name=_text(item["name"]),
        servers=tuple(servers or ()),
        # Without the word that it is stopped, a server runs.
        active=frozenset(name for name, server in (servers or {}).items() if server.get("stopped") is not True),
        last_activity=_moment(item["last_activity"]) if activity_known else None,
        server_activity={name: _moment(server.get("last_activity")) for name, server in (servers or {}).items()},
        activity_known=activity_known,
        servers_known=servers is not None,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a name that is no text: {value!r}")
    return value


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    moment = parse_time(_text(value))
    if moment is None:
        raise ValueError(f"a time that is none: {value!r}")
    return moment
