# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a check, and data that could not be read."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar, Union

OK = "ok"
WARNING = "warning"
ERROR = "error"
UNKNOWN = "unknown"
#: The severities, the most urgent first.
SEVERITIES = (ERROR, WARNING, UNKNOWN, OK)

T = TypeVar("T")


class Unread(NamedTuple):
    """Stands for data that could not be read. `reason` is a sentence with the right that is missing."""

    reason: str


Read = Union[T, Unread]


class Finding(NamedTuple):
    """What a check found out about an object. `remedy` is what to do, "" if there is nothing to do."""

    check: str
    object: str
    severity: str
    reason: str
    remedy: str = ""

    def as_result(self) -> dict[str, Any]:
        """Return the finding as the module returns it."""
        return dict(self._asdict())


def unknown(check: str, target: str, unread: Unread) -> Finding:
    """Return the finding of a check that lacks data."""
    return Finding(check, target, UNKNOWN, unread.reason, "Grant the right that is missing, and run this again.")
