# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the spawner's settings: whether homes are deleted, remembered by name, or in another namespace."""

from __future__ import annotations

from typing import Any

from .finding import ERROR, OK, UNKNOWN, WARNING, Finding, Unread, unknown
from .observed import ObservedHub
from .settings import UNSET, HubSettings, Setting, mapping_at

DELETE_PVC = "delete_pvc"
REMEMBER_PVC_NAME = "remember_pvc_name"
USER_NAMESPACES = "user_namespaces"
FAILURE_LIMIT = "failure_limit"

_APPLY = "Run the playbook hub.yml, and apply what it writes"
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
    found = settings.spawner(DELETE_PVC)
    target = "KubeSpawner.delete_pvc"
    if found.value is False:
        return Finding(DELETE_PVC, target, OK, f"Deleting a user keeps the home ({found.place}).")
    if not found.is_known:
        return computed(DELETE_PVC, target, found, f"{_APPLY}, or set `c.{target} = False` after that.")
    culls = mapping_at(settings.values, "cull").get("users") is True
    more = " The hub also culls users (cull.users)." if culls else ""
    return Finding(
        DELETE_PVC,
        target,
        ERROR,
        f"Deleting a user of the hub deletes the home, because the trait is {described(found, 'true')}.{more}",
        f"{_APPLY}, or set `c.{target} = False`.",
    )


def _remember(settings: HubSettings) -> Finding:
    target = "KubeSpawner.remember_pvc_name"
    if settings.hub_version and settings.hub_version < _FIRST_WITH_MEMORY:
        return Finding(REMEMBER_PVC_NAME, target, OK, "This version of KubeSpawner has no such trait.")
    found = settings.spawner(REMEMBER_PVC_NAME)
    if found.value is False:
        return Finding(REMEMBER_PVC_NAME, target, OK, f"The hub does not prefer a remembered name ({found.place}).")
    if not found.is_known:
        return computed(REMEMBER_PVC_NAME, target, found, f"{_APPLY}, or set `c.{target} = False` after that.")
    return Finding(
        REMEMBER_PVC_NAME,
        target,
        WARNING,
        "The hub mounts the home whose name it remembers, also if the claim was replaced or belongs to somebody else, because "
        f"the trait is {described(found, 'true')}.",
        f"{_APPLY}, or set `c.{target} = False`.",
    )


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
