# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that modules for homes have in common, and the settings, users and homes that follow from them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from ..._core.homes.desired import Home, HomeSettings, check_settings, merge_users, resolve
from ..._core.homes.spec import UserSpec, parse_users, specs_of_hub
from ..._core.hub_activity import HubUsers
from ..._core.inventory import entries_with_state
from ..._core.kubespawner.naming import SCHEMES, NamingError, Template
from ..._core.metadata import ABSENT, NAMESPACE, RETIRED
from ..._core.times import parse_span
from ..files.data_files import FileError
from ..files.user_files import load_users_file
from ..hub.client import LIST_USERS, READ_SERVERS, SCOPES
from ..module import PlanRejected
from .hub import HUB_SPEC, hub_client

SOURCE_SPEC: dict[str, Any] = {
    "namespace": {"type": "str", "required": True},
    "users": {"type": "list", "elements": "raw"},
    "users_file": {"type": "path"},
    "users_from": {"type": "str", "choices": ["hub"]},
    # Raw, because Ansible would make a list of a text: `absent: ab` must be rejected.
    "retired": {"type": "raw"},
    "absent": {"type": "raw"},
    "hub": HUB_SPEC,
    "naming": {"type": "str", "default": "safe", "choices": list(SCHEMES)},
    "name_template": {"type": "str"},
    "hub_namespace": {"type": "str"},
}


def users_given(params: dict[str, Any]) -> bool:
    """Return whether the options name users. An empty `users` does, empty `retired` and `absent` do not."""
    sources = ("users", "users_file", "users_from")
    return any(params.get(option) is not None for option in sources) or any(
        params.get(state) for state in (RETIRED, ABSENT)
    )


class Sources:
    """The users of a run, from options, files and the hub. The hub is asked once, and only if the result depends on it."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        self._listings: dict[tuple[str, ...], HubUsers] = {}

    def hub(self, need: tuple[str, ...] = SCOPES) -> Optional[HubUsers]:
        """Return what the hub says about its users, None without a hub. `need` are the required scopes of the token."""
        hub = self.params.get("hub")
        if hub is None:
            return None
        if need not in self._listings:
            self._listings[need] = hub_client(hub).listing(need)
        return self._listings[need]

    def specs(self, errors: list[str]) -> list[UserSpec]:
        """Return the entries of all sources as one list. Errors are appended to `errors`."""
        params = self.params
        lists = []
        if params.get("users") is not None:
            specs, wrong = parse_users(params["users"], "users")
            lists.append(specs)
            errors += wrong
        if params.get("users_file") is not None:
            path = params["users_file"]
            try:
                specs, wrong = parse_users(load_users_file(path), path.rpartition("/")[2])
            except FileError as error:
                specs, wrong = [], [str(error)]
            lists.append(specs)
            errors += wrong
        for state in (RETIRED, ABSENT):
            specs, wrong = parse_users(entries_with_state(params.get(state), state, state, errors), state)
            lists.append(specs)
            errors += wrong
        from_hub: list[UserSpec] = []
        if params.get("users_from") == "hub":
            if params.get("state", "present") != "present":
                errors.append(
                    f"users_from: hub with state {params['state']} would apply to every user of the hub: list the users in "
                    "`users` or `users_file`"
                )
            elif params.get("hub") is None:
                errors.append("users_from: hub needs `hub` with the URL of the hub's API and a token")
            elif not errors:
                known = self.hub((LIST_USERS, READ_SERVERS))
                users = known.users.values() if known is not None else ()
                from_hub = specs_of_hub(((user.name, user.servers) for user in users), "hub")
        merged, duplicates = merge_users(lists, from_hub)
        errors += duplicates
        return merged


def template_of(params: dict[str, Any], errors: list[str]) -> Optional[Template]:
    """Return the parsed name template. Errors in it, or in the namespace, are appended to `errors`."""
    namespace = params["namespace"]
    if not NAMESPACE.match(namespace):
        errors.append(
            f"namespace {namespace!r} is not a valid namespace name: use lower-case letters, digits and '-', at most 63"
        )
    try:
        return Template.parse(
            params["naming"],
            params.get("name_template"),
            namespace=namespace,
            hub_namespace=params.get("hub_namespace"),
        )
    except NamingError as error:
        errors.append(str(error))
        return None


def settings_of(params: dict[str, Any], errors: list[str]) -> Optional[HomeSettings]:
    """Return the settings of a run of user_pvc. Errors are appended to `errors`."""
    template = template_of(params, errors)
    wrong = check_settings(params["size"], params["access_modes"], params.get("storage_class"))
    retention = timedelta()
    try:
        retention = parse_span(params["retention"])
    except ValueError as error:
        wrong.append(f"retention: {error}")
    errors += wrong
    if template is None:
        return None
    return HomeSettings(
        namespace=params["namespace"],
        template=template,
        # An invalid default is reported once, not again for each user.
        size="1Gi" if wrong else params["size"],
        storage_class=params.get("storage_class"),
        access_modes=tuple(params["access_modes"]),
        state=params["state"],
        retention=retention,
        keep_volume=params["keep_volume"],
        assume_unused=params["assume_unused"],
        now=datetime.now(timezone.utc),
    )


def homes_of(sources: Sources, settings: Optional[HomeSettings], errors: list[str]) -> tuple[list[Home], HomeSettings]:
    """Return the desired homes. Raises PlanRejected with all errors found so far and here."""
    specs = sources.specs(errors)
    if settings is None:
        raise PlanRejected(errors)
    homes, wrong = resolve(specs, settings)
    errors += wrong
    if errors:
        raise PlanRejected(errors)
    return homes, settings
