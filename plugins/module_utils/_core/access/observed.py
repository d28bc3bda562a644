# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ACL in the cluster: its ConfigMaps, and what is readable in them.

Readers in the hub take an ACL completely or not at all. A run that compares ACLs uses all readable parts of a damaged one,
so that it can report what people lose when the ACL is repaired or replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Optional

from ..._hub.access import load_index, load_members, load_shares
from ..._hub.acl_format import (
    INDEX_KEY,
    INDEX_NAME,
    PART_KEY,
    SCHEMA,
    AccessError,
    digest_of,
    members_name,
    prefix_of,
    shares_name,
)
from ..times import parse_time
from ..validation import quoted
from .model import EMPTY, Acl

KIND_LABEL = "odh.persistency/kind"
INDEX = "acl-index"
PART = "acl-part"
SCHEMA_ANNOTATION = "odh.persistency/schema"
DIGEST_ANNOTATION = "odh.persistency/digest"
WRITER_ANNOTATION = "odh.persistency/writer"
PUBLISHED_ANNOTATION = "odh.persistency/published-at"
#: Binds the index and the parts to the digests that a run of this collection published, see `publication_mark`.
PUBLICATION_ANNOTATION = "odh.persistency/publication"
#: The claims that the run left out because they cannot be shares, as a JSON list.
LEFT_OUT_ANNOTATION = "odh.persistency/left-out"
#: The label selector that finds the index and all parts.
SELECTOR = f"{KIND_LABEL} in ({INDEX},{PART})"

#: Only ConfigMaps with such names may be deleted, whatever their labels say.
_PART_NAME = re.compile(re.escape(INDEX_NAME) + r"-(shares|members-(all|[0-9a-f]{1,4}))-[0-9a-f]{16}\Z")

_SHARES_PARTS = f"{INDEX_NAME}-shares-"


def publication_mark(namespace: str, digest: str) -> str:
    """Return the mark of a publication: it binds an object to the digest that a run of this collection published."""
    return digest_of(f"odh.persistency publication\n{namespace}\n{digest}")


@dataclass(frozen=True)
class ConfigMap:
    """An observed ConfigMap."""

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
    has_finalizers: bool = False

    @property
    def kind(self) -> str:
        """The value of the kind label, or ""."""
        return self.labels.get(KIND_LABEL, "")

    def has_labels(self, labels: Mapping[str, str]) -> bool:
        """Return whether it has all these labels, and possibly others."""
        return labels.items() <= self.labels.items()

    def missing_marks(self, labels: Mapping[str, Any], annotations: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the labels and annotations that it lacks (None: has too much), as the metadata of a patch.

        A patch of nothing else changes nothing if a policy of the cluster removes them again.
        """
        marks = {"labels": (labels, self.labels), "annotations": (annotations, self.annotations)}
        found = {
            kind: {key: value for key, value in desired.items() if observed.get(key) != value}
            for kind, (desired, observed) in marks.items()
        }
        return {kind: changed for kind, changed in found.items() if changed}

    def text(self, key: str) -> str:
        """Return the text under a key, or ""."""
        return self.data.get(key, "")

    @property
    def published(self) -> Optional[datetime]:
        """The time of publication by its annotation, or None if that is missing or invalid."""
        return parse_time(self.annotations.get(PUBLISHED_ANNOTATION, ""))

    @property
    def schema(self) -> int:
        """The schema by its annotation, or 0."""
        schema = self.annotations.get(SCHEMA_ANNOTATION, "")
        return int(schema) if re.match(r"[0-9]{1,9}\Z", schema) else 0

    @property
    def is_part_of_acl(self) -> bool:
        """Whether it was written by this collection, even if somebody removed its label."""
        return bool(self.kind) or DIGEST_ANNOTATION in self.annotations or INDEX_KEY in self.data


def config_map_from(item: Mapping[str, Any]) -> ConfigMap:
    """Return a ConfigMap from its object in the API."""
    metadata = item["metadata"]
    return ConfigMap(
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
        has_finalizers=bool(metadata.get("finalizers")),
    )


@dataclass(frozen=True)
class ObservedAcl:
    """The ConfigMaps of an ACL: the index, if it exists, and the parts by name.

    `is_name_taken` is whether a ConfigMap that is no index of ours has the name of the index.
    """

    index: Optional[ConfigMap] = None
    parts: Mapping[str, ConfigMap] = field(default_factory=dict)
    is_name_taken: bool = False

    @property
    def digest(self) -> str:
        """The digest in the annotation of the index, or ""."""
        return "" if self.index is None else self.index.annotations.get(DIGEST_ANNOTATION, "")

    @property
    def published_at(self) -> str:
        """The time of publication in the annotation of the index, or ""."""
        return "" if self.index is None else self.index.annotations.get(PUBLISHED_ANNOTATION, "")

    @cached_property
    def in_force(self) -> frozenset[str]:
        """The names of the parts that the index names, as far as it is readable, even if its digest is wrong."""
        index = self._index()
        return frozenset() if index is None else frozenset(_part_names(index))

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
        """The schema of the ACL if it is newer than the supported one, or 0. Readers know it from the text alone."""
        if self.index is None:
            return 0
        try:
            data = json.loads(self.index.text(INDEX_KEY))
        except (ValueError, RecursionError):
            data = None
        schema = data.get("schema") if isinstance(data, dict) else 0
        newest = schema if type(schema) is int else 0  # pylint: disable=unidiomatic-typecheck
        return newest if newest > SCHEMA else 0


def observed_acl_from(config_maps: Iterable[ConfigMap]) -> ObservedAcl:
    """Return the observed ACL. ConfigMaps with other names are ignored, whatever their labels."""
    index = None
    parts = {}
    for config_map in config_maps:
        if config_map.name == INDEX_NAME:
            index = config_map
        elif _PART_NAME.match(config_map.name):
            parts[config_map.name] = config_map
    return ObservedAcl(index, parts)


@dataclass(frozen=True)
class PublishedAcl:
    """The published ACL.

    `digest` is that of the index ("" if there is no index). `acl` is the readable part of the ACL. `errors` say what is
    unreadable: people whom this concerns get no shares. `is_complete` is whether the records of all people were read.
    """

    digest: str
    acl: Acl
    errors: tuple[str, ...] = ()
    is_complete: bool = True

    @property
    def title(self) -> str:
        """What sentences call it."""
        return f"ACL {self.digest[:12]}" if self.digest else "The ACL"


def acl_from(index_text: str, index_digest: str, part_texts: Mapping[str, str]) -> Acl:
    """Return a stored ACL from its index, the digest in the annotation of the index, and the texts of the parts by the names
    of their ConfigMaps (parts that the index does not name are ignored).

    Raises AccessError if anything is missing, invalid or has another digest: an ACL is read completely or not at all.
    """
    index = load_index(index_text, index_digest)
    shares = load_shares(_text(part_texts, shares_name(index["shares"])), index["shares"])
    people: dict[str, Mapping[str, Any]] = {}
    for prefix, digest in index["members"].items():
        name = members_name(prefix, digest)
        for person, record in load_members(_text(part_texts, name), digest)["people"].items():
            if prefix_of(person, index["digits"]) != prefix:
                raise AccessError([f"the part {name} has a record of {quoted(person)}, which belongs in another part"])
            people[person] = record
    return Acl(shares, people)


def published_acl(observed: ObservedAcl) -> PublishedAcl:
    """Return the published ACL as far as it is readable."""
    if observed.index is None:
        return PublishedAcl("", EMPTY)
    texts = {name: part.text(PART_KEY) for name, part in observed.parts.items()}
    try:
        acl = acl_from(observed.index.text(INDEX_KEY), observed.digest, texts)
    except AccessError:
        return _read_leniently(observed.index.text(INDEX_KEY), observed.digest, texts)
    return PublishedAcl(observed.digest, acl)


def earlier_levels(observed: ObservedAcl, namespace: str) -> dict[str, str]:
    """Return the levels of claims in shares parts that still exist, by the newest part that has the claim.

    So levels are not lowered unnoticed when the index is lost, or when a share was off the list for a while. Parts without
    the mark of a publication do not count: levels that somebody else writes must not hold a run back.
    """
    epoch = datetime.min.replace(tzinfo=timezone.utc)
    parts = [part for name, part in observed.parts.items() if name.startswith(_SHARES_PARTS)]
    levels: dict[str, str] = {}
    for part in sorted(parts, key=lambda part: (part.published or part.created or epoch, part.name), reverse=True):
        text = part.text(PART_KEY)
        if part.annotations.get(PUBLICATION_ANNOTATION) != publication_mark(namespace, digest_of(text)):
            continue
        try:
            shares = load_shares(text, digest_of(text))["shares"]
        except AccessError:
            continue
        for share in shares.values():
            levels.setdefault(share["claim"], share["level"])
    return levels


def _read_leniently(index_text: str, digest: str, texts: Mapping[str, str]) -> PublishedAcl:
    """Read what is readable of a damaged ACL, and collect the errors."""
    errors: list[str] = []
    try:
        load_index(index_text, digest)
    except AccessError as invalid:
        errors += invalid.errors
    try:
        index = load_index(index_text, digest_of(index_text))
    except AccessError:
        return PublishedAcl(digest, EMPTY, tuple(errors))
    shares: Mapping[str, Any] = EMPTY.shares
    name = shares_name(index["shares"])
    try:
        shares = load_shares(_text(texts, name), index["shares"])
    except AccessError as invalid:
        errors += [f"{name}: {error}" for error in invalid.errors]
    people: dict[str, Mapping[str, Any]] = {}
    for prefix, part_digest in index["members"].items():
        name = members_name(prefix, part_digest)
        try:
            people.update(load_members(_text(texts, name), part_digest)["people"])
        except AccessError as invalid:
            errors += [f"{name}: {error}" for error in invalid.errors]
    if not errors:
        # Each part is valid but the ACL is not: a record is in a part with another prefix than that of its person.
        errors.append("a membership part has people who belong in another part")
    return PublishedAcl(digest, Acl(shares, people), tuple(errors))


def _text(texts: Mapping[str, str], name: str) -> str:
    if name not in texts:
        raise AccessError(["the index names it, but it does not exist"])
    return texts[name]


def _part_names(index: Mapping[str, Any]) -> list[str]:
    """Return the names of the parts of a valid index."""
    return [
        shares_name(index["shares"]),
        *(members_name(prefix, digest) for prefix, digest in index["members"].items()),
    ]
