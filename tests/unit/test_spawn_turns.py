"""Starts of servers take turns in the event loop of the hub."""

from __future__ import annotations

import asyncio

from ansible_collections.odh.persistency.plugins.module_utils._hub.turns import Turns


def test_other_requests_run_between_any_two_starts_that_go_on():
    """A slow API has answered fifty starts at the same moment."""
    order = []

    async def start(turns, answered):
        await answered.wait()
        await turns.take()
        order.append("start")

    async def requests():
        while order.count("start") < 50:
            order.append("request")
            await asyncio.sleep(0)

    async def hub():
        turns, answered = Turns(asyncio.ensure_future, asyncio.sleep), asyncio.Event()
        starts = [asyncio.ensure_future(start(turns, answered)) for _ in range(50)]
        await asyncio.sleep(0)
        answered.set()
        await asyncio.gather(requests(), *starts)

    asyncio.run(hub())
    assert order.count("start") == 50
    assert ("start", "start") not in list(zip(order, order[1:]))


def test_a_start_that_is_cancelled_keeps_nobody_waiting():
    async def hub():
        turns = Turns(asyncio.ensure_future, asyncio.sleep)
        starts = [asyncio.ensure_future(turns.take()) for _ in range(3)]
        await asyncio.sleep(0)
        starts[1].cancel()
        await asyncio.wait_for(starts[2], 5)
        return [one.cancelled() for one in starts]

    assert asyncio.run(hub()) == [False, True, False]


def test_without_sleep_nobody_waits():
    async def hub():
        turns = Turns(asyncio.ensure_future, None)
        for _ in range(3):
            await turns.take()

    asyncio.run(hub())
