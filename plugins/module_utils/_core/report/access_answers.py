# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions about an ACL and their answers, as `share_access_info` returns them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..text import did_you_mean, quote_list
from ..validation import shown
from .access import NONE, Access, Reverse
from .tables import Column, Row, matrix_csv

FIRST = "first"
ALL = "all"
CSV = "csv"
MATRICES = (FIRST, ALL, CSV)

#: How many people an answer lists that names none itself; the rest is counted.
MOST_PEOPLE = 100
#: How many verdicts with their rules an answer returns. Ansible takes a tenth of a millisecond for each.
MOST_VERDICTS = 40_000


@dataclass(frozen=True)
class Questions:
    """What is asked: about these people, groups and shares, or, where none is named, about all of them at a glance.

    `asked`: the secret shares that the people ask for at spawn. `own_view`: what the people themselves may know.
    `matrix`: of how many people there is a matrix where none is named, and whether as text or as CSV.
    """

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    own_view: bool = False
    matrix: str = FIRST

    @property
    def nothing_named(self) -> bool:
        """Whether the question is about everything."""
        return not (self.users or self.groups or self.shares)

    @property
    def users_only(self) -> bool:
        """Whether the records of the named people are all that it takes to answer."""
        return bool(self.users) and not (self.groups or self.shares)

    def errors(self) -> list[str]:
        """Return a sentence for each contradiction, without a full stop."""
        found = []
        if self.asked and not self.users:
            found.append("`asked` says what people ask for at spawn, and `for_users` names nobody: name them there")
        if self.own_view and (not self.users or self.groups or self.shares):
            found.append(
                "`own_view` shows what people may know themselves: name them in `for_users`, and ask for groups and shares "
                "in another task"
            )
        if self.own_view and self.matrix == CSV:
            found.append(
                "`own_view` has no CSV, for one person's table must not show another's shares: leave one of them out"
            )
        return found


@dataclass(frozen=True)
class Answer:
    """The answer: what is returned, the warnings, and the matrices with their corners (`USER`, `GROUP`) for the text."""

    result: Mapping[str, Any]
    warnings: tuple[str, ...]
    columns: tuple[Column, ...]
    people: tuple[Row, ...]
    groups: tuple[Row, ...]


def answer(access: Access, questions: Questions, is_complete: bool = True) -> Answer:
    """Answer questions about an ACL.

    `whole`: whether `access` has all people's records; without, those of the named people will do where nobody and nothing
    else is asked about. Raises ValueError, with a sentence, where the answer would be too large to return.
    """
    _check_size(access, questions)
    # Of an ACL that is not there the one thing to say is that.
    warnings = list(_unknown(access, questions, is_complete)) if access.shares or access.people else []
    names = [name for name in questions.shares if access.has_share(name)] if questions.shares else list(access.shares)
    columns = tuple(Column(name, access.level(name)) for name in names)
    chosen = frozenset(names)
    people: list[Row] = []
    rows = [access.user_row(user, questions.asked, chosen, questions.own_view) for user in questions.users]
    if questions.own_view:
        # Not a word of anything that the others' own views do not have.
        return Answer({"users": rows, "everyone": list(access.everyone)}, (), (), (), ())
    result: dict[str, Any] = {"everyone": list(access.everyone)}
    if is_complete:
        result["people"] = len(access.people)
    if questions.users:
        result["users"] = rows
        people = [(row["name"], _cells(names, {one["share"]: one["grant"] for one in row["shares"]})) for row in rows]
    if questions.nothing_named or questions.shares or (questions.matrix != FIRST and not questions.users):
        looked = _look_at_all(access, questions, names)
        result.update(looked.result)
        if not questions.users and (questions.nothing_named or questions.matrix != FIRST):
            people = looked.people
    if questions.groups:
        result["groups"] = [access.group_row(group, chosen) for group in questions.groups]
    groups = [
        (row["name"], _cells(names, {one["share"]: one["grant"] for one in row["shares"]}))
        for row in result.get("groups", ())
    ]
    if questions.matrix == CSV:
        result["csv"] = matrix_csv(columns, people)
    return Answer(result, tuple(warnings), columns, tuple(people), tuple(groups))


@dataclass
class _Everybody:
    result: dict[str, Any]
    people: list[Row]


def _look_at_all(access: Access, questions: Questions, names: Sequence[str]) -> _Everybody:
    """Look at each person once: the reverse, and the rows of the matrix."""
    reverse = Reverse(names)
    most = MOST_PEOPLE if questions.matrix == FIRST else len(access.people)
    people: list[Row] = []
    short: list[dict[str, Any]] = []
    for number, person in enumerate(access.people):
        grants = access.grants(person)
        reverse.add(person, grants)
        if number < most:
            cells = access.cells(grants)
            people.append((person, _cells(names, cells)))
            if number < MOST_PEOPLE and questions.nothing_named:
                short.append(access.short_row(person, cells))
    result: dict[str, Any] = {"users": short, "users_left_out": len(access.people) - len(short)}
    if not questions.nothing_named:
        result = {}
    rows = []
    for name in names:
        row = access.share_row(name, reverse)
        if questions.shares:
            row.update(reverse.by_rule(name))
        rows.append(row)
    rows += [{"name": name, "known": False} for name in questions.shares if not access.has_share(name)]
    result["shares"] = rows
    return _Everybody(result, people)


def _cells(names: Sequence[str], cells: Mapping[str, str]) -> list[str]:
    return [cells.get(name, NONE) for name in names]


def _check_size(access: Access, questions: Questions) -> None:
    rows = len(questions.users) + len(questions.groups)
    shares = len(questions.shares) or len(access.shares)
    if rows * shares > MOST_VERDICTS:
        raise ValueError(
            f"{rows:,} people and groups and {shares:,} shares make {rows * shares:,} answers, each with its rule, and Ansible "
            f"carries no more than {MOST_VERDICTS:,} in good time: name fewer, or name nobody and take `matrix: csv`"
        )


def _unknown(access: Access, questions: Questions, is_complete: bool) -> Iterable[str]:
    """Yield a sentence for each name that the ACL does not have: it may be misspelt, and the answer would mislead."""
    users = [user for user in questions.users if not access.knows(user)]
    if users:
        hint = _guess(users, access.people) if is_complete else ""
        yield (
            f"Nothing names {quote_list([shown(user) for user in users])} in this ACL{hint}: the answer is what anybody gets"
        )
    groups = [group for group in questions.groups if group not in access.groups]
    if groups:
        yield (
            f"No share and nobody's record names the group {quote_list([shown(group) for group in groups])}"
            f"{_guess(groups, access.groups)}: the answer is what anybody gets"
        )
    shares = [share for share in questions.shares if not access.has_share(share)]
    if shares:
        yield f"The ACL has no share {quote_list([shown(share) for share in shares])}{_guess(shares, access.shares)}"
    for name in questions.asked:
        if not access.has_share(name):
            yield f"`asked` names {shown(name)}, and the ACL has no such share{_guess([name], access.shares)}"
        elif access.level(name) != "secret":
            yield f"`asked` names {name}, which is {access.level(name)}: only secret shares are asked for"


def _guess(names: Sequence[str], known: Iterable[str]) -> str:
    # Of several, whose guess it is would have to be said; and each is held against all that are known.
    return did_you_mean(names[0], known) if len(names) == 1 else ""
