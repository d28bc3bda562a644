# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results that stay small, because AWX drops an event of more than 700,000 bytes with everything in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

#: The lists of a result that grow with the number of objects.
LISTS = ("changes", "unreconcilable", "failed_items")
#: How many items of each list a result has by default. The result of 10,000 new homes is then below 300,000 bytes.
MAX_CHANGES = 500
#: How many bytes of JSON a result has at most, and its options. The diff has a third of what AWX allows (see longest_diff).
LARGEST, LARGEST_OPTIONS = 350_000, 80_000
#: What stays whole in a result: the diff is limited where it is made.
_WHOLE = ("summary", "omitted", "diff")
#: More of the result that a report file has.
_REPORTED = ("access", "servers", "text", "entries", "modules", "acl")
#: Mappings with no more keys are those of options and results, and not of an inventory.
_FEW_KEYS = 60


def whole_lists(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lists and texts of a result, with its summary, as they are written to a report file."""
    return {name: result[name] for name in ("summary", *LISTS, *_REPORTED) if name in result}


def short_lists(value: Any, limit: int = MAX_CHANGES, largest: int = LARGEST_OPTIONS) -> Any:
    """Return options with at most `limit` items in each list and large mapping, or fewer if they are too large.

    One more item counts the others.
    """
    short = _cut(value, limit)
    while limit and _size(short) > largest:
        limit //= 2
        short = _cut(value, limit)
    return short


def _short_text(text: str, limit: int, note: str) -> str:
    """Return at most 200 characters for each of `limit` items, and then how many others there are."""
    most = 200 * (limit + 1)
    if len(text) <= most:
        return text
    whole = text[:most].rpartition("\n")[0] or text[:most]
    return f"{whole}\nand {len(text) - len(whole):,} more characters{note}"


def _size(value: Any) -> int:
    return len(json.dumps(value, default=str))


def longest_diff(environment: Mapping[str, str]) -> Optional[int]:
    """Return how many characters a diff may have: AWX says in MAX_EVENT_RES how long a result may be. None without AWX."""
    limit = environment.get("MAX_EVENT_RES", "")
    return int(limit) // 3 if limit.isdecimal() else None


def shortened(result: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """Return the result with at most `limit` items in each list, and in ``omitted`` how many items of a list are missing.

    ``access.changes`` of the access list is shortened as well. If the result is still too large, all lists, mappings and texts
    are shortened. Counts and the summary stay whole.
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
    fewer, known, most = short, dict(omitted), MAX_CHANGES
    while most and _size({key: fewer[key] for key in fewer if key != "diff"}) > LARGEST:
        most, known = most // 2, dict(omitted)
        fewer = {key: value if key in _WHOLE else _cut(value, most, key, known) for key, value in short.items()}
    return {**fewer, "omitted": known} if known else fewer


def _cut(value: Any, limit: int, path: str = "", omitted: Optional[dict[str, int]] = None) -> Any:
    """Return a value with at most `limit` items in each list and large mapping, and short texts.

    `omitted` counts what is missing, by path. Without it, one more item says so.
    """
    short: Any
    if isinstance(value, Mapping):
        kept = list(value)[: max(limit, _FEW_KEYS)]
        missing = len(value) - len(kept)
        short = {key: _cut(value[key], limit, f"{path}.{key}", omitted) for key in kept}
    elif isinstance(value, (list, tuple)):
        missing = len(value) - limit
        short = [_cut(inner, limit, path, omitted) for inner in value[:limit]]
    elif isinstance(value, str):
        return _short_text(value, limit, "" if omitted is None else "; `report_file` has all of them")
    else:
        return value
    if missing <= 0:
        return short
    if omitted is None:
        note = f"and {missing} more"
        return {**short, note: ""} if isinstance(short, dict) else [*short, note]
    name = "access" if path == "access.changes" else path
    omitted[name] = omitted.get(name, 0) + missing
    return short
