# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that modules about homes share, and what becomes of them: settings, entries, homes."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from ..pure.homes.activity import HubUsers
from ..pure.homes.desired import Home, Settings, check_settings, merge_entries, resolve
from ..pure.homes.entries import UserEntry, entries_of_hub, parse_entries
from ..pure.naming import SCHEMES, NamingError, Template
from ..pure.times import parse_span
from .data_files import FileError
from .hub_api import LIST_USERS, READ_SERVERS, SCOPES, HubClient
from .run import Refused
from .user_files import load_users_file

_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")

HUB_SPEC: dict[str, Any] = {
    "type": "dict",
    "options": {
        "url": {"type": "str", "required": True},
        "token": {"type": "str", "required": True, "no_log": True},
        "validate_certs": {"type": "bool", "default": True},
        "ca_cert": {"type": "path"},
    },
}

SOURCE_SPEC: dict[str, Any] = {
    "namespace": {"type": "str", "required": True},
    "users": {"type": "list", "elements": "raw"},
    "users_file": {"type": "path"},
    "users_from": {"type": "str", "choices": ["hub"]},
    "hub": HUB_SPEC,
    "naming": {"type": "str", "default": "safe", "choices": list(SCHEMES)},
    "name_template": {"type": "str"},
    "hub_namespace": {"type": "str"},
}


class Sources:
    """Where a run's users come from; the hub is asked once, and only when something turns on it."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        self._listings: dict[tuple[str, ...], HubUsers] = {}

    def hub(self, need: tuple[str, ...] = SCOPES) -> Optional[HubUsers]:
        """Return what the hub says of its users, None where no hub is given; `need` are the scopes it takes."""
        hub = self.params.get("hub")
        if hub is None:
            return None
        if need not in self._listings:
            client = HubClient(hub["url"], hub["token"], validate_certs=hub["validate_certs"], ca_cert=hub["ca_cert"])
            self._listings[need] = client.listing(need)
        return self._listings[need]

    def entries(self, faults: list[str]) -> list[UserEntry]:
        """Return the entries of all sources as one list; what is wrong with them goes to `faults`."""
        params = self.params
        lists = []
        if params.get("users") is not None:
            entries, wrong = parse_entries(params["users"], "users")
            lists.append(entries)
            faults += wrong
        if params.get("users_file") is not None:
            path = params["users_file"]
            try:
                entries, wrong = parse_entries(load_users_file(path), path.rpartition("/")[2])
            except FileError as error:
                entries, wrong = [], [str(error)]
            lists.append(entries)
            faults += wrong
        from_hub: list[UserEntry] = []
        if params.get("users_from") == "hub":
            if params.get("state", "present") != "present":
                faults.append(
                    f"users_from: hub with state {params['state']} would mean everybody whom the hub knows: name those who "
                    "are meant in `users` or `users_file`"
                )
            elif params.get("hub") is None:
                faults.append("users_from: hub needs `hub` with the url of the hub's API and a token")
            elif not faults:
                known = self.hub((LIST_USERS, READ_SERVERS))
                users = known.users.values() if known is not None else ()
                from_hub = entries_of_hub(((user.name, user.servers) for user in users), "hub")
        merged, meetings = merge_entries(lists, from_hub)
        faults += meetings
        return merged


def template_of(params: dict[str, Any], faults: list[str]) -> Optional[Template]:
    """Return the parsed name template; what is wrong with it, or with the namespace, goes to `faults`."""
    namespace = params["namespace"]
    if not _NAMESPACE.match(namespace):
        faults.append(
            f"namespace {namespace!r} is no name of a namespace: write lower-case letters, digits and '-', at most 63"
        )
    try:
        return Template.parse(
            params["naming"],
            params.get("name_template"),
            namespace=namespace,
            hub_namespace=params.get("hub_namespace"),
        )
    except NamingError as error:
        faults.append(str(error))
        return None


def settings_of(params: dict[str, Any], faults: list[str]) -> Optional[Settings]:
    """Return the settings of a run of user_pvc; what is wrong with them goes to `faults`."""
    template = template_of(params, faults)
    wrong = check_settings(params["size"], params["access_modes"], params.get("storage_class"))
    hold = timedelta()
    try:
        hold = parse_span(params["hold"])
    except ValueError as error:
        wrong.append(f"hold: {error}")
    faults += wrong
    if template is None:
        return None
    return Settings(
        namespace=params["namespace"],
        template=template,
        # A default that is wrong itself was told already, and would be told again for each user.
        size="1Gi" if wrong else params["size"],
        storage_class=params.get("storage_class"),
        access_modes=tuple(params["access_modes"]),
        state=params["state"],
        hold=hold,
        keep_volume=params["keep_volume"],
        assume_unused=params["assume_unused"],
        now=datetime.now(timezone.utc),
    )


def homes_of(sources: Sources, settings: Optional[Settings], faults: list[str]) -> tuple[list[Home], Settings]:
    """Return the homes that are wanted. Raises Refused with all faults found so far and here."""
    entries = sources.entries(faults)
    if settings is None:
        raise Refused(faults)
    homes, wrong = resolve(entries, settings)
    faults += wrong
    if faults:
        raise Refused(faults)
    return homes, settings
