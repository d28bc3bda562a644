# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups of users: those of the inventory with their members, and those that a hub or OpenShift knows.

A group's name contains its source, so the same word from two sources is two groups: ``analysts`` is in the inventory,
``hub:analysts`` in the hub (resolved at spawn), ``openshift:analysts`` is a Group of the cluster (read at each run).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Optional

from ..._hub.acl_format import HUB, OPENSHIFT
from ..text import did_you_mean
from ..validation import PlacedList, describe_value, is_list_text, quoted, quoting_hint, unknown_keys, user_name_error

KEYS = ("name", "users")


def source_of(group: str) -> str:
    """Return the source of a group by its name: "hub", "openshift" or "inventory"."""
    if group.startswith(HUB):
        return "hub"
    return "openshift" if group.startswith(OPENSHIFT) else "inventory"


def group_name_error(name: str) -> Optional[str]:
    """Return what is wrong with the name of a group, as a clause with the way out; None when it is valid.

    Slashes are allowed because identity providers use them. Names are neither folded nor trimmed.
    """
    if not name.strip():
        return f"the name of a group is {'empty' if not name else 'only white space'}: set it, or remove the group"
    if is_list_text(name):
        return f"the group {quoted(name)} looks like a list that became text: write each name as an item of the list"
    bare = name
    for prefix in (HUB, OPENSHIFT):
        if name.startswith(prefix):
            bare = name[len(prefix) :]
            if not bare:
                return f"the group {quoted(name)} has no name after its source: write `{prefix}NAME`"
    if bare != bare.strip():
        return (
            f"the group {quoted(name)} has white space around its name: remove it, because names are compared exactly"
        )
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            return (
                f"the group {quoted(name)} contains the character {character!a}, which names cannot contain: remove it"
            )
    return None


def parse_groups(raw: object, source: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the groups of an inventory or a file, and one error each, as a sentence without a full stop.

    ``raw`` maps names of groups to lists of users, or is a list of mappings with ``name`` and ``users``. Members are
    sorted and unique. An empty list is a group without members.
    """
    errors: list[str] = []
    found: dict[str, tuple[str, ...]] = {}
    for place, name, members in _items(raw, source, errors):
        if not isinstance(name, str):
            errors.append(
                f"{place}: the name of a group must be text, not {describe_value(name)}: {quoting_hint(name)}"
            )
            continue
        error = group_name_error(name)
        if error is None and source_of(name) != "inventory":
            owner = "the hub" if source_of(name) == "hub" else "OpenShift"
            error = (
                f"the group {quoted(name)} belongs to {owner} by its name, and its members are read there: remove it from "
                f"{source}, or use a name without that prefix"
            )
        if error is None and name in found:
            error = f"the group {quoted(name)} is defined twice: merge the two"
        if error:
            errors.append(f"{place}: {error}")
            continue
        found[name] = _members(members, f"{place}: the group {quoted(name)}", errors)
    return found, errors


def _items(raw: object, source: str, errors: list[str]) -> Iterable[tuple[str, object, object]]:
    if isinstance(raw, Mapping):
        return [(source, name, members) for name, members in raw.items()]
    if not isinstance(raw, (list, tuple)):
        errors.append(
            f"{source}: groups must be a mapping, not {describe_value(raw)}: write each group's name with the list of its members"
        )
        return []
    items: list[tuple[str, object, object]] = []
    for index, item in enumerate(raw):
        place = f"{source} line {raw.lines[index]}" if isinstance(raw, PlacedList) else f"{source}[{index}]"
        if not isinstance(item, Mapping) or "name" not in item:
            errors.append(f"{place}: a group must be a mapping with `name` and `users`, not {describe_value(item)}")
            continue
        untyped: list[str] = []
        errors.extend(
            f"{place}: unknown key {quoted(key)}{did_you_mean(key, KEYS)}: the known keys are {', '.join(KEYS)}"
            for key in unknown_keys(item, KEYS, untyped)
        )
        errors.extend(f"{place}: {error}" for error in untyped)
        items.append((place, item["name"], item.get("users")))
    return items


def _members(members: object, which: str, errors: list[str]) -> tuple[str, ...]:
    if not isinstance(members, (list, tuple)):
        if members is None:
            errors.append(f"{which} has no list of members: write `[]` if it has none")
        else:
            errors.append(f"{which} has {describe_value(members)} instead of its members: write a list of names")
        return ()
    found = set()
    for member in members:
        if not isinstance(member, str):
            errors.append(f"{which} has {describe_value(member)} as a member: {quoting_hint(member)}")
        elif member == "*":
            errors.append(f"{which} has `*` as a member, which matches nobody: write the names of its members")
        else:
            error = user_name_error("member", member)
            if error:
                errors.append(f"{which}: {error}")
            found.add(member)
    return tuple(sorted(found))
