"""A hub is upgraded from KubeSpawner 6.2 to 7.1, which computes other names of claims: no home is lost or taken over.

The hub with 6.2 has no hook of ours. Without the hook, 7.1 gives new and empty homes in all cases but the first, and mounts
the home of another user.
"""

from __future__ import annotations

import pytest

from tests.support.real_spawns import RealSpawns, claims_in

#: The names of their claims differ between the two.
USERS = ["stop.ped", "alice-smith", "a_b", "ann@example.org", "1user", "josé", "a b", "user{0}", "al--ice", "x" * 47]


@pytest.fixture(scope="module")
def old(cluster):
    running = RealSpawns("6.2", cluster.kubeconfig)
    yield running
    running.close()


@pytest.fixture(scope="module")
def new(cluster):
    running = RealSpawns("7.1", cluster.kubeconfig)
    yield running
    running.close()


def home_of(answer):
    assert "pod" in answer, answer
    [home] = claims_in(answer["pod"])
    return home


def used_before(old, namespace):
    """Start everybody's server in the old hub, and return the answers."""
    return {user: old.start(namespace, user, settings=None) for user in USERS}


def start_all(new, namespace, states):
    """Start everybody's server twice in the new hub, and return the homes, which must be the same."""
    first = {user: new.start(namespace, user, state=states.get(user)) for user in USERS}
    homes = {user: home_of(answer) for user, answer in first.items()}
    again = {user: home_of(new.start(namespace, user, state=first[user]["state"])) for user in USERS}
    assert again == homes
    return homes


@pytest.mark.parametrize("case", ["stopped", "running", "database-lost"])
def test_the_home_from_before_the_upgrade_is_found(cluster, namespace, old, new, case):
    before = used_before(old, namespace)
    states = {}
    if case == "stopped":
        states = {user: answer["state"] for user, answer in before.items()}
    if case == "running":
        # The new hub finds the server running, and stops it.
        states = {user: new.stop(namespace, user, answer["running"])["state"] for user, answer in before.items()}
    homes = {user: home_of(answer) for user, answer in before.items()}
    assert start_all(new, namespace, states) == homes
    assert sorted(cluster.claims(namespace)) == sorted(homes.values())


def test_a_pre_provisioned_home_under_the_old_name_is_found(cluster, namespace, modules, new):
    modules.ok("user_pvc", {"namespace": namespace, "naming": "escape", "size": "1Gi", "users": USERS})
    before = sorted(cluster.claims(namespace))
    homes = start_all(new, namespace, {})
    assert homes["stop.ped"] == "claim-stop-2eped"
    assert sorted(homes.values()) == sorted(cluster.claims(namespace)) == before


@pytest.mark.parametrize("database", ["kept", "lost"])
def test_nobody_takes_over_a_home_with_a_name_that_the_new_hub_computes(cluster, namespace, old, new, database):
    owners = {"stop-2eped": "stop.ped", "alice-2dsmith": "alice-smith"}
    before = {owner: old.start(namespace, owner, settings=None) for owner in owners.values()}
    for user, owner in owners.items():
        answer = new.start(namespace, user)
        assert answer["status"] == 403, answer
        assert answer["message"].startswith("The name of your home volume belongs to another volume.")
        state = before[owner]["state"] if database == "kept" else None
        assert home_of(new.start(namespace, owner, state=state)) == home_of(before[owner])
    assert len(cluster.claims(namespace)) == len(owners)


def test_a_home_that_was_adopted_is_preferred_to_the_old_name(cluster, namespace, modules, old, new):
    """KubeSpawner 7 would look for the old name after the hook has chosen, and take the claim of whoever has it."""
    state = old.start(namespace, "stop.ped", settings=None)["state"]
    cluster.make_claim(namespace, "restored")
    entry = {"name": "stop.ped", "claim": "restored"}
    modules.ok("user_pvc", {"namespace": namespace, "users": [entry]})
    assert home_of(new.start(namespace, "stop.ped", state=state)) == "restored"
