# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The access rules: which shares a server mounts, how, and why. docs/levels.md explains them to people.

The package `_hub` also runs inside the hub: Python 3.8, standard library only, no I/O. The caller reads the ACL:

    index = load_index(text, digest)                 # names the parts in force
    shares = load_shares(text, index["shares"])      # all shares, and the groups with grants
    members = load_members(text, index["members"][prefix_of(person, index["digits"])])  # None if there is no such prefix
    decision = decide(shares, members, SpawnRequest(person, hub_groups, requested, today, home, roots))

Invalid data grants nothing, and the decision says why. Names are compared exactly, character by character. Homes and
databases of hubs are never mounted as shares, whatever an ACL says (`reserved_claim`), because whoever may write ConfigMaps
in the namespace of the hub can write an ACL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple, Optional

from .acl_format import (
    HUB,
    RECORD_KEYS,
    AccessError,
    canonical,
    digest_of,
    index_errors,
    is_name,
    members_errors,
    normalised,
    path_error,
    place_error,
    record_errors,
    reserved_claim,
    shares_errors,
    shown,
)

MODES = {"ro": "read only", "rw": "read and write"}
#: The outcome of a secret share that is granted and not requested, and how its rule begins.
ASK = "ask"
ASK_PREFIX = "mounted only when asked for: "

# --- Decisions ----------------------------------------------------------------------------------------------------------


class Grant(NamedTuple):
    """What a person may get of one share: `mode` is ro or rw, `rule` is "named", "group NAME" or "everyone"."""

    mode: str
    rule: str


class Mount(NamedTuple):
    """A share to mount: `mode` is ro or rw, `gid` is the group of its files, if the share has one."""

    share: str
    claim: str
    path: str
    mode: str
    gid: Optional[int]


class Verdict(NamedTuple):
    """The decision on one share: `outcome` is ro, rw, ask (mounted when asked for) or -, and `rule` explains it to people.

    If `visible` is False, the person must not learn that the share exists: the rule is for administrators.
    """

    share: str
    level: str
    outcome: str
    rule: str
    visible: bool


class Decision(NamedTuple):
    """Mounts and verdicts sorted by share. With errors, both are empty.

    Errors name shares and people: show them to administrators and in logs, never to the person.
    """

    mounts: list[Mount]
    verdicts: list[Verdict]
    errors: list[str]


class SpawnRequest(NamedTuple):
    """The server for which access is decided.

    `hub_groups` are the person's groups by the hub's own names, without `hub:`. `requested` are the secret shares that the
    person asks for. `today`, in UTC, is required. `home` and `roots` are where this hub allows shares to be mounted.
    """

    person: str
    hub_groups: Iterable[str] = ()
    requested: Iterable[str] = ()
    today: Optional[date] = None
    home: str = ""
    roots: Iterable[str] = ()


class _Request(NamedTuple):
    """A valid spawn request, with normalised paths."""

    hub_groups: frozenset[str]
    requested: frozenset[str]
    today: date
    home: str
    roots: list[str]


def decide(shares: Any, members: Any, request: SpawnRequest) -> Decision:
    """Decide which shares a server mounts. Invalid data never raises: it grants nothing, and `errors` say why.

    `shares` and `members` are the parts, validated here unless load_shares and load_members made them. `members` is None
    if no part has the person. Requested shares that are not granted are ignored, like shares that do not exist.
    """
    errors: list[str] = []
    part = _validated(SharesPart, shares, errors)
    people = None if members is None else _validated(MembersPart, members, errors)
    valid = _valid_request(request, errors)
    if part is None or valid is None or errors:
        return Decision([], [], errors)

    record = _NO_RECORD if people is None else people.records.get(request.person, _NO_RECORD)
    groups = _groups(record, valid.hub_groups)
    verdicts: list[Verdict] = []
    given: list[tuple[int, _Share, Grant]] = []
    for share in part.rules:
        grant = _grant(share, record, groups)
        if grant is None:
            verdicts.append(share.hidden)
            continue
        outcome, why = _reason_not_to_mount(share, grant, valid)
        if outcome == "":
            given.append((len(verdicts), share, grant))
            verdicts.append(share.hidden)  # Replaced below, when it is known which secret shares are mounted.
        else:
            verdicts.append(Verdict(share.name, share.level, outcome, why, True))

    secrets = [share.name for _place, share, _grant in given if share.level == "secret"]
    mounts: list[Mount] = []
    for place, share, grant in given:
        mode, why = grant.mode, _describe(grant)
        # No write-down: data of a mounted secret share must not be written elsewhere, not even to another secret share.
        others = [name for name in secrets if name != share.name]
        if others and mode == "rw":
            which = f"share {others[0]} is" if len(others) == 1 else f"shares {', '.join(others)} are"
            mode, why = "ro", f"{MODES['ro']} while the secret {which} mounted, otherwise {why}"
        mounts.append(Mount(share.name, share.claim, share.path, mode, share.gid))
        verdicts[place] = Verdict(share.name, share.level, mode, why, True)
    return Decision(mounts, verdicts, [])


def grants_of(
    shares: Mapping[str, Any], record: Optional[Mapping[str, Any]], hub_groups: Iterable[str], today: date
) -> dict[str, Grant]:
    """Return what a person may get of each share by name, before requests and no write-down. Expired shares are omitted.

    `shares` is the part (for many people pass a SharesPart, which is validated once), `record` the person's record in a
    membership part, `hub_groups` the hub's own names, without `hub:`. Raises AccessError for invalid data.
    """
    part = shares if isinstance(shares, SharesPart) else SharesPart(shares)
    errors = [] if record is None else record_errors("the person", record)
    names = _names("the hub's groups", hub_groups, errors)
    if errors:
        raise AccessError(errors)
    known = _NO_RECORD if record is None else _record_of(record)
    groups = _groups(known, names)
    found = ((share.name, _grant(share, known, groups)) for share in part.rules if not _expired(share, today))
    return {name: grant for name, grant in found if grant}


def _grant(share: _Share, record: _Record, groups: frozenset[str]) -> Optional[Grant]:
    """Return the widest grant. Of equal ones the person's own wins, then the first group by name, then everyone's."""
    if share.name in record.write:
        return Grant("rw", "named")
    if not share.write.isdisjoint(groups):
        return Grant("rw", f"group {min(share.write & groups)}")
    if share.name in record.read:
        return Grant("ro", "named")
    if not share.read.isdisjoint(groups):
        return Grant("ro", f"group {min(share.read & groups)}")
    return Grant("ro", "everyone") if share.everyone else None


def _groups(record: _Record, hub_groups: frozenset[str]) -> frozenset[str]:
    return record.groups.union(HUB + group for group in hub_groups)


def _expired(share: _Share, today: date) -> bool:
    return share.until is not None and share.until < today


def _reason_not_to_mount(share: _Share, grant: Grant, request: _Request) -> tuple[str, str]:
    """Return the outcome and rule of a granted share that is not mounted, or two empty strings."""
    if _expired(share, request.today):
        return "-", f"not mounted: its last day was {share.until}"
    reserved = reserved_claim(share.claim)
    if reserved:
        return "-", f"not mounted: its claim is {reserved}"
    misplaced = place_error(share.path, request.home, request.roots)
    if misplaced:
        return "-", f"not mounted: its mount path {misplaced}"
    if share.level == "secret" and share.name not in request.requested:
        return ASK, ASK_PREFIX + _describe(grant)
    return "", ""


def _describe(grant: Grant) -> str:
    how = {"named": "named directly", "everyone": "as everyone may"}.get(grant.rule)
    return f"{MODES[grant.mode]}, {how or 'as a member of ' + grant.rule}"


def _valid_request(request: SpawnRequest, errors: list[str]) -> Optional[_Request]:
    """Return the validated request, or None with its errors appended."""
    hub_groups = _names("the hub's groups", request.hub_groups, errors)
    requested = _names("the requested shares", request.requested, errors)
    home = _root("home", request.home, errors) if request.home != "" else ""
    names = sorted(_names("the allowed roots", request.roots, errors))
    roots = [_root("allowed root", root, errors) for root in names]
    if not is_name(request.person):
        errors.append(f"the person is {shown(request.person)}, which is not a user name")
    today = request.today
    if not isinstance(today, date) or isinstance(today, datetime):
        errors.append(f"today is {shown(today)}, not a date")
        return None
    return None if errors else _Request(hub_groups, requested, today, home, roots)


def _validated(kind: Any, data: Any, errors: list[str]) -> Any:
    try:
        return data if isinstance(data, kind) else kind(data)
    except AccessError as error:
        errors += error.errors
        return None


def _names(what: str, value: Any, errors: list[str]) -> frozenset[str]:
    """Return the set of names that a caller passes. A string is not a list of its letters."""
    try:
        names = frozenset([None] if isinstance(value, (str, bytes, dict)) else value)
    except TypeError:
        names = frozenset([None])
    if all(isinstance(name, str) for name in names):
        return names
    errors.append(f"{what}: {shown(value)} is not a list of names")
    return frozenset()


def _root(what: str, path: Any, errors: list[str]) -> str:
    """Return a normalised path below which shares may be mounted. `/` is valid as a root, not as a home."""
    plain = normalised(path) if isinstance(path, str) else path
    wrong = "" if plain == "/" and what != "home" else path_error(plain)
    if wrong:
        errors.append(f"the {what} {wrong}")
    return plain if isinstance(plain, str) else ""


# --- Parts --------------------------------------------------------------------------------------------------------------


class _Share(NamedTuple):
    """A share in the form that the rules use."""

    name: str
    level: str
    claim: str
    path: str
    gid: Optional[int]
    until: Optional[date]
    everyone: bool
    read: frozenset[str]
    write: frozenset[str]
    hidden: Verdict


class _Record(NamedTuple):
    """A person's groups, and the shares that name the person."""

    groups: frozenset[str]
    read: frozenset[str]
    write: frozenset[str]


_NO_RECORD = _Record(frozenset(), frozenset(), frozenset())


class _Part(dict):  # type: ignore[type-arg]  # Python 3.8 allows dict[...] in annotations only
    """A valid part of the ACL. The constructor validates and raises AccessError.

    The rules use the data as it was then: later changes to the dictionary grant nothing. A copy is a plain dictionary,
    which is validated again.
    """

    def __init__(self, data: Any, errors: list[str]) -> None:
        if errors:
            raise AccessError(errors)
        super().__init__(data)

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class SharesPart(_Part):
    """A valid shares part."""

    def __init__(self, data: Any) -> None:
        super().__init__(data, shares_errors(data))
        self.rules = tuple(_share_of(name, share) for name, share in sorted(data["shares"].items()))


class MembersPart(_Part):
    """A valid membership part."""

    def __init__(self, data: Any) -> None:
        super().__init__(data, members_errors(data))
        self.records = {person: _record_of(record) for person, record in data["people"].items()}


def load_index(text: str, digest: str) -> dict[str, Any]:
    """Return the index with this digest. Raises AccessError."""
    data = _parsed("the index", text, digest)
    errors = index_errors(data)
    if errors:
        raise AccessError(errors)
    return dict(data)


def load_shares(text: str, digest: str) -> SharesPart:
    """Return the shares part with this digest. Raises AccessError."""
    return SharesPart(_parsed("the shares part", text, digest))


def load_members(text: str, digest: str) -> MembersPart:
    """Return the membership part with this digest. Raises AccessError."""
    return MembersPart(_parsed("the membership part", text, digest))


def _parsed(what: str, text: str, digest: str) -> Any:
    if not isinstance(text, str):
        raise AccessError([f"{what} is {shown(text)}, not a text"])
    if digest_of(text) != digest:
        raise AccessError([f"{what} does not match the digest {shown(digest)}: it was modified or truncated"])
    try:
        data = json.loads(text)
        same = canonical(data) == text
    except (ValueError, RecursionError) as error:
        raise AccessError([f"{what} is not valid JSON: {error}"]) from None
    if not same:  # This also rejects duplicate keys.
        raise AccessError([f"{what} is not canonical JSON: something other than this collection wrote it"])
    return data


def _share_of(name: str, share: Mapping[str, Any]) -> _Share:
    read, write, until = share["read"], share["write"], share.get("until")
    return _Share(
        name=name,
        level=share["level"],
        claim=share["claim"],
        path=share["mount_path"],
        gid=share.get("gid"),
        until=date.fromisoformat(until) if until else None,
        everyone=read["everyone"],
        read=frozenset(read["groups"]),
        write=frozenset(write["groups"]),
        hidden=Verdict(name, share["level"], "-", "not mounted: it is granted to others only", False),
    )


def _record_of(record: Mapping[str, Any]) -> _Record:
    return _Record(*(frozenset(record.get(key, ())) for key in RECORD_KEYS))
