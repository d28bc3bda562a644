# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the ConfigMaps that are live and the ACL that is wanted to a plan, in the order that keeps readers safe.

Readers take the index, then the parts that it names. So the parts come first, the index after all of them were read
back, and the clean-up last. Two runs may do this at once:

- The index is written over the very one that was planned against. Whoever comes second plans anew.
- A part that the index in force names is left alone. One that none names may be about to be deleted by another run, so
  whoever wants to name it writes its mark first: the deletion, which is pinned to what was listed, then fails.
- A part that no index names lives an hour longer, counted from when it was made or last marked, and at least from when
  the index in force was published, for until then another one may have named it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Optional

from ..access import INDEX_KEY, INDEX_NAME, PART_KEY, SCHEMA
from ..plan import CREATE, DELETE, KEEP, UPDATE, Change, Plan
from ..steps import CONFIG_MAPS, Step, create, delete, patch
from ..times import format_span, format_time
from .compile import Document, Part
from .live import DIGEST_MARK, INDEX, KIND, PART, PUBLISHED_MARK, SCHEMA_MARK, WRITER_MARK, Live, Stored

#: How long a part outlives the last index that may have named it: far longer than any reader takes from index to parts.
LINGERS = timedelta(hours=1)
#: How far a mark may lie in the future before it counts as wrong.
_CLOCKS_DIFFER = timedelta(minutes=10)


@dataclass(frozen=True)
class Settings:
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


def stands(live: Live, wanted: Document) -> bool:
    """Return whether the wanted ACL stands, so that every reader gets it: each text compared, not only its digest."""
    index = live.index
    return (
        index is not None
        and index.text(INDEX_KEY) == wanted.index
        and index.annotations.get(DIGEST_MARK) == wanted.digest
        and all(_reads(live.parts.get(name), part) for name, part in wanted.parts.items())
    )


def plan_publication(live: Live, wanted: Document, settings: Settings, effects: Sequence[Change] = ()) -> Publication:
    """Return what makes the wanted ACL stand, and what is due to be cleaned up."""
    in_force = live.in_force
    parts = tuple(
        plan_part(live.parts.get(name), part, name in in_force, settings) for name, part in wanted.parts.items()
    )
    index = _plan_index(live.index, wanted, settings)
    return Publication(parts, index, _leftovers(live, wanted, settings), tuple(effects))


def plan_removal(live: Live, settings: Settings, effects: Sequence[Change] = ()) -> Publication:
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
            steps=(_delete(live.index, settings),),
            subject=live.index,
        )
    parts = tuple(_removal(part, settings, "the ACL is to be absent") for _name, part in sorted(live.parts.items()))
    return Publication((), index, parts, tuple(effects))


def plan_part(live: Optional[Stored], part: Part, in_force: bool, settings: Settings) -> Change:
    """Return what becomes of one part that the index will name; `in_force` is whether the live one names it already."""

    def change(action: str, reason: str, *steps: Step) -> Change:
        return Change(action, PART, settings.namespace, part.name, reason, steps=steps, subject=part)

    made = create(CONFIG_MAPS, settings.namespace, _part_manifest(part, settings))
    if live is None:
        return change(CREATE, "the ACL needs it", made)
    if not _reads(live, part):
        return change(UPDATE, "it does not hold what its name says, so it is made anew", _delete(live, settings), made)
    marks = _part_marks(part)
    if not live.immutable or live.label != PART or any(live.annotations.get(key) != marks[key] for key in marks):
        fixed = {"metadata": {"labels": {KIND: PART}, "annotations": marks}, "immutable": True}
        return change(UPDATE, "its marks are not as they were written", _patch(live, fixed, settings))
    if not in_force:
        mark = {"metadata": {"annotations": {PUBLISHED_MARK: format_time(settings.now)}}}
        return change(
            UPDATE,
            "nothing named it, and the ACL needs it again: it is marked, so that no clean-up takes it",
            _patch(live, mark, settings),
        )
    return change(KEEP, "the ACL that stands has it already")


def _plan_index(live: Optional[Stored], wanted: Document, settings: Settings) -> Change:
    line = f"ACL {wanted.digest[:12]}"
    namespace = settings.namespace
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": INDEX_NAME, "labels": {KIND: INDEX}, "annotations": _index_marks(wanted, settings)},
        "data": {INDEX_KEY: wanted.index},
    }
    made = create(CONFIG_MAPS, namespace, manifest)
    if live is None:
        reason = f"no ACL stands yet; ACL {wanted.digest[:12]} is published"
        return Change(CREATE, INDEX, namespace, INDEX_NAME, reason, after=line, steps=(made,), subject=wanted)
    fault = _index_fault(live, wanted, settings)
    if not fault:
        return Change(KEEP, INDEX, namespace, INDEX_NAME, "the ACL stands as it is wanted", subject=wanted)
    steps: tuple[Step, ...]
    if live.immutable:
        # Nothing but its end can be done to it.
        steps = (_delete(live, settings), made)
    else:
        others = {key: None for key in live.data if key != INDEX_KEY}
        body = {
            "metadata": {"labels": {KIND: INDEX}, "annotations": _index_marks(wanted, settings)},
            "data": {**others, INDEX_KEY: wanted.index},
        }
        steps = (_patch(live, {**body, "binaryData": None} if live.has_binary else body, settings),)
    return Change(
        UPDATE,
        INDEX,
        namespace,
        INDEX_NAME,
        fault,
        before=f"ACL {_short(live)}",
        after=line,
        steps=steps,
        subject=wanted,
    )


def _index_fault(live: Stored, wanted: Document, settings: Settings) -> str:
    """Return why the index has to be written, "" where it has not. Who wrote it is no reason."""
    text = live.text(INDEX_KEY)
    if live.annotations.get(DIGEST_MARK) != wanted.digest:
        return f"ACL {wanted.digest[:12]} is published over ACL {_short(live)}"
    if text != wanted.index:
        return f"its text is not that of ACL {wanted.digest[:12]}, as which it is marked: it is written anew"
    if live.label != INDEX or live.annotations.get(SCHEMA_MARK) != str(SCHEMA) or set(live.data) != {INDEX_KEY}:
        return "its marks are not as they were written"
    if live.has_binary or live.immutable:
        return "somebody added to it what readers do not know"
    published = live.published
    if published is None or published > settings.now + _CLOCKS_DIFFER:
        return "when it was published cannot be read from its mark, and clean-up counts from that"
    return ""


def _leftovers(live: Live, wanted: Document, settings: Settings) -> tuple[Change, ...]:
    """Return the deletions that are due: parts that neither index names, since more than an hour."""
    named = live.in_force | wanted.parts.keys()
    changes = []
    for name, part in sorted(live.parts.items()):
        if name in named or part.deleting or part.schema > SCHEMA or part.created is None:
            continue
        moments = [part.created, part.published or part.created]
        if live.index is not None:
            # An index without a readable mark may have been published just now.
            moments.append(live.index.published or settings.now)
        idle = settings.now - max(moments)
        if idle > LINGERS:
            changes.append(_removal(part, settings, f"no index has named it for {format_span(idle)}"))
    return tuple(changes)


def _removal(part: Stored, settings: Settings, reason: str) -> Change:
    return Change(DELETE, PART, settings.namespace, part.name, reason, steps=(_delete(part, settings),), subject=part)


def _reads(live: Optional[Stored], part: Part) -> bool:
    """Return whether readers find in it what the part holds."""
    return live is not None and not live.deleting and live.text(PART_KEY) == part.text


def _part_marks(part: Part) -> dict[str, str]:
    return {SCHEMA_MARK: str(SCHEMA), DIGEST_MARK: part.digest}


def _index_marks(wanted: Document, settings: Settings) -> dict[str, str]:
    return {
        SCHEMA_MARK: str(SCHEMA),
        DIGEST_MARK: wanted.digest,
        WRITER_MARK: settings.writer,
        PUBLISHED_MARK: format_time(settings.now),
    }


def _part_manifest(part: Part, settings: Settings) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": part.name,
            "labels": {KIND: PART},
            "annotations": {**_part_marks(part), WRITER_MARK: settings.writer},
        },
        "immutable": True,
        "data": {PART_KEY: part.text},
    }


def _patch(live: Stored, changes: Mapping[str, Any], settings: Settings) -> Step:
    return patch(CONFIG_MAPS, settings.namespace, live.name, changes, live.resource_version, live.uid)


def _delete(live: Stored, settings: Settings) -> Step:
    return delete(CONFIG_MAPS, settings.namespace, live.name, live.uid, live.resource_version)


def _short(index: Stored) -> str:
    """Return what to call an ACL: the beginning of the digest that stands at its index."""
    return index.annotations.get(DIGEST_MARK, "")[:12] or "without a digest"
