# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may stand in a template of claim names, and why the rest is rejected.

Sources: ``_expand_user_properties`` in ``spawner.py`` of KubeSpawner 6.2.0, 7.0.0 and 7.1.0, which format the
template with the fields below (``str.format``). A template is rejected when no version of KubeSpawner accepts it, when
only the hub knows one of its fields, and when it gives no user a valid claim name.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from typing import NamedTuple, Optional

from ..text import did_you_mean, quote_list
from . import slugs

# (user, server) -> the value of the field. The server is "" for the default server.
Field = Callable[[str, str], str]


class NamingError(ValueError):
    """A template or a name is not valid. The message is one sentence: what, why, and the way out."""


class Fields(NamedTuple):
    """The fields of a template: those computed for each home, and those that are the same for all homes."""

    computed: dict[str, Field]
    constant: dict[str, str]


def _escaped_username(user: str, server: str) -> str:
    return slugs.escape(user)


def _escaped_servername(user: str, server: str) -> str:
    return slugs.escape(server)


def _escaped_pair(user: str, server: str) -> str:
    # With "--" even without a server: KubeSpawner strips it only from the end of the whole name.
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


# Fields with the same value under every scheme.
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
# Both versions have `username`, `servername`, their unescaped forms, `hubnamespace` and `userid`.
_ONLY_7 = frozenset(field for field in _SAFE if field.startswith(("safe_", "escaped_"))) | {"user_server", "namespace"}

# Fields whose value only the hub knows: why, and what to write instead.
_HUB_ONLY = {
    "userid": "is the user's number in the hub's database, which only the hub knows; "
    "use {username}, or set `claim` for each home",
    "pod_name": "comes from the hub's pod_name_template; write that template instead "
    "(it is jupyter-{user_server} by default)",
    "pvc_name": "is the very name that the template gives; write {user_server} instead",
}

# Formats of strings that work the same in every version of Python that a hub runs on. A precision of 0 would hide the
# field, and with it whether the template distinguishes users and servers.
_FORMAT = re.compile(r"(?:.?[<>^])?(?:[1-9][0-9]{0,2})?(?:\.[1-9][0-9]{0,3})?s?", re.DOTALL)
_NAME_AND_ACCESS = re.compile(r"([^.\[]*)(.*)", re.DOTALL)
_INDEXES = re.compile(r"(?:\[[0-9]{1,4}\])*")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9.-]")


def analyse(naming: str, template: str, namespace: Optional[str], hub_namespace: Optional[str]) -> Fields:
    """Return the fields of a template under a scheme. Raises :class:`NamingError` when the template is not valid.

    ``namespace`` and ``hub_namespace`` are the values of ``{namespace}`` and ``{hubnamespace}``, None when unknown.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise _error(template, f"is malformed ({error}); write fields as {{username}}") from None
    # KubeSpawner's own exception: for a hub in the namespace `default` the value is `user`.
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
    _check_template(template, frozenset((*fields.computed, *fields.constant)))
    return fields


def _error(template: str, rest: str) -> NamingError:
    return NamingError(f"name_template {template!r} {rest}")


def _check_literal(template: str, literal: str) -> None:
    wrong = quote_list(sorted({repr(character) for character in _NOT_IN_A_NAME.findall(literal)}))
    if wrong:
        raise _error(
            template,
            f"has {wrong} in its text, and claim names allow lower-case letters, digits, '-' and '.'; remove it",
        )
    for pair in ("..", ".-", "-."):
        if pair in literal:
            raise _error(template, f"has {pair!r} in its text, which the API server rejects; write one of the two")


def _check_field(template: str, field: str, spec: str, conversion: Optional[str]) -> str:
    """Return the name of a field. Its index, conversion and format must be valid for strings."""
    match = _NAME_AND_ACCESS.fullmatch(field)
    name, access = match.groups() if match else (field, "")
    if not name or name.isdigit():
        raise _error(template, f"has the field {{{field}}} without a name; write {{username}} or another by its name")
    if access.startswith("."):
        raise _error(template, f"reads an attribute in {{{field}}}, and fields are plain strings; write {{{name}}}")
    if not _INDEXES.fullmatch(access):
        raise _error(
            template, f"has the index {access} on {{{name}}}, and strings allow [0], [1] ...; write {{{name}}}"
        )
    if conversion not in (None, "s"):
        raise _error(
            template, f"has {{{name}!{conversion}}}, and !{conversion} does not give a valid name; write {{{name}}}"
        )
    if "{" in spec:
        raise _error(template, f"gets the format of {{{name}}} from another field; write the format out")
    if not _FORMAT.fullmatch(spec):
        raise _error(
            template,
            f"has the format {spec!r} on {{{name}}}, and strings allow formats such as .20; write {{{name}:.20}}",
        )
    return name


def _find(naming: str, template: str, name: str) -> Field:
    fields = FIELDS[naming]
    if name in fields:
        return fields[name]
    if name in _HUB_ONLY:
        raise _error(template, f"needs {{{name}}}, which {_HUB_ONLY[name]}")
    if name in ("namespace", "hubnamespace"):
        raise _error(template, f"needs {{{name}}}, which is not known here; write that namespace instead")
    if name in _ONLY_6:
        raise _error(
            template, f"needs {{{name}}}, which only KubeSpawner 6 has; set `naming: escape` or use {{username}}"
        )
    raise _error(
        template,
        f"has the unknown field {{{name}}}{did_you_mean(name, fields)}; the fields of `naming: {naming}` are "
        f"{quote_list(sorted(fields), most=20)}",
    )


def _check_template(template: str, fields: frozenset[str]) -> None:
    if not any("user" in field for field in fields):
        raise _error(
            template, "names no user, so all users would share one claim; put {user_server} or {username} in it"
        )
    if template[0] in "-.":
        raise _error(template, f"begins with {template[0]!r}, which no name may; begin it with a letter or digit")
    if template[-1] in "-.":
        raise _error(
            template,
            f"ends in {template[-1]!r}, which KubeSpawner keeps and the API server rejects; remove it from the end",
        )
    six, seven = sorted(fields & _ONLY_6), sorted(fields & _ONLY_7)
    if six and seven:
        raise _error(
            template,
            f"mixes {{{six[0]}}}, which only KubeSpawner 6 has, with {{{seven[0]}}}, which only 7 has; "
            "use the fields of one version",
        )
