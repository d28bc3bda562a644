# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the module `hub_config`, validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..._hub.acl_format import HUB, shown
from ..._hub.hub_settings import settings_errors
from ..metadata import NAMESPACE, PRESENT, claim_name_error
from . import odh
from .permissions import Account

Z2JH, ODH = "z2jh", "odh"
FLAVORS = (Z2JH, ODH)
CHART, REPLACE = "chart", "replace"
AUTO, ALWAYS, NEVER = "auto", "always", "never"
_ACCOUNTS = {Z2JH: "hub", ODH: odh.SERVICE_ACCOUNT}
#: The settings of the spawn hook by the name of the option.
SETTINGS = {
    "home": "home",
    "home_path": "home_path",
    "mount_roots": "mount_roots",
    "policy": "policy",
    "api_timeout": "timeout",
    "mount_points": "mount_points",
    "software": "software",
}


@dataclass(frozen=True)
class HubOptions:
    """What the inventory says of one hub. `settings` are those of the spawn hook."""

    flavor: str
    is_present: bool
    account: Account
    servers_namespace: str
    settings: Mapping[str, Any]
    values_file: str
    release: str
    replaces_rbac: bool


def hub_options(params: Mapping[str, Any], errors: list[str]) -> HubOptions:
    """Return the options. Adds sentences without a full stop to `errors`, with the names of the role's variables."""
    flavor, namespace = params["flavor"], params["namespace"]
    account = params["service_account"] or _ACCOUNTS[flavor]
    servers = params["servers_namespace"] or namespace
    for name, value in (("namespace", namespace), ("servers_namespace", servers)):
        if not NAMESPACE.match(value) and (name == "namespace" or value != namespace):
            errors.append(f"`hub_{name}` is {shown(value)}, not the name of a namespace")
    if claim_name_error(account):
        errors.append(f"`hub_service_account` is {shown(account)}, not the name of a service account")
    if flavor == Z2JH and not params["values_file"]:
        errors.append("`hub_values_file` is not set: set the path of the file of Helm values")
    if flavor == ODH and params["values_file"]:
        errors.append("`hub_values_file` is set, but the flavor odh has no Helm values: remove it")
    if flavor == ODH and params["rbac"] == REPLACE:
        errors.append("`hub_rbac` is replace, but only the flavor z2jh has a chart: remove it")
    settings = {setting: params[option] for option, setting in SETTINGS.items() if params.get(option) not in (None, {})}
    errors += [_with_variable(error) for error in settings_errors(settings)]
    # Without a namespace the hook reads the ACL where the servers run, so NOTEBOOK_NAMESPACE of Open Data Hub applies.
    if params["servers_namespace"] or flavor == Z2JH:
        settings["namespace"] = servers
    return HubOptions(
        flavor,
        params["state"] == PRESENT,
        Account(account, namespace),
        servers,
        settings,
        params["values_file"] or "",
        params["release"],
        params["rbac"] == REPLACE,
    )


def _with_variable(error: str) -> str:
    """Return a sentence of the spawn hook with the name of the role's variable."""
    for option, setting in SETTINGS.items():
        error = error.replace(f"`{setting}`", f"`hub_{option}`")
    return error


def names_hub_groups(shares: Mapping[str, Any]) -> bool:
    """Return whether shares of an ACL are granted to groups of the hub."""
    return any(
        group.startswith(HUB)
        for share in shares.values()
        for right in ("read", "write")
        for group in share[right]["groups"]
    )


def shares_by_gid(shares: Mapping[str, Any]) -> dict[int, list[str]]:
    """Return the names of the shares of an ACL by their gid."""
    found: dict[int, list[str]] = {}
    for name, share in shares.items():
        if share.get("gid") is not None:
            found.setdefault(share["gid"], []).append(name)
    return found


def chart_version(labels: Mapping[str, str], chart: str) -> Optional[str]:
    """Return the version of the chart that has made an object, from its labels."""
    name = chart.rpartition("/")[2]
    label = labels.get("helm.sh/chart") or labels.get("chart") or ""
    return label[len(name) + 1 :].replace("_", "+") if label.startswith(f"{name}-") else None
