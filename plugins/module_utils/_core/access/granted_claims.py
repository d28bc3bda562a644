# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the claims of an ACL can be shares: not homes, not databases of hubs, and not at a lower level than their data.

Every run checks every granted claim, because a claim can become a home after it was granted. Whoever may edit claims
decides that, so it must not block the operator: a share that was granted before is left out of the ACL and reported. The same
holds for claims that the run itself could not create: withdrawals of access go ahead, and new shares wait for their claims.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from ..._hub.acl_format import LEVELS, reserved_claim
from ..kubernetes.claims import Claim
from ..metadata import LEVEL_ANNOTATION
from ..shares.planning.copies import CopyProblem
from ..shares.planning.observed import reserved_for, share_of
from ..text import quote_list
from .guards import Rejection
from .model import Acl
from .observed import LEFT_OUT_ANNOTATION, ConfigMap

_OTHER = "use another claim, or another name for the share"


@dataclass(frozen=True)
class ObservedClaims:
    """Claims as far as they were read.

    `claims` has None for a claim that does not exist. `errors` say why others cannot be read. `copies` say why the content
    of claims cannot be a share's, because of what it was copied from. `earlier` has the levels of claims in earlier publications.
    """

    claims: Mapping[str, Optional[Claim]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    copies: Mapping[str, CopyProblem] = field(default_factory=dict)
    earlier: Mapping[str, str] = field(default_factory=dict)

    def level(self, name: str) -> str:
        """Return the level of a claim's data: of its mark and of an earlier publication the stricter one; "" if unknown."""
        claim = self.claims.get(name)
        mark = "" if claim is None else claim.annotations.get(LEVEL_ANNOTATION, "")
        return max(
            (level for level in (mark, self.earlier.get(name, "")) if level in LEVELS), key=LEVELS.index, default=""
        )


class Obstacle(NamedTuple):
    """Why a share is not granted: `cause` is a phrase, `sentence` names the share, the claim and the way out.

    With `is_level`, its data has a stricter level. With `is_unknown`, its claim cannot be read.
    """

    cause: str
    sentence: str
    is_level: bool = False
    is_unknown: bool = False

    def rejection(self, share: str) -> Rejection:
        """Return the rejection of a plan that would grant the share."""
        return Rejection(self.sentence, "declassify", [share], (share,)) if self.is_level else Rejection(self.sentence)


@dataclass(frozen=True)
class Holdings:
    """What becomes of shares with obstacles, by name: rejected, left out of the ACL, or granted as before and reported."""

    rejected: Mapping[str, Obstacle]
    left_out: Mapping[str, Obstacle]
    reported: Mapping[str, Obstacle]

    def with_rejected_left_out(self) -> Holdings:
        """Return the same, but nothing is rejected: for a run that must go ahead."""
        return Holdings({}, {**self.left_out, **self.rejected}, self.reported)


def obstacles(shares: Mapping[str, Mapping[str, Any]], observed: ObservedClaims) -> dict[str, Obstacle]:
    """Return by name why shares must not be granted. `shares` are those of the new ACL."""
    found = {}
    for name, share in sorted(shares.items()):
        claim, level = share["claim"], observed.level(share["claim"])
        use = _other_use(name, claim, observed)
        if use:
            found[name] = Obstacle(
                f"claim {claim} is {use}", f"the share {name} would grant claim {claim}, which is {use}: {_OTHER}"
            )
        elif claim in observed.copies:  # marks on the claim prove nothing: others can write them
            reason = observed.copies[claim].reason
            found[name] = Obstacle(
                f"claim {claim} {reason}",
                f"the share {name} would grant claim {claim}, which {reason}: copy what is no home's into a new claim, or, for "
                "a share of a storage class, set `adopt: true` in its entry to confirm that it holds none",
                is_unknown=True,
            )
        elif claim in observed.errors:
            found[name] = Obstacle(
                f"claim {claim} cannot be read",
                f"whether claim {claim} of the share {name} is a home is unknown, because it cannot be read "
                f"({observed.errors[claim]}): grant `get` and `list` on persistentvolumeclaims",
                is_unknown=True,
            )
        elif level and LEVELS.index(share["level"]) < LEVELS.index(level):
            found[name] = Obstacle(
                f"the data of claim {claim} is {level}",
                f"{name} is {level} and would become {share['level']} (claim {claim} was granted as {level} before): "
                f"set `declassify: [{name}]` to accept this, or keep the level {level}",
                is_level=True,
            )
    return found


def hold(
    found: Mapping[str, Obstacle],
    new: Acl,
    granted: Mapping[str, str],
    levels: Optional[Acl],
    declassify: Collection[str],
) -> Holdings:
    """Return what becomes of the shares with obstacles.

    `granted` has the claims that are or were granted, with their levels. What was granted is left out, or, if it is only
    unknown or of a lower level already, reported. What is new is rejected. A level that `levels`, the shares of the
    published ACL, have stricter too is left to the guards.
    """
    rejected: dict[str, Obstacle] = {}
    left_out: dict[str, Obstacle] = {}
    reported: dict[str, Obstacle] = {}
    stricter = {share["claim"]: share["level"] for share in (levels.by_name if levels else {}).values()}
    for name, obstacle in found.items():
        share = new.by_name[name]
        level = granted.get(share["claim"])
        if obstacle.is_level:
            before = stricter.get(share["claim"])
            if name in declassify or (before and LEVELS.index(before) > LEVELS.index(share["level"])):
                continue
            is_lower = level in LEVELS and LEVELS.index(level) <= LEVELS.index(share["level"])
            (reported if is_lower else left_out if level == "" else rejected)[name] = obstacle
        elif level is None:
            rejected[name] = obstacle
        elif obstacle.is_unknown and level:
            reported[name] = obstacle
        else:
            left_out[name] = obstacle
    return Holdings(rejected, left_out, reported)


class Pending(NamedTuple):
    """New shares that wait for their claims, by name, and why the ACL must wait as well."""

    left_out: Mapping[str, Obstacle]
    rejections: tuple[Rejection, ...] = ()


class ClaimResults:
    """What `share_pvc` returned in this run, for the claims of one namespace."""

    def __init__(self, results: Sequence[Mapping[str, Any]], namespace: str) -> None:
        failures = [result for result in results if result.get("msg") and not result.get("skipped")]
        items = [item for result in failures for item in result.get("failed_items") or ()]
        #: Whether a plan was rejected, so that nothing of it was created.
        self.is_rejected = any(not result.get("failed_items") for result in failures)
        self._failed = {item.get("name", "") for item in items if item.get("namespace") == namespace}

    def pending(self, new: Acl, granted: Mapping[str, str], listed: Collection[str]) -> Pending:
        """Return what waits. `granted` are the claims that are granted, by share, and `listed` all shares of the inventory."""
        claims = granted.values()
        missing = {
            name: share["claim"]
            for name, share in new.by_name.items()
            if share["claim"] not in claims and (self.is_rejected or share["claim"] in self._failed)
        }
        return Pending(
            {name: _not_created(claim) for name, claim in missing.items() if name not in granted},
            tuple(_moved(name, claim) for name, claim in missing.items() if name in granted)
            + (_renamed(missing, sorted(granted.keys() - set(listed))) if self.is_rejected else ()),
        )


def left_out_before(observed: Optional[ConfigMap]) -> dict[str, str]:
    """Return the claims that the last run left out, by the annotation of what it published, as claims without a level."""
    text = "" if observed is None else observed.annotations.get(LEFT_OUT_ANNOTATION, "")
    try:
        claims = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return {}
    if not isinstance(claims, list):
        return {}
    return {claim: "" for claim in claims if isinstance(claim, str)}


def _other_use(share: str, name: str, observed: ObservedClaims) -> str:
    """Return what a claim is that cannot be this share ("the home of bob"), or ""."""
    claim = observed.claims.get(name)
    if claim is None:
        return reserved_claim(name)
    use = (reserved_for(claim) if claim.user else "") or reserved_claim(name) or reserved_for(claim)
    if use:
        return use
    if name in observed.copies and observed.copies[name].is_known:
        return observed.copies[name].reason.partition(" ")[2]
    if claim.is_block:
        return "a raw block device (volumeMode Block)"
    if claim.deleting:
        return "being deleted"
    owner = share_of(claim)
    return f"the claim of the share {owner}" if owner not in (None, share) else ""


def _not_created(claim: str) -> Obstacle:
    return Obstacle(
        f"claim {claim} was not created",
        f"its claim {claim} was not created or checked in this run, so it waits for the next one",
    )


def _moved(share: str, claim: str) -> Rejection:
    return Rejection(f"the share {share} would get claim {claim}, which was not created or checked in this run")


def _renamed(new: Collection[str], gone: Sequence[str]) -> tuple[Rejection, ...]:
    """Return why shares do not lose all access while a new one cannot replace them: it may be the same one renamed."""
    if not (new and gone):
        return ()
    return (
        Rejection(
            f"{quote_list(gone)} would be withdrawn from everyone, and {quote_list(sorted(new))} cannot be created: if that is a "
            "new name, restore the old one; otherwise set the state `retired`"
        ),
    )
