# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries about an ACL and their answers, as `share_access_info` returns them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..text import did_you_mean, quote_list
from ..validation import quoted
from .access import NONE, AccessReport, PeopleByShare
from .tables import Column, Row, matrix_csv

FIRST = "first"
ALL = "all"
CSV = "csv"
MATRICES = (FIRST, ALL, CSV)

#: The number of people that an answer lists if the query names none; the others are counted.
MOST_PEOPLE = 100
#: The number of verdicts with rules that an answer may have. Ansible needs 0.1 ms for each.
MOST_VERDICTS = 40_000


@dataclass(frozen=True)
class AccessQuery:
    """A query about people, groups and shares, or, if it names none, an overview of all of them.

    `requested` are the secret shares that the people ask for at spawn. `own_view` limits the answer to what the people may
    know themselves. `matrix` says which people the matrix has if the query names none, and whether it is text or CSV.
    """

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()
    requested: tuple[str, ...] = ()
    own_view: bool = False
    matrix: str = FIRST

    @property
    def is_overview(self) -> bool:
        """Whether the query names nothing."""
        return not (self.users or self.groups or self.shares)

    @property
    def users_only(self) -> bool:
        """Whether the records of the named people are sufficient for the answer."""
        return bool(self.users) and not (self.groups or self.shares)

    def errors(self) -> list[str]:
        """Return a sentence for each contradiction, without full stops."""
        found = []
        if self.requested and not self.users:
            found.append(
                "`requested` has shares that people ask for at spawn, but `for_users` is empty: name the people in `for_users`"
            )
        if self.own_view and (not self.users or self.groups or self.shares):
            found.append(
                "`own_view` shows what people may know themselves: name them in `for_users`, and use another task for groups and "
                "shares"
            )
        if self.own_view and self.matrix == CSV:
            found.append(
                "`own_view` has no CSV, because the table of one person must not show the shares of another: remove one of "
                "the two options"
            )
        return found


@dataclass(frozen=True)
class Answer:
    """An answer: the returned values, the warnings, and the columns and rows of the matrices of people and groups."""

    result: Mapping[str, Any]
    warnings: tuple[str, ...]
    columns: tuple[Column, ...]
    people: tuple[Row, ...]
    groups: tuple[Row, ...]


def answer(access: AccessReport, query: AccessQuery, is_complete: bool = True) -> Answer:
    """Answer a query about an ACL.

    `is_complete` is whether `access` has the records of all people. If not, the query may only name people whose records it
    has. Raises ValueError, with a sentence, if the answer would be too large.
    """
    _check_size(access, query)
    # Without an ACL, warnings about unknown names would only distract.
    warnings = list(_unknown(access, query, is_complete)) if access.shares or access.people else []
    names = [name for name in query.shares if access.has_share(name)] if query.shares else list(access.shares)
    columns = tuple(Column(name, access.level(name)) for name in names)
    chosen = frozenset(names)
    people: list[Row] = []
    rows = [access.user_row(user, query.requested, chosen, query.own_view) for user in query.users]
    if query.own_view:
        # Nothing that would reveal shares of other people.
        return Answer({"users": rows, "everyone": list(access.everyone)}, (), (), (), ())
    result: dict[str, Any] = {"everyone": list(access.everyone)}
    if is_complete:
        result["people"] = len(access.people)
    if query.users:
        result["users"] = rows
        people = [(row["name"], _cells(names, {one["share"]: one["grant"] for one in row["shares"]})) for row in rows]
    if query.is_overview or query.shares or (query.matrix != FIRST and not query.users):
        overview = _overview(access, query, names)
        result.update(overview.result)
        if not query.users and (query.is_overview or query.matrix != FIRST):
            people = overview.people
    if query.groups:
        result["groups"] = [access.group_row(group, chosen) for group in query.groups]
    groups = [
        (row["name"], _cells(names, {one["share"]: one["grant"] for one in row["shares"]}))
        for row in result.get("groups", ())
    ]
    if query.matrix == CSV:
        result["csv"] = matrix_csv(columns, people)
    return Answer(result, tuple(warnings), columns, tuple(people), tuple(groups))


@dataclass
class _Overview:
    result: dict[str, Any]
    people: list[Row]


def _overview(access: AccessReport, query: AccessQuery, names: Sequence[str]) -> _Overview:
    """Return the rows of shares and the rows of the matrix, in one pass over all people."""
    people_by_share = PeopleByShare(names)
    most = MOST_PEOPLE if query.matrix == FIRST else len(access.people)
    people: list[Row] = []
    short: list[dict[str, Any]] = []
    for number, person in enumerate(access.people):
        grants = access.grants(person)
        people_by_share.add(person, grants)
        if number < most:
            cells = access.cells(grants)
            people.append((person, _cells(names, cells)))
            if number < MOST_PEOPLE and query.is_overview:
                short.append(access.short_row(person, cells))
    result: dict[str, Any] = {"users": short, "users_left_out": len(access.people) - len(short)}
    if not query.is_overview:
        result = {}
    rows = []
    for name in names:
        row = access.share_row(name, people_by_share)
        if query.shares:
            row.update(people_by_share.by_rule(name))
        rows.append(row)
    rows += [{"name": name, "known": False} for name in query.shares if not access.has_share(name)]
    result["shares"] = rows
    return _Overview(result, people)


def _cells(names: Sequence[str], cells: Mapping[str, str]) -> list[str]:
    return [cells.get(name, NONE) for name in names]


def _check_size(access: AccessReport, query: AccessQuery) -> None:
    rows = len(query.users) + len(query.groups)
    shares = len(query.shares) or len(access.shares)
    if rows * shares > MOST_VERDICTS:
        raise ValueError(
            f"{rows:,} people and groups and {shares:,} shares make {rows * shares:,} answers with rules, but Ansible is too "
            f"slow for more than {MOST_VERDICTS:,}: name fewer, or name nobody and set `matrix: csv`"
        )


def _unknown(access: AccessReport, query: AccessQuery, is_complete: bool) -> Iterable[str]:
    """Yield a sentence for each name that the ACL does not have: it may be misspelt, and the answer misleading."""
    users = [user for user in query.users if not access.knows(user)]
    if users:
        hint = _guess(users, access.people) if is_complete else ""
        yield (
            f"This ACL does not name {quote_list([quoted(user) for user in users])}{hint}: the answer is what everyone gets"
        )
    groups = [group for group in query.groups if group not in access.groups]
    if groups:
        yield (
            f"No share and no person has the group {quote_list([quoted(group) for group in groups])}"
            f"{_guess(groups, access.groups)}: the answer is what everyone gets"
        )
    shares = [share for share in query.shares if not access.has_share(share)]
    if shares:
        yield f"The ACL has no share {quote_list([quoted(share) for share in shares])}{_guess(shares, access.shares)}"
    for name in query.requested:
        if not access.has_share(name):
            yield f"`requested` names {quoted(name)}, which is not a share of the ACL{_guess([name], access.shares)}"
        elif access.level(name) != "secret":
            yield f"`requested` names {name}, which is {access.level(name)}: people ask only for secret shares"


def _guess(names: Sequence[str], known: Iterable[str]) -> str:
    # With several names it would be unclear which one the guess is for.
    return did_you_mean(names[0], known) if len(names) == 1 else ""
