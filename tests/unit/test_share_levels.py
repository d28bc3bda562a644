"""A level that whoever may edit claims writes onto the claim of a share in force is reported, and holds nothing up."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.backend_spec import Backend
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning import desired
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import ShareSpec

from tests.support.share_worlds import World, planned, settings_for

LEVEL = "odh.persistency/level"


def share(name, level, claim=None):
    backend = (
        Backend(type="existing_claim", claim=claim) if claim else Backend(type="storage_class", storage_class="nfs")
    )
    return ShareSpec(
        name=name,
        level=level,
        claim=claim or name,
        mount_path=f"/home/{name}",
        backend=backend,
        size=1024**3,
        size_text="1Gi",
        namespaces=("a",),
        position=f"shares[{name}]",
    )


def run(world, *specs, apply=True):
    settings = settings_for(namespaces=("a",), specs=specs)
    shares, errors = desired.resolve(specs, settings)
    assert not errors
    plan = planned(world, shares, settings)
    if apply:
        world.apply_plan(plan, shares, settings)
        world.provision()
    return plan


@pytest.mark.parametrize("claim", [None, "by-hand"])
def test_a_level_on_a_claim_in_force_holds_up_no_other_share(claim):
    world = World()
    if claim:
        world.claim("a", claim)
    public = share("data", "public", claim)
    run(world, public)
    run(world, public)
    assert not run(world, public).changed
    world.claims["a", public.claim]["metadata"]["annotations"][LEVEL] = "secret"
    plan = run(world, public, share("more", "private"), apply=False)
    assert {change.subject.share.name: change.action for change in plan.changes} == {"data": "keep", "more": "create"}
    [reported] = plan.unreconcilable
    assert "has the level secret, but its entry says public" in reported.reason
    assert "declassify: [data]" in reported.reason


def test_a_level_that_the_volume_has_too_is_not_lowered():
    world = World()
    secret = share("data", "secret")
    run(world, secret)
    run(world, secret)
    [refused] = run(world, share("data", "public"), apply=False).refusals
    assert "its data is secret (volume" in refused.reason
