# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removal: the only way a home goes away, and everything that must be true before."""

from __future__ import annotations

from .. import requests
from ..kubernetes.claims import Claim, home_line
from ..kubernetes.facts import ClusterFacts
from ..kubernetes.retention import retirement
from ..metadata import KIND_HOME
from ..plan import DELETE, KEEP, REFUSE, Change, Unreconcilable
from ..text import quote_list
from ..times import format_span
from .activity import UNUSED, USED
from .changes import change_home, unreconcilable_home
from .desired import Home, HomeSettings


def plan_deletion(
    home: Home, claim: Claim, settings: HomeSettings, facts: ClusterFacts, unreconcilable: list[Unreconcilable]
) -> Change:
    """Return a deletion, or why not (yet).

    A home that was never retired, or whose mark cannot be read, is refused: that is a mistake in what was asked. One
    that is held, mounted or was used since is kept: the next run asks again.
    """
    who = f"{home.spec.position} ({home.owner})"

    def result(action: str, reason: str) -> Change:
        return change_home(action, home, settings, claim.name, reason)

    def keep(reason: str) -> Change:
        unreconcilable.append(
            unreconcilable_home(home, settings, claim.name, f"{claim.name} of {home.owner} is kept: {reason}")
        )
        return result(KEEP, reason)

    retired = retirement(claim.retired_at, claim.name, KIND_HOME, settings.retention, settings.now)
    if retired.error or retired.since is None:
        return result(REFUSE, f"{who}: {retired.error}")
    if retired.held:
        return result(KEEP, retired.held)
    pods = facts.pods_of(claim.name)
    if facts.pods_error:
        return result(REFUSE, f"{who}: whether a pod mounts {claim.name} is not known, for {facts.pods_error}")
    if pods:
        return keep(f"pod {quote_list(pods)} mounts it; stop that server first")
    proof = "that nobody used it since is assumed (assume_unused)"
    use = facts.use_since(home.user, claim.server if settings.template.has_server else None, retired.since)
    if use is not None and use.state == USED:
        return keep(f"{use.reason}; run with state present to take it out of retirement")
    if use is not None and use.state == UNUSED:
        proof = use.reason
    elif use is not None and not settings.assume_unused:
        return result(
            REFUSE,
            f"{who}: whether {claim.name} was used since {claim.retired_at} is not known, for {use.reason}: give "
            "`hub`, so that the hub can be asked, or say `assume_unused: true`",
        )
    planned: list[requests.ApiRequest] = []
    fate = "its volume goes as its reclaim policy says"
    if not claim.volume or claim.phase not in ("Bound", "Lost"):
        fate = "it has no volume"
    elif claim.phase == "Lost":
        fate = "its volume is gone already"
    elif settings.keep_volume:
        error = facts.volume_error()
        if error:
            return result(
                REFUSE,
                f"{who}: the volume of {claim.name} cannot be kept, for {error}: have that rule granted, or say "
                "`keep_volume: false` if the data may go",
            )
        fate = f"its volume {claim.volume} is kept (Retain)"
        planned.append(requests.retain_volume(claim.volume, claim.uid))
    planned.append(
        requests.delete(
            requests.CLAIMS, settings.namespace, claim.name, requests.Precondition(claim.version, claim.uid)
        )
    )
    return change_home(
        DELETE,
        home,
        settings,
        claim.name,
        f"{home.owner} is retired since {claim.retired_at}, longer than {format_span(settings.retention)}; {proof}; {fate}",
        before=home_line(
            claim.name, home.user, home.server, claim.size, claim.storage_class, [f"retired since {claim.retired_at}"]
        ),
        operations=tuple(planned),
    )
