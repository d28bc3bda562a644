# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The grants of a share as its entry declares them: users, groups and everyone, within what its level allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..text import did_you_mean
from ..validation import describe_value, quoted, quoting_hint, unknown_keys, user_name_error
from .groups import group_name_error

KEYS = ("users", "groups", "everyone")


@dataclass(frozen=True)
class Grants:
    """Who gets one right: users and groups as written, unique and sorted."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    everyone: bool = False


NOBODY = Grants()


def read_grants(item: Mapping[Any, object], right: str, level: str, errors: list[str]) -> Grants:
    """Return the grants under the key ``right`` ("read" or "write") of a share, and append what is wrong to ``errors``.

    An empty list, like a missing one, grants the right to nobody.
    """
    value = item.get(right)
    if value is None:
        return Grants(everyone=True) if level == "public" and right == "read" else NOBODY
    if not isinstance(value, Mapping):
        errors.append(
            f"`{right}` must be a mapping, not {describe_value(value)}: write `{right}: {{users: [...], groups: [...]}}`"
        )
        return NOBODY
    errors += [
        f"`{right}` has the unknown key {quoted(key)}{did_you_mean(key, KEYS)}: the known keys are {', '.join(KEYS)}"
        for key in unknown_keys(value, KEYS, errors)
    ]
    users = _names(value, right, "users", errors)
    groups = _names(value, right, "groups", errors)
    everyone = value.get("everyone")
    if everyone is not None and not isinstance(everyone, bool):
        errors.append(f"`{right}.everyone` is {describe_value(everyone)}: write true, or remove it")
    elif everyone and right == "write":
        errors.append(
            "`write.everyone` would let anybody change what all others read, which no level allows: list users or groups "
            "under `write`"
        )
    elif everyone and level in ("private", "secret"):
        errors.append(
            f"`read.everyone` is only for public shares, and this one is {level}: list users or groups, or make it public"
        )
    elif everyone is False and right == "read" and level == "public":
        errors.append(
            "`read.everyone: false` contradicts the level, because everyone reads a public share: remove the line, or make "
            "the share private"
        )
    return Grants(users, groups, level == "public" and right == "read")


def _names(value: Mapping[Any, object], right: str, key: str, errors: list[str]) -> tuple[str, ...]:
    names = value.get(key)
    if names is None:
        return ()
    if not isinstance(names, (list, tuple)):
        errors.append(f"`{right}.{key}` must be a list, not {describe_value(names)}: write `{key}: [NAME, ...]`")
        return ()
    found = set()
    for name in names:
        if not isinstance(name, str):
            errors.append(f"`{right}.{key}` has {describe_value(name)} instead of a name: {quoting_hint(name)}")
            continue
        if name == "*":
            errors.append(
                f"`{right}.{key}` has `*`, which matches nobody: everyone reads a public share, and in other shares list the "
                "names"
            )
            continue
        error = user_name_error("name", name) if key == "users" else group_name_error(name)
        if error:
            errors.append(f"`{right}.{key}`: {error}")
            continue
        found.add(name)
    return tuple(sorted(found))
