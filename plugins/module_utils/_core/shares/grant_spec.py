# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may use a share, as its entry says it: users, groups and everyone, and what its level allows of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..text import did_you_mean
from ..validation import described, quoting, shown, user_name_error
from .groups import group_name_error

KEYS = ("users", "groups", "everyone")


@dataclass(frozen=True)
class Grants:
    """Who is named for one right: users and groups as they were written, each once and sorted."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    everyone: bool = False


NOBODY = Grants()


def read_grants(item: Mapping[Any, object], right: str, level: str, errors: list[str]) -> Grants:
    """The grants under the key ``right`` ("read" or "write") of a share; what is wrong with them goes to ``faults``.

    An empty list, and nothing at all, is nobody.
    """
    value = item.get(right)
    if value is None:
        return Grants(everyone=True) if level == "public" and right == "read" else NOBODY
    if not isinstance(value, Mapping):
        errors.append(
            f"`{right}` is {described(value)}, not a mapping: write `{right}: {{users: [...], groups: [...]}}`"
        )
        return NOBODY
    errors += [
        f"`{right}` has the unknown key {shown(str(key))}{did_you_mean(str(key), KEYS)}: known are {', '.join(KEYS)}"
        for key in value
        if key not in KEYS
    ]
    users = _names(value, right, "users", errors)
    groups = _names(value, right, "groups", errors)
    everyone = value.get("everyone")
    if everyone is not None and not isinstance(everyone, bool):
        errors.append(f"`{right}.everyone` is {described(everyone)}: write true, or leave it out")
    elif everyone and right == "write":
        errors.append(
            "`write.everyone` would let anybody change what all others read, which no level allows: name users or groups "
            "under `write`"
        )
    elif everyone and level in ("private", "secret"):
        errors.append(
            f"`read.everyone` is for public shares, and this one is {level}: name users or groups, or make it public"
        )
    elif everyone is False and right == "read" and level == "public":
        errors.append(
            "`read.everyone: false` contradicts its level, for a public share is read by all: remove the line, or make it "
            "private"
        )
    return Grants(users, groups, level == "public" and right == "read")


def _names(value: Mapping[Any, object], right: str, key: str, errors: list[str]) -> tuple[str, ...]:
    names = value.get(key)
    if names is None:
        return ()
    if not isinstance(names, (list, tuple)):
        errors.append(f"`{right}.{key}` is {described(names)}, not a list: write `{key}: [NAME, ...]`")
        return ()
    found = set()
    for name in names:
        if not isinstance(name, str):
            errors.append(f"`{right}.{key}` has {described(name)} where a name should be: {quoting(name)}")
            continue
        if name == "*":
            errors.append(
                f"`{right}.{key}` has `*`, which names nobody here: a public share is read by all, in any other name those "
                "who are meant"
            )
            continue
        error = user_name_error("name", name) if key == "users" else group_name_error(name)
        if error:
            errors.append(f"`{right}.{key}`: {error}")
            continue
        found.add(name)
    return tuple(sorted(found))
