"""The matrix as text, with few columns and many and with any names, and as CSV."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.report.tables import (
    Column,
    columns_of,
    matrix_csv,
    matrix_text,
    table,
)
from hypothesis import given
from hypothesis import strategies as st

CELLS = ("ro", "rw", "ask", "-")
COLUMNS = [Column("data", "public"), Column("notebooks", "private"), Column("shared-data-secret", "secret")]


def test_few_columns_stand_side_by_side_with_their_levels() -> None:
    text = matrix_text(COLUMNS, [("ann", ("ro", "rw", "-")), ("benedict@example.org", ("ro", "-", "ask"))])
    assert text == "\n".join(
        [
            "USER                  data    notebooks  shared-data-secret",
            "                      public  private    secret",
            "ann                   ro      rw         -",
            "benedict@example.org  ro      -          ask",
        ]
    )


def test_columns_that_do_not_fit_are_numbered_and_have_a_legend() -> None:
    text = matrix_text(COLUMNS, [("ann", ("ro", "rw", "ask"))], width=30)
    assert text == "\n".join(
        [
            "1  data                public",
            "2  notebooks           private",
            "3  shared-data-secret  secret",
            "",
            "USER  1    2    3",
            "ann   ro   rw   ask",
        ]
    )


def test_columns_that_do_not_fit_as_numbers_continue_below() -> None:
    text = matrix_text(COLUMNS, [("ann", ("ro", "rw", "ask")), ("ben", ("-", "-", "-"))], width=16)
    assert text.split("\n\n")[1:] == [
        "USER  1    2\nann   ro   rw\nben   -    -",
        "USER  3\nann   ask\nben   -",
    ]


def test_without_shares_the_people_are_listed() -> None:
    assert matrix_text([], [("ann", ())]).split() == ["USER", "ann"]
    assert matrix_text(COLUMNS, []).splitlines()[0].split() == ["USER", "data", "notebooks", "shared-data-secret"]


def test_two_hundred_shares_stay_within_the_terminal() -> None:
    columns = [Column(f"{'x' * 40}-{number}", "private") for number in range(200)]
    cells = [CELLS[number % 4] for number in range(200)]
    text = matrix_text(columns, [("ann", cells)])
    assert max(map(len, text.splitlines())) <= 120
    blocks = text.split("\n\n")[1:]
    numbers = [number for block in blocks for number in block.splitlines()[0].split()[1:]]
    found = [cell for block in blocks for cell in block.splitlines()[1].split()[1:]]
    assert (numbers, found) == ([str(number) for number in range(1, 201)], cells)


def test_names_that_would_break_a_table_are_escaped_and_wide_letters_are_counted() -> None:
    text = matrix_text(COLUMNS[:1], [("a\nb", ("ro",)), ("李小龙", ("rw",)), ("zoe\u0308", ("-",)), ("", ("ro",))])
    lines = text.splitlines()
    assert lines[2].split() == [r"'a\nb'", "ro"]
    assert lines[5].split() == ["''", "ro"]
    # Wherever the terminal has put the name's end, the cells stand below each other.
    starts = [columns_of(line[: line.rindex(" ") + 1]) for line in lines[2:]]
    assert starts == [13, 13, 13, 13]
    assert lines[4].split() == [
        r"'zoe\u0308'",
        "-",
    ]  # it would look like another name that is written in one letter less


@pytest.mark.parametrize(("name", "columns"), [("สมชัย", 4), ("กิตติ", 3), ("नेहा", 3), ("王小明", 6), ("José", 4)])
def test_combining_marks_take_no_column(name: str, columns: int) -> None:
    assert columns_of(name) == columns


def test_a_table_of_nothing() -> None:
    assert table([]) == ""
    assert table([["a", "b"], ["longer", "c"]]) == "a       b\nlonger  c"


#: Characters that fonts do not show, and that Unicode does not call control, format, separator or unassigned characters.
BLANK = {
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0),
    *range(0xFE00, 0xFE10),
    *range(0xE0100, 0xE01F0),
}
ODD = "\x00\t\n\r\x1b\x1f\x7f\x85\xa0\xad\u200b\u200f\u2028\u202e\u2066\u3000\u3164\ufe0f\ufeff\U000e0041\U000e0100"
NAMES = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from(ODD + "=+-@\uff1d\uff0b\uff0d\uff20'\",; \\a")), max_size=8
)


def escaped(name: str) -> str:
    """A name as CSV has it. (Computed independently.)"""

    def shown(letter: str) -> str:
        code = ord(letter)
        if letter == " " or (unicodedata.category(letter)[0] not in "CZ" and code not in BLANK):
            return letter
        short = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
        digits = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
        return short.get(letter, digits)

    begin = name.lstrip(" \u00a0\u3000")[:1]
    return ("'" if begin and begin in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20" else "") + "".join(map(shown, name))


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("ann", "ann"),
        ("", ""),
        ('Jos\u00e9, "J"', 'Jos\u00e9, "J"'),
        ("zoe\u0308", "zoe\u0308"),
        (r"a\b", r"a\b"),
        ("\x1f", r"\x1f"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("a\u202eb\u200b", r"a\u202eb\u200b"),
        ("a\u3164\U000e0100", r"a\u3164\U000e0100"),
        ("=1+1", "'=1+1"),
        ("  +1", "'  +1"),
        ("\u3000@a", r"'\u3000@a"),
        ("\t=1", r"'\t=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a=1", "a=1"),
        ("'=1", "'=1"),
    ],
)
def test_names_in_csv_are_visible_and_no_formulas(name: str, cell: str) -> None:
    found = list(csv.reader(io.StringIO(matrix_csv([Column(name, "public")], [(name, ("ro",))]), newline="")))
    assert found == [["user", cell], [cell, "ro"]]
    assert escaped(name) == cell


@given(
    st.lists(NAMES, max_size=6, unique=True).flatmap(
        lambda names: st.tuples(
            st.just(names),
            st.lists(
                st.tuples(NAMES, st.lists(st.sampled_from(CELLS), min_size=len(names), max_size=len(names))),
                max_size=5,
            ),
        )
    )
)
def test_csv_reads_back_as_the_escaped_names(drawn: tuple[list[str], list[tuple[str, list[str]]]]) -> None:
    names, rows = drawn
    text = matrix_csv([Column(name, "public") for name in names], rows)
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert found == [["user", *map(escaped, names)], *([escaped(name), *cells] for name, cells in rows)]
