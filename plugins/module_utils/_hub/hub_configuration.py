# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configure a hub: set the hooks, chain those that are already configured, and set the traits that keep homes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .hub_settings import Runtime, settings_from
from .requested_shares import without_form_field
from .spawn_hook import SpawnHook

#: Traits that would delete homes, or prefer a remembered name to the owner's annotation, with the value that they get.
_TRAITS = {"delete_pvc": False, "remember_pvc_name": False}
#: The sections of the configuration in which a spawner's traits may be set, the one that wins first.
_SECTIONS = ("KubeSpawner", "Spawner")


def configure(config: Any, settings: Mapping[str, Any], runtime: Runtime, section: str = "KubeSpawner") -> SpawnHook:
    """Set the hooks in a hub's configuration (`c`). Raises AccessError.

    `section` is the name of the spawner class, unless the configuration itself names another one, such as a subclass.
    Hooks that are configured before this call run first, so it belongs at the end of the configuration.
    """
    sections = list(dict.fromkeys((*_sections_of_class(config), section, *_SECTIONS)))
    previous = {
        name: hook
        for name in ("auth_state_hook", "pre_spawn_hook", "modify_pod_hook", "options_form", "options_from_form")
        for hook in [_configured(config, sections, name)]
        if hook is not None
    }
    hook = SpawnHook(settings_from(settings), runtime, previous)
    target = config[sections[0]]
    target.auth_state_hook = hook.auth_state
    target.pre_spawn_hook = hook.pre_spawn
    target.modify_pod_hook = hook.modify_pod
    target.options_form = hook.options_form
    # KubeSpawner's own default ignores fields that it does not know, and so do the strings that JupyterHub accepts.
    if callable(previous.get("options_from_form")):
        target.options_from_form = without_form_field(previous["options_from_form"])
    for trait, value in _TRAITS.items():
        if runtime.has_trait(trait):
            setattr(target, trait, value)
    return hook


def _configured(config: Any, sections: list[str], trait: str) -> Any:
    """Return a trait's value from the section that wins, None if no section sets it."""
    return next(
        (config[section][trait] for section in sections if section in config and trait in config[section]), None
    )


def _sections_of_class(config: Any) -> list[str]:
    """Return the sections that apply to the configured spawner class, its own first: they win over those of its bases."""
    chosen = _configured(config, ["JupyterHub"], "spawner_class")
    if isinstance(chosen, type):
        return [one.__name__ for one in chosen.__mro__]
    # A name without a dot is that of an entry point.
    return [chosen.rpartition(".")[2]] if isinstance(chosen, str) and "." in chosen else []
