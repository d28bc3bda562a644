# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups of users: those of the inventory with their members, and those that a hub or OpenShift knows.

A group is named with its source, and the same word from two sources is two groups: ``analysts`` is the inventory's,
``hub:analysts`` the hub's own (looked up at spawn), ``openshift:analysts`` a Group of the cluster (read at each run).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Optional

from ..text import did_you_mean
from ..validation import PlacedList, described, quoting, shown, user_name_error

if TYPE_CHECKING:
    from .spec import ShareSpec

HUB = "hub:"
OPENSHIFT = "openshift:"

KEYS = ("name", "users")


def source_of(group: str) -> str:
    """Where a group comes from, by its name: "hub", "openshift" or "inventory"."""
    if group.startswith(HUB):
        return "hub"
    return "openshift" if group.startswith(OPENSHIFT) else "inventory"


def group_name_error(name: str) -> Optional[str]:
    """What is wrong with the name of a group, as a clause with the way out; None when nothing is.

    Slashes are allowed (identity providers have them), and nothing is folded or trimmed.
    """
    if not name.strip():
        return f"the name of a group is {'empty' if not name else 'nothing but white space'}: give it, or remove it"
    bare = name
    for prefix in (HUB, OPENSHIFT):
        if name.startswith(prefix):
            bare = name[len(prefix) :]
            if not bare:
                return f"the group {shown(name)} has no name behind its source: write `{prefix}NAME`"
    if bare != bare.strip():
        return f"the group {shown(name)} has white space around its name: remove it, for names are compared as they are"
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            return f"the group {shown(name)} contains the character {character!a}, which no name has: remove it"
    return None


def parse_groups(raw: object, source: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The groups of an inventory or a file, and a sentence for each fault (without a full stop).

    ``raw`` maps the names of groups to lists of users, or is a list of mappings with ``name`` and ``users``. Members
    are sorted and each is there once. An empty list is a group without members.
    """
    errors: list[str] = []
    found: dict[str, tuple[str, ...]] = {}
    for place, name, members in _items(raw, source, errors):
        if not isinstance(name, str):
            errors.append(f"{place}: {described(name)} stands where the name of a group should: {quoting(name)}")
            continue
        error = group_name_error(name)
        if error is None and source_of(name) != "inventory":
            error = (
                f"the group {shown(name)} is {'the hub' if source_of(name) == 'hub' else 'OpenShift'}'s own by its name, and its "
                f"members are looked up there: remove it from {source}, or give it a name without that prefix"
            )
        if error is None and name in found:
            error = f"the group {shown(name)} is defined twice: make one of the two"
        if error:
            errors.append(f"{place}: {error}")
            continue
        found[name] = _members(members, f"{place}: the group {shown(name)}", errors)
    return found, errors


def _items(raw: object, source: str, errors: list[str]) -> Iterable[tuple[str, object, object]]:
    if isinstance(raw, Mapping):
        return [(source, name, members) for name, members in raw.items()]
    if not isinstance(raw, (list, tuple)):
        errors.append(
            f"{source}: {described(raw)} stands where groups should: write a mapping, each group's name with the list of its "
            "members"
        )
        return []
    items: list[tuple[str, object, object]] = []
    for index, item in enumerate(raw):
        place = f"{source} line {raw.lines[index]}" if isinstance(raw, PlacedList) else f"{source}[{index}]"
        if not isinstance(item, Mapping) or "name" not in item:
            errors.append(
                f"{place}: {described(item)} stands where a group should: write a mapping with `name` and `users`"
            )
            continue
        errors.extend(
            f"{place}: the key {shown(str(key))} is unknown{did_you_mean(str(key), KEYS)}: known are {', '.join(KEYS)}"
            for key in item
            if key not in KEYS
        )
        items.append((place, item["name"], item.get("users")))
    return items


def _members(members: object, which: str, errors: list[str]) -> tuple[str, ...]:
    if not isinstance(members, (list, tuple)):
        if members is None:
            errors.append(f"{which} has no list of members: write `[]` if it has none")
        else:
            errors.append(f"{which} has {described(members)} where its members should be: write a list of names")
        return ()
    found = set()
    for member in members:
        if not isinstance(member, str):
            errors.append(f"{which} has {described(member)} as a member: {quoting(member)}")
        elif member == "*":
            errors.append(f"{which} has `*` as a member, which names nobody: write the names of its members")
        else:
            error = user_name_error("member", member)
            if error:
                errors.append(f"{which}: {error}")
            found.add(member)
    return tuple(sorted(found))


def named_groups(shares: Iterable[ShareSpec]) -> list[str]:
    """All groups that shares name, each once, sorted."""
    return sorted({group for share in shares for right in (share.read, share.write) for group in right.groups})


def undefined_groups(shares: Sequence[ShareSpec], groups: Collection[str]) -> list[str]:
    """A sentence for each group of the inventory that a share names and nothing defines, with the nearest defined one.

    What goes needs its name alone: its groups may go with it.
    """
    errors = []
    for share in shares:
        if share.state in ("retired", "absent"):
            continue
        for right, grants in (("read", share.read), ("write", share.write)):
            for group in grants.groups:
                if source_of(group) == "inventory" and group not in groups:
                    errors.append(
                        f"{share.position} ({share.name}): `{right}` names the group {shown(group)}, which is defined "
                        f"nowhere{did_you_mean(group, groups)}: define it in `groups` or `groups_file`, or write `hub:NAME` or "
                        "`openshift:NAME` for one that is known there"
                    )
    return errors
