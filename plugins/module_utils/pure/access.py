# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: UP006, UP035  (Python 3.8 has no list[str])

"""The access rules: who gets which share, how, and by which rule. docs/levels.md says the same for people.

This very file also runs inside the hub. So it is one file, keeps to Python 3.8 and to the standard library, imports nothing
of the collection, and does no I/O. A caller reads the ACL's texts and hands them over:

    index = load_index(text, digest)                    # which parts are in force
    shares = load_shares(text, index["shares"])         # every share, and the groups it is granted to
    members = load_members(text, index["members"][prefix_of(person, index["digits"])])  # None where no such prefix
    decision = decide(shares, members, person, hub_groups, asked, today, home, roots)

What does not validate grants nothing. Names of people and groups are compared as they are, code point by code point.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import unicodedata
from datetime import date, datetime
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

SCHEMA = 1
LEVELS = ("public", "private", "secret")
INDEX_NAME = "odh-persistency-acl"
INDEX_KEY = "index.json"
PART_KEY = "part.json"
#: Where a group comes from is part of its name: "analysts" is the inventory's, these are the hub's and OpenShift's.
HUB = "hub:"
OPENSHIFT = "openshift:"
MODES = {"ro": "read only", "rw": "read and write"}

_MOST_DIGITS = 4
_LARGEST_GID = 2**31 - 1
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_PREFIX = re.compile(r"[0-9a-f]*\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")  # RFC 1123 subdomain


class AccessError(ValueError):
    """A part of the ACL that grants nothing, and why. `faults` has a sentence for each thing that is wrong."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


# --- Texts, digests and names -------------------------------------------------------------------------------------------


def canonical(data: Any) -> str:
    """The one text that stands for this data. Raises ValueError for what JSON has no word for (NaN)."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hex."""
    # A lone surrogate has no UTF-8. It gets a digest all the same, and validation refuses it as a name.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def prefix_of(person: str, digits: int) -> str:
    """Which membership part has a person: the first `digits` hex digits of the hash of the name."""
    return digest_of(person)[:digits]


def shares_name(digest: str) -> str:
    """The name of the ConfigMap with the shares part of that digest."""
    return f"{INDEX_NAME}-shares-{digest[:16]}"


def members_name(prefix: str, digest: str) -> str:
    """The name of the ConfigMap with the membership part of that prefix and digest."""
    return f"{INDEX_NAME}-members-{prefix or 'all'}-{digest[:16]}"


# --- Validated parts ----------------------------------------------------------------------------------------------------


class _Share(NamedTuple):
    """A share as the rules read it: nothing here can change after it was validated."""

    name: str
    level: str
    claim: str
    path: str
    gid: Optional[int]
    until: Optional[date]
    everyone: bool
    read: FrozenSet[str]
    write: FrozenSet[str]


class _Record(NamedTuple):
    """A person's groups, and the shares that name the person directly."""

    groups: FrozenSet[str]
    read: FrozenSet[str]
    write: FrozenSet[str]


_NOBODY = _Record(frozenset(), frozenset(), frozenset())


class SharesPart(Dict[str, Any]):
    """A shares part that is valid: making one validates, and raises AccessError.

    decide() and grants_of() take it for what it was at that moment: a later change of the dictionary changes no decision. A copy
    is a plain dictionary, which is validated anew.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        faults = shares_faults(data)
        if faults:
            raise AccessError(faults)
        super().__init__(data)
        self.rules = tuple(_share_of(name, share) for name, share in sorted(data["shares"].items()))

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class MembersPart(Dict[str, Any]):
    """A membership part that is valid; otherwise like SharesPart."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        faults = members_faults(data)
        if faults:
            raise AccessError(faults)
        super().__init__(data)
        self.records = {person: _record_of(record) for person, record in data["people"].items()}

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


def _share_of(name: str, share: Mapping[str, Any]) -> _Share:
    return _Share(
        name=name,
        level=share["level"],
        claim=share["claim"],
        path=share["mount_path"],
        gid=share.get("gid"),
        until=date.fromisoformat(share["until"]) if "until" in share else None,
        everyone=share["read"]["everyone"],
        read=frozenset(share["read"]["groups"]),
        write=frozenset(share["write"]["groups"]),
    )


def _record_of(record: Mapping[str, Any]) -> _Record:
    return _Record(*(frozenset(record.get(key, ())) for key in _Record._fields))


def load_index(text: str, digest: str) -> Dict[str, Any]:
    """The index of that digest. Raises AccessError."""
    data = _parsed(text, digest, "the index")
    faults = index_faults(data)
    if faults:
        raise AccessError(faults)
    return dict(data)


def load_shares(text: str, digest: str) -> SharesPart:
    """The shares part of that digest. Raises AccessError."""
    return SharesPart(_parsed(text, digest, "the shares part"))


def load_members(text: str, digest: str) -> MembersPart:
    """The membership part of that digest. Raises AccessError."""
    return MembersPart(_parsed(text, digest, "the membership part"))


def _parsed(text: str, digest: str, what: str) -> Any:
    if not isinstance(text, str):
        raise AccessError([f"{what} is {_shown(text)} and no text"])
    found = digest_of(text)
    if found != digest:
        raise AccessError([f"{what} has the digest {found}, and not {_shown(digest)}: it was changed or cut"])
    try:
        data = json.loads(text)
        # Nothing else is ever written; and a key that is there twice, or NaN, ends here.
        if canonical(data) != text:
            raise AccessError([f"{what} is not in the form in which it is written: something else wrote it"])
    except AccessError:
        raise
    except (ValueError, RecursionError) as error:
        raise AccessError([f"{what} is no JSON: {error}"]) from None
    return data


# --- Validation: a sentence for each fault, without a full stop -----------------------------------------------------------


def index_faults(data: Any) -> List[str]:
    """What is wrong with an index."""
    faults: List[str] = []
    if not _envelope("the index", data, ("digits", "shares", "members"), faults):
        return faults
    if not _is_number(data["digits"], _MOST_DIGITS):
        faults.append(f"the index: `digits` is {_shown(data['digits'])}, not a number from 0 to {_MOST_DIGITS}")
        return faults
    if not _is_text(data["shares"], _DIGEST):
        faults.append(f"the index: `shares` is {_shown(data['shares'])}, not a digest")
    for prefix, digest in _items("the index: `members`", data["members"], faults):
        if len(prefix) != data["digits"] or not _PREFIX.match(prefix):
            faults.append(f"the index: the prefix {_shown(prefix)} does not have {data['digits']} hex digits")
        if not _is_text(digest, _DIGEST):
            faults.append(f"the index: the prefix {_shown(prefix)} has {_shown(digest)}, not a digest")
    return faults


def shares_faults(data: Any) -> List[str]:
    """What is wrong with a shares part."""
    faults: List[str] = []
    if not _envelope("the shares part", data, ("shares",), faults):
        return faults
    paths: List[Tuple[List[str], str]] = []
    claims: Dict[str, str] = {}
    for name, share in _items("the shares part: `shares`", data["shares"], faults):
        if not _is_name(name):
            faults.append(f"share {_shown(name)}: no share can have this name")
        place = f"share {_shown(name)}"
        if not _has_keys(place, share, _SHARE_KEYS, ("gid", "until"), faults):
            continue
        _level_and_grants(place, share, faults)
        if not _is_name(share["claim"]):
            faults.append(f"{place}: `claim` is {_shown(share['claim'])}, which no claim is called")
        elif claims.setdefault(share["claim"], name) != name:
            faults.append(f"{place}: its claim {share['claim']} is that of share {_shown(claims[share['claim']])} too")
        wrong = path_fault(share["mount_path"])
        if wrong:
            faults.append(f"{place}: its mount path {wrong}")
        else:
            paths.append((share["mount_path"].split("/"), name))
        if "gid" in share and not _is_number(share["gid"], _LARGEST_GID):
            faults.append(f"{place}: `gid` is {_shown(share['gid'])}, not a number from 0 to {_LARGEST_GID}")
        if "until" in share and not _is_day(share["until"]):
            faults.append(f"{place}: `until` is {_shown(share['until'])}, not a day such as 2027-03-31")
    # In this order, what lies inside a path follows it at once.
    above: Tuple[List[str], str] = ([], "")
    for path, name in sorted(paths):
        if above[0] and path[: len(above[0])] == above[0]:
            where = "is" if path == above[0] else "lies inside"
            faults.append(f"share {_shown(name)}: its mount path {where} that of share {_shown(above[1])}")
        else:
            above = (path, name)
    return faults


def members_faults(data: Any) -> List[str]:
    """What is wrong with a membership part."""
    faults: List[str] = []
    if _envelope("the membership part", data, ("people",), faults):
        for person, record in _items("the membership part: `people`", data["people"], faults):
            if not _is_word(person):
                faults.append(f"the membership part: {_shown(person)} is nobody's name")
            faults += record_faults(record, f"person {_shown(person)}")
    return faults


def record_faults(record: Any, place: str) -> List[str]:
    """What is wrong with one person's entry in a membership part; `place` says whose it is."""
    faults: List[str] = []
    if _has_keys(place, record, (), _Record._fields, faults):
        for key, names in sorted(record.items()):
            _names(f"{place}: `{key}`", names, faults)
        if not faults:
            for group in record.get("groups", ()):
                if group.startswith(HUB) or group == OPENSHIFT:
                    why = "its members are the hub's to tell" if group.startswith(HUB) else "it names no group"
                    faults.append(f"{place}: the group {_shown(group)} cannot be stored, for {why}")
    return faults


def path_fault(path: Any) -> str:
    """Why nothing can be mounted at a path in any hub, as what follows "its mount path"; "" where it can."""
    if not isinstance(path, str) or not path:
        return f"is {_shown(path)}, not a path"
    if not path.startswith("/"):
        return f"{_shown(path)} is not absolute"
    if path != _normalised(path):
        return f"{_shown(path)} is not in its shortest form, {_shown(_normalised(path))}"
    if not path.isprintable() and any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        return f"{_shown(path)} contains a control character"
    if ":" in path:
        return f"{_shown(path)} contains a colon, which Kubernetes does not allow"
    if path == "/":
        return "is the whole file system"
    return ""


def place_fault(path: str, home: str, roots: Sequence[str]) -> str:
    """Why nothing can be mounted at a valid path in this hub, as what follows "its mount path"; "" where it can.

    `home` and `roots` are normalised. `home` may be empty: then only the roots count.
    """
    if home and (home == path or home.startswith(path + "/")):
        return f"{path} is the home" if home == path else f"{path} is above the home"
    if path in roots:
        return f"{path} is an allowed root itself, not a place below it"
    if not path.startswith(tuple(root.rstrip("/") + "/" for root in (home, *roots) if root)):
        return f"{path} is not below the home or another root that the hub allows"
    return ""


_SHARE_KEYS = ("level", "claim", "mount_path", "read", "write")


def _level_and_grants(place: str, share: Mapping[str, Any], faults: List[str]) -> None:
    level, read, write = share["level"], share["read"], share["write"]
    if level not in LEVELS:
        faults.append(f"{place}: `level` is {_shown(level)}, not one of {', '.join(LEVELS)}")
    if isinstance(write, dict) and "everyone" in write:
        faults.append(f"{place}: `write` has `everyone`, but nothing is everyone's to write")
    elif _has_keys(f"{place}: `write`", write, ("groups",), (), faults):
        _names(f"{place}: `write`", write["groups"], faults, _group_fault)
    if _has_keys(f"{place}: `read`", read, ("everyone", "groups"), (), faults):
        _names(f"{place}: `read`", read["groups"], faults, _group_fault)
        if not isinstance(read["everyone"], bool):
            faults.append(f"{place}: `everyone` is {_shown(read['everyone'])}, not true or false")
        elif read["everyone"] and level in ("private", "secret"):
            faults.append(f"{place}: everyone reads it, but it is {level}")
        elif not read["everyone"] and level == "public":
            faults.append(f"{place}: it is public, but not everyone reads it")


def _envelope(what: str, data: Any, keys: Tuple[str, ...], faults: List[str]) -> bool:
    """Whether data is a mapping of this schema with these keys; the newer schema goes before all other faults."""
    if isinstance(data, dict) and "schema" in data:
        schema = data["schema"]
        if type(schema) is not int:
            faults.append(f"{what}: `schema` is {_shown(schema)}, not the number {SCHEMA}")
            return False
        if schema != SCHEMA:
            age = "newer" if schema > SCHEMA else "older"
            faults.append(f"{what} has schema {_shown(schema)}, {age} than {SCHEMA}, the one that is understood here")
            return False
    return _has_keys(what, data, ("schema", *keys), (), faults)


def _has_keys(place: str, value: Any, needed: Tuple[str, ...], allowed: Tuple[str, ...], faults: List[str]) -> bool:
    """Whether value is a mapping that has what is needed; unknown keys are faults, but no reason to look no further."""
    if not isinstance(value, dict):
        faults.append(f"{place} is {_shown(value)}, not a mapping")
        return False
    missing = [key for key in needed if key not in value]
    if len(value) != len(needed) - len(missing) + sum(key in value for key in allowed):
        unknown = sorted(_shown(key) for key in value if key not in needed and key not in allowed)
        faults += [f"{place} has the unknown key {key}" for key in unknown]
    faults += [f"{place} lacks `{key}`" for key in missing]
    return not missing


def _items(place: str, value: Any, faults: List[str]) -> List[Tuple[str, Any]]:
    """The items of a mapping in the order of their names."""
    if not isinstance(value, dict):
        faults.append(f"{place} is {_shown(value)}, not a mapping")
        return []
    if not all(isinstance(key, str) for key in value):
        faults.append(f"{place} has a key that is no text")
        return []
    return sorted(value.items(), key=lambda item: item[0])


def _names(place: str, value: Any, faults: List[str], fault_of: Any = None) -> None:
    if not isinstance(value, list):
        faults.append(f"{place} is {_shown(value)}, not a list of names")
        return
    for name in value:
        if not _is_word(name):
            faults.append(f"{place} has {_shown(name)}, not a name")
        elif fault_of and fault_of(name):
            faults.append(f"{place} has the group {_shown(name)}, which {fault_of(name)}")


def _group_fault(name: str) -> str:
    return "has no name behind its source" if name in (HUB, OPENSHIFT) else ""


def _is_word(value: Any) -> bool:
    """Whether a value can be anybody's name: a text, not empty, that UTF-8 can write."""
    if not isinstance(value, str) or not value:
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _is_name(value: Any) -> bool:
    return _is_text(value, _NAME) and len(value) <= 253


def _is_text(value: Any, form: Any) -> bool:
    return isinstance(value, str) and form.match(value) is not None


def _is_number(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_day(value: Any) -> bool:
    if not _is_text(value, _DAY):
        return False
    try:
        return bool(date.fromisoformat(value))
    except ValueError:
        return False


def _normalised(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else posixpath.normpath(path)


def _shown(value: Any) -> str:
    """A value for a sentence: short, and never an error, however deep, large or odd it is."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return repr(value) if len(value) <= 80 else f"{value[:80]!r}..."
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "a huge number"
    if isinstance(value, float):
        return repr(value)
    kinds = ((dict, "a mapping"), (list, "a list"))
    return next((word for kind, word in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


# --- Decisions ----------------------------------------------------------------------------------------------------------


class Grant(NamedTuple):
    """What a person gets of one share: `mode` is ro or rw; `rule` is "named", "group NAME" or "everyone"."""

    mode: str
    rule: str


class Mount(NamedTuple):
    """One share to mount; `mode` is ro or rw."""

    share: str
    claim: str
    path: str
    mode: str
    gid: Optional[int]


class Verdict(NamedTuple):
    """What became of one share. `outcome` is ro, rw, ask (mounted when asked for) or -; `rule` says why, for people.

    Where `visible` is False the person must not be told that there is such a share: the rule is for administrators.
    """

    share: str
    level: str
    outcome: str
    rule: str
    visible: bool


class Decision(NamedTuple):
    """Mounts and verdicts, by the names of the shares. With faults, there is nothing but them."""

    mounts: List[Mount]
    verdicts: List[Verdict]
    faults: List[str]


def grants_of(
    shares: Union[SharesPart, Mapping[str, Any]],
    record: Optional[Mapping[str, Any]],
    hub_groups: Iterable[str],
    today: date,
) -> Dict[str, Grant]:
    """What a person may get of each share, by name, before secret and no write-down. Expired shares are left out.

    `record` is the person's entry of a membership part. For many people, hand in a SharesPart: it is validated once.
    Raises AccessError where the part or the record does not validate.
    """
    part = shares if isinstance(shares, SharesPart) else SharesPart(shares)
    faults = record_faults(record, "the person's record") if record is not None else []
    if faults:
        raise AccessError(faults)
    known = _NOBODY if record is None else _record_of(record)
    mine = known.groups.union(HUB + group for group in hub_groups)
    found = {}
    for share in part.rules:
        grant = None if share.until and share.until < today else _grant(share, known, mine)
        if grant:
            found[share.name] = grant
    return found


def decide(
    shares: Any,
    members: Any,
    person: str,
    hub_groups: Iterable[str] = (),
    asked: Iterable[str] = (),
    today: Optional[date] = None,
    home: str = "",
    roots: Iterable[str] = (),
) -> Decision:
    """Decide what one person's server mounts, and why. Never raises for bad data: then there are faults, and no mounts.

    `shares` and `members` are the parts (validated here unless load_shares and load_members made them; members is None
    where no part has the person). `hub_groups` are the hub's own names, without "hub:". `asked` are the secret shares that
    the person asked for; what is not theirs to ask for is passed over in silence, so that nobody learns which
    shares there are. `today` is the day in UTC and required. `home` and `roots` are where shares may be mounted.
    """
    faults: List[str] = []
    part = _valid(SharesPart, shares, faults)
    people = None if members is None else _valid(MembersPart, members, faults)
    groups = _words("the hub's groups", hub_groups, faults)
    wanted = _words("what was asked for", asked, faults)
    base, *allowed = [_root(path, faults) for path in (home, *_words("the allowed roots", roots, faults))]
    if not _is_word(person):
        faults.append(f"the person is {_shown(person)}, which is nobody's name")
    if not isinstance(today, date) or isinstance(today, datetime):
        faults.append(f"today is {_shown(today)}, not a date")
    if faults or part is None or today is None:
        return Decision([], [], faults)

    record = people.records.get(person, _NOBODY) if people else _NOBODY
    mine = record.groups.union(HUB + group for group in groups)
    verdicts: Dict[str, Verdict] = {}
    granted: List[Tuple[_Share, Grant]] = []
    for share in part.rules:
        grant = _grant(share, record, mine)
        if grant is None:
            outcome, why = "-", "not mounted: it is granted to others only"
        elif share.until and share.until < today:
            outcome, why = "-", f"not mounted: its last day was {share.until.isoformat()}"
        elif place_fault(share.path, base, allowed):
            outcome, why = "-", f"not mounted: its mount path {place_fault(share.path, base, allowed)}"
        elif share.level == "secret" and share.name not in wanted:
            outcome, why = "ask", f"mounted only when asked for: {_told(grant)}"
        else:
            granted.append((share, grant))
            continue
        verdicts[share.name] = Verdict(share.name, share.level, outcome, why, grant is not None)

    secrets = [share.name for share, _grant in granted if share.level == "secret"]
    mounts = []
    for share, grant in granted:
        # No write-down: nothing of a mounted secret share may be written elsewhere, not even into another secret share.
        others = [name for name in secrets if name != share.name]
        mode, why = grant.mode, _told(grant)
        if others and mode == "rw":
            mode = "ro"
            noun, verb = ("share", "is") if len(others) == 1 else ("shares", "are")
            why = f"{MODES[mode]} while the secret {noun} {', '.join(others)} {verb} mounted, otherwise {why}"
        mounts.append(Mount(share.name, share.claim, share.path, mode, share.gid))
        verdicts[share.name] = Verdict(share.name, share.level, mode, why, True)
    return Decision(mounts, [verdicts[share.name] for share in part.rules], [])


def _grant(share: _Share, record: _Record, mine: FrozenSet[str]) -> Optional[Grant]:
    """The widest grant; of equally wide ones the person's own name, then the first group by name, then everyone."""
    if share.name in record.write:
        return Grant("rw", "named")
    if not share.write.isdisjoint(mine):
        return Grant("rw", f"group {min(share.write & mine)}")
    if share.name in record.read:
        return Grant("ro", "named")
    if not share.read.isdisjoint(mine):
        return Grant("ro", f"group {min(share.read & mine)}")
    return Grant("ro", "everyone") if share.everyone else None


def _told(grant: Grant) -> str:
    how = {"named": "named directly", "everyone": "as everyone may"}.get(grant.rule)
    return f"{MODES[grant.mode]}, {how or 'as a member of ' + grant.rule}"


def _valid(kind: Any, data: Any, faults: List[str]) -> Any:
    try:
        return data if isinstance(data, kind) else kind(data)
    except AccessError as error:
        faults += error.faults
        return None


def _words(what: str, value: Any, faults: List[str]) -> FrozenSet[str]:
    """A set of names from a caller. A single text is no list of its letters."""
    try:
        words = frozenset(() if isinstance(value, (str, bytes, dict)) else value)
    except TypeError:
        words = frozenset([None])
    if isinstance(value, (str, bytes, dict)) or not all(isinstance(word, str) for word in words):
        faults.append(f"{what}: {_shown(value)} is no list of names")
        return frozenset()
    return words


def _root(path: Any, faults: List[str]) -> str:
    """A root, normalised; an empty one is none."""
    if path == "":
        return ""
    plain = _normalised(path) if isinstance(path, str) else path
    wrong = path_fault(plain) if plain != "/" else ""
    if wrong:
        faults.append(f"the home or an allowed root {wrong}")
    return plain if isinstance(plain, str) else ""
