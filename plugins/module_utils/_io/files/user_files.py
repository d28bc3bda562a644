# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of users: JSON, YAML, and CSV with a header.

Modules read them because passing 10,000 users through variables takes Ansible seconds.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from typing import Any

from ..._core.text import did_you_mean, quote_list
from ..._core.validation import PlacedList, quoted
from .data_files import FileError, FileFormat, parse, read_text

USERS = FileFormat("users file", "users", "a list of users", "a list, each item a name or a mapping with `name`")

#: The columns of a CSV file, in addition to `label:KEY` and `annotation:KEY`.
COLUMNS = ("name", "server", "claim", "size", "storage_class", "state")
_PREFIXES = {"label": "labels", "annotation": "annotations"}

_KINDS = {".json": "JSON", ".yml": "YAML", ".yaml": "YAML", ".csv": "CSV"}


def load_users_file(path: str) -> list[Any]:
    """Return the unparsed users of a file, for `parse_users`: a PlacedList if their lines are known.

    The extension determines the format: `.json`, `.yml` and `.yaml` have a list, or a mapping with the one key `users`.
    `.csv` has a header with some of `COLUMNS`, `label:KEY` and `annotation:KEY`; an empty cell sets nothing. An empty list
    is valid; an empty file is not, because it may be a failed export. Raises FileError.
    """
    kind = _KINDS.get(os.path.splitext(path)[1].lower())
    if kind is None:
        extension = os.path.splitext(path)[1] or "(none)"
        raise FileError(
            f"The users file {path} has the extension {extension}, which does not determine its format: "
            f"use {', '.join(_KINDS)}"
        )
    text = read_text(path, USERS)
    if kind == "CSV":
        return _from_csv(path, text)
    found: list[Any] = parse(path, USERS, text, kind == "JSON")
    return found


def _from_csv(path: str, text: str) -> list[Any]:
    rows = _rows(path, text)
    line, header = next(rows)
    columns = _columns(path, line, header)
    items: list[Any] = []
    lines: list[int] = []
    uneven: list[str] = []
    for line, cells in rows:
        if len(cells) != len(columns):
            uneven.append(f"{len(cells)} in line {line}")
            continue
        item: dict[str, Any] = {"name": ""}
        for (key, inner), cell in zip(columns, cells):
            if not cell:
                continue
            if inner is None:
                item[key] = cell
            else:
                item.setdefault(key, {})[inner] = cell
        items.append(item if len(item) > 1 else item["name"])
        lines.append(line)
    if uneven:
        raise FileError(
            f"The users file {path} has {len(columns)} fields in its header, but {quote_list(uneven)}: "
            "correct each (put a field that contains the separator in quotes)"
        )
    return PlacedList(items, lines)


def _rows(path: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not empty with the line that it starts on. The separator may be `,`, `;` or a tab."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max((",", ";", "\t"), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begin = 1
    try:
        for cells in reader:
            if any(cells):
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as failure:
        raise FileError(
            f"The users file {path} is not valid CSV in the row that starts at line {begin} ({failure}): correct that line"
        ) from None


def _columns(path: str, line: int, header: list[str]) -> list[tuple[str, str | None]]:
    """Return what each column sets: (key, None), or (`labels` or `annotations`, the inner key)."""
    known = [*COLUMNS, *(f"{prefix}:KEY" for prefix in _PREFIXES)]
    columns: list[tuple[str, str | None]] = []
    errors: list[str] = []
    for title in header:
        prefix, colon, inner = title.partition(":")
        if title in COLUMNS:
            columns.append((title, None))
        elif colon and inner and prefix in _PREFIXES:
            columns.append((_PREFIXES[prefix], inner))
        else:
            errors.append(f"the unknown column {quoted(title)}{did_you_mean(title, known)}")
    errors += [f"the column {quoted(title)} twice" for title in dict.fromkeys(header) if header.count(title) > 1]
    if ("name", None) not in columns:
        errors.append("no column `name`")
    if errors:
        raise FileError(
            f"The users file {path} has in its header (line {line}) {quote_list(errors)}: valid columns are {', '.join(known)}"
        )
    return columns
