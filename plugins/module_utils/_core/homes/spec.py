# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of an inventory, a file or a hub as a list of UserSpec.

This module validates the form: types, names, keys and duplicates. `desired.py` validates quantities, labels and claim
names.
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
    describe_value,
    is_huge,
    is_plain,
    quoted,
    quoting_hint,
    text_of,
    texts_of,
    unknown_keys,
    user_name_error,
)

KNOWN_KEYS = ("name", "server", "claim", "size", "storage_class", "labels", "annotations", "state")


def _nothing() -> Mapping[str, str]:
    return NOTHING


@dataclass(frozen=True)
class UserSpec:
    """The entry of one home.

    ``size`` is the quantity as written, not validated. ``storage_class`` is None when it is not set; the empty string
    means no class to Kubernetes. ``position`` is for messages: ``users[3]`` or ``users.csv line 12``.
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
    #: Whether the hub named it. Users choose such names, so none of them may stop the run.
    from_hub: bool = False


def owner_text(user: str, server: str) -> str:
    """Return an owner for messages: `alice`, `alice (server lab)`."""
    return f"{user} (server {server})" if server else user


def parse_users(raw: object, source: str) -> tuple[list[UserSpec], list[str]]:
    """Return the entries of a list of users, and a message without a full stop for each error.

    ``raw`` is the list as YAML, JSON or Ansible parsed it: names, or mappings with ``KNOWN_KEYS``. ``source`` names it
    in messages: an option (``users``) or a file. An item with an error has no entry, so use the entries only without
    errors. Nothing is trimmed or corrected.
    """
    if not isinstance(raw, (list, tuple)):
        return [], [
            f"{source}: {describe_value(raw)} is not a list of users: write a list, each item a name or a mapping with `name`"
        ]
    lines = raw.lines if isinstance(raw, PlacedList) else None
    specs: list[UserSpec] = []
    rejected: list[str] = []
    seen: dict[object, int] = {}
    for index, item in enumerate(raw):
        position = f"{source}[{index}]" if lines is None else f"{source} line {lines[index]}"
        errors: list[str] = []
        if type(item) is str and is_plain(item):  # pylint: disable=unidiomatic-typecheck
            spec: UserSpec | None = _plain_spec(item, position)
        else:
            errors, spec = _read_item(item, position)
            rejected += [f"{position}: {error}" for error in errors]
        if spec is None:
            continue
        first = seen.setdefault((spec.name, spec.server) if spec.server else spec.name, index)
        if first != index:
            before = f"{source}[{first}]" if lines is None else f"{source} line {lines[first]}"
            rejected.append(f"{position}: {_named(spec)} is listed already at {before}: remove one of the two")
        elif not errors:
            specs.append(spec)
    return specs, rejected


def specs_of_hub(users: Iterable[tuple[str, Iterable[str]]], source: str) -> list[UserSpec]:
    """Return entries for the users of a hub, given as (name, names of their servers), one of them for the default server.

    The names of the hub are never rejected: its authenticator may allow names that ``parse_users`` does not.
    """
    specs = []
    for name, servers in users:
        position = f"{source} user {quoted(name)}"
        specs.append(UserSpec(name=name, position=position, from_hub=True))
        specs += [UserSpec(name=name, server=server, position=position, from_hub=True) for server in servers if server]
    return specs


def _plain_spec(name: str, position: str) -> UserSpec:
    # A frozen dataclass sets each field with a slow call. Leaving those that are class attributes to their defaults takes
    # a third of the time, which matters for 100,000 names.
    spec = object.__new__(UserSpec)
    put = object.__setattr__
    put(spec, "name", name)
    put(spec, "labels", NOTHING)
    put(spec, "annotations", NOTHING)
    put(spec, "position", position)
    return spec


def _named(spec: UserSpec) -> str:
    return f"{quoted(spec.name)} with server {quoted(spec.server)}" if spec.server else quoted(spec.name)


def _read_item(item: object, position: str) -> tuple[list[str], UserSpec | None]:
    """Return the errors of one item, and its entry if its name and server are valid."""
    if isinstance(item, str):
        error = user_name_error("name", item)
        return ([error], None) if error else ([], _plain_spec(item, position))
    if not isinstance(item, Mapping):
        if isinstance(item, (list, tuple)):
            return ["a list is not a user: write a name or a mapping with `name`"], None
        return [f"{describe_value(item)} is not a name: {quoting_hint(item)}"], None

    untyped: list[str] = []
    errors = [
        f"the key {quoted(key)} is unknown{did_you_mean(key, KNOWN_KEYS)}: use {', '.join(KNOWN_KEYS)}"
        for key in unknown_keys(item, KNOWN_KEYS, untyped)
    ]
    errors += untyped
    name = _name_of(item, "name", errors)
    server = _name_of(item, "server", errors)
    claim = text_of(item, "claim", errors)
    size = item.get("size")
    if isinstance(size, int) and not isinstance(size, bool) and not is_huge(size):
        size = str(size)
    elif size is not None and not isinstance(size, str):
        errors.append(f"`size` is {describe_value(size)}: write a quantity such as `10Gi`")
    elif size == "":
        errors.append("`size` is empty: remove it, or write a quantity such as `10Gi`")
    storage_class = text_of(item, "storage_class", errors, may_be_empty=True)
    labels = texts_of(item, "labels", errors)
    annotations = texts_of(item, "annotations", errors)
    state = text_of(item, "state", errors)
    if state is not None and state not in STATES:
        errors.append(f"`state` is {quoted(state)}{did_you_mean(state, STATES)}: write one of {', '.join(STATES)}")
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
    """Return the name of the user or server, None and an error when it is not valid. A server is optional."""
    value = item.get(key)
    if key == "server" and (value is None or value == ""):
        return ""
    if key == "name" and key not in item:
        errors.append("`name` is missing: each user needs one")
        return None
    if not isinstance(value, str):
        errors.append(f"`{key}` is {describe_value(value)}, not a name: {quoting_hint(value)}")
        return None
    error = user_name_error("name" if key == "name" else "name of the server", value)
    if error:
        errors.append(error)
        return None
    return value
