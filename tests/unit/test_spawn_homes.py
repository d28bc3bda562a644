"""Which claim the spawn hook takes for a home, and that its marks and names are those of the modules."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core import metadata
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner import manifests, slugs
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.naming import reserved_name
from ansible_collections.odh.persistency.plugins.module_utils._hub import observed_claims
from ansible_collections.odh.persistency.plugins.module_utils._hub.access import Mount
from ansible_collections.odh.persistency.plugins.module_utils._hub.claim_policy import (
    reason_not_software,
    reason_to_remove,
    verify_mounts,
)
from ansible_collections.odh.persistency.plugins.module_utils._hub.home_lookup import has_server
from ansible_collections.odh.persistency.plugins.module_utils._hub.home_rules import (
    HomeRefused,
    Server,
    select_home,
)
from ansible_collections.odh.persistency.plugins.module_utils._hub.observed_claims import Claim, claim_from
from hypothesis import given
from hypothesis import strategies as st

ANN = Server("ann", "", ["claim-ann", "claim-ann-old"], False)


def claim(name, user=None, server="", labels=(), **marks):
    names = {} if user is None else {"hub.jupyter.org/username": user}
    names |= {"hub.jupyter.org/servername": server} if server else {}
    marked = {"primary": {"odh.persistency/primary": "true"}, "retired": {"odh.persistency/retired-at": "2026-01-01"}}
    for mark in marked.keys() & marks.keys():
        names |= marked[mark]
    return Claim(name, dict(labels), names, marks.get("terminating", False))


def refused(claims, server=ANN):
    with pytest.raises(HomeRefused) as error:
        select_home(claims, server)
    return error.value


def test_without_any_claim_the_hub_creates_one():
    assert select_home([], ANN) is None
    assert select_home([claim("claim-ben", "ben"), claim("x", "ann", "lab")], ANN) is None


def test_the_only_home_is_found_under_any_name():
    assert select_home([claim("restored", "ann"), claim("claim-ben", "ben")], ANN) == "restored"


def test_of_several_the_primary_or_the_only_one_that_is_not_retired():
    first, second = claim("a", "ann"), claim("b", "ann")
    assert "owns a, b" in refused([first, second]).detail
    assert select_home([first, claim("b", "ann", primary=True)], ANN) == "b"
    assert select_home([first, claim("b", "ann", retired=True)], ANN) == "a"
    assert "not exactly one" in refused([claim("a", "ann", primary=True), claim("b", "ann", primary=True)]).detail


def test_a_retired_home_is_refused_and_says_whom_to_ask():
    error = refused([claim("a", "ann", retired=True)])
    assert error.message == (
        "Your home volume is retired and not in use any more. Ask the administrator of this hub to restore it."
    )
    assert refused([claim("a", "ann"), claim("b", "ann", primary=True, retired=True)]).detail.startswith("the home b")


def test_a_terminating_home_is_no_home():
    gone = claim("a", "ann", terminating=True)
    assert select_home([gone], ANN) is None
    assert select_home([gone, claim("b", "ann")], ANN) == "b"
    assert "Terminating" in refused([claim("claim-ann", "ann", terminating=True)]).detail


@pytest.mark.parametrize("user", ["ben", None])
def test_a_computed_name_gives_nobody_a_claim(user):
    error = refused([claim("claim-ann", user)])
    assert error.message.startswith("The name of your home volume belongs to another volume.")
    assert "adopt it with `claim`" in error.detail


def test_a_share_that_names_an_owner_is_no_home():
    share = claim("claim-ann", "ann", labels={"odh.persistency/kind": "share"})
    assert "belongs to another volume" in refused([share]).message


def test_servers_have_homes_of_their_own_if_the_template_says_so():
    homes = [claim("a", "ann"), claim("b", "ann", "lab")]
    assert select_home(homes, ANN) == "a"
    assert select_home(homes, ANN._replace(name="lab")) == "b"
    shared = ANN._replace(name="lab", shares_home=True)
    assert select_home(homes[1:], shared) == "b"
    assert select_home(homes[:1], shared) == "a"


NAMES = st.sampled_from(["claim-ann", "a", "b", "c"])
CLAIMS = st.builds(
    lambda name, user, server, flags: claim(name, user, server, **dict.fromkeys(flags, True)),
    NAMES,
    st.sampled_from(["ann", "ben", None]),
    st.sampled_from(["", "lab"]),
    st.sets(st.sampled_from(["primary", "retired", "terminating"])),
)


@given(st.lists(CLAIMS, max_size=5, unique_by=lambda one: one.name))
def test_whatever_exists_a_home_is_the_owners_and_in_use(claims):
    try:
        name = select_home(claims, ANN)
    except HomeRefused:
        return
    by_name = {one.name: one for one in claims}
    if name is None:
        assert "claim-ann" not in by_name
    else:
        home = by_name[name]
        assert (home.user, home.server, home.terminating, home.is_retired) == ("ann", "", False, False)


# --- The same marks and names as the modules ------------------------------------------------------------------------------


def test_the_keys_are_those_of_the_modules():
    for name in (
        "KIND_LABEL",
        "OWNER_LABEL",
        "OWNER_OF_SHARES",
        "SHARE_KEY",
        "PRIMARY_ANNOTATION",
        "RETIRED_ANNOTATION",
    ):
        assert getattr(observed_claims, name) == getattr(metadata, name)
    assert (observed_claims.USERNAME, observed_claims.SERVERNAME) == (
        metadata.USERNAME_ANNOTATION,
        metadata.SERVERNAME_ANNOTATION,
    )
    assert (observed_claims.HOME, observed_claims.SHARE) == (metadata.KIND_HOME, metadata.KIND_SHARE)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_the_labels_of_an_owner_are_those_of_the_modules(user):
    assert observed_claims.owner_hash(user) == manifests.owner_hash(user)
    assert observed_claims.escape(user) == slugs.escape(user)
    values = observed_claims.username_labels(user, slugs.label_value(user))
    assert slugs.label_value(user) in values
    assert all(metadata.label_value_error(value) is None for value in values)


# --- Claims in a pod ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (claim("hub-db-dir"), "it has the name of a hub's database"),
        (claim("x", labels={"odh.persistency/kind": "share"}), "it is a share"),
        (claim("x", "ann", labels={"odh.persistency/share": "x"}), "it is a share"),
        (claim("x", "ben"), "it is the home of 'ben'"),
        (claim("x", labels={"hub.jupyter.org/username": "ann"}), "it is marked as a home without an owner"),
        (claim("claim-ann"), "it has the name of a home, and no annotation names its owner"),
        (claim("jupyterhub-nb-ann-pvc"), "it has the name of a home, and no annotation names its owner"),
        (claim("x", "ann"), ""),
        (claim("data"), ""),
    ],
)
def test_what_a_pod_must_not_mount(found, reason):
    assert reason_to_remove(found.name, found, "ann") == reason


def test_the_claim_that_the_hub_mounts_as_the_home_may_have_any_name_and_owner_but_is_no_share_or_database():
    for found in (claim("claim-all"), claim("all", "ben"), claim("x", labels={"hub.jupyter.org/username": "ben"})):
        assert reason_to_remove(found.name, found, "ann")
        assert reason_to_remove(found.name, found, "ann", True) == ""
    assert reason_to_remove("claim-all", None, "ann", True) == ""
    assert reason_to_remove("hub-db-dir", None, "ann", True)
    assert reason_to_remove("x", claim("x", labels={"odh.persistency/kind": "share"}), "ann", True)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "claim tree does not exist"),
        (claim("tree", terminating=True), "claim tree is being deleted"),
        (claim("tree", "ben"), "claim tree: it is the home of 'ben'"),
        (claim("tree", ""), "claim tree: it is the home of ''"),
        (claim("tree", labels={"odh.persistency/kind": "share"}), "claim tree: it is a share"),
        (claim("tree", labels={"odh.persistency/kind": "tree"}), ""),
        (claim("tree"), ""),
    ],
)
def test_what_is_not_mounted_as_software(found, reason):
    assert reason_not_software("tree", found) == reason


def test_a_claim_that_does_not_exist_yet_is_judged_by_its_name():
    assert reason_to_remove("claim-ben", None, "ann")
    assert reason_to_remove("data", None, "ann") == ""


@pytest.mark.parametrize("name", ["hub-db-dir", "jupyterhub-db", "jupyterhub-nb-ann-pvc"])
def test_names_that_no_share_may_have_are_names_that_no_pod_mounts(name):
    assert reserved_name(name)
    assert reason_to_remove(name, None, "ann")


def test_the_database_of_a_hub_is_known_by_its_label_because_the_chart_lets_it_have_other_names():
    database = claim("lab-database", labels={"component": "hub"})
    for is_configured in (False, True):
        assert reason_to_remove(database.name, database, "ann", is_configured) == "it is labelled as a hub's database"
    assert reason_not_software(database.name, database)
    marked = Claim(
        database.name, {**database.labels, "odh.persistency/kind": "share"}, {"odh.persistency/share": "a"}, False
    )
    verified, left_out = verify_mounts([Mount("a", marked.name, "/home/a", "ro", None)], {marked.name: marked})
    assert (verified, left_out) == ([], {"a": "not mounted: its claim is the database of a hub"})


def test_a_share_is_mounted_if_its_claim_exists_and_is_that_share():
    mounts = [
        Mount(name, name, f"/home/{name}", "ro", None)
        for name in ("good", "gone", "home", "other", "going", "relabelled")
    ]

    def share(name, of, terminating=False):
        return Claim(name, {"odh.persistency/kind": "share"}, {"odh.persistency/share": of}, terminating)

    claims = [share("good", "good"), claim("home", "ann"), share("other", "another"), share("going", "going", True)]
    owner = {"odh.persistency/share": "relabelled", "hub.jupyter.org/username": "bob"}
    claims.append(Claim("relabelled", {"odh.persistency/kind": "share"}, owner, False))
    verified, left_out = verify_mounts(mounts, {one.name: one for one in claims})
    assert [mount.share for mount in verified] == ["good"]
    assert {name: reason[: len("not mounted: its claim is ")] for name, reason in left_out.items()} == {
        "gone": "not mounted: its claim doe",
        "home": "not mounted: its claim is ",
        "other": "not mounted: its claim is ",
        "going": "not mounted: its claim is ",
        "relabelled": "not mounted: its claim is ",
    }


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("claim-{user_server}", True),
        ("claim-{username}--{servername}", True),
        ("claim-{escaped_servername!s:>2}", True),
        ("server-{username}", False),
        ("claim-{{server}}-{username}", False),
    ],
)
def test_a_template_has_the_server_only_as_a_field(template, expected):
    assert has_server(template) is expected


def test_the_name_of_the_pod_has_the_server_if_its_template_has():
    assert has_server("claim-{pod_name}", "jupyter-{user_server}")
    assert not has_server("claim-{pod_name}", "jupyter-{username}")
    assert not has_server("claim-{username}", "jupyter-{user_server}")


def test_a_claim_of_the_api():
    item = {"metadata": {"name": "a", "labels": None, "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert claim_from(item) == Claim("a", {}, {}, True)
