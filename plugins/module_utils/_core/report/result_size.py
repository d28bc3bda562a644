# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results that stay small, because AWX drops an event of more than 700,000 bytes with everything in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

#: The lists of a result that grow with the number of objects.
LISTS = ("changes", "unreconcilable", "failed_items")
#: How many items of each list a result has by default. The result of 10,000 new homes is then below 300,000 bytes.
MAX_CHANGES = 500


def whole_lists(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lists of a result, with its summary, as they are written to a report file."""
    return {name: result[name] for name in ("summary", *LISTS, "access") if name in result}


def short_lists(value: Any, limit: int = MAX_CHANGES) -> Any:
    """Return options with at most `limit` items in each list, and one more that counts the others."""
    if isinstance(value, Mapping):
        return {key: short_lists(inner, limit) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        short = [short_lists(inner, limit) for inner in value[:limit]]
        return short if len(value) <= limit else [*short, f"and {len(value) - limit} more"]
    return value


def longest_diff(environment: Mapping[str, str]) -> Optional[int]:
    """Return how many characters a diff may have: AWX says in MAX_EVENT_RES how long a result may be. None without AWX."""
    limit = environment.get("MAX_EVENT_RES", "")
    return int(limit) // 3 if limit.isdecimal() else None


def shortened(result: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """Return the result with at most `limit` items in each list, and in ``omitted`` how many items of a list are missing.

    ``access.changes`` of the access list is shortened as well. Counts and the summary stay whole.
    """
    omitted: dict[str, int] = {}

    def cut(name: str, items: list[Any]) -> list[Any]:
        if len(items) > limit:
            omitted[name] = len(items) - limit
        return items[:limit]

    short = dict(result)
    short.update({name: cut(name, result[name]) for name in LISTS if result.get(name)})
    access = result.get("access")
    if access and access.get("changes"):
        short["access"] = {**access, "changes": cut("access", access["changes"])}
    if omitted:
        short["omitted"] = omitted
    return short
