# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create the namespaces of a plan that do not exist, before everything else that the plan creates.

On OpenShift each is requested as a Project: a user may request one without the right to create Namespaces, and it gets what
the template of the cluster has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..._core.outcome import Outcome
from ..._core.plan import CREATE, KEEP, Change, Plan
from ..._core.requests import NAMESPACES, Resource, create
from ..module import PlanRejected
from .api import Api
from .apply import apply_plan
from .errors import ApiError
from .openshift_client import OpenShiftConnection, OpenShiftResource

KIND = "namespace"
PROJECT_REQUESTS = OpenShiftResource(
    Resource("project.openshift.io", "v1", "projectrequests", namespaced=False),
    "ProjectRequest",
    "Projects",
    "This cluster has no Projects",
)


def creation_of(name: str, is_project: bool) -> Change:
    """Return the change that creates a namespace."""
    manifest: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    resource, what = NAMESPACES, "namespace"
    if is_project:
        resource, what = PROJECT_REQUESTS.resource, "project"
        manifest.update(apiVersion=f"{resource.group}/{resource.version}", kind=PROJECT_REQUESTS.kind)
    return Change(
        CREATE,
        KIND,
        name,
        name,
        f"namespace {name} does not exist",
        after=f"{what} {name}",
        operations=(create(resource, "", manifest),),
    )


def create_namespaces(api: Api, names: Iterable[str], dry_run: bool) -> Outcome:
    """Create namespaces. Raises PlanRejected if nothing was created."""

    def plan_again(change: Change) -> Change:
        return Change(KEEP, KIND, change.name, change.name, f"namespace {change.name} exists by now")

    is_project = _may_request_projects(api)
    plan = Plan(tuple(creation_of(name, is_project) for name in sorted(names)))
    if is_project:
        api = Api(OpenShiftConnection.of(api.connection, PROJECT_REQUESTS))
        if dry_run:
            # OpenShift creates the Project of a dry run too, and the right to request it was just shown.
            return Outcome(plan)
    outcome = apply_plan(api, plan, plan_again, dry_run)
    if outcome.failures and not outcome.wrote:
        raise PlanRejected([failure.reason for failure in outcome.failures])
    return outcome


def _may_request_projects(api: Api) -> bool:
    """Return whether the cluster has Projects, and this login may request one. A list of requests answers just that."""
    try:
        api.list_first(PROJECT_REQUESTS.resource, dict)
    except ApiError as error:
        if error.status in (403, 404):
            return False
        raise
    return True
