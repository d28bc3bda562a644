# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workload that runs a hub of classic Open Data Hub, and the namespace of its servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Optional

from ..._core.hub.notebook_namespace import (
    VARIABLE,
    Workload,
    contradiction,
    notebook_namespace,
    workload_of,
)
from ..._core.hub.odh import CONFIG_MAP, CONFIGURATION_KEY
from ..._core.hub.permissions import Account
from ..._core.requests import CONFIG_MAPS, Resource
from ..errors import ExternalError
from .api import Api
from .errors import ApiError
from .openshift_client import MissingApi, OpenShiftConnection, OpenShiftResource

DEPLOYMENTS = Resource("apps", "v1", "deployments")
DEPLOYMENT_CONFIGS = OpenShiftResource(
    Resource("apps.openshift.io", "v1", "deploymentconfigs"),
    "DeploymentConfig",
    "DeploymentConfigs",
    "This cluster has no DeploymentConfigs",
)


class ServersNamespace(NamedTuple):
    """The namespace of the servers, the workload of the hub (None: none is known), and what could not be read."""

    namespace: str
    workload: Optional[Workload] = None
    warning: str = ""


def read_workload(api: Api, account: Account) -> Optional[Workload]:
    """Return the Deployment of the hub, or else its DeploymentConfig, None without either. Raises ExternalError."""
    found = workload_of("Deployment", api.list_all(DEPLOYMENTS, account.namespace, dict), account.name)
    if found is not None:
        return found
    try:
        openshift = Api(OpenShiftConnection.of(api.connection, DEPLOYMENT_CONFIGS))
        configs = openshift.list_all(DEPLOYMENT_CONFIGS.resource, account.namespace, dict)
    except MissingApi:
        return None
    return workload_of(DEPLOYMENT_CONFIGS.kind, configs, account.name)


def servers_namespace(api: Api, account: Account, given: Optional[str]) -> ServersNamespace:
    """Return where the servers of a hub of Open Data Hub run: `given` if it is set, or else what the hub says.

    Raises ValueError, with a sentence, if the hub says something else than `given`, or nothing that can be known.
    """

    def read(name: str) -> Optional[Mapping[str, str]]:
        found = api.get(CONFIG_MAPS, account.namespace, name)
        return None if found is None else found.get("data") or {}

    try:
        workload = read_workload(api, account)
        if workload is None:
            return ServersNamespace(given or account.namespace)
        if given is None:
            found = notebook_namespace(workload, account.namespace, read)
            return ServersNamespace(found or account.namespace, workload)
        try:
            variable = notebook_namespace(workload, account.namespace, read)
        except ValueError:  # `given` is the way out
            return ServersNamespace(given, workload)
        if variable is None and given == account.namespace:
            return ServersNamespace(given, workload)
        error = contradiction(workload, given, variable, (read(CONFIG_MAP) or {}).get(CONFIGURATION_KEY, ""))
        if error:
            raise ValueError(error)
        return ServersNamespace(given, workload)
    except ExternalError as error:
        if isinstance(error, ApiError) and not error.is_rbac:
            raise
        return ServersNamespace(given or account.namespace, None, "" if given else _unread(account, error))


def _unread(account: Account, error: ExternalError) -> str:
    return (
        f"Whether {VARIABLE} of the hub names another namespace for servers is unknown, so namespace {account.namespace} is "
        f"used: {error}. Set `hub_servers_namespace` if it is another one"
    )
