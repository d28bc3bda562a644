# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of an ACL stands on the cluster: its ConfigMaps, and what can be read of them.

Readers take the ACL whole or not at all. A run that compares may know more: where a part is broken, the others still say
what they said, so that what is lost by a repair, or by what is published over it, is not passed over in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Optional

from ..._hub.access import (
    INDEX_KEY,
    INDEX_NAME,
    PART_KEY,
    SCHEMA,
    AccessError,
    digest_of,
    load_index,
    load_members,
    load_shares,
    members_name,
    shares_name,
)
from ..times import parse_time
from .compile import acl_from
from .model import EMPTY, Acl

KIND_LABEL = "odh.persistency/kind"
INDEX = "acl-index"
PART = "acl-part"
SCHEMA_ANNOTATION = "odh.persistency/schema"
DIGEST_ANNOTATION = "odh.persistency/digest"
WRITER_ANNOTATION = "odh.persistency/writer"
PUBLISHED_ANNOTATION = "odh.persistency/published-at"
#: What one list asks for.
SELECTOR = f"{KIND_LABEL} in ({INDEX},{PART})"

#: Only what is named like this is ours to delete, whatever its labels say.
_PART_NAME = re.compile(re.escape(INDEX_NAME) + r"-(shares|members-(all|[0-9a-f]{1,4}))-[0-9a-f]{16}\Z")

_SHARES_PARTS = f"{INDEX_NAME}-shares-"


@dataclass(frozen=True)
class Stored:
    """One ConfigMap, as far as the ACL's are concerned."""

    name: str
    uid: str = ""
    resource_version: str = ""
    created: Optional[datetime] = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    has_binary: bool = False
    immutable: bool = False
    deleting: bool = False

    @property
    def label(self) -> str:
        """Return what its label says that it is, "" where it has none of ours."""
        return self.labels.get(KIND_LABEL, "")

    def has_labels(self, labels: Mapping[str, str]) -> bool:
        """Return whether it has all these labels; others do not matter."""
        return labels.items() <= self.labels.items()

    def text(self, key: str) -> str:
        """Return the text under a key, "" where there is none."""
        return self.data.get(key, "")

    @property
    def published(self) -> Optional[datetime]:
        """When the mark says that it was published, None where there is no mark that can be read."""
        return parse_time(self.annotations.get(PUBLISHED_ANNOTATION, ""))

    @property
    def schema(self) -> int:
        """The schema that its annotation says; 0 where it says none."""
        mark = self.annotations.get(SCHEMA_ANNOTATION, "")
        return int(mark) if re.match(r"[0-9]{1,9}\Z", mark) else 0


def stored_from(item: Mapping[str, Any]) -> Stored:
    """Return a ConfigMap as the API has it."""
    metadata = item["metadata"]
    return Stored(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        created=parse_time(metadata.get("creationTimestamp") or ""),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        data=item.get("data") or {},
        has_binary=bool(item.get("binaryData")),
        immutable=bool(item.get("immutable")),
        deleting="deletionTimestamp" in metadata,
    )


@dataclass(frozen=True)
class ObservedAcl:
    """All that one list showed: the index, where there is one, and the parts by name. What else has our labels is not ours."""

    index: Optional[Stored] = None
    parts: Mapping[str, Stored] = field(default_factory=dict)

    @cached_property
    def in_force(self) -> frozenset[str]:
        """The names of the parts that the index names, as far as it can be read, whether or not its digest is right."""
        index = self._index()
        return frozenset() if index is None else frozenset(_names_of(index))

    def _index(self) -> Optional[dict[str, Any]]:
        if self.index is None:
            return None
        text = self.index.text(INDEX_KEY)
        try:
            return load_index(text, digest_of(text))
        except AccessError:
            return None

    @property
    def newer_schema(self) -> int:
        """The schema of the ACL where it is newer than the one that is understood here; 0 where it is not."""
        if self.index is None:
            return 0
        try:
            data = json.loads(self.index.text(INDEX_KEY))
        except (ValueError, RecursionError):
            data = None
        said = data.get("schema") if isinstance(data, dict) else 0
        newest = max(self.index.schema, said if type(said) is int else 0)  # pylint: disable=unidiomatic-typecheck
        return newest if newest > SCHEMA else 0


def observed_acl_from(items: Iterable[Stored]) -> ObservedAcl:
    """Return what a list showed, by the names of its items."""
    index = None
    parts = {}
    for item in items:
        if item.name == INDEX_NAME:
            index = item
        elif _PART_NAME.match(item.name):
            parts[item.name] = item
    return ObservedAcl(index, parts)


@dataclass(frozen=True)
class PublishedAcl:
    """The ACL that stands. `digest` is that of the index ("" where none stands); `acl` is what can be read; `faults` say
    what cannot: with any, readers get nothing of what they concern.

    `levels` has the shares that stand, or stood last, whether or not readers take them: for their levels are not to be
    lowered by the way. None: there were some, and nobody can say which.
    """

    digest: str
    acl: Acl
    errors: tuple[str, ...] = ()
    levels: Optional[Acl] = EMPTY


def published_acl(live: ObservedAcl) -> PublishedAcl:
    """Return the ACL that stands, as far as it can be read."""
    found = _standing(live)
    if found.digest and not found.errors:
        return replace(found, levels=found.acl)
    return replace(found, levels=_levels(live))


def _levels(live: ObservedAcl) -> Optional[Acl]:
    """Return the shares of the part in force, or of the newest, whatever its digest; None where they cannot be read."""
    parts = [part for name, part in live.parts.items() if name.startswith(_SHARES_PARTS)]
    if not parts:
        return EMPTY if live.index is None else None
    epoch = datetime.min.replace(tzinfo=timezone.utc)
    newest = max(
        parts, key=lambda part: (part.name in live.in_force, part.published or part.created or epoch, part.name)
    )
    text = newest.text(PART_KEY)
    try:
        return Acl(load_shares(text, digest_of(text)), {})
    except AccessError:
        return None


def _standing(live: ObservedAcl) -> PublishedAcl:
    if live.index is None:
        return PublishedAcl("", EMPTY)
    digest = live.index.annotations.get(DIGEST_ANNOTATION, "")
    try:
        acl = acl_from(
            live.index.text(INDEX_KEY), digest, {name: part.text(PART_KEY) for name, part in live.parts.items()}
        )
    except AccessError:
        return _read_leniently(live, digest)
    return PublishedAcl(digest, acl)


def _read_leniently(live: ObservedAcl, digest: str) -> PublishedAcl:
    if live.index is None:
        return PublishedAcl(digest, EMPTY)
    text = live.index.text(INDEX_KEY)
    errors: list[str] = []
    try:
        load_index(text, digest)
    except AccessError as invalid:
        errors += invalid.errors
    try:
        index = load_index(text, digest_of(text))
    except AccessError:
        return PublishedAcl(digest, EMPTY, tuple(errors))
    shares: Mapping[str, Any] = EMPTY.shares
    name = shares_name(index["shares"])
    try:
        shares = load_shares(_text(live, name), index["shares"])
    except AccessError as invalid:
        errors += [f"{name}: {error}" for error in invalid.errors]
    people: dict[str, Mapping[str, Any]] = {}
    for prefix, part_digest in index["members"].items():
        name = members_name(prefix, part_digest)
        try:
            people.update(load_members(_text(live, name), part_digest)["people"])
        except AccessError as invalid:
            errors += [f"{name}: {error}" for error in invalid.errors]
    if not errors:
        # Each part reads well and yet the whole did not: somebody is in another part than the hash of the name says.
        errors.append("a membership part has people who belong into another one")
    return PublishedAcl(digest, Acl(shares, people), tuple(errors))


def _text(live: ObservedAcl, name: str) -> str:
    if name not in live.parts:
        raise AccessError(["the index names it, and it does not exist"])
    return live.parts[name].text(PART_KEY)


def _names_of(index: Mapping[str, Any]) -> list[str]:
    """Return the names of the parts of an index that is valid."""
    return [
        shares_name(index["shares"]),
        *(members_name(prefix, digest) for prefix, digest in index["members"].items()),
    ]
