"""Generated shares, groups and people for tests of the ACL: few names, in all combinations."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from itertools import product

from ansible_collections.odh.persistency.plugins.module_utils._core.shares.grant_spec import Grants
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import ShareSpec
from hypothesis import strategies as st

TODAY = date(2026, 11, 24)
NAMESPACE = "jupyter"

#: Names of people that are also names of groups, of groups of other sources, of everybody; and two that differ in case.
PEOPLE = ["ann", "Ann", "bob", "analysts", "everyone", "hub:analysts", "müller, jürgen"]
GROUPS = ["analysts", "ann", "/a/x", "/b/x", "openshift:analysts"]
HUB_GROUPS = ["analysts", "/a/x"]
SHARES = ["data", "lab", "notes"]
STRANGER = "somebody who is named nowhere"


def picked(pool):
    """A part of a pool, as a tuple; one number, for that is quick to make and to shrink."""
    return st.integers(0, 2 ** len(pool) - 1).map(
        lambda number: tuple(name for position, name in enumerate(pool) if number >> position & 1)
    )


def share(name, level="private", read=(), write=(), **more):
    """An entry as parsing makes it; `read` and `write` are names of people, and groups after `@`."""
    given = [
        Grants(
            tuple(word for word in words if not word.startswith("@")),
            tuple(word[1:] for word in words if word.startswith("@")),
        )
        for words in (read, write)
    ]
    entry = ShareSpec(
        name=name,
        level=level,
        claim=name,
        mount_path=f"/home/{name}",
        read=replace(given[0], everyone=level == "public"),
        write=given[1],
    )
    return replace(entry, **more)


_WORDS = [*PEOPLE, *(f"@{group}" for group in GROUPS), *(f"@hub:{group}" for group in HUB_GROUPS)]
_GRANTED = picked(_WORDS)
# What else a share may be, in one draw: draws are what takes the time.
_OTHERWISE = st.sampled_from(
    list(
        product(
            ["public", "private", "secret"],
            [None, None, "2026-11-23", "2026-11-24", "2027-01-01"],
            [None, None, None, "present", "retired", "absent"],
            [(), (), (NAMESPACE,), ("other",)],
        )
    )
)
_FEW_SHARES, _FEW_GROUPS, _FEW_PEOPLE = picked(SHARES), picked(GROUPS), picked(PEOPLE)


@st.composite
def worlds(draw):
    """Some shares, and groups with some people each."""
    made = []
    for name in draw(_FEW_SHARES):
        level, until, state, namespaces = draw(_OTHERWISE)
        entry = share(name, level, draw(_GRANTED), draw(_GRANTED), until=until, state=state, namespaces=namespaces)
        made.append(entry)
    return made, {group: draw(_FEW_PEOPLE) for group in draw(_FEW_GROUPS)}


def naive(shares, groups, person, hub_groups=()):
    """What a person gets of each share, computed naively from the entries: {share: mode}."""
    mine = {group for group, members in groups.items() if person in members} | {f"hub:{group}" for group in hub_groups}
    found = {}
    for entry in shares:
        here = not entry.namespaces or NAMESPACE in entry.namespaces
        over = entry.until is not None and date.fromisoformat(entry.until) < TODAY
        if entry.state in ("retired", "absent") or not here or over:
            continue
        if person in entry.write.users or mine & set(entry.write.groups):
            found[entry.name] = "rw"
        elif entry.level == "public" or person in entry.read.users or mine & set(entry.read.groups):
            found[entry.name] = "ro"
    return found


def large(seed=1, people=10_000, groups=500, shares=200, memberships_each=10):
    """Shares and groups of the size that the collection answers for; the same ones for the same seed."""
    chance = random.Random(seed)
    names = [f"user{number:05d}@example.org" for number in range(people)]
    members = {f"group-{number:03d}": [] for number in range(groups)}
    for name in names:
        for group in chance.sample(sorted(members), memberships_each):
            members[group].append(name)
    made = []
    for number in range(shares):
        named = [chance.sample(names, 5), chance.sample(names, 3)]
        granted = [chance.sample(sorted(members), 5), chance.sample(sorted(members), 3)]
        words = [[*users, *(f"@{group}" for group in into)] for users, into in zip(named, granted)]
        made.append(share(f"share-{number:03d}", ("public", "private", "secret")[number % 3], *words))
    return made, members
