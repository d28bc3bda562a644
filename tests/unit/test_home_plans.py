"""Properties of plans of homes: for any desired homes and any observed claims, the promises hold.

What a plan's steps do to claims is modelled here on plain data, so that "a second run changes nothing" can be tried
over many worlds; the integration tests try it on the API server.
"""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone

from ansible_collections.odh.persistency.plugins.module_utils._core.homes import desired as d
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.observed import ObservedHomes
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.plan import plan_homes
from ansible_collections.odh.persistency.plugins.module_utils._core.homes.spec import UserSpec
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes import claims as c
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.facts import ClusterFacts
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.storage_classes import StorageClass
from ansible_collections.odh.persistency.plugins.module_utils._core.kubespawner.naming import SCHEMES, Template
from ansible_collections.odh.persistency.plugins.module_utils._core.metadata import (
    PRIMARY_ANNOTATION,
    RETIRED_ANNOTATION,
    SERVERNAME_ANNOTATION,
    USERNAME_ANNOTATION,
)
from ansible_collections.odh.persistency.plugins.module_utils._core.quantity import size_or_none
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
CLASSES = [StorageClass("standard", True, True, False), StorageClass("fixed", False, False, False)]

USERS = ["ann", "ann-", "stop.ped", "stop-2eped", "Ann", "x" * 60, "a@x.org"]
NAMES = sorted({Template.parse(scheme).render(user, "") for scheme in SCHEMES for user in USERS} | {"data"})


@st.composite
def worlds(draw):
    """Claims by name, as the API returns them."""
    world = {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=8)):
        annotations = {}
        owner = draw(st.sampled_from([None, *USERS]))
        if owner is not None:
            annotations[USERNAME_ANNOTATION] = owner
            if draw(st.booleans()):
                annotations[SERVERNAME_ANNOTATION] = draw(st.sampled_from(["", "gpu"]))
        if draw(st.integers(0, 3)) == 0:
            annotations[RETIRED_ANNOTATION] = draw(
                st.sampled_from(["2026-01-01T00:00:00Z", "2026-11-22T00:00:00Z", "long ago"])
            )
        if draw(st.integers(0, 4)) == 0:
            annotations[PRIMARY_ANNOTATION] = "true"
        size = draw(st.sampled_from(["1Gi", "10Gi", "20Gi"]))
        phase = draw(st.sampled_from(["Bound", "Pending"]))
        metadata = {
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": "1",
            "annotations": annotations,
            "labels": {},
        }
        if draw(st.integers(0, 9)) == 0:
            metadata["deletionTimestamp"] = "2026-11-23T11:00:00Z"
        world[name] = {
            "metadata": metadata,
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": size}},
                "storageClassName": draw(st.sampled_from(["standard", "fixed", ""])),
                "volumeName": f"pv-{name}" if phase == "Bound" else "",
            },
            "status": {"phase": phase, "capacity": {"storage": size} if phase == "Bound" else {}},
        }
    return world


@st.composite
def wishes(draw):
    """Entries, one a user and server at most."""
    found = {}
    for number in range(draw(st.integers(0, 6))):
        user, server = draw(st.sampled_from(USERS)), draw(st.sampled_from(["", "gpu"]))
        found[user, server] = UserSpec(
            name=user,
            server=server,
            claim=draw(st.one_of(st.none(), st.none(), st.sampled_from(NAMES))),
            size=draw(st.sampled_from([None, "10Gi", "20Gi"])),
            labels=draw(st.sampled_from([{}, {"team": "x"}])),
            state=draw(st.sampled_from([None, None, "present", "retired", "absent"])),
            position=f"users[{number}]",
        )
    return list(found.values())


def settings_for(naming):
    return d.HomeSettings(
        namespace="ns",
        template=Template.parse(naming),
        size="10Gi",
        storage_class=None,
        access_modes=("ReadWriteOnce",),
        state="present",
        retention=timedelta(days=30),
        keep_volume=True,
        assume_unused=True,
        now=NOW,
    )


def planned(entries, world, naming):
    rules = settings_for(naming)
    homes, errors = d.resolve(entries, rules)
    cluster_facts = ClusterFacts()
    cluster_facts.set_storage_classes(CLASSES)
    cluster_facts.set_pods("ns", {})
    cluster_facts.set_volume_error("patch", None)
    cluster_facts.set_hub(None)
    cluster_facts.set_granted_claims({})
    cluster_facts.set_released_volumes("ns", [])
    index = ObservedHomes([c.claim_from(item) for item in world.values()], rules.template.has_server)
    plan = plan_homes(homes, index, rules, cluster_facts)
    assert not cluster_facts.missing
    return plan, errors, homes


def merged(target, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def applied(plan, world):
    world = copy.deepcopy(world)
    for change in plan.pending:
        for step in change.operations:
            if step.resource.plural != "persistentvolumeclaims":
                continue
            if step.verb == "create":
                assert step.name not in world
                claim = copy.deepcopy(step.body)
                claim["metadata"] |= {"uid": f"uid-{step.name}", "resourceVersion": "1"}
                claim["spec"].setdefault("storageClassName", "standard")
                world[step.name] = claim | {"status": {"phase": "Pending"}}
            elif step.verb == "patch":
                version = step.body.get("metadata", {}).get("resourceVersion")
                stored = world[step.name]["metadata"]
                assert version in (None, stored["resourceVersion"])
                world[step.name] = merged(world[step.name], step.body)
                world[step.name]["metadata"]["resourceVersion"] = str(int(stored["resourceVersion"]) + 1)
            else:
                assert step.body["preconditions"]["uid"] == world[step.name]["metadata"]["uid"]
                del world[step.name]
    return world


@given(wishes(), worlds(), st.sampled_from(SCHEMES))
def test_the_promises(entries, world, naming):
    plan, errors, homes = planned(entries, world, naming)
    if plan.refusals or errors:
        return  # nothing is carried out
    after = applied(plan, world)

    # Converge: the second run has nothing to do.
    again, _errors, _homes = planned(entries, after, naming)
    assert not again.refusals, [change.reason for change in again.refusals]
    assert not again.changed, [change.reason for change in again.pending]
    assert again.diff() == {"before": "", "after": ""}

    # Lose nothing: only what was retired long enough goes, and nothing shrinks.
    for name in world.keys() - after.keys():
        mark = world[name]["metadata"]["annotations"].get(RETIRED_ANNOTATION)
        assert mark == "2026-01-01T00:00:00Z"
        assert "deletionTimestamp" not in world[name]["metadata"]
    for name in world.keys() & after.keys():
        before_size, after_size = (w[name]["spec"]["resources"]["requests"]["storage"] for w in (world, after))
        assert size_or_none(after_size) >= size_or_none(before_size)

    # A home belongs to whom its annotation names: nobody's claim becomes somebody else's.
    named = {home.spec.claim for home in homes}
    for name in world.keys() & after.keys():
        owners = [w[name]["metadata"]["annotations"].get(USERNAME_ANNOTATION) for w in (world, after)]
        assert owners[0] == owners[1] or (owners[0] is None and name in named)

    # Who owned a claim under any name got no second one.
    by_server = settings_for(naming).template.has_server
    for name in after.keys() - world.keys():
        meta = after[name]["metadata"]["annotations"]
        key = (meta[USERNAME_ANNOTATION], meta.get(SERVERNAME_ANNOTATION, "") if by_server else "")
        for claim in world.values():
            other = claim["metadata"]["annotations"]
            server = other.get(SERVERNAME_ANNOTATION, "") if by_server else ""
            assert (other.get(USERNAME_ANNOTATION), server) != key


@given(wishes(), worlds(), st.sampled_from(SCHEMES), st.randoms())
def test_the_order_of_users_changes_nothing(entries, world, naming, random):
    plan, errors, _homes = planned(entries, world, naming)
    shuffled = list(entries)
    random.shuffle(shuffled)
    other, other_errors, _homes = planned(shuffled, world, naming)

    def reported(found):
        return sorted((change.action, change.name, change.owner or "") for change in found.changes)

    if not errors and not other_errors:
        assert reported(plan) == reported(other)


@given(wishes(), worlds(), st.sampled_from(SCHEMES))
def test_every_rejection_and_unreconcilable_difference_names_its_item(entries, world, naming):
    plan, _errors, homes = planned(entries, world, naming)
    positions = {home.spec.position for home in homes}
    for change in plan.refusals:
        assert any(change.reason.startswith(f"{position} (") for position in positions), change.reason
        assert not change.reason.endswith(".")
    for difference in plan.unreconcilable:
        assert difference.name in difference.reason or difference.owner in difference.reason
