# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mark the volumes of claims that a run created: with their level, and so that later runs know which claim may be copied.

Only the run that creates a claim knows its UID from the answer of the API server. Whoever may edit claims could delete the
claim and make it anew, so the mark is on the volume, as soon as the claim is bound.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..._core import requests
from ..._core.kubernetes.claims import BOUND, claim_from
from ..._core.kubernetes.volumes import Volume, volume_from
from ..._core.metadata import CLAIM_UID_ANNOTATION, LEVEL_ANNOTATION
from ..._core.outcome import CONFLICT_TRIES
from ..._core.shares.planning.desired import ShareTarget
from ..._core.shares.planning.volumes import metadata_update
from ..._hub.acl_format import LEVELS
from ..errors import ExternalError
from .api import Api
from .errors import ApiError

#: How long to wait for the binding of a claim, in seconds, unless the run waits longer.
BINDING_TIMEOUT = 10.0
_SLEEP = 0.25


class Origin(NamedTuple):
    """A claim that this run created, and whose volume it marks.

    `waits`: it may be bound soon. `is_copied`: other namespaces get copies of its volume. Without that, the next run can mark it
    too. Without a `uid` nothing says which claim the run created.
    """

    target: ShareTarget
    name: str
    uid: str
    waits: bool
    is_copied: bool


def mark_origins(api: Api, created: Sequence[Origin], seconds: float = BINDING_TIMEOUT) -> list[str]:
    """Mark the volumes of created claims once they are bound, within some seconds. Return a warning for each failure."""
    deadline = time.monotonic() + seconds
    pending = [claim for claim in created if claim.uid]
    warnings = [
        _warning(claim, "the answer of the API server that says which claim this run created was lost")
        for claim in created
        if not claim.uid and claim.is_copied
    ]
    while pending:
        left = []
        for claim in pending:
            try:
                if not _mark(api, claim):
                    left.append(claim)
            except ExternalError as error:
                if claim.is_copied:
                    warnings.append(_warning(claim, str(error).rstrip(".")))
        pending = left
        if not any(claim.waits for claim in pending) or time.monotonic() >= deadline:
            break
        time.sleep(_SLEEP)
    return warnings + [_warning(claim, "the claim is not bound yet") for claim in pending if claim.is_copied]


def _mark(api: Api, created: Origin) -> bool:
    """Mark the volume of a claim; return False when the claim is not bound yet."""
    item = api.get(requests.CLAIMS, created.target.namespace, created.name)
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
        metadata = _metadata(created, volume)
        if not metadata:
            return True
        precondition = requests.Precondition(volume.version, volume.uid)
        try:
            api.write(requests.patch(requests.VOLUMES, "", volume.name, {"metadata": metadata}, precondition))
        except ApiError as error:
            if not error.is_conflict or tries == CONFLICT_TRIES:
                raise
        else:
            return True
    return True


def _metadata(created: Origin, volume: Volume) -> dict[str, Any]:
    """Return the metadata that a volume lacks. The marks of other data that it may hold already stay for the next run."""
    metadata: dict[str, Any] = {}
    is_lowest = created.target.share.spec.level == LEVELS[0]
    if not is_lowest and volume.share is None and LEVEL_ANNOTATION not in volume.annotations:
        metadata, _reasons = metadata_update(created.target, volume)
    if created.is_copied and volume.annotations.get(CLAIM_UID_ANNOTATION) != created.uid:
        metadata.setdefault("annotations", {})[CLAIM_UID_ANNOTATION] = created.uid
    return metadata


def _warning(origin: Origin, why: str) -> str:
    target = origin.target
    return (
        f"{target.share.title}: the volume of its new claim {origin.name} in {target.namespace} could not be marked as the one "
        f"to copy to other namespaces, because {why}. Before they get their copies, `adopt: true` in the share's entry must "
        "confirm it once"
    )
