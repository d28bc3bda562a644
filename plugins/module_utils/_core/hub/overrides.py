# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Overrides that replace hooks for some servers: of profiles (KubeSpawner) and of groups (JupyterHub 5 and newer)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: The traits with overrides, and the key of the Helm values that the chart writes into the first.
TRAITS = ("profile_list", "group_overrides")
PROFILES = ("singleuser", "profileList")
HOOKS = ("pre_spawn_hook", "modify_pod_hook")
_KEYS = ("kubespawner_override", "spawner_override")


def overridden_hooks(value: Any, path: str) -> Iterator[str]:
    """Return the path of each hook in overrides, below a value with this path: `profile_list[0].kubespawner_override.NAME`.

    Choices of `profile_options` have overrides too.
    """
    if isinstance(value, Mapping):
        for key, child in value.items():
            if key in _KEYS and isinstance(child, Mapping):
                yield from (f"{path}.{key}.{hook}" for hook in HOOKS if hook in child)
            else:
                yield from overridden_hooks(child, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for number, child in enumerate(value):
            yield from overridden_hooks(child, f"{path}[{number}]")
