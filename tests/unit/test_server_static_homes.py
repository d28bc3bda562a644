"""Homes in folders of one claim: which folders a server must not mount."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.access.model import Acl
from ansible_collections.odh.persistency.plugins.module_utils._core.report.access import ReportContext
from ansible_collections.odh.persistency.plugins.module_utils._core.servers.comparison import Comparison, Grants
from ansible_collections.odh.persistency.plugins.module_utils._core.servers.pods import server_pod_from
from ansible_collections.odh.persistency.plugins.module_utils._core.servers.static_homes import (
    StaticHome,
    StaticHomes,
    folder_of,
    static_home_errors,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.support.access import TODAY, members_part, shares_part
from tests.support.servers import server_pod

USERS = [("ann", ""), ("ann", "lab"), ("bob", ""), ("a.b", "")]
HOMES = StaticHomes(StaticHome("homes"), USERS)


def compare(*mounts, homes=HOMES, env=(), **pod):
    """Compare ann's server, which mounts the claim `homes` with these fields."""
    volume = {"name": "home", "persistentVolumeClaim": {"claimName": "homes"}}
    item = server_pod("ann", **pod)
    item["spec"]["volumes"] = [volume]
    container = item["spec"]["containers"][0]
    container["volumeMounts"] = [
        {"name": "home", "mountPath": f"/m{number}", **mount} for number, mount in enumerate(mounts)
    ]
    container["env"] += env
    found = server_pod_from(item)
    assert found is not None
    grants = Grants(Acl(shares_part(), members_part()["people"]), {}, ReportContext(TODAY, "", (), {}), homes)
    return grants.compare(found)


def excess(*mounts, **more):
    comparison = compare(*mounts, **more)
    assert not comparison.missing
    return [(finding.mounted, finding.reason) for finding in comparison.excess]


@pytest.mark.parametrize("folder", ["ann", "./ann/", "ann/work", "_shared"])
def test_the_own_folder_and_one_for_everybody_are_no_difference(folder):
    assert compare({"subPath": folder}) == Comparison()


@pytest.mark.parametrize("folder", ["bob", "bob/secret", "a-b---2e7336dc"])
def test_the_folder_of_somebody_else_is_excess(folder):
    [(mode, reason)] = excess({"subPath": "ann"}, {"subPath": folder, "readOnly": True})
    assert mode == "rw"  # one mount of the claim can be written
    owner = "a.b" if folder.startswith("a-") else "bob"
    assert reason == f"mounts folder '{folder}' of claim homes, the home of '{owner}'"


def test_all_of_the_claim_is_excess_in_any_container():
    whole = {"name": "fix", "volumeMounts": [{"name": "home", "mountPath": "/all", "readOnly": True}]}
    containers = server_pod("ann")["spec"]["containers"]
    containers[0]["volumeMounts"] = [{"name": "home", "mountPath": "/home", "subPath": "ann"}]
    volume = {"name": "home", "persistentVolumeClaim": {"claimName": "homes"}}
    pod = server_pod("ann", spec={"containers": containers, "initContainers": [whole], "volumes": [volume]})
    found = server_pod_from(pod)
    grants = Grants(Acl(shares_part(), members_part()["people"]), {}, ReportContext(TODAY, "", (), {}), HOMES)
    assert [finding.reason for finding in grants.compare(found).excess] == [
        "mounts all of claim homes, which has the homes of others"
    ]


def test_variables_in_a_folder_are_replaced_where_the_pod_has_their_values():
    env = [{"name": "WHO", "value": "bob"}, {"name": "SECRET", "valueFrom": {}}]
    assert excess({"subPathExpr": "$(WHO)"}, env=env) == [
        ("rw", "mounts folder 'bob' of claim homes, the home of 'bob'")
    ]
    unknown = compare({"subPathExpr": "$(SECRET)"}, env=env)
    assert not unknown.excess
    assert [finding.reason for finding in unknown.stale] == [
        "mounts folder '$(SECRET)' of claim homes, which depends on variables whose values are not in the pod"
    ]


def test_folders_below_others_and_of_other_schemes():
    nested = StaticHomes(StaticHome("homes", "users/{username}/home", "escape"), USERS)
    assert compare({"subPath": "users/ann/home"}, homes=nested) == Comparison()
    assert excess({"subPath": "users/bob"}, homes=nested) == [
        ("rw", "mounts folder 'users/bob' of claim homes, which has the homes of others")
    ]
    assert "the home of 'a.b'" in excess({"subPath": "users/a-2eb/home"}, homes=nested)[0][1]
    servers = StaticHomes(StaticHome("homes", "{username}--{servername}"), USERS)
    assert compare({"subPath": "ann"}, homes=servers) == Comparison()
    assert compare({"subPath": "ann--lab"}, homes=servers) == Comparison()  # another server of the same user
    assert excess({"subPath": "bob"}, homes=servers)


def test_without_the_option_the_folders_of_a_claim_are_not_compared():
    assert not compare({"subPath": "bob"}, homes=None).excess


NAMES = st.text("ab.-_A", min_size=1, max_size=4)


@given(st.sets(NAMES, min_size=1), st.sampled_from(["safe", "escape"]), st.data())
def test_everybody_mounts_their_own_folder_and_nobody_elses(users, naming, data):
    homes = StaticHomes(StaticHome("homes", naming=naming), [(user, "") for user in users])
    for user in users:
        own = homes.home.folder(user)
        assert homes.reason(user, "", own) == ""
        for other in users - {user}:
            theirs = homes.home.folder(other)
            assert theirs == own or "the home of" in homes.reason(user, "", theirs)
        assert bool(homes.reason(user, "", "")) == (len(users) > 1)
    folder = data.draw(st.text("ab/.", max_size=6))
    assert folder_of(folder_of(folder)) == folder_of(folder)


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"claim": "A"}, "claim 'A' is not made of lower-case letters"),
        ({"sub_path": "{usrname}"}, "sub_path '{usrname}' has the unknown field usrname"),
        ({"sub_path": "{username.__class__}"}, "has the unknown field username.__class__"),
        ({"sub_path": "{username!r}"}, "has the unknown field username"),
        ({"sub_path": "{"}, "sub_path '{' is malformed"),
        ({"sub_path": "homes"}, "sub_path 'homes' is the same folder for all users"),
        ({"sub_path": "{servername}"}, "is the same folder for all users"),
        ({"sub_path": "/{username}"}, "sub_path '/{username}' is no path below the claim"),
        ({"sub_path": "../{username}"}, "is no path below the claim"),
    ],
)
def test_wrong_options(option, error):
    [found] = static_home_errors({**StaticHome("homes")._asdict(), **option})
    assert found.startswith("static_home: ")
    assert error in found


def test_right_options():
    for sub_path in ("{username}", "home/{escaped_username}", "{unescaped_username}-{servername}"):
        assert static_home_errors({**StaticHome("homes", sub_path)._asdict()}) == []
