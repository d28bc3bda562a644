# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps: what a plan asks of the Kubernetes API, as data.

A step names one write: a resource, an object and a body. The edge sends it; nothing here does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union
from urllib.parse import quote


@dataclass(frozen=True)
class Resource:
    """A resource type of the API: its group ("" for core), version, plural name and whether it is namespaced."""

    group: str
    version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: Optional[str] = None, name: Optional[str] = None) -> str:
        """Return the URL path of the collection, or of one object in it."""
        parts = ["/api", self.version] if not self.group else ["/apis", self.group, self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        return "/".join(parts)


CLAIMS = Resource("", "v1", "persistentvolumeclaims")
VOLUMES = Resource("", "v1", "persistentvolumes", namespaced=False)
CONFIG_MAPS = Resource("", "v1", "configmaps")
PODS = Resource("", "v1", "pods")
NAMESPACES = Resource("", "v1", "namespaces", namespaced=False)
QUOTAS = Resource("", "v1", "resourcequotas")
STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", namespaced=False)
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", namespaced=False)

CREATE = "create"
PATCH = "patch"
DELETE = "delete"


@dataclass(frozen=True)
class ApiRequest:
    """One write. `expect` are paths and values that the answer must show, else the step counts as failed."""

    verb: str
    resource: Resource
    namespace: str
    name: str
    body: Union[Mapping[str, Any], Sequence[Mapping[str, Any]]]
    expect: tuple[tuple[tuple[str, ...], Any], ...] = ()


def create(resource: Resource, namespace: str, manifest: Mapping[str, Any]) -> ApiRequest:
    """Make an object."""
    return ApiRequest(CREATE, resource, namespace, manifest["metadata"]["name"], manifest)


def patch(
    resource: Resource,
    namespace: str,
    name: str,
    changes: Mapping[str, Any],
    resource_version: str = "",
    uid: str = "",
    expect: tuple[tuple[tuple[str, ...], Any], ...] = (),
) -> ApiRequest:
    """Change fields of an object by a JSON merge patch.

    With a resource version the API refuses it (409) when somebody wrote the object since it was planned; with a uid,
    when the object is another one of the same name.
    """
    body: dict[str, Any] = dict(changes)
    pins = {"resourceVersion": resource_version, "uid": uid}
    pinned = {key: value for key, value in pins.items() if value}
    if pinned:
        body["metadata"] = {**body.get("metadata", {}), **pinned}
    return ApiRequest(PATCH, resource, namespace, name, body, expect)


def patch_if(
    resource: Resource,
    namespace: str,
    name: str,
    where: Mapping[str, Any],
    changes: Mapping[str, Any],
    expect: tuple[tuple[tuple[str, ...], Any], ...] = (),
    removes: Sequence[str] = (),
    adds: Optional[Mapping[str, Any]] = None,
) -> ApiRequest:
    """Replace, remove and add fields of an object by a JSON patch, which the API refuses whole (422) unless `where` holds.

    The mappings are of JSON pointers to values; `removes` are pointers to fields that are there; `adds` may be there.
    """
    tests = [{"op": "test", "path": path, "value": value} for path, value in where.items()]
    writes = [{"op": "replace", "path": path, "value": value} for path, value in changes.items()]
    writes += [{"op": "remove", "path": path} for path in removes]
    writes += [{"op": "add", "path": path, "value": value} for path, value in (adds or {}).items()]
    return ApiRequest(PATCH, resource, namespace, name, tests + writes, expect)


def keep_volume(volume: str, claim_uid: str) -> ApiRequest:
    """Set the volume that is bound to this claim to Retain, so that its data outlives the claim; the answer must show both."""
    return patch_if(
        VOLUMES,
        "",
        volume,
        {"/spec/claimRef/uid": claim_uid},
        {"/spec/persistentVolumeReclaimPolicy": "Retain"},
        expect=((("spec", "persistentVolumeReclaimPolicy"), "Retain"), (("spec", "claimRef", "uid"), claim_uid)),
    )


def delete(resource: Resource, namespace: str, name: str, uid: str, resource_version: str = "") -> ApiRequest:
    """Delete the very object that was planned on: another one of the same name is a 409.

    So is a changed one, where a resource version is given.
    """
    pins = {"uid": uid, "resourceVersion": resource_version}
    body = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {key: value for key, value in pins.items() if value},
    }
    return ApiRequest(DELETE, resource, namespace, name, body)
