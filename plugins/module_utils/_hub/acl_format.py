# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stored form of the ACL: names of its ConfigMaps, canonical JSON, digests, and the validation of each part.

This file also runs inside the hub: Python 3.8, standard library only, no I/O. Each `..._errors` function returns one
sentence per error, without a full stop.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

SCHEMA = 1
LEVELS = ("public", "private", "secret")
INDEX_NAME = "odh-persistency-acl"
INDEX_KEY = "index.json"
PART_KEY = "part.json"
#: The source is part of a group's name: `analysts` is from the inventory, `hub:analysts` and `openshift:analysts` are not.
HUB = "hub:"
OPENSHIFT = "openshift:"
#: The keys of a person's record in a membership part.
RECORD_KEYS = ("groups", "read", "write")


class AccessError(ValueError):
    """Invalid data, which grants nothing. `errors` has one sentence per error."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(self.errors))


# --- Texts, digests and names -------------------------------------------------------------------------------------------


def canonical(data: Any) -> str:
    """Return the canonical JSON of data. Raises ValueError for values that JSON does not have (NaN)."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, in hex digits."""
    # A lone surrogate has no UTF-8 encoding. It gets a digest anyway; validation rejects it in names.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def prefix_of(person: str, digits: int) -> str:
    """Return the prefix of the membership part with a person: the first `digits` hex digits of the digest of the name."""
    return digest_of(person)[:digits]


def shares_name(digest: str) -> str:
    """Return the name of the ConfigMap with the shares part of this digest."""
    return f"{INDEX_NAME}-shares-{digest[:16]}"


def members_name(prefix: str, digest: str) -> str:
    """Return the name of the ConfigMap with the membership part of this prefix and digest."""
    return f"{INDEX_NAME}-members-{prefix or 'all'}-{digest[:16]}"


# --- Claims that are never shares -----------------------------------------------------------------------------------------

#: Claims with the databases of hubs. With `fullnameOverride: null`, Zero to JupyterHub puts the name of the release first.
_HUB_DATABASE = re.compile(r"(.+-)?hub-db-dir\Z|jupyterhub-db\Z", re.DOTALL)
#: Homes as KubeSpawner names them.
_SPAWNER_HOME = re.compile(r"claim-.+\Z", re.DOTALL)
#: Homes as the dashboard of Open Data Hub names them.
_DASHBOARD_HOME = re.compile(r"jupyterhub-nb-.+-pvc\Z", re.DOTALL)


def is_hub_database(claim: str) -> bool:
    """Return whether Zero to JupyterHub or classic Open Data Hub give the claim of a hub's database such a name."""
    return _HUB_DATABASE.match(claim) is not None


def is_spawner_home(claim: str) -> bool:
    """Return whether KubeSpawner gives homes such a name."""
    return _SPAWNER_HOME.match(claim) is not None


def is_dashboard_home(claim: str) -> bool:
    """Return whether the dashboard of Open Data Hub gives homes such a name."""
    return _DASHBOARD_HOME.match(claim) is not None


def reserved_claim(claim: str) -> str:
    """Return what a claim of this name is, whatever an ACL says ("a home by its name"), or "" if it can be a share.

    A hub never mounts such a claim as a share, so that whoever may write the ACL does not get homes and databases.
    """
    if is_hub_database(claim):
        return "the database of a hub by its name"
    return "a home by its name" if is_spawner_home(claim) or is_dashboard_home(claim) else ""


# --- Validation -----------------------------------------------------------------------------------------------------------

_WORD = re.compile(r"[^\ud800-\udfff]+\Z")  # not empty, and UTF-8 can encode it
_GROUP = re.compile(rf"(?!(?:{HUB}|{OPENSHIFT})\Z){_WORD.pattern}")
_STORED = re.compile(rf"(?!{HUB}|{OPENSHIFT}\Z){_WORD.pattern}")  # members of the hub's groups are not stored
_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z"
)  # of Kubernetes objects
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_MOST_DIGITS = 4
_LARGEST_GID = 2**31 - 1
_SHARE_KEYS = ("level", "claim", "mount_path", "read", "write")


def is_name(value: Any) -> bool:
    """Return whether a value can be the name of a person or a group."""
    return _is(_WORD, value)


def is_object_name(value: Any) -> bool:
    """Return whether a value can be the name of an object in Kubernetes."""
    return _is(_NAME, value)


def index_errors(data: Any) -> list[str]:
    """Return the errors of an index."""
    errors: list[str] = []
    if not _envelope("the index", data, ("digits", "shares", "members"), errors):
        return errors
    digits = data["digits"]
    if not _is_number(digits, _MOST_DIGITS):
        return [*errors, f"the index: `digits` is {shown(digits)}, not a number from 0 to {_MOST_DIGITS}"]
    if not _is(_DIGEST, data["shares"]):
        errors.append(f"the index: `shares` is {shown(data['shares'])}, not a digest")
    for prefix, digest in _items("the index: `members`", data["members"], errors):
        if not re.match(rf"[0-9a-f]{{{digits}}}\Z", prefix):
            errors.append(f"the index: the prefix {shown(prefix)} is not made of {digits} hex digits")
        if not _is(_DIGEST, digest):
            errors.append(f"the index: the prefix {shown(prefix)} has {shown(digest)}, not a digest")
    return errors


def shares_errors(data: Any) -> list[str]:
    """Return the errors of a shares part."""
    errors: list[str] = []
    if not _envelope("the shares part", data, ("shares",), errors):
        return errors
    paths: list[tuple[list[str], str]] = []
    claims: dict[str, str] = {}
    for name, share in _items("the shares part: `shares`", data["shares"], errors):
        place = f"share {shown(name)}"
        if not _is(_NAME, name):
            errors.append(f"{place}: this is not a valid share name")
        if not _has_keys(place, share, _SHARE_KEYS, ("gid", "until"), errors):
            continue
        claim, path, gid, until = (share.get(key) for key in ("claim", "mount_path", "gid", "until"))
        _grants_errors(place, share["level"], share["read"], share["write"], errors)
        if not _is(_NAME, claim):
            errors.append(f"{place}: `claim` is {shown(claim)}, not a valid claim name")
        elif claims.setdefault(claim, name) != name:
            errors.append(f"{place}: its claim {claim} is also the claim of share {shown(claims[claim])}")
        if path_error(path):
            errors.append(f"{place}: its mount path {path_error(path)}")
        else:
            paths.append((path.split("/"), name))
        if "gid" in share and not _is_number(gid, _LARGEST_GID):
            errors.append(f"{place}: `gid` is {shown(gid)}, not a number from 0 to {_LARGEST_GID}")
        if "until" in share and not _is_day(until):
            errors.append(f"{place}: `until` is {shown(until)}, not a day such as 2027-03-31")
    _nested_errors(paths, errors)
    return errors


def members_errors(data: Any) -> list[str]:
    """Return the errors of a membership part."""
    errors: list[str] = []
    if _envelope("the membership part", data, ("people",), errors):
        for person, record in _items("the membership part: `people`", data["people"], errors):
            if not _is(_WORD, person):
                errors.append(f"the membership part: {shown(person)} is not a user name")
            errors += record_errors(f"person {shown(person)}", record)
    return errors


def record_errors(place: str, record: Any) -> list[str]:
    """Return the errors of one person's record in a membership part; `place` names the person in the sentences."""
    errors: list[str] = []
    if _has_keys(place, record, (), RECORD_KEYS, errors):
        for key in sorted(record.keys() & {*RECORD_KEYS}):
            form, what = (_STORED, "the name of a stored group") if key == "groups" else (_WORD, "a name")
            _names(f"{place}: `{key}`", record[key], form, what, errors)
    return errors


def path_error(path: Any) -> str:
    """Return why no hub can mount anything at a path, as a phrase that follows "its mount path", or ""."""
    if not _is(_WORD, path):
        return f"is {shown(path)}, not a path"
    if not path.isprintable() and any(unicodedata.category(character) == "Cc" for character in path):
        return f"{shown(path)} contains a control character"
    if not path.startswith("/"):
        return f"{shown(path)} is not absolute"
    if path != normalised(path):
        return f"{shown(path)} is not in its shortest form, {shown(normalised(path))}"
    if path == "/":
        return "is the whole file system"
    return f"{shown(path)} contains a colon, which Kubernetes forbids" if ":" in path else ""


def place_error(path: str, home: str, roots: Sequence[str]) -> str:
    """Return why this hub mounts nothing at a valid path, as a phrase that follows "its mount path", or "".

    `home` ("" for none) and `roots` are normalised.
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


def normalised(path: str) -> str:
    """Return a path without `.`, `..`, doubled and trailing slashes (posixpath keeps two leading ones)."""
    return posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else posixpath.normpath(path)


def _nested_errors(paths: Iterable[tuple[list[str], str]], errors: list[str]) -> None:
    """Report shares with the same mount path, and shares inside others. Each path is the list of its parts."""
    above: tuple[list[str], str] = ([], "")
    for parts, name in sorted(paths):  # A path that lies inside another follows it directly.
        if above[0] and parts[: len(above[0])] == above[0]:
            where = "is" if parts == above[0] else "lies inside"
            errors.append(f"share {shown(name)}: its mount path {where} that of share {shown(above[1])}")
        else:
            above = (parts, name)


def _grants_errors(place: str, level: Any, read: Any, write: Any, errors: list[str]) -> None:
    if level not in LEVELS:
        errors.append(f"{place}: `level` is {shown(level)}, not one of {', '.join(LEVELS)}")
    if _has_keys(f"{place}: `read`", read, ("everyone", "groups"), (), errors):
        everyone = read["everyone"]
        if not isinstance(everyone, bool):
            errors.append(f"{place}: `everyone` is {shown(everyone)}, not true or false")
        elif everyone and level in ("private", "secret"):
            errors.append(f"{place}: it is {level}, but everyone may read it")
        elif level == "public" and not everyone:
            errors.append(f"{place}: it is public, but not everyone may read it")
        _names(f"{place}: `read`", read["groups"], _GROUP, "the name of a group", errors)
    if isinstance(write, dict) and "everyone" in write:
        errors.append(f"{place}: `write` has `everyone`, which no level allows")
    elif _has_keys(f"{place}: `write`", write, ("groups",), (), errors):
        _names(f"{place}: `write`", write["groups"], _GROUP, "the name of a group", errors)


def _envelope(what: str, data: Any, keys: tuple[str, ...], errors: list[str]) -> bool:
    """Return whether data is a mapping of this schema with these keys. Data of another schema is not examined further."""
    schema = data.get("schema", SCHEMA) if isinstance(data, dict) else SCHEMA
    if isinstance(schema, bool) or not isinstance(schema, int):
        errors.append(f"{what}: `schema` is {shown(schema)}, not a number")
    elif schema != SCHEMA:
        age = "newer" if schema > SCHEMA else "older"
        errors.append(f"{what} has schema {shown(schema)}, {age} than the supported schema {SCHEMA}")
    return not errors and _has_keys(what, data, ("schema", *keys), (), errors)


def _has_keys(place: str, value: Any, needed: Iterable[str], allowed: Iterable[str], errors: list[str]) -> bool:
    """Return whether value is a mapping with all needed keys. An unknown key is an error, but the rest can be validated."""
    if not isinstance(value, dict):
        errors.append(f"{place} is {shown(value)}, not a mapping")
        return False
    missing = [key for key in needed if key not in value]
    errors += [f"{place} lacks `{key}`" for key in missing]
    unknown = value.keys() - {*needed, *allowed}
    if unknown:
        errors += [f"{place} has the unknown key {key}" for key in sorted(map(shown, unknown))]
    return not missing


def _items(place: str, value: Any, errors: list[str]) -> list[tuple[str, Any]]:
    """Return the items of a mapping, sorted by name."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return sorted(value.items(), key=lambda item: item[0])
    errors.append(f"{place} is {shown(value)}, not a mapping of names")
    return []


def _names(place: str, value: Any, form: re.Pattern[str], what: str, errors: list[str]) -> None:
    if not isinstance(value, list):
        errors.append(f"{place} has {shown(value)}, not a list of names")
        return
    errors += [f"{place} has {shown(name)}, not {what}" for name in value if not _is(form, name)]


def _is(form: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and form.match(value) is not None


def _is_number(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _is_day(value: Any) -> bool:
    try:
        return _is(_DAY, value) and date.fromisoformat(value) is not None
    except ValueError:
        return False


def shown(value: Any) -> str:
    """Return a short form of any value for a sentence. Never raises, however deep or long the value is."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 80 else f"{value[:80]!r}..."
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**20):
        return str(value)
    words = {dict: "a mapping", list: "a list", int: "a huge number"}
    return next((word for kind, word in words.items() if isinstance(value, kind)), f"a {type(value).__name__}")
