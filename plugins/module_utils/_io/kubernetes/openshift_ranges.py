# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ranges of ids that OpenShift gives a namespace, and the security context constraints that its pods may use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.hub.openshift_ranges import (
    IdRange,
    allowed_ranges,
    gid_errors,
    names_account,
    outside,
    ranges_of_namespace,
)
from ..._core.hub.permissions import Account
from ..._core.requests import NAMESPACES, Resource
from ..errors import ExternalError
from .api import Api
from .errors import ApiError
from .openshift_client import MissingApi, OpenShiftConnection, OpenShiftResource

PROJECTS = OpenShiftResource(
    Resource("project.openshift.io", "v1", "projects", namespaced=False),
    "Project",
    "Projects",
    "This cluster has no Projects",
)
CONSTRAINTS = OpenShiftResource(
    Resource("security.openshift.io", "v1", "securitycontextconstraints", namespaced=False),
    "SecurityContextConstraints",
    "security context constraints",
    "This cluster has no security context constraints",
)
_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", namespaced=False)


class GidCheck(NamedTuple):
    """Sentences about gids that servers may not have: errors, and what could not be checked."""

    errors: Sequence[str] = ()
    warnings: Sequence[str] = ()


def read_namespace(api: Api, name: str) -> Optional[dict[str, Any]]:
    """Return a Namespace, as a Project where the API has Projects and the login may not read the Namespace; None without any.

    Raises ApiError if neither can be read.
    """
    try:
        return api.get(NAMESPACES, None, name)
    except ApiError as error:
        if not error.is_rbac:
            raise
        try:
            return Api(OpenShiftConnection.of(api.connection, PROJECTS)).get(PROJECTS.resource, None, name)
        except ExternalError as missing:
            raise error from missing


def check_gids(
    api: Api,
    namespace: str,
    found: Mapping[str, Any],
    gids: Mapping[int, Sequence[str]],
    accounts: Iterable[Account],
) -> GidCheck:
    """Return what OpenShift would reject. `gids` are those of shares, with their names; `found` is the Namespace of the servers,
    `accounts` are the service accounts of the hub, which creates the pods, and of the pods.
    """
    ranges = ranges_of_namespace(found["metadata"].get("annotations") or {})
    if ranges is None or not outside(gids, ranges):
        return GidCheck()
    try:
        constraints = Api(OpenShiftConnection.of(api.connection, CONSTRAINTS)).list_all(
            CONSTRAINTS.resource, None, lambda item: item
        )
        by_user = {account.user: account for account in accounts}
        usable = [one for one in constraints if any(_may_use(api, one, namespace, who) for who in by_user.values())]
    except MissingApi:
        return GidCheck()
    except ExternalError as error:
        return GidCheck(warnings=[_unchecked(namespace, ranges, outside(gids, ranges), error)])
    return GidCheck(gid_errors(gids, namespace, ranges, usable)) if _all_restrict(usable, ranges) else GidCheck()


def _all_restrict(usable: Sequence[Mapping[str, Any]], ranges: Sequence[IdRange]) -> bool:
    """Return whether no usable constraint allows all groups."""
    return bool(usable) and all(allowed_ranges(one, ranges) is not None for one in usable)


def _may_use(api: Api, constraint: Mapping[str, Any], namespace: str, account: Account) -> bool:
    """Return whether a service account may use a constraint in a namespace: it names the account, or RBAC allows it."""
    if names_account(constraint, account):
        return True
    spec = {
        "user": account.user,
        "groups": account.groups,
        "resourceAttributes": {
            "group": CONSTRAINTS.resource.group,
            "resource": CONSTRAINTS.resource.plural,
            "name": constraint["metadata"]["name"],
            "namespace": namespace,
            "verb": "use",
        },
    }
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool((api.post(_REVIEWS, body).get("status") or {}).get("allowed"))


def _unchecked(
    namespace: str, ranges: Sequence[IdRange], gids: Mapping[int, Sequence[str]], error: ExternalError
) -> str:
    texts = ", ".join(one.text for one in ranges)
    return (
        f"Namespace {namespace} has the range {texts} for groups, and the gids {', '.join(map(str, sorted(gids)))} of shares are "
        f"outside of it. Whether OpenShift allows them could not be checked: {error}"
    )
