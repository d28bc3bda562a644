# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How KubeSpawner turns the name of a user or a named server into a part of a Kubernetes name.

There are two schemes. *escape* is that of KubeSpawner 6: every UTF-8 byte outside ``a-z0-9`` becomes ``-`` and its hex
digits (escapism 1.1.0 with ``-`` as escape character, then lower-cased). It is reversible and has no length limit.
*safe* is that of KubeSpawner 7 (``kubespawner/slugs.py`` and ``spawner.py``, ``_expand_user_properties``, in 7.0.0 and
7.1.0): a name that is already a DNS label stays as it is, any other is made readable, cut, and followed by ``---`` and
the first 8 hex digits of its SHA-256.

All functions take and return ``str``. A name that UTF-8 cannot encode (a lone surrogate) raises
``UnicodeEncodeError`` when its bytes are needed, as in KubeSpawner.
"""

from __future__ import annotations

import hashlib
import re

_HASH_DIGITS = 8
# The longest slug of a part of an object's name, and of two parts joined by "--" (KubeSpawner: _slug_max_length).
_NAME_LENGTH = 48
# The longest hashed slug of a label's value (KubeSpawner: the default of safe_slug's max_length).
_HASHED_LABEL_LENGTH = 32

_UNSAFE = re.compile(r"[^a-z0-9]")
_UNSAFE_RUN = re.compile(r"[^a-z0-9]+")
_DNS_LABEL = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")


def escape(name: str) -> str:
    """Return the name with each UTF-8 byte outside ``a-z0-9`` written as ``-`` and its hex digits.

    The digits are not padded: a byte below 0x10 gives one digit (a tab is ``-9``), as escapism writes it.
    """
    return _UNSAFE.sub(_hex_of, name)


def _hex_of(match: re.Match[str]) -> str:
    return "".join(f"-{byte:x}" for byte in match.group().encode("utf-8"))


def legacy_escape(name: str) -> str:
    """Return the name in lower case with each character outside ``a-z0-9`` replaced by ``-`` (KubeSpawner 6 only)."""
    return _UNSAFE.sub("-", name.lower())


def safe(name: str) -> str:
    """Return the safe slug of one name: a DNS label of at most 48 characters."""
    if "--" not in name and len(name) <= _NAME_LENGTH and _DNS_LABEL.fullmatch(name):
        return name
    return _hashed(name, _NAME_LENGTH)


def safe_pair(user: str, server: str) -> str:
    """Return the safe slug of a user and a server (``""``: the default server), at most 48 characters."""
    safe_user = safe(user)
    safe_server = safe(server) if server else ""
    # The two characters of the joint count even without a server: 46 characters stay as they are, 47 are hashed.
    if len(safe_user) + len(safe_server) + 2 > _NAME_LENGTH:
        return _hashed_pair(user, server)
    return f"{safe_user}--{safe_server}" if server else safe_user


def label_value(name: str) -> str:
    """Return the name as KubeSpawner 7 writes it into a label: unchanged if it is a valid value, hashed otherwise.

    KubeSpawner's own check ignores case over all of Unicode. It accepts names with U+0130, U+0131, U+017F or U+212A,
    and the API server then rejects the object. Such a name is hashed here.
    """
    if "--" not in name and _LABEL_VALUE.fullmatch(name):
        return name
    return _hashed(name, _HASHED_LABEL_LENGTH)


def _hashed(name: str, length: int) -> str:
    digest = hashlib.sha256(name.encode("utf-8")).hexdigest()
    return f"{_readable(name, length - _HASH_DIGITS - len('---'))}---{digest[:_HASH_DIGITS]}"


def _hashed_pair(user: str, server: str) -> str:
    # 0xFF occurs nowhere in UTF-8, so ("ab", "c") and ("a", "bc") differ.
    digest = hashlib.sha256(user.encode("utf-8") + b"\xff" + server.encode("utf-8")).hexdigest()
    # Each name has half of what the hash and one character leave, less its "--".
    length = (_NAME_LENGTH - _HASH_DIGITS - 1) // 2 - len("--")
    return f"{_readable(user, length)}--{_readable(server, length)}---{digest[:_HASH_DIGITS]}"


def _readable(name: str, length: int) -> str:
    """Return a readable part of the name: lower case, runs of other characters as one ``-``, cut, a letter first."""
    text = _UNSAFE_RUN.sub("-", name.lower()).lstrip("-")[:length].rstrip("-")
    if not text:
        return "x"
    if text[0] in "0123456789":
        # Cut again without stripping: KubeSpawner keeps a "-" at the end here.
        return "x-" + text[: length - 2]
    return text
