# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `hub_config`: from its options to its result."""

from __future__ import annotations

import os
import secrets
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Callable, NamedTuple, Optional

from ansible.module_utils.basic import missing_required_lib

from ..._core.hub import odh
from ..._core.hub.chart_permissions import all_chart_permissions, chart_permissions
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
    names_hub_groups,
    shares_by_gid,
)
from ..._core.hub.helm_values import Entries, described, helm_entries, our_entries
from ..._core.hub.objects import plan_config_map, plan_no_permission, plan_permission, plan_token
from ..._core.hub.permissions import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    Definition,
    hook_permissions,
)
from ..._core.hub.software_tree import software_setting
from ..._core.metadata import ABSENT, PRESENT
from ..._core.outcome import Outcome
from ..._core.plan import CREATE, DELETE, KEEP, REFUSE, UPDATE, Change, Plan
from ..._core.requests import CONFIG_MAPS, Resource
from ..._hub.hub_settings import HOMES, MOUNT_POINTS, POLICIES
from ..files import values_file
from ..files.hub_package import hub_package
from ..files.values_file import ValuesFile
from ..kubernetes.acl_reader import AclReader
from ..kubernetes.api import Api
from ..kubernetes.apply import apply_plan
from ..kubernetes.connection import argument_spec as connection_spec
from ..kubernetes.errors import ApiError
from ..kubernetes.facts import missing_namespace_warning
from ..kubernetes.openshift_ranges import check_gids, read_namespace
from ..module import PlanRejected, finish, open_api, refuse

VALUES = "HelmValues"
_ACCOUNTS = Resource("", "v1", "serviceaccounts")
#: The order of writes: a binding needs its role, and the hub its permissions.
_PHASES: Sequence[Sequence[Resource]] = (
    (ROLES, CLUSTER_ROLES, odh.SECRETS),
    (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS),
    (CONFIG_MAPS,),
)
_BINDINGS = _PHASES[1]


class Target(NamedTuple):
    """An object of the hub, and how it is planned. `is_optional`: it is nothing that the hub needs."""

    resource: Resource
    namespace: str
    name: str
    plan: Callable[[Any], Change]
    is_optional: bool = False


class FileWrite(NamedTuple):
    """The operation that writes the file of Helm values, or deletes it (None)."""

    path: str
    text: Optional[str]


def argument_spec() -> dict[str, Any]:
    """Return the options of `hub_config`."""
    return {
        **connection_spec(),
        "namespace": {"type": "str", "required": True},
        "flavor": {"type": "str", "choices": list(FLAVORS), "default": Z2JH},
        "state": {"type": "str", "choices": [PRESENT, ABSENT], "default": PRESENT},
        "new": {"type": "bool", "default": False},
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
    configurator = Configurator(module, options)
    outcome = configurator.run()
    result = finish(module, outcome, "hub", next_step=configurator.next_step)
    if module._diff:
        result["diff"] = [result["diff"], *configurator.diffs]
    return result


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, with the setting of the software that servers mount."""
    return {**params, "software": software_setting(params["software_tree"], params["software"])}


class Configurator:
    """Plans and writes the configuration of one hub."""

    def __init__(self, module: Any, options: HubOptions) -> None:
        self._module, self._options = module, options
        self._manages_groups = False
        self._token = secrets.token_hex(32)
        self._warnings: list[str] = []
        #: The warning that a namespace does not exist yet, in check mode.
        self._missing = ""
        #: The changes of texts, for the diff.
        self.diffs: list[dict[str, str]] = []
        #: The command that brings the configuration into the hub.
        self.next_step = ""

    def run(self) -> Outcome:
        """Return the outcome. Raises PlanRejected and ExternalError."""
        if not hasattr(values_file, "yaml"):
            self._module.fail_json(msg=missing_required_lib("PyYAML"))
        file = self._read_file()
        api = open_api(self._module)
        account = self._observe_hub(api) if self._options.is_present else {}
        write = self._plan_file(file)
        targets = self._targets(values_file.values_of(file) if file is not None else {})
        observed = [self._read(api, target) for target in targets]
        try:
            changes = [target.plan(one) for target, one in zip(targets, observed)]
        except ValueError as error:
            raise PlanRejected([str(error)]) from error
        plan = Plan(tuple(changes), notes=tuple(self._warnings))
        refuse(plan)
        self._describe_config_map(targets, observed)
        self.next_step = self._command(file, account)
        outcome = Outcome(plan, warnings=[self._missing]) if self._missing else self._apply(api, plan, targets)
        if write is not None:
            outcome = outcome.followed_by(self._write(write))
        return outcome

    def _read_file(self) -> Optional[ValuesFile]:
        if self._options.flavor != Z2JH:
            return None
        try:
            return values_file.read_values(self._options.values_file)
        except ValueError as error:
            raise PlanRejected([str(error)]) from error

    def _observe_hub(self, api: Api) -> dict[str, Any]:
        """Return the hub's service account, and read what the ACL says. Raises PlanRejected if there is no hub."""
        account, servers = self._options.account, self._options.servers_namespace
        found = {name: self._namespace(api, name) for name in dict.fromkeys((account.namespace, servers))}
        if self._missing:
            return {}
        observed = api.get(_ACCOUNTS, account.namespace, account.name)
        if observed is None and not self._module.params["new"]:
            raise PlanRejected(
                [
                    f"Namespace {account.namespace} has no hub: there is no service account {account.name}; correct "
                    "`hub_namespace` or `hub_service_account`, or set `hub_new: true` if the hub is not installed yet"
                ]
            )
        shares = AclReader(api, servers).read([account.name]).acl.by_name
        choice = self._module.params["manage_groups"]
        self._manages_groups = choice == ALWAYS or (choice == AUTO and names_hub_groups(shares))
        namespace = found[servers]
        if namespace is not None:
            check = check_gids(api, servers, namespace, shares_by_gid(shares), account.name)
            self._warnings += check.warnings
            if check.errors:
                raise PlanRejected(list(check.errors))
        return observed or {}

    def _namespace(self, api: Api, name: str) -> Optional[dict[str, Any]]:
        """Return a Namespace, None if the login may not read it. Raises PlanRejected if it does not exist."""
        try:
            found = read_namespace(api, name)
        except ApiError as error:
            if error.is_rbac:
                return None
            raise
        if found is None:
            # An earlier task may create it.
            if not (self._module.check_mode and self._module.params["new"]):
                option = "hub_namespace" if name == self._module.params["namespace"] else "hub_servers_namespace"
                raise PlanRejected([f"Namespace {name} does not exist: create it first, or correct `{option}`"])
            self._missing = missing_namespace_warning(name)
        return found

    def _targets(self, values: Mapping[str, Any]) -> list[Target]:
        options = self._options
        targets = []
        if self._module.params["permissions"]:
            targets = self._permissions(values)
        if options.flavor == Z2JH:
            return targets
        namespace = options.account.namespace
        token = self._token if options.is_present else None
        targets.append(
            Target(odh.SECRETS, namespace, odh.SECRET, lambda observed: plan_token(namespace, observed, token))
        )
        targets.append(
            Target(
                CONFIG_MAPS,
                namespace,
                odh.CONFIG_MAP,
                lambda observed: plan_config_map(namespace, observed, self._content(observed)),
            )
        )
        return targets

    def _content(self, observed: Optional[Mapping[str, Any]]) -> Optional[odh.ConfigMapContent]:
        if not self._options.is_present:
            return None
        python = odh.odh_python(self._options.settings, self._options.account.namespace, self._manages_groups)
        return odh.ConfigMapContent.of(observed).with_ours(python, hub_package())

    def _permissions(self, values: Mapping[str, Any]) -> list[Target]:
        options = self._options
        is_chart = options.flavor == Z2JH
        secret = None if is_chart else odh.SECRET
        possible = hook_permissions(options.account, options.servers_namespace, secret)
        desired = list(possible) if options.is_present else []
        if is_chart:
            if options.is_present and options.replaces_rbac:
                desired += chart_permissions(values, options.account, options.release)
            possible += all_chart_permissions(options.account, options.release)
        names = {_key(definition) for definition in desired}
        reason = "the chart has it" if options.is_present else "`state` is absent"
        surplus = [definition for definition in possible if _key(definition) not in names]
        return [_permission_target(one, None) for one in desired] + [_permission_target(one, reason) for one in surplus]

    def _read(self, api: Api, target: Target) -> Optional[dict[str, Any]]:
        try:
            return api.get(target.resource, target.namespace or None, target.name)
        except ApiError as error:
            if target.is_optional and error.is_rbac:
                return None
            raise

    def _apply(self, api: Api, plan: Plan, targets: Sequence[Target]) -> Outcome:
        """Apply the changes in phases: a binding after its role."""
        by_key = {(one.kind, one.namespace, one.name): target for one, target in zip(plan.changes, targets)}

        def plan_again(change: Change) -> Change:
            target = by_key[change.kind, change.namespace, change.name]
            try:
                return target.plan(self._read(api, target))
            except ValueError as error:
                return replace(change, action=REFUSE, reason=str(error), operations=())

        outcome = Outcome(Plan(notes=plan.notes))
        created = {change.name for change in plan.changes if change.action == CREATE}
        for resources in _PHASES if self._options.is_present else reversed(_PHASES):
            part = [change for change, target in zip(plan.changes, targets) if target.resource in resources]
            # A login that may grant what it has itself can bind a role only if the role exists.
            untried = [one for one in part if self._is_untried(one, resources, created)]
            tried = Plan(tuple(one for one in part if one not in untried))
            outcome = outcome.followed_by(apply_plan(api, tried, plan_again, self._module.check_mode))
            outcome = outcome.followed_by(Outcome(Plan(tuple(untried))))
        return outcome

    def _is_untried(self, change: Change, resources: Sequence[Resource], created: set[str]) -> bool:
        is_new = change.action == CREATE and change.name in created
        return bool(self._module.check_mode) and resources is _BINDINGS and is_new

    def _plan_file(self, file: Optional[ValuesFile]) -> Optional[Change]:
        """Return the change of the file of Helm values."""
        if file is None:
            return None
        namespace, path = self._options.account.namespace, file.path
        entries: Entries = {}
        text = file.restored
        if self._options.is_present:
            try:
                entries = helm_entries(hub_package(), self._options.settings, self._manages_groups)
                if self._options.replaces_rbac:
                    entries = {**entries, ("rbac",): {"create": False}}
                text = values_file.merged(file, entries, self._options.settings, self._manages_groups)
            except ValueError as error:
                raise PlanRejected([str(error)]) from error
        if text == file.text:
            return Change(KEEP, VALUES, namespace, path, "it is up to date")
        old = {} if file.text is None else our_entries(values_file.data_of(file.text))
        self.diffs.append(
            {
                "before_header": path,
                "after_header": path,
                "before": described(old),
                "after": described(entries),
            }
        )
        action = CREATE if file.text is None else UPDATE if text is not None else DELETE
        reason = {
            CREATE: "it does not exist",
            UPDATE: "its keys of this role change" if self._options.is_present else "its keys of this role are removed",
            DELETE: "it has only keys of this role",
        }[action]
        return Change(
            action,
            VALUES,
            namespace,
            path,
            reason,
            before=None if file.text is None else f"{path}: {len(file.text)} characters",
            after=None if text is None else f"{path}: {len(text)} characters",
            operations=(FileWrite(path, text),),
        )

    def _write(self, change: Change) -> Outcome:
        outcome = Outcome(Plan((change,)))
        if not change.operations or self._module.check_mode:
            return outcome
        write: FileWrite = change.operations[0]
        path = os.path.realpath(write.path)
        if write.text is None:
            os.remove(path)
        else:
            with tempfile.NamedTemporaryFile("wb", dir=self._module.tmpdir, delete=False) as temporary:
                temporary.write(write.text.encode("utf-8"))
            self._module.atomic_move(temporary.name, path)
        outcome.wrote = True
        return outcome

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

    def _command(self, file: Optional[ValuesFile], account: Mapping[str, Any]) -> str:
        params, namespace = self._module.params, self._options.account.namespace
        if file is None:
            return f"oc rollout latest dc/jupyterhub --namespace {shlex.quote(namespace)}"
        labels = (account.get("metadata") or {}).get("labels") or {}
        version = chart_version(labels, params["chart"])
        words = [
            "helm",
            "upgrade",
            *(("--install",) if params["new"] else ()),
            params["release"],
            params["chart"],
            "--namespace",
            namespace,
        ]
        words += ["--version", version] if version else []
        if self._options.is_present:
            # A file with only our keys is an addition to the values of the release.
            words += [*(() if file.base.strip() or params["new"] else ("--reuse-values",)), "-f", file.path]
        else:
            words += ["--reset-values", "-f", file.path if file.restored is not None else "YOUR-VALUES.yaml"]
        return shlex.join(words)


def _key(definition: Definition) -> tuple[Resource, str, str]:
    resource, manifest = definition
    return resource, manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]


def _permission_target(definition: Definition, reason: Optional[str]) -> Target:
    """Return the target of a permission. `reason` says why it must not exist, None if it must."""
    resource, namespace, name = _key(definition)
    if reason is None:
        return Target(resource, namespace, name, lambda observed: plan_permission(definition, observed))
    return Target(resource, namespace, name, lambda observed: plan_no_permission(definition, observed, reason), True)
