# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until claims are bound and have their capacity."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Callable, NamedTuple

from ..._core.kubernetes.claims import Claim
from ..._core.kubernetes.facts import ClusterFacts
from ..._core.kubernetes.readiness import ClaimKey, Readiness, check_readiness, unknown_readiness_warning
from ..._core.outcome import Outcome
from ..._core.plan import Change, Failure
from ..errors import ExternalError
from .facts import FactsReader


class Timings(NamedTuple):
    """How long to wait, and how long to pause between two looks, in seconds."""

    timeout: float
    sleep: float


class Wait(NamedTuple):
    """What a run waits for. `awaited`: the change of each claim; `list_claims` lists these claims with their namespaces."""

    awaited: Mapping[ClaimKey, Change]
    list_claims: Callable[[], Iterable[tuple[str, Claim]]]
    facts: ClusterFacts
    reader: FactsReader


def wait_until_ready(wait: Wait, outcome: Outcome, timings: Timings) -> None:
    """Wait until the claims are ready. Add those that are not in time to `outcome.unready`.

    When the API server cannot be read, the readiness of the changed claims is unknown: they are unready too.
    """
    if not wait.awaited:
        return
    try:
        found = _wait(wait, timings)
    except ExternalError as error:
        changes = list(wait.awaited.values())
        changed = [change for change in changes if change.operations] or changes
        reason = f"whether it is ready is unknown: {error}"
        outcome.unready.extend(Failure(change, reason, retryable=error.retryable) for change in changed)
        return
    outcome.warnings.extend(found.warnings)
    if found.unknown:
        outcome.warnings.append(unknown_readiness_warning(found.unknown))
    for (namespace, name), why in found.pending.items():
        reason = (
            f"{why} after {timings.timeout:g} s of waiting: see the events of claim {name} in namespace {namespace}, or "
            "raise `wait_timeout`"
        )
        outcome.unready.append(Failure(wait.awaited[namespace, name], reason, retryable=True))


def _wait(wait: Wait, timings: Timings) -> Readiness:
    deadline = time.monotonic() + timings.timeout
    while True:
        claims = list(wait.list_claims())
        found = check_readiness(claims, wait.awaited, wait.facts)
        while wait.facts.missing:
            wait.reader.read_missing(wait.facts)
            found = check_readiness(claims, wait.awaited, wait.facts)
        if not (found.pending or found.unknown) or time.monotonic() >= deadline:
            return found
        time.sleep(max(0.0, min(timings.sleep, deadline - time.monotonic())))
