# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all HTTP clients here share: how often and how long to try, and what a person can use of an error's text."""

from __future__ import annotations

import contextlib
from typing import Any

with contextlib.suppress(ImportError):  # told by whoever makes a client
    import urllib3

#: Tries of one request in all, and how long to wait before the second (seconds, doubled each time).
TRIES = 5
BACKOFF = 0.25
#: A server that asks to be left alone for longer than this (seconds) is not waited for.
LONGEST_RETRY_AFTER = 60.0


def retry_after(response: Any) -> float:
    """Return the seconds of Retry-After, which may be a number or a date; 0 where there is none that can be read."""
    try:
        return float(urllib3.util.Retry().parse_retry_after(response.headers["Retry-After"]))
    except (KeyError, urllib3.exceptions.InvalidHeader):
        return 0.0


def core(failure: BaseException) -> str:
    """Return the innermost cause, which is the part of a urllib3 error that a person can use."""
    inner: object = failure
    while isinstance(inner, BaseException):
        failure = inner
        inner = getattr(failure, "reason", None) or (failure.args[-1] if failure.args else None)
    text = getattr(failure, "verify_message", None) or str(failure)
    return text.rsplit(": ", 1)[-1].strip(" ')\"") if len(text) > 120 else text
