# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ACL in the cluster: read by one list, and published in the order that keeps readers safe.

`pure/acl/publication.py` says what is to be done, and why in that order. Here it is done, and begun anew when another run
was faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ..._core.access.compile import Document
from ..._core.access.observed import (
    DIGEST_ANNOTATION,
    INDEX,
    PUBLISHED_ANNOTATION,
    SELECTOR,
    ObservedAcl,
    Stored,
    observed_acl_from,
    stored_from,
)
from ..._core.access.publish import (
    Publication,
    PublishSettings,
    is_young,
    plan_part,
    quota_warnings,
    reads,
    stands,
)
from ..._core.kubernetes.quota import quota_from
from ..._core.outcome import CONFLICT_TRIES, Outcome
from ..._core.plan import KEEP, REFUSE, UPDATE, Change, Failure, Plan
from ..._core.requests import CONFIG_MAPS, CREATE, DELETE, QUOTAS
from ..._hub.access import INDEX_KEY, INDEX_NAME
from ..errors import ExternalError
from ..module import PlanRejected
from ..version import VERSION
from .api import Api
from .apply import Replan, api_message, apply_plan
from .errors import ApiError
from .facts import check_namespace

WRITER = f"odh.persistency {VERSION}"


#: The options of `share_acl` by which somebody says yes to what guards hold up.
CONSENTS = ("allow_empty", "max_withdrawals", "declassify", "allow_source_change")


def consents(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said yes to, as `guard` takes it."""
    return {option: params[option] for option in CONSENTS}


class Conflict(Exception):
    """Another run was faster: everything has to be read and planned anew."""


@dataclass(frozen=True)
class Planned:
    """A publication, what speaks against it (sentences without a full stop), and what is to be said with it."""

    publication: Publication
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


#: From what is live to what is to be done; asked again whenever another run has changed what is live.
Planner = Callable[[ObservedAcl, PublishSettings], Planned]


class AclRun:
    """One run over the ACL of one namespace. `wanted` is to stand, or, where it is None, nothing.

    `digest` and `published` are those of the ACL that stands, as far as it has been looked at ("" where none does); after a
    run in check mode, of the one that would.
    """

    def __init__(self, api: Api, namespace: str, desired: Optional[Document], check_mode: bool) -> None:
        self.api = api
        self.namespace = namespace
        self.desired = desired
        self.check_mode = check_mode
        self.timings = {"read": 0.0, "plan": 0.0, "write": 0.0}
        self.digest = ""
        self.published = ""
        self._parts: dict[str, Change] = {}  # what became of each part, over all rounds
        self._written: Optional[Publication] = None  # the one whose index this run has written
        self._unlisted = False  # whether the index lost the label that the list goes by
        self._wrote = False
        self._warnings: list[str] = []

    def run(self, planner: Planner) -> Outcome:
        """Carry out what `planner` plans; in check mode, have the API server validate it.

        When another run publishes meanwhile, everything is read and planned anew. Raises Refused, before the first write
        only.
        """
        for number in range(CONFLICT_TRIES):
            live, settings = self._read()
            if number:
                self._note_overtaking(live)
            self._note_standing(live)
            started = time.monotonic()
            planned = planner(live, settings)
            self.timings["plan"] += time.monotonic() - started
            if planned.refusals and not number:
                raise _refused(self.namespace, planned.refusals)
            if planned.refusals:
                why = f"another run has changed the ACL meanwhile, and over that: {'; '.join(planned.refusals)}"
                return self._failed(planned, why, retryable=False)
            if not number:
                missing = self._missing_namespace(planned.publication, live)
                if missing:
                    self._warnings.append(missing)
                    return self._outcome(planned, reached=True)
                self._warnings += self._quota_warnings(planned.publication)
            started = time.monotonic()
            try:
                return self._attempt(planned, live, settings)
            except Conflict:
                pass
            finally:
                self.timings["write"] += time.monotonic() - started
        self._note_standing(self._read()[0])
        return self._failed(
            planned, f"other runs have changed the ACL {CONFLICT_TRIES} times meanwhile: let one at a time publish"
        )

    # -- reading ------------------------------------------------------------------------------------------------------

    def _read(self) -> tuple[ObservedAcl, PublishSettings]:
        started = time.monotonic()
        live = observed_acl_from(self.api.list_all(CONFIG_MAPS, self.namespace, stored_from, SELECTOR))
        if live.index is None and (live.parts or self._unlisted):
            # Parts without an index: it is gone, or it lost the label that the list goes by.
            found = self._get(INDEX_NAME)
            live = replace(live, index=found if found is not None and _is_ours(found) else None)
        self.timings["read"] += time.monotonic() - started
        return live, PublishSettings(self.namespace, WRITER, self.api.now())

    def _get(self, name: str) -> Optional[Stored]:
        found = self.api.get(CONFIG_MAPS, self.namespace, name)
        return None if found is None else stored_from(found)

    def _note_standing(self, live: ObservedAcl) -> None:
        self.digest = _mark(live.index, DIGEST_ANNOTATION)
        self.published = _mark(live.index, PUBLISHED_ANNOTATION)

    @property
    def _standing(self) -> str:
        return f"ACL {self.digest[:12]} stands" if self.digest else "no ACL stands"

    @property
    def _wanted_digest(self) -> str:
        return "" if self.desired is None else self.desired.digest

    def _note_overtaking(self, live: ObservedAcl) -> None:
        digest = _mark(live.index, DIGEST_ANNOTATION)
        if digest not in (self.digest, self._wanted_digest):
            other = f"published ACL {digest[:12]}" if digest else "removed the ACL"
            self._warnings.append(
                f"Another run has {other} while this one was under way; this one was planned anew over it"
            )

    def _missing_namespace(self, publication: Publication, live: ObservedAcl) -> str:
        """Return what to warn of where the namespace is missing, in check mode, "" where it is there; else refuse.

        Asked only where it matters: before writing, and where nothing was found, for an empty list is all that the API
        server says of a namespace that is not there.
        """
        if not publication.plan.changed and (live.index is not None or live.parts):
            return ""
        return check_namespace(self.api, self.namespace, self.check_mode)

    def _quota_warnings(self, publication: Publication) -> list[str]:
        """In check mode: hold the sum of what would be made against the quotas; a dry-run passes them singly."""
        if not self.check_mode or not publication.plan.changed:
            return []
        try:
            return quota_warnings(publication, self.api.list_all(QUOTAS, self.namespace, quota_from))
        except ApiError as error:
            return [f"Whether a ResourceQuota allows the plan is not known: {error}"]

    # -- writing ------------------------------------------------------------------------------------------------------

    def _attempt(self, planned: Planned, live: ObservedAcl, settings: PublishSettings) -> Outcome:
        """Carry a publication out. Raises Overtaken."""
        publication = planned.publication
        failures = self._write_parts(publication, live, settings)
        if failures:
            return self._outcome(planned, failures)
        index = publication.index
        if index is not None and index.operations:
            failure = self._write_index(index)
            if failure is not None:
                return self._outcome(planned, [failure])
            self._written = publication
        leftovers = self._apply(publication.leftovers, self._leftover_again)
        if self._written is not None and not self.check_mode:
            self._look_back()
        planned = replace(planned, publication=replace(publication, leftovers=leftovers.plan.changes))
        return self._outcome(planned, leftovers.failures, reached=True)

    def _apply(self, changes: Sequence[Change], replan: Replan) -> Outcome:
        if self.check_mode:
            changes = [replace(change, operations=triable(change)) for change in changes]
        outcome = apply_plan(self.api, Plan(tuple(changes)), replan, self.check_mode)
        self._wrote = self._wrote or outcome.wrote
        self._warnings += outcome.warnings
        return outcome

    def _write_parts(self, publication: Publication, live: ObservedAcl, settings: PublishSettings) -> list[Failure]:
        """Write the parts that are missing and read them all back; return what failed."""
        outcome = self._apply(publication.parts, lambda change: self._part_again(change, live, settings))
        for change in outcome.plan.changes:
            if change.name not in self._parts or self._parts[change.name].action == KEEP:
                self._parts[change.name] = change
        if outcome.failures or self.desired is None or not outcome.wrote:
            return outcome.failures
        live, _settings = self._read()
        return [
            Failure(self._parts[name], "it was written, and read back it is not as it was written")
            for name, part in self.desired.parts.items()
            if not reads(live.parts.get(name), part)
        ]

    def _part_again(self, change: Change, live: ObservedAcl, settings: PublishSettings) -> Change:
        """Plan one part again that another run has made, marked or removed."""
        stored = self._get(change.name)
        if stored is not None and not reads(stored, change.subject) and not _is_ours(stored):
            return _foreign(change)
        safe = stored is not None and (change.name in live.in_force or is_young(stored, settings))
        return plan_part(stored, change.subject, safe, settings)

    def _leftover_again(self, change: Change) -> Change:
        reason = "it is gone already" if self._get(change.name) is None else "another run wants it again"
        return replace(change, action=KEEP, reason=reason, operations=())

    def _write_index(self, index: Change) -> Optional[Failure]:
        """Write the index, or delete it; return why that failed. Raises Overtaken."""
        try:
            for step in triable(index) if self.check_mode else index.operations:
                self.api.write(step, self.check_mode)
        except ExternalError as error:
            if not (self.check_mode and isinstance(error, ApiError) and error.is_dry_run_unsupported):
                return self._unwritten(index, error)
            self._warnings.append(f"The API server could not validate: {error} (the plan is shown all the same)")
        self._wrote = self._wrote or not self.check_mode
        return None

    def _unwritten(self, index: Change, error: ExternalError) -> Optional[Failure]:
        """Return what a write of the index failed with, None where it was done all the same. Raises Overtaken."""
        retryable = error.retryable
        try:
            found = self._get(INDEX_NAME)
        except ExternalError as again:
            return Failure(index, f"{error}; which ACL stands is not known ({again})", api_message(error), retryable)
        conflict = isinstance(error, ApiError) and error.is_conflict
        unclear = not isinstance(error, ApiError) or error.may_be_applied or error.status >= 500
        if unclear and self._is_wanted(found) and not self.check_mode:
            # The answer was lost, the write was not.
            self._wrote = True
            return None
        if conflict and found is not None and found.label != INDEX and not self._unlisted:
            if not _is_ours(found):
                return Failure(index, _foreign(index).reason, api_message(error), retryable=False)
            self._unlisted = True
        if conflict:
            raise Conflict
        self._note_standing(ObservedAcl(found))
        return Failure(index, f"{error}; {self._standing}", api_message(error), retryable)

    def _is_wanted(self, found: Optional[Stored]) -> bool:
        if self.desired is None:
            return found is None
        return _mark(found, DIGEST_ANNOTATION) == self.desired.digest

    def _look_back(self) -> None:
        """See what stands now, for another run may have come after. Raises Overtaken where it is ours, but not whole."""
        try:
            live, _settings = self._read()
        except ExternalError as error:
            self._warnings.append(
                f"ACL {self._wanted_digest[:12]} was written; whether it stands is not known: {error}"
            )
            return
        self._note_standing(live)
        if self.digest != self._wanted_digest:
            mine = f"published ACL {self._wanted_digest[:12]}" if self.desired else "removed the ACL"
            self._warnings.append(f"Another run has written after this one had {mine}: {self._standing}")
        elif self.desired is not None and not stands(live, self.desired):
            raise Conflict

    # -- the outcome --------------------------------------------------------------------------------------------------

    def _failed(self, planned: Planned, why: str, retryable: bool = True) -> Outcome:
        index = planned.publication.index or Change(
            UPDATE, INDEX, self.namespace, INDEX_NAME, "the ACL was to be changed"
        )
        return self._outcome(planned, [Failure(index, f"{why}; {self._standing}", retryable=retryable)])

    def _outcome(self, planned: Planned, failures: Sequence[Failure] = (), reached: bool = False) -> Outcome:
        """Return what came of it all; `reached` is whether the index is as wanted, whatever failed afterwards."""
        publication = planned.publication
        failed = {failure.change.name for failure in failures}
        done = self._written or (publication if reached else Publication((), None))
        parts = [self._parts.get(part.name, part) for part in publication.parts] if reached else self._parts.values()
        leftovers = publication.leftovers if reached else ()
        told = Publication(
            tuple(part for part in parts if part.name not in failed), done.index, leftovers, done.effects
        )
        if reached and self.check_mode:
            self.published = "" if self.digest != self._wanted_digest else self.published
            self.digest = self._wanted_digest
        plan = replace(told.plan, notes=planned.notes)
        return Outcome(plan, list(failures), warnings=self._warnings, wrote=self._wrote)


def _refused(namespace: str, refusals: Sequence[str]) -> PlanRejected:
    return PlanRejected(list(refusals), Plan(tuple(Change(REFUSE, "acl", namespace, "", why) for why in refusals)))


def _mark(stored: Optional[Stored], key: str) -> str:
    return "" if stored is None else stored.annotations.get(key, "")


def _is_ours(stored: Stored) -> bool:
    """Return whether a ConfigMap of one of our names is one of ours, whose label somebody took off."""
    return bool(stored.label) or DIGEST_ANNOTATION in stored.annotations or INDEX_KEY in stored.data


def _foreign(change: Change) -> Change:
    reason = f"ConfigMap {change.name} is there already and is not of this collection: remove it, or rename it"
    return replace(change, action=REFUSE, reason=reason, operations=())


def triable(change: Change) -> tuple[Any, ...]:
    """Return what of a change a dry-run can try: what is made anew under its name is in its own way until it is gone."""
    return change.operations[:1] if [step.verb for step in change.operations] == [DELETE, CREATE] else change.operations
