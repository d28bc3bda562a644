# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The access rules: who mounts which share, how, and why. docs/levels.md tells people the same.

This very file also runs inside the hub. So it is one file, keeps to Python 3.8 and its standard library, imports nothing
of the collection, and does no I/O. Whoever reads the ACL hands its texts over:

    index = load_index(text, digest)                 # which parts are in force
    shares = load_shares(text, index["shares"])      # every share, and the groups that it is granted to
    members = load_members(text, index["members"][prefix_of(person, index["digits"])])  # None: there is no such prefix
    decision = decide(shares, members, person, hub_groups, asked, today, home, roots)

What does not validate grants nothing, and says why. Names are compared as they are, character by character.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, Optional

SCHEMA = 1
LEVELS = ("public", "private", "secret")
INDEX_NAME = "odh-persistency-acl"
INDEX_KEY = "index.json"
PART_KEY = "part.json"
#: Its source is part of a group's name: `analysts` is the inventory's, `hub:analysts` and `openshift:analysts` are not.
HUB = "hub:"
OPENSHIFT = "openshift:"
MODES = {"ro": "read only", "rw": "read and write"}


class AccessError(ValueError):
    """What grants nothing, and why: `faults` has a sentence for each thing that is wrong."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(self.errors))


# --- Decisions ----------------------------------------------------------------------------------------------------------


class Grant(NamedTuple):
    """What a person may get of one share: `mode` is ro or rw, `rule` is "named", "group NAME" or "everyone"."""

    mode: str
    rule: str


class Mount(NamedTuple):
    """A share to mount: `mode` is ro or rw, `gid` the group of its files, where the share says one."""

    share: str
    claim: str
    path: str
    mode: str
    gid: Optional[int]


class Verdict(NamedTuple):
    """What became of a share: `outcome` is ro, rw, ask (mounted when asked for) or -, and `rule` says why, for people.

    Where `visible` is False the person must not learn that there is such a share: the rule is for administrators.
    """

    share: str
    level: str
    outcome: str
    rule: str
    visible: bool


class Decision(NamedTuple):
    """Mounts and verdicts by the names of the shares; or, when there are faults, nothing but these.

    Faults name shares and people: they are for administrators and logs, never for the person.
    """

    mounts: list[Mount]
    verdicts: list[Verdict]
    errors: list[str]


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
    """Decide what one person's server mounts. Bad data never raises: it grants nothing, and the faults say why.

    `shares` and `members` are the parts, validated here unless load_shares and load_members made them; `members` is None
    where no part has the person. `hub_groups` are the hub's own names, without `hub:`. `asked` are the secret shares
    that the person asked for; what is not theirs to ask for is passed over in silence, like what does not exist.
    `today`, in UTC, is required. `home` and `roots` are where this hub lets shares be mounted.
    """
    errors: list[str] = []
    part = _validated(SharesPart, shares, errors)
    people = None if members is None else _validated(MembersPart, members, errors)
    groups = _words("the hub's groups", hub_groups, errors)
    desired = _words("what was asked for", asked, errors)
    base = _root("home", home, errors) if home != "" else ""
    allowed = [_root("allowed root", root, errors) for root in sorted(_words("the allowed roots", roots, errors))]
    if not _is(_WORD, person):
        errors.append(f"the person is {_shown(person)}, which is nobody's name")
    if not isinstance(today, date) or isinstance(today, datetime):
        errors.append(f"today is {_shown(today)}, not a date")
    if part is None or today is None or errors:
        return Decision([], [], errors)

    record = _NOBODY if people is None else people.records.get(person, _NOBODY)
    mine = _groups(record, groups)
    verdicts: list[Verdict] = []
    given: list[tuple[int, _Share, Grant]] = []
    for share in part.rules:
        grant = _grant(share, record, mine)
        if grant is None:
            verdicts.append(share.hidden)
            continue
        outcome, why = _held_back(share, grant, share.name in desired, today, base, allowed)
        if outcome == "":
            given.append((len(verdicts), share, grant))
            verdicts.append(share.hidden)  # Its own follows, once it is known which secret shares are mounted.
        else:
            verdicts.append(Verdict(share.name, share.level, outcome, why, True))

    secrets = [share.name for _place, share, _grant in given if share.level == "secret"]
    mounts: list[Mount] = []
    for place, share, grant in given:
        mode, why = grant.mode, _told(grant)
        # No write-down: what a mounted secret share holds must not be written elsewhere, be it another secret share.
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
    """What a person may get of each share, by its name: before secret and no write-down, expired shares left out.

    `shares` is the part (for many people a SharesPart, which is validated once), `record` the person's entry in a
    membership part, `hub_groups` the hub's own names, without `hub:`. Raises AccessError for what does not validate.
    """
    part = shares if isinstance(shares, SharesPart) else SharesPart(shares)
    errors = [] if record is None else record_errors("the person", record)
    groups = _words("the hub's groups", hub_groups, errors)
    if errors:
        raise AccessError(errors)
    known = _NOBODY if record is None else _record_of(record)
    mine = _groups(known, groups)
    found = ((share.name, _grant(share, known, mine)) for share in part.rules if not _expired(share, today))
    return {name: grant for name, grant in found if grant}


def _grant(share: _Share, record: _Record, mine: frozenset[str]) -> Optional[Grant]:
    """The widest grant; among equally wide ones the person's own, then the first group by name, then everyone's."""
    if share.name in record.write:
        return Grant("rw", "named")
    if not share.write.isdisjoint(mine):
        return Grant("rw", f"group {min(share.write & mine)}")
    if share.name in record.read:
        return Grant("ro", "named")
    if not share.read.isdisjoint(mine):
        return Grant("ro", f"group {min(share.read & mine)}")
    return Grant("ro", "everyone") if share.everyone else None


def _groups(record: _Record, hub_groups: frozenset[str]) -> frozenset[str]:
    return record.groups.union(HUB + group for group in hub_groups)


def _expired(share: _Share, today: date) -> bool:
    return share.until is not None and share.until < today


def _held_back(
    share: _Share, grant: Grant, asked: bool, today: date, home: str, roots: Sequence[str]
) -> tuple[str, str]:
    """Why a share that is granted is not mounted, as outcome and rule; empty where it is."""
    if _expired(share, today):
        return "-", f"not mounted: its last day was {share.until}"
    misplaced = place_error(share.path, home, roots)
    if misplaced:
        return "-", f"not mounted: its mount path {misplaced}"
    if share.level == "secret" and not asked:
        return "ask", f"mounted only when asked for: {_told(grant)}"
    return "", ""


def _told(grant: Grant) -> str:
    how = {"named": "named directly", "everyone": "as everyone may"}.get(grant.rule)
    return f"{MODES[grant.mode]}, {how or 'as a member of ' + grant.rule}"


def _validated(kind: Any, data: Any, errors: list[str]) -> Any:
    try:
        return data if isinstance(data, kind) else kind(data)
    except AccessError as error:
        errors += error.errors
        return None


def _words(what: str, value: Any, errors: list[str]) -> frozenset[str]:
    """The set of a caller's names. One text is not the list of its letters."""
    try:
        words = frozenset([None] if isinstance(value, (str, bytes, dict)) else value)
    except TypeError:
        words = frozenset([None])
    if all(isinstance(word, str) for word in words):
        return words
    errors.append(f"{what}: {_shown(value)} is not a list of names")
    return frozenset()


def _root(what: str, path: Any, errors: list[str]) -> str:
    """A path under which shares may be mounted, in its shortest form. The whole file system may be a root, not a home."""
    plain = _normalised(path) if isinstance(path, str) else path
    wrong = "" if plain == "/" and what != "home" else path_error(plain)
    if wrong:
        errors.append(f"the {what} {wrong}")
    return plain if isinstance(plain, str) else ""


# --- Texts, digests and names -------------------------------------------------------------------------------------------


def canonical(data: Any) -> str:
    """The one JSON text that stands for this data. Raises ValueError for what JSON cannot say (NaN)."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hex digits."""
    # Half a surrogate pair has no UTF-8: it gets a digest all the same, and validation refuses it as part of a name.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def prefix_of(person: str, digits: int) -> str:
    """Which membership part has a person: the first `digits` hex digits of the digest of the name."""
    return digest_of(person)[:digits]


def shares_name(digest: str) -> str:
    """The name of the ConfigMap with the shares part of that digest."""
    return f"{INDEX_NAME}-shares-{digest[:16]}"


def members_name(prefix: str, digest: str) -> str:
    """The name of the ConfigMap with the membership part of that prefix and digest."""
    return f"{INDEX_NAME}-members-{prefix or 'all'}-{digest[:16]}"


# --- Parts --------------------------------------------------------------------------------------------------------------


class _Share(NamedTuple):
    """A share as the rules read it."""

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


_NOBODY = _Record(frozenset(), frozenset(), frozenset())


class _Part(dict):  # type: ignore[type-arg]  # Python 3.8 has no dict[...] outside of annotations
    """A valid part of the ACL: there are no others, for making one validates and raises AccessError.

    The rules read what it was then, and never the dictionary again: changing that grants nothing. A copy is a plain
    dictionary, which is validated anew.
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
    """The index of that digest. Raises AccessError."""
    data = _parsed("the index", text, digest)
    errors = index_errors(data)
    if errors:
        raise AccessError(errors)
    return dict(data)


def load_shares(text: str, digest: str) -> SharesPart:
    """The shares part of that digest. Raises AccessError."""
    return SharesPart(_parsed("the shares part", text, digest))


def load_members(text: str, digest: str) -> MembersPart:
    """The membership part of that digest. Raises AccessError."""
    return MembersPart(_parsed("the membership part", text, digest))


def _parsed(what: str, text: str, digest: str) -> Any:
    if not isinstance(text, str):
        raise AccessError([f"{what} is {_shown(text)}, not a text"])
    if digest_of(text) != digest:
        raise AccessError([f"{what} does not have the digest {_shown(digest)}: it was changed, or cut off"])
    try:
        data = json.loads(text)
        same = canonical(data) == text
    except (ValueError, RecursionError) as error:
        raise AccessError([f"{what} cannot be read as JSON: {error}"]) from None
    if not same:  # A key that is there twice ends here too.
        raise AccessError([f"{what} is not written as the collection writes it: something else wrote it"])
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
    return _Record(*(frozenset(record.get(key, ())) for key in _Record._fields))


# --- Validation: a sentence for each fault, without its full stop ---------------------------------------------------------

_WORD = re.compile(r"[^\ud800-\udfff]+\Z")  # not empty, and UTF-8 can write it
_GROUP = re.compile(rf"(?!(?:{HUB}|{OPENSHIFT})\Z){_WORD.pattern}")
_STORED = re.compile(rf"(?!{HUB}|{OPENSHIFT}\Z){_WORD.pattern}")  # whose members the hub knows is not stored
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")  # of objects
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_MOST_DIGITS = 4
_LARGEST_GID = 2**31 - 1
_SHARE_KEYS = ("level", "claim", "mount_path", "read", "write")


def index_errors(data: Any) -> list[str]:
    """What is wrong with an index."""
    errors: list[str] = []
    if not _envelope("the index", data, ("digits", "shares", "members"), errors):
        return errors
    digits = data["digits"]
    if not _is_number(digits, _MOST_DIGITS):
        return [*errors, f"the index: `digits` is {_shown(digits)}, not a number from 0 to {_MOST_DIGITS}"]
    if not _is(_DIGEST, data["shares"]):
        errors.append(f"the index: `shares` is {_shown(data['shares'])}, not a digest")
    for prefix, digest in _items("the index: `members`", data["members"], errors):
        if not re.match(rf"[0-9a-f]{{{digits}}}\Z", prefix):
            errors.append(f"the index: the prefix {_shown(prefix)} is not made of {digits} hex digits")
        if not _is(_DIGEST, digest):
            errors.append(f"the index: the prefix {_shown(prefix)} has {_shown(digest)}, not a digest")
    return errors


def shares_errors(data: Any) -> list[str]:
    """What is wrong with a shares part."""
    errors: list[str] = []
    if not _envelope("the shares part", data, ("shares",), errors):
        return errors
    paths: list[tuple[list[str], str]] = []
    claims: dict[str, str] = {}
    for name, share in _items("the shares part: `shares`", data["shares"], errors):
        place = f"share {_shown(name)}"
        if not _is(_NAME, name):
            errors.append(f"{place}: no share can have this name")
        if not _has_keys(place, share, _SHARE_KEYS, ("gid", "until"), errors):
            continue
        claim, path, gid, until = (share.get(key) for key in ("claim", "mount_path", "gid", "until"))
        _grants_errors(place, share["level"], share["read"], share["write"], errors)
        if not _is(_NAME, claim):
            errors.append(f"{place}: `claim` is {_shown(claim)}, which no claim can be called")
        elif claims.setdefault(claim, name) != name:
            errors.append(f"{place}: its claim {claim} is that of share {_shown(claims[claim])} too")
        if path_error(path):
            errors.append(f"{place}: its mount path {path_error(path)}")
        else:
            paths.append((path.split("/"), name))
        if "gid" in share and not _is_number(gid, _LARGEST_GID):
            errors.append(f"{place}: `gid` is {_shown(gid)}, not a number from 0 to {_LARGEST_GID}")
        if "until" in share and not _is_day(until):
            errors.append(f"{place}: `until` is {_shown(until)}, not a day such as 2027-03-31")
    _nested_errors(paths, errors)
    return errors


def members_errors(data: Any) -> list[str]:
    """What is wrong with a membership part."""
    errors: list[str] = []
    if _envelope("the membership part", data, ("people",), errors):
        for person, record in _items("the membership part: `people`", data["people"], errors):
            if not _is(_WORD, person):
                errors.append(f"the membership part: {_shown(person)} is nobody's name")
            errors += record_errors(f"person {_shown(person)}", record)
    return errors


def record_errors(place: str, record: Any) -> list[str]:
    """What is wrong with one person's entry in a membership part; `place` says whose it is."""
    errors: list[str] = []
    if _has_keys(place, record, (), _Record._fields, errors):
        for key in sorted(record.keys() & _Record._fields):
            form, what = (_STORED, "the name of a group that is stored") if key == "groups" else (_WORD, "a name")
            _names(f"{place}: `{key}`", record[key], form, what, errors)
    return errors


def path_error(path: Any) -> str:
    """Why no hub can mount anything at a path, as what follows "its mount path"; "" where one may."""
    if not _is(_WORD, path):
        return f"is {_shown(path)}, not a path"
    if not path.isprintable() and any(unicodedata.category(character) == "Cc" for character in path):
        return f"{_shown(path)} contains a control character"
    if not path.startswith("/"):
        return f"{_shown(path)} is not absolute"
    if path != _normalised(path):
        return f"{_shown(path)} is not in its shortest form, {_shown(_normalised(path))}"
    if path == "/":
        return "is the whole file system"
    return f"{_shown(path)} contains a colon, which Kubernetes does not allow" if ":" in path else ""


def place_error(path: str, home: str, roots: Sequence[str]) -> str:
    """Why this hub mounts nothing at a valid path, as what follows "its mount path"; "" where it may.

    `home` ("" for none) and `roots` are in their shortest form.
    """
    if home == path:
        return f"{path} is the home"
    if home.startswith(path + "/"):
        return f"{path} is above the home {home}"
    if path in roots:
        return f"{path} is an allowed root itself, not below it"
    for root in (home, *roots):
        if root and path.startswith(root if root == "/" else root + "/"):
            return ""
    return f"{path} is not below the home or another root that this hub allows"


def _normalised(path: str) -> str:
    """A path without `.`, `..`, doubled and trailing slashes (posixpath leaves two at the beginning)."""
    return posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else posixpath.normpath(path)


def _nested_errors(paths: Iterable[tuple[list[str], str]], errors: list[str]) -> None:
    """No two shares in one place, and none inside another. Each path comes as the list of its parts."""
    above: tuple[list[str], str] = ([], "")
    for parts, name in sorted(paths):  # So that what lies inside a path follows it at once.
        if above[0] and parts[: len(above[0])] == above[0]:
            where = "is" if parts == above[0] else "lies inside"
            errors.append(f"share {_shown(name)}: its mount path {where} that of share {_shown(above[1])}")
        else:
            above = (parts, name)


def _grants_errors(place: str, level: Any, read: Any, write: Any, errors: list[str]) -> None:
    if level not in LEVELS:
        errors.append(f"{place}: `level` is {_shown(level)}, not one of {', '.join(LEVELS)}")
    if _has_keys(f"{place}: `read`", read, ("everyone", "groups"), (), errors):
        everyone = read["everyone"]
        if not isinstance(everyone, bool):
            errors.append(f"{place}: `everyone` is {_shown(everyone)}, not true or false")
        elif everyone and level in ("private", "secret"):
            errors.append(f"{place}: it is {level}, and everyone may read it")
        elif level == "public" and not everyone:
            errors.append(f"{place}: it is public, and not everyone may read it")
        _names(f"{place}: `read`", read["groups"], _GROUP, "the name of a group", errors)
    if isinstance(write, dict) and "everyone" in write:
        errors.append(f"{place}: `write` has `everyone`, which no level allows")
    elif _has_keys(f"{place}: `write`", write, ("groups",), (), errors):
        _names(f"{place}: `write`", write["groups"], _GROUP, "the name of a group", errors)


def _envelope(what: str, data: Any, keys: tuple[str, ...], errors: list[str]) -> bool:
    """Whether data is a mapping of our schema with these keys. Of another schema no more is said: nothing is known of it."""
    schema = data.get("schema", SCHEMA) if isinstance(data, dict) else SCHEMA
    if isinstance(schema, bool) or not isinstance(schema, int):
        errors.append(f"{what}: `schema` is {_shown(schema)}, not a number")
    elif schema != SCHEMA:
        age = "newer" if schema > SCHEMA else "older"
        errors.append(f"{what} has the schema {_shown(schema)}, {age} than {SCHEMA}, the one that is understood here")
    return not errors and _has_keys(what, data, ("schema", *keys), (), errors)


def _has_keys(place: str, value: Any, needed: Iterable[str], allowed: Iterable[str], errors: list[str]) -> bool:
    """Whether value is a mapping with all that is needed. An unknown key is a fault, but the rest can be looked at."""
    if not isinstance(value, dict):
        errors.append(f"{place} is {_shown(value)}, not a mapping")
        return False
    missing = [key for key in needed if key not in value]
    errors += [f"{place} lacks `{key}`" for key in missing]
    unknown = value.keys() - {*needed, *allowed}
    if unknown:
        errors += [f"{place} has the unknown key {key}" for key in sorted(map(_shown, unknown))]
    return not missing


def _items(place: str, value: Any, errors: list[str]) -> list[tuple[str, Any]]:
    """A mapping's items by their names."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return sorted(value.items(), key=lambda item: item[0])
    errors.append(f"{place} is {_shown(value)}, not a mapping of names")
    return []


def _names(place: str, value: Any, form: re.Pattern[str], what: str, errors: list[str]) -> None:
    if not isinstance(value, list):
        errors.append(f"{place} has {_shown(value)}, not a list of names")
        return
    errors += [f"{place} has {_shown(name)}, not {what}" for name in value if not _is(form, name)]


def _is(form: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and form.match(value) is not None


def _is_number(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _is_day(value: Any) -> bool:
    try:
        return _is(_DAY, value) and date.fromisoformat(value) is not None
    except ValueError:
        return False


def _shown(value: Any) -> str:
    """A value for a sentence: short, and never an error itself, however deep, long or odd it is."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 80 else f"{value[:80]!r}..."
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**20):
        return str(value)
    words = {dict: "a mapping", list: "a list", int: "a huge number"}
    return next((word for kind, word in words.items() if isinstance(value, kind)), f"a {type(value).__name__}")
