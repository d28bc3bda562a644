# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What in a file of Helm values would undo or contradict the configuration of this role, each with its line."""

from __future__ import annotations

import contextlib
import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..._hub.acl_format import shown
from .doctor.chart import replaces_configuration
from .doctor.python_settings import ANY, COMPUTED, OUR_TRAITS, Assignment, python_settings
from .helm_values import SNIPPET, Entries, is_ours
from .hub_python import GROUP_TRAITS
from .marked_lines import is_added
from .overrides import HOOKS, PROFILES, TRAITS, overridden_hooks
from .values_merge import BLOCK, YamlNode

#: The hooks that the spawn hook sets. It chains what is set before it, and what is set after it replaces it.
_HOOKS = ("auth_state_hook", "pre_spawn_hook", "modify_pod_hook", "options_form", "options_from_form")
_HOOK = re.compile(r"(?<!\w)({})(?!\w)".format("|".join(_HOOKS)))
_SECTIONS = ("KubeSpawner", "Spawner")
REFRESH_AGE = "auth_refresh_age"
_NO_REFRESH = (
    "which disables the refresh of groups at each start, but the access list names groups of the hub: remove it, or set "
    "`hub_manage_groups: never`"
)
_HOMES = {"dynamic": "claim", "static": "static", "none": "none"}


def conflicts(root: YamlNode, entries: Entries, settings: Mapping[str, Any], manages_groups: bool) -> list[str]:
    """Return a sentence without a full stop for each conflict with the keys of others. `root` is without our lines."""
    hooks = [*_later_hooks(root), *_text_hooks(root), *_overridden_hooks(root)]
    found = [*_keys_in_use(root, entries), *hooks, *_homes(root, settings), *_replaced_files(root)]
    found += _later_settings(root, manages_groups)
    return [*found, *_groups(root)] if manages_groups else found


def _keys_in_use(root: YamlNode, entries: Entries) -> Iterator[str]:
    for path, keys in entries.items():
        node = root.get(*path)
        for key, child in (node.entries if node is not None else {}).items():
            name = f"`{'.'.join((*path, key))}` in line {child.line + 1}"
            if path == ("rbac",) and key in keys:
                yield f"{name} is {shown(child.value)}, and `hub_rbac: replace` needs false: remove it, or set `hub_rbac: chart`"
            elif key in keys or is_ours(path, key):
                yield f"{name} is not between the comments of this role: remove it"


def _later_hooks(root: YamlNode) -> Iterator[str]:
    node = root.get("hub", "extraConfig")
    for key, child in sorted((node.entries if node is not None else {}).items()):
        if key <= SNIPPET or not isinstance(child.value, str):
            continue
        for number, line in enumerate(_without_comments(child.value)):
            found = _HOOK.search(line)
            if found:
                line_number = _line_of(root, key, child, number)
                yield (
                    f"`hub.extraConfig.{key}` sets {found[1]} in line {line_number}, after the spawn hook, which must be "
                    f"last: give it a name that sorts before {SNIPPET}"
                )
                break


def _without_comments(python: str) -> list[str]:
    """Return the lines of a text without comments. Where it is not valid Python, they stay."""
    lines = python.split("\n")
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(python).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                lines[row - 1] = lines[row - 1][:column]
    return lines


def _line_of(root: YamlNode, key: str, child: YamlNode, number: int) -> int:
    """Return the line in the file of a line of a snippet. One that a merge key brings has the line of `extraConfig`."""
    return child.value_line + 1 + (number if root.has_line("hub", "extraConfig", key) else 0)


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


def _replaced_files(root: YamlNode) -> Iterator[str]:
    """Yield what is mounted over the chart's own configuration, which runs the snippets."""
    hub = root.get("hub")
    files, mounts = (None if hub is None else hub.get(key) for key in ("extraFiles", "extraVolumeMounts"))
    found = [
        (f"hub.extraFiles.{key}", child.line, child.value)
        for key, child in (files.entries if files is not None else {}).items()
    ]
    if mounts is not None and isinstance(mounts.value, list):
        found += [("hub.extraVolumeMounts", mounts.line, value) for value in mounts.value]
    for name, line, value in found:
        if isinstance(value, Mapping) and replaces_configuration(str(value.get("mountPath", ""))):
            yield (
                f"`{name}` in line {line + 1} replaces the chart's configuration, which runs that of this role: mount it "
                "elsewhere"
            )


def _later_settings(root: YamlNode, manages_groups: bool) -> Iterator[str]:
    """Yield the assignments in snippets that undo those of this role."""
    node = root.get("hub", "extraConfig")
    snippets = dict(sorted((node.entries if node is not None else {}).items()))
    texts = [(key, child.value) for key, child in snippets.items() if isinstance(child.value, str)]
    for one in python_settings(texts).assignments:
        key, _comma, number = one.place.rpartition(", line ")
        if key not in snippets or one.trait == ANY:
            continue
        line = _line_of(root, key, snippets[key], int(number) - 1)
        what = f"`hub.extraConfig.{key}` sets {one.section}.{one.trait}"
        if manages_groups and one.trait == REFRESH_AGE and one.value is not COMPUTED and not one.value:
            yield f"{what} to {shown(one.value)} in line {line}, {_NO_REFRESH}"
        elif key > SNIPPET and _undoes(one, manages_groups):
            yield f"{what} in line {line}, after the configuration of this role: give it a name that sorts before {SNIPPET}"


def _undoes(one: Assignment, manages_groups: bool) -> bool:
    """Return whether a later assignment undoes one of this role, or may do so."""
    if (one.section, one.trait) == ("JupyterHub", "spawner_class"):
        return True
    ours = {**OUR_TRAITS, **(dict.fromkeys(GROUP_TRAITS, True) if manages_groups else {})}
    return one.trait in ours and one.value is not ours[one.trait]


def _groups(root: YamlNode) -> Iterator[str]:
    config = root.get("hub", "config")
    for section, node in (config.entries if config is not None else {}).items():
        for trait in GROUP_TRAITS:
            child = node.get(trait)
            if child is not None and child.value is False:
                yield (
                    f"`hub.config.{section}.{trait}` in line {child.line + 1} is false, but the access list names groups of the "
                    "hub: remove it, or set `hub_manage_groups: never`"
                )
        child = node.get(REFRESH_AGE)
        if child is not None and child.value == 0:
            yield (
                f"`hub.config.{section}.{REFRESH_AGE}` in line {child.line + 1} is {shown(child.value)}, {_NO_REFRESH}"
            )


def foreign_lines(current: YamlNode, without_ours: YamlNode, lines: Sequence[str]) -> list[str]:
    """Return a sentence for each key that somebody else has put between our comments, where a run would remove it.

    `lines` are those of the text. A key that we added, and below which nothing is left, is ours.
    """
    return [
        f"`{'.'.join(path)}` in line {node.line + 1} is between the comments of this role, and does not belong to it: move it"
        for path, node in _leaves(current, ())
        if not any(is_ours(path[:number], path[number]) for number in range(len(path)))
        and path != ("rbac", "create")
        and not without_ours.has_line(*path)
        and not is_added(lines[node.line])
    ]


def _leaves(node: YamlNode, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], YamlNode]]:
    for key, child in node.children.items():
        if child.style == BLOCK:
            yield from _leaves(child, (*path, key))
        else:
            yield (*path, key), child
