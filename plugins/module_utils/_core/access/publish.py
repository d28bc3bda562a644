# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan that publishes an ACL, in the order that keeps readers safe.

Readers take the index, then the parts that it names. So the parts are written first, then the index, after all parts were
read back, and unused parts are deleted last. Several runs may do this concurrently:

- The index replaces exactly the one that was planned against. The run that comes second plans again.
- A part that the index in force names is left alone. Another run may be about to delete one that it does not name. A run
  that wants to name such a part first updates its annotation: the deletion, which requires the observed resource version,
  then fails.
- A deletion of the ACL deletes the index first, on the same condition, and the parts afterwards.
- An unused part stays for an hour after it was created or last annotated, and at least for an hour after the index in
  force was published, because until then another index may have named it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Optional

from ..._hub.acl_format import INDEX_KEY, INDEX_NAME, PART_KEY, SCHEMA, canonical
from ..kubernetes.quota import Quota
from ..plan import CREATE, DELETE, KEEP, UPDATE, Change, Plan
from ..requests import CONFIG_MAPS, ApiRequest, Precondition, create, delete, patch
from ..times import format_span, format_time
from .compile import AclDocument, Part
from .descriptions import CHANGE, GAIN, LOSS
from .diff import Comparison
from .observed import (
    DIGEST_ANNOTATION,
    INDEX,
    KIND_LABEL,
    LEFT_OUT_ANNOTATION,
    PART,
    PUBLICATION_ANNOTATION,
    PUBLISHED_ANNOTATION,
    SCHEMA_ANNOTATION,
    WRITER_ANNOTATION,
    ConfigMap,
    ObservedAcl,
    publication_mark,
)

#: The kind of changes of access. The kinds of objects are INDEX and PART.
ACL = "acl"

#: How long an unused part stays: far longer than a reader needs from the index to the parts.
UNUSED_PART_LIFETIME = timedelta(hours=1)
#: How far an annotation may lie in the future, because clocks differ.
_CLOCK_SKEW = timedelta(minutes=10)


@dataclass(frozen=True)
class PublishSettings:
    """The namespace, the writer (`odh.persistency 0.1.0`) and the time by the API server's clock."""

    namespace: str
    writer: str
    now: datetime


@dataclass(frozen=True)
class Publication:
    """A plan in its order: all parts; when they were read back, the index; then the deletions of unused parts.

    `effects` are the changes of access that take effect with the index.
    """

    parts: tuple[Change, ...]
    index: Optional[Change]
    unused_parts: tuple[Change, ...] = ()
    effects: tuple[Change, ...] = ()

    @property
    def plan(self) -> Plan:
        """All changes as one plan."""
        index = () if self.index is None else (self.index,)
        return Plan((*self.effects, *self.parts, *index, *self.unused_parts))


def is_published(observed: ObservedAcl, desired: AclDocument) -> bool:
    """Return whether the desired ACL is published and every reader gets it: compares all texts, not only digests."""
    index = observed.index
    return (
        index is not None
        and index.text(INDEX_KEY) == desired.index
        and index.annotations.get(DIGEST_ANNOTATION) == desired.digest
        and all(has_text(observed.parts.get(name), part) for name, part in desired.parts.items())
    )


def plan_publication(
    observed: ObservedAcl, desired: AclDocument, settings: PublishSettings, effects: Sequence[Change] = ()
) -> Publication:
    """Return the plan that publishes the desired ACL and deletes parts that have been unused for long enough."""
    parts = tuple(
        plan_part(observed.parts.get(name), part, is_safe(observed, name, settings), settings)
        for name, part in desired.parts.items()
    )
    index = _plan_index(observed.index, desired, settings)
    return Publication(parts, index, _delete_unused_parts(observed, desired, settings), tuple(effects))


def plan_deletion(observed: ObservedAcl, settings: PublishSettings, effects: Sequence[Change] = ()) -> Publication:
    """Return the plan that deletes the ACL: first the index, from then on readers get nothing, then all parts."""
    index = None
    if observed.index is not None:
        index = Change(
            DELETE,
            INDEX,
            settings.namespace,
            observed.index.name,
            "`state` is absent: nobody gets a share any more",
            before=f"ACL {_short(observed.index)}",
            operations=deletion_of(observed.index, settings),
            subject=observed.index,
        )
    parts = tuple(_delete_part(part, settings, "`state` is absent") for _name, part in sorted(observed.parts.items()))
    return Publication((), index, parts, tuple(effects))


def is_safe(observed: ObservedAcl, name: str, settings: PublishSettings) -> bool:
    """Return whether no other run can be about to delete a part: the index in force names it, or it is too recent.

    Without an index, another run may be deleting the whole ACL, whatever the age of its parts.
    """
    if observed.index is None or name not in observed.parts:
        return False
    return name in observed.in_force or is_recent(observed.parts[name], settings)


def is_recent(part: ConfigMap, settings: PublishSettings) -> bool:
    """Return whether a part was created or annotated so recently that no other run deletes it during this one."""
    return settings.now - _last_annotated(part, settings) < UNUSED_PART_LIFETIME / 2


def plan_part(observed: Optional[ConfigMap], part: Part, safe: bool, settings: PublishSettings) -> Change:
    """Return the change of one part that the index will name. A part that is not `safe` gets a new annotation first."""

    def change(action: str, reason: str, *operations: ApiRequest) -> Change:
        return Change(action, PART, settings.namespace, part.name, reason, operations=operations, subject=part)

    recreated = create(CONFIG_MAPS, settings.namespace, _part_manifest(part, settings))
    if observed is None:
        return change(CREATE, "the ACL needs it", recreated)
    if observed.deleting:
        # A finalizer keeps it, and it may disappear at any time.
        return change(UPDATE, "it is being deleted: it is recreated", *deletion_of(observed, settings), recreated)
    if not has_text(observed, part):
        reason = "its content does not match its name: it is recreated"
        return change(UPDATE, reason, *deletion_of(observed, settings), recreated)
    annotations = _part_annotations(part, settings)
    if not observed.immutable or observed.kind != PART or not annotations.items() <= observed.annotations.items():
        body: dict[str, Any] = {"metadata": observed.missing_marks({KIND_LABEL: PART}, annotations)}
        if not observed.immutable:
            body["immutable"] = True
        return change(UPDATE, "its labels or annotations were modified", _patch(observed, body, settings))
    if not safe:
        body = {"metadata": {"annotations": {PUBLISHED_ANNOTATION: format_time(settings.now)}}}
        return change(
            UPDATE,
            "it was unused and is needed again: its annotation keeps other runs from deleting it",
            _patch(observed, body, settings),
        )
    return change(KEEP, "it is up to date")


def _plan_index(observed: Optional[ConfigMap], desired: AclDocument, settings: PublishSettings) -> Change:
    line = f"ACL {desired.digest[:12]}"
    namespace = settings.namespace
    metadata: dict[str, Any] = {
        "labels": {KIND_LABEL: INDEX},
        "annotations": _index_annotations(desired, settings),
    }
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": INDEX_NAME, **metadata},
        "data": {INDEX_KEY: desired.index},
    }
    created = create(CONFIG_MAPS, namespace, manifest)
    if observed is None:
        reason = f"ACL {desired.digest[:12]} is published; there was none"
        return Change(CREATE, INDEX, namespace, INDEX_NAME, reason, after=line, operations=(created,), subject=desired)
    reason = _reason_to_write_index(observed, desired, settings)
    if not reason:
        return Change(KEEP, INDEX, namespace, INDEX_NAME, "the ACL is up to date", subject=desired)
    operations: tuple[ApiRequest, ...]
    if observed.immutable or observed.deleting:
        operations = (*deletion_of(observed, settings), created)
    else:
        others = {key: None for key in observed.data if key != INDEX_KEY}
        if not desired.left_out and LEFT_OUT_ANNOTATION in observed.annotations:
            metadata["annotations"][LEFT_OUT_ANNOTATION] = None
        body: dict[str, Any] = {"metadata": metadata, "data": {**others, INDEX_KEY: desired.index}}
        if observed.has_binary:
            body["binaryData"] = None
        elif (
            observed.data == {INDEX_KEY: desired.index}
            and observed.annotations.get(DIGEST_ANNOTATION) == desired.digest
        ):
            body = {
                "metadata": observed.missing_marks(
                    metadata["labels"], _compared(metadata["annotations"], observed, settings)
                )
            }
        operations = (_patch(observed, body, settings),)
    return Change(
        UPDATE,
        INDEX,
        namespace,
        INDEX_NAME,
        reason,
        before=f"ACL {_short(observed)}",
        after=line,
        operations=operations,
        subject=desired,
    )


def _reason_to_write_index(observed: ConfigMap, desired: AclDocument, settings: PublishSettings) -> str:
    """Return why the index must be written, or "". Another writer is no reason."""
    if observed.annotations.get(DIGEST_ANNOTATION) != desired.digest:
        return f"ACL {desired.digest[:12]} replaces ACL {_short(observed)}"
    if observed.text(INDEX_KEY) != desired.index:
        return f"its text is not that of ACL {desired.digest[:12]}, as its annotation says: it is written again"
    schema = observed.annotations.get(SCHEMA_ANNOTATION)
    mark = observed.annotations.get(PUBLICATION_ANNOTATION)
    if mark != publication_mark(settings.namespace, desired.digest):
        return "it does not have the mark of a publication: somebody else wrote it, or an older version"
    if observed.kind != INDEX or schema != str(SCHEMA) or set(observed.data) != {INDEX_KEY}:
        return "its labels, annotations or keys were modified"
    if observed.annotations.get(LEFT_OUT_ANNOTATION, "") != _left_out_text(desired):
        return "other claims than before are left out"
    if observed.deleting:
        return "it is being deleted, and a finalizer keeps it"
    if observed.has_binary or observed.immutable:
        return "something added fields that readers do not know"
    if not _has_valid_time(observed, settings):
        return "its time of publication, which the deletion of unused parts depends on, is invalid"
    return ""


def _delete_unused_parts(observed: ObservedAcl, desired: AclDocument, settings: PublishSettings) -> tuple[Change, ...]:
    """Return the deletions of parts that neither index has named for more than an hour."""
    named = observed.in_force | desired.parts.keys()
    changes = []
    for name, part in sorted(observed.parts.items()):
        if name in named or part.deleting or part.schema > SCHEMA:
            continue
        last = _last_annotated(part, settings)
        if observed.index is not None:
            # An index without a valid annotation may have been published just now.
            last = max(last, observed.index.published or settings.now)
        unused = settings.now - last
        if unused > UNUSED_PART_LIFETIME:
            changes.append(_delete_part(part, settings, f"no index has named it for {format_span(unused)}"))
    return tuple(changes)


def _last_annotated(part: ConfigMap, settings: PublishSettings) -> datetime:
    """Return when a run created or last annotated a part, or now if its creation time is unknown."""
    if part.created is None:
        return settings.now
    return max(part.created, part.published or part.created)


def _delete_part(part: ConfigMap, settings: PublishSettings, reason: str) -> Change:
    operations = deletion_of(part, settings)
    return Change(DELETE, PART, settings.namespace, part.name, reason, operations=operations, subject=part)


def has_text(observed: Optional[ConfigMap], part: Part) -> bool:
    """Return whether readers of a ConfigMap get the text of the part."""
    return observed is not None and not observed.deleting and observed.text(PART_KEY) == part.text


def _part_annotations(part: Part, settings: PublishSettings) -> dict[str, str]:
    return {
        SCHEMA_ANNOTATION: str(SCHEMA),
        DIGEST_ANNOTATION: part.digest,
        PUBLICATION_ANNOTATION: publication_mark(settings.namespace, part.digest),
    }


def _index_annotations(desired: AclDocument, settings: PublishSettings) -> dict[str, str]:
    left_out = {LEFT_OUT_ANNOTATION: _left_out_text(desired)} if desired.left_out else {}
    return {
        **left_out,
        PUBLICATION_ANNOTATION: publication_mark(settings.namespace, desired.digest),
        SCHEMA_ANNOTATION: str(SCHEMA),
        DIGEST_ANNOTATION: desired.digest,
        WRITER_ANNOTATION: settings.writer,
        PUBLISHED_ANNOTATION: format_time(settings.now),
    }


def _compared(annotations: Mapping[str, Any], observed: ConfigMap, settings: PublishSettings) -> dict[str, Any]:
    """Return the annotations whose values matter: a valid time of publication stays, and so does the writer."""
    kept = {WRITER_ANNOTATION, *((PUBLISHED_ANNOTATION,) if _has_valid_time(observed, settings) else ())}
    return {key: value for key, value in annotations.items() if key not in kept}


def _has_valid_time(observed: ConfigMap, settings: PublishSettings) -> bool:
    published = observed.published
    return published is not None and published <= settings.now + _CLOCK_SKEW


def _left_out_text(desired: AclDocument) -> str:
    return canonical(list(desired.left_out)) if desired.left_out else ""


def _part_manifest(part: Part, settings: PublishSettings) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": part.name,
            "labels": {KIND_LABEL: PART},
            "annotations": {**_part_annotations(part, settings), WRITER_ANNOTATION: settings.writer},
        },
        "immutable": True,
        "data": {PART_KEY: part.text},
    }


def _patch(observed: ConfigMap, changes: Mapping[str, Any], settings: PublishSettings) -> ApiRequest:
    precondition = Precondition(observed.resource_version, observed.uid)
    return patch(CONFIG_MAPS, settings.namespace, observed.name, changes, precondition)


def _delete(observed: ConfigMap, settings: PublishSettings) -> ApiRequest:
    precondition = Precondition(observed.resource_version, observed.uid)
    return delete(CONFIG_MAPS, settings.namespace, observed.name, precondition)


def deletion_of(observed: ConfigMap, settings: PublishSettings) -> tuple[ApiRequest, ...]:
    """Return the deletion of a ConfigMap. Finalizers would keep it, and readers would still get the ACL: they are removed."""
    if not observed.has_finalizers:
        return (_delete(observed, settings),)
    body = {"metadata": {"finalizers": None}}
    emptied = _patch(observed, body if observed.immutable else {**body, "data": None}, settings)
    if observed.deleting:
        return (emptied,)
    return emptied, delete(CONFIG_MAPS, settings.namespace, observed.name, Precondition(uid=observed.uid))


def _short(index: ConfigMap) -> str:
    """Return the short digest in the annotation of an index."""
    return index.annotations.get(DIGEST_ANNOTATION, "")[:12] or "without a digest"


def quota_warnings(publication: Publication, quotas: Iterable[Quota]) -> list[str]:
    """Return a sentence for each quota on ConfigMaps that the publication exceeds."""
    new = sum(change.action == CREATE for change in (*publication.parts, publication.index) if change is not None)
    return [
        f"ResourceQuota {quota.name} has {max(left, 0)} of {key} left, but the plan needs {new}: some writes would fail and the "
        "published ACL would stay; raise the quota"
        for quota in quotas
        # Scopes select pods and claims.
        if not quota.scopes
        for key, left in quota.left.items()
        if key in ("configmaps", "count/configmaps") and new > max(left, 0)
    ]


def effects_of(comparison: Comparison, namespace: str) -> tuple[Change, ...]:
    """Return a change without operations for each sentence about a change of access."""
    actions = {GAIN: CREATE, LOSS: DELETE, CHANGE: UPDATE}
    return tuple(
        Change(actions[one.kind], ACL, namespace, one.share, one.text, owner=one.person, effect=True)
        for one in comparison.descriptions
    )
