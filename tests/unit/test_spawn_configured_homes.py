"""Homes that the hub chooses itself: which folders of their claims a server mounts."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._hub.configured_homes import (
    ConfiguredHomes,
    homes_of,
    without_other_folders,
)
from hypothesis import given
from hypothesis import strategies as st

HOME = "/home/jovyan"
VOLUME = {"name": "home", "persistentVolumeClaim": {"claimName": "homes"}}
OTHER = {"name": "tools", "persistentVolumeClaim": {"claimName": "tools"}}


def mount(folder, path=HOME, volume="home"):
    key = "subPathExpr" if "$" in folder else "subPath"
    return {"name": volume, "mountPath": path, **({key: folder} if folder else {})}


def pod(*mounts, side=(), init=()):
    return {
        "volumes": [VOLUME, OTHER],
        "initContainers": [{"name": "fix", "volumeMounts": list(init)}],
        "containers": [
            {"name": "side", "volumeMounts": list(side)},
            {"name": "notebook", "volumeMounts": list(mounts)},
        ],
    }


CONFIGURED = pod(mount("ann"), mount("_shared", f"{HOME}/shared"), init=[mount("", "/all")])
HOMES = homes_of(CONFIGURED, HOME)


def folders(spec, container=1):
    containers = [*spec["containers"], *spec["initContainers"]]
    return [one.get("subPath") or one.get("subPathExpr") or "" for one in containers[container]["volumeMounts"]]


def test_what_is_configured_stays():
    assert HOMES.claims == {"homes"}
    assert without_other_folders(CONFIGURED, HOMES) == (CONFIGURED, [])


@pytest.mark.parametrize("folder", ["ann", "./ann/", "ann/work", "_shared", "_shared/data"])
def test_a_profile_mounts_what_is_configured_anywhere_and_what_is_below_it(folder):
    spec = pod(mount(folder, "/x"), side=[mount(folder, "/y")])
    assert without_other_folders(spec, HOMES) == (spec, [])


@pytest.mark.parametrize("folder", ["", ".", "bob", "an", "anna", "ann/../bob", "$(WHO)"])
def test_a_profile_mounts_no_other_folder_in_any_container(folder):
    before = pod(mount("ann"), mount(folder, "/x"), mount("", "/t", "tools"), side=[mount(folder, "/y")])
    original = copy.deepcopy(before)
    after, removed = without_other_folders(before, HOMES)
    assert before == original
    assert folders(after) == ["ann", ""]
    assert folders(after, 0) == []
    assert [line.partition(" at ")[2] for line in removed] == ["/y in container side", "/x in container notebook"]


def test_what_is_configured_for_one_container_is_not_for_others():
    after, _removed = without_other_folders(pod(mount(""), init=[mount("", "/all")]), HOMES)
    assert (folders(after), folders(after, 2)) == ([], [""])


ADDED = {"volumeMounts": [mount("", "/all"), mount("", "/bin", "tools")]}


@pytest.mark.parametrize("change", [{"image": "y"}, {"command": ["sh"]}, {"env": [{"name": "A"}]}, ADDED])
def test_a_container_that_is_not_the_configured_one_gets_nothing_that_is_configured_for_it(change):
    """A profile can use the name of a container of the hub."""
    spec = pod(mount("ann"), init=[mount("", "/all")])
    spec["initContainers"][0].update(change)
    after, _removed = without_other_folders(spec, HOMES)
    assert [one["name"] for one in after["initContainers"][0]["volumeMounts"]] == ["tools"] * (change is ADDED)


def with_variables(spec, **values):
    spec["containers"][1]["env"] = [{"name": name, "value": value} for name, value in values.items()]
    return spec


def test_the_variables_of_an_expression_have_their_configured_values():
    path = mount("$(WHO)")
    homes = homes_of(with_variables(pod(path), WHO="$(USER)", USER="ann"), HOME)
    kept = with_variables(pod(path), WHO="$(USER)", USER="ann", OTHER="x")
    assert without_other_folders(kept, homes) == (kept, [])
    for values in ({"WHO": "$(USER)", "USER": "bob"}, {"WHO": "bob", "USER": "ann"}, {"USER": "ann"}):
        assert folders(without_other_folders(with_variables(pod(path), **values), homes)[0]) == []
    twice = with_variables(pod(path), WHO="$(USER)", USER="ann")
    twice["containers"][1]["env"].append({"name": "USER", "value": "bob"})
    assert folders(without_other_folders(twice, homes)[0]) == []
    side = with_variables(pod(path, side=[path]), WHO="$(USER)", USER="ann")
    assert folders(without_other_folders(side, homes)[0], 0) == []
    side["containers"][0]["env"] = [*side["containers"][1]["env"]]
    assert folders(without_other_folders(side, homes)[0], 0) == ["$(WHO)"]


def test_an_expression_is_configured_as_it_is():
    homes = homes_of(pod(mount("$(JUPYTERHUB_USER)")), HOME)
    spec = pod(mount("$(JUPYTERHUB_USER)", "/x"))
    assert without_other_folders(spec, homes) == (spec, [])
    for folder in ("$(WHO)", "$(JUPYTERHUB_USER)/../bob", "bob"):
        assert folders(without_other_folders(pod(mount(folder)), homes)[0]) == []


def test_a_claim_that_is_mounted_as_a_whole_has_no_folders():
    """`hub_home: none`, or one claim of a single user."""
    spec = pod(mount("ann"), mount("", "/x"), mount("$(WHO)", "/y"))
    assert without_other_folders(spec, homes_of(pod(mount("")), HOME)) == (spec, [])
    assert without_other_folders(spec, ConfiguredHomes()) == (spec, [])


PATHS = st.sampled_from(["ann", "bob", "_shared", "", "ann/work", "./bob", "ann/../bob"])


@given(st.lists(PATHS), st.lists(PATHS), st.lists(PATHS))
def test_no_profile_reaches_the_home_of_somebody_else(main, side, init):
    spec = pod(*map(mount, main), side=map(mount, side), init=map(mount, init))
    after, removed = without_other_folders(spec, homes_of(pod(mount("ann")), HOME))
    found = [folder for number in range(3) for folder in folders(after, number)]
    assert {*found} <= {"ann", "ann/work"}
    assert len(found) + len(removed) == len([*main, *side, *init])
