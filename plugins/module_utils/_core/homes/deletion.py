# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retirement and deletion of homes: what must be true before a home is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .. import requests
from ..hub_activity import UNUSED, USED
from ..kubernetes.claims import BOUND, LOST, Claim
from ..kubernetes.deletion import check_deletion, check_retain
from ..kubernetes.facts import PATCH
from ..kubernetes.retention import Retention, retire_claim
from ..metadata import ABSENT, KIND_HOME, KIND_LABEL, SERVERNAME_ANNOTATION, USERNAME_ANNOTATION
from ..plan import DELETE, RETIRE, Change, Rejected, Unchanged
from ..requests import ApiRequest, Precondition
from ..text import quote_list
from ..times import format_span, format_time
from .changes import HomesContext, change_home, home_line, keep_home, keep_unchanged, reject_home
from .desired import Home
from .update import missing_labels


def plan_retirement_or_deletion(
    context: HomesContext, home: Home, claims: Sequence[Claim], owned: Sequence[Claim]
) -> list[Change]:
    """Retire or delete `claims`: all claims of the owner, or the one that the entry names. `owned` are all of them."""
    if not claims:
        deleting = [claim.name for claim in owned]
        reason = f"{quote_list(deleting)} is already being deleted" if deleting else "has no home here"
        return [keep_home(home, deleting[0] if deleting else "", reason)]
    if home.state == ABSENT:
        return [_plan_deletion(context, home, claim) for claim in claims]
    return [_plan_retirement(context, home, claim) for claim in claims]


def _plan_retirement(context: HomesContext, home: Home, claim: Claim) -> Change:
    """Set the retirement annotation. A home that is retired keeps the time of its annotation."""
    context.warn_of_volume(home, claim)
    if claim.retired_at is not None:
        return keep_home(home, claim.name, f"has been retired since {claim.retired_at}")
    retired_at = format_time(context.settings.now)
    return change_home(
        RETIRE,
        home,
        claim.name,
        f"{home.owner} is retired; the data stays",
        before=home_line(home, claim),
        after=home_line(home, claim, [f"retired since {retired_at}"]),
        operations=(retire_claim(home.namespace, claim, retired_at, missing_labels(home, claim)),),
    )


def _plan_deletion(context: HomesContext, home: Home, claim: Claim) -> Change:
    """Plan a deletion, or return why the home is not deleted.

    A home that was never retired, or whose annotation cannot be read, is rejected: the input is wrong. One that is
    retained, mounted or was used since is kept: the next run checks again.
    """
    settings = context.settings
    try:
        retention = Retention(KIND_HOME, settings.retention, settings.now)
        since = check_deletion(home.namespace, claim, retention, context.facts)
        unused = _check_unused(context, home, claim, since)
        operations, volume = _release_volume(context, claim)
    except Rejected as rejected:
        return reject_home(home, claim.name, rejected)
    except Unchanged as unchanged:
        context.warn_of_volume(home, claim)
        return keep_unchanged(context, home, claim.name, unchanged)
    delete = requests.delete(requests.CLAIMS, home.namespace, claim.name, Precondition(claim.version, claim.uid))
    return change_home(
        DELETE,
        home,
        claim.name,
        f"{home.owner} has been retired since {claim.retired_at}, longer than {format_span(settings.retention)}; {unused}; "
        f"{volume}",
        before=home_line(home, claim, [f"retired since {claim.retired_at}"]),
        operations=(*operations, delete),
    )


def _check_unused(context: HomesContext, home: Home, claim: Claim, since: datetime) -> str:
    """Return the evidence that nobody used a home since its retirement. Raises Rejected when there is none."""
    settings = context.settings
    use = context.facts.use_since(home.user, claim.server if settings.template.has_server else None, since)
    if use is None or use.state not in (USED, UNUSED):
        if use is not None and not settings.assume_unused:
            raise Rejected(
                f"whether claim {claim.name} was used since {claim.retired_at} is unknown: {use.reason}; set `hub` so that "
                "the hub can be asked, or set `assume_unused: true`"
            )
        return "nobody used it since by assumption (assume_unused)"
    if use.state == USED:
        raise Unchanged(f"{use.reason}; run with state present to end its retirement", warns=True)
    return use.reason


def _release_volume(context: HomesContext, claim: Claim) -> tuple[list[ApiRequest], str]:
    """Return the requests that keep the volume of a claim which is deleted, and what happens to the volume."""
    if not claim.volume or claim.phase not in (BOUND, LOST):
        return [], "it has no volume"
    if claim.phase == LOST:
        return [], "its volume is already gone"
    if not context.settings.keep_volume:
        # Its policy may be Retain.
        operations = [] if context.facts.volume_error(PATCH) else [_mark_volume(claim)]
        return operations, "its volume follows its reclaim policy"
    check_retain(
        f"claim {claim.name}",
        context.facts,
        "have that rule granted, or set `keep_volume: false` if the data may be deleted",
    )
    operations = [requests.retain_volume(claim.volume, claim.uid), _mark_volume(claim)]
    return operations, f"its volume {claim.volume} is kept (Retain)"


def _mark_volume(claim: Claim) -> ApiRequest:
    """Mark the volume that outlives its claim as a home's, so that no share takes its data."""
    keys = (USERNAME_ANNOTATION, SERVERNAME_ANNOTATION)
    annotations = {key: claim.annotations[key] for key in keys if claim.annotations.get(key)}
    metadata = {"labels": {KIND_LABEL: KIND_HOME}, "annotations": annotations}
    return requests.patch(requests.VOLUMES, "", claim.volume, {"metadata": metadata})
