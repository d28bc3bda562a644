# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that build nothing: a rollback, a promotion, and pruning. Each is a plan, and the phases that apply it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Callable, Optional

from ..._core.plan import Plan, Rejected
from ..._core.requests import PODS
from ..._core.software.job_manifests import SOURCE
from ..._core.software.observed import ObservedTree
from ..._core.software.pruning import PruneSettings, decide, used_since
from ..._core.software.switch_plan import plan_promotion, plan_pruning, plan_rollback
from ..._core.software.tree_users import oldest_user, tree_pod_from
from ..._core.times import parse_span
from ..module import PlanRejected, open_api, refuse
from ..options.builder import open_source
from .release_run import ReleaseRun

#: What the result of the module has besides its plan.
Results = dict[str, Any]


@dataclass(frozen=True)
class Switching:
    """A plan, and the function that applies it and returns more results. `results` are those of check mode."""

    plan: Plan
    apply: Callable[[], Results]
    results: Results


def rollback(run: ReleaseRun, tree: ObservedTree, params: Mapping[str, Any]) -> Switching:
    """Return the rollback of a tree. Raises PlanRejected."""
    plan = _planned(lambda: plan_rollback(tree, params["prefix"], params["release"]))

    def apply() -> Results:
        switched = run.phase("roll_back", release=params["release"])
        return {"release": switched["current"], "previous": switched["previous"]}

    return Switching(plan, apply, {"release": tree.current, "previous": tree.previous})


def promotion(run: ReleaseRun, observe: Callable[[], ObservedTree], module: Any) -> Switching:
    """Return the promotion of a release of another tree. Raises PlanRejected."""
    params = module.params
    with open_source(module) as executor:
        source = ReleaseRun(executor, run.request, run.progress).observe()
    tree = observe()
    plan = _planned(lambda: plan_promotion(source, tree, params["prefix"], params["release"]))
    release = str(params["release"] or source.current)

    def apply() -> Results:
        copied = run.phase("promote", source=params["source"] or SOURCE, release=release)
        run.check(release, tree, params)
        run.phase("publish", release=release, expected_current=tree.current)
        return {"release": release, "previous": tree.current, "bytes": copied["bytes"]}

    return Switching(plan, apply, {"release": tree.current, "previous": tree.previous})


def pruning(run: ReleaseRun, observe: Callable[[], ObservedTree], module: Any) -> Switching:
    """Return what is deleted, by the servers that live now. Raises PlanRejected."""
    params = module.params
    if params["keep"] is None:
        raise PlanRejected(["keep: set how many releases stay, such as 5"])
    try:
        age = parse_span(params["minimum_age"])
    except ValueError as error:
        raise PlanRejected([f"minimum_age: {error}"]) from error
    now = datetime.now(timezone.utc)  # before the list: a server that starts later may use what is current now
    oldest, known = oldest_server(module), bool(params["server_namespaces"])
    tree = observe()
    try:
        decided = decide(tree.raw, PruneSettings(params["keep"], now, used_since(now, age, oldest, known), age))
    except ValueError as error:
        raise PlanRejected([str(error)]) from error
    request: dict[str, Any] = {**decided.request()}
    size = run.phase("prune", **request, dry_run=True)["bytes"] if decided.removed else 0

    def apply() -> Results:
        return {"bytes": run.phase("prune", **request)["bytes"]}

    results = {"release": tree.current, "previous": tree.previous, "bytes": size}
    return Switching(plan_pruning(decided), apply, results)


def oldest_server(module: Any) -> Optional[datetime]:
    """Return when the oldest pod in `server_namespaces` that may use the tree started, None if there is none.

    Raises PlanRejected for a namespace that does not exist, which has no pods either, and ExternalError.
    """
    params = module.params
    if not params["server_namespaces"]:
        return None
    # Imported here, because other states do not need the client, which takes half a second to load.
    from ..kubernetes.facts import namespace_error

    api = open_api(module)
    found, errors = [], []
    for namespace in params["server_namespaces"]:
        pods = api.list_all(PODS, namespace, tree_pod_from)
        error, is_missing = ("", False) if pods else namespace_error(api, namespace, must_read=True)
        if is_missing:
            errors.append(error.replace("`namespace`", "`server_namespaces`"))
        found.append(oldest_user(pods, params["prefix"], params.get("builder_claim")))
    if errors:
        raise PlanRejected(errors)
    return min((created for created in found if created is not None), default=None)


def _planned(planner: Callable[[], Plan]) -> Plan:
    try:
        plan = planner()
    except Rejected as rejected:
        raise PlanRejected([rejected.reason]) from rejected
    refuse(plan)
    return plan
