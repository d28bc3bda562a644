# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of messages: suggestions for misspelt names, and lists of bounded length."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the most similar of the known words, None if none is similar.

    Case is ignored. Of equally similar words the first wins.
    """
    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
    found = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean `size`?)`` to append to a misspelt word, or an empty string."""
    guess = nearest(word, known)
    return f" (did you mean `{guess}`?)" if guess is not None else ""


def quote_list(names: Iterable[str], most: int = 8) -> str:
    """Return ``a, b, c and 12 more``: at most ``most`` names, or one more if it is the last."""
    listed = list(names)
    if not listed:
        return ""
    if len(listed) == 1:
        return listed[0]
    if len(listed) <= most + 1:
        return f"{', '.join(listed[:-1])} and {listed[-1]}"
    return f"{', '.join(listed[:most])} and {len(listed) - most} more"
