# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables as text, such as users x shares, no wider than a terminal, and as CSV."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..visible import csv_cell, is_visible, visible

#: The width in columns at which a matrix numbers its columns, or continues in another block.
WIDTH = 120
_GAP = "  "


@dataclass(frozen=True)
class Column:
    """A column of a matrix: the name and the level of a share."""

    name: str
    level: str


#: A row of a matrix: a name, and a cell per column.
Row = tuple[str, Sequence[str]]


def matrix_text(columns: Sequence[Column], rows: Sequence[Row], width: int = WIDTH, corner: str = "USER") -> str:
    """Return the matrix as text, without a final line break.

    If the names of all columns fit on a line, they are the headings, with the levels below them. If not, the columns are
    numbered and a legend explains the numbers. If the numbers do not fit either, the columns continue in another block with
    all rows. Names are never truncated, because two of them might then look alike.
    """
    names = [printable(name) for name, _cells in rows]
    name_width = max([len(corner), *map(columns_of, names)])
    headings = [printable(column.name) for column in columns]
    widths = [
        max([columns_of(heading), len(column.level), *{len(cells[number]) for _name, cells in rows}])
        for number, (heading, column) in enumerate(zip(headings, columns))
    ]
    starts = [padded(name, name_width) for name in names]
    if name_width + sum(widths) + len(_GAP) * len(widths) <= width:
        lines = [_line(padded(corner, name_width), headings, widths)]
        lines.append(_line(" " * name_width, [column.level for column in columns], widths))
        lines += [_line(start, cells, widths) for start, (_name, cells) in zip(starts, rows)]
        return "\n".join(lines)
    numbers = [str(number) for number in range(1, len(columns) + 1)]
    cell = max([len(numbers[-1]), *(len(text) for text in {text for _name, cells in rows for text in cells})])
    legend = table([[number, heading, column.level] for number, heading, column in zip(numbers, headings, columns)])
    many = max(1, (width - name_width) // (cell + len(_GAP)))
    blocks = [legend]
    for first in range(0, len(columns), many):
        last = first + many
        widths = [cell] * len(numbers[first:last])
        lines = [_line(padded(corner, name_width), numbers[first:last], widths)]
        lines += [_line(start, cells[first:last], widths) for start, (_name, cells) in zip(starts, rows)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def matrix_csv(columns: Sequence[Column], rows: Iterable[Row], corner: str = "user") -> str:
    """Return the matrix as CSV (RFC 4180): a header with the share names, and a line per person.

    A name that a spreadsheet would take for a formula follows an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([corner, *(csv_cell(column.name) for column in columns)])
    writer.writerows([csv_cell(name), *cells] for name, cells in rows)
    return text.getvalue()


def table(lines: Sequence[Sequence[str]]) -> str:
    """Return lines with equal numbers of cells as text, each column as wide as its widest cell."""
    if not lines:
        return ""
    cells = [[printable(cell) for cell in line] for line in lines]
    widths = [max(map(columns_of, column)) for column in zip(*cells)]
    return "\n".join(_line(padded(line[0], widths[0]), line[1:], widths[1:]) for line in cells)


def printable(text: str) -> str:
    """Return a name for a table, with invisible characters and line breaks escaped; an empty name is `''`."""
    if not unicodedata.is_normalized("NFC", text):
        return ascii(text)  # looks like another name but differs from it
    return text if text and is_visible(text) and text[0] != " " and text[-1] != " " else visible(repr(text))


def columns_of(text: str) -> int:
    """Return the width of a text in terminal columns: East Asian wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(letter) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def padded(text: str, width: int) -> str:
    """Return a text padded with blanks to a width in terminal columns."""
    return text + " " * (width - columns_of(text))


def _line(start: str, cells: Sequence[str], widths: Sequence[int]) -> str:
    if all(cell.isascii() for cell in cells):
        return _GAP.join([start, *map(str.ljust, cells, widths)]).rstrip()
    return _GAP.join([start, *(padded(cell, width) for cell, width in zip(cells, widths))]).rstrip()
