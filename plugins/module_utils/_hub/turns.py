# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts of servers take turns, so that many at once do not keep the hub from answering requests."""

from __future__ import annotations

from typing import Any, Callable, Optional


class Turns:
    """Lets one start go on in each iteration of the event loop.

    A slow API answers many starts at the same moment, and the event loop would run all that they do next before it looks
    at other requests. `schedule`, `sleep` and `wait_for` are asyncio's `ensure_future`, `sleep` and `wait_for`. Without `sleep`,
    nobody waits, and without `wait_for`, nobody gives up.
    """

    def __init__(
        self,
        schedule: Callable[[Any], Any],
        sleep: Optional[Callable[[float], Any]],
        wait_for: Optional[Callable[[Any, float], Any]] = None,
    ) -> None:
        self._schedule, self._sleep, self._wait_for, self._is_free = schedule, sleep, wait_for, True

    def limited(self, awaitable: Any, seconds: float) -> Any:
        """Return an awaitable that waits for another one, at most for some seconds."""
        return awaitable if self._wait_for is None else self._wait_for(awaitable, seconds)

    async def take(self) -> None:
        """Wait until no other start goes on in this iteration. A start that is cancelled meanwhile keeps nobody waiting."""
        if self._sleep is None:
            return
        while not self._is_free:
            await self._sleep(0)
        self._is_free = False
        self._schedule(self._release())

    async def _release(self) -> None:
        self._is_free = True
