# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to the Kubernetes API, as data: each describes one write, and `_io` sends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional, Union
from urllib.parse import quote


@dataclass(frozen=True)
class Resource:
    """A resource type of the API. The group of the core API is ""."""

    group: str
    version: str
    plural: str
    namespaced: bool = True
    subresource: str = ""

    def path(self, namespace: Optional[str] = None, name: Optional[str] = None) -> str:
        """Return the URL path of the collection, or of one object in it when a name is given."""
        parts = ["/api", self.version] if not self.group else ["/apis", self.group, self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts += [quote(name, safe=""), *([self.subresource] if self.subresource else ())]
        return "/".join(parts)


CLAIMS = Resource("", "v1", "persistentvolumeclaims")
VOLUMES = Resource("", "v1", "persistentvolumes", namespaced=False)
CONFIG_MAPS = Resource("", "v1", "configmaps")
PODS = Resource("", "v1", "pods")
POD_LOGS = Resource("", "v1", "pods", subresource="log")
EVENTS = Resource("", "v1", "events")
JOBS = Resource("batch", "v1", "jobs")
NAMESPACES = Resource("", "v1", "namespaces", namespaced=False)
QUOTAS = Resource("", "v1", "resourcequotas")
STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", namespaced=False)
SNAPSHOTS = Resource("snapshot.storage.k8s.io", "v1", "volumesnapshots")
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", namespaced=False)

CREATE = "create"
PATCH = "patch"
DELETE = "delete"


#: Fields that the API server's answer must show: the path of each, and its value.
Expected = tuple[tuple[tuple[str, ...], Any], ...]


@dataclass(frozen=True)
class Precondition:
    """The optimistic lock of a write: the API server answers 409 when the object has another version or UID.

    An empty value is not checked. The resource version changes with every write of anybody; the UID changes only when
    the object is deleted and created again.
    """

    resource_version: str = ""
    uid: str = ""

    def as_fields(self) -> dict[str, str]:
        """Return the values to check, by the names that `metadata` and `DeleteOptions.preconditions` have for them."""
        fields = {"resourceVersion": self.resource_version, "uid": self.uid}
        return {key: value for key, value in fields.items() if value}


#: Write whatever is there.
UNCONDITIONAL = Precondition()


@dataclass(frozen=True)
class JsonPatch:
    """The operations of a JSON patch (RFC 6902), by JSON pointer.

    The API server applies either all of them or, when a test fails, none. `replaces` and `removes` need an existing
    field, `adds` do not.
    """

    tests: Mapping[str, Any] = field(default_factory=dict)
    replaces: Mapping[str, Any] = field(default_factory=dict)
    removes: Sequence[str] = ()
    adds: Mapping[str, Any] = field(default_factory=dict)

    def operations(self) -> list[dict[str, Any]]:
        """Return the body of the patch, the tests first."""
        listed = [{"op": "test", "path": path, "value": value} for path, value in self.tests.items()]
        listed += [{"op": "replace", "path": path, "value": value} for path, value in self.replaces.items()]
        listed += [{"op": "remove", "path": path} for path in self.removes]
        listed += [{"op": "add", "path": path, "value": value} for path, value in self.adds.items()]
        return listed


@dataclass(frozen=True)
class ApiRequest:
    """One write to the API. It failed when the answer does not show what is `expected`."""

    verb: str
    resource: Resource
    namespace: str
    name: str
    body: Union[Mapping[str, Any], Sequence[Mapping[str, Any]]]
    expected: Expected = ()

    @property
    def marks(self) -> dict[tuple[str, str], Optional[str]]:
        """The labels and annotations that it sets (None: removes), by ("labels" or "annotations", key)."""
        metadata = self.body.get("metadata") or {} if isinstance(self.body, Mapping) else {}
        kinds = ("labels", "annotations")
        return {(kind, key): value for kind in kinds for key, value in (metadata.get(kind) or {}).items()}

    @property
    def sets_only_marks(self) -> bool:
        """Whether it changes nothing but labels and annotations of an existing object."""
        return self.verb == PATCH and isinstance(self.body, Mapping) and set(self.body) == {"metadata"}

    def lost_marks(self, answer: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the labels and annotations that the answer does not show as they were sent."""
        metadata = answer.get("metadata")
        if not isinstance(metadata, Mapping):
            return []
        return [
            (kind, key) for (kind, key), value in self.marks.items() if (metadata.get(kind) or {}).get(key) != value
        ]

    def expecting(self, expected: Expected) -> ApiRequest:
        """Return the request with fields that its answer must show."""
        return replace(self, expected=expected)


def create(resource: Resource, namespace: str, manifest: Mapping[str, Any]) -> ApiRequest:
    """Create an object."""
    return ApiRequest(CREATE, resource, namespace, manifest["metadata"]["name"], manifest)


def patch(
    resource: Resource,
    namespace: str,
    name: str,
    changes: Mapping[str, Any],
    precondition: Precondition = UNCONDITIONAL,
) -> ApiRequest:
    """Change fields of an object with a JSON merge patch."""
    body: dict[str, Any] = dict(changes)
    checked = precondition.as_fields()
    if checked:
        body["metadata"] = {**body.get("metadata", {}), **checked}
    return ApiRequest(PATCH, resource, namespace, name, body)


def json_patch(resource: Resource, namespace: str, name: str, changes: JsonPatch) -> ApiRequest:
    """Change fields of an object with a JSON patch. The API server answers 422 when one of its tests fails."""
    return ApiRequest(PATCH, resource, namespace, name, changes.operations())


def retain_volume(volume: str, claim_uid: str) -> ApiRequest:
    """Set the reclaim policy of the volume bound to this claim to Retain, so that its data outlives the claim."""
    changes = JsonPatch(
        tests={"/spec/claimRef/uid": claim_uid}, replaces={"/spec/persistentVolumeReclaimPolicy": "Retain"}
    )
    return json_patch(VOLUMES, "", volume, changes).expecting(
        ((("spec", "persistentVolumeReclaimPolicy"), "Retain"), (("spec", "claimRef", "uid"), claim_uid))
    )


def delete(resource: Resource, namespace: str, name: str, precondition: Precondition) -> ApiRequest:
    """Delete the object that was planned for deletion, not another one of the same name (give at least its UID)."""
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": precondition.as_fields()}
    return ApiRequest(DELETE, resource, namespace, name, body)
