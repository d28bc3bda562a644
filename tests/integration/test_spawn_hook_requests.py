"""How many requests the spawn hook adds to a start: those that the issue allows, and no more."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.acl import options, share
from tests.support.real_spawns import claims_in, make_home, make_share, mark
from tests.support.spawn_fixtures import *  # noqa: F403


def reads(spawns, audit, namespace, **request):
    """Start ann's server, and return how often each resource was read and the pod."""
    with audit(namespace=namespace) as log:
        answer = spawns.start(namespace, "ann", **request)
    counted = Counter(
        f"{one.verb} {one.resource}"
        for one in log.requests
        if one.resource in ("configmaps", "persistentvolumeclaims") and one.verb in ("get", "list")
    )
    return counted, answer["pod"]


@pytest.fixture
def granted_to_ann(namespace, modules):
    """A share that ann may read. The parts of another namespace with the same content would be in the cache."""
    spec = share(f"data-{namespace}", mount_path="/home/jovyan/data", read={"users": ["ann"]})
    modules.ok("share_acl", options(namespace, [spec], home_path="/home/jovyan"))
    return spec["name"]


def test_a_start_adds_at_most_five_requests_and_one_for_each_unknown_claim(
    cluster, namespace, granted_to_ann, spawns, audit
):
    make_share(cluster, namespace, granted_to_ann)
    make_home(cluster, namespace, "claim-ann", "ann")
    cluster.make_claim(namespace, "tools")

    without, _pod = reads(spawns, audit, namespace, settings=None)
    first, pod = reads(spawns, audit, namespace)
    assert claims_in(pod) == {"claim-ann": False, granted_to_ann: True}
    assert first - without == {
        "list persistentvolumeclaims": 1,  # the person's, and those of shares
        "get configmaps": 3,  # the index, the shares, and the part with the person
    }
    # Parts never change, so they are kept.
    second, _pod = reads(spawns, audit, namespace)
    assert second - without == {"list persistentvolumeclaims": 1, "get configmaps": 1}

    claims = {"home": "claim-ann", "tools": "tools"}
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in claims.items()]
    # Another configuration, and so a hub that has just started.
    third, pod = reads(spawns, audit, namespace, config={"volumes": volumes})
    assert "tools" in claims_in(pod)
    assert third - first == {"get persistentvolumeclaims": 1}


def test_the_first_start_of_an_unknown_user_adds_five_requests_and_one_for_the_home(
    cluster, namespace, granted_to_ann, spawns, audit
):
    """Two lists look for homes: by our label, and by KubeSpawner's. The claim that KubeSpawner creates is verified then."""
    make_share(cluster, namespace, granted_to_ann)
    first, pod = reads(spawns, audit, namespace)
    assert claims_in(pod) == {"claim-ann": False, granted_to_ann: True}
    assert first == {
        "list persistentvolumeclaims": 2,
        "get configmaps": 3,
        "get persistentvolumeclaims": 1,
    }


def test_the_name_from_before_kubespawner_7_costs_one_request_if_there_is_no_home(cluster, namespace, spawns, audit):
    def claim_reads(user):
        with audit(namespace=namespace) as log:
            home = spawns.start(namespace, user)["pvc_name"]
        found = [
            one for one in log.requests if one.resource == "persistentvolumeclaims" and one.verb in ("get", "list")
        ]
        names = [one.name for one in found if one.verb == "get"]
        return home, len(found) - len(names), names

    home, lists, names = claim_reads("a.b")
    assert (lists, names) == (2, ["claim-a-2eb", home] if spawns.version >= "7" else [home])
    assert claim_reads("a.b") == (home, 1, [])
    # A home without any label is found too.
    cluster.make_claim(namespace, "claim-c-2ed")
    mark(cluster, namespace, "claim-c-2ed", {}, {"hub.jupyter.org/username": "c.d"})
    assert claim_reads("c.d")[0] == "claim-c-2ed"


@pytest.mark.parametrize("count", [1, 2])
def test_claims_of_shares_without_the_label_of_their_owner_cost_one_request(
    cluster, namespace, modules, spawns, audit, count
):
    """As the modules wrote them before, or as an administrator labels them."""
    names = [f"data-{namespace}-{number}" for number in range(count)]
    shares = [share(name, mount_path=f"/home/jovyan/{name}", read={"users": ["ann"]}) for name in names]
    modules.ok("share_acl", options(namespace, shares, home_path="/home/jovyan"))
    make_home(cluster, namespace, "claim-ann", "ann")
    for name in names:
        make_share(cluster, namespace, name)
        mark(cluster, namespace, name, {"odh.persistency/owner": None}, {})
    counted, pod = reads(spawns, audit, namespace)
    assert set(names) < {*claims_in(pod)}
    one, several = (
        {"list persistentvolumeclaims": 1, "get persistentvolumeclaims": 1},
        {"list persistentvolumeclaims": 2},
    )
    assert counted == {"get configmaps": 3, **(one if count == 1 else several)}
