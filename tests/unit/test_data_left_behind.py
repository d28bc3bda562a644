"""Data beside a new home or share is named, and so are claims that lost their volume or could not be expanded."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._core import metadata
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.desired import HomeSettings
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.desired import resolve as resolve_homes
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.observed import ObservedHomes
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.plan import plan_homes
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.spec import parse_users
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.claims import claim_from
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.facts import ClusterFacts
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.volumes import released_volume_from
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner.manifests import owner_hash
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner.naming import Template
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import Plan
from ansible_collections.odh.persistency.plugins.module_utils._core.shares import naming
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.backend_spec import Backend
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning import desired
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.spec import ShareSpec

from tests.support.share_worlds import World, planned, settings_for

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
OURS = {metadata.KIND_LABEL: metadata.KIND_HOME, metadata.OWNER_LABEL: owner_hash("ann")}
RETIRED = {metadata.RETIRED_ANNOTATION: "2026-01-01T00:00:00Z"}
NO_SPACE = {"type": "ControllerResizeError", "status": "True", "message": "no space."}
GIB = 1024**3


def home_claim(name: str, user: str | None = None, labels: Any = None, annotations: Any = None, **status: Any) -> Any:
    marks = {**(annotations or {}), **({metadata.USERNAME_ANNOTATION: user} if user else {})}
    return claim_from(
        {
            "metadata": {"name": name, "uid": f"u-{name}", "annotations": marks, "labels": labels or {}},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "10Gi"}},
                "storageClassName": "standard",
                "volumeName": f"pv-{name}",
            },
            "status": {"phase": "Bound", "capacity": {"storage": "10Gi"}, **status},
        }
    )


def plan_of(users: list[Any], claims: list[Any], volumes: list[Any] = (), patch_error: str = "", **more: Any) -> Plan:
    rules = HomeSettings(
        **{
            "namespace": "hub",
            "template": Template.parse("safe"),
            "size": "10Gi",
            "storage_class": "standard",
            "access_modes": ("ReadWriteOnce",),
            "state": "present",
            "retention": timedelta(0),
            "keep_volume": False,
            "assume_unused": True,
            "now": NOW,
            **more,
        }
    )
    specs, errors = parse_users(users, "users")
    homes, more_errors = resolve_homes(specs, rules)
    assert not errors + more_errors
    facts = ClusterFacts()
    facts.set_pods("hub", {})
    facts.set_hub(None)
    facts.set_volume_error("patch", patch_error or None)
    facts.set_granted_claims({})
    facts.set_storage_classes(None)
    found = (released_volume_from(volume, "hub") for volume in volumes)
    facts.set_released_volumes("hub", [volume for volume in found if volume is not None])
    plan = plan_homes(homes, ObservedHomes(claims, rules.template.has_server), rules, facts)
    assert not facts.missing
    return plan


def warnings_of(plan: Plan) -> list[str]:
    return [item.reason for item in plan.unreconcilable]


def test_an_ownerless_claim_with_our_label_of_the_owner_is_named() -> None:
    [warning] = warnings_of(plan_of(["ann"], [home_claim("anns-old", None, OURS), home_claim("other", None)]))
    assert "claim anns-old, which has the label odh.persistency/owner of this user, names no owner" in warning
    assert "set `claim: anns-old`" in warning
    # One sentence for a claim that both say is theirs.
    assert len(warnings_of(plan_of(["ann"], [home_claim("jupyterhub-nb-ann-pvc", None, OURS)]))) == 1
    for kind in ({**OURS, metadata.KIND_LABEL: metadata.KIND_SHARE}, {metadata.OWNER_LABEL: owner_hash("bob")}):
        assert not warnings_of(plan_of(["ann"], [home_claim("x", None, kind)]))


def test_a_claim_that_the_own_template_gives_under_another_naming_is_named() -> None:
    for text, other in (("home-{username}", "home-a-2eb"), ("h-{username}-{servername}", "h-a-2eb")):
        plan = plan_of(["a.b"], [home_claim(other)], template=Template.parse("safe", text))
        [warning] = warnings_of(plan)
        assert f"claim {other}, which naming `" in warning
    constant = Template.parse("safe", "{namespace}-{username}", namespace="hub")
    assert len(warnings_of(plan_of(["a.b"], [home_claim("hub-a-2eb")], template=constant))) == 1


def volume_of_hub(phase: str, claim: Any, **marks: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "pv-old", **marks},
        "spec": {"claimRef": claim} if claim else {},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize("phase", ["Released", "Failed", "Bound"])
def test_a_volume_of_a_deleted_claim_is_named_in_every_phase(phase: str) -> None:
    for name in ("claim-ann", "jupyterhub-nb-ann-pvc"):
        volume = volume_of_hub(phase, {"namespace": "hub", "name": name, "uid": "gone"})
        [warning] = warnings_of(plan_of(["ann"], [], [volume]))
        assert "volume pv-old has the data of" in warning


def test_volumes_of_claims_that_exist_or_are_reserved_are_not_named() -> None:
    marks = {"annotations": {metadata.USERNAME_ANNOTATION: "ann", metadata.SERVERNAME_ANNOTATION: "x"}}
    bound = volume_of_hub("Bound", {"namespace": "hub", "name": "claim-ann--x", "uid": "u-claim-ann--x"}, **marks)
    here = home_claim("claim-ann--x", "ann", annotations={metadata.SERVERNAME_ANNOTATION: "x"})
    for template in (Template.parse("safe"), Template.parse("odh")):
        plan = plan_of(["bob", {"name": "ann", "server": "y"}], [here], [bound], template=template)
        assert not [text for text in warnings_of(plan) if "has the data" in text]
    for claim in ({"namespace": "hub", "name": "claim-ann"}, {"namespace": "x", "name": "claim-ann", "uid": "gone"}):
        assert not warnings_of(plan_of(["ann"], [], [volume_of_hub("Available", claim)]))


def test_a_volume_that_is_marked_as_the_users_home_and_has_no_claim_is_named() -> None:
    labels, annotations = {metadata.KIND_LABEL: metadata.KIND_HOME}, {metadata.USERNAME_ANNOTATION: "ann"}
    volume = volume_of_hub("Available", None, labels=labels, annotations=annotations)
    [warning] = warnings_of(plan_of(["ann", "bob"], [], [volume]))
    assert "volume pv-old has the data of a deleted home of this user, here or in another namespace" in warning
    assert not warnings_of(plan_of(["ann"], [], [volume_of_hub("Available", None, annotations=annotations)]))


@pytest.mark.parametrize("status", [{"phase": "Lost"}, {"conditions": [NO_SPACE], "capacity": {"storage": "1Gi"}}])
def test_every_home_without_its_volume_or_size_is_named(status: dict[str, Any]) -> None:
    words = "has lost its volume" if "phase" in status else "its expansion failed: no space"
    good, bad = home_claim("claim-ann", "ann", OURS), home_claim("b", "ann", OURS, **status)
    primary = home_claim("claim-ann", "ann", OURS, {metadata.PRIMARY_ANNOTATION: "true"})
    retired_bad = home_claim("b", "ann", OURS, RETIRED, **status)
    cases: list[tuple[Any, list[Any], timedelta]] = [
        ("ann", [primary, retired_bad], timedelta(0)),
        ("ann", [good, bad], timedelta(0)),
        ({"name": "ann", "state": "retired"}, [retired_bad], timedelta(0)),
        ({"name": "ann", "state": "retired"}, [bad], timedelta(0)),
        ({"name": "ann", "state": "absent"}, [retired_bad], timedelta(days=3650)),
    ]
    for user, claims, retention in cases:
        found = [text for text in warnings_of(plan_of([user], claims, retention=retention)) if words in text]
        assert len(found) == 1, (user, found)
        assert "Claim b of" in found[0]
    deleted = plan_of([{"name": "ann", "state": "absent"}], [retired_bad])
    assert [change.action for change in deleted.changes] == ["delete"]
    assert not warnings_of(deleted)


@pytest.mark.parametrize("error", ["", "this login may not patch persistentvolumes"])
def test_the_volume_of_a_deleted_home_is_marked_even_when_its_policy_decides(error: str) -> None:
    """Its policy may be Retain, and a share must not take the data of a home with a name of its own."""
    claim = home_claim("anns-own", "ann", OURS, RETIRED)
    [change] = plan_of([{"name": "ann", "state": "absent"}], [claim], patch_error=error).changes
    assert change.action == "delete"
    writes = [(request.verb, request.name) for request in change.operations]
    assert writes == [*([] if error else [("patch", "pv-anns-own")]), ("delete", "anns-own")]
    if not error:
        assert change.operations[0].marks == {
            ("labels", metadata.KIND_LABEL): metadata.KIND_HOME,
            ("annotations", metadata.USERNAME_ANNOTATION): "ann",
        }


# -- shares ------------------------------------------------------------------------------------------------------------

SOURCE = {"nfs": {"server": "nas", "path": "/x"}}
DYNAMIC = Backend(type="storage_class", storage_class="standard")
MARKS = {
    "labels": {**naming.share_labels("data"), **naming.owner_labels("data")},
    "annotations": {metadata.SHARE_KEY: "data", metadata.LEVEL_ANNOTATION: "public"},
}


def share_plan(world: World, backend: Backend, namespaces: tuple[str, ...] = ("a",), **more: Any) -> Plan:
    sized = {} if backend.type == "existing_claim" else {"size": GIB, "size_text": "1Gi"}
    spec = ShareSpec(
        name="data",
        claim=backend.claim or "data",
        backend=backend,
        namespaces=namespaces,
        level="public",
        position="shares[data]",
        **{**{"size": None, "size_text": ""}, **sized, **more},
    )
    rules = settings_for(specs=(spec,))
    shares, errors = desired.resolve([spec], rules)
    assert not errors
    return planned(world, shares, rules)


@pytest.mark.parametrize("phase", ["Released", "Failed", "Bound"])
def test_a_dynamic_share_does_not_start_empty_beside_its_volume(phase: str) -> None:
    world = World()
    world.volume("pvc-1", SOURCE, claim=("a", "data", "gone"), phase=phase)
    [change] = share_plan(world, DYNAMIC).changes
    assert change.action == "refuse"
    assert "left volume pvc-1, which lacks the share's labels" in change.reason


def lost_world(*namespaces: str, volume: str = "pvc-1", with_clone: bool = False) -> World:
    world = World()
    for namespace in namespaces:
        world.claim(namespace, "data", volumeName=volume, phase="Lost", **MARKS)
    if with_clone:
        name = naming.volume_name("b", "data")
        world.bound("b", "data", name, SOURCE, policy="Retain", provisioned=False, storageClassName="", **MARKS)
        meta = world.volumes[name]["metadata"]
        meta["annotations"].update({**MARKS["annotations"], metadata.CLONE_ANNOTATION: "pvc-1"})
        meta["labels"].update(MARKS["labels"])
    return world


@pytest.mark.parametrize(
    ("world", "backend", "namespaces"),
    [
        (lost_world("a"), DYNAMIC, ("a",)),
        (lost_world("a", with_clone=True), DYNAMIC, ("a", "b")),
        (lost_world("a"), DYNAMIC, ("a", "b")),
        (lost_world("a", "b"), DYNAMIC, ("a", "b")),
        (lost_world("a", volume="by-hand"), Backend(type="nfs", server="nas", path="/x"), ("a",)),
        (lost_world("a"), Backend(type="existing_claim", claim="data"), ("a",)),
    ],
)
def test_a_lost_claim_is_a_warning_with_every_backend(
    world: World, backend: Backend, namespaces: tuple[str, ...]
) -> None:
    for state in (None, "retired"):
        plan = share_plan(world, backend, namespaces, state=state)
        assert not plan.refusals, [change.reason for change in plan.refusals]
        lost = [text for text in warnings_of(plan) if "has lost its volume" in text]
        assert len(lost) == sum(claim["status"]["phase"] == "Lost" for claim in world.claims.values())


@pytest.mark.parametrize("backend", [Backend(type="existing_claim", claim="data"), DYNAMIC])
def test_a_failed_expansion_is_a_warning_in_every_state(backend: Backend) -> None:
    world = World()
    world.bound("a", "data", "pv-x", SOURCE, **MARKS)
    claim = world.claims["a", "data"]
    claim["spec"]["resources"]["requests"]["storage"] = "1000Gi"
    claim["status"]["conditions"] = [NO_SPACE]
    size = {} if backend is not DYNAMIC else {"size": 1000 * GIB, "size_text": "1000Gi"}
    for state in (None, "retired"):
        [warning] = [
            text for text in warnings_of(share_plan(world, backend, state=state, **size)) if "no space" in text
        ]
        assert "its expansion failed" in warning
