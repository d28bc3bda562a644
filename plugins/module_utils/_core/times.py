# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times and time spans: RFC 3339 in annotations, `30d` in options."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Optional

from .validation import quoted

_SPAN = re.compile(r"(\d{1,6})([smhdw])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
LONGEST_SPAN = timedelta(days=36525)
_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})\Z",
)


def parse_span(text: str) -> timedelta:
    """Return a time span such as `30d`, `12h`, `2w` or `0s`. Raises ValueError with the reason and the way out."""
    match = _SPAN.match(text.strip())
    if not match:
        raise ValueError(f"{quoted(text)} is not a time span: write a number and one of s, m, h, d, w, such as 30d")
    span = timedelta(seconds=int(match.group(1)) * _SECONDS[match.group(2)])
    if span > LONGEST_SPAN:
        raise ValueError(
            f"{quoted(text)} is more than a hundred years: write a number and one of s, m, h, d, w, such as 30d"
        )
    return span


def format_span(span: timedelta) -> str:
    """Return a time span in whole units of its largest unit: 3d, 5h, 10m, 40s."""
    seconds = int(span.total_seconds())
    for unit in ("d", "h", "m"):
        if seconds >= _SECONDS[unit]:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"


def parse_time(text: str) -> Optional[datetime]:
    """Return an RFC 3339 time in UTC (to the microsecond), None if the text is not one."""
    match = _RFC3339.match(text.strip())
    if not match:
        return None
    day, clock, fraction, zone = match.groups()
    digits = (fraction or ".0")[1:7].ljust(6, "0")
    offset = "+00:00" if zone in ("Z", "z") else zone
    try:
        return datetime.fromisoformat(f"{day}T{clock}.{digits}{offset}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def format_time(moment: datetime) -> str:
    """Return a time as RFC 3339 in UTC, in whole seconds."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
