# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our lines in a text that belongs to somebody else, between two comments that mark them: YAML, or Python of a hub.

Without our lines the text is byte for byte what it was, because the comments say what our lines replace.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

BEGIN = "# odh.persistency: begin"
END = "# odh.persistency: end"
#: Ends a line with a key that we added so that our keys have a place.
ADDED = "  # odh.persistency: added"
#: Ends such a line in place of an empty mapping: the rest of the line as it was, as JSON. For an empty document, all of it.
REPLACED = "  # odh.persistency: was "
#: What a begin comment says of a text, apart from our lines.
NEW = ", new"
NO_NEWLINE = ", after an unfinished line"

_LINE = re.compile("[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029])|[^\r\n\x85\u2028\u2029]+\\Z")
_ADDED = re.compile(rf"(?P<key>\s*[\w-]+:){re.escape(ADDED)}\s*\Z")
_REPLACED = re.compile(rf"(?P<key>\s*[^#]*?:|){re.escape(REPLACED)}(?P<rest>\".*\")\s*\Z")


class Stripped(NamedTuple):
    """A text without our lines. `is_new` says that the text did not exist before, `errors` what is wrong with our comments."""

    text: str
    is_new: bool = False
    errors: Sequence[str] = ()


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, with their ends, as YAML counts them."""
    return _LINE.findall(text)


def stripped(text: str) -> Stripped:
    """Return a text without our lines."""
    kept: list[str] = []
    is_new = False
    begun = 0
    for number, line in enumerate(lines_of(text), 1):
        word = line.strip()
        if word.startswith(BEGIN):
            if begun:
                return Stripped(text, errors=[f"the comment {BEGIN!r} in line {begun} has no {END!r}"])
            begun = number
            is_new = is_new or word.endswith(NEW)
            if word.endswith(NO_NEWLINE) and kept:
                kept[-1] = kept[-1].rstrip("\r\n")
        elif word == END:
            if not begun:
                return Stripped(text, errors=[f"the comment {END!r} in line {number} has no {BEGIN!r}"])
            begun = 0
        elif not begun:
            kept.append(line)
    if begun:
        return Stripped(text, errors=[f"the comment {BEGIN!r} in line {begun} has no {END!r}"])
    return Stripped("".join(_without_added_keys(kept)), is_new)


def _without_added_keys(lines: Sequence[str]) -> list[str]:
    """Return the lines without the keys that we added, unless somebody else has put something below them."""
    kept: list[str] = []
    for line in reversed(lines):
        added, replaced = _ADDED.match(line), _REPLACED.match(line)
        found = added or replaced
        if found is None:
            kept.append(line)
            continue
        end = line[len(line.rstrip("\r\n")) :]
        if not found["key"]:  # an empty document
            if not any(map(_is_content, lines)):
                kept.append(json.loads(found["rest"]) + end)
            continue
        indentation = len(line) - len(line.lstrip(" "))
        below = next((one for one in reversed(kept) if one.strip() and not one.lstrip().startswith("#")), "")
        if below and len(below) - len(below.lstrip(" ")) > indentation:
            kept.append(found["key"] + end)
        elif replaced:
            kept.append(found["key"] + json.loads(replaced["rest"]) + end)
    return kept[::-1]


def _is_content(line: str) -> bool:
    """Return whether a line has keys or values of somebody else."""
    ours = _ADDED.match(line) or _REPLACED.match(line)
    return bool(line.strip()) and not ours and not line.lstrip().startswith(("#", "---", "...", "%"))


def is_added(line: str) -> bool:
    """Return whether a line has a key that we added."""
    return _ADDED.match(line) is not None


def appended(text: str, block: str, is_new: bool) -> str:
    """Return a text with our lines at its end. `block` ends with a newline."""
    begin = BEGIN + (NEW if is_new else "")
    if text and not text.endswith("\n"):
        text, begin = text + "\n", BEGIN + NO_NEWLINE
    return f"{text}{begin}\n{block}{END}\n"


def our_lines(text: str) -> str:
    """Return only our lines of a text."""
    found: list[str] = []
    is_ours = False
    for line in lines_of(text):
        is_ours = is_ours or line.strip().startswith(BEGIN)
        if is_ours or _ADDED.match(line) or _REPLACED.match(line):
            found.append(line)
        if line.strip() == END:
            is_ours = False
    return "".join(found)
