# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for sentences: the name that was probably meant, and lists that stay readable however long they are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``word`` was probably meant to be, or None when nothing is near.

    Case does not count: ``Size`` is near to ``size``. Of equally near ones the first wins.
    """
    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
    found = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean `size`?)`` to be put behind the wrong word, or an empty string."""
    guess = nearest(word, known)
    return f" (did you mean `{guess}`?)" if guess is not None else ""


def quote_list(names: Iterable[str], most: int = 8) -> str:
    """``a, b, c and 12 more``: at most ``most`` names; a single name over it is still written out."""
    listed = list(names)
    if not listed:
        return ""
    if len(listed) == 1:
        return listed[0]
    if len(listed) <= most + 1:
        return f"{', '.join(listed[:-1])} and {listed[-1]}"
    return f"{', '.join(listed[:most])} and {len(listed) - most} more"
