# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retirement and deletion of a share in a namespace, and everything that must be true first. The data is always kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, Optional

from ...._hub.acl_format import LEVELS
from ... import requests
from ...kubernetes.claims import Claim
from ...kubernetes.deletion import check_deletion
from ...kubernetes.facts import DELETE as DELETE_VERB
from ...kubernetes.facts import PATCH
from ...kubernetes.retention import Retention, retire_claim, retire_volume
from ...kubernetes.volumes import RETAIN, Volume
from ...metadata import (
    ABSENT,
    CLAIM_UID_ANNOTATION,
    FOUND_ANNOTATION,
    KIND_LABEL,
    LEVEL_ANNOTATION,
    RETIRED,
    RETIRED_ANNOTATION,
)
from ...plan import DELETE, KEEP, RETIRE, UPDATE, Change, Rejected, Unchanged
from ...text import did_you_mean, quote_list
from ...times import format_span, format_time, parse_time
from ..naming import describe_share, name_key, owner_labels, plain_name, share_labels
from .changes import change_share, describe_location, share_line
from .context import PlanContext
from .desired import Share, ShareTarget
from .observed import is_marked, owner_of, share_of
from .target import TargetPlanner
from .volumes import retain_volume


class _KeptVolume(NamedTuple):
    """What ensures that the data outlives its claim: requests, and what happens to the volume, in words."""

    operations: list[requests.ApiRequest]
    outcome: str


class DeletionPlanner(TargetPlanner):
    """Plans the retirement or the deletion of a target: its claims, and its static volume when no claim is left."""

    @property
    def retention(self) -> Retention:
        """The retention of retired shares."""
        return Retention(self.kind, self.context.settings.retention, self.context.settings.now)

    def plan(self) -> list[Change]:
        """Return a change for each claim of the share, or one for the target."""
        claims = list(self.observed.claims_of(self.target.namespace, self.share.name))
        for claim in claims:
            # Whatever marks a claim carries: whoever may edit claims can write ours on the home of somebody.
            if owner_of(claim) is not None and not claim.deleting:
                return [self.decide(partial(self._reject_home, claim), claim.name)]
        named = self.claim()
        if named is not None and named not in claims and self._lost_labels(named):
            claims.append(named)
        if named is not None and named not in claims and claims and share_of(named) is None:
            named = None  # The share's claim has another name, and this one is not ours.
        if named is not None and named not in claims and not named.deleting:
            return [self.decide(partial(self._reject_other_claim, named))]
        present = [claim for claim in claims if not claim.deleting]
        if present:
            plan = self._retire if self.share.state == RETIRED else self._delete
            changes = [self.decide(partial(plan, claim), claim.name) for claim in present]
            for claim, change in zip(present, changes):
                if change.action in (KEEP, RETIRE):
                    self.warn_of_lost_volume(claim)
                    self.warn_of_failed_expansion(claim)
        else:
            terminating = [claim for claim in (*claims, *((named,) if named is not None else ())) if claim.deleting]
            changes = [self.decide(partial(self._plan_without_claim, terminating[0].name if terminating else ""))]
        left = self._volumes_left_behind(present)
        return [*changes, *(self.decide(partial(self._plan_left_behind, volume), volume.name) for volume in left)]

    def _volumes_left_behind(self, claims: Sequence[Claim]) -> list[Volume]:
        """Return the share's volumes in this namespace that no claim has, besides the static one that was created for it.

        These are volumes that were created by hand and adopted, or by a class, and whose claim somebody deleted.
        """
        names = {claim.volume for claim in claims} | {self.target.volume}
        is_first = self.target.namespace == self.share.namespaces[0]
        return [
            volume
            for volume in sorted(self.observed.labelled_volumes(), key=lambda volume: volume.name)
            if volume.share == self.share.name
            and volume.name not in names
            and not volume.deleting
            and (volume.claim_namespace == self.target.namespace or (is_first and not volume.claim_namespace))
        ]

    def _plan_left_behind(self, volume: Volume) -> Change:
        """Retire a volume without a claim, so that its place is free for other shares. It is never deleted."""
        if volume.retired_at is not None:
            raise Unchanged(f"volume {volume.name} has been retired since {volume.retired_at} and is kept")
        try:
            self._reject_volume_with_claim(volume)
        except Rejected as rejected:
            raise Unchanged(rejected.reason, warns=True) from None
        if self.share.state == RETIRED:
            return self._retire_volume(volume)
        raise Unchanged(
            f"volume {volume.name} has no claim and was never retired, so its place stays the share's: run with state retired "
            "to free it",
            warns=True,
        )

    def _lost_labels(self, claim: Claim) -> bool:
        """Return whether a claim without the labels of a share is this one's by other marks."""
        if share_of(claim) is not None or owner_of(claim) is not None:
            return False
        return is_marked(claim, self.share.name) or self.has_our_volume(claim)

    def _reject_home(self, claim: Claim) -> Change:
        raise Rejected(
            f"claim {claim.name} is {owner_of(claim)} and not a {self.kind}, although it has the labels of one, so it cannot "
            f"be {self.share.state}: remove the labels {KIND_LABEL} and {name_key(self.share.name)} from it"
        )

    def _reject_other_claim(self, claim: Claim) -> Change:
        owner = share_of(claim)
        if owner is None and self.share.is_existing_claim and self.share.state == ABSENT:
            raise Unchanged(f"claim {claim.name} is not a share")  # released by an earlier run, or never adopted
        what = f"belongs to {describe_share(owner)}" if owner else f"has no labels of a {self.kind}"
        raise Rejected(
            f"claim {claim.name} {what}, so it cannot be {self.share.state}: correct the name, or adopt the claim first with "
            "state present"
        )

    def _plan_without_claim(self, terminating: str) -> Change:
        """Plan a target without a claim, or whose claim `terminating` is being deleted."""
        target, share = self.target, self.share
        volume = self.observed.volume(target.volume)
        is_gone = volume is None or volume.share != share.name or volume.deleting
        if volume is None or is_gone or (terminating and share.state == RETIRED):
            reason = f"{terminating} is already being deleted" if terminating else f"is not in {target.namespace}"
            raise Unchanged(reason, terminating)
        if terminating:
            # Kubernetes keeps a volume that is deleted now for as long as it has its claim.
            return self._delete_volume(volume, terminating)
        self._reject_volume_with_claim(volume)
        if share.state == RETIRED:
            return self._retire_volume(volume)
        return self._delete_volume(volume)

    def _reject_volume_with_claim(self, volume: Volume) -> None:
        """Raise Rejected for a volume whose claim still exists, under a name that the entry does not set or without labels."""
        claim = self.observed.claim(volume.claim_namespace, volume.claim_name) if volume.claim_name else None
        if claim is not None and volume.claim_uid in ("", claim.uid):
            raise Rejected(
                f"its volume {volume.name} belongs to claim {claim.name} in {volume.claim_namespace}, which exists without the "
                f"labels of a {self.kind}: restore the entry that the {self.kind} had while it was present, and run with state "
                "present first"
            )

    # -- retirement --

    def _retire(self, claim: Claim) -> Change:
        """Annotate a claim and its volume, if that has our marks. An earlier retirement keeps its time."""
        retired_at = claim.retired_at if claim.retired_at is not None else format_time(self.context.settings.now)
        operations = []
        if claim.retired_at is None:
            operations.append(retire_claim(self.target.namespace, claim, retired_at))
        volume = self._own_volume(claim) or self._marked_volume(claim)
        if volume is not None and volume.retired_at is None and parse_time(retired_at) is not None:
            error = self.facts.volume_error(PATCH) if volume.name != self.target.volume else None
            if error:
                self.context.add_note(f"Volumes of retired shares are not marked, so their places stay taken: {error}")
            else:
                operations.append(retire_volume(volume, retired_at))
        if not operations:
            raise Unchanged(f"retired since {claim.retired_at}")
        return change_share(
            RETIRE,
            self.target,
            f"the {self.kind} is retired; the data is kept",
            claim.name,
            before=self._line(claim, volume),
            after=self._line(claim, volume, [f"retired since {retired_at}"]),
            operations=tuple(operations),
        )

    def _retire_volume(self, volume: Volume) -> Change:
        if volume.retired_at is not None:
            raise Unchanged(f"its volume {volume.name} has been retired since {volume.retired_at}")
        line = f"volume {volume.name} of {describe_share(self.share.name)}"
        error = self.facts.volume_error(PATCH)
        if error:
            raise Rejected(f"its volume {volume.name} cannot be retired: {error}")
        return change_share(
            RETIRE,
            self.target,
            f"its claim is already gone, and its volume {volume.name} is retired; the data is kept",
            "" if volume.name == self.target.volume else volume.name,
            before=line,
            after=f"{line}: retired",
            operations=(retire_volume(volume, format_time(self.context.settings.now)),),
        )

    # -- deletion --

    def _delete(self, claim: Claim) -> Change:
        """Plan the deletion of a claim. A mistake in the input is rejected, what a later run may do is kept."""
        target, kind = self.target, self.kind
        check_deletion(target.namespace, claim, self.retention, self.facts)
        since = f"retired since {claim.retired_at}, longer than {format_span(self.retention.period)}"
        before = self._line(claim, self.observed.bound_volume(claim), ["retired"])
        if (
            self.share.is_existing_claim
            or claim.name != plain_name(self.share.name)
            or FOUND_ANNOTATION in claim.annotations
        ):
            return change_share(
                UPDATE,
                target,
                f"{since}; the claim was not created for the {kind}, so it stays and only loses the {kind}'s labels",
                claim.name,
                before=before,
                after=f"claim {claim.name} in {target.namespace}: not a {kind}",
                operations=self._release(claim),
            )
        kept = self._keep_data(claim)
        operations = list(kept.operations)
        own = self._own_volume(claim)
        if own is not None and own.retired_at != claim.retired_at and claim.retired_at is not None:
            # If the run is interrupted after the claim is deleted, the next one finds the time here.
            operations.append(retire_volume(own, claim.retired_at))
        precondition = requests.Precondition(claim.version, claim.uid)
        operations.append(requests.delete(requests.CLAIMS, target.namespace, claim.name, precondition))
        if own is not None:
            error = self.facts.volume_error(DELETE_VERB)
            if error:
                raise Rejected(f"its volume {own.name} cannot be deleted after its claim: {error}")
            # With the version that was read, because the share may be used again as soon as its claim is gone. When the
            # requests above or the deletion of the claim change the volume, the conflict makes it planned again.
            operations.append(
                requests.delete(requests.VOLUMES, "", own.name, requests.Precondition(own.version, own.uid))
            )
        return change_share(
            DELETE, target, f"{since}; {kept.outcome}", claim.name, before=before, operations=tuple(operations)
        )

    def _release(self, claim: Claim) -> tuple[requests.ApiRequest, ...]:
        """Remove our metadata from a claim, and first from its volume, which would stay reserved for this share otherwise.

        A level above the lowest one stays: the data is still there, and another share may take it.
        """
        annotations = [name_key(self.share.name), RETIRED_ANNOTATION, FOUND_ANNOTATION, CLAIM_UID_ANNOTATION]
        if claim.annotations.get(LEVEL_ANNOTATION) in (None, LEVELS[0]):
            annotations.append(LEVEL_ANNOTATION)
        labels = dict.fromkeys((*share_labels(self.share.name), *owner_labels(self.share.name)))
        metadata = {"labels": labels, "annotations": dict.fromkeys(annotations)}
        body = {"metadata": metadata}
        patch_claim = requests.patch(
            requests.CLAIMS, self.target.namespace, claim.name, body, requests.Precondition(claim.version)
        )
        volume = self.observed.bound_volume(claim)
        if volume is None or volume.share != self.share.name or not volume.is_for(self.target.namespace, claim.name):
            return (patch_claim,)
        error = self.facts.volume_error(PATCH)
        if error:
            raise Rejected(
                f"the labels of its volume {volume.name} cannot be removed: {error}; have that rule granted, or remove them "
                "manually first"
            )
        precondition = requests.Precondition(uid=volume.uid)
        return (requests.patch(requests.VOLUMES, "", volume.name, body, precondition), patch_claim)

    def _keep_data(self, claim: Claim) -> _KeptVolume:
        """Return what ensures that the data outlives the claim. Raises Rejected when nothing can."""
        if not claim.volume:
            own = self._own_volume(claim)
            return _KeptVolume(
                [], f"its volume {own.name} is deleted too, the data is kept" if own is not None else "it has no volume"
            )
        volume = self.observed.volume(claim.volume)
        self.require_volumes()
        if volume is None:
            return _KeptVolume([], "its volume is already gone")
        if not volume.is_for(self.target.namespace, claim.name) or volume.claim_uid not in ("", claim.uid):
            return _KeptVolume([], f"it has no volume, because {volume.name} belongs to another claim")
        if volume.share not in (None, self.share.name):
            raise Rejected(
                f"volume {volume.name} of claim {claim.name} belongs to {describe_share(volume.share)}: check which of the two "
                "it is"
            )
        is_static = volume.name == self.target.volume and volume.share == self.share.name
        operations = [retain_volume(volume)] if volume.policy != RETAIN else []
        if not is_static and (volume.share != self.share.name or volume.retired_at != claim.retired_at):
            # Labelled, so that only this share can use it again. Retired, so that its location is free for others.
            metadata: dict[str, Any] = {
                "labels": share_labels(self.share.name),
                "annotations": {
                    name_key(self.share.name): plain_name(self.share.name),
                    RETIRED_ANNOTATION: claim.retired_at,
                },
            }
            if claim.annotations.get(LEVEL_ANNOTATION):
                metadata["annotations"][LEVEL_ANNOTATION] = claim.annotations[LEVEL_ANNOTATION]
            precondition = requests.Precondition(uid=volume.uid)
            operations.append(requests.patch(requests.VOLUMES, "", volume.name, {"metadata": metadata}, precondition))
        error = self.facts.volume_error(PATCH) if operations else None
        if error:
            raise Rejected(
                f"volume {volume.name} of claim {claim.name} cannot be kept: {error}; have that rule granted, or set it to "
                "Retain manually first"
            )
        if is_static:
            return _KeptVolume(
                operations, f"its volume {volume.name} is deleted too (policy Retain), so the data is kept"
            )
        return _KeptVolume(operations, f"its volume {volume.name} is kept (Retain)")

    def _delete_volume(self, volume: Volume, terminating: str = "") -> Change:
        """Delete a static volume whose claim is gone or `terminating`: a run was interrupted, or somebody deleted the claim."""
        state = f"its claim {terminating} is already being deleted" if terminating else "its claim is already gone"
        try:
            self.retention.check(volume.retired_at, f"volume {volume.name}")
        except (Rejected, Unchanged) as early:
            if terminating:
                raise Unchanged(state, terminating) from None
            if isinstance(early, Unchanged) and not early.warns:
                raise Unchanged(f"its volume {volume.name} is {early.reason}") from None
            raise
        for verb in (DELETE_VERB,) if volume.policy == RETAIN else (PATCH, DELETE_VERB):
            error = self.facts.volume_error(verb)
            if error:
                raise Rejected(f"its volume {volume.name} cannot be deleted: {error}")
        operations = [retain_volume(volume)] if volume.policy != RETAIN else []
        # With the version that was read, because somebody may use the volume meanwhile. Setting it to Retain first changes
        # the version, and the conflict makes it planned again.
        precondition = requests.Precondition(volume.version, volume.uid)
        return change_share(
            DELETE,
            self.target,
            f"{state}, and its volume {volume.name} is deleted too (policy Retain), so the data is kept",
            terminating,
            before=f"volume {volume.name} of {describe_share(self.share.name)}",
            operations=(*operations, requests.delete(requests.VOLUMES, "", volume.name, precondition)),
        )

    def _marked_volume(self, claim: Claim) -> Optional[Volume]:
        """Return the volume of a claim that carries the share's marks, which count more than those of the claim."""
        volume = self.observed.known_volume(claim.volume)
        if volume is None or volume.share != self.share.name or volume.deleting:
            return None
        return volume if volume.is_for(self.target.namespace, claim.name) else None

    def _own_volume(self, claim: Claim) -> Optional[Volume]:
        """Return the static volume that was created for a claim, None when its volume is not ours."""
        if claim.volume not in ("", self.target.volume):
            return None
        volume = self.observed.volume(self.target.volume)
        return volume if volume is not None and volume.share == self.share.name and not volume.deleting else None

    def _line(self, claim: Claim, volume: Optional[Volume], notes: Sequence[str] = ()) -> str:
        source = volume.source if volume is not None else None
        location = describe_location(claim.storage_class, claim.volume, source)
        return share_line(self.target, claim.name, claim.size, location, notes)


def note_missed_namespaces(context: PlanContext, share: Share, changes: Sequence[Change]) -> None:
    """Note that a retired or absent share is in other namespaces too, or in none because its name may be misspelt."""
    others = sorted(
        {
            volume.claim_namespace
            for volume in context.observed.labelled_volumes()
            if volume.share == share.name
            and volume.claim_namespace
            and volume.retired_at is None
            and not volume.deleting
        }
        - set(share.namespaces)
    )
    if others:
        context.add_note(
            f"{share.title}: the {share.kind} is also in {quote_list(others)}, outside this run: add these to `namespaces`, or "
            f"it is not {share.state} there"
        )
        return
    own = [change for change in changes if isinstance(change.subject, ShareTarget) and change.subject.share is share]
    known = context.observed.known_shares()
    if share.state == RETIRED and share.name not in known and all(change.action == KEEP for change in own):
        context.add_note(
            f"{share.title}: {quote_list(share.namespaces)} has nothing of this {share.kind}"
            f"{did_you_mean(share.name, sorted(known))}: correct the name, or remove it from the list"
        )
