# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts as people may see them: without characters that terminals and spreadsheets act on, and without credentials."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

# Characters that fonts do not show although Python calls them printable: fillers, joiners and variation selectors.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
#: Spreadsheets take a cell that begins so for a formula. Some drop white space and full-width forms count too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

MASK = "***"
# A user or password before the host, also with characters that should have been escaped. `host:port/` is none, unless the host
# has no dot: that is rather a user whose password begins with digits, except in an address with the name of a hub's user.
_LOGIN = re.compile(
    r"(?<=://)(?:[^\s/?#@:'\"]*:(?!\d{1,5}(?:[/?#\s'\"]|\Z))[^\s'\"]*"
    r"|(?!localhost:)[^\s/?#@:.'\"]+:\d{1,5}[/?#](?![^\s'\"]*\busers?/)[^\s'\"]*"
    r"|[^\s/?#'\"]*)@"
)
_LOGIN_WITHOUT_SCHEME = re.compile(r"(?<![\w:/])//[^\s/?#@:'\"]*:[^\s/?#'\"]*@")
_QUERY = re.compile(
    r"([?&;#][\w.%-]*(?:token|bearer|access|secret|pass|pwd|key|auth|sig|code|cred|session|jwt)[\w.%-]*=)[^&;#\s'\"`]+",
    re.IGNORECASE,
)
_BARE_LOGIN = re.compile(r"\A[^\s/@]+:\S*@")
#: Options and keys of a kubeconfig whose value is an address, also without a scheme.
_ADDRESSES = ("host", "proxy", "url", "server", "proxy-url")


def is_visible(text: str) -> bool:
    """Return whether a text has only characters that are seen: no control, bidirectional or zero-width characters."""
    return text.isprintable() and (text.isascii() or _BLANK.search(text) is None)


def visible(text: str) -> str:
    """Return a text as one line, with each character that is not seen as its escape in Python (`\\n`, `\\u202e`)."""
    if is_visible(text):
        return text
    return "".join(letter if is_visible(letter) else ascii(letter)[1:-1] for letter in text)


def visible_lines(text: str) -> str:
    """Return a text of several lines, each made visible."""
    return "\n".join(visible(line) for line in text.split("\n"))


def csv_cell(text: str) -> str:
    """Return a text for a cell of a CSV file: visible, and after an apostrophe if a spreadsheet would take it for a formula."""
    safe = visible(text)
    return f"'{safe}" if text.lstrip(" \u00a0\u3000").startswith(_FORMULA) else safe


def without_credentials(text: str) -> str:
    """Return a text in which the login of each URL, and secrets in its query, are masked."""
    if "//" in text:
        text = _LOGIN_WITHOUT_SCHEME.sub(f"//{MASK}@", _LOGIN.sub(f"{MASK}@", text))
    return _QUERY.sub(rf"\g<1>{MASK}", text) if "=" in text else text


def logins_without_scheme(addresses: Iterable[object]) -> list[str]:
    """Return the logins (`user:secret@`) of addresses that have one and no scheme, as proxies and hosts may."""
    found = (_BARE_LOGIN.match(address) for address in addresses if isinstance(address, str) and "://" not in address)
    return [login.group() for login in found if login is not None]


def options_without_credentials(value: Any, key: object = None) -> Any:
    """Return options with the credentials in their URLs masked."""
    if isinstance(value, str):
        value = without_credentials(value)
        return _BARE_LOGIN.sub(f"{MASK}@", value) if key in _ADDRESSES and "://" not in value else value
    if isinstance(value, Mapping):
        return {name: options_without_credentials(inner, name) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        if "//" not in repr(value):  # much faster than a look at each of ten thousand entries
            return value
        return [options_without_credentials(inner) for inner in value]
    return value
