# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of values from inventories and files, and descriptions of values for error messages."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from .visible import visible

NOTHING: Mapping[str, str] = MappingProxyType({})

# Invisible characters that str.strip() keeps: copied from web pages, or a byte order mark inside a file.
_INVISIBLE = "\ufeff\u200b\u2060"

# A list or mapping in JSON, Python or YAML, or a part of one that was split at its commas.
_LIST_TEXT = re.compile(
    r"""\s*(?:[\[{].*[\]}]\s*\Z|[\[{(]\s*["'\[{]|-\s|---)|.*["']\s*[\]})]\s*\Z|(["']).*\1\Z""", re.DOTALL
)
#: Names that begin or end otherwise cannot match.
_LIST_STARTS, _LIST_ENDS = " -[{(\"'", " ]})\"'"
_MOST_DIGITS = 1000
_OCTAL = re.compile(r"\s*[+-]?0[0-9]")


class PlacedList(list[Any]):
    """A list with the line in its file that each item starts on: ``lines`` has one number per item, from 1."""

    def __init__(self, items: Iterable[Any], lines: list[int]) -> None:
        super().__init__(items)
        self.lines = lines


def quoted(text: str, most: int = 80) -> str:
    """Return a text for an error message: in quotes, invisible characters escaped, cut when it is long."""
    return visible(repr(text)) if len(text) <= most else f"{visible(repr(text[:most]))}... ({len(text)} characters)"


def is_plain(text: str) -> bool:
    """Whether a name is certainly valid; False only means that it needs a closer check."""
    return (
        text != ""
        and text.isprintable()
        and text[0] not in _LIST_STARTS
        and text[-1] not in _LIST_ENDS
        and "/" not in text
    )


def is_list_text(text: str) -> bool:
    """Return whether a text looks like a list or a mapping that somebody wrote as text, or like a part of one."""
    return _LIST_TEXT.match(text) is not None


def user_name_error(what: str, text: str) -> str | None:
    """Return what is wrong with the name of a user or a server for JupyterHub, None if it is valid.

    What looks like a list is rejected too: JupyterHub allows such names, but they come from lists that became text. The other
    rules are those of ``Authenticator.validate_username`` in JupyterHub 4 to 6: no ``/``, not empty, nothing that
    ``str.strip()`` removes. Unicode, inner blanks and upper case are allowed (only the default authenticators make names
    lower case). The handlers of JupyterHub do not accept ``/`` in the name of a server.
    """
    if is_plain(text):
        return None
    if not text.strip():
        return f"the {what} is {'empty' if not text else 'nothing but white space'}: set the {what}, or remove the item"
    if is_list_text(text):
        return (
            f"the {what} {quoted(text)} looks like a list, or a part of one, that became text: write each name as an item of "
            "the list"
        )
    if "/" in text:
        return f"the {what} {quoted(text)} contains a `/`, which JupyterHub does not allow in names: remove it"
    bare = text.strip().strip(_INVISIBLE).strip()
    if bare != text:
        return (
            f"the {what} {quoted(text)} begins or ends with white space or an invisible character, so it differs from "
            f"{quoted(bare)}: remove these characters"
        )
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            return f"the {what} {quoted(text)} is not valid Unicode (half a surrogate pair): write it in UTF-8"
        if category in ("Cc", "Zl", "Zp"):
            return (
                f"the {what} {quoted(text)} contains the control character {character!a}: "
                "remove it, or make two items if two lines ran together"
            )
    return None


def describe_value(value: object) -> str:
    """Return a value of a wrong type in words."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return f"the boolean `{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return "a number of thousands of digits" if is_huge(value) else f"the number {str(value)[:40]}"
    if isinstance(value, datetime.date):
        return f"the date {value.isoformat()}"
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple, set)):
        return "a list"
    return f"a value of type {type(value).__name__}"


def is_huge(value: object) -> bool:
    """Return whether a value is an integer with so many digits that Python may refuse to write it."""
    return isinstance(value, int) and value.bit_length() > _MOST_DIGITS * 3


def octal_error(text: str) -> str:
    """Return what is wrong with the text of a number that begins with a 0, "" if it does not."""
    if not _OCTAL.match(text):
        return ""
    return "looks octal (without quotes YAML reads 0100 as 64): write it without a 0 in front"


def unknown_keys(item: Mapping[Any, object], known: Collection[str], errors: list[str]) -> list[str]:
    """Return the keys of a mapping that are unknown, and append an error for each that is not text."""
    unknown = []
    for key in item:
        if not isinstance(key, str):
            text = "..." if is_huge(key) else str(key)
            errors.append(
                f"the key {quoted(text)} is unknown: it is {describe_value(key)}, and keys are text, so {quoting_hint(key)}"
            )
        elif key not in known:
            unknown.append(key)
    return unknown


def quoting_hint(value: object) -> str:
    """Return the way out for a value that YAML or JSON does not read as text."""
    if value is None:
        return 'write it in quotes if `null` or `~` is meant as text (`"null"`)'
    if isinstance(value, bool):
        return 'put it in quotes, because YAML reads `yes`, `no`, `on`, `off`, `true` and `false` as booleans (`"no"`)'
    if isinstance(value, (int, float, datetime.date)):
        return "put it in quotes, as it is written there (in a template, convert it with `| string`)"
    return "write it as text"


def text_of(item: Mapping[Any, object], key: str, errors: list[str], may_be_empty: bool = False) -> str | None:
    value = item.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        errors.append(f"`{key}` is {describe_value(value)}, not text: {quoting_hint(value)}")
        return None
    if not value and not may_be_empty:
        errors.append(f"`{key}` is empty: remove it, or set a value")
        return None
    return value


def texts_of(item: Mapping[Any, object], key: str, errors: list[str]) -> Mapping[str, str]:
    value = item.get(key)
    if value is None:
        return NOTHING
    if not isinstance(value, Mapping):
        errors.append(
            f"`{key}` is {describe_value(value)}, not a mapping of text to text: write `{key}: {{key: value}}`"
        )
        return NOTHING
    wrong = len(errors)
    for inner, text in value.items():
        if not isinstance(inner, str):
            errors.append(f"`{key}` has {describe_value(inner)} as a key: {quoting_hint(inner)}")
        elif not isinstance(text, str):
            errors.append(f"`{key}` has {describe_value(text)} under {quoted(inner)}, not text: {quoting_hint(text)}")
    return MappingProxyType(dict(value)) if value and len(errors) == wrong else NOTHING
