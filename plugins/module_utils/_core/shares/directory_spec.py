# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of a share that describe its directory: `owner`, `gid`, `mode`, `directory` and `directories`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from ..validation import describe_value, is_list_text, octal_error, quoted, quoting_hint, text_of
from .paths import relative_error
from .spec import DEFAULT_MODE

#: The largest ids: the user id above means "unchanged" to chown(2). Pods take no group above 2^31 - 1 (Kubernetes,
#: ``IsValidGroupID``).
_LARGEST_ID = {"owner": 2**32 - 2, "gid": 2**31 - 1}
_MODE = re.compile(r"0{0,2}[0-7]{3,4}\Z")
_DIGITS = re.compile(r"[0-9]{1,10}\Z", re.ASCII)


def read_id(item: Mapping[Any, object], key: str, errors: list[str]) -> Optional[int]:
    """Return the numeric id of a key (`owner`, `gid`), None without one."""
    number = item.get(key)
    if number is None:
        return None
    if isinstance(number, str) and octal_error(number):
        errors.append(f"`{key}` is the text {quoted(number)}, which {octal_error(number)}")
        return None
    if isinstance(number, str) and _DIGITS.match(number):
        number = int(number)  # templates turn numbers into text
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _LARGEST_ID[key]:
        errors.append(
            f"`{key}` is {describe_value(number)}: write the numeric id of a {'user' if key == 'owner' else 'group'}, such as "
            "5000"
        )
        return None
    return number


def read_mode(item: Mapping[Any, object], level: str, errors: list[str]) -> str:
    """Return the mode of the directory as four octal digits. Only a public share may be open to others."""
    mode = item.get("mode")
    if mode is None:
        return DEFAULT_MODE
    if not isinstance(mode, str) or not _MODE.match(mode):
        errors.append(
            f'`mode` is {describe_value(mode)}: write octal digits in quotes, such as "2770" (without quotes YAML reads another '
            "number)"
        )
        return DEFAULT_MODE
    plain = mode.lstrip("0").rjust(4, "0")
    bits = int(plain, 8)
    if bits & 0o4000:
        errors.append(f"`mode` {mode} sets the set-user-id bit, which has no effect on directories: remove the 4")
    elif bits & 0o500 != 0o500:
        errors.append(f"`mode` {mode} locks out the owner, who must manage the directory: start with 7, such as 2770")
    elif bits & 0o007 and level in ("private", "secret"):
        errors.append(
            f"`mode` {mode} lets in everyone who can reach the server, but the share is {level}: end it with 0, such as 2770"
        )
    return plain


def read_directories(item: Mapping[Any, object], errors: list[str]) -> tuple[str, ...]:
    """Return the directories inside the share, relative to it."""
    directories = item.get("directories")
    if directories is None:
        return ()
    if not isinstance(directories, (list, tuple)):
        errors.append(
            f"`directories` must be a list, not {describe_value(directories)}: write `directories: [NAME, ...]`"
        )
        return ()
    found = []
    for directory in directories:
        if not isinstance(directory, str):
            errors.append(f"`directories` has {describe_value(directory)} instead of a path: {quoting_hint(directory)}")
            continue
        wrong = relative_error(directory)
        if wrong is None and is_list_text(directory):
            wrong = f"{quoted(directory)} looks like a list that became text: write each path as an item"
        if wrong:
            errors.append(f"`directories`: {wrong}")
            continue
        found.append(directory)
    for directory in sorted({name for name in found if found.count(name) > 1}):
        errors.append(f"`directories` lists {quoted(directory)} twice: remove one")
    return tuple(found)


def read_directory(item: Mapping[Any, object], errors: list[str]) -> str:
    """Return the directory of the share, relative to that of all shares, "" without one."""
    directory = text_of(item, "directory", errors)
    if directory is None:
        return ""
    wrong = relative_error(directory)
    if wrong:
        errors.append(f"`directory` {wrong}")
    return directory
