# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may stand in a template of claim names, and why the rest is refused.

Sources: ``_expand_user_properties`` in ``spawner.py`` of KubeSpawner 6.2.0, 7.0.0 and 7.1.0, which put the fields below
into the template with ``str.format``. Refused is what no version of KubeSpawner accepts, what only the hub knows, and
what KubeSpawner accepts but leads to no valid name of a claim whoever the user is.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from typing import NamedTuple, Optional

from ..text import did_you_mean, quote_list
from . import slugs

# (user, server) -> the text that stands for the field; the server is "" for the unnamed one.
Field = Callable[[str, str], str]


class NamingError(ValueError):
    """A template or a name that cannot be; the message is one sentence: what, why, and the way out."""


class Fields(NamedTuple):
    """The fields of one template: those computed for each home, and those that are the same for all."""

    computed: dict[str, Field]
    constant: dict[str, str]


def _escaped_username(user: str, server: str) -> str:
    return slugs.escape(user)


def _escaped_servername(user: str, server: str) -> str:
    return slugs.escape(server)


def _escaped_pair(user: str, server: str) -> str:
    # With the "--" even where there is no server: KubeSpawner strips it only from the end of the whole name.
    return f"{slugs.escape(user)}--{slugs.escape(server)}"


def _escape_user_server(user: str, server: str) -> str:
    return _escaped_pair(user, server) if server else slugs.escape(user)


def _safe_username(user: str, server: str) -> str:
    return slugs.safe(user)


def _safe_servername(user: str, server: str) -> str:
    return slugs.safe(server) if server else ""


def _legacy_username(user: str, server: str) -> str:
    return slugs.legacy_escape(user)


def _raw_username(user: str, server: str) -> str:
    return user


def _raw_servername(user: str, server: str) -> str:
    return server


# Fields whose value no scheme changes.
_FIXED: dict[str, Field] = {
    "unescaped_username": _raw_username,
    "unescaped_servername": _raw_servername,
    "safe_username": _safe_username,
    "safe_servername": _safe_servername,
    "safe_user_server": slugs.safe_pair,
    "escaped_username": _escaped_username,
    "escaped_servername": _escaped_servername,
    "escaped_user_server": _escaped_pair,
}
_SAFE: dict[str, Field] = {
    **_FIXED,
    "username": _safe_username,
    "servername": _safe_servername,
    "user_server": slugs.safe_pair,
}
_ESCAPE: dict[str, Field] = {
    **_FIXED,
    "username": _escaped_username,
    "servername": _escaped_servername,
    "user_server": _escape_user_server,
    "legacy_escape_username": _legacy_username,
}
FIELDS: Mapping[str, Mapping[str, Field]] = {"safe": _SAFE, "escape": _ESCAPE, "odh": _ESCAPE}

_ONLY_6 = frozenset({"legacy_escape_username"})
# `username`, `servername`, their unescaped forms, `hubnamespace` and `userid` are what both versions have.
_ONLY_7 = frozenset(field for field in _SAFE if field.startswith(("safe_", "escaped_"))) | {"user_server", "namespace"}

# What KubeSpawner knows and nobody outside the hub does; why, and what to write instead.
_HUB_ONLY = {
    "userid": "is the user's number in the hub's database, which only the hub knows; "
    "use {username}, or give each home's name by `claim`",
    "pod_name": "comes from the hub's pod_name_template; write that template out in its place "
    "(it is jupyter-{user_server} unless the hub says otherwise)",
    "pvc_name": "stands for the very name that the template makes; write {user_server} in its place",
}

# What a format may say about a text and mean the same in every version of Python that a hub runs on; a precision of 0
# would hide the field, and with it whether the template tells users and servers apart.
_FORMAT = re.compile(r"(?:.?[<>^])?(?:[1-9][0-9]{0,2})?(?:\.[1-9][0-9]{0,3})?s?", re.DOTALL)
_NAME_AND_ACCESS = re.compile(r"([^.\[]*)(.*)", re.DOTALL)
_INDEXES = re.compile(r"(?:\[[0-9]{1,4}\])*")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9.-]")


def analyse(naming: str, template: str, namespace: Optional[str], hub_namespace: Optional[str]) -> Fields:
    """The fields of a template under one of the schemes; raises :class:`NamingError` for one that must be refused.

    ``namespace`` and ``hub_namespace`` are what ``{namespace}`` and ``{hubnamespace}`` stand for, None: not known.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise _refusal(template, f"is malformed ({error}); write fields as {{username}}") from None
    # KubeSpawner's own exception: a hub in the namespace `default` calls it `user`.
    given = {"namespace": namespace, "hubnamespace": "user" if hub_namespace == "default" else hub_namespace}
    fields = Fields({}, {})
    for literal, field, spec, conversion in parts:
        _check_literal(template, literal)
        if field is None:
            continue
        name = _check_field(template, field, spec or "", conversion)
        constant = given.get(name)
        if constant is not None:
            fields.constant[name] = constant
        else:
            fields.computed[name] = _find(naming, template, name)
    _check_whole(template, frozenset((*fields.computed, *fields.constant)))
    return fields


def _refusal(template: str, rest: str) -> NamingError:
    return NamingError(f"name_template {template!r} {rest}")


def _check_literal(template: str, literal: str) -> None:
    wrong = quote_list(sorted({repr(character) for character in _NOT_IN_A_NAME.findall(literal)}))
    if wrong:
        raise _refusal(
            template,
            f"has {wrong} in its text, and claim names take lower-case letters, digits, '-' and '.'; remove it",
        )
    for pair in ("..", ".-", "-."):
        if pair in literal:
            raise _refusal(template, f"has {pair!r} in its text, which the API server refuses; write one of the two")


def _check_field(template: str, field: str, spec: str, conversion: Optional[str]) -> str:
    """The name of the field, its index, conversion and format seen to be such as a text takes."""
    match = _NAME_AND_ACCESS.fullmatch(field)
    name, access = match.groups() if match else (field, "")
    if not name or name.isdigit():
        raise _refusal(template, f"has the field {{{field}}} without a name; write {{username}} or another by its name")
    if access.startswith("."):
        raise _refusal(template, f"reads an attribute in {{{field}}}, and fields are plain texts; write {{{name}}}")
    if not _INDEXES.fullmatch(access):
        raise _refusal(template, f"has the index {access} on {{{name}}}, and texts take [0], [1] ...; write {{{name}}}")
    if conversion not in (None, "s"):
        raise _refusal(
            template, f"has {{{name}!{conversion}}}, and !{conversion} makes no valid name; write {{{name}}}"
        )
    if "{" in spec:
        raise _refusal(template, f"takes the format of {{{name}}} from another field; write the format out")
    if not _FORMAT.fullmatch(spec):
        raise _refusal(
            template, f"has the format {spec!r} on {{{name}}}, and texts take formats such as .20; write {{{name}:.20}}"
        )
    return name


def _find(naming: str, template: str, name: str) -> Field:
    fields = FIELDS[naming]
    if name in fields:
        return fields[name]
    if name in _HUB_ONLY:
        raise _refusal(template, f"needs {{{name}}}, which {_HUB_ONLY[name]}")
    if name in ("namespace", "hubnamespace"):
        raise _refusal(template, f"needs {{{name}}}, which is not known here; write that namespace in its place")
    if name in _ONLY_6:
        raise _refusal(
            template, f"needs {{{name}}}, which only KubeSpawner 6 knows; take `naming: escape` or use {{username}}"
        )
    raise _refusal(
        template,
        f"has the unknown field {{{name}}}{did_you_mean(name, fields)}; with `naming: {naming}` there are "
        f"{quote_list(sorted(fields), most=20)}",
    )


def _check_whole(template: str, fields: frozenset[str]) -> None:
    if not any("user" in field for field in fields):
        raise _refusal(template, "names no user, so all would share one claim; put {user_server} or {username} in it")
    if template[0] in "-.":
        raise _refusal(template, f"begins with {template[0]!r}, as no name may; begin it with a letter or digit")
    if template[-1] in "-.":
        raise _refusal(
            template,
            f"ends in {template[-1]!r}, which KubeSpawner keeps and the API server refuses; take it off the end",
        )
    six, seven = sorted(fields & _ONLY_6), sorted(fields & _ONLY_7)
    if six and seven:
        raise _refusal(
            template,
            f"mixes {{{six[0]}}}, which only KubeSpawner 6 knows, with {{{seven[0]}}}, which only 7 knows; "
            "use the fields of one version",
        )
