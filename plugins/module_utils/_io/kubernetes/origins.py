# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mark the volumes of claims that a run created, so that later runs know which claim may be copied to other namespaces.

Only the run that creates a claim knows its UID from the answer of the API server. Whoever may edit claims could delete the
claim and make it anew, so the mark is on the volume, as soon as the claim is bound.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from ..._core import requests
from ..._core.kubernetes.claims import BOUND, claim_from
from ..._core.kubernetes.volumes import volume_from
from ..._core.metadata import CLAIM_UID_ANNOTATION
from ..._core.outcome import CONFLICT_TRIES
from ..errors import ExternalError
from .api import Api
from .errors import ApiError

#: How long to wait for the binding of a claim, in seconds, unless the run waits longer.
BINDING_TIMEOUT = 10.0
_SLEEP = 0.25


class Origin(NamedTuple):
    """A claim that this run created, and whose volume other namespaces get copies of.

    `share` is its share for messages, `waits`: it may be bound soon. Without a `uid` nothing says which claim the run created.
    """

    share: str
    namespace: str
    name: str
    uid: str
    waits: bool = True


def mark_origins(api: Api, created: Sequence[Origin], seconds: float = BINDING_TIMEOUT) -> list[str]:
    """Mark the volumes of created claims once they are bound, within some seconds. Return a warning for each failure."""
    deadline = time.monotonic() + seconds
    pending = [claim for claim in created if claim.uid]
    warnings = [
        _warning(claim, "the answer of the API server that says which claim this run created was lost")
        for claim in created
        if not claim.uid
    ]
    while pending:
        left = []
        for claim in pending:
            try:
                if not _mark(api, claim):
                    left.append(claim)
            except ExternalError as error:
                warnings.append(_warning(claim, str(error).rstrip(".")))
        pending = left
        if not any(claim.waits for claim in pending) or time.monotonic() >= deadline:
            break
        time.sleep(_SLEEP)
    return warnings + [_warning(claim, "the claim is not bound yet") for claim in pending]


def _mark(api: Api, created: Origin) -> bool:
    """Mark the volume of a claim; return False when the claim is not bound yet."""
    item = api.get(requests.CLAIMS, created.namespace, created.name)
    claim = claim_from(item) if item is not None else None
    if claim is None or claim.uid != created.uid:
        raise ExternalError("somebody replaced the claim since this run created it")
    if claim.phase != BOUND or not claim.volume:
        return False
    for tries in range(1, CONFLICT_TRIES + 1):
        found = api.get(requests.VOLUMES, None, claim.volume)
        volume = volume_from(found) if found is not None else None
        if volume is None or volume.claim_uid != created.uid:
            raise ExternalError(f"volume {claim.volume} does not belong to the claim")
        if volume.annotations.get(CLAIM_UID_ANNOTATION) == created.uid:
            return True
        body = {"metadata": {"annotations": {CLAIM_UID_ANNOTATION: created.uid}}}
        precondition = requests.Precondition(volume.version, volume.uid)
        try:
            api.write(requests.patch(requests.VOLUMES, "", volume.name, body, precondition))
        except ApiError as error:
            if not error.is_conflict or tries == CONFLICT_TRIES:
                raise
        else:
            return True
    return True


def _warning(claim: Origin, why: str) -> str:
    return (
        f"{claim.share}: the volume of its new claim {claim.name} in {claim.namespace} could not be marked as the one to copy to "
        f"other namespaces, because {why}. Before they get their copies, `adopt: true` in the share's entry must confirm it once"
    )
