# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the ConfigMaps that are live and the ACL that is wanted to a plan, in the order that keeps readers safe.

Readers take the index, then the parts that it names. So the parts come first, the index after all of them were read
back, and the clean-up last. Two runs may do this at once:

- The index is written over the very one that was planned against. Whoever comes second plans anew.
- A part that the index in force names is left alone. One that none names may be about to be deleted by another run, so
  whoever wants to name it writes its mark first: the deletion, which is pinned to what was listed, then fails.
- A removal deletes the index first, pinned too, and the parts only then.
- A part that no index names lives an hour longer, counted from when it was made or last marked, and at least from when
  the index in force was published, for until then another one may have named it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Optional

from ..._hub.access import INDEX_KEY, INDEX_NAME, PART_KEY, SCHEMA, digest_of
from ..kubernetes.quota import Quota
from ..plan import CREATE, DELETE, KEEP, UPDATE, Change, Plan
from ..requests import CONFIG_MAPS, ApiRequest, Precondition, create, delete, patch
from ..text import quote_list
from ..times import format_span, format_time
from .compile import Document, Part
from .descriptions import CHANGE, GAIN, LOSS
from .diff import Comparison
from .observed import (
    DIGEST_ANNOTATION,
    INDEX,
    KIND_LABEL,
    PART,
    PUBLISHED_ANNOTATION,
    SCHEMA_ANNOTATION,
    WRITER_ANNOTATION,
    ObservedAcl,
    PublishedAcl,
    Stored,
)

#: The kind of what changes for people; the objects' kinds are INDEX and PART.
ACL = "acl"

#: How long a part outlives the last index that may have named it: far longer than any reader takes from index to parts.
LINGERS = timedelta(hours=1)
#: How far a mark may lie in the future before it counts as wrong.
_CLOCKS_DIFFER = timedelta(minutes=10)


@dataclass(frozen=True)
class PublishSettings:
    """What every object gets: the namespace, who writes (`odh.persistency 0.1.0`) and the time, by the API server's clock."""

    namespace: str
    writer: str
    now: datetime


@dataclass(frozen=True)
class Publication:
    """A plan in its order: all parts; then, when they were read back, the index; then what nothing names any more.

    `effects` are what the index brings about, or takes away, when it is written.
    """

    parts: tuple[Change, ...]
    index: Optional[Change]
    leftovers: tuple[Change, ...] = ()
    effects: tuple[Change, ...] = ()

    @property
    def plan(self) -> Plan:
        """All of it as one plan."""
        index = () if self.index is None else (self.index,)
        return Plan((*self.effects, *self.parts, *index, *self.leftovers))


def stands(live: ObservedAcl, desired: Document) -> bool:
    """Return whether the wanted ACL stands, so that every reader gets it: each text compared, not only its digest."""
    index = live.index
    return (
        index is not None
        and index.text(INDEX_KEY) == desired.index
        and index.annotations.get(DIGEST_ANNOTATION) == desired.digest
        and all(reads(live.parts.get(name), part) for name, part in desired.parts.items())
    )


def plan_publication(
    live: ObservedAcl, desired: Document, settings: PublishSettings, effects: Sequence[Change] = ()
) -> Publication:
    """Return what makes the wanted ACL stand, and what is due to be cleaned up."""
    parts = tuple(
        plan_part(live.parts.get(name), part, is_safe(live, name, settings), settings)
        for name, part in desired.parts.items()
    )
    index = _plan_index(live.index, desired, settings)
    return Publication(parts, index, _leftovers(live, desired, settings), tuple(effects))


def plan_deletion(live: ObservedAcl, settings: PublishSettings, effects: Sequence[Change] = ()) -> Publication:
    """Return what removes the ACL: the index first, then all parts, for whoever still reads them gets nothing either way."""
    index = None
    if live.index is not None:
        index = Change(
            DELETE,
            INDEX,
            settings.namespace,
            live.index.name,
            "the ACL is to be absent; from then on nobody gets a share",
            before=f"ACL {_short(live.index)}",
            operations=(_delete(live.index, settings),),
            subject=live.index,
        )
    parts = tuple(_removal(part, settings, "the ACL is to be absent") for _name, part in sorted(live.parts.items()))
    return Publication((), index, parts, tuple(effects))


def is_safe(live: ObservedAcl, name: str, settings: PublishSettings) -> bool:
    """Return whether no other run can be about to delete a part: the index in force names it, or it is too young for
    any clean-up. Without an index there may be one that removes the whole ACL, whatever its age."""
    if live.index is None or name not in live.parts:
        return False
    return name in live.in_force or is_young(live.parts[name], settings)


def is_young(part: Stored, settings: PublishSettings) -> bool:
    """Return whether a part was made or marked so lately that no clean-up is due while a run lasts."""
    return settings.now - _last_wanted(part, settings) < LINGERS / 2


def plan_part(live: Optional[Stored], part: Part, safe: bool, settings: PublishSettings) -> Change:
    """Return what becomes of one part that the index will name; where it is not `safe`, it is marked before."""

    def change(action: str, reason: str, *operations: ApiRequest) -> Change:
        return Change(action, PART, settings.namespace, part.name, reason, operations=operations, subject=part)

    made = create(CONFIG_MAPS, settings.namespace, _part_manifest(part, settings))
    if live is None:
        return change(CREATE, "the ACL needs it", made)
    if not reads(live, part):
        return change(UPDATE, "it does not hold what its name says, so it is made anew", _delete(live, settings), made)
    marks = _part_marks(part)
    if not live.immutable or live.label != PART or any(live.annotations.get(key) != marks[key] for key in marks):
        fixed = {"metadata": {"labels": {KIND_LABEL: PART}, "annotations": marks}, "immutable": True}
        return change(UPDATE, "its marks are not as they were written", _patch(live, fixed, settings))
    if not safe:
        mark = {"metadata": {"annotations": {PUBLISHED_ANNOTATION: format_time(settings.now)}}}
        return change(
            UPDATE,
            "nothing named it, and the ACL needs it again: it is marked, so that no clean-up takes it",
            _patch(live, mark, settings),
        )
    return change(KEEP, "it is there as the ACL needs it")


def _plan_index(live: Optional[Stored], desired: Document, settings: PublishSettings) -> Change:
    line = f"ACL {desired.digest[:12]}"
    namespace = settings.namespace
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": INDEX_NAME, "labels": {KIND_LABEL: INDEX}, "annotations": _index_marks(desired, settings)},
        "data": {INDEX_KEY: desired.index},
    }
    made = create(CONFIG_MAPS, namespace, manifest)
    if live is None:
        reason = f"no ACL stands yet; ACL {desired.digest[:12]} is published"
        return Change(CREATE, INDEX, namespace, INDEX_NAME, reason, after=line, operations=(made,), subject=desired)
    error = _index_error(live, desired, settings)
    if not error:
        return Change(KEEP, INDEX, namespace, INDEX_NAME, "the ACL stands as it is wanted", subject=desired)
    operations: tuple[ApiRequest, ...]
    if live.immutable:
        # Nothing but its end can be done to it.
        operations = (_delete(live, settings), made)
    else:
        others = {key: None for key in live.data if key != INDEX_KEY}
        body = {
            "metadata": {"labels": {KIND_LABEL: INDEX}, "annotations": _index_marks(desired, settings)},
            "data": {**others, INDEX_KEY: desired.index},
        }
        operations = (_patch(live, {**body, "binaryData": None} if live.has_binary else body, settings),)
    return Change(
        UPDATE,
        INDEX,
        namespace,
        INDEX_NAME,
        error,
        before=f"ACL {_short(live)}",
        after=line,
        operations=operations,
        subject=desired,
    )


def _index_error(live: Stored, desired: Document, settings: PublishSettings) -> str:
    """Return why the index has to be written, "" where it has not. Who wrote it is no reason."""
    text = live.text(INDEX_KEY)
    if live.annotations.get(DIGEST_ANNOTATION) != desired.digest:
        return f"ACL {desired.digest[:12]} is published over ACL {_short(live)}"
    if text != desired.index:
        return f"its text is not that of ACL {desired.digest[:12]}, as which it is marked: it is written anew"
    if live.label != INDEX or live.annotations.get(SCHEMA_ANNOTATION) != str(SCHEMA) or set(live.data) != {INDEX_KEY}:
        return "its marks are not as they were written"
    if live.has_binary or live.immutable:
        return "somebody added to it what readers do not know"
    published = live.published
    if published is None or published > settings.now + _CLOCKS_DIFFER:
        return "when it was published cannot be read from its mark, and clean-up counts from that"
    return ""


def _leftovers(live: ObservedAcl, desired: Document, settings: PublishSettings) -> tuple[Change, ...]:
    """Return the deletions that are due: parts that neither index names, since more than an hour."""
    named = live.in_force | desired.parts.keys()
    changes = []
    for name, part in sorted(live.parts.items()):
        if name in named or part.deleting or part.schema > SCHEMA:
            continue
        last = _last_wanted(part, settings)
        if live.index is not None:
            # An index without a readable mark may have been published just now.
            last = max(last, live.index.published or settings.now)
        idle = settings.now - last
        if idle > LINGERS:
            changes.append(_removal(part, settings, f"no index has named it for {format_span(idle)}"))
    return tuple(changes)


def _last_wanted(part: Stored, settings: PublishSettings) -> datetime:
    """Return when a run last made or marked a part; now, where nothing says when it was made."""
    if part.created is None:
        return settings.now
    return max(part.created, part.published or part.created)


def _removal(part: Stored, settings: PublishSettings, reason: str) -> Change:
    return Change(
        DELETE, PART, settings.namespace, part.name, reason, operations=(_delete(part, settings),), subject=part
    )


def reads(live: Optional[Stored], part: Part) -> bool:
    """Return whether readers of a ConfigMap find in it what the part holds."""
    return live is not None and not live.deleting and live.text(PART_KEY) == part.text


def _part_marks(part: Part) -> dict[str, str]:
    return {SCHEMA_ANNOTATION: str(SCHEMA), DIGEST_ANNOTATION: part.digest}


def _index_marks(desired: Document, settings: PublishSettings) -> dict[str, str]:
    return {
        SCHEMA_ANNOTATION: str(SCHEMA),
        DIGEST_ANNOTATION: desired.digest,
        WRITER_ANNOTATION: settings.writer,
        PUBLISHED_ANNOTATION: format_time(settings.now),
    }


def _part_manifest(part: Part, settings: PublishSettings) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": part.name,
            "labels": {KIND_LABEL: PART},
            "annotations": {**_part_marks(part), WRITER_ANNOTATION: settings.writer},
        },
        "immutable": True,
        "data": {PART_KEY: part.text},
    }


def _patch(live: Stored, changes: Mapping[str, Any], settings: PublishSettings) -> ApiRequest:
    return patch(CONFIG_MAPS, settings.namespace, live.name, changes, Precondition(live.resource_version, live.uid))


def _delete(live: Stored, settings: PublishSettings) -> ApiRequest:
    return delete(CONFIG_MAPS, settings.namespace, live.name, Precondition(live.resource_version, live.uid))


def _short(index: Stored) -> str:
    """Return what to call an ACL: the beginning of the digest that stands at its index."""
    return index.annotations.get(DIGEST_ANNOTATION, "")[:12] or "without a digest"


def is_repair(live: ObservedAcl, standing: PublishedAcl, wanted_digest: str) -> bool:
    """Return whether an ACL is the very one that the index is marked as, or holds."""
    return live.index is not None and wanted_digest in (standing.digest, digest_of(live.index.text(INDEX_KEY)))


def refusals_over_broken(
    live: ObservedAcl, standing: PublishedAcl, wanted_digest: str, max_withdrawals: int, emptied: bool = False
) -> list[str]:
    """Return why an ACL that cannot be read whole is not replaced by this one ("" where it is removed), unless told to.

    What it granted cannot be compared, so nobody could say who would lose what. To write anew the very ACL that its index
    is marked as, or holds, takes nothing from anybody. `emptied` is whether the new one has no share and nobody said that
    this is meant.
    """
    if not standing.errors or live.index is None or is_repair(live, standing, wanted_digest):
        return []
    called = f"ACL {standing.digest[:12]}" if standing.digest else "The ACL"
    broken = f"{called} stands and cannot be read whole ({quote_list(standing.errors, 3)})"
    if max_withdrawals >= 0:
        return [
            f"{broken}, so nobody can say what would be withdrawn: publish the shares and groups as they were then, which "
            "repairs it, or set `max_withdrawals: -1` to go ahead without that comparison"
        ]
    if emptied:
        return [f"{broken}, and no share is left: list the shares, or set `allow_empty: true` if nobody is to have any"]
    return []


def schema_refusal(live: ObservedAcl) -> str:
    """Return why nothing is done to an ACL of a newer schema, "" where it has none."""
    newer = live.newer_schema
    if not newer or live.index is None:
        return ""
    writer = live.index.annotations.get(WRITER_ANNOTATION) or "something that left no name"
    return (
        f"The ACL in ConfigMap {INDEX_NAME} has schema {newer}, written by {writer}; this version of the collection "
        f"({SCHEMA} is the newest schema that it knows) would not understand it: run a version that does"
    )


def quota_warnings(publication: Publication, quotas: Iterable[Quota]) -> list[str]:
    """Return a sentence for each bound on ConfigMaps that the publication, carried out whole, would run into."""
    new = sum(change.action == CREATE for change in (*publication.parts, publication.index) if change is not None)
    return [
        f"ResourceQuota {quota.name} has {max(left, 0)} of {key} left and the plan needs {new}: some of its changes would "
        "fail, and the ACL that stands would stay; raise the quota"
        for quota in quotas
        for key, left in quota.left.items()
        if key in ("configmaps", "count/configmaps") and new > max(left, 0)
    ]


def effects_of(comparison: Comparison, namespace: str) -> tuple[Change, ...]:
    """Return a change without steps for each sentence about what becomes different for people."""
    actions = {GAIN: CREATE, LOSS: DELETE, CHANGE: UPDATE}
    return tuple(
        Change(actions[told.what], ACL, namespace, told.share, told.text, owner=told.who, effect=True)
        for told in comparison.told
    )
