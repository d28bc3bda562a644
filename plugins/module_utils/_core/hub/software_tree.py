# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What servers need to use a software tree with Lmod: its claim, its mount path, and Lmod's environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional


def software_setting(tree: Optional[Mapping[str, Any]], given: Optional[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    """Return the setting `software` of the spawn hook, None without software.

    It follows from the `tree`, and what the inventory has `given` counts more. An empty mapping means no software.
    """
    overrides = {key: value for key, value in (given or {}).items() if value is not None}
    if given is not None and not overrides:
        return None
    derived: dict[str, Any] = {}
    if tree and tree.get("prefix"):
        derived = {"claim": tree["claim"], "mount_path": tree["prefix"], "environment": lmod_environment(tree)}
    if isinstance(overrides.get("environment"), Mapping):
        overrides["environment"] = {**derived.get("environment", {}), **overrides["environment"]}
    return {**derived, **overrides} or None


def lmod_environment(tree: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables with which Lmod reads the current release of a tree and nothing else.

    `current` is not resolved, so a publication needs no restart, and saved collections stay valid. With
    LMOD_CACHED_LOADS all commands use the cache, without LMOD_SHORT_TIME users would get caches of their own that hide
    new modules for a day, and with LMOD_PIN_VERSIONS a collection keeps its versions.
    """
    current = f"{tree['prefix']}/current"
    environment = {
        "LMOD_CMD": tree["lmod_cmd"],
        "MODULEPATH": f"{current}/modules/all",
        "LMOD_RC": f"{current}/.lmod/lmodrc.lua",
        "LMOD_CACHED_LOADS": "yes",
        "LMOD_SHORT_TIME": "86400",
        "LMOD_PIN_VERSIONS": "yes",
    }
    if tree.get("system_name"):
        # Users have one set of collections for each name.
        environment["LMOD_SYSTEM_NAME"] = tree["system_name"]
    return environment
