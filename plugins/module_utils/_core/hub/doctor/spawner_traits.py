# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the spawner's settings: whether homes are deleted, remembered by name, or in another namespace."""

from __future__ import annotations

from typing import Any, NamedTuple

from .finding import ERROR, OK, UNKNOWN, WARNING, Finding, Unread, unknown
from .observed import ObservedHub
from .settings import UNSET, HubSettings, Setting, mapping_at

DELETE_PVC = "delete_pvc"
REMEMBER_PVC_NAME = "remember_pvc_name"
USER_NAMESPACES = "user_namespaces"
FAILURE_LIMIT = "failure_limit"

_APPLY = "Run the playbook hub.yml, and apply what it writes"


class _Trait(NamedTuple):
    """A trait that must be off. `on` and `off` say what happens then, `severity` is that of `on`."""

    name: str
    severity: str
    off: str
    on: str


_DELETE = _Trait(DELETE_PVC, ERROR, "Deleting a user keeps the home", "Deleting a user of the hub deletes the home")
_REMEMBER = _Trait(
    REMEMBER_PVC_NAME,
    WARNING,
    "The hub does not prefer a remembered name",
    "The hub mounts the home whose name it remembers, also if the claim was replaced or belongs to somebody else",
)
#: KubeSpawner 7, the first with `remember_pvc_name`, came with JupyterHub 5 in the chart.
_FIRST_WITH_MEMORY = (5, 0)
#: From this version on, refusals do not count as failures of the hub.
_FIRST_WITHOUT_COUNT = (6, 1)


def check_spawner_traits(hub: ObservedHub) -> list[Finding]:
    """Return the findings about `delete_pvc`, `remember_pvc_name` and `enable_user_namespaces`."""
    if isinstance(hub.settings, Unread):
        checks = (DELETE_PVC, REMEMBER_PVC_NAME, USER_NAMESPACES, FAILURE_LIMIT)
        return [unknown(check, "hub", hub.settings) for check in checks]
    return [
        _delete_pvc(hub.settings),
        _remember(hub.settings),
        _user_namespaces(hub.settings),
        _failure_limit(hub.settings),
    ]


def _delete_pvc(settings: HubSettings) -> Finding:
    found = _must_be_off(settings, _DELETE)
    culls = mapping_at(settings.values, "cull").get("users") is True
    if found.severity == ERROR and culls:
        return found._replace(reason=f"{found.reason} The hub also culls users (cull.users).")
    return found


def _remember(settings: HubSettings) -> Finding:
    if settings.hub_version and settings.hub_version < _FIRST_WITH_MEMORY:
        reason = "This version of KubeSpawner has no such trait."
        return Finding(REMEMBER_PVC_NAME, f"KubeSpawner.{REMEMBER_PVC_NAME}", OK, reason)
    return _must_be_off(settings, _REMEMBER)


def _must_be_off(settings: HubSettings, trait: _Trait) -> Finding:
    """Return the finding about a trait that is on by default, and that the spawn hook switches off."""
    found = settings.spawner(trait.name)
    target = f"KubeSpawner.{trait.name}"
    if found.value is False:
        return Finding(trait.name, target, OK, f"{trait.off} ({found.place}).")
    if not found.is_known:
        return computed(trait.name, target, found, f"{_APPLY}, or set `c.{target} = False` after that.")
    reason = f"{trait.on}, because the trait is {described(found, 'true')}."
    return Finding(trait.name, target, trait.severity, reason, f"{_APPLY}, or set `c.{target} = False`.")


def _user_namespaces(settings: HubSettings) -> Finding:
    target = "KubeSpawner.enable_user_namespaces"
    found = settings.spawner("enable_user_namespaces")
    if found.value in (UNSET, False):
        return Finding(USER_NAMESPACES, target, OK, "All servers start in one namespace.")
    if not found.is_known:
        return computed(USER_NAMESPACES, target, found, f"Set `c.{target} = False` after that.")
    return Finding(
        USER_NAMESPACES,
        target,
        ERROR,
        f"Each user's server starts in a namespace of its own ({found.place}), where neither homes nor shares exist.",
        "Remove the setting: homes and shares need all servers in one namespace.",
    )


def _failure_limit(settings: HubSettings) -> Finding:
    target = "Spawner.consecutive_failure_limit"
    found = settings.spawner("consecutive_failure_limit")
    if not found.is_known:
        return computed(FAILURE_LIMIT, target, found, f"Set `c.{target}` after that.")
    if found.value is UNSET or found.value in (0, None):
        return Finding(FAILURE_LIMIT, target, OK, "The hub never exits because of failed starts.")
    if not isinstance(found.value, int) or isinstance(found.value, bool):
        return Finding(FAILURE_LIMIT, target, ERROR, f"The limit is not a number ({found.place}).", "Set a number.")
    limit = f"The hub exits after {found.value} failed starts in a row ({found.place})"
    if settings.hooks:
        return Finding(FAILURE_LIMIT, target, OK, f"{limit}. Refusals of the spawn hook do not count.")
    if settings.hub_version >= _FIRST_WITHOUT_COUNT:
        return Finding(FAILURE_LIMIT, target, OK, f"{limit}. Refusals do not count in this version.")
    return Finding(
        FAILURE_LIMIT,
        target,
        WARNING,
        f"{limit}, and every refusal of a hook counts: one user who tries again and again stops the hub.",
        f"{_APPLY}: the spawn hook of this collection does not count refusals.",
    )


def computed(check: str, target: str, found: Setting, remedy: str) -> Finding:
    """Return the finding about a setting whose value only the hub knows."""
    return Finding(
        check, target, UNKNOWN, f"The value is not known, because it may be set by code: {found.place}.", remedy
    )


def described(found: Setting, default: str) -> str:
    """Return the value of a setting in words. Texts are not shown, because a configuration has secrets."""
    if found.value is UNSET:
        return f"{default} by default"
    if isinstance(found.value, (bool, int)) or found.value is None:
        value: Any = str(found.value).lower() if isinstance(found.value, bool) else found.value
        return f"{value} ({found.place})"
    return f"neither true nor false ({found.place})"
