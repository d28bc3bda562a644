# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What our last publication granted: the ACL that guards compare with.

Whoever may write ConfigMaps in the namespace of the hub can write an ACL. What they add is no loss that an operator must
consent to, and what they break must not keep the operator from restoring it. So the index carries a mark that binds it to
the digest that our run published. An index whose mark does not match its text was written by somebody else. The mark is no
secret: whoever copies its formula passes as a run of ours, and guards then hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Optional

from ..._hub.acl_format import INDEX_KEY, INDEX_NAME, PART_KEY, SCHEMA, AccessError, canonical, digest_of
from .model import Acl
from .observed import (
    DIGEST_ANNOTATION,
    PUBLICATION_ANNOTATION,
    ConfigMap,
    ObservedAcl,
    PublishedAcl,
    acl_from,
    publication_mark,
    published_acl,
)

#: How many combinations of parts are tried to find the ACL of the last publication.
_MOST_TRIES = 512


@dataclass(frozen=True)
class Baseline:
    """The ACL of our last publication.

    `acl` is as much of it as is known (None: nothing is published, or nothing of it is known). `is_tampered` is whether
    somebody else changed it. `is_unchanged` is whether the inventory is the one that was published: then all other
    differences are somebody else's.
    """

    acl: Optional[Acl] = None
    is_tampered: bool = False
    is_unchanged: bool = False


def baseline_of(observed: ObservedAcl, published: PublishedAcl, namespace: str, possible: Collection[str]) -> Baseline:
    """Return the ACL of our last publication; `possible` are the digests that a run with the same inventory publishes."""
    index = observed.index
    if index is None:
        return Baseline()
    mark = index.annotations.get(PUBLICATION_ANNOTATION, "")
    text = index.text(INDEX_KEY)
    if mark == publication_mark(namespace, digest_of(text)):
        if not published.errors:
            return Baseline(published.acl)
        # The index is ours, and an annotation or parts are not: what can be read still counts.
        annotations = {**index.annotations, DIGEST_ANNOTATION: digest_of(text)}
        ours = published_acl(replace(observed, index=replace(index, annotations=annotations)))
        return Baseline(ours.acl, True, digest_of(text) in possible)
    if digest_of(text) in possible or any(mark == publication_mark(namespace, digest) for digest in possible):
        return Baseline(None, True, True)
    return Baseline(_recovered(observed, namespace, mark), True)


def is_newer_publication(observed: ObservedAcl, namespace: str) -> bool:
    """Return whether a run of a newer version published the ACL: it has a newer schema, and the mark of a publication."""
    if observed.index is None or not observed.newer_schema:
        return False
    mark = publication_mark(namespace, digest_of(observed.index.text(INDEX_KEY)))
    return observed.index.annotations.get(PUBLICATION_ANNOTATION) == mark


def _recovered(observed: ObservedAcl, namespace: str, mark: str) -> Optional[Acl]:
    """Return the ACL with this mark if all its parts still exist, or None."""
    texts = {name: part.text(PART_KEY) for name, part in observed.parts.items()}
    for index_text in islice(_indexes(observed), _MOST_TRIES):
        digest = digest_of(index_text)
        if mark == publication_mark(namespace, digest):
            try:
                return acl_from(index_text, digest, texts)
            except AccessError:
                return None
    return None


def _indexes(observed: ObservedAcl) -> Iterator[str]:
    """Yield the texts of indexes that the existing parts allow; those of parts that the index does not name first."""
    shares: list[ConfigMap] = []
    members: defaultdict[int, defaultdict[str, list[ConfigMap]]] = defaultdict(lambda: defaultdict(list))
    for part in sorted(observed.parts.values(), key=lambda part: _last_first(part, observed)):
        kind, *rest = part.name[len(INDEX_NAME) + 1 :].split("-")
        if kind == "shares":
            shares.append(part)
        else:
            prefix = "" if rest[0] == "all" else rest[0]
            members[len(prefix)][prefix].append(part)
    divisions: list[tuple[int, Mapping[str, list[ConfigMap]]]] = [*members.items(), (0, {})]
    for (digits, by_prefix), first in product(divisions, shares):
        for chosen in product(*by_prefix.values()):
            yield canonical(
                {
                    "schema": SCHEMA,
                    "digits": digits,
                    "shares": digest_of(first.text(PART_KEY)),
                    "members": {prefix: digest_of(part.text(PART_KEY)) for prefix, part in zip(by_prefix, chosen)},
                }
            )


def _last_first(part: ConfigMap, observed: ObservedAcl) -> tuple[bool, float, str]:
    last = max((time.timestamp() for time in (part.created, part.published) if time is not None), default=0.0)
    return part.name in observed.in_force, -last, part.name
