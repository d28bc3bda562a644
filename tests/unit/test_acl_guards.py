"""Changes of the ACL that are published only with consent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import compile_acl
from ansible_collections.odh.persistency.plugins.module_utils._core.access.diff import compare
from ansible_collections.odh.persistency.plugins.module_utils._core.access.guards import (
    Consent,
    Proposal,
    guard,
)
from ansible_collections.odh.persistency.plugins.module_utils._hub.access import grants_of
from hypothesis import given
from hypothesis import strategies as st

from tests.support.acl_worlds import NAMESPACE, SHARES, TODAY, share, worlds

CROWD = tuple(f"user{number:02d}" for number in range(60))
ORDER = ["public", "private", "secret"]


def sentences(proposal, **consent):
    return [rejection.sentence for rejection in guard(proposal, Consent(**consent))]


def guarded(old, new, groups=None, new_groups=None, known=(), **consent):
    groups = groups or {}
    after = compile_acl(new, groups if new_groups is None else new_groups, NAMESPACE)
    before = None if old is None else compile_acl(old, groups, NAMESPACE)
    return sentences(Proposal(before, after, compare(before, after, TODAY), known), **consent)


def narrowed(old, new, person, share=None):
    """On how many shares somebody has less, or not at all, by the access rules."""
    before, after = (
        {name: grant.mode for name, grant in grants_of(acl.shares, acl.people.get(person), (), TODAY).items()}
        for acl in (old, new)
    )
    rank = {None: 0, "ro": 1, "rw": 2}
    return sum(rank[after.get(name)] < rank[mode] for name, mode in before.items() if share is None or name == share)


def test_an_emptied_list_is_rejected():
    old = [share("data", "public"), share("lab", read=["ann"])]
    assert guarded(old, []) == [
        "the new ACL has no shares, but the published one has data and lab, and everyone and ann would lose access: list the "
        "shares, or set `allow_empty: true` to withdraw all"
    ]
    # Also where the shares are there, but not for this namespace any more.
    assert guarded(old, [replace(entry, namespaces=("other",)) for entry in old]) == guarded(old, [])
    assert guarded(old, [replace(entry, state="absent") for entry in old]) == guarded(old, [])


def test_an_emptied_list_takes_one_consent_however_many_lose_access():
    assert guarded([share("lab", read=CROWD)], [], allow_empty=True) == []
    assert guarded([], []) == guarded(None, []) == []


def test_more_withdrawals_than_allowed_are_rejected():
    old, new = [share("data", "public"), share("lab", read=CROWD)], [share("data"), share("lab", read=CROWD[60:])]
    assert guarded(old, new) == [
        "120 grants would be withdrawn in one run, but `max_withdrawals` is 50: data from everyone; lab from user00, "
        "user01, user02, user03, user04, user05, user06, user07 and 52 more; set `max_withdrawals: 120` to allow this "
        "(-1 for no limit), or correct the shares and groups"
    ]
    assert guarded(old, new, max_withdrawals=120) == guarded(old, new, max_withdrawals=-1) == []
    assert "is 119" in guarded(old, new, max_withdrawals=119)[0]


def test_what_everyone_loses_each_one_loses():
    """A list that lost its second half takes a share from everybody, be nobody named in it."""
    old = [share("data", "public"), share("lab", "public", write=["user00"]), share("other", read=CROWD)]
    assert guarded(old, old[1:], max_withdrawals=60) == []
    assert "60 grants would be withdrawn" in guarded(old, old[1:], max_withdrawals=59)[0]
    # Who keeps a grant of their own keeps it; nobody is counted twice.
    named = [share("lab", read=["user00"]), share("other", read=CROWD)]
    assert "60 grants" in guarded(old[1:], named, max_withdrawals=0)[0]
    # Where nobody is known it is one.
    assert guarded([share("data", "public")], [share("data")], max_withdrawals=1) == []
    assert "1 grant would be withdrawn" in guarded([share("data", "public")], [share("data")], max_withdrawals=0)[0]


def test_other_data_under_the_same_name_is_withdrawn():
    old = [share("lab", read=["ann"], claim="ca"), share("notes", read=["bob"], claim="cb")]
    new = [share("lab", read=["ann"], claim="cb"), share("notes", read=["bob"], claim="ca")]
    comparison = compare(*(compile_acl(entries, {}, NAMESPACE) for entries in (old, new)), TODAY)
    assert [change[:5] for change in comparison.changes] == [
        ("lab", "person", "ann", "ro", None),
        ("lab", "person", "ann", None, "ro"),
        ("notes", "person", "bob", "ro", None),
        ("notes", "person", "bob", None, "ro"),
    ]
    assert "ann loses ro on lab (claim cb instead of ca)" in comparison.sentences
    assert "2 grants would be withdrawn" in guarded(old, new, max_withdrawals=1)[0]


def test_less_counts_like_nothing_and_a_group_of_the_hub_counts_once():
    old = [share("lab", write=["ann", "@hub:staff"])]
    assert guarded(old, [share("lab", read=["ann", "@hub:staff"])], max_withdrawals=2) == []
    assert (
        "lab from members of hub:staff and ann"
        in guarded(old, [share("lab", read=["ann", "@hub:staff"])], max_withdrawals=1)[0]
    )


def test_a_long_list_of_shares_is_cut():
    old = [share(f"share{number}", read=["ann"]) for number in range(9)]
    new = [share(f"share{number}") for number in range(9)]
    assert "share4 from ann; and 4 more shares; set" in guarded(old, new, max_withdrawals=0)[0]


def test_a_last_day_that_passes_withdraws_nothing():
    ended = [share("lab", read=CROWD, until="2026-11-23")]
    assert guarded(ended, ended, max_withdrawals=0) == []
    assert guarded(ended, [share("x")], max_withdrawals=0) == []
    # Set to a day gone by, it does.
    assert guarded([share("lab", read=CROWD)], ended) != []


@pytest.mark.parametrize(("before", "after"), [(b, a) for b in ORDER for a in ORDER])
def test_a_level_is_lowered_only_with_consent(before, after):
    old, new = [share("lab", before, read=["ann"])], [share("lab", after, read=["ann"])]
    lowered = ORDER.index(after) < ORDER.index(before)
    faults = guarded(old, new)
    assert len(faults) == lowered
    assert guarded(old, new, declassify=["lab"]) == []
    if lowered:
        gains = ", and everyone would gain access" if after == "public" else ", and ann would get it without asking"
        assert faults == [
            f"lab is {before} and would become {after}{gains}: set `declassify: [lab]` to accept this, or keep the level "
            f"{before}"
        ]
    assert guarded(None, new) == []


def test_data_does_not_get_a_lower_level_under_another_name():
    old = [share("lab", "secret", claim="files")]
    new = [share("lab2", "private", claim="files")]
    assert guarded(old, new) == [
        "claim files, which belongs to lab and would belong to lab2, is secret and would become private: set "
        "`declassify: [lab2]` to accept this, or keep the level secret"
    ]
    assert guarded(old, new, declassify=["lab2"]) == []
    assert guarded(old, [share("lab", "secret", claim="new"), *new]) != []


def test_names_in_declassify_must_be_shares():
    shares = [share("lab", "secret"), share("data")]
    assert guarded(shares, shares, declassify=["data", "lab"]) == []
    message = "declassify names 'labb', which is not a share (did you mean `lab`?): correct or remove it"
    assert guarded(shares, shares, declassify=["labb"]) == guarded(None, shares, declassify=["labb"]) == [message]
    assert guarded(shares, shares, declassify=["labb"], known=["labb"]) == []


def test_data_that_moves_to_another_name_is_declassified_by_either_name():
    old, new = [share("lab", "secret", claim="files")], [share("lab2", "private", claim="files")]
    assert guarded(old, new, declassify=["lab"]) == guarded(old, new, declassify=["lab2"]) == []
    # A name that was right before is no slip, and one that is misspelt is one also where all else is consented to.
    assert guarded([share("data")], [share("lab")], declassify=["data"]) == []
    assert len(guarded([share("data")], [], allow_empty=True, declassify=["dta"])) == 1


def test_a_group_that_reads_and_writes_is_guarded_as_one_that_writes():
    old = [share("lab", read=["@staff"], write=["@staff"])]
    new = [share("lab", read=["@staff"], write=["@openshift:staff"])]
    groups = {"staff": ("ann",), "openshift:staff": ("ann", "bob")}
    assert "and bob would gain access" in guarded(old, new, groups)[0]


MEMBERS = {"staff": ("ann",), "openshift:staff": ("ann", "bob"), "other": ("bob",)}


@pytest.mark.parametrize(
    ("before", "after", "who"),
    [
        ("staff", "openshift:staff", "bob"),
        ("staff", "hub:staff", "members of hub:staff (known only to the hub)"),
        ("hub:staff", "staff", "ann"),
        ("openshift:staff", "staff", None),
        ("staff", "hub:other", None),
        ("staff", "other", None),
    ],
)
def test_a_grant_does_not_widen_because_a_groups_source_changes(before, after, who):
    old, new = ([share(name, write=[f"@{group}"]) for name in SHARES] for group in (before, after))
    faults = guarded(old, new, MEMBERS)
    if who is None:
        assert faults == []
        return
    assert faults == [
        f"data, lab and notes would be granted to {after} instead of {before}, which is another group with the same name, and "
        f"{who} would gain access: set `allow_source_change: [staff]` to accept this, or grant to {before} again"
    ]
    misspelt, *rest = guarded(old, new, MEMBERS, allow_source_change=["stuff"])
    assert misspelt == (
        "allow_source_change names 'stuff', which no share grants anything to (did you mean `staff`?): correct or remove it"
    )
    assert rest == faults
    assert guarded(old, new, MEMBERS, allow_source_change=["staff"]) == []
    assert guarded(old, new, MEMBERS, allow_source_change=[after]) == []


def test_another_source_beside_the_first_is_a_grant_like_any_other():
    old, both = [share("lab", write=["@staff"])], [share("lab", write=["@staff", "@hub:staff", "@openshift:staff"])]
    assert guarded(old, both, MEMBERS) == []
    # On a public share, reading is no gain, from whatever source.
    assert guarded([share("lab", "public", read=["@staff"])], [share("lab", "public", read=["@hub:staff"])]) == []
    # Moving from reading to writing at once is one.
    assert len(guarded([share("lab", read=["@staff"])], [share("lab", write=["@hub:staff"])], MEMBERS)) == 1


def test_access_gained_by_another_grant_is_no_source_change():
    # bob gains by his name; openshift:staff stays what it was, or gets less than he does.
    old = [share("lab", read=["@staff", "@openshift:staff"])]
    assert guarded(old, [share("lab", read=["@openshift:staff"], write=["bob"])], MEMBERS) == []
    old = [share("lab", read=["@staff"])]
    assert guarded(old, [share("lab", read=["@openshift:staff"], write=["bob"])], MEMBERS) == []
    assert len(guarded(old, [share("lab", write=["@openshift:staff"])], MEMBERS)) == 1
    # The other source had it before, and gets another member in the same run.
    old = [share("lab", write=["@staff", "@openshift:staff"])]
    more = {**MEMBERS, "openshift:staff": ("ann", "bob", "cyd")}
    assert guarded(old, [share("lab", write=["@openshift:staff"])], MEMBERS, more) == []
    # Nobody gains by the other source, but somebody else gains.
    old = [share("lab", write=["@openshift:staff"])]
    assert guarded(old, [share("lab", write=["@staff", "cyd"])], MEMBERS) == []


def test_all_reasons_are_reported_at_once():
    old = [share("lab", "secret", read=["@staff"]), share("data", read=CROWD)]
    new = [share("lab", "private", read=["@hub:staff"])]
    words = ["declassify names", "would be withdrawn", "declassify: [lab]", "allow_source_change"]
    faults = guarded(old, new, MEMBERS, declassify=["x"])
    assert len(faults) == 4
    assert all(word in fault for word, fault in zip(words, faults))


@given(worlds(), worlds(), st.integers(-1, 12), st.sets(st.sampled_from(SHARES)))
def test_accepted_changes_withdraw_and_lower_no_more_than_allowed(first, second, most, declassify):
    old, new = compile_acl(*first, NAMESPACE), compile_acl(*second, NAMESPACE)
    comparison = compare(old, new, TODAY)
    faults = sentences(Proposal(old, new, comparison, SHARES), max_withdrawals=most, declassify=declassify)
    if old.by_name and not new.by_name:
        assert len(faults) == 1
        assert "allow_empty" in faults[0]
        return
    withdrawn = sum(effect.kind == "hub group" for effect in comparison.withdrawals)
    withdrawn += sum(narrowed(old, new, person) for person in {*old.people, *new.people})
    # What everyone loses counts, be there nobody known who goes along.
    own = {(effect.share, effect.who) for effect in comparison.withdrawals if effect.kind == "person"}
    for effect in comparison.withdrawals:
        if effect.kind == "everyone":
            people = {person for person in {*old.people, *new.people} if narrowed(old, new, person, effect.share)}
            withdrawn += all((effect.share, person) in own for person in people)
    assert any("max_withdrawals" in fault for fault in faults) == (0 <= most < withdrawn)
    lowered = {
        name
        for name in {*old.by_name} & {*new.by_name}
        if ORDER.index(new.by_name[name]["level"]) < ORDER.index(old.by_name[name]["level"])
    }
    for name in SHARES:
        assert any(f"declassify: [{name}]" in fault for fault in faults) == (name in lowered - declassify)
