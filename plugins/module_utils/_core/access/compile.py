# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compile share specs and groups to an ACL, and write an ACL as the texts to store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._hub.acl_format import (
    SCHEMA,
    canonical,
    digest_of,
    members_errors,
    members_name,
    prefix_of,
    shares_errors,
    shares_name,
)
from ..shares.groups import source_of
from ..shares.spec import ShareSpec
from ..validation import quoted
from .model import Acl

SHARES = "shares"
MEMBERS = "members"

#: The target size in bytes of a members part and the index together: a spawn reads both.
MEMBERS_GOAL = 64 * 1024
#: The size limit in bytes of a ConfigMap of the ACL; the API server's own limit is 1 MiB.
MOST = 512 * 1024
#: The part of it for the text: the rest is for names, labels and annotations.
MOST_TEXT = MOST - 4 * 1024
#: The number of errors that one sentence lists.
MOST_ERRORS = 10
#: The possible lengths of the prefixes that divide people into parts: hex digits of the hash of the name.
_DIGITS = (0, 1, 2, 3, 4)
#: The size in bytes of the index: per members part, and in addition.
_INDEX_ENTRY = len(r"\"0000\":\"\",") + 64
_INDEX_REST = 1024


@dataclass(frozen=True)
class Part:
    """A part of a stored ACL.

    `name` is the name of its ConfigMap, `kind` is `shares` or `members`, `prefix` is the prefix of the hashes of its people's
    names ("" for the shares, and if all people are in one part), `text` is canonical JSON, `digest` the digest of the text.
    """

    name: str
    kind: str
    prefix: str
    digest: str
    text: str


@dataclass(frozen=True)
class AclDocument:
    """An ACL in its stored form: the text of the index, its digest, and the parts by the names of their ConfigMaps (the
    shares first, then the members by prefix). Equal ACLs have equal documents and digests.

    `left_out` are the claims of shares that are not in it because they cannot be shares: the next run knows them by this.
    """

    digest: str
    index: str
    parts: Mapping[str, Part]
    left_out: tuple[str, ...] = ()


def compile_acl(shares: Sequence[ShareSpec], groups: Mapping[str, Sequence[str]], namespace: str) -> Acl:
    """Return the ACL of one namespace.

    `groups` has the members of the groups of the inventory and, under names such as `openshift:analysts`, of the cluster.
    All memberships are compiled, including those of groups without grants. A group with grants that is not in `groups`
    has no members. Shares that are retired or absent, or for other namespaces only, are omitted. The order of shares,
    groups and members is irrelevant. Raises ValueError for a `hub:` group in `groups`: its members are looked up when a
    server starts and never stored.
    """
    records: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for group in sorted(groups):
        if source_of(group) == "hub":
            raise ValueError(
                f"the group {quoted(group)} belongs to the hub: its members cannot be compiled into the ACL"
            )
        for member in set(groups[group]):
            records[member].setdefault("groups", []).append(group)
    compiled: dict[str, Any] = {}
    for share in sorted(shares, key=lambda spec: spec.name):
        if share.state in ("retired", "absent") or (share.namespaces and namespace not in share.namespaces):
            continue
        compiled[share.name] = _share(share)
        for right, grants in (("read", share.read), ("write", share.write)):
            for user in set(grants.users):
                records[user].setdefault(right, []).append(share.name)
    return Acl({"schema": SCHEMA, "shares": compiled}, dict(records))


def reasons_left_out(shares: Sequence[ShareSpec], namespace: str) -> dict[str, str]:
    """Return by name why shares are not in the ACL of a namespace, as short phrases."""
    why = {share.name: f"share {share.state}" for share in shares if share.state in ("retired", "absent")}
    elsewhere = (share for share in shares if share.namespaces and namespace not in share.namespaces)
    return {**{share.name: f"its namespaces do not include {namespace}" for share in elsewhere}, **why}


def document_of(acl: Acl) -> AclDocument:
    """Return the texts to store.

    People are divided into as few parts as keep the largest part and the index, which every spawn reads too, below 64 KiB
    together. If no division does, the one with the smallest sum is used. Sizes are those of the ConfigMaps in JSON, as the
    API transfers them. Raises ValueError, with a sentence, if an object would still exceed 512 KiB, and for data that the
    access rules reject: one invalid name would cost everybody in its part all shares.
    """
    errors = shares_errors(acl.shares) + members_errors({"schema": SCHEMA, "people": acl.people})
    if errors:
        raise ValueError(
            f"the ACL would be invalid and grant nothing ({'; '.join(errors[:MOST_ERRORS])}): correct the inventory"
        )
    shares_text = canonical(acl.shares)
    shares_digest = digest_of(shares_text)
    parts = {shares_name(shares_digest): Part(shares_name(shares_digest), SHARES, "", shares_digest, shares_text)}
    if _weight(shares_text) > MOST_TEXT:
        raise ValueError(
            f"the {len(acl.by_name)} shares and their grants take {_weight(shares_text) // 1024} KiB, but the limit for an "
            f"object of the ACL is {MOST // 1024} KiB: grant to fewer groups, or divide the shares among several namespaces"
        )
    finest = _DIGITS[-1]
    records = [
        (prefix_of(person, finest), f"{canonical(person)}:{canonical(acl.people[person])}")
        for person in sorted(acl.people)
    ]
    digits = _digits(records)
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for prefix, record in records:
        texts[prefix[:digits]].append(record)
    members: dict[str, str] = {}
    for prefix in sorted(texts):
        # As canonical() writes it, without writing each record a second time.
        text = f'{{"people":{{{",".join(texts[prefix])}}},"schema":{SCHEMA}}}'
        members[prefix] = digest_of(text)
        name = members_name(prefix, members[prefix])
        parts[name] = Part(name, MEMBERS, prefix, members[prefix], text)
    index = canonical({"schema": SCHEMA, "digits": digits, "shares": shares_digest, "members": members})
    return AclDocument(digest_of(index), index, parts)


def _share(record: ShareSpec) -> dict[str, Any]:
    compiled: dict[str, Any] = {
        "level": record.level,
        "claim": record.claim,
        "mount_path": record.mount_path,
        "read": {
            "everyone": record.level == "public" or record.read.everyone,
            "groups": sorted(set(record.read.groups)),
        },
        "write": {"groups": sorted(set(record.write.groups))},
    }
    if record.gid is not None:
        compiled["gid"] = record.gid
    if record.until is not None:
        compiled["until"] = record.until
    return compiled


def _digits(records: Sequence[tuple[str, str]]) -> int:
    """Return the length of the prefixes that divide people into parts; `records` are the longest prefixes and the records."""
    sizes: defaultdict[str, int] = defaultdict(int)
    for prefix, record in records:
        sizes[prefix] += _weight(record) + 1
    possible: dict[int, tuple[int, int]] = {}  # by digits: the size of the largest part, and of this part and the index
    for digits in _DIGITS:
        coarse: defaultdict[str, int] = defaultdict(int)
        for prefix, size in sizes.items():
            coarse[prefix[:digits]] += size
        index = len(coarse) * _INDEX_ENTRY + _INDEX_REST
        if index <= MOST_TEXT:
            largest = max(coarse.values(), default=0) + 64
            possible[digits] = largest, largest + index
    fitting = {digits: read for digits, (largest, read) in possible.items() if largest <= MOST_TEXT}
    if not fitting:
        smallest = min(largest for largest, _read in possible.values())
        raise ValueError(
            f"the memberships of {len(records)} people do not fit into objects of {MOST // 1024} KiB (the largest would take "
            f"{smallest // 1024} KiB): put people in fewer groups, or name fewer people directly in shares"
        )
    least = min(fitting.values())
    return min(digits for digits, read in fitting.items() if read <= max(least, MEMBERS_GOAL))


def _weight(text: str) -> int:
    """Return the size in bytes of a text as the API transfers it: in JSON, with escaped quotes and backslashes."""
    return len(text.encode("utf-8")) + text.count('"') + text.count("\\")
