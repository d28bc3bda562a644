# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retention: an object is deleted only after it carried a readable retirement annotation for the whole period."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, Optional

from .. import requests
from ..metadata import RETIRED_ANNOTATION
from ..plan import Rejected, Unchanged
from ..requests import ApiRequest, Precondition
from ..times import format_span, format_time, parse_time
from .claims import Claim
from .volumes import Volume


class Retention(NamedTuple):
    """How long objects of a kind ("home", "share") are kept after their retirement. `now` is in UTC."""

    kind: str
    period: timedelta
    now: datetime

    def check(self, retired_at: Optional[str], subject: str) -> datetime:
        """Return since when an object is retired, if the retention period is over.

        `retired_at` is its annotation, `subject` names it ("claim x"). Raises Rejected when it was never retired, Unchanged
        when the period is not over. An annotation that is no time was written by others, so it stops nothing else.
        """
        if retired_at is None:
            raise Rejected(
                f"{subject} was never retired, and only a retired {self.kind} can be deleted: run with state retired "
                f"first, and with state absent after {format_span(self.period)}"
            )
        since = parse_time(retired_at)
        unreadable = f"the retirement annotation of {subject}, {retired_at!r},"
        if since is None:
            raise Unchanged(
                f"{unreadable} is not an RFC 3339 time: run with state present to remove it, then with state retired",
                warns=True,
            )
        try:
            due = since + self.period
        except OverflowError:
            raise Unchanged(
                f"{unreadable} is too far in the future: run with state present to remove it, then with state retired",
                warns=True,
            ) from None
        if self.now < due:
            raise Unchanged(f"has been retired since {retired_at}, kept until {format_time(due)}")
        return since


def retire_claim(
    namespace: str, claim: Claim, retired_at: str, labels: Optional[Mapping[str, str]] = None
) -> ApiRequest:
    """Set the retirement annotation of a claim, and labels that it lacks."""
    metadata: dict[str, Mapping[str, str]] = {"annotations": {RETIRED_ANNOTATION: retired_at}}
    if labels:
        metadata["labels"] = labels
    return requests.patch(
        requests.CLAIMS, namespace, claim.name, {"metadata": metadata}, Precondition(resource_version=claim.version)
    )


def retire_volume(volume: Volume, retired_at: str) -> ApiRequest:
    """Set the retirement annotation of a volume."""
    body = {"metadata": {"annotations": {RETIRED_ANNOTATION: retired_at}}}
    return requests.patch(requests.VOLUMES, "", volume.name, body, Precondition(uid=volume.uid))
