# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stop servers through the hub."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Callable

from ..._core.outcome import Applied, Outcome, collect
from ..._core.plan import KEEP, Change, Failure, Plan
from ..._core.servers.plan import StopServer
from ..errors import ExternalError
from .client import HubClient

#: The hub waits up to ten seconds for each server.
_AT_ONCE = 4


def stop_servers(hub: HubClient, plan: Plan, is_same: Callable[[StopServer], bool]) -> Outcome:
    """Stop the servers of a plan with StopServer operations only; one that fails does not stop the others.

    `is_same` reads whether the pod that was examined still runs. If it does not, its user has stopped the server meanwhile,
    and perhaps started it again with the access that is granted now.
    """

    def stop(change: Change) -> Applied:
        (operation,) = change.operations
        try:
            if not is_same(operation):
                reason = f"{change.after} already"
                return Applied(replace(change, action=KEEP, reason=reason, before=None, after=None, operations=()))
            hub.stop(operation.user, operation.server)
        except ExternalError as error:
            return Applied(change, Failure(change, str(error), retryable=error.retryable))
        return Applied(change, wrote=True)

    if not plan.changes:
        return Outcome(plan)
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(plan.changes))) as pool:
        return collect(plan, dict(enumerate(pool.map(stop, plan.changes))))
