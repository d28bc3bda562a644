# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of an inventory, a file or a hub, made into entries of one form, or refused.

What is refused here is the form: types, names, keys, duplicates. Whether a quantity, a label or a claim's name is a
valid one is decided where these are used.
"""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..text import did_you_mean

KNOWN_KEYS = ("name", "server", "claim", "size", "storage_class", "labels", "annotations", "state")

#: What may become of a home; an entry's own `state` goes before that of the run.
STATES = ("present", "retired", "absent")

_NOTHING: Mapping[str, str] = MappingProxyType({})

# Characters that str.strip() leaves, and that nobody sees: copied from web pages, or a byte order mark in mid-file.
_INVISIBLE = "\ufeff\u200b\u2060"


def _nothing() -> Mapping[str, str]:
    return _NOTHING


class PlacedList(list[Any]):
    """A list of users that knows where in its file each item begins: ``lines`` has one number an item, from 1."""

    def __init__(self, items: Iterable[Any], lines: list[int]) -> None:
        super().__init__(items)
        self.lines = lines


@dataclass(frozen=True)
class UserEntry:
    """One home that is wanted.

    ``size`` is the quantity as it was written, unchecked; ``storage_class`` may be the empty string, which Kubernetes
    reads as "no class at all", while None is "not said". ``position`` is for sentences: ``users[3]`` or
    ``users.csv line 12``.
    """

    name: str
    server: str = ""
    claim: str | None = None
    size: str | None = None
    storage_class: str | None = None
    labels: Mapping[str, str] = field(default_factory=_nothing)
    annotations: Mapping[str, str] = field(default_factory=_nothing)
    state: str | None = None
    position: str = ""


def parse_entries(raw: object, source: str) -> tuple[list[UserEntry], list[str]]:
    """The entries of a list of users, and a sentence for each fault (without a full stop).

    ``raw`` is what YAML, JSON or Ansible made of the list: names, or mappings with ``KNOWN_KEYS``. ``source`` is what
    it is called in sentences: an option (``users``) or the name of a file. An item with a fault gives no entry, so the
    entries are of use only when there is no sentence. Nothing is trimmed or corrected.
    """
    if not isinstance(raw, (list, tuple)):
        return [], [
            f"{source}: {_described(raw)} stands where a list of users should: "
            "write a list, each item a name or a mapping with `name`"
        ]
    lines = raw.lines if isinstance(raw, PlacedList) else None
    entries: list[UserEntry] = []
    refusals: list[str] = []
    seen: dict[object, int] = {}
    for index, item in enumerate(raw):
        position = f"{source}[{index}]" if lines is None else f"{source} line {lines[index]}"
        faults: list[str] = []
        if type(item) is str and _is_plain(item):  # pylint: disable=unidiomatic-typecheck
            entry: UserEntry | None = _plain_entry(item, position)
        else:
            faults, entry = _read_item(item, position)
            refusals += [f"{position}: {fault}" for fault in faults]
        if entry is None:
            continue
        first = seen.setdefault((entry.name, entry.server) if entry.server else entry.name, index)
        if first != index:
            before = f"{source}[{first}]" if lines is None else f"{source} line {lines[first]}"
            refusals.append(f"{position}: {_whose(entry)} is listed already at {before}: remove one of the two")
        elif not faults:
            entries.append(entry)
    return entries, refusals


def entries_of_hub(users: Iterable[tuple[str, Iterable[str]]], source: str) -> list[UserEntry]:
    """Entries for the users of a hub, given as (name, names of their servers); one is always of the default server.

    A hub's own names are never refused: its authenticator may allow what ``parse_entries`` would not.
    """
    entries = []
    for name, servers in users:
        position = f"{source} user {shown(name)}"
        entries.append(UserEntry(name=name, position=position))
        entries += [UserEntry(name=name, server=server, position=position) for server in servers if server]
    return entries


def shown(text: str, most: int = 80) -> str:
    """A text from outside, fit for a sentence: in quotes, what is invisible escaped, cut when it is long."""
    return repr(text) if len(text) <= most else f"{text[:most]!r}... ({len(text)} characters)"


def _plain_entry(name: str, position: str) -> UserEntry:
    # A frozen dataclass sets all of its fields through slow calls; the defaults that are class attributes need none.
    # This is the way of 100,000 names, and takes a third of the time.
    entry = object.__new__(UserEntry)
    put = object.__setattr__
    put(entry, "name", name)
    put(entry, "labels", _NOTHING)
    put(entry, "annotations", _NOTHING)
    put(entry, "position", position)
    return entry


def _is_plain(text: str) -> bool:
    """Whether nothing at all can be wrong with a name; False only says that it takes a closer look."""
    return text != "" and text.isprintable() and text[0] != " " and text[-1] != " " and "/" not in text


def _text_fault(what: str, text: str) -> str | None:
    """What is wrong with the name of a user or of a server, as JupyterHub sees it; None when nothing is.

    From JupyterHub 4 to 6, ``Authenticator.validate_username``: no ``/``, not empty, nothing that ``str.strip()``
    takes away. Unicode, blanks inside and upper case are allowed (only the default authenticators make names lower
    case). Its handlers refuse ``/`` in the name of a server.
    """
    if _is_plain(text):
        return None
    if not text.strip():
        return (
            f"the {what} is {'empty' if not text else 'nothing but white space'}: give the {what}, or remove the item"
        )
    if "/" in text:
        return f"the {what} {shown(text)} contains a `/`, which JupyterHub allows in no name: write it without"
    bare = text.strip().strip(_INVISIBLE).strip()
    if bare != text:
        return (
            f"the {what} {shown(text)} begins or ends with white space or an invisible character, and its home would "
            f"be a second one beside that of {shown(bare)}: remove what surrounds the name"
        )
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            return f"the {what} {shown(text)} is no valid Unicode text (half a surrogate pair): write it in UTF-8"
        if category in ("Cc", "Zl", "Zp"):
            return (
                f"the {what} {shown(text)} contains the control character {character!a}: "
                "remove it, or make two items if two lines ran together"
            )
    return None


def _whose(entry: UserEntry) -> str:
    return f"{shown(entry.name)} with the server {shown(entry.server)}" if entry.server else shown(entry.name)


def _described(value: object) -> str:
    """A value that has the wrong type, in words."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return f"the boolean `{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"the number {str(value)[:40]}"
    if isinstance(value, datetime.date):
        return f"the date {value.isoformat()}"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple, set)):
        return "a list"
    return f"a value of type {type(value).__name__}"


def _quoting(value: object) -> str:
    """The way out for a value that YAML or JSON took for something other than text."""
    if value is None:
        return 'write it in quotes if `null` or `~` is meant as text (`"null"`)'
    if isinstance(value, bool):
        return 'put it in quotes, for YAML reads `yes`, `no`, `on`, `off`, `true` and `false` as booleans (`"no"`)'
    if isinstance(value, (int, float, datetime.date)):
        return "put it in quotes, as it is written there"
    return "write it as text"


def _read_item(item: object, position: str) -> tuple[list[str], UserEntry | None]:
    """The faults of one item, and its entry when at least its name and server can be known."""
    if isinstance(item, str):
        fault = _text_fault("name", item)
        return ([fault], None) if fault else ([], _plain_entry(item, position))
    if not isinstance(item, Mapping):
        if isinstance(item, (list, tuple)):
            return ["a list stands where a user should: write a name or a mapping with `name`"], None
        return [f"{_described(item)} stands where a name should: {_quoting(item)}"], None

    faults = [
        f"the key {shown(str(key))} is unknown{did_you_mean(str(key), KNOWN_KEYS)}: known are {', '.join(KNOWN_KEYS)}"
        for key in item
        if key not in KNOWN_KEYS
    ]
    name = _name_of(item, "name", faults)
    server = _name_of(item, "server", faults)
    claim = _text_of(item, "claim", faults)
    size = item.get("size")
    if isinstance(size, int) and not isinstance(size, bool):
        size = str(size)
    elif size is not None and not isinstance(size, str):
        faults.append(f"`size` is {_described(size)}: write a quantity such as `10Gi`")
    elif size == "":
        faults.append("`size` is empty: leave it out, or write a quantity such as `10Gi`")
    storage_class = _text_of(item, "storage_class", faults, may_be_empty=True)
    labels = _texts_of(item, "labels", faults)
    annotations = _texts_of(item, "annotations", faults)
    state = _text_of(item, "state", faults)
    if state is not None and state not in STATES:
        faults.append(f"`state` is {shown(state)}{did_you_mean(state, STATES)}: write one of {', '.join(STATES)}.")
    if name is None or server is None:
        return faults, None
    return faults, UserEntry(
        name=name,
        server=server,
        claim=claim,
        size=size if isinstance(size, str) else None,
        storage_class=storage_class,
        labels=labels,
        annotations=annotations,
        state=state,
        position=position,
    )


def _name_of(item: Mapping[Any, object], key: str, faults: list[str]) -> str | None:
    """The name of the user or of the server; None, and a fault, when it is no name. A server may be left out."""
    value = item.get(key)
    if key == "server" and (value is None or value == ""):
        return ""
    if key == "name" and key not in item:
        faults.append("`name` is missing: each user needs one")
        return None
    if not isinstance(value, str):
        faults.append(f"`{key}` is {_described(value)}, not a name: {_quoting(value)}")
        return None
    fault = _text_fault("name" if key == "name" else "name of the server", value)
    if fault:
        faults.append(fault)
        return None
    return value


def _text_of(item: Mapping[Any, object], key: str, faults: list[str], may_be_empty: bool = False) -> str | None:
    value = item.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        faults.append(f"`{key}` is {_described(value)}, not text: {_quoting(value)}")
        return None
    if not value and not may_be_empty:
        faults.append(f"`{key}` is empty: leave it out, or give its value")
        return None
    return value


def _texts_of(item: Mapping[Any, object], key: str, faults: list[str]) -> Mapping[str, str]:
    value = item.get(key)
    if value is None:
        return _NOTHING
    if not isinstance(value, Mapping):
        faults.append(f"`{key}` is {_described(value)}, not a mapping of text to text: write `{key}: {{key: value}}`")
        return _NOTHING
    wrong = len(faults)
    for inner, text in value.items():
        if not isinstance(inner, str):
            faults.append(f"`{key}` has {_described(inner)} as a key: {_quoting(inner)}")
        elif not isinstance(text, str):
            faults.append(f"`{key}` has {_described(text)} under {shown(inner)}, not text: {_quoting(text)}")
    return MappingProxyType(dict(value)) if value and len(faults) == wrong else _NOTHING
