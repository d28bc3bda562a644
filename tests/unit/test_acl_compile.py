"""From entries to the ACL, to its texts, and back: the stored ACL grants exactly what the inventory declares."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.compile import (
    MEMBERS_GOAL,
    MOST,
    compile_acl,
    document_of,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.access.model import EMPTY, Acl
from ansible_collections.odh.persistency.plugins.module_utils._core.access.observed import acl_from
from ansible_collections.odh.persistency.plugins.module_utils._hub.access import (
    SharesPart,
    grants_of,
    load_index,
    load_members,
    load_shares,
)
from ansible_collections.odh.persistency.plugins.module_utils._hub.acl_format import (
    AccessError,
    canonical,
    digest_of,
    prefix_of,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.support.acl_worlds import HUB_GROUPS, NAMESPACE, PEOPLE, STRANGER, TODAY, large, naive, picked, share, worlds


def texts_of(document):
    return {name: part.text for name, part in document.parts.items()}


@given(worlds(), picked(HUB_GROUPS))
def test_everybody_gets_exactly_what_the_entries_declare(world, hub_groups):
    shares, groups = world
    acl = compile_acl(shares, groups, NAMESPACE)
    part = SharesPart(acl.shares)
    for person in [*PEOPLE, STRANGER]:
        granted = grants_of(part, acl.people.get(person), hub_groups, TODAY)
        assert {name: grant.mode for name, grant in granted.items()} == naive(shares, groups, person, hub_groups), (
            person
        )


@given(worlds())
def test_what_is_stored_is_read_back(world):
    acl = compile_acl(*world, NAMESPACE)
    document = document_of(acl)
    assert acl_from(document.index, document.digest, {**texts_of(document), "another": "{}"}) == acl
    for part in document.parts.values():
        assert part.text == canonical(json.loads(part.text))
        assert part.digest == digest_of(part.text)


@given(worlds(), st.integers(0, 2**32))
def test_the_order_of_what_is_given_changes_no_byte(world, seed):
    shares, groups = world
    chance = random.Random(seed)

    def mixed(items):
        items = list(items)
        chance.shuffle(items)
        return items

    def mixed_grants(grants):
        # Names that are there twice are there once.
        return type(grants)(
            tuple(mixed(grants.users) + mixed(grants.users)), tuple(mixed(grants.groups)), grants.everyone
        )

    others = [
        type(entry)(**{**entry.__dict__, "read": mixed_grants(entry.read), "write": mixed_grants(entry.write)})
        for entry in mixed(shares)
    ]
    other_groups = {group: mixed(groups[group]) + mixed(groups[group]) for group in mixed(groups)}
    assert document_of(compile_acl(others, other_groups, NAMESPACE)) == document_of(
        compile_acl(shares, groups, NAMESPACE)
    )


@pytest.mark.parametrize("gid", [None, 0, 1, 4294967294])
def test_the_gid_is_stored_as_given(gid):
    """Root's is one of them, and no group is none."""
    compiled = compile_acl([share("data", gid=gid)], {}, NAMESPACE).shares["shares"]["data"]
    assert compiled.get("gid", "none") == ("none" if gid is None else gid)


def test_the_form_that_is_stored():
    shares = [
        share("data", "public", write=["@hub:staff", "bob"], gid=5000),
        share("lab", "secret", read=["ann", "@openshift:lab"], until="2027-03-31"),
        share("old", write=["ann"], state="retired"),
        share("elsewhere", write=["ann"], namespaces=("other",)),
    ]
    acl = compile_acl(shares, {"openshift:lab": ["bob"], "idle": ["cyd"]}, NAMESPACE)
    assert acl.shares == {
        "schema": 1,
        "shares": {
            "data": {
                "level": "public",
                "claim": "data",
                "mount_path": "/home/data",
                "gid": 5000,
                "read": {"everyone": True, "groups": []},
                "write": {"groups": ["hub:staff"]},
            },
            "lab": {
                "level": "secret",
                "claim": "lab",
                "mount_path": "/home/lab",
                "until": "2027-03-31",
                "read": {"everyone": False, "groups": ["openshift:lab"]},
                "write": {"groups": []},
            },
        },
    }
    assert acl.people == {
        "ann": {"read": ["lab"]},
        "bob": {"groups": ["openshift:lab"], "write": ["data"]},
        "cyd": {"groups": ["idle"]},
    }


def test_no_people_need_no_members_part():
    document = document_of(EMPTY)
    assert [part.kind for part in document.parts.values()] == ["shares"]
    assert load_index(document.index, document.digest)["members"] == {}
    assert acl_from(document.index, document.digest, texts_of(document)) == EMPTY


def test_members_of_the_hubs_groups_are_stored_nowhere():
    with pytest.raises(ValueError, match="hub:staff"):
        compile_acl([], {"hub:staff": ["ann"]}, NAMESPACE)


@pytest.mark.parametrize("broken", ["no part", "digest", "text", "place", "newer"])
def test_an_acl_is_read_completely_or_not_at_all(broken):
    acl = Acl({"schema": 1, "shares": {}}, {f"user{number}": {"groups": ["g" * 100]} for number in range(900)})
    document = document_of(acl)
    index, digest, texts = document.index, document.digest, texts_of(document)
    part = list(document.parts.values())[-1]
    assert part.prefix
    if broken == "no part":
        del texts[part.name]
    elif broken == "digest":
        digest = "0" * 64
    elif broken == "text":
        texts[part.name] = part.text.replace("ggg", "hhh", 1)
    elif broken == "place":
        strange = next(f"x{number}" for number in range(99) if prefix_of(f"x{number}", 1) != part.prefix)
        text = canonical({"schema": 1, "people": {strange: {}}})
        data = json.loads(index)
        data["members"][part.prefix] = digest_of(text)
        index = canonical(data)
        digest = digest_of(index)
        texts[part.name[: -len(digest_of(text)[:16])] + digest_of(text)[:16]] = text
    else:
        index = index.replace('"schema":1', '"schema":2')
        digest = digest_of(index)
    with pytest.raises(AccessError) as caught:
        acl_from(index, digest, texts)
    assert {"no part": "does not exist", "place": "belongs in another part", "newer": "newer"}.get(
        broken, "digest"
    ) in str(caught.value)


def wire_size(text):
    return len(json.dumps(text, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("people", "groups", "digits"), [(10, 10, 0), (2_000, 10, 1), (10_000, 10, 2), (30_000, 40, 2)]
)
def test_people_are_spread_as_far_as_needed(people, groups, digits):
    chance = random.Random(3)
    names = [f"group-{number:03d}" for number in range(500)]
    acl = Acl(
        {"schema": 1, "shares": {}},
        {f"user{number}@example.org": {"groups": sorted(chance.sample(names, groups))} for number in range(people)},
    )
    document = document_of(acl)
    assert json.loads(document.index)["digits"] == digits
    sizes = [wire_size(part.text) for part in document.parts.values()]
    assert max(sizes) < MOST
    # One digit more would make the index so large that a spawn reads more, not less.
    assert max(sizes) + wire_size(document.index) <= (
        MEMBERS_GOAL if digits * people < 60_000 else 16 ** (digits + 1) * 78
    )


@pytest.mark.parametrize("length", [12, 90, 107, 150])
def test_one_spawn_reads_little_however_long_the_names_of_groups_are(length):
    shares, groups = large()
    longer = {group: group.ljust(length, "x") for group in groups}
    members = {longer[group]: people for group, people in groups.items()}
    for number, entry in enumerate(shares):
        read, write = (
            replace(grants, groups=tuple(longer[group] for group in grants.groups))
            for grants in (entry.read, entry.write)
        )
        shares[number] = replace(entry, read=read, write=write)
    document = document_of(compile_acl(shares, members, NAMESPACE))
    shares_part, *parts = document.parts.values()
    read = max(wire_size(part.text) for part in parts) + wire_size(document.index)
    assert read <= 130 * 1024
    assert len(parts) <= 256
    assert read + wire_size(shares_part.text) < (300 if length <= 107 else 450) * 1024


def test_one_record_larger_than_a_part_should_be_makes_the_others_no_larger():
    people = {f"user{number}": {"groups": ["analysts"]} for number in range(100)}
    people["ann"] = {"groups": [f"group-{number:05d}" for number in range(10_000)]}
    document = document_of(Acl({"schema": 1, "shares": {}}, people))
    sizes = sorted(wire_size(part.text) for part in document.parts.values())
    assert MEMBERS_GOAL < sizes[-1] < MOST
    assert json.loads(document.index)["digits"] > 0


@pytest.mark.parametrize(
    ("acl", "message"),
    [
        (Acl({"schema": 1, "shares": {}}, {"ann": {"groups": [f"{n:030d}" for n in range(20_000)]}}), "fewer groups"),
        (compile_acl([share("data", read=[f"@{n:030d}" for n in range(20_000)])], {}, NAMESPACE), "fewer groups"),
        (compile_acl([share("data", read=["ann", ""])], {}, NAMESPACE), "not a user name"),
        (compile_acl([share("data"), share("lab", mount_path="/home/data/lab")], {}, NAMESPACE), "inside"),
    ],
)
def test_what_cannot_be_stored_is_rejected(acl, message):
    with pytest.raises(ValueError, match=message):
        document_of(acl)


def test_ten_thousand_people_and_what_one_spawn_reads():
    shares, groups = large()
    acl = compile_acl(shares, groups, NAMESPACE)
    document = document_of(acl)
    assert max(wire_size(part.text) for part in document.parts.values()) <= MOST
    shares_part, *members = document.parts.values()
    largest = max(members, key=lambda part: wire_size(part.text))
    assert wire_size(document.index) + wire_size(shares_part.text) + wire_size(largest.text) < 300 * 1024
    assert len(acl.people) == 10_000
    load_shares(shares_part.text, shares_part.digest)
    assert len(load_members(largest.text, largest.digest)["people"]) > 10
