"""Generated access lists in their stored form, for tests of the access rules: few, similar names in all combinations."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Optional

from ansible_collections.odh.persistency.plugins.module_utils._hub import access, acl_format
from hypothesis import strategies as st

TODAY = date(2027, 3, 31)
HOME = "/opt/app-root/src"
ROOT = "/data"
ASKABLE = ("s0", "s1", "s2", "s3")

#: Names that differ in case, in blanks, in how an accent is written, and one that is a group's.
PEOPLE = ("ana", "Ana", "ana ", "jos\u00e9", "jose\u0301", "analysts")
#: The hub's own names of its groups. Some look like groups of other sources, or like people.
HUB_GROUPS = ("analysts", "/a/x", "/b/x", "x", "openshift:analysts", "hub:analysts", "ana")
#: What a membership part may store.
STORED_GROUPS = (
    "analysts",
    "Analysts",
    "analysts ",
    "openshift:analysts",
    "openshift:hub:analysts",
    "/a/x",
    "/b/x",
    "x",
    "ana",
)
#: What a share may be granted to.
GROUPS = (*STORED_GROUPS, *(f"hub:{group}" for group in HUB_GROUPS))
DAYS = (
    None,
    None,
    None,
    None,
    None,
    TODAY,
    TODAY + timedelta(1),
    TODAY - timedelta(1),
    date(9999, 12, 31),
    date(1, 1, 1),
)


def share(
    level: str = "private",
    claim: str = "claim",
    path: str = f"{HOME}/share",
    read: Sequence[str] = (),
    write: Sequence[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """A share as it is stored; `read` and `write` are groups."""
    return {
        "level": level,
        "claim": claim,
        "mount_path": path,
        "read": {"everyone": level == "public", "groups": list(read)},
        "write": {"groups": list(write)},
        **more,
    }


def shares_part(**shares: Mapping[str, Any]) -> dict[str, Any]:
    """A shares part, with a claim and a path for each share that has not been given its own."""
    made = {}
    for name, one in shares.items():
        made[name] = dict(one)
        if one["claim"] == "claim":
            made[name]["claim"] = name
        if one["mount_path"] == f"{HOME}/share":
            made[name]["mount_path"] = f"{HOME}/{name}"
    return {"schema": 1, "shares": made}


def members_part(**people: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """A membership part: `members_part(ana={"groups": [...]})`."""
    return {
        "schema": 1,
        "people": {name: {key: list(names) for key, names in one.items()} for name, one in people.items()},
    }


@dataclass(frozen=True)
class World:
    """An access list, and what the hub knows: the groups of each person, by the hub's own names. Not to be changed."""

    shares: dict[str, Any]
    members: dict[str, Any]
    hub: Mapping[str, tuple[str, ...]]

    def decide(self, person: str, requested: Sequence[str] = (), **changed: Any) -> access.Decision:
        """The decision about one person."""
        asking = {"today": TODAY, "home": HOME, "roots": (ROOT,), "hub_groups": self.hub.get(person, ()), **changed}
        request = access.SpawnRequest(person, requested=requested, **asking)
        return access.decide(self.shares, self.members, request)

    def grants(self, person: str) -> dict[str, access.Grant]:
        """What a person may get before secret and no write-down."""
        record = self.members["people"].get(person)
        return access.grants_of(self.shares, record, self.hub.get(person, ()), TODAY)

    def validated(self) -> World:
        """The same, validated once: for many decisions."""
        return replace(self, shares=access.SharesPart(self.shares), members=access.MembersPart(self.members))

    def groups_of(self, person: str) -> set[str]:
        """A person's groups, as shares name them. (Computed independently of the rules.)"""
        stored = self.members["people"].get(person, {}).get("groups", [])
        return {*stored, *("hub:" + group for group in self.hub.get(person, ()))}

    def named(self, person: str, name: str, right: str) -> bool:
        """Whether a person is named for a right to a share, in person or through a group. (Likewise.)"""
        record = self.members["people"].get(person, {})
        groups = self.groups_of(person)
        return name in record.get(right, []) or any(
            group in groups for group in self.shares["shares"][name][right]["groups"]
        )

    def may(self, person: str, name: str, today: date = TODAY) -> Optional[str]:
        """The maximum access of a person to a share, directly from docs/levels.md: "rw", "ro" or None."""
        one = self.shares["shares"][name]
        if "until" in one and one["until"] < today.isoformat():  # Days in this form sort as days do.
            return None
        if self.named(person, name, "write"):
            return "rw"
        return "ro" if one["level"] == "public" or self.named(person, name, "read") else None

    def names(self) -> list[tuple[Any, ...]]:
        """Every position of a name: what `without` removes."""
        shares, people = self.shares["shares"], self.members["people"]
        return [
            *(
                ("share", name, right, group)
                for name in sorted(shares)
                for right in ("read", "write")
                for group in shares[name][right]["groups"]
            ),
            *(
                ("person", person, key, name)
                for person in sorted(people)
                for key in sorted(people[person])
                for name in people[person][key]
            ),
            *(("hub", person, group) for person in sorted(self.hub) for group in self.hub[person]),
            *(("record", person) for person in sorted(people)),
        ]

    def without(self, place: tuple[Any, ...]) -> World:
        """This world with one name less."""
        other = copy.deepcopy(self)
        kind, first, *rest = place
        if kind == "share":
            other.shares["shares"][first][rest[0]]["groups"].remove(rest[1])
        elif kind == "person":
            other.members["people"][first][rest[0]].remove(rest[1])
        elif kind == "record":
            del other.members["people"][first]
        else:
            return replace(
                other, hub={**self.hub, first: tuple(group for group in self.hub[first] if group != rest[0])}
            )
        return other


def picked(pool: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """Some of a pool. One number makes them, for that is quick to draw and to shrink."""
    return st.integers(0, 2 ** len(pool) - 1).map(
        lambda number: [name for position, name in enumerate(pool) if number >> position & 1]
    )


class _Dice:
    """Choices from drawn bytes: one draw for a complete access list, which is fast to generate and to shrink. 0 is the
    smallest.
    """

    def __init__(self, thrown: bytes) -> None:
        self._thrown = iter(thrown)

    def one(self, choices: Sequence[Any]) -> Any:
        return choices[next(self._thrown) % len(choices)]

    def few(self, pool: Sequence[str]) -> list[str]:
        """Two of a pool, or one, or often none: so that people are often not named."""
        choices = (*[None] * (len(pool) // 3 + 1), *pool)
        found = (self.one(choices), self.one(choices))
        return [name for name in dict.fromkeys(found) if name is not None]


def is_reserved(claim: str) -> bool:
    """Whether a claim is a home or the database of a hub by its name. (Computed independently of the rules.)"""
    if claim.startswith("jupyterhub-nb-") and claim.endswith("-pvc"):
        return len(claim) > len("jupyterhub-nb--pvc")
    return claim in ("hub-db-dir", "jupyterhub-db") or (claim.startswith("claim-") and claim != "claim-")


def _claims(number: int) -> tuple[str, ...]:
    """The claims that a share may have: now and then one that is never mounted as a share."""
    reserved = (f"claim-{number}", f"jupyterhub-nb-{number}-pvc", ("hub-db-dir", "jupyterhub-db")[number % 2])
    usual = (f"data-{number}", f"claim{number}", f"my-claim-{number}", f"jupyterhub-nb-{number}")
    return (*usual, *usual, *(reserved if number < 2 else reserved[:2]))


def _shares_of(dice: _Dice) -> dict[str, Any]:
    made = {}
    for number in range(dice.one((0, 1, 2, 3, 4, 4, 4, 4))):
        day, gid = dice.one(DAYS), dice.one((None, 5000 + number))
        more: dict[str, Any] = {} if day is None else {"until": day.isoformat()}
        if gid is not None:
            more["gid"] = gid
        # Now and then outside of what the hub allows.
        path = f"{dice.one((HOME, HOME, HOME, HOME, HOME, HOME, ROOT, ROOT, ROOT, '/etc'))}/s{number}"
        level, read, write = dice.one(acl_format.LEVELS), dice.few(GROUPS), dice.few(GROUPS)
        made[f"s{number}"] = share(level, dice.one(_claims(number)), path, read, write, **more)
    return {"schema": 1, "shares": made}


def _members_of(dice: _Dice) -> dict[str, Any]:
    """Members; a list may be empty, and name shares that there are not."""
    made = {}
    for person in PEOPLE:
        drawn = {"groups": dice.few(STORED_GROUPS), "read": dice.few(ASKABLE), "write": dice.few(ASKABLE)}
        if dice.one((False, True, True, True)):
            made[person] = {key: names for key, names in drawn.items() if names or key == "read"}
    return {"schema": 1, "people": made}


def _world_of(dice: _Dice) -> World:
    hub = {person: tuple(dice.few(HUB_GROUPS)) for person in PEOPLE}
    return World(_shares_of(dice), _members_of(dice), {person: groups for person, groups in hub.items() if groups})


def _made(make: Callable[[_Dice], Any]) -> st.SearchStrategy[Any]:
    most = 1 + 9 * len(ASKABLE) + 9 * len(PEOPLE)
    return st.binary(min_size=most, max_size=most).map(lambda thrown: make(_Dice(thrown)))


def stored_shares() -> st.SearchStrategy[dict[str, Any]]:
    """Valid shares parts."""
    return _made(_shares_of)


def stored_members() -> st.SearchStrategy[dict[str, Any]]:
    """Valid membership parts."""
    return _made(_members_of)


def worlds() -> st.SearchStrategy[World]:
    """Access lists, and people who are in groups of all sources."""
    return _made(_world_of)


def people() -> st.SearchStrategy[str]:
    """Somebody, perhaps of whom nobody has heard."""
    return st.sampled_from((*PEOPLE, "nobody"))


def asked() -> st.SearchStrategy[list[str]]:
    """Requested shares, whether or not they exist."""
    return picked((*ASKABLE, "nothing"))


def shuffled(value: Any, by: random.Random) -> Any:
    """The same with its lists and dictionaries in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], by) for key in by.sample(list(value), len(value))}
    if isinstance(value, (list, tuple)):
        return type(value)(shuffled(item, by) for item in by.sample(list(value), len(value)))
    return value


#: Values that pass for others if one does not look: numbers for booleans, text for lists, half a surrogate pair.
ODD = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1.0,
    2,
    10**30,
    "",
    "*",
    "hub:",
    "openshift:",
    "hub:x",
    "\ud800",
    "everyone",
    [],
    {},
    [None],
)
_odd = st.sampled_from(ODD).map(copy.deepcopy)
_keys = st.one_of(
    st.sampled_from(
        ("schema", "shares", "people", "digits", "members", "level", "claim", "mount_path", "read", "write", "groups")
    ),
    st.sampled_from(("everyone", "until", "gid", "s0", "ana", "users", "")),
    st.text(max_size=3),
)


def garbage() -> st.SearchStrategy[Any]:
    """Any JSON, often with words that we use."""
    leaves = st.one_of(_odd, _keys, st.integers(), st.floats(), st.text(max_size=5))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=4)),
        max_leaves=8,
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything inside a document, itself left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


_flips = st.sampled_from(
    (
        *acl_format.LEVELS,
        True,
        "data-0",
        "claim-0",
        "hub-db-dir",
        f"{HOME}/s0",
        f"{HOME}/s0/x",
        HOME,
        "2027-03-31",
        "analysts",
    )
)


@st.composite
def mutated(draw: st.DrawFn, documents: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """A valid document in which one to three things have been replaced, copied, renamed, removed or added."""
    document = copy.deepcopy(draw(documents))
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(document))
        if not found:
            break
        *way, last = found[draw(st.integers(0, 1000)) % len(found)]
        inside: Any = document
        for key in way:
            inside = inside[key]
        change = draw(st.sampled_from(("replace", "flip", "flip", "copy", "copy", "remove", "add", "rename")))
        if change == "replace" or (change == "flip" and isinstance(inside[last], (dict, list))):
            inside[last] = draw(st.one_of(_odd, _keys, garbage()))
        elif change == "flip":
            # Valid by itself, perhaps, and against what stands beside it.
            inside[last] = not inside[last] if isinstance(inside[last], bool) else draw(_flips)
        elif change == "copy":
            *way, other = found[draw(st.integers(0, 1000)) % len(found)]
            source: Any = document
            for key in way:
                source = source[key]
            inside[last] = copy.deepcopy(source[other])
        elif change == "remove":
            del inside[last]
        elif isinstance(inside, list):
            inside.append(draw(_odd))
        else:
            moved = inside.pop(last) if change == "rename" else draw(_odd)
            inside[draw(_keys)] = moved
    return document


#: Paths, most of them wrong: of parts that mean something else than they say, and of characters that end a text early.
_parts = st.sampled_from(
    ("opt", "app-root", "src", "data", "a", "b", "", ".", "..", "...", " ", "s0", "a\x00", "a\n", "a:b", "é", "~")
)
paths = st.one_of(
    st.lists(_parts, max_size=6).map("/".join),
    st.tuples(
        st.sampled_from((HOME, ROOT, "/", "", "//", HOME + "/", "/opt", "/data2", HOME + "2")),
        st.lists(_parts, max_size=3),
    ).map(lambda both: "/".join((both[0], *both[1]))),
    st.text(max_size=12),
)
