# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retirement: nothing is deleted that was not marked, legibly, for longer than it is to be held."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, Optional

from ..times import format_span, format_time, parse_time


class Retired(NamedTuple):
    """What a retirement mark means now: since when (None: not legible), and why not to delete yet, if so.

    `fault` is a mistake in what was asked, `held` means that a later run may.
    """

    since: Optional[datetime]
    error: str = ""
    held: str = ""


def retirement(mark: Optional[str], name: str, kind: str, retention: timedelta, now: datetime) -> Retired:
    """Return what the mark of an object `name` of a kind ("home") allows; `mark` is None where there is none."""
    if mark is None:
        return Retired(
            None,
            f"{name} was never retired, and only a retired {kind} is deleted: run with state retired first, and "
            f"with state absent once {format_span(retention)} have passed",
        )
    since = parse_time(mark)
    if since is None:
        return Retired(
            None,
            f"the retirement mark of {name}, {mark!r}, is no RFC 3339 time, so nobody knows since "
            "when: run with state present, then with state retired",
        )
    try:
        due = since + retention
    except OverflowError:
        return Retired(
            None,
            f"the retirement mark of {name}, {mark!r}, lies too far ahead to be meant: run with "
            "state present, then with state retired",
        )
    if now < due:
        return Retired(since, "", f"is retired since {mark} and held until {format_time(due)}")
    return Retired(since)
