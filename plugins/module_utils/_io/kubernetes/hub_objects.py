# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of a hub: which they are, how they are read, and the order in which their changes are written."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Callable, NamedTuple, Optional

from ..._core.hub import odh
from ..._core.hub.chart_permissions import all_chart_permissions, chart_permissions
from ..._core.hub.configuration import Z2JH, HubOptions
from ..._core.hub.objects import plan_config_map, plan_no_permission, plan_permission, plan_token
from ..._core.hub.permissions import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    Definition,
    hook_permissions,
)
from ..._core.outcome import Outcome
from ..._core.plan import CREATE, REFUSE, Change, Plan
from ..._core.requests import CONFIG_MAPS, Resource
from .api import Api
from .apply import apply_plan
from .errors import ApiError

#: The order of writes: a binding needs its role, and the hub its permissions.
_PHASES: Sequence[Sequence[Resource]] = (
    (ROLES, CLUSTER_ROLES, odh.SECRETS),
    (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS),
    (CONFIG_MAPS,),
)
_BINDINGS = _PHASES[1]
#: Returns the content that a ConfigMap should have, None if it should not have ours.
Content = Callable[[Optional[Mapping[str, Any]]], Optional[odh.ConfigMapContent]]


class Target(NamedTuple):
    """An object of the hub, and how it is planned. `is_optional`: it is nothing that the hub needs."""

    resource: Resource
    namespace: str
    name: str
    plan: Callable[[Any], Change]
    is_optional: bool = False


def permission_targets(options: HubOptions, values: Mapping[str, Any]) -> list[Target]:
    """Return Roles and bindings: those that must exist, and those that must not. `values` are those of the chart."""
    is_chart = options.flavor == Z2JH
    possible = hook_permissions(options.account, options.servers_namespace, None if is_chart else odh.SECRET)
    desired = list(possible) if options.is_present else []
    if is_chart:
        if options.is_present and options.replaces_rbac:
            desired += chart_permissions(values, options.account, options.release)
        possible += all_chart_permissions(options.account, options.release)
    names = {_key(definition) for definition in desired}
    reason = "the chart has it" if options.is_present else "`state` is absent"
    surplus = [definition for definition in possible if _key(definition) not in names]
    return [_permission(one, None) for one in desired] + [_permission(one, reason) for one in surplus]


def odh_targets(options: HubOptions, content: Content) -> list[Target]:
    """Return the Secret with the token of the hub's service, and the ConfigMap of Open Data Hub."""
    namespace = options.account.namespace
    token = secrets.token_hex(32) if options.is_present else None
    return [
        Target(odh.SECRETS, namespace, odh.SECRET, lambda observed: plan_token(namespace, observed, token)),
        Target(
            CONFIG_MAPS,
            namespace,
            odh.CONFIG_MAP,
            lambda observed: plan_config_map(namespace, observed, content(observed)),
        ),
    ]


def read_target(api: Api, target: Target) -> Optional[dict[str, Any]]:
    """Return the observed object, None if it does not exist, or if it is optional and may not be read."""
    try:
        return api.get(target.resource, target.namespace or None, target.name)
    except ApiError as error:
        if target.is_optional and error.is_rbac:
            return None
        raise


class TargetWriter:
    """Writes the changes of targets in phases: a binding after its role, and the other way round for their deletion."""

    def __init__(self, api: Api, targets: Sequence[Target], is_present: bool, check_mode: bool) -> None:
        self._api, self._targets = api, targets
        self._phases = _PHASES if is_present else tuple(reversed(_PHASES))
        self._check_mode = check_mode

    def apply(self, plan: Plan) -> Outcome:
        """Apply the plan, whose changes are those of the targets, in their order."""
        by_key = {(one.kind, one.namespace, one.name): target for one, target in zip(plan.changes, self._targets)}

        def plan_again(change: Change) -> Change:
            target = by_key[change.kind, change.namespace, change.name]
            try:
                return target.plan(read_target(self._api, target))
            except ValueError as error:
                return replace(change, action=REFUSE, reason=str(error), operations=())

        outcome = Outcome(Plan(notes=plan.notes))
        created = {change.name for change in plan.changes if change.action == CREATE}
        for resources in self._phases:
            part = [change for change, target in zip(plan.changes, self._targets) if target.resource in resources]
            # A login that may grant what it has itself can bind a role only if the role exists.
            untried = [one for one in part if self._is_untried(one, resources, created)]
            tried = Plan(tuple(one for one in part if one not in untried))
            outcome = outcome.followed_by(apply_plan(self._api, tried, plan_again, self._check_mode))
            outcome = outcome.followed_by(Outcome(Plan(tuple(untried))))
        return outcome

    def _is_untried(self, change: Change, resources: Sequence[Resource], created: set[str]) -> bool:
        is_new = change.action == CREATE and change.name in created
        return self._check_mode and resources is _BINDINGS and is_new


def _key(definition: Definition) -> tuple[Resource, str, str]:
    resource, manifest = definition
    return resource, manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]


def _permission(definition: Definition, reason: Optional[str]) -> Target:
    """Return the target of a permission. `reason` says why it must not exist, None if it must."""
    resource, namespace, name = _key(definition)
    if reason is None:
        return Target(resource, namespace, name, lambda observed: plan_permission(definition, observed))
    return Target(resource, namespace, name, lambda observed: plan_no_permission(definition, observed, reason), True)
