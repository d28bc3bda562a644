"""What shares are compared with: volumes of homes without a claim, shares in force, what namespace editors mark."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.claims import claim_from
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.facts import ClusterFacts
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.volumes import volume_from
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import Plan
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.conflicts import ConflictFinder
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.context import PlanContext
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.desired import resolve
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.observed import ObservedShares
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec_parser import parse_shares

from tests.support.share_worlds import World, planned, settings_for

OURS = "odh.persistency/"
HOME = {"hub.jupyter.org/username": "bob"}
EXISTING = {"backend": {"type": "existing_claim", "claim": "found"}}
SECRET = {"level": "secret", "read": {"users": ["ann"]}}


def nfs(path: str) -> dict[str, Any]:
    return {"nfs": {"server": "nas", "path": path}}


def on(path: str) -> dict[str, Any]:
    return {"backend": {"type": "nfs", "server": "nas", "path": path}}


def marks(share: str, level: str = "public", **more: str) -> dict[str, Any]:
    labels = {OURS + "kind": "share", OURS + "share": share, OURS + "owner": "shares"}
    return {"labels": labels, "annotations": {OURS + "share": share, OURS + "level": level, **more}}


def share_in_force(world: World, share: str, source: dict[str, Any], namespace: str = "a", **more: Any) -> None:
    """A static share with its marks, and `annotations` of its claim alone."""
    level, given = more.get("level", "public"), marks(share, more.get("level", "public"))
    claim = {**given, "annotations": {**given["annotations"], **more.get("annotations", {})}}
    volume = f"share.{namespace}.{share}"
    world.bound(namespace, share, volume, source, provisioned=False, policy="Retain", storageClassName="", **claim)
    world.volumes[volume]["metadata"].update(marks(share, level))


def home(world: World, path: str = "/x/bob", namespace: str = "a") -> None:
    world.bound(namespace, "home", "pv-home", nfs(path), annotations=HOME, provisioned=False)


def plan_of(world: World, *entries: dict[str, Any], state: str = "present", apply: bool = False) -> Plan:
    specs, errors = parse_shares([{"level": "public", "size": "1Gi", **entry} for entry in entries], "shares", "/home")
    assert not errors, errors
    settings = settings_for(state, namespaces=("a",), specs=tuple(specs))
    found, errors = resolve(specs, settings)
    assert not errors, errors
    plan = planned(world, found, settings)
    if apply:
        world.apply_plan(plan, found, settings)
    return plan


def refusal(plan: Plan) -> str:
    (change,) = plan.refusals
    return change.reason


# -- volumes of homes without a claim --


@pytest.mark.parametrize("name", ["data", "other"])
def test_a_released_home_is_compared_whatever_its_claim_was_called(name: str) -> None:
    world = World()
    world.volume("pv", nfs("/x/bob"), annotations=HOME, claim=("a", "data", "gone"), phase="Released")
    assert "contains that of volume pv, which is the home of bob" in refusal(plan_of(world, {"name": name, **on("/x")}))


@pytest.mark.parametrize("claim", ["claim-bob", "jupyterhub-nb-bob-pvc", "hub-db-dir"])
@pytest.mark.parametrize("phase", ["Available", "Released", "Failed", "Pending"])
def test_a_volume_that_is_reserved_for_a_home_is_one(claim: str, phase: str) -> None:
    world = World()
    world.volume("pv", nfs("/x/bob"), claim=("a", claim, "gone" if phase == "Released" else ""), phase=phase)
    assert f"(reserved for claim {claim} in a)" in refusal(plan_of(world, {"name": "data", **on("/x")}))


@pytest.mark.parametrize("level", ["public", "secret"])
def test_an_existing_claim_on_the_volume_of_a_home_is_no_share(level: str) -> None:
    world = World()
    world.bound("a", "found", "pv", nfs("/x"), provisioned=False)
    world.volumes["pv"]["metadata"].update(labels={OURS + "kind": "home"}, annotations=HOME)
    assert "volume pv is the home of bob" in refusal(plan_of(world, {"name": "data", "level": level, **EXISTING}))


# -- claims that merely have a name --


def test_a_claim_over_the_same_data_is_adopted_and_stays_when_the_share_goes() -> None:
    entry = {"name": "data", **on("/x")}
    world = World()
    world.bound("a", "data", "pv", nfs("/x"), provisioned=False, storageClassName="", labels={"app": "pg"})
    assert [change.action for change in plan_of(world, entry, apply=True).changes] == ["adopt"]
    assert not plan_of(world, entry).pending
    world.claims["a", "data"]["metadata"]["annotations"][OURS + "retired-at"] = "2020-01-01T00:00:00Z"
    plan_of(world, {"name": "data"}, state="absent", apply=True)
    assert world.claims["a", "data"]["metadata"]["labels"] == {"app": "pg"}


def test_a_claim_that_this_collection_created_is_not_found_when_it_lost_its_labels() -> None:
    entry = {"name": "data", **on("/x")}
    world = World()
    plan_of(world, entry, apply=True)
    world.claims["a", "data"]["metadata"].update(labels={}, annotations={})
    plan_of(world, entry, apply=True)
    assert OURS + "found" not in world.claims["a", "data"]["metadata"]["annotations"]


# -- what namespace editors mark --


@pytest.mark.parametrize("retired", ["2026-11-22T00:00:00Z", "never"])
def test_a_retirement_mark_on_a_claim_hides_no_share(retired: str) -> None:
    world = World()
    share_in_force(world, "old", nfs("/x"), "b", level="secret", annotations={OURS + "retired-at": retired})
    entry = {"name": "new", **SECRET, **on("/x/sub")}
    assert "that of the share old in b" in refusal(plan_of(world, entry))
    world.volumes["share.b.old"]["metadata"]["annotations"][OURS + "retired-at"] = "2026-11-22T00:00:00Z"
    assert [change.action for change in plan_of(world, entry).changes] == ["create"]


def test_a_share_that_an_editor_marks_as_retired_is_still_compared() -> None:
    world = World()
    share_in_force(world, "data", nfs("/x"), annotations={OURS + "retired-at": "2026-11-22T00:00:00Z"})
    home(world)
    plan = plan_of(world, {"name": "data", **on("/x")})
    assert [change.action for change in plan.changes] == ["update"]
    assert "contains that of claim home in a" in plan.unreconcilable[0].reason


@pytest.mark.parametrize("entry", [EXISTING, {"adopt": True}], ids=["existing claim", "class"])
def test_a_retired_share_frees_its_place_on_a_volume_of_others(entry: dict[str, Any]) -> None:
    world = World()
    claim = "found" if entry is EXISTING else "data"
    world.bound("a", claim, "pv", nfs("/x"), policy="Retain")
    plan_of(world, {"name": "data", **SECRET, **entry}, apply=True)
    new = {"name": "new", **SECRET, **on("/x")}
    assert "that of the share data in a" in refusal(plan_of(world, new))
    plan_of(world, {"name": "data", **entry}, state="retired", apply=True)
    assert world.volumes["pv"]["metadata"]["annotations"][OURS + "retired-at"]
    assert not plan_of(world, {"name": "data", **entry}, state="retired").pending
    assert [change.action for change in plan_of(world, new).changes] == ["create"]
    # Back in force.
    plan_of(world, {"name": "data", **SECRET, **entry}, apply=True)
    assert OURS + "retired-at" not in world.volumes["pv"]["metadata"]["annotations"]


# -- shares in force --


@pytest.mark.parametrize("level", ["private", "secret"])
def test_two_runs_at_once_see_each_other_among_what_has_our_label(level: str) -> None:
    """What a run looks at again after it wrote. Neither run saw the other's share when it planned."""
    world = World()
    runs = []
    for name in ("one", "two"):
        world.bound("a", f"of-{name}", f"pv-{name}", nfs("/x"), provisioned=False)
        entry = {"name": name, "level": level, "backend": {"type": "existing_claim", "claim": f"of-{name}"}}
        settings = settings_for(namespaces=("a",), specs=tuple(parse_shares([entry], "shares", "/home")[0]))
        shares = resolve(settings.specs, settings)[0]
        runs.append((planned(world, shares, settings), shares, settings))
    for run in runs:
        world.apply_plan(*run)
    for _plan, shares, settings in runs:
        observed = ObservedShares()
        observed.add_claims((key[0], claim_from(item)) for key, item in world.claims.items())
        labelled = (item for item in world.volumes.values() if OURS + "kind" in item["metadata"]["labels"])
        observed.add_volumes(volume_from(item) for item in labelled)
        context = PlanContext(settings, observed, ClusterFacts())
        ConflictFinder(context, shares).report_overlaps()
        assert not context.is_missing
        assert "is that of the share" in context.unreconcilable[0].reason


def test_another_hub_with_the_same_share_hides_no_overlap() -> None:
    for other in ("b", "c"):
        world = World()
        share_in_force(world, "data", nfs("/x"), other)
        share_in_force(world, "data", nfs("/x"))
        home(world)
        (found,) = plan_of(world, {"name": "data", **on("/x")}).unreconcilable
        assert "data in a has data (NFS nas:/x, volume share.a.data) that contains that of claim home" in found.reason


@pytest.mark.parametrize("provisioned", [True, False])
def test_provisioned_volumes_of_two_levels_are_different(provisioned: bool) -> None:
    world = World()
    entries = [{"name": "open"}, {"name": "closed", **SECRET}]
    for entry in entries:
        name, level = entry["name"], str(entry.get("level", "public"))
        source = {"csi": {"driver": "x.org", "volumeHandle": name, "volumeAttributes": {"replicas": "3"}}}
        world.bound("a", name, f"pv-{name}", source, provisioned=provisioned, **marks(name, level))
    plan = plan_of(world, *entries)
    assert bool(plan.unreconcilable) is not provisioned
    if plan.unreconcilable:
        assert "may be that of the share" in plan.unreconcilable[0].reason
        assert "if the data differ, set `distinct_from: [" in plan.unreconcilable[0].reason


def test_equal_handles_of_two_drivers_are_compared_by_their_places() -> None:
    def entry(name: str, driver: str, **attributes: str) -> dict[str, Any]:
        backend = {"type": "csi", "driver": driver, "volume_handle": "cases", "attributes": attributes}
        return {"name": name, "level": "public", "size": "1Gi", "backend": backend}

    azure = entry("one", "file.csi.azure.com", storageAccount="acc", shareName="s")
    smb = entry("two", "smb.csi.k8s.io", source="//acc.file.core.windows.net/s")
    for pair in ([azure, smb], [smb, azure]):
        (error,) = parse_shares(pair, "shares", "/home")[1]
        assert "so users of one could reach the other" in error
    same = [azure, {**azure, "name": "two"}]
    (error,) = parse_shares(same, "shares", "/home")[1]
    assert "would share volume cases" in error
