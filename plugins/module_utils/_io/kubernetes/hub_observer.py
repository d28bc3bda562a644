# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the cluster says of a hub before it is configured: its namespaces, service account, access list and workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Optional

from ..._core.hub.configuration import ALWAYS, AUTO, ODH, HubOptions, names_hub_groups, shares_by_gid
from ..._core.hub.notebook_namespace import Workload
from ..._core.hub.permissions import Account
from ..._core.requests import Resource
from ..module import PlanRejected
from .acl_reader import AclReader
from .api import Api
from .errors import ApiError
from .hub_workload import servers_namespace
from .openshift_ranges import check_gids, read_namespace

_ACCOUNTS = Resource("", "v1", "serviceaccounts")


class Allowed(NamedTuple):
    """What need not exist yet: the hub (`new`), and its namespaces (`creates`, or in check mode an earlier task)."""

    new: bool
    creates: bool
    check_mode: bool


@dataclass
class ObservedState:
    """The hub in the cluster. `options` have the namespace of its servers; `missing` are namespaces to create first."""

    options: HubOptions
    account: Mapping[str, Any] = field(default_factory=dict)
    workload: Optional[Workload] = None
    manages_groups: bool = False
    missing: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class HubObserver:
    """Reads the state of a hub. `server_account` is the service account of its servers."""

    def __init__(self, api: Api, allowed: Allowed, server_account: str) -> None:
        self._api, self._allowed, self._server_account = api, allowed, server_account

    def observe(self, options: HubOptions, given: Optional[str], manage_groups: str) -> ObservedState:
        """Return the state. `given` is the namespace of the servers that the operator set. Raises PlanRejected."""
        state = ObservedState(options)
        if options.flavor == ODH:
            self._find_servers(state, given)
        options = state.options
        if not options.is_present:
            state.account = self._account_for_version(options)
            return state
        account, servers = options.account, options.servers_namespace
        found = {name: self._namespace(state, name) for name in dict.fromkeys((account.namespace, servers))}
        observed = (
            None if account.namespace in state.missing else self._api.get(_ACCOUNTS, account.namespace, account.name)
        )
        if observed is None and not self._allowed.new:
            raise PlanRejected(
                [
                    f"Namespace {account.namespace} has no hub: there is no service account {account.name}; correct "
                    "`hub_namespace` or `hub_service_account`, or set `hub_new: true` if the hub is not installed yet"
                ]
            )
        state.account = observed or {}
        if servers not in state.missing:
            self._read_acl(state, found[servers], manage_groups)
        elif manage_groups == ALWAYS:
            state.manages_groups = True
        return state

    def _account_for_version(self, options: HubOptions) -> Mapping[str, Any]:
        """Return the service account, whose labels name the version of the chart, {} if it cannot be read or does not exist."""
        try:
            return self._api.get(_ACCOUNTS, options.account.namespace, options.account.name) or {}
        except ApiError as error:
            if error.is_rbac:
                return {}
            raise

    def _find_servers(self, state: ObservedState, given: Optional[str]) -> None:
        account = state.options.account
        try:
            servers = servers_namespace(self._api, account, given)
        except ValueError as error:
            if state.options.is_present:
                raise PlanRejected([str(error)]) from error
            return  # what was configured is removed, whatever the hub says now
        state.workload = servers.workload
        state.options = replace(state.options, servers_namespace=servers.namespace)
        if servers.warning:
            state.warnings.append(servers.warning)

    def _namespace(self, state: ObservedState, name: str) -> Optional[dict[str, Any]]:
        """Return a Namespace, None if the login may not read it. Raises PlanRejected if it does not exist."""
        try:
            found = read_namespace(self._api, name)
        except ApiError as error:
            if error.is_rbac:
                return None
            raise
        if found is None:
            allowed = self._allowed
            # An earlier task may create it.
            if not (allowed.creates or (allowed.check_mode and allowed.new)):
                option = "hub_namespace" if name == state.options.account.namespace else "hub_servers_namespace"
                raise PlanRejected(
                    [
                        f"Namespace {name} does not exist: create it first, correct `{option}`, or set "
                        "`hub_create_namespace: true`"
                    ]
                )
            state.missing.append(name)
        return found

    def _read_acl(self, state: ObservedState, namespace: Optional[Mapping[str, Any]], manage_groups: str) -> None:
        account, servers = state.options.account, state.options.servers_namespace
        shares = AclReader(self._api, servers).read([account.name]).acl.by_name
        state.manages_groups = manage_groups == ALWAYS or (manage_groups == AUTO and names_hub_groups(shares))
        if namespace is not None:
            accounts = (account, Account(self._server_account, servers))
            check = check_gids(self._api, servers, namespace, shares_by_gid(shares), accounts)
            state.warnings += check.warnings
            if check.errors:
                raise PlanRejected(list(check.errors))
