# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `hub_config`: from its options to its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible.module_utils.basic import missing_required_lib

from ..._core.hub import next_step, odh
from ..._core.hub.chart_permissions import hub_account, server_account
from ..._core.hub.configuration import (
    ALWAYS,
    AUTO,
    CHART,
    FLAVORS,
    NEVER,
    REPLACE,
    Z2JH,
    HubOptions,
    chart_version,
    hub_options,
)
from ..._core.hub.permissions import Account
from ..._core.hub.software_tree import software_setting
from ..._core.metadata import ABSENT, PRESENT, claim_name_error
from ..._core.outcome import Outcome
from ..._core.plan import Plan
from ..._core.requests import CONFIG_MAPS
from ..._hub.acl_format import shown
from ..._hub.hub_settings import HOMES, MOUNT_POINTS, POLICIES
from ..files import values_file
from ..files.hub_package import hub_package
from ..files.values_change import ValuesChange, plan_values, write_values
from ..files.values_file import ValuesFile
from ..kubernetes.api import Api
from ..kubernetes.facts import missing_namespace_warning
from ..kubernetes.hub_objects import Target, TargetWriter, odh_targets, permission_targets, read_target
from ..kubernetes.hub_observer import Allowed, HubObserver, ObservedState
from ..kubernetes.namespaces import create_namespaces
from ..module import PlanRejected, finish, open_api, refuse
from ..options.connection import argument_spec as connection_spec
from ..options.result import RESULT_SPEC


def argument_spec() -> dict[str, Any]:
    """Return the options of `hub_config`."""
    return {
        **connection_spec(),
        **RESULT_SPEC,
        "namespace": {"type": "str", "required": True},
        "flavor": {"type": "str", "choices": list(FLAVORS), "default": Z2JH},
        "state": {"type": "str", "choices": [PRESENT, ABSENT], "default": PRESENT},
        "new": {"type": "bool", "default": False},
        "create_namespace": {"type": "bool", "default": False},
        "servers_namespace": {"type": "str"},
        "service_account": {"type": "str"},
        "values_file": {"type": "path"},
        "release": {"type": "str", "default": "jupyterhub"},
        "chart": {"type": "str", "default": "jupyterhub/jupyterhub"},
        "permissions": {"type": "bool", "default": True},
        "rbac": {"type": "str", "choices": [CHART, REPLACE], "default": CHART},
        "manage_groups": {"type": "str", "choices": [AUTO, ALWAYS, NEVER], "default": AUTO},
        "home": {"type": "str", "choices": list(HOMES), "default": HOMES[0]},
        "home_path": {"type": "str"},
        "mount_roots": {"type": "list", "elements": "str"},
        "policy": {"type": "str", "choices": list(POLICIES), "default": POLICIES[0]},
        "api_timeout": {"type": "int"},
        "mount_points": {"type": "str", "choices": list(MOUNT_POINTS), "default": MOUNT_POINTS[0]},
        "software": {
            "type": "dict",
            "options": {
                "claim": {"type": "str"},
                "mount_path": {"type": "str"},
                "environment": {"type": "dict"},
            },
        },
        "software_tree": {
            "type": "dict",
            "options": {
                "prefix": {"type": "str"},
                "claim": {"type": "str", "default": "software"},
                "lmod_cmd": {"type": "str", "default": "/usr/share/lmod/lmod/libexec/lmod"},
                "system_name": {"type": "str"},
            },
        },
    }


def manage_hub(module: Any) -> dict[str, Any]:
    """Configure the hub, or, in check mode, preview this."""
    errors: list[str] = []
    options = hub_options(_given(module.params), errors)
    if errors:
        raise PlanRejected(errors)
    if not hasattr(values_file, "yaml"):
        module.fail_json(msg=missing_required_lib("PyYAML"))
    file = None
    values: Mapping[str, Any] = {}
    if options.flavor == Z2JH:
        try:
            file = values_file.read_values(options.values_file)
        except ValueError as error:
            raise PlanRejected([str(error)]) from error
        values = values_file.values_of(file)
        options = _with_account(options, module.params["service_account"], values)
    api = open_api(module)
    allowed = Allowed(module.params["new"], module.params["create_namespace"], module.check_mode)
    observer = HubObserver(api, allowed, server_account(values))
    state = observer.observe(options, module.params["servers_namespace"], module.params["manage_groups"])
    configurator = Configurator(module, state, file)
    outcome = configurator.run(api)
    servers = state.options.servers_namespace
    result = finish(module, outcome, "hub", next_step=configurator.next_step, servers_namespace=servers)
    if module._diff:
        result["diff"] = [result["diff"], *configurator.diffs]
    return result


def _with_account(options: HubOptions, given: Optional[str], values: Mapping[str, Any]) -> HubOptions:
    """Return the options with the service account of the Helm values, unless one is given."""
    if given:
        return options
    name = hub_account(values, options.release)
    if claim_name_error(name):
        raise PlanRejected([f"`hub.serviceAccount.name` is {shown(name)}, not the name of a service account"])
    return replace(options, account=Account(name, options.account.namespace))


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, with the setting of the software that servers mount."""
    return {**params, "software": software_setting(params["software_tree"], params["software"])}


class Configurator:
    """Plans and writes the configuration of one hub. `file` has its Helm values, None for Open Data Hub."""

    def __init__(self, module: Any, state: ObservedState, file: Optional[ValuesFile]) -> None:
        self._module, self._state, self._file = module, state, file
        self._options = state.options
        #: The changes of texts, for the diff.
        self.diffs: list[dict[str, str]] = []

    def run(self, api: Api) -> Outcome:
        """Return the outcome. Raises PlanRejected and ExternalError."""
        try:
            values = self._plan_values()
            targets = self._targets()
            observed = [read_target(api, target) for target in targets]
            changes = [target.plan(one) for target, one in zip(targets, observed)]
        except ValueError as error:
            raise PlanRejected([str(error)]) from error
        plan = Plan(tuple(changes), notes=tuple(self._state.warnings))
        refuse(plan)
        self._describe_config_map(targets, observed)
        outcome = self._apply(api, plan, targets)
        return outcome if values is None else outcome.followed_by(write_values(self._module, values.change))

    @property
    def next_step(self) -> str:
        """The command that brings the configuration into the hub."""
        params, namespace, file = self._module.params, self._options.account.namespace, self._file
        if file is None:
            return next_step.rollout(self._state.workload, namespace)
        labels = (self._state.account.get("metadata") or {}).get("labels") or {}
        version = chart_version(labels, params["chart"]) or ""
        release = next_step.HelmRelease(params["release"], params["chart"], namespace, version, params["new"])
        if self._options.is_present:
            return next_step.upgrade(release, file.path, not file.base.strip())
        return next_step.restoration(release, file.path if file.restored is not None else None)

    def _plan_values(self) -> Optional[ValuesChange]:
        if self._file is None:
            return None
        planned = plan_values(self._file, self._options, self._state.manages_groups)
        if planned.diff is not None:
            self.diffs.append(planned.diff)
        return planned

    def _targets(self) -> list[Target]:
        targets = []
        if self._module.params["permissions"]:
            values = values_file.values_of(self._file) if self._file is not None else {}
            targets = permission_targets(self._options, values)
        return targets if self._options.flavor == Z2JH else targets + odh_targets(self._options, self._content)

    def _content(self, observed: Optional[Mapping[str, Any]]) -> Optional[odh.ConfigMapContent]:
        if not self._options.is_present:
            return None
        namespace = self._options.account.namespace
        python = odh.odh_python(self._options.settings, namespace, self._state.manages_groups)
        return odh.ConfigMapContent.of(observed).with_ours(python, hub_package())

    def _apply(self, api: Api, plan: Plan, targets: Sequence[Target]) -> Outcome:
        missing, check_mode = self._state.missing, self._module.check_mode
        created = Outcome(Plan())
        if missing and self._module.params["create_namespace"]:
            created = create_namespaces(api, missing, check_mode)
            if created.failures:
                return created
        if missing and check_mode:
            warnings = [missing_namespace_warning(name) for name in missing]
            return created.followed_by(Outcome(plan, warnings=warnings, missing=list(missing)))
        writer = TargetWriter(api, targets, self._options.is_present, check_mode)
        return created.followed_by(writer.apply(plan))

    def _describe_config_map(self, targets: Sequence[Target], observed: Sequence[Any]) -> None:
        """Add the change of the hub's Python to the diff."""
        for target, one in zip(targets, observed):
            if target.resource is not CONFIG_MAPS:
                continue
            before = odh.ConfigMapContent.of(one)
            after = self._content(one) or before.without_ours()
            texts = [content.data.get(odh.CONFIGURATION_KEY, "") for content in (before, after)]
            if texts[0] != texts[1]:
                header = f"{odh.CONFIGURATION_KEY} in ConfigMap {odh.CONFIG_MAP}"
                self.diffs.append(
                    {"before_header": header, "after_header": header, "before": texts[0], "after": texts[1]}
                )
