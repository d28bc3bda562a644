# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the spawn hook: present, complete, of this version, last, and seen at work."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...._hub.spawn_stamp import GRANTED_ANNOTATION
from ...text import quote_list
from ..overrides import PROFILES, TRAITS, overridden_hooks
from .finding import ERROR, OK, UNKNOWN, WARNING, Finding, Read, Unread, unknown
from .observed import ObservedHub, Place
from .python_settings import OUR_HOOK, OUR_HOOKS
from .settings import HubSettings, mapping_at

SPAWN_HOOK = "spawn_hook"
RUNNING = "running_servers"
#: Without our form, secret shares can be requested by the API only. Without the other, overrides of groups may replace hooks.
_FORM, _KEEPER = "options_form", "auth_state_hook"
_APPLY = "Run the playbook hub.yml, and apply what it writes."


def check_spawn_hook(hub: ObservedHub) -> list[Finding]:
    """Return the findings about the spawn hook."""
    if isinstance(hub.settings, Unread):
        return [unknown(SPAWN_HOOK, "hub", hub.settings), _marks(hub, is_installed=True)]
    if not hub.settings.hooks:
        return [_absent(hub.settings), _marks(hub, is_installed=False)]
    return [_package(hub), *_chain(hub.settings), *_overrides(hub.settings), _marks(hub, is_installed=True)]


def hook_settings(settings: HubSettings) -> Mapping[str, Any]:
    """Return the settings of the spawn hook, {} if they are not readable."""
    text = settings.hooks[-1].settings if settings.hooks else None
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = {}
    return found if isinstance(found, Mapping) else {}


def acl_namespace(place: Place, settings: Read[HubSettings]) -> str:
    """Return the namespace in which the hub looks for the access list."""
    named = "" if isinstance(settings, Unread) else hook_settings(settings).get("namespace")
    return named if isinstance(named, str) and named else place.servers


def _absent(settings: HubSettings) -> Finding:
    doubt = settings.spawner(OUR_HOOKS[0])
    if not doubt.is_known:
        return Finding(
            SPAWN_HOOK,
            "hub",
            UNKNOWN,
            f"No call of the spawn hook is visible, but code may set hooks: {doubt.place}.",
            _APPLY,
        )
    return Finding(
        SPAWN_HOOK,
        "hub",
        ERROR,
        "The hub has no spawn hook of this collection, so homes are found by name, no share is mounted by the access list, and "
        "profiles may mount anything.",
        _APPLY,
    )


def _package(hub: ObservedHub) -> Finding:
    if isinstance(hub.package, Unread):
        return unknown(SPAWN_HOOK, "package", hub.package)
    missing = sorted(set(hub.expected) - set(hub.package))
    differing = sorted(
        name for name, text in hub.expected.items() if name in hub.package and not _same(hub.package[name], text)
    )
    if not missing and not differing:
        return Finding(
            SPAWN_HOOK, "package", OK, f"The hub has the spawn hook of this version ({len(hub.expected)} files)."
        )
    what = [f"{quote_list(names)} {word}" for names, word in ((missing, "missing"), (differing, "different")) if names]
    return Finding(
        SPAWN_HOOK,
        "package",
        ERROR if missing else WARNING,
        f"The spawn hook of the hub is not that of this version of the collection: {', '.join(what)}.",
        _APPLY,
    )


def _same(installed: str, text: str) -> bool:
    """Return whether a file is the same. The chart strips line breaks at the end, and an empty file has a comment there."""
    return installed.strip() == text.strip() or not text.strip()


def _chain(settings: HubSettings) -> list[Finding]:
    """Return the findings about each hook: whether it is ours that runs, and which it chains."""
    found = []
    for trait in OUR_HOOKS:
        effective = settings.spawner(trait)
        if effective.value is OUR_HOOK:
            if trait == _KEEPER:
                continue
            others = [
                one.place for one in settings.assignments if one.trait == trait and one.value not in (OUR_HOOK, None)
            ]
            more = f", and runs after {quote_list(list(dict.fromkeys(others)))}" if others else ""
            found.append(Finding(SPAWN_HOOK, trait, OK, f"The spawn hook has the last word{more}."))
            continue
        found.append(
            Finding(
                SPAWN_HOOK,
                trait,
                UNKNOWN if not effective.is_known else WARNING if trait in (_FORM, _KEEPER) else ERROR,
                f"The spawn hook {'is' if effective.is_known else 'may be'} replaced by a later source: {effective.place}.",
                "Move that source before the one of this collection, which chains the hooks that are set before it.",
            )
        )
    return found


def _overrides(settings: HubSettings) -> Iterator[Finding]:
    values = [(PROFILES[-1], mapping_at(settings.values, PROFILES[0]).get(PROFILES[-1]))]
    values += [(trait, settings.spawner(trait).value) for trait in TRAITS]
    for place, value in values:
        for path in overridden_hooks(value, place):
            yield Finding(
                SPAWN_HOOK,
                place,
                WARNING,
                f"{path} replaces the hooks that are configured before the spawn hook, which still runs last.",
                "Remove it, or make it part of a hook in the configuration.",
            )


def _marks(hub: ObservedHub, is_installed: bool) -> Finding:
    if isinstance(hub.pods, Unread):
        return unknown(RUNNING, "servers", hub.pods)
    without = [pod.name for pod in hub.pods if GRANTED_ANNOTATION not in pod.annotations]
    if not without:
        number = len(hub.pods)
        return Finding(
            RUNNING,
            "servers",
            OK,
            f"All {number} running servers started with the spawn hook." if number else "No server runs.",
        )
    return Finding(
        RUNNING,
        "servers",
        WARNING,
        f"{len(without)} of {len(hub.pods)} running servers started without the spawn hook: {quote_list(sorted(without))}.",
        "Restart these servers. If new ones lack the annotation too, restart the hub and read its log."
        if is_installed
        else "Install the spawn hook, then restart these servers.",
    )
