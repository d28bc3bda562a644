# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What in a file of Helm values would undo or contradict the configuration of this role, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..._hub.acl_format import shown
from .helm_values import SNIPPET, Entries, is_ours
from .hub_python import GROUP_TRAITS
from .overrides import HOOKS, PROFILES, TRAITS, overridden_hooks
from .values_merge import BLOCK, YamlNode

#: The hooks that the spawn hook sets. It chains what is set before it, and what is set after it replaces it.
_HOOKS = ("auth_state_hook", "pre_spawn_hook", "modify_pod_hook", "options_form", "options_from_form")
_HOOK = re.compile(r"(?<!\w)({})(?!\w)".format("|".join(_HOOKS)))
_SECTIONS = ("KubeSpawner", "Spawner")
_HOMES = {"dynamic": "claim", "static": "static", "none": "none"}


def conflicts(root: YamlNode, entries: Entries, settings: Mapping[str, Any], manages_groups: bool) -> list[str]:
    """Return a sentence without a full stop for each conflict with the keys of others. `root` is without our lines."""
    hooks = [*_later_hooks(root), *_text_hooks(root), *_overridden_hooks(root)]
    found = [*_keys_in_use(root, entries), *hooks, *_homes(root, settings)]
    return [*found, *_groups(root)] if manages_groups else found


def _keys_in_use(root: YamlNode, entries: Entries) -> Iterator[str]:
    for path, keys in entries.items():
        node = root.get(*path)
        for key, child in (node.children if node is not None else {}).items():
            name = f"`{'.'.join((*path, key))}` in line {child.line + 1}"
            if path == ("rbac",) and key in keys:
                yield f"{name} is {shown(child.value)}, and `hub_rbac: replace` needs false: remove it, or set `hub_rbac: chart`"
            elif key in keys or is_ours(path, key):
                yield f"{name} is not between the comments of this role: remove it"


def _later_hooks(root: YamlNode) -> Iterator[str]:
    node = root.get("hub", "extraConfig")
    for key, child in sorted((node.children if node is not None else {}).items()):
        if key <= SNIPPET or not isinstance(child.value, str):
            continue
        for number, line in enumerate(child.value.split("\n")):
            found = _HOOK.search(line.partition("#")[0])
            if found:
                yield (
                    f"`hub.extraConfig.{key}` sets {found[1]} in line {child.value_line + number + 1}, after the spawn hook, "
                    f"which must be last: give it a name that sorts before {SNIPPET}"
                )
                break


def _text_hooks(root: YamlNode) -> Iterator[str]:
    for section in _SECTIONS:
        for trait in HOOKS:
            child = root.get("hub", "config", section, trait)
            if child is not None and child.value is not None:
                yield (
                    f"`hub.config.{section}.{trait}` in line {child.line + 1} is {shown(child.value)}, and a hook is a Python "
                    "function: set it in `hub.extraConfig`"
                )


def _overridden_hooks(root: YamlNode) -> Iterator[str]:
    places = [PROFILES, *(("hub", "config", section, trait) for section in _SECTIONS for trait in TRAITS)]
    for place in places:
        child = root.get(*place)
        for path in overridden_hooks(child.value, ".".join(place)) if child is not None else ():
            yield (
                f"`{path}`, below line {child.line + 1 if child else 0}, replaces a hook, and a hook is a Python function: "
                "remove it, or set the hook in `hub.extraConfig`"
            )


def _homes(root: YamlNode, settings: Mapping[str, Any]) -> Iterator[str]:
    path = root.get("singleuser", "storage", "homeMountPath")
    home_path = settings.get("home_path", "/home/jovyan")
    if path is not None and path.value != home_path:
        yield (
            f"`singleuser.storage.homeMountPath` in line {path.line + 1} is {shown(path.value)}, but `hub_home_path` is "
            f"{home_path}: set both to the same path"
        )
    kind = root.get("singleuser", "storage", "type")
    home = settings.get("home", "claim")
    if kind is not None and kind.value in _HOMES and _HOMES[kind.value] != home:
        yield (
            f"`singleuser.storage.type` in line {kind.line + 1} is {kind.value}, but `hub_home` is {home}: set "
            f"`hub_home: {_HOMES[kind.value]}`"
        )


def _groups(root: YamlNode) -> Iterator[str]:
    config = root.get("hub", "config")
    for section, node in (config.children if config is not None else {}).items():
        for trait in GROUP_TRAITS:
            child = node.get(trait)
            if child is not None and child.value is False:
                yield (
                    f"`hub.config.{section}.{trait}` in line {child.line + 1} is false, but the access list names groups of the "
                    "hub: remove it, or set `hub_manage_groups: never`"
                )


def foreign_lines(current: YamlNode, without_ours: YamlNode) -> list[str]:
    """Return a sentence for each key that somebody else has put between our comments, where a run would remove it."""
    return [
        f"`{'.'.join(path)}` in line {node.line + 1} is between the comments of this role, and does not belong to it: move it"
        for path, node in _leaves(current, ())
        if not any(is_ours(path[:number], path[number]) for number in range(len(path)))
        and path != ("rbac", "create")
        and without_ours.get(*path) is None
    ]


def _leaves(node: YamlNode, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], YamlNode]]:
    for key, child in node.children.items():
        if child.style == BLOCK:
            yield from _leaves(child, (*path, key))
        elif child.value is not None and child.value != {}:
            yield (*path, key), child
