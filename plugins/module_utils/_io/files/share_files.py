# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of shares (JSON, YAML) and of groups (JSON, YAML, and CSV with the columns `group` and `user`)."""

from __future__ import annotations

import csv
import io
import os
from typing import Any

from ..._core.text import did_you_mean, quote_list
from ..._core.validation import quoted
from .data_files import FileError, FileFormat, parse, read_text

SHARES = FileFormat("shares file", "shares", "a list of shares", "a list, each item a mapping with `name` and `level`")
GROUPS = FileFormat(
    "groups file",
    "groups",
    "a mapping of groups",
    "each group's name with the list of its members",
    empty="{}",
    mapping=True,
)
COLUMNS = ("group", "user")


def load_shares_file(path: str) -> list[Any]:
    """Return the unparsed shares of a file, for `parse_shares`. Raises FileError."""
    is_json = _extension(path, SHARES, (".json", ".yml", ".yaml")) == ".json"
    found: list[Any] = parse(path, SHARES, read_text(path, SHARES), is_json)
    return found


def load_groups_file(path: str) -> Any:
    """Return the unparsed groups of a file, for `parse_groups`: a mapping, or a list of mappings. Raises FileError.

    A CSV file has one row per membership: a person in ten groups has ten rows.
    """
    extension = _extension(path, GROUPS, (".json", ".yml", ".yaml", ".csv"))
    text = read_text(path, GROUPS)
    if extension == ".csv":
        return _memberships(path, text)
    return parse(path, GROUPS, text, extension == ".json")


def _extension(path: str, fmt: FileFormat, known: tuple[str, ...]) -> str:
    extension = os.path.splitext(path)[1].lower()
    if extension not in known:
        raise FileError(
            f"The {fmt.title} {path} has the extension {extension or '(none)'}, which does not determine its format: use "
            f"{', '.join(known)}"
        )
    return extension


def _memberships(path: str, text: str) -> dict[str, list[str]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max((",", ";", "\t"), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begin, header = 1, None
    found: dict[str, list[str]] = {}
    uneven: list[str] = []
    try:
        for cells in reader:
            line, begin = begin, reader.line_num + 1
            if not any(cells):
                continue
            if header is None:
                header = _header(path, line, cells)
                continue
            if len(cells) != len(header) or not all(cells):
                uneven.append(str(line))
                continue
            row = dict(zip(header, cells))
            found.setdefault(row["group"], []).append(row["user"])
    except csv.Error as failure:
        raise FileError(
            f"The groups file {path} is not valid CSV in the row that starts at line {begin} ({failure}): correct that line"
        ) from None
    if uneven:
        raise FileError(
            f"The groups file {path} needs exactly a group and a user in each row, unlike line {quote_list(uneven)}: correct it "
            "(groups without members need JSON or YAML)"
        )
    return found


def _header(path: str, line: int, cells: list[str]) -> list[str]:
    if sorted(cells) != sorted(COLUMNS):
        unknown = [f"{quoted(cell)}{did_you_mean(cell, COLUMNS)}" for cell in cells if cell not in COLUMNS]
        raise FileError(
            f"The groups file {path} has the header {quote_list([quoted(cell) for cell in cells])} in line {line}"
            + (f", of which {quote_list(unknown)} is unknown" if unknown else "")
            + f": write {','.join(COLUMNS)}"
        )
    return cells
