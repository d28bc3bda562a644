"""How many requests the spawn hook adds to a start: those that the issue allows, and no more."""

from __future__ import annotations

from collections import Counter

from tests.support.acl import options, share
from tests.support.real_spawns import claims_in, make_home, make_share
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


def test_a_start_adds_at_most_five_requests_and_one_for_each_unknown_claim(cluster, namespace, modules, spawns, audit):
    # The parts of another namespace with the same content would be in the cache.
    shares = [share(f"data-{namespace}", mount_path="/home/jovyan/data", read={"users": ["ann"]})]
    modules.ok("share_acl", options(namespace, shares, home_path="/home/jovyan"))
    make_share(cluster, namespace, shares[0]["name"])
    make_home(cluster, namespace, "claim-ann", "ann")
    cluster.make_claim(namespace, "tools")

    without, _pod = reads(spawns, audit, namespace, settings=None)
    first, pod = reads(spawns, audit, namespace)
    assert claims_in(pod) == {"claim-ann": False, shares[0]["name"]: True}
    assert first - without == {
        "list persistentvolumeclaims": 2,  # the person's, and those of shares
        "get configmaps": 3,  # the index, the shares, and the part with the person
    }
    # Parts never change, so they are kept.
    second, _pod = reads(spawns, audit, namespace)
    assert second - without == {"list persistentvolumeclaims": 2, "get configmaps": 1}

    claims = {"home": "claim-ann", "tools": "tools"}
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in claims.items()]
    # Another configuration, and so a hub that has just started.
    third, pod = reads(spawns, audit, namespace, config={"volumes": volumes})
    assert "tools" in claims_in(pod)
    assert third - first == {"get persistentvolumeclaims": 1}


def test_the_first_start_of_an_unknown_user_looks_for_homes_that_only_kubespawner_labelled(namespace, spawns, audit):
    """One list more, and one GET for each name that the hub computes: nobody takes over a home, or gets an empty one.

    The claim that KubeSpawner has created then is verified like any other in the pod.
    """
    with audit(namespace=namespace) as log:
        home = spawns.start(namespace, "a.b")["pvc_name"]
    claims = [one for one in log.requests if one.resource == "persistentvolumeclaims" and one.verb in ("get", "list")]
    names = [one.name for one in claims if one.verb == "get"]
    assert len(claims) - len(names) == 2
    assert names == ([home, "claim-a-2eb", home] if spawns.version >= "7" else [home, home])
