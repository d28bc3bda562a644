"""Claims and volumes of a cluster as plain data, and how the API server and its controllers apply the requests of a plan.

Only what plans of shares turn on: merge and JSON patches with their tests, preconditions, binding, release, reclaiming.
The integration tests try the same on the real ones.
"""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.claims import claim_from
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.facts import DELETE, PATCH, ClusterFacts
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.storage_classes import StorageClass
from ansible_collections.odh.persistency.plugins.module_utils._core.kubernetes.volumes import volume_from
from ansible_collections.odh.persistency.plugins.module_utils._core.plan import Change, Plan
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.context import PlanContext
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.desired import Share, ShareSettings
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.observed import ObservedShares
from ansible_collections.odh.persistency.plugins.module_utils._core.shares.planning.plan import plan_shares

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
CLASSES = [StorageClass("standard", True, True, False), StorageClass("fixed", False, False, False)]
Object = dict[str, Any]


class ApiRefusal(AssertionError):
    """The API server would have rejected a request."""


class Conflict(ApiRefusal):
    """The API server would have said that somebody else wrote: the module plans that change again."""


class World:
    """Claims by (namespace, name), volumes by name."""

    def __init__(self) -> None:
        self.claims: dict[tuple[str, str], Object] = {}
        self.volumes: dict[str, Object] = {}
        self.destroyed: list[str] = []
        """Volumes whose data went: released, or deleted, with the policy Delete."""
        self.deleted: list[Object] = []
        self.touched: list[Object] = []
        """What was there when a step changed or deleted it."""
        self._count = 0

    def copy(self) -> World:
        return copy.deepcopy(self)

    def number(self) -> str:
        self._count += 1
        return f"u{self._count}"

    # -- as somebody else makes things --

    def claim(self, namespace: str, name: str, **parts: Any) -> Object:
        """A claim; `labels`, `annotations`, `phase`, `deleting`, and the rest for its spec."""
        metadata: Object = {
            "name": name,
            "uid": self.number(),
            "resourceVersion": self.number(),
            "namespace": namespace,
        }
        metadata["labels"] = parts.pop("labels", {})
        metadata["annotations"] = parts.pop("annotations", {})
        if parts.pop("deleting", False):
            metadata["deletionTimestamp"] = "2026-11-23T11:00:00Z"
        phase = parts.pop("phase", "Pending")
        spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}, **parts}
        spec.setdefault("storageClassName", "standard")
        self.claims[namespace, name] = {"metadata": metadata, "spec": spec, "status": {"phase": phase}}
        return self.claims[namespace, name]

    def volume(self, name: str, source: Object, **parts: Any) -> Object:
        """A volume; `labels`, `annotations`, `policy`, `claim` as (namespace, name, uid), `phase`, and the rest for its spec."""
        metadata: Object = {"name": name, "uid": self.number(), "resourceVersion": self.number()}
        metadata["labels"] = parts.pop("labels", {})
        metadata["annotations"] = parts.pop("annotations", {})
        spec: Object = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"], **source}
        spec["persistentVolumeReclaimPolicy"] = parts.pop("policy", "Retain")
        claim = parts.pop("claim", None)
        if claim is not None:
            spec["claimRef"] = {"namespace": claim[0], "name": claim[1]}
            if claim[2]:
                spec["claimRef"]["uid"] = claim[2]
        phase = parts.pop("phase", "Available")
        self.volumes[name] = {"metadata": metadata, "spec": {**spec, **parts}, "status": {"phase": phase}}
        return self.volumes[name]

    def bound(self, namespace: str, name: str, volume: str, source: Object, **parts: Any) -> None:
        """A claim and its volume; `policy` and `marks` (of both), and what `claim` takes."""
        policy, provisioned = parts.pop("policy", "Delete"), parts.pop("provisioned", True)
        claim = self.claim(namespace, name, volumeName=volume, phase="Bound", **parts)
        claim["status"]["capacity"] = {"storage": "1Gi"}
        made = self.volume(
            volume, source, policy=policy, claim=(namespace, name, claim["metadata"]["uid"]), phase="Bound"
        )
        made["spec"]["storageClassName"] = claim["spec"]["storageClassName"]
        if provisioned:
            made["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"] = "x"

    # -- what the API server does --

    def apply_plan(self, plan: Plan, shares: list[Share], settings: ShareSettings, backwards: bool = False) -> None:
        """Do the steps of each pending change, in their order; the changes in any, for they are carried out at once."""
        for change in reversed(plan.pending) if backwards else plan.pending:
            try:
                self._do(change)
            except Conflict:
                for again in planned(self, shares, settings).pending:
                    if (again.namespace, again.name) == (change.namespace, change.name):
                        self._do(again)

    def _do(self, change: Change) -> None:
        for step in change.operations:
            self.step(step)
            self.settle()

    def step(self, step: Any) -> None:
        key = (step.namespace, step.name) if step.resource.plural == "persistentvolumeclaims" else step.name
        found: dict[Any, Object] = self.claims if isinstance(key, tuple) else self.volumes  # type: ignore[assignment]
        if step.verb == "create":
            if key in found:
                raise ApiRefusal(f"{key} exists")
            made = copy.deepcopy(
                {part: dict(value) for part, value in step.body.items() if part in ("metadata", "spec")}
            )
            made["metadata"] |= {"uid": self.number(), "resourceVersion": self.number()}
            made["metadata"].setdefault("labels", {})
            made["metadata"].setdefault("annotations", {})
            made["status"] = {"phase": "Pending" if isinstance(key, tuple) else "Available"}
            if isinstance(key, tuple):
                made["metadata"]["namespace"] = step.namespace
                made["spec"].setdefault("storageClassName", "standard")
            elif made["metadata"]["annotations"].get("odh.persistency/clone-of"):
                origin = self.volumes[made["metadata"]["annotations"]["odh.persistency/clone-of"]]
                if origin["spec"]["persistentVolumeReclaimPolicy"] != "Retain":
                    raise ApiRefusal(f"{key} copies a volume that is not kept")
            found[key] = made
            return
        if key not in found:
            raise ApiRefusal(f"{key} is not there")
        stored = found[key]
        self.touched.append(copy.deepcopy(stored))
        if step.verb == "delete":
            pins = step.body["preconditions"]
            if stored["metadata"]["uid"] != pins["uid"]:
                raise ApiRefusal(f"{key} is another one")
            if (
                pins.get("resourceVersion", stored["metadata"]["resourceVersion"])
                != stored["metadata"]["resourceVersion"]
            ):
                raise Conflict(f"{key} was changed")
            self.deleted.append(found.pop(key))
            if not isinstance(key, tuple) and stored["spec"]["persistentVolumeReclaimPolicy"] == "Delete":
                self.destroyed.append(key)
            return
        if isinstance(step.body, list):
            _json_patch(stored, step.body)
        else:
            pins = step.body.get("metadata", {})
            if any(
                pins.get(pin, stored["metadata"][pin]) != stored["metadata"][pin] for pin in ("uid", "resourceVersion")
            ):
                raise ApiRefusal(f"{key} is another one, or was changed")
            found[key] = stored = merged(stored, step.body)
        stored["metadata"]["resourceVersion"] = self.number()
        for path, expected_value in step.expected:
            value: Any = stored
            for part in path:
                value = value.get(part) if isinstance(value, dict) else None
            assert value == expected_value, (path, value, expected_value)

    def settle(self) -> None:
        """What the controllers do: bind what is reserved, release what lost its claim, reclaim what is to be deleted."""
        for name, volume in list(self.volumes.items()):
            reference = volume["spec"].get("claimRef")
            if not reference:
                continue
            claim = self.claims.get((reference["namespace"], reference["name"]))
            uid = claim["metadata"]["uid"] if claim is not None else None
            if reference.get("uid") and reference["uid"] != uid:
                if volume["status"]["phase"] == "Bound" and volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete":
                    self.destroyed.append(name)
                    del self.volumes[name]
                    continue
                volume["status"]["phase"] = "Released"
            elif claim is None:
                volume["status"]["phase"] = "Available"
            elif claim["status"]["phase"] == "Lost" and not reference.get("uid"):
                pass  # a claim that was bound once takes only a volume that names its uid
            elif claim["spec"].get("volumeName", name) == name and _satisfies(volume, claim):
                reference["uid"] = uid
                volume["status"]["phase"] = "Bound"
                claim["spec"]["volumeName"] = name
                claim["status"] |= {"phase": "Bound", "capacity": dict(volume["spec"]["capacity"])}
        for claim in self.claims.values():
            if claim["status"]["phase"] == "Bound" and claim["spec"]["volumeName"] not in self.volumes:
                claim["status"]["phase"] = "Lost"

    def provision(self) -> None:
        """What a class does: a volume for each claim that waits for one."""
        for (namespace, name), claim in self.claims.items():
            if claim["spec"]["storageClassName"] and not claim["spec"].get("volumeName"):
                uid = claim["metadata"]["uid"]
                source = {"csi": {"driver": "nfs.csi.k8s.io", "volumeHandle": uid}}
                source["csi"]["volumeAttributes"] = {"server": "nas", "share": "/dynamic", "subDir": uid}  # type: ignore[assignment]
                made = self.volume(f"pvc-{uid}", source, policy="Delete", claim=(namespace, name, uid))
                made["spec"]["storageClassName"] = claim["spec"]["storageClassName"]
                made["spec"]["capacity"] = dict(claim["spec"]["resources"]["requests"])
                made["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"] = "nfs.csi.k8s.io"
        self.settle()


def _satisfies(volume: Object, claim: Object) -> bool:
    """Whether the controller would bind the two (sizes here are all in Gi)."""
    has, asks = volume["spec"]["capacity"]["storage"], claim["spec"]["resources"]["requests"]["storage"]
    same_class = volume["spec"].get("storageClassName", "") == claim["spec"]["storageClassName"]
    modes = set(claim["spec"]["accessModes"]) <= set(volume["spec"]["accessModes"])
    return same_class and modes and int(has[:-2]) >= int(asks[:-2])


def merged(target: Any, patch: Any) -> Any:
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


def _json_patch(stored: Object, operations: list[Object]) -> None:
    for operation in operations:
        *above, last = operation["path"].split("/")[1:]
        holder = stored
        for part in above:
            holder = holder[part]
        if operation["op"] == "test":
            if holder.get(last) != operation["value"]:
                raise ApiRefusal(f"test of {operation['path']} failed")
        elif operation["op"] == "replace":
            assert last in holder
            holder[last] = operation["value"]
        elif operation["op"] == "add":
            holder[last] = operation["value"]
        else:
            assert operation["op"] == "remove"
            del holder[last]


def settings_for(state: str = "present", **more: Any) -> ShareSettings:
    """Settings of a run in no namespace of its own."""
    given: Object = {
        "namespaces": (),
        "size": None,
        "size_text": "",
        "retention": timedelta(days=30),
        "check_mode": False,
        "allows_missing": False,
    }
    return ShareSettings(**{**given, "state": state, "now": NOW, **more})


def context_of(
    world: World, settings: ShareSettings, mounted: dict[tuple[str, str], list[str]] | None = None
) -> PlanContext:
    """The input of planning when all of a world was read, and everything is allowed."""
    observed = ObservedShares()
    observed.add_claims(((key[0], claim_from(item)) for key, item in world.claims.items()), complete=("a", "b", "c"))
    observed.add_cluster_claims([])
    observed.add_volumes([volume_from(item) for item in world.volumes.values()], everything=True)
    facts = ClusterFacts()
    facts.set_storage_classes(CLASSES)
    for namespace in ("a", "b", "c"):
        pods = {name: found for (where, name), found in (mounted or {}).items() if where == namespace}
        facts.set_pods(namespace, pods)
    facts.set_volume_error(PATCH, None)
    facts.set_volume_error(DELETE, None)
    return PlanContext(settings, observed, facts)


def planned(
    world: World, shares: list[Share], settings: ShareSettings, mounted: dict[tuple[str, str], list[str]] | None = None
) -> Plan:
    """The plan of some shares over a world."""
    context = context_of(world, settings, mounted)
    plan = plan_shares(context, shares)
    assert not context.is_missing
    return plan
