"""The changes for people, compared with the access rules applied to each person, and their descriptions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import product

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.changes import (
    EVERYONE,
    HUB_GROUP,
    PERSON,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl
from ansible_collections.odh.persistency.plugins.module_utils._core.access.diff import compare
from ansible_collections.odh.persistency.plugins.module_utils._core.access.model import EMPTY
from ansible_collections.odh.persistency.plugins.module_utils._hub.access import SharesPart, grants_of
from hypothesis import given
from hypothesis import strategies as st

from tests.support.acl_worlds import (
    HUB_GROUPS,
    NAMESPACE,
    PEOPLE,
    SHARES,
    STRANGER,
    TODAY,
    large,
    picked,
    share,
    worlds,
)

RANK = {None: 0, "ro": 1, "rw": 2}


def acl_of(world):
    return compile_acl(*world, NAMESPACE)


def asking(acl):
    """The access rules for one ACL, applied to one person after the other."""
    part = SharesPart(acl.shares)

    def modes(person, hub_groups=()):
        granted = grants_of(part, acl.people.get(person), hub_groups, TODAY)
        return {name: grant.mode for name, grant in granted.items()}

    return modes


def brute_force(old, new):
    """All effects, computed by applying the access rules to everybody."""
    found = set()
    rules = asking(old), asking(new)
    strangers = [modes(STRANGER) for modes in rules]
    asked = [(EVERYONE, None, strangers)]
    asked += [(HUB_GROUP, f"hub:{group}", [modes(STRANGER, [group]) for modes in rules]) for group in HUB_GROUPS]
    asked += [(PERSON, person, [modes(person) for modes in rules]) for person in PEOPLE]
    for (kind, who, (before, after)), name in product(asked, SHARES):
        pair = before.get(name), after.get(name)
        with_everyone = kind != EVERYONE and pair == (strangers[0].get(name), strangers[1].get(name))
        if pair[0] != pair[1] and not with_everyone:
            found.add((name, kind, who, *pair))
    return found


@given(worlds(), worlds())
def test_the_effects_are_those_that_the_access_rules_show(first, second):
    old, new = acl_of(first), acl_of(second)
    comparison = compare(old, new, TODAY)
    expected = brute_force(old, new)
    assert {change[:5] for change in comparison.changes} == expected
    assert len(comparison.changes) == len(expected)
    narrowed = sum(1 for _name, _kind, _who, before, after in expected if RANK[after] < RANK[before])
    assert len(comparison.withdrawals) == narrowed
    assert len(comparison.gains) == len(expected) - narrowed


@given(worlds(), worlds(), picked(HUB_GROUPS))
def test_no_effect_if_and_only_if_nobodys_access_changes(first, second, hub_groups):
    # The second is often nearly the first, else the two would hardly ever grant the same.
    old = acl_of(first)
    for new in (acl_of((second[0], first[1])), acl_of((first[0], second[1]))):
        comparison = compare(old, new, TODAY)
        before, after = asking(old), asking(new)
        same = all(before(person) == after(person) for person in [*PEOPLE, STRANGER])
        same = same and all(before(STRANGER, [group]) == after(STRANGER, [group]) for group in HUB_GROUPS)
        assert (not comparison.changes) == same
        if same:
            assert all(before(who, hub_groups) == after(who, hub_groups) for who in [*PEOPLE, STRANGER])
        assert bool(comparison.sentences) == (old != new)
        assert all(sentence == sentence.strip() and "None" not in sentence for sentence in comparison.sentences)


@given(worlds(), st.data())
def test_removing_a_name_widens_nothing(world, data):
    shares, groups = world
    removable = [("group", group, member) for group, members in groups.items() for member in members]
    removable += [("share", number, None) for number in range(len(shares))]
    removable += [
        (f"{right} {what}", number, name)
        for number, entry in enumerate(shares)
        for right in ("read", "write")
        for what in ("users", "groups")
        for name in getattr(getattr(entry, right), what)
    ]
    if not removable:
        return
    kind, where, name = data.draw(st.sampled_from(removable))
    fewer, fewer_groups = list(shares), dict(groups)
    if kind == "group":
        fewer_groups[where] = tuple(member for member in groups[where] if member != name)
    elif kind == "share":
        del fewer[where]
    else:
        right, what = kind.split()
        grants = getattr(shares[where], right)
        left = replace(grants, **{what: tuple(other for other in getattr(grants, what) if other != name)})
        fewer[where] = replace(shares[where], **{right: left})
    assert compare(acl_of(world), acl_of((fewer, fewer_groups)), TODAY).gains == ()


@given(worlds(), worlds())
def test_the_reverse_comparison_has_the_opposite_changes(first, second):
    there = compare(acl_of(first), acl_of(second), TODAY).changes
    back = compare(acl_of(second), acl_of(first), TODAY).changes
    assert [(*effect[:3], effect.new, effect.old) for effect in there] == [change[:5] for change in back]


def reported(old, new, groups=None, new_groups=None, **more):
    groups = groups or {}
    return compare(
        compile_acl(old, groups, NAMESPACE),
        compile_acl(new, groups if new_groups is None else new_groups, NAMESPACE),
        TODAY,
        **more,
    ).sentences


CROWD = tuple(f"user{number:02d}" for number in range(38))
FIRST = "user00, user01, user02, user03, user04, user05, user06, user07 and 30 more"
GROUP = {"analysts": ("amara",)}


@pytest.mark.parametrize(
    ("old", "new", "sentences"),
    [
        ([share("x")], [share("x", write=["@analysts"])], ["amara gains rw on x (group analysts)"]),
        ([share("x")], [share("x", read=["amara"])], ["amara gains ro on x (named in read)"]),
        (
            [share("x", read=["@analysts"])],
            [share("x", write=["@analysts"])],
            ["amara gains rw on x (group analysts), instead of ro"],
        ),
        (
            [share("x", read=["amara"], write=["amara"])],
            [share("x", read=["amara"])],
            ["amara keeps only ro on x (removed from write), instead of rw"],
        ),
        (
            [share("x", write=["@analysts"])],
            [share("x", read=["@analysts"])],
            ["amara keeps only ro on x (group analysts removed from write), instead of rw"],
        ),
        ([share("x", read=["amara"])], [share("x")], ["amara loses ro on x (removed from read)"]),
        ([share("x", "public")], [], ["everyone loses ro on x (share removed)"]),
        ([share("x", write=["amara"])], [], ["amara loses rw on x (share removed)"]),
        ([share("x")], [], ["x leaves the ACL (share removed): nobody had access"]),
        (
            [],
            [share("x", "public", write=["amara"], until="2027-03-31")],
            [
                "x is new: public, claim x at /home/x, until 2027-03-31",
                "everyone gains ro on x (share added)",
                "amara gains rw on x (named in write)",
            ],
        ),
        ([], [share("x")], ["x is new: private, claim x at /home/x: nobody has access yet"]),
        (
            [share("x")],
            [share("x", write=["@hub:analysts"])],
            ["members of hub:analysts gain rw on x (added to write)"],
        ),
        (
            [share("x", write=["@hub:analysts"])],
            [share("x", read=["@hub:analysts"])],
            ["members of hub:analysts keep only ro on x (removed from write), instead of rw"],
        ),
        (
            [share("x", read=["amara", "@hub:analysts"])],
            [share("x", read=["@hub:analysts"])],
            ["amara loses ro on x (removed from read), except members of hub:analysts"],
        ),
        (
            [share("x", write=["amara"], read=["@hub:analysts"])],
            [share("x", read=["amara", "@hub:analysts"])],
            ["amara keeps only ro on x (removed from write), instead of rw"],
        ),
        # Levels, each way.
        (
            [share("x", "public", read=CROWD)],
            [share("x", "private", read=CROWD)],
            ["x becomes private: 38 named people keep access, everyone else loses access"],
        ),
        (
            [share("x", "public", read=["@hub:analysts", "amara"])],
            [share("x", "private", read=["@hub:analysts", "amara"])],
            ["x becomes private: 1 named person and members of hub:analysts keep access, everyone else loses access"],
        ),
        ([share("x", "public")], [share("x")], ["x becomes private: nobody is named, everyone loses access"]),
        (
            [share("x", "public", read=["amara"])],
            [share("x", "secret", read=["amara"])],
            ["x becomes secret: 1 named person can ask for it when a server starts, everyone else loses access"],
        ),
        (
            [share("x", read=["amara"])],
            [share("x", "secret", read=["amara"])],
            ["x becomes secret: 1 named person must ask for it when a server starts, and other shares are then ro"],
        ),
        (
            [share("x", "secret", read=["amara"])],
            [share("x", read=["amara"])],
            ["x becomes private: 1 named person gets it without asking"],
        ),
        ([share("x", "secret")], [share("x")], ["x becomes private: nobody is named"]),
        ([share("x")], [share("x", "public")], ["x becomes public: everyone can read it"]),
        (
            [share("x", "secret", write=["amara"])],
            [share("x", "public")],
            [
                "x becomes public: everyone can read it without asking",
                "amara keeps only ro on x (removed from write), instead of rw",
            ],
        ),
        # The share itself.
        (
            [share("x", mount_path="/a")],
            [share("x", mount_path="/b", claim="y", gid=7)],
            [
                "x moves from /a to /b",
                "x uses claim y instead of claim x",
                "x is mounted with gid 7 instead of no gid",
            ],
        ),
        (
            [share("x")],
            [share("x", until="2027-01-01")],
            ["x is granted until 2027-01-01 instead of without an end date"],
        ),
        (
            [share("x", "public", write=["amara"])],
            [share("x", "public", write=["amara"], until="2026-11-23")],
            [
                "x expired after 2026-11-23: nobody has access",
                "everyone loses ro on x (expired after 2026-11-23)",
                "amara loses rw on x (expired after 2026-11-23)",
            ],
        ),
        (
            [share("x", write=["amara"], until="2026-11-23")],
            [share("x", write=["amara"], until="2026-11-24")],
            [
                "x is granted until 2026-11-24 instead of until 2026-11-23",
                "amara gains rw on x (granted again until 2026-11-24)",
            ],
        ),
        ([share("x", "public", until="2026-11-23")], [], ["x leaves the ACL (share removed): it had expired"]),
        (
            [share("x", "public", until="2026-11-23")],
            [share("x", "private", until="2026-11-23")],
            ["x becomes private"],
        ),
        (
            [share("x", "public")],
            [share("x", until="2026-11-23")],
            [
                "x becomes private",
                "x expired after 2026-11-23: nobody has access",
                "everyone loses ro on x (expired after 2026-11-23)",
            ],
        ),
        # Many at once.
        (
            [share("x", write=CROWD)],
            [share("x")],
            [f"38 people lose rw on x (removed from write): {FIRST}"],
        ),
        (
            [share("x", read=CROWD)],
            [share("x", write=[*CROWD, "amara"])],
            [
                "amara gains rw on x (named in write)",
                f"38 people gain rw on x (named in write), instead of ro: {FIRST}",
            ],
        ),
        # Names that could be read as something else.
        (
            [share("x")],
            [share("x", read=["everyone", "a, b", "zoë"])],
            [
                "'a, b' gains ro on x (named in read)",
                "'everyone' gains ro on x (named in read)",
                "zoë gains ro on x (named in read)",
            ],
        ),
        # Nothing changes.
        ([share("x", read=["amara"])], [share("x", read=["amara"])], []),
        (
            [share("x", write=["amara"])],
            [share("x", read=["amara"], write=["amara"])],
            ["nobody's access changes: amara has equivalent grants"],
        ),
        (
            [share("x", write=["@analysts"])],
            [share("x", read=["@analysts"], write=["@analysts"])],
            ["nobody's access changes: x has equivalent grants"],
        ),
    ],
)
def test_sentences(old, new, sentences):
    assert list(reported(old, new, GROUP)) == sentences


def test_leaving_and_joining_a_group():
    shares = [share("x", write=["@analysts"])]
    before, after = {"analysts": ("amara", "bob")}, {"analysts": ("bob", "cyd")}
    assert reported(shares, shares, before, after) == (
        "amara loses rw on x (left group analysts)",
        "cyd gains rw on x (group analysts)",
    )


def test_changed_members_of_a_group_without_grants_are_reported():
    shares = [share("x", write=["amara"])]
    assert reported(shares, shares, GROUP, {"idle": ("amara", "bob"), **GROUP}) == (
        "nobody's access changes: the members of idle change (amara and bob)",
    )


def test_order_is_by_share_then_person():
    old = [share("b", write=["zoe", "amara"]), share("a", write=["zoe"])]
    assert reported(old, [share("a"), share("b")]) == (
        "zoe loses rw on a (removed from write)",
        "amara loses rw on b (removed from write)",
        "zoe loses rw on b (removed from write)",
    )


def test_causes_for_removed_shares():
    assert reported([share("x", "public")], [], causes={"x": "share retired"}) == (
        "everyone loses ro on x (share retired)",
    )


def test_a_last_day_passes_without_being_a_change():
    acl = compile_acl([share("x", "public", until="2026-11-24")], {}, NAMESPACE)
    assert compare(acl, acl, date(2026, 11, 24)).notes == ()
    comparison = compare(acl, acl, date(2026, 11, 25))
    assert comparison.changes == comparison.sentences == ()
    assert comparison.notes == ("x expired after 2026-11-24: nobody has access",)


def test_the_first_acl_is_all_gain():
    comparison = compare(None, compile_acl([share("x", "public")], {}, NAMESPACE), TODAY)
    assert [change[:5] for change in comparison.changes] == [("x", EVERYONE, None, None, "ro")]
    assert compare(None, EMPTY, TODAY).changes == ()


def test_ten_thousand_people():
    shares, groups = large()
    others, other_groups = large(seed=2)
    old, new = compile_acl(shares, groups, NAMESPACE), compile_acl(others, other_groups, NAMESPACE)
    assert len(old.people) == 10_000
    # Everybody's access changes, then one person's, then nobody's.
    one = compile_acl(shares, {**groups, "group-000": groups["group-000"][1:]}, NAMESPACE)
    everybody = compare(old, new, TODAY)
    assert len(everybody.changes) > 400_000
    assert len(everybody.sentences) < 10_000
    assert 0 < len(compare(old, one, TODAY).sentences) < 20
    assert not compare(old, compile_acl(shares, groups, NAMESPACE), TODAY).changes
