# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From share entries and groups to the ACL, from the ACL to the texts that are stored, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._hub.access import (
    SCHEMA,
    AccessError,
    canonical,
    digest_of,
    load_index,
    load_members,
    load_shares,
    members_errors,
    members_name,
    prefix_of,
    shares_errors,
    shares_name,
)
from ..shares.groups import source_of
from ..shares.spec import ShareSpec
from ..validation import shown
from .model import Acl

SHARES = "shares"
MEMBERS = "members"

#: Bytes that a members part and the index have together at most, where the people can be spread like that.
MEMBERS_GOAL = 64 * 1024
#: Bytes that any ConfigMap of the ACL has at most; the API server's own bound is 1 MiB.
MOST = 512 * 1024
#: Of these, what its text may take: the rest is for names, labels and annotations.
MOST_TEXT = MOST - 4 * 1024
#: How many faults one sentence tells.
MOST_FAULTS = 10
#: How finely people may be spread: by none to four hex digits of the hash of the name.
_DIGITS = (0, 1, 2, 3, 4)
#: Bytes that the index takes: for a members part, and besides.
_INDEX_ENTRY = len(r"\"0000\":\"\",") + 64
_INDEX_REST = 1024


@dataclass(frozen=True)
class Part:
    """One part of a stored ACL: the name of its ConfigMap, what it holds (`shares` or `members`), the prefix of the
    hashes of its people's names ("" for the shares, and where all people are in one part), the digest of its text, and
    the text itself, canonical JSON."""

    name: str
    kind: str
    prefix: str
    digest: str
    text: str


@dataclass(frozen=True)
class Document:
    """An ACL as it is stored: the text of the index and its digest, and the parts by the names of their ConfigMaps, the
    shares first, then the members by prefix. Equal ACLs make equal documents, so equal digests."""

    digest: str
    index: str
    parts: Mapping[str, Part]


def compile_acl(shares: Sequence[ShareSpec], groups: Mapping[str, Sequence[str]], namespace: str) -> Acl:
    """Return the ACL of one namespace.

    `groups` has the members of the inventory's groups and, under names such as `openshift:analysts`, of the cluster's;
    all memberships are compiled in, also of groups that no share names. A group that a share names and that is not in
    `groups` has no members. Shares that are retired or absent, or that go to other namespaces only, are left out. The
    order of shares, groups and members changes nothing. Raises ValueError for a `hub:` group in `groups`: its
    members are looked up when a server starts, and stored nowhere.
    """
    records: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for group in sorted(groups):
        if source_of(group) == "hub":
            raise ValueError(f"the group {shown(group)} is the hub's own: its members cannot be compiled into the ACL")
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


def left_out(shares: Sequence[ShareSpec], namespace: str) -> dict[str, str]:
    """Return why entries are not in the ACL of a namespace, by the names of these shares, in a few words."""
    why = {share.name: f"share {share.state}" for share in shares if share.state in ("retired", "absent")}
    elsewhere = (share for share in shares if share.namespaces and namespace not in share.namespaces)
    return {**{share.name: f"its namespaces do not have {namespace}" for share in elsewhere}, **why}


def document_of(acl: Acl) -> Document:
    """Return the texts to store.

    People are spread over as few parts as keep the largest and the index, which names them all and which each spawn reads as
    well, below 64 KiB; where nothing does, over as many as make the two the smallest. Sizes are those of the ConfigMaps as the
    API transfers them, in JSON. Raises ValueError, with a sentence that says what to do, for what exceeds 512 KiB all the
    same, and for what the access rules would not take: one bad name would cost everybody in its part their shares.
    """
    errors = shares_errors(acl.shares) + members_errors({"schema": SCHEMA, "people": acl.people})
    if errors:
        raise ValueError(f"the ACL would grant nothing, for {'; '.join(errors[:MOST_FAULTS])}: correct the inventory")
    shares_text = canonical(acl.shares)
    shares_digest = digest_of(shares_text)
    parts = {shares_name(shares_digest): Part(shares_name(shares_digest), SHARES, "", shares_digest, shares_text)}
    if _weight(shares_text) > MOST_TEXT:
        raise ValueError(
            f"the {len(acl.by_name)} shares and their grants take {_weight(shares_text) // 1024} KiB, and an object of the ACL "
            f"may take {MOST // 1024} KiB: grant to fewer groups, or give the shares to several namespaces"
        )
    finest = _DIGITS[-1]
    specs = [
        (prefix_of(person, finest), f"{canonical(person)}:{canonical(acl.people[person])}")
        for person in sorted(acl.people)
    ]
    digits = _digits(specs)
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for prefix, spec in specs:
        texts[prefix[:digits]].append(spec)
    members: dict[str, str] = {}
    for prefix in sorted(texts):
        # As canonical() writes it, without writing each record a second time.
        text = f'{{"people":{{{",".join(texts[prefix])}}},"schema":{SCHEMA}}}'
        members[prefix] = digest_of(text)
        name = members_name(prefix, members[prefix])
        parts[name] = Part(name, MEMBERS, prefix, members[prefix], text)
    index = canonical({"schema": SCHEMA, "digits": digits, "shares": shares_digest, "members": members})
    return Document(digest_of(index), index, parts)


def acl_from(index_text: str, index_digest: str, part_texts: Mapping[str, str]) -> Acl:
    """Return the ACL that is stored: its index with the digest that stands beside it, and the parts' texts by the names of
    their ConfigMaps (more than the index names do no harm).

    Raises AccessError for whatever is missing, of another digest or of a wrong form: an ACL is read whole or not at all.
    """
    index = load_index(index_text, index_digest)
    shares = load_shares(_text(part_texts, shares_name(index["shares"])), index["shares"])
    people: dict[str, Mapping[str, Any]] = {}
    for prefix, digest in index["members"].items():
        name = members_name(prefix, digest)
        for person, record in load_members(_text(part_texts, name), digest)["people"].items():
            if prefix_of(person, index["digits"]) != prefix:
                raise AccessError([f"the part {name} has {shown(person)}, whose record belongs into another part"])
            people[person] = record
    return Acl(shares, people)


def _share(spec: ShareSpec) -> dict[str, Any]:
    compiled: dict[str, Any] = {
        "level": spec.level,
        "claim": spec.claim,
        "mount_path": spec.mount_path,
        "read": {
            "everyone": spec.level == "public" or spec.read.everyone,
            "groups": sorted(set(spec.read.groups)),
        },
        "write": {"groups": sorted(set(spec.write.groups))},
    }
    if spec.gid is not None:
        compiled["gid"] = spec.gid
    if spec.until is not None:
        compiled["until"] = spec.until
    return compiled


def _digits(specs: Sequence[tuple[str, str]]) -> int:
    """Return by how many digits the people are spread; `entries` are the finest prefixes and the records' texts."""
    sizes: defaultdict[str, int] = defaultdict(int)
    for prefix, spec in specs:
        sizes[prefix] += _weight(spec) + 1
    possible: dict[int, tuple[int, int]] = {}  # the largest part, and what one spawn reads of the index and it
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
            f"{len(specs)} people's memberships cannot be spread so that no object of the ACL takes more than "
            f"{MOST // 1024} KiB (the largest would take {smallest // 1024} KiB): give people fewer groups, or fewer names of "
            "their own in shares"
        )
    least = min(fitting.values())
    return min(digits for digits, read in fitting.items() if read <= max(least, MEMBERS_GOAL))


def _weight(text: str) -> int:
    """Return how many bytes a text takes when the API transfers it in JSON, where quotes and backslashes are escaped."""
    return len(text.encode("utf-8")) + text.count('"') + text.count("\\")


def _text(texts: Mapping[str, str], name: str) -> str:
    try:
        return texts[name]
    except KeyError:
        raise AccessError([f"the part {name}, which the index names, does not exist"]) from None
