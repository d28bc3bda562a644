# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of an inventory, a file or a hub, made into entries of one form, or refused.

What is refused here is the form: types, names, keys, duplicates. Whether a quantity, a label or a claim's name is a
valid one is decided where these are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..metadata import STATES
from ..text import did_you_mean
from ..validation import (
    NOTHING,
    PlacedList,
    described,
    is_plain,
    quoting,
    shown,
    text_of,
    texts_of,
    user_name_error,
)

KNOWN_KEYS = ("name", "server", "claim", "size", "storage_class", "labels", "annotations", "state")


def _nothing() -> Mapping[str, str]:
    return NOTHING


@dataclass(frozen=True)
class UserSpec:
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


def owner_text(user: str, server: str) -> str:
    """Return an owner for messages: `alice`, `alice (server lab)`."""
    return f"{user} (server {server})" if server else user


def parse_users(raw: object, source: str) -> tuple[list[UserSpec], list[str]]:
    """The entries of a list of users, and a sentence for each fault (without a full stop).

    ``raw`` is what YAML, JSON or Ansible made of the list: names, or mappings with ``KNOWN_KEYS``. ``source`` is what
    it is called in sentences: an option (``users``) or the name of a file. An item with a fault gives no entry, so the
    entries are of use only when there is no sentence. Nothing is trimmed or corrected.
    """
    if not isinstance(raw, (list, tuple)):
        return [], [
            f"{source}: {described(raw)} stands where a list of users should: "
            "write a list, each item a name or a mapping with `name`"
        ]
    lines = raw.lines if isinstance(raw, PlacedList) else None
    specs: list[UserSpec] = []
    refusals: list[str] = []
    seen: dict[object, int] = {}
    for index, item in enumerate(raw):
        position = f"{source}[{index}]" if lines is None else f"{source} line {lines[index]}"
        errors: list[str] = []
        if type(item) is str and is_plain(item):  # pylint: disable=unidiomatic-typecheck
            spec: UserSpec | None = _plain_spec(item, position)
        else:
            errors, spec = _read_item(item, position)
            refusals += [f"{position}: {error}" for error in errors]
        if spec is None:
            continue
        first = seen.setdefault((spec.name, spec.server) if spec.server else spec.name, index)
        if first != index:
            before = f"{source}[{first}]" if lines is None else f"{source} line {lines[first]}"
            refusals.append(f"{position}: {_whose(spec)} is listed already at {before}: remove one of the two")
        elif not errors:
            specs.append(spec)
    return specs, refusals


def specs_of_hub(users: Iterable[tuple[str, Iterable[str]]], source: str) -> list[UserSpec]:
    """Entries for the users of a hub, given as (name, names of their servers); one is always of the default server.

    A hub's own names are never refused: its authenticator may allow what ``parse_entries`` would not.
    """
    specs = []
    for name, servers in users:
        position = f"{source} user {shown(name)}"
        specs.append(UserSpec(name=name, position=position))
        specs += [UserSpec(name=name, server=server, position=position) for server in servers if server]
    return specs


def _plain_spec(name: str, position: str) -> UserSpec:
    # A frozen dataclass sets all of its fields through slow calls; the defaults that are class attributes need none.
    # This is the way of 100,000 names, and takes a third of the time.
    spec = object.__new__(UserSpec)
    put = object.__setattr__
    put(spec, "name", name)
    put(spec, "labels", NOTHING)
    put(spec, "annotations", NOTHING)
    put(spec, "position", position)
    return spec


def _whose(spec: UserSpec) -> str:
    return f"{shown(spec.name)} with the server {shown(spec.server)}" if spec.server else shown(spec.name)


def _read_item(item: object, position: str) -> tuple[list[str], UserSpec | None]:
    """The faults of one item, and its entry when at least its name and server can be known."""
    if isinstance(item, str):
        error = user_name_error("name", item)
        return ([error], None) if error else ([], _plain_spec(item, position))
    if not isinstance(item, Mapping):
        if isinstance(item, (list, tuple)):
            return ["a list stands where a user should: write a name or a mapping with `name`"], None
        return [f"{described(item)} stands where a name should: {quoting(item)}"], None

    errors = [
        f"the key {shown(str(key))} is unknown{did_you_mean(str(key), KNOWN_KEYS)}: known are {', '.join(KNOWN_KEYS)}"
        for key in item
        if key not in KNOWN_KEYS
    ]
    name = _name_of(item, "name", errors)
    server = _name_of(item, "server", errors)
    claim = text_of(item, "claim", errors)
    size = item.get("size")
    if isinstance(size, int) and not isinstance(size, bool):
        size = str(size)
    elif size is not None and not isinstance(size, str):
        errors.append(f"`size` is {described(size)}: write a quantity such as `10Gi`")
    elif size == "":
        errors.append("`size` is empty: leave it out, or write a quantity such as `10Gi`")
    storage_class = text_of(item, "storage_class", errors, may_be_empty=True)
    labels = texts_of(item, "labels", errors)
    annotations = texts_of(item, "annotations", errors)
    state = text_of(item, "state", errors)
    if state is not None and state not in STATES:
        errors.append(f"`state` is {shown(state)}{did_you_mean(state, STATES)}: write one of {', '.join(STATES)}.")
    if name is None or server is None:
        return errors, None
    return errors, UserSpec(
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


def _name_of(item: Mapping[Any, object], key: str, errors: list[str]) -> str | None:
    """The name of the user or of the server; None, and a fault, when it is no name. A server may be left out."""
    value = item.get(key)
    if key == "server" and (value is None or value == ""):
        return ""
    if key == "name" and key not in item:
        errors.append("`name` is missing: each user needs one")
        return None
    if not isinstance(value, str):
        errors.append(f"`{key}` is {described(value)}, not a name: {quoting(value)}")
        return None
    error = user_name_error("name" if key == "name" else "name of the server", value)
    if error:
        errors.append(error)
        return None
    return value
