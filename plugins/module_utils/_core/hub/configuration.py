# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the variables of the role `hub` to the configuration of a hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..._hub.acl_format import shown
from ..._hub.hub_settings import settings_errors
from ..metadata import NAMESPACE, claim_name_error
from ..text import did_you_mean
from .helm_values import helm_values
from .permissions import permissions

FLAVORS = ("z2jh",)
#: The settings of the spawn hook by the name of the variable without `hub_`.
SETTINGS = {
    "namespace": "namespace",
    "home": "home",
    "home_path": "home_path",
    "mount_roots": "mount_roots",
    "policy": "policy",
    "api_timeout": "timeout",
}


@dataclass(frozen=True)
class HubConfiguration:
    """The configuration of a hub, or the errors that prevent it. `values` are Helm values."""

    errors: list[str] = field(default_factory=list)
    values: Mapping[str, Any] = field(default_factory=dict)
    permissions: list[dict[str, Any]] = field(default_factory=list)


def configure_hub(variables: Mapping[str, Any], package: Mapping[str, str]) -> HubConfiguration:
    """Return the configuration. `variables` are those of the role without `hub_`, `package` the files of the spawn hook."""
    errors: list[str] = []
    flavor, namespace, account = (variables.get(key) for key in ("flavor", "namespace", "service_account"))
    if flavor not in FLAVORS:
        errors.append(
            f"`hub_flavor` is {shown(flavor)}{did_you_mean(str(flavor), FLAVORS)}: the flavors are {', '.join(FLAVORS)}"
        )
    if not isinstance(namespace, str) or not NAMESPACE.match(namespace):
        errors.append(f"`hub_namespace` is {shown(namespace)}, not the name of a namespace")
    if not isinstance(account, str) or claim_name_error(account):
        errors.append(f"`hub_service_account` is {shown(account)}, not the name of a service account")
    settings = {setting: variables[key] for key, setting in SETTINGS.items() if variables.get(key) is not None}
    wrong = settings_errors({key: value for key, value in settings.items() if key != "namespace"})
    errors += [_with_variable(error) for error in wrong]
    if errors:
        return HubConfiguration([f"{error}." for error in errors])
    return HubConfiguration([], helm_values(package, settings), permissions(str(namespace), str(account)))


def _with_variable(error: str) -> str:
    """Return a sentence of the spawn hook with the name of the role's variable."""
    for key, setting in SETTINGS.items():
        error = error.replace(f"`{setting}`", f"`hub_{key}`")
    return error
