# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PersistentVolumes as observed in the cluster, reduced to what planning needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ..metadata import (
    CLONE_ANNOTATION,
    KIND_HOME,
    KIND_LABEL,
    RETIRED_ANNOTATION,
    SERVERNAME_ANNOTATION,
    SHARE_KEY,
    TREE_KEY,
    TREE_PREFIX,
    USERNAME_ANNOTATION,
)
from ..quantity import size_or_none

RETAIN = "Retain"
READ_WRITE_MANY = "ReadWriteMany"
READ_ONLY_MANY = "ReadOnlyMany"
#: Set by the Kubernetes controllers and CSI drivers on volumes that a storage class provisioned.
PROVISIONED_BY_ANNOTATION = "pv.kubernetes.io/provisioned-by"

_NOTHING: Mapping[str, Any] = {}
#: The fields of a volume's spec that do not name its source.
_COMMON_FIELDS = frozenset(
    {
        "capacity",
        "accessModes",
        "claimRef",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "mountOptions",
        "volumeMode",
        "nodeAffinity",
        "volumeAttributesClassName",
    }
)


class VolumeSource(NamedTuple):
    """Where the data of a volume is: the field of its spec (`nfs`, `csi`, `hostPath`, ...) and the value of that field."""

    kind: str
    fields: Mapping[str, Any]

    @property
    def driver(self) -> str:
        """The CSI driver, "" for a volume without one."""
        return str(self.fields.get("driver", "")) if self.kind == "csi" else ""

    @property
    def handle(self) -> str:
        """The CSI volume handle, "" for a volume without one."""
        return str(self.fields.get("volumeHandle", "")) if self.kind == "csi" else ""

    @property
    def attributes(self) -> Mapping[str, str]:
        """The volume attributes that the CSI driver receives."""
        return self.fields.get("volumeAttributes") or {}


class ReleasedVolume(NamedTuple):
    """A volume that a deleted claim left behind, if no claim has the UID.

    `user` and `server` are the owner of the home that it was, "" if unknown. `claim` is "" when somebody removed its claimRef.
    """

    name: str
    claim: str
    claim_uid: str
    user: str
    server: str


class Volume(NamedTuple):
    """An observed PersistentVolume. `policy` is its reclaim policy, `mode` its volumeMode."""

    name: str
    uid: str
    version: str
    deleting: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    phase: str
    policy: str
    capacity: Optional[int]
    capacity_text: str
    access_modes: tuple[str, ...]
    storage_class: str
    mode: str
    mount_options: tuple[str, ...]
    affinity: Optional[Mapping[str, Any]]
    claim_namespace: str
    claim_name: str
    claim_uid: str
    source: VolumeSource

    @property
    def share(self) -> Optional[str]:
        """The share or tree (`tree:NAME`) that the volume belongs to by its annotation, None without one."""
        tree = self.annotations.get(TREE_KEY)
        return self.annotations.get(SHARE_KEY) or (TREE_PREFIX + tree if tree else None)

    @property
    def retired_at(self) -> Optional[str]:
        """The retirement annotation as written, None without one."""
        return self.annotations.get(RETIRED_ANNOTATION)

    @property
    def clone_of(self) -> Optional[str]:
        """The volume that this one was created as a copy of, None when it is not a copy."""
        return self.annotations.get(CLONE_ANNOTATION)

    @property
    def is_provisioned(self) -> bool:
        """Whether a storage class provisioned the volume, so that no other provisioned volume holds its data."""
        return PROVISIONED_BY_ANNOTATION in self.annotations and self.clone_of is None

    @property
    def nodes(self) -> Mapping[str, frozenset[str]]:
        """The values that each of the alternatives in its node affinity allows for a label (or field) of the node."""
        terms = ((self.affinity or _NOTHING).get("required") or _NOTHING).get("nodeSelectorTerms") or ()
        allowed: list[dict[str, frozenset[str]]] = []
        for term in terms:
            rules = [*(term.get("matchExpressions") or ()), *(term.get("matchFields") or ())]
            allowed.append(
                {rule["key"]: frozenset(rule.get("values") or ()) for rule in rules if rule.get("operator") == "In"}
            )
        keys = set.intersection(*(set(term) for term in allowed)) if allowed else set()
        return {key: frozenset().union(*(term[key] for term in allowed)) for key in keys}

    def is_on_other_nodes(self, other: Volume) -> bool:
        """Whether no node can mount both volumes, so that equal paths of a node are different folders."""
        there = other.nodes
        return any(key in there and not values & there[key] for key, values in self.nodes.items())

    def offers(self, access_mode: str) -> bool:
        """Whether pods can mount the volume as a claim with this access mode needs it."""
        return access_mode in self.access_modes or (
            access_mode == READ_ONLY_MANY and READ_WRITE_MANY in self.access_modes
        )

    def is_for(self, namespace: str, claim: str) -> bool:
        """Whether the volume is reserved for, or bound to, a claim of this name."""
        return self.claim_name == claim and self.claim_namespace == namespace


def released_volume_from(item: Mapping[str, Any], namespace: str) -> Optional[ReleasedVolume]:
    """Reduce a PersistentVolume of the API that a deleted claim of a namespace may have left behind. None for all others.

    Whatever its phase is: Kubernetes sets Released some time later, and Failed when it could not delete the volume.
    """
    claim = (item.get("spec") or _NOTHING).get("claimRef") or _NOTHING
    marks = item["metadata"].get("annotations") or _NOTHING
    user, server = marks.get(USERNAME_ANNOTATION, ""), marks.get(SERVERNAME_ANNOTATION, "")
    is_of_claim = claim.get("namespace") == namespace and "uid" in claim
    is_home = not claim and user and (item["metadata"].get("labels") or _NOTHING).get(KIND_LABEL) == KIND_HOME
    if not is_of_claim and not is_home:
        return None
    return ReleasedVolume(item["metadata"]["name"], claim.get("name", ""), claim.get("uid", ""), user, server)


def volume_from(item: Mapping[str, Any]) -> Volume:
    """Reduce a PersistentVolume of the API to a Volume."""
    metadata = item["metadata"]
    spec = item.get("spec") or _NOTHING
    claim = spec.get("claimRef") or _NOTHING
    kind = next((key for key in spec if key not in _COMMON_FIELDS), "")
    capacity = (spec.get("capacity") or _NOTHING).get("storage", "")
    return Volume(
        metadata["name"],
        metadata.get("uid", ""),
        metadata.get("resourceVersion", ""),
        "deletionTimestamp" in metadata,
        metadata.get("labels") or _NOTHING,
        metadata.get("annotations") or _NOTHING,
        (item.get("status") or _NOTHING).get("phase", ""),
        spec.get("persistentVolumeReclaimPolicy", ""),
        size_or_none(capacity),
        capacity,
        tuple(spec.get("accessModes") or ()),
        spec.get("storageClassName", ""),
        spec.get("volumeMode", "Filesystem"),
        tuple(spec.get("mountOptions") or ()),
        spec.get("nodeAffinity"),
        claim.get("namespace", ""),
        claim.get("name", ""),
        claim.get("uid", ""),
        VolumeSource(kind, spec.get(kind) or _NOTHING),
    )
