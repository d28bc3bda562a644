# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers to queries about an ACL as text for people: a matrix, and sections with the rules for what the query names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..access.model import RO, RW
from ..text import quote_list
from ..validation import quoted
from ..visible import visible, visible_lines
from .access import NONE
from .access_query import ALL, MOST_PEOPLE, AccessQuery, Answer
from .tables import Row, matrix_text, printable, table

#: The last row of a matrix: all people who are not in it.
ANYBODY = "(anybody else)"
#: The number of people with a section of their own; the returned `users` has all of them.
_MOST_SECTIONS = 20
#: The number of names that a line lists; the returned values have all of them.
_MOST_NAMES = 20
#: The number of sentences about changes; the returned `what_if` has all of them.
_MOST_SENTENCES = 200


def answer_text(answer: Answer, query: AccessQuery, head: str, what_if: Optional[Sequence[str]] = None) -> str:
    """Return an answer as text, without a final line break.

    `head` is its first line. `what_if` are the sentences about what an input would change, or None if there is no input.
    """
    parts = [head]
    everyone = answer.result["everyone"]
    anybody: Row = (ANYBODY, [RO if column.name in everyone else NONE for column in answer.columns])
    rows = answer.result.get("shares", ())
    if answer.columns and (answer.people or query.is_overview):
        shown = answer.people if query.users or query.matrix == ALL else answer.people[:MOST_PEOPLE]
        parts.append(matrix_text(answer.columns, [*map(_named, shown), anybody]))
        left_out = 0 if query.users else answer.result["people"] - len(shown)
        if left_out:
            parts.append(
                f"and {left_out:,} more people: name some in `for_users`, or set `matrix: all` or `matrix: csv`"
            )
    if answer.columns and answer.groups:
        parts.append(matrix_text(answer.columns, [*answer.groups, anybody], corner="GROUP"))
    notes = [note for row in rows for note in _notes(row)] if query.is_overview else []
    if notes:
        parts.append("\n".join(notes))
    users = answer.result["users"] if query.users else ()
    parts += [_user_section(row) for row in users[:_MOST_SECTIONS]]
    if len(users) > _MOST_SECTIONS:
        parts.append(f"and {len(users) - _MOST_SECTIONS:,} more people: `users` has their rules")
    parts += [_group_section(row) for row in answer.result.get("groups", ())]
    if query.shares:
        parts += [_share_section(row) for row in rows]
    if what_if is not None:
        parts.append(_what_if_section(what_if))
    return visible_lines("\n\n".join(parts))


def _notes(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the matrix cannot show about a share."""
    name = row["name"]
    if row["grants_nothing"]:
        yield f"{name}: nobody gets it, because {row['grants_nothing']}"
        return
    for mode in (RW, RO):
        groups = row["hub_groups"][mode]
        if groups:
            yield f"{name}: {_how(row, mode)} for members of {_names(groups)}, whom the hub knows at spawn"
    if row["until"]:
        yield f"{name}: granted until {row['until']}"


def _user_section(row: Mapping[str, Any]) -> str:
    groups = f"member of {_names(row['groups'])}" if row["groups"] else "in no group"
    return "\n".join([f"{printable(row['name'])}, {groups}:", *_verdicts(row["shares"])])


def _group_section(row: Mapping[str, Any]) -> str:
    members = f"{len(row['members']):,} members" if len(row["members"]) != 1 else "1 member"
    named = f" ({_names(row['members'])})" if row["members"] else ""
    if row["source"] == "hub":
        members = (
            f"a group of the hub, {members} known here"
            if row["members"]
            else "a group of the hub, no members known here"
        )
    return "\n".join([f"Group {printable(row['name'])}, {members}{named}:", *_verdicts(row["shares"])])


def _verdicts(shares: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the visible shares with their rules, and the hidden ones in one line."""
    seen = [one for one in shares if one["visible"]]
    lines = [
        [
            one["share"],
            one["level"],
            one["grant"],
            one["mount_path"] if one["grant"] in (RO, RW) else NONE,
            f"{one['rule']}{_unless(one)}",
        ]
        for one in seen
    ]
    found = table([["SHARE", "LEVEL", "GRANT", "MOUNTED AT", "WHY"], *lines]).splitlines() if lines else []
    hidden = [one for one in shares if not one["visible"]]
    sure = [one["share"] for one in hidden if not one.get("unless")]
    if sure:
        found.append(f"no access to {_names(sure)}: granted to others only")
    found += [
        f"no access to {one['share']}: granted to others only{_unless(one)}" for one in hidden if one.get("unless")
    ]
    return [f"  {line}" for line in found or ["no shares"]]


def _named(row: Row) -> Row:
    """Return the row of a person, quoted if the name is the same as that of the last row."""
    return (repr(row[0]), row[1]) if row[0] == ANYBODY else row


def _unless(row: Mapping[str, Any]) -> str:
    """Return the groups of the hub that may give more access."""
    return f"; more for members of {_names(row['unless'])}, whom the hub knows" if row.get("unless") else ""


def _share_section(row: Mapping[str, Any]) -> str:
    if not row["known"]:
        return f"{printable(row['name'])}: not in the ACL"
    until = f", granted until {row['until']}" if row["until"] else ""
    lines = [f"{row['name']} ({row['level']}), mounted at {row['mount_path']}{until}:"]
    if row["grants_nothing"]:
        return f"{lines[0]}\n  nobody gets it, because {row['grants_nothing']}"
    for mode in (RW, RO):
        how = _how(row, mode)
        lines += [f"  {how}  {visible(one['rule'])}: {_names(one['people'])}" for one in row[mode]]
        lines += [
            f"  {how}  members of {printable(group)}, whom the hub knows at spawn" for group in row["hub_groups"][mode]
        ]
    if row["everyone"]:
        lines.append(f"  {RO}  everyone")
    return "\n".join(lines if len(lines) > 1 else [*lines, "  nobody: it names no known person"])


def _how(row: Mapping[str, Any], mode: str) -> str:
    return f"ask, then {mode}" if row["level"] == "secret" else mode


def _what_if_section(sentences: Sequence[str]) -> str:
    if not sentences:
        return "The input would change nothing."
    lines = ["What the input would change:", *(f"  {visible(sentence)}" for sentence in sentences[:_MOST_SENTENCES])]
    if len(sentences) > _MOST_SENTENCES:
        lines.append(f"  and {len(sentences) - _MOST_SENTENCES:,} more: `what_if` has all of them")
    return "\n".join(lines)


def _names(names: Sequence[str]) -> str:
    return quote_list([_name(name) for name in names], _MOST_NAMES)


def _name(name: str) -> str:
    """Return a name for a list, quoted if it could be misread."""
    plain = printable(name)
    return quoted(name) if plain == name and any(letter in name for letter in " ,;()'\"") else plain
