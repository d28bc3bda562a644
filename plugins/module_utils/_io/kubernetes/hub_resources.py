# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what concerns a hub: permissions, policies, servers, and the volumes of shares.

What the login may not read is `Unread`, with the right that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, Optional, TypeVar

from ..._core.hub.doctor.finding import Read, Unread
from ..._core.hub.doctor.observed import MCS_ANNOTATION, SERVERS, Binding, Place, ServerPod, Subject
from ..._core.hub.permissions import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, MANAGED_BY, ROLE_BINDINGS, ROLES
from ..._core.kubernetes.claims import Claim, claim_from
from ..._core.kubernetes.volumes import Volume, volume_from
from ..._core.metadata import KIND_LABEL, KIND_SHARE
from ..._core.requests import CLAIMS, NAMESPACES, PODS, VOLUMES, Resource
from .api import Api
from .errors import ApiError
from .parallel import FEW_OBJECTS, in_parallel

POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies")
DRIVERS = Resource("storage.k8s.io", "v1", "csidrivers", namespaced=False)
REVIEWS = Resource("authorization.k8s.io", "v1", "localsubjectaccessreviews")
SELF_REVIEWS = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", namespaced=False)

#: The policy of CSI drivers that set none, and of those without an object.
DEFAULT_FS_GROUP_POLICY = "ReadWriteOnceWithFSType"
_FINISHED = ("Succeeded", "Failed")

T = TypeVar("T")
#: A right to review: the resource, the verb, and the namespace.
Review = tuple[str, str, str]


def attempt(read: Callable[[], T]) -> Read[T]:
    """Return what a function reads, or why the login may not read it."""
    try:
        return read()
    except ApiError as error:
        if error.status != 403:
            raise
        return Unread(f"{error}.")


class HubResources:
    """Reads resources for the checks of a hub at a place."""

    def __init__(self, api: Api, place: Place) -> None:
        self._api, self._place = api, place

    def reviews(self, rights: Sequence[Review]) -> dict[tuple[str, str], Read[bool]]:
        """Return whether the hub's service account has each right. Nothing is stored."""
        answers = in_parallel(lambda right: attempt(lambda: self._review(right)), rights)
        return {(resource, verb): answer for (resource, verb, _namespace), answer in zip(rights, answers)}

    def myself(self) -> str:
        """Return the user name of this login, "" if the API server does not tell it."""
        try:
            answer = self._api.post(
                SELF_REVIEWS, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
            )
        except ApiError:  # a cluster older than 1.28
            return ""
        return str(((answer.get("status") or {}).get("userInfo") or {}).get("username") or "")

    def bindings(self) -> Read[list[Binding]]:
        """Return the bindings that are in force in the namespace of the servers, with the rules of their roles."""
        namespace = self._place.servers
        pairs = ((ROLE_BINDINGS, namespace), (CLUSTER_ROLE_BINDINGS, None), (ROLES, namespace), (CLUSTER_ROLES, None))
        answers: list[Read[list[dict[str, Any]]]] = in_parallel(
            lambda pair: attempt(lambda: self._api.list_all(pair[0], pair[1], dict)), pairs
        )
        bindings, cluster_bindings, roles, cluster_roles = answers
        for answer in (bindings, cluster_bindings):
            if isinstance(answer, Unread):
                return answer
        rules = {
            (kind, item["metadata"]["name"]): tuple(item.get("rules") or ())
            for kind, answer in (("Role", roles), ("ClusterRole", cluster_roles))
            if not isinstance(answer, Unread)
            for item in answer
        }
        # A role that does not exist allows nothing.
        complete = {"Role": not isinstance(roles, Unread), "ClusterRole": not isinstance(cluster_roles, Unread)}
        found = []
        for kind, answer in (("RoleBinding", bindings), ("ClusterRoleBinding", cluster_bindings)):
            for item in answer if not isinstance(answer, Unread) else ():
                reference = item["roleRef"]
                missing = () if complete.get(reference["kind"]) else None
                of_role = rules.get((reference["kind"], reference["name"]), missing)
                subjects = tuple(map(_subject, item.get("subjects") or ()))
                is_cluster_role = reference["kind"] == "ClusterRole"
                name = item["metadata"]["name"]
                found.append(Binding(kind, name, reference["name"], subjects, of_role, is_cluster_role))
        return found

    def own_bindings(self) -> Read[list[tuple[str, str]]]:
        """Return the RoleBindings of the role `hub` for this hub in all namespaces: the namespace and the name of each."""

        def convert(item: Mapping[str, Any]) -> tuple[str, str, bool]:
            metadata = item["metadata"]
            is_hub = any(_subject(subject).name == self._place.user for subject in item.get("subjects") or ())
            return metadata["namespace"], metadata["name"], is_hub

        selector = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())
        found = attempt(lambda: self._api.list_all(ROLE_BINDINGS, None, convert, selector))
        return found if isinstance(found, Unread) else [(space, name) for space, name, is_hub in found if is_hub]

    def policies(self) -> Read[list[dict[str, Any]]]:
        """Return the NetworkPolicies of the namespace of the servers."""
        return attempt(lambda: self._api.list_all(POLICIES, self._place.servers, dict))

    def drivers(self) -> Read[dict[str, str]]:
        """Return the fsGroupPolicies of CSI drivers by name."""

        def convert(item: Mapping[str, Any]) -> tuple[str, str]:
            policy = (item.get("spec") or {}).get("fsGroupPolicy") or DEFAULT_FS_GROUP_POLICY
            return item["metadata"]["name"], policy

        found = attempt(lambda: self._api.list_all(DRIVERS, None, convert))
        return found if isinstance(found, Unread) else dict(found)

    def servers(self) -> Read[list[ServerPod]]:
        """Return the servers that are not finished."""
        found = attempt(lambda: self._api.list_all(PODS, self._place.servers, _server, SERVERS))
        return found if isinstance(found, Unread) else [pod for pod in found if pod is not None]

    def categories(self, namespaces: Iterable[str]) -> dict[str, Read[str]]:
        """Return the MCS labels that OpenShift gave to namespaces."""
        names = list(namespaces)
        return dict(zip(names, in_parallel(lambda name: attempt(lambda: self._category(name)), names)))

    def claims(self, names: Iterable[str]) -> Read[dict[str, Claim]]:
        """Return the claims with our label in the namespace of the servers, and those of these names."""
        namespace = self._place.servers
        selector = f"{KIND_LABEL}={KIND_SHARE}"
        listed = attempt(lambda: self._api.list_all(CLAIMS, namespace, claim_from, selector))
        if isinstance(listed, Unread):
            return listed
        found = {claim.name: claim for claim in listed}
        others = self._others(CLAIMS, sorted(set(names) - set(found)), claim_from)
        return others if isinstance(others, Unread) else {**found, **{claim.name: claim for claim in others}}

    def volumes(self, names: Iterable[str]) -> Read[list[Volume]]:
        """Return the volumes of shares, of the namespace of the servers, and those of these names."""
        wanted = frozenset(names)

        def if_concerned(item: dict[str, Any]) -> Optional[Volume]:
            volume = volume_from(item)
            is_home = volume.claim_namespace == self._place.servers
            return volume if is_home or volume.share is not None or volume.name in wanted else None

        listed = attempt(lambda: self._api.list_all(VOLUMES, None, if_concerned))
        return listed if isinstance(listed, Unread) else [volume for volume in listed if volume is not None]

    def _others(
        self, resource: Resource, names: Sequence[str], convert: Callable[[dict[str, Any]], T]
    ) -> Read[list[T]]:
        """Return the objects of these names that exist: one by one if they are few, and otherwise out of all."""
        namespace = self._place.servers if resource.namespaced else None
        if len(names) > FEW_OBJECTS:
            wanted = frozenset(names)

            def if_wanted(item: dict[str, Any]) -> Optional[T]:
                return convert(item) if item["metadata"]["name"] in wanted else None

            listed = attempt(lambda: self._api.list_all(resource, namespace, if_wanted))
            return listed if isinstance(listed, Unread) else [item for item in listed if item is not None]
        answers = in_parallel(lambda name: attempt(lambda: self._api.get(resource, namespace, name)), names)
        found = []
        for answer in answers:
            if isinstance(answer, Unread):
                return answer
            if answer is not None:
                found.append(convert(answer))
        return found

    def _review(self, right: Review) -> bool:
        resource, verb, namespace = right
        hub = self._place.namespace
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "LocalSubjectAccessReview",
            "metadata": {"namespace": namespace},
            "spec": {
                "user": self._place.user,
                "groups": ["system:serviceaccounts", f"system:serviceaccounts:{hub}", "system:authenticated"],
                "resourceAttributes": {"namespace": namespace, "resource": resource, "verb": verb},
            },
        }
        return bool((self._api.post(REVIEWS, review, namespace).get("status") or {}).get("allowed"))

    def _category(self, name: str) -> str:
        found = self._api.get(NAMESPACES, None, name)
        annotations = ((found or {}).get("metadata") or {}).get("annotations") or {}
        return str(annotations.get(MCS_ANNOTATION, ""))


def _subject(item: Mapping[str, Any]) -> Subject:
    kind, name = str(item.get("kind", "")), str(item.get("name", ""))
    if kind == "ServiceAccount":
        name = f"system:serviceaccount:{item.get('namespace', '')}:{name}"
    return Subject(kind, name)


def _server(item: Mapping[str, Any]) -> Optional[ServerPod]:
    if (item.get("status") or {}).get("phase") in _FINISHED:
        return None
    metadata = item["metadata"]
    security = (item.get("spec") or {}).get("securityContext") or {}
    return ServerPod(metadata["name"], metadata.get("labels") or {}, metadata.get("annotations") or {}, security)
