# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publishes an ACL: reads it, has it planned, and writes the plan in the order that keeps readers safe.

`_core/access/publish.py` plans and explains the order, `_core/access/concurrent_runs.py` decides about conflicts with
other runs. When another run was faster, everything is read and planned again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional, Union

from ..._core.access.compile import AclDocument
from ..._core.access.concurrent_runs import (
    CONFLICT,
    NOT_OURS,
    WRITTEN,
    FailedIndexWrite,
    other_run_warning,
    plan_deletion_again,
    plan_part_again,
    reject_foreign,
    state_of,
)
from ..._core.access.guards import Consent, Rejection
from ..._core.access.observed import DIGEST_ANNOTATION, INDEX, ObservedAcl
from ..._core.access.publish import Publication, PublishSettings, has_text, is_published, quota_warnings
from ..._core.kubernetes.quota import quota_from
from ..._core.outcome import CONFLICT_TRIES, NOT_TRIED, Outcome, untried_warnings
from ..._core.plan import KEEP, REFUSE, UPDATE, Change, Failure, Plan, Unreconcilable
from ..._core.requests import CREATE, QUOTAS
from ..._hub.acl_format import INDEX_NAME
from ..errors import ExternalError
from ..module import PlanRejected
from ..version import VERSION
from .acl_reader import AclReader
from .api import Api
from .apply import Marks, Replan, api_message, apply_plan, without_effect
from .errors import ApiError
from .facts import check_namespace

WRITER = f"odh.persistency {VERSION}"


def consent_of(params: Mapping[str, Any]) -> Consent:
    """Return the consent that the options of `share_acl` express."""
    return Consent(
        params["allow_empty"], params["max_withdrawals"], params["declassify"], params["allow_source_change"]
    )


class Conflict(Exception):
    """Another run was faster: read and plan everything again."""


@dataclass(frozen=True)
class Planned:
    """A publication, the reasons not to apply it, and notes for the operator."""

    publication: Publication
    rejections: tuple[Rejection, ...] = ()
    notes: tuple[str, ...] = ()
    desired: Optional[AclDocument] = None
    unreconcilable: tuple[Unreconcilable, ...] = ()


#: Plans a publication against the observed ACL; called again whenever another run has changed it.
Planner = Callable[[ObservedAcl, PublishSettings], Planned]


class AclPublisher:
    """Publishes the ACL of one namespace that a planner asks for, or deletes it.

    `desired` is the ACL of the last plan, None if it is deleted.

    `digest` and `published_at` are those of the published ACL as of the last read ("" if there is none); after a run in
    check mode, of the one that would be published.

    `allows_missing` is whether an earlier task may create the namespace.
    """

    def __init__(self, api: Api, namespace: str, check_mode: bool, allows_missing: bool) -> None:
        self.api = api
        self.namespace = namespace
        self.desired: Optional[AclDocument] = None
        self.check_mode = check_mode
        self.allows_missing = allows_missing
        self.timings = {"read": 0.0, "plan": 0.0, "write": 0.0}
        self.digest = ""
        self.published_at = ""
        self._reader = AclReader(api, namespace)
        self._parts: dict[str, Change] = {}  # the change of each part, over all rounds
        self._written: Optional[Publication] = None  # the publication whose index this run has written
        self._wrote = False
        self._warnings: list[str] = []
        self._untried: list[str] = []

    def run(self, planner: Planner) -> Outcome:
        """Apply what `planner` plans; in check mode, have the API server validate it.

        When another run publishes in the meantime, read and plan again. Raises PlanRejected, only before the first write.
        """
        for number in range(CONFLICT_TRIES):
            observed, settings = self._read()
            if number:
                self._warn(other_run_warning(self.digest, observed.digest, self._desired_digest))
            self._note_published(observed)
            started = time.monotonic()
            planned = planner(observed, settings)
            self.desired = planned.desired
            self.timings["plan"] += time.monotonic() - started
            if planned.rejections and not number:
                raise rejected(self.namespace, planned.rejections)
            if planned.rejections:
                reasons = "; ".join(rejection.sentence for rejection in planned.rejections)
                return self._failed(planned, f"another run changed the ACL in the meantime: {reasons}", retryable=False)
            if not number:
                missing = self._missing_namespace(planned.publication, observed)
                if missing:
                    self._warn(missing)
                    outcome = self._outcome(planned, is_index_done=True)
                    outcome.missing.append(self.namespace)
                    return outcome
                self._warnings += self._quota_warnings(planned.publication)
            started = time.monotonic()
            try:
                return self._attempt(planned, observed, settings)
            except Conflict:
                pass
            finally:
                self.timings["write"] += time.monotonic() - started
        self._note_published(self._read()[0])
        return self._failed(
            planned, f"other runs changed the ACL {CONFLICT_TRIES} times in the meantime: run one at a time"
        )

    # -- reading ------------------------------------------------------------------------------------------------------

    def _read(self, parts: Collection[str] = ()) -> tuple[ObservedAcl, PublishSettings]:
        started = time.monotonic()
        observed = self._reader.observe(parts)
        self.timings["read"] += time.monotonic() - started
        return observed, PublishSettings(self.namespace, WRITER, self.api.now())

    @property
    def _desired_digest(self) -> str:
        return "" if self.desired is None else self.desired.digest

    def _note_published(self, observed: ObservedAcl) -> None:
        self.digest, self.published_at = observed.digest, observed.published_at

    def _warn(self, warning: str) -> None:
        self._warnings += [warning] if warning else []

    def _missing_namespace(self, publication: Publication, observed: ObservedAcl) -> str:
        """Return a warning if an earlier task may create the missing namespace, or "". Raises PlanRejected otherwise.

        Reads the namespace only before a write, and if nothing was found: a missing namespace lists as an empty one.
        """
        if not publication.plan.changed and (observed.index is not None or observed.parts):
            return ""
        return check_namespace(self.api, self.namespace, self.allows_missing)

    def _quota_warnings(self, publication: Publication) -> list[str]:
        """In check mode, compare the sum of new objects with the quotas: dry runs pass them one by one."""
        if not self.check_mode or not publication.plan.changed:
            return []
        return warnings_of_quotas(self.api, self.namespace, publication)

    # -- writing ------------------------------------------------------------------------------------------------------

    def _attempt(self, planned: Planned, observed: ObservedAcl, settings: PublishSettings) -> Outcome:
        """Apply a publication. Raises Conflict."""
        publication = planned.publication
        failures = self._write_parts(publication, observed, settings)
        if failures:
            return self._outcome(planned, failures)
        index = publication.index
        if index is not None and index.operations:
            written = self._write_index(index)
            if isinstance(written, Failure):
                return self._outcome(planned, [written])
            publication = replace(publication, index=written)
            planned = replace(planned, publication=publication)
            self._written = publication
        unused = self._apply(
            publication.unused_parts, lambda change: plan_deletion_again(change, self._reader.get(change.name))
        )
        if self._written is not None and not self.check_mode:
            self._verify()
        planned = replace(planned, publication=replace(publication, unused_parts=unused.plan.changes))
        return self._outcome(planned, unused.failures, is_index_done=True)

    def _apply(self, changes: Sequence[Change], replan: Replan) -> Outcome:
        if self.check_mode:
            changes = [replace(change, operations=operations_to_try(change)) for change in changes]
        outcome = apply_plan(self.api, Plan(tuple(changes)), replan, self.check_mode)
        self._wrote = self._wrote or outcome.wrote
        self._untried += outcome.untried
        self._warnings += [lost.reason for lost in outcome.plan.unreconcilable]
        self._warnings += [text for text in outcome.warnings if text not in untried_warnings(outcome.untried)]
        return outcome

    def _write_parts(self, publication: Publication, observed: ObservedAcl, settings: PublishSettings) -> list[Failure]:
        """Write the missing parts and read all of them back; return the failures."""

        def replan(change: Change) -> Change:
            return plan_part_again(change, self._reader.get(change.name), observed, settings)

        outcome = self._apply(publication.parts, replan)
        for change in outcome.plan.changes:
            if change.name not in self._parts or self._parts[change.name].action == KEEP:
                self._parts[change.name] = change
        if outcome.failures or self.desired is None or not outcome.wrote:
            return outcome.failures
        written, _settings = self._read(self.desired.parts)
        return [
            Failure(self._parts[name], "it was written, but reads back with another content")
            for name, part in self.desired.parts.items()
            if not has_text(written.parts.get(name), part)
        ]

    def _write_index(self, index: Change) -> Union[Change, Failure]:
        """Write or delete the index; return the change as applied, or the failure. Raises Conflict."""
        marks, has_effect = Marks(), False
        try:
            for operation in operations_to_try(index) if self.check_mode else index.operations:
                has_effect = marks.note(operation, self.api.write(operation, self.check_mode))
        except ExternalError as error:
            if not (self.check_mode and isinstance(error, ApiError) and error.is_dry_run_unsupported):
                return self._after_failed_write(index, error) or index
            self._untried.append(NOT_TRIED + error.untried)
            return index
        if DIGEST_ANNOTATION in marks.lost_keys:
            # It was so before the write, too, if the index had none.
            self._wrote = self._wrote or (bool(self.digest) and not self.check_mode)
            return Failure(index, f"{marks.reason}. Without the digest nobody gets a share", retryable=False)
        self._warn(marks.reason)
        self._wrote = self._wrote or (has_effect and not self.check_mode)
        return index if has_effect else without_effect(index, marks.reason)

    def _after_failed_write(self, index: Change, error: ExternalError) -> Optional[Failure]:
        """Return the failure of a write of the index, or None if it succeeded after all. Raises Conflict."""
        try:
            found = self._reader.get(INDEX_NAME)
        except ExternalError as again:
            reason = f"{error}; which ACL is published is unknown ({again})"
            return Failure(index, reason, api_message(error), error.retryable)
        api_error = error if isinstance(error, ApiError) else None
        is_unknown = api_error is None or api_error.may_be_applied or api_error.status >= 500
        failed = FailedIndexWrite(
            is_conflict=api_error is not None and api_error.is_conflict,
            is_unknown=is_unknown and not self.check_mode,
            found=found,
            desired_digest=self._desired_digest,
        )
        if failed.result == WRITTEN:
            self._wrote = True
            return None
        if failed.result == NOT_OURS:
            return Failure(index, reject_foreign(index).reason, api_message(error), retryable=False)
        if failed.result == CONFLICT:
            raise Conflict
        self._note_published(ObservedAcl(found))
        return Failure(index, f"{error}; {state_of(self.digest)}", api_message(error), error.retryable)

    def _verify(self) -> None:
        """Read the published ACL: another run may have come after. Raises Conflict if it is ours, but damaged."""
        try:
            observed, _settings = self._read()
        except ExternalError as error:
            self._warn(f"ACL {self._desired_digest[:12]} was written, but could not be read back: {error}")
            return
        self._note_published(observed)
        if self.digest != self._desired_digest:
            done = f"published ACL {self._desired_digest[:12]}" if self.desired else "deleted the ACL"
            self._warn(f"Another run wrote after this one {done}: {state_of(self.digest)}")
        elif self.desired is not None and not is_published(observed, self.desired):
            raise Conflict

    # -- the outcome --------------------------------------------------------------------------------------------------

    def _failed(self, planned: Planned, reason: str, retryable: bool = True) -> Outcome:
        index = planned.publication.index or Change(UPDATE, INDEX, self.namespace, INDEX_NAME, "the ACL changes")
        failure = Failure(index, f"{reason}; {state_of(self.digest)}", retryable=retryable)
        return self._outcome(planned, [failure])

    def _outcome(self, planned: Planned, failures: Sequence[Failure] = (), is_index_done: bool = False) -> Outcome:
        """Return the outcome; `is_index_done` is whether the index is as desired, whatever failed afterwards."""
        publication = planned.publication
        failed = {failure.change.name for failure in failures}
        done = self._written or (publication if is_index_done else Publication((), None))
        parts: Sequence[Change] = tuple(self._parts.values())
        if is_index_done:
            parts = [self._parts.get(part.name, part) for part in publication.parts]
            if self.check_mode:
                self.published_at = self.published_at if self.digest == self._desired_digest else ""
                self.digest = self._desired_digest
        applied = Publication(
            tuple(part for part in parts if part.name not in failed),
            done.index,
            publication.unused_parts if is_index_done else (),
            done.effects,
        )
        plan = replace(applied.plan, notes=planned.notes, unreconcilable=planned.unreconcilable)
        warnings = [*self._warnings, *untried_warnings(self._untried)]
        return Outcome(plan, list(failures), warnings=warnings, wrote=self._wrote)


def rejected(namespace: str, rejections: Sequence[Rejection]) -> PlanRejected:
    """Return the error for rejections; its result has the options that would allow the run as `needs_consent`."""
    sentences = [rejection.sentence for rejection in rejections]
    changes = tuple(Change(REFUSE, "acl", namespace, "", sentence) for sentence in sentences)
    error = PlanRejected(sentences, Plan(changes))
    error.more["needs_consent"] = consents_needed(rejections)
    return error


def consents_needed(rejections: Sequence[Rejection]) -> list[dict[str, Any]]:
    """Return the options that would allow what is rejected, as modules return them."""
    return [
        {"option": rejection.option, "value": rejection.value, "shares": list(rejection.shares)}
        for rejection in rejections
        if rejection.option
    ]


def warnings_of_quotas(api: Api, namespace: str, publication: Publication) -> list[str]:
    """Return a warning for each quota that a publication exceeds."""
    try:
        return quota_warnings(publication, api.list_all(QUOTAS, namespace, quota_from))
    except ApiError as error:
        return [f"Whether a ResourceQuota allows the plan is unknown: {error}"]


def operations_to_try(change: Change) -> tuple[Any, ...]:
    """Return the operations that a dry run can try: an object cannot be created while the one to replace exists."""
    *removal, last = change.operations or (None,)
    return tuple(removal) if removal and last.verb == CREATE else change.operations
