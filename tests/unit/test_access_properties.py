"""Properties of the access rules for any access list, person and request."""

from __future__ import annotations

import copy
import random
import unicodedata
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._hub import access, acl_format
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.access import (
    ASKABLE,
    GROUPS,
    HOME,
    HUB_GROUPS,
    PEOPLE,
    ROOT,
    STORED_GROUPS,
    TODAY,
    World,
    asked,
    garbage,
    is_reserved,
    members_part,
    mutated,
    paths,
    people,
    share,
    shares_part,
    shuffled,
    stored_members,
    stored_shares,
    worlds,
)

WIDTH = {None: 0, "ro": 1, "rw": 2}


def modes(decision: access.Decision) -> dict[str, str]:
    assert decision.errors == []
    return {mount.share: mount.mode for mount in decision.mounts}


def outcomes(decision: access.Decision) -> dict[str, str]:
    assert decision.errors == []
    return {verdict.share: verdict.outcome for verdict in decision.verdicts}


def visible(decision: access.Decision) -> set[str]:
    return {verdict.share for verdict in decision.verdicts if verdict.visible}


def is_narrower(one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether one person's modes go nowhere beyond the other's."""
    return all(WIDTH[mode] <= WIDTH[other.get(name)] for name, mode in one.items())


def in_place(world: World, name: str) -> bool:
    """Whether a hub mounts a share at all, whoever is granted it."""
    one = world.shares["shares"][name]
    return not one["mount_path"].startswith("/etc") and not is_reserved(one["claim"])


# --- Who gets what --------------------------------------------------------------------------------------------------------


@given(worlds(), people(), asked())
def test_everybody_gets_what_the_levels_define(world: World, person: str, wishes: list[str]) -> None:
    decision = world.decide(person, wishes)
    shares = world.shares["shares"]
    may = {name: world.may(person, name) for name in shares if in_place(world, name)}
    secrets = {name for name, mode in may.items() if mode and shares[name]["level"] == "secret"}
    mounted = secrets & set(wishes)
    expected = {}
    for name, mode in may.items():
        if name in secrets - mounted:
            expected[name] = "ask"
        else:
            expected[name] = "ro" if mode == "rw" and mounted - {name} else mode or "-"
    assert outcomes(decision) == {name: expected.get(name, "-") for name in shares}
    assert modes(decision) == {name: outcome for name, outcome in expected.items() if outcome in ("ro", "rw")}
    assert [mount.share for mount in decision.mounts] == sorted(modes(decision))
    assert [verdict.share for verdict in decision.verdicts] == sorted(shares)
    for mount in decision.mounts:
        one = shares[mount.share]
        assert (mount.claim, mount.path, mount.gid) == (one["claim"], one["mount_path"], one.get("gid"))
    granted = {name: grant.mode for name, grant in world.grants(person).items()}
    assert granted == {name: mode for name in shares for mode in [world.may(person, name)] if mode}


@given(worlds(), people(), asked())
def test_unnamed_people_neither_get_nor_see_shares_that_are_not_public(
    world: World, person: str, wishes: list[str]
) -> None:
    decision = world.decide(person, wishes)
    unnamed = {
        name
        for name, one in world.shares["shares"].items()
        if one["level"] != "public" and not world.named(person, name, "read") and not world.named(person, name, "write")
    }
    assert not unnamed & set(modes(decision))
    assert not unnamed & visible(decision)
    assert not unnamed & set(world.grants(person))


@given(worlds(), people(), asked())
def test_requests_for_shares_that_are_not_granted_have_no_effect(world: World, person: str, wishes: list[str]) -> None:
    """Or people could find out which shares there are by asking for them."""
    world = world.validated()
    theirs = [name for name in wishes if outcomes(world.decide(person)).get(name) == "ask"]
    assert world.decide(person, wishes) == world.decide(person, theirs)


@given(worlds(), people(), asked())
def test_while_a_secret_share_is_mounted_nothing_else_is_writable(world: World, person: str, wishes: list[str]) -> None:
    world = world.validated()
    decision = world.decide(person, wishes)
    secrets = {name for name in modes(decision) if world.shares["shares"][name]["level"] == "secret"}
    for name, mode in modes(decision).items():
        if secrets - {name}:
            assert mode == "ro"
        else:
            assert mode == world.grants(person)[name].mode
    assert secrets <= set(wishes)


@given(worlds(), st.integers(0, 1000), people(), asked())
def test_removing_a_name_widens_no_access(world: World, pick: int, person: str, wishes: list[str]) -> None:
    names = world.names()
    if not names:
        return
    less = world.without(names[pick % len(names)]).validated()
    world = world.validated()
    assert is_narrower(
        {name: grant.mode for name, grant in less.grants(person).items()},
        {name: grant.mode for name, grant in world.grants(person).items()},
    )
    after = less.decide(person, wishes)
    # Who is no longer offered a secret share works without it, and so may write again: as before, when not asking for it.
    offered = [name for name in wishes if outcomes(less.decide(person)).get(name) == "ask"]
    before = world.decide(person, offered)
    assert is_narrower(modes(after), modes(before))
    assert visible(after) <= visible(before)


@given(worlds(), st.integers(0, 1000), asked())
def test_a_person_who_is_named_changes_nothing_for_others(world: World, pick: int, wishes: list[str]) -> None:
    """Taking one person's name out, or putting it in, is the same change seen from its two ends."""
    names = [place for place in world.names() if place[0] != "share"]
    if not names:
        return
    place = names[pick % len(names)]
    before, after = world.validated(), world.without(place).validated()
    for person in (*PEOPLE, "nobody"):
        if person != place[1]:
            assert before.decide(person, wishes) == after.decide(person, wishes)


@given(worlds(), people(), asked(), st.sampled_from(ASKABLE))
def test_a_person_added_to_a_share_gets_that_share_and_no_other(
    world: World, person: str, wishes: list[str], name: str
) -> None:
    more = copy.deepcopy(world)
    named = more.members["people"].setdefault(person, {}).setdefault("write", [])
    if name not in named:
        named.append(name)
    before, after = world.grants(person), more.grants(person)
    assert {other: grant for other, grant in after.items() if other != name} == {
        other: grant for other, grant in before.items() if other != name
    }
    if name in after:
        assert after[name] == access.Grant("rw", "named")
    assert is_narrower(modes(world.decide(person)), modes(more.decide(person)))


@given(worlds(), people(), asked())
def test_write_includes_read(world: World, person: str, wishes: list[str]) -> None:
    """Who may write needs no place among the readers."""
    other = copy.deepcopy(world)
    for one in other.shares["shares"].values():
        one["read"]["groups"] = [group for group in one["read"]["groups"] if group not in one["write"]["groups"]]
    for record in other.members["people"].values():
        if "read" in record:
            record["read"] = [name for name in record["read"] if name not in record.get("write", ())]
    assert other.decide(person, wishes) == world.decide(person, wishes)


@given(worlds(), people(), asked(), st.integers(0, 10**6))
def test_order_has_no_effect(world: World, person: str, wishes: list[str], seed: int) -> None:
    by = random.Random(seed)
    hub = {name: shuffled(groups, by) for name, groups in world.hub.items()}
    other = World(shuffled(world.shares, by), shuffled(world.members, by), hub)
    twice = [*shuffled(wishes, by), *wishes]
    assert other.decide(person, twice, roots=("/", ROOT)) == world.decide(person, wishes, roots=[ROOT, "/"])
    assert list(other.grants(person).items()) == list(world.grants(person).items())
    by_key = shuffled({"a": 1, "schema": 2, "é": {"x": 1, "b": 2}}, by)
    assert acl_format.canonical(by_key) == '{"a":1,"schema":2,"é":{"b":2,"x":1}}'


@given(st.dates(max_value=date(9999, 12, 30)), st.integers(-400, 400))
@example(date(2028, 2, 29), 0)
@example(date(2028, 2, 29), 1)
@example(date(2027, 12, 31), 1)
@example(date(1, 1, 1), 0)
def test_the_last_day_is_the_last_day(until: date, days: int) -> None:
    try:
        today = until + timedelta(days)
    except OverflowError:
        return
    world = World(
        shares_part(a=share("public", until=until.isoformat()), b=share(until=until.isoformat())),
        members_part(ana={"write": ["b"]}),
        {},
    )
    granted = modes(world.decide("ana", today=today))
    assert granted == ({"a": "ro", "b": "rw"} if days <= 0 else {})
    assert set(access.grants_of(world.shares, {"write": ["b"]}, (), today)) == set(granted)


# --- Names ----------------------------------------------------------------------------------------------------------------

_word = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)
_changes = (
    str.lower,
    str.upper,
    str.casefold,
    str.swapcase,
    str.strip,
    lambda name: name + " ",
    lambda name: " " + name,
    lambda name: name + "\n",
    lambda name: name + "\x00",
    lambda name: "\ufeff" + name,
    lambda name: unicodedata.normalize("NFC", name),
    lambda name: unicodedata.normalize("NFD", name),
    lambda name: unicodedata.normalize("NFKC", name),
    lambda name: name.split("/")[-1],
    lambda name: "/" + name,
    lambda name: "/b" + name,
    lambda name: name.split(":")[-1],
    lambda name: "hub:" + name,
    lambda name: "openshift:" + name,
    lambda name: name[:-1],
)
#: A name and one that is like it, or the same.
_likenesses = st.tuples(st.one_of(_word, st.sampled_from(GROUPS + PEOPLE)), st.sampled_from(_changes)).map(
    lambda both: (both[0], both[1](both[0]) or "x")
)


def _is_stored(group: str) -> bool:
    return acl_format.members_errors(members_part(ana={"groups": [group]})) == []


@given(_likenesses)
@example(("/a/x", "/b/x"))
@example(("/a/x", "x"))
@example(("Analysts", "analysts"))
@example(("jos\u00e9", "jose\u0301"))
@example(("Straße", "STRASSE"))
@example(("analysts", "openshift:analysts"))
def test_a_name_is_itself_and_no_other(names: tuple[str, str]) -> None:
    one, other = names
    same = one == other
    for name, like in ((one, other), (other, one)):
        named = World(shares_part(a=share()), {"schema": 1, "people": {name: {"read": ["a"]}}}, {})
        assert bool(named.decide(like).mounts) == same
        # A person, and a group of that name, one by one.
        assert not World(shares_part(a=share(read=["hub:" + name])), members_part(), {}).decide(name).mounts
        by_hub = World(shares_part(a=share(read=["hub:" + name])), members_part(), {"ana": (like,)})
        assert bool(by_hub.decide("ana").mounts) == same
        if _is_stored(name) and _is_stored(like):
            stored = World(shares_part(a=share(read=[name])), members_part(ana={"groups": [like]}), {name: (like,)})
            assert bool(stored.decide("ana").mounts) == same
            assert not stored.decide(name, hub_groups=(name, like)).mounts or name == "ana" or "hub:" in name + like


@given(st.sampled_from(STORED_GROUPS), st.sampled_from(HUB_GROUPS), st.sampled_from(GROUPS))
def test_one_word_from_two_sources_is_two_groups(stored: str, hub: str, granted: str) -> None:
    world = World(shares_part(a=share(write=[granted])), members_part(ana={"groups": [stored]}), {"ana": (hub,)})
    is_member = granted == stored or granted == "hub:" + hub
    assert bool(world.decide("ana").mounts) == is_member
    if is_member:
        assert world.grants("ana")["a"].rule == f"group {granted}"


# --- What is not valid ----------------------------------------------------------------------------------------------------


def _decide_any(shares: Any, members: Any, person: Any = "ana", **more: Any) -> access.Decision:
    asking = {"today": TODAY, "home": HOME, "roots": (ROOT,), "requested": ASKABLE, "hub_groups": HUB_GROUPS, **more}
    decision = access.decide(shares, members, access.SpawnRequest(person, **asking))
    assert isinstance(decision, access.Decision)
    assert all(isinstance(fault, str) and fault and not fault.endswith(".") for fault in decision.errors)
    # Not one surrogate, line or megabyte of what is wrong gets into a log.
    assert all(fault.isprintable() and len(fault) < 1000 for fault in decision.errors)
    if decision.errors:
        assert decision == access.Decision([], [], decision.errors)
    return decision


def _load(load: Any, data: Any) -> list[str]:
    """What is said to a part when it is loaded under its digest."""
    try:
        text = acl_format.canonical(data)
    except ValueError:  # What has no text: not a number, infinite
        return ["no text"]
    try:
        assert load(text, acl_format.digest_of(text)) == data
    except acl_format.AccessError as error:
        return list(error.errors) or pytest.fail("An error without a reason")
    return []


def _is_sane(decision: access.Decision) -> None:
    """What no document, however it came about, may lead to."""
    for mount in decision.mounts:
        assert mount.mode in ("ro", "rw")
        assert _is_allowed(mount.path, HOME, (ROOT,))
        assert mount.gid is None or (type(mount.gid) is int and mount.gid >= 0)
    targets = [PurePosixPath(mount.path) for mount in decision.mounts]
    for target in targets:
        assert sum(target == other or target in other.parents for other in targets) == 1
    assert len({mount.claim for mount in decision.mounts}) == len(decision.mounts)


@given(garbage(), st.one_of(st.none(), garbage(), stored_members()))
def test_invalid_data_never_raises_and_grants_nothing(shares: Any, members: Any) -> None:
    decision = _decide_any(shares, members)
    faults = acl_format.shares_errors(shares) + (acl_format.members_errors(members) if members is not None else [])
    assert decision.errors == faults
    if faults:
        assert decision.mounts == []
    assert bool(_load(access.load_shares, shares)) == bool(acl_format.shares_errors(shares))
    assert bool(_load(access.load_members, members)) == bool(acl_format.members_errors(members))
    assert bool(_load(access.load_index, shares)) == bool(acl_format.index_errors(shares))
    _is_sane(decision)


@given(mutated(stored_shares()), st.one_of(st.none(), stored_members()))
def test_a_damaged_shares_part_grants_nothing_beyond_its_content(shares: Any, members: Any) -> None:
    decision = _decide_any(shares, members)
    assert decision.errors == acl_format.shares_errors(shares)
    assert bool(_load(access.load_shares, shares)) == bool(decision.errors)
    if not decision.errors:
        _is_sane(decision)
        assert set(shares) == {"schema", "shares"}
        for one in shares["shares"].values():
            assert set(one) - {"gid", "until"} == {"level", "claim", "mount_path", "read", "write"}
            assert (set(one["read"]), set(one["write"])) == ({"everyone", "groups"}, {"groups"})
            assert one["level"] in acl_format.LEVELS
            assert one["read"]["everyone"] is (one["level"] == "public")
            assert type(one.get("gid", 0)) is int
        world = World(shares, members or members_part(), {"ana": HUB_GROUPS})
        assert set(modes(decision)) == {
            name
            for name in shares["shares"]
            if world.may("ana", name) and _in_hub(shares, name) and _desired(shares, name)
        }


def _in_hub(shares: Any, name: str) -> bool:
    one = shares["shares"][name]
    return _is_allowed(one["mount_path"], HOME, (ROOT,)) and not is_reserved(one["claim"])


def _desired(shares: Any, name: str) -> bool:
    return shares["shares"][name]["level"] != "secret" or name in ASKABLE


@given(stored_shares(), mutated(stored_members()))
def test_a_damaged_membership_part_grants_nothing_beyond_its_content(shares: Any, members: Any) -> None:
    decision = _decide_any(shares, members)
    assert decision.errors == acl_format.members_errors(members)
    assert bool(_load(access.load_members, members)) == bool(decision.errors)
    if not decision.errors:
        assert set(members) == {"schema", "people"}
        for record in members["people"].values():
            assert set(record) <= {"groups", "read", "write"}
            # Or the list could speak for the hub.
            assert not [
                group for group in record.get("groups", ()) if group.startswith("hub:") or group == "openshift:"
            ]
    _is_sane(decision)


_questions = st.sampled_from(("person", "hub_groups", "requested", "today", "home", "roots"))


@given(st.dictionaries(_questions, garbage(), min_size=1, max_size=2))
def test_invalid_requests_never_raise(odd: dict[str, Any]) -> None:
    person = odd.pop("person", "ana")
    shares, members = (
        shares_part(a=share("public"), b=share(read=["analysts"])),
        members_part(ana={"groups": ["analysts"]}),
    )
    decision = _decide_any(shares, members, person, **odd)
    lists = [odd[key] for key in ("hub_groups", "requested", "roots") if key in odd]
    if (
        "today" in odd
        or not isinstance(person, str)
        or not person
        or any(isinstance(one, (str, dict)) for one in lists)
    ):
        assert decision.errors
    for mount in decision.mounts:
        assert mount.share == "a" or person == "ana"


@given(
    worlds(),
    st.sampled_from(("shares", "members")),
    st.integers(0, 10**6),
    st.sampled_from(("replace", "insert", "remove", "cut", "append")),
    st.characters(),
)
def test_a_text_that_was_changed_never_loads_under_its_digest(
    world: World, which: str, position: int, change: str, character: str
) -> None:
    text = acl_format.canonical(getattr(world, which))
    load = {"shares": access.load_shares, "members": access.load_members}[which]
    digest = acl_format.digest_of(text)
    assert load(text, digest) == getattr(world, which)
    at = position % len(text)
    changed = {
        "replace": text[:at] + character + text[at + 1 :],
        "insert": text[:at] + character + text[at:],
        "remove": text[:at] + text[at + 1 :],
        "cut": text[:at],
        "append": text + character,
    }[change]
    if changed != text:
        with pytest.raises(acl_format.AccessError):
            load(changed, digest)
    with pytest.raises(acl_format.AccessError):
        load(text, acl_format.digest_of(text + " "))


@given(worlds(), st.one_of(st.text(" \n\t", min_size=1, max_size=2), st.sampled_from(("indent", "ascii", "twice"))))
def test_one_content_has_one_text(world: World, change: str) -> None:
    """Otherwise parsers could read a duplicate key differently."""
    text = acl_format.canonical(world.members)
    if change == "indent":
        other = text.replace(",", ", ")
    elif change == "ascii":
        other = "".join(f"\\u{ord(character):04x}" if ord(character) > 126 else character for character in text)
    elif change == "twice":
        other = text[:-1] + ',"people":{}}'
    else:
        other = text + change
    if other != text:
        with pytest.raises(acl_format.AccessError):
            access.load_members(other, acl_format.digest_of(other))


@given(worlds(), worlds(), people(), asked())
def test_decisions_use_the_data_as_it_was_loaded(world: World, other: World, person: str, wishes: list[str]) -> None:
    """Validated data is not validated again, so later changes must have no effect."""
    before = world.decide(person, wishes)
    loaded = copy.deepcopy(world).validated()
    assert loaded.decide(person, wishes) == before
    for part in (loaded.shares["shares"], loaded.members["people"]):
        part.clear()
    loaded.shares["shares"].update(copy.deepcopy(other.shares["shares"]))
    loaded.shares["schema"] = "none"
    loaded.members["people"].update(copy.deepcopy(other.members["people"]))
    assert loaded.decide(person, wishes) == before
    # A copy is what it says, and is looked at again.
    assert type(copy.deepcopy(loaded.shares)) is type(copy.copy(loaded.members)) is dict
    assert access.decide(copy.deepcopy(loaded.shares), None, access.SpawnRequest(person, today=TODAY)).errors


# --- Where ----------------------------------------------------------------------------------------------------------------


def _is_allowed(path: str, home: str, roots: tuple[str, ...]) -> bool:
    """Told by pathlib, which knows the parts of a path (and would let two slashes pass at the beginning)."""
    target = PurePosixPath(path)
    base = PurePosixPath(home)
    return (
        path.startswith("/")
        and not path.startswith("//")
        and str(target) == path
        and not {".", ".."} & set(target.parts)
        and not any(unicodedata.category(character) in ("Cc", "Cs") or character == ":" for character in path)
        and target != base
        and target not in base.parents
        and any(PurePosixPath(root) in target.parents for root in (home, *roots))
        and path not in roots
    )


@given(paths)
@example(HOME)
@example(HOME + "/")
@example("/opt")
@example("/")
@example("//opt/app-root/src/a")
@example(HOME + "/../src/a")
@example(HOME + "2/a")
@example(ROOT)
def test_shares_are_mounted_where_the_hub_allows_it_and_nowhere_else(path: str) -> None:
    shares = shares_part(a=share("public", path=path), b=share("public", path="/data/zzz"))
    decision = access.decide(shares, None, access.SpawnRequest("ana", today=TODAY, home=HOME, roots=(ROOT,)))
    where = {mount.share: mount.path for mount in decision.mounts}
    if _is_allowed(path, HOME, (ROOT,)):
        assert where == {"a": path, "b": "/data/zzz"}
    else:
        assert "a" not in where
        assert decision.errors or where == {"b": "/data/zzz"}


@given(paths, paths)
@example("/data/a", "/data/a/b")
@example("/data/a", "/data/a")
@example("/data/a/b", "/data/a")
@example("/data/a", "/data/ab")
def test_no_share_lies_inside_another(one: str, other: str) -> None:
    faults = acl_format.shares_errors(shares_part(a=share(path=one), b=share(path=other)))
    if not faults:
        first, second = PurePosixPath(one), PurePosixPath(other)
        assert first != second
        assert first not in second.parents
        assert second not in first.parents
    valid = not acl_format.path_error(one) and not acl_format.path_error(other)
    if faults and valid:
        assert f"{other}/".startswith(f"{one}/") or f"{one}/".startswith(f"{other}/")


@given(st.lists(st.sampled_from(("", ".", "x/..", "./", "/")), max_size=4), st.sampled_from((HOME, "/", "/data")))
def test_a_home_may_be_written_in_any_way(noise: list[str], path: str) -> None:
    """Paths in the settings of the hub may have any form, and shares may not hide them in any case."""
    written = "/" + "/".join((*noise, "opt", *noise, "app-root", *noise, "src", *noise))
    for mounted in (f"{HOME}/a", HOME, "/opt", "/opt/app-root", f"{HOME}2"):
        shares = shares_part(a=share("public", path=mounted))
        plain = access.decide(shares, None, access.SpawnRequest("ana", today=TODAY, home=HOME))
        assert access.decide(shares, None, access.SpawnRequest("ana", today=TODAY, home=written)) == plain
        assert bool(plain.mounts) == (mounted == f"{HOME}/a")
        # A root above the home does not let a share hide the home.
        assert access.decide(
            shares, None, access.SpawnRequest("ana", today=TODAY, home=written, roots=["/opt/", "/"])
        ).mounts == (plain.mounts if mounted != f"{HOME}2" else [access.Mount("a", "a", mounted, "ro", None)])
