"""The census over generated namespaces: its list for adoption keeps everybody's home."""

from __future__ import annotations

from ansible_collections.odh.persistency.plugins.module_utils._core.homes.census import (
    Person,
    census,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner.naming import SCHEMES, Template
from ansible_collections.odh.persistency.plugins.module_utils._core.report.census import census_text
from hypothesis import given
from hypothesis import strategies as st

from tests.support.planning import claim, plan_for

USERS = ["ann", "stop.ped", "stop-2eped", "Ann", "a@x.org", "a-40x-2eorg", "zoé"]
PEOPLE = [Person(user, server) for user in USERS for server in ("", "gpu")]


@st.composite
def namespaces(draw):
    """Claims that hubs of several versions have made, and some that name nobody."""
    found = {}
    for person in draw(st.lists(st.sampled_from(PEOPLE), unique=True)):
        template = Template.parse(draw(st.sampled_from(SCHEMES)))
        name = template.claim_name(person.user, person.server)
        if draw(st.integers(0, 3)):
            found.setdefault(name, claim(name, person.user, person.server))
        else:
            found.setdefault(name, claim(name))
    return list(found.values())


@given(namespaces(), st.lists(st.sampled_from(PEOPLE), unique=True), st.sampled_from(SCHEMES))
def test_the_adoption_list_keeps_every_home(claims, people, scheme):
    template = Template.parse(scheme)
    found = census(people, claims, template)
    plan = plan_for(found["adoption"], claims, template)
    assert not plan.refusals, [change.reason for change in plan.refusals]
    assert all(change.action in ("adopt", "keep", "update") for change in plan.changes)
    assert {change.name for change in plan.changes} == {entry["claim"] for entry in found["adoption"]}

    adopted = {(entry["name"], entry.get("server", "")): entry["claim"] for entry in found["adoption"]}
    for row in found["moves"]["given"]["empty"]:
        assert adopted[row["name"], row["server"]] == row["claim"], "who would find an empty home is on the list"
    # Nobody is given a claim that names somebody else, and no claim is given twice.
    owners = {item.name: item.user for item in claims}
    assert all(owners[entry["claim"]] in (None, entry["name"]) for entry in found["adoption"])
    assert len(set(adopted.values())) == len(adopted)
    assert census_text(found)


@given(namespaces(), st.lists(st.sampled_from(PEOPLE), unique=True), st.sampled_from(SCHEMES))
def test_every_takeover_is_reported_and_left_out(claims, people, scheme):
    """What KubeSpawner would mount by name alone, and user_pvc leaves out, is a takeover in the census."""
    template = Template.parse(scheme)
    found = census(people, claims, template)
    reported = {(row["name"], row["server"]) for row in found["moves"]["given"]["takeovers"]}
    by_name = {item.name: item for item in claims}
    for person in people:
        if person.server and not template.has_server:
            continue
        mounted = by_name.get(template.claim_name(person.user, person.server))
        foreign = mounted is not None and mounted.user is not None and mounted.user != person.user
        if foreign:
            assert tuple(person) in reported
        users = [{"name": person.user, "server": person.server}]
        plan = plan_for(users, claims, template)
        owns = any(
            item.user == person.user and (item.server == person.server or not template.has_server) for item in claims
        )
        if foreign and not owns:
            assert not plan.changed
            assert [item.owner for item in plan.unreconcilable] == [person.user]
            assert f"home of {mounted.user}" in plan.unreconcilable[0].reason


def test_duplicates_orphans_and_undecided():
    claims = [claim("claim-ann", "ann"), claim("old", "ann"), claim("claim-bob", "bob"), claim("claim-stop-2eped")]
    people = [Person("ann", ""), Person("stop.ped", ""), Person("stop-2eped", "")]
    found = census(people, claims, Template.parse("safe"))
    assert found["duplicates"] == [{"owner": "ann", "server": "", "claims": ["claim-ann", "old"], "primary": None}]
    assert [row["name"] for row in found["orphans"]] == ["claim-bob"]
    whys = {row["claim"]: row["why"] for row in found["undecided"]}
    assert whys == {
        "claim-stop-2eped": "names no owner",
        "claim-ann, old": "several homes, and none is marked as the one to mount",
    }
    assert found["adoption"] == []
