# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time, as files of the tree have it."""

from __future__ import annotations

import time


def utc_now() -> str:
    """Return the time as RFC 3339 in UTC, in whole seconds."""
    return rfc3339(time.time())


def rfc3339(seconds: float) -> str:
    """Return a time of the system as RFC 3339 in UTC, in whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
