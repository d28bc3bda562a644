# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, TypeVar

#: Parallel requests. More gain nothing with a small API server (writes measured at 1, 8 and 16).
CONNECTIONS = 8
#: To read more single objects than this, their whole collection is listed.
FEW_OBJECTS = 24

T = TypeVar("T")
U = TypeVar("U")


def in_parallel(function: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """Call a function for each item, over as many connections as there are, and return the results in order."""
    if len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(CONNECTIONS, len(items))) as pool:
        return list(pool.map(function, items))
