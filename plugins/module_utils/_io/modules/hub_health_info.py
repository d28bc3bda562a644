# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `hub_health_info`, from its options to its result."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible.module_utils.basic import missing_required_lib

from ..._core.hub.configuration import FLAVORS, ODH, Z2JH
from ..._core.hub.doctor.chart import chart_settings, merged, package_files, service_account
from ..._core.hub.doctor.classic_odh import odh_package, odh_settings
from ..._core.hub.doctor.examination import examine, findings_text, summary
from ..._core.hub.doctor.finding import Read, Unread
from ..._core.hub.doctor.observed import ObservedHub, Place
from ..._core.hub.doctor.permissions import reviewed_rights
from ..._core.hub.doctor.settings import HubSettings, mapping_at
from ..._core.hub.doctor.spawn_hook import acl_namespace
from ..._core.hub.odh import CONFIG_MAP, SECRETS, SERVICE_ACCOUNT
from ..._core.hub.permissions import Account
from ..._core.requests import CONFIG_MAPS
from ..._hub.acl_format import AccessError
from ..errors import ExternalError
from ..files.data_files import UNREADABLE
from ..files.hub_package import hub_package
from ..kubernetes.acl_reader import AclReader
from ..kubernetes.api import Api
from ..kubernetes.facts import namespace_error, read_storage_classes
from ..kubernetes.hub_resources import HubResources, attempt
from ..kubernetes.hub_workload import servers_namespace
from ..module import PlanRejected, open_api
from ..options.connection import argument_spec as connection_spec

try:
    import yaml
except ImportError:
    yaml = None  # type: ignore[assignment]

VALUES_KEY = "values.yaml"


def argument_spec() -> dict[str, Any]:
    """Return the options of `hub_health_info`."""
    return {
        **connection_spec(),
        "namespace": {"type": "str", "required": True},
        "flavor": {"type": "str", "default": Z2JH, "choices": list(FLAVORS)},
        "secret": {"type": "str", "default": "hub", "no_log": False},
        "service_account": {"type": "str"},
        "servers_namespace": {"type": "str"},
        "nfs_servers": {"type": "list", "elements": "str", "default": []},
    }


@dataclass(frozen=True)
class Configuration:
    """The configuration of a hub: its settings, the package of the spawn hook, and the service account."""

    settings: Read[HubSettings]
    package: Read[Mapping[str, str]]
    account: str


def show_health(module: Any) -> dict[str, Any]:
    """Return the findings about a hub."""
    params = module.params
    if not all(name.strip() for name in params["nfs_servers"]):
        raise PlanRejected(["`nfs_servers` has an empty name: remove it"])
    api = open_api(module)
    namespace = params["namespace"]
    error, _missing = namespace_error(api, namespace)
    if error:
        raise PlanRejected([error])
    read = _read_odh if params["flavor"] == ODH else _read_chart
    configuration = read(api, namespace, params["secret"])
    account = params["service_account"] or configuration.account
    place = Place(namespace, _servers(module, api, Account(account, namespace)), account)
    findings = examine(_observe(api, place, configuration, params["nfs_servers"]))
    return {
        "changed": False,
        "findings": [finding.as_result() for finding in findings],
        "summary": summary(findings),
        "text": findings_text(findings),
    }


def _servers(module: Any, api: Api, account: Account) -> str:
    """Return the namespace of the servers. Raises PlanRejected if the hub contradicts the operator."""
    given: Optional[str] = module.params["servers_namespace"]
    if module.params["flavor"] != ODH:
        return given or account.namespace
    try:
        found = servers_namespace(api, account, given)
    except ValueError as error:
        raise PlanRejected([str(error)]) from error
    if found.warning:
        module.warn(f"{found.warning}.")
    return found.namespace


def _observe(api: Api, place: Place, configuration: Configuration, nfs_servers: list[str]) -> ObservedHub:
    resources = HubResources(api, place)
    namespace = acl_namespace(place, configuration.settings)
    shares, acl_error = _read_shares(api, namespace)
    names = [] if isinstance(shares, Unread) or shares is None else [share["claim"] for share in shares.values()]
    claims = resources.claims(names)
    volumes = resources.volumes([] if isinstance(claims, Unread) else [claim.volume for claim in claims.values()])
    categories = resources.categories([place.servers])
    if not isinstance(volumes, Unread) and any(isinstance(one, str) and one for one in categories.values()):
        others = {volume.claim_namespace for volume in volumes if volume.share is not None} - {"", place.servers}
        categories.update(resources.categories(sorted(others)))
    classes = read_storage_classes(api)
    return ObservedHub(
        place=place,
        settings=configuration.settings,
        package=configuration.package,
        expected=hub_package(),
        reviews=resources.reviews(
            [
                (resource, verb, namespace if is_for_acl else place.servers)
                for resource, verb, is_for_acl in reviewed_rights(configuration.settings)
            ]
        ),
        bindings=resources.bindings(),
        own_bindings=resources.own_bindings(),
        myself=resources.myself(),
        shares=shares,
        acl_error=acl_error,
        claims=claims,
        waiting_classes=None if classes is None else frozenset(one.name for one in classes if one.waits_for_consumer),
        volumes=volumes,
        drivers=resources.drivers(),
        policies=resources.policies(),
        pods=resources.servers(),
        categories=categories,
        nfs_servers=nfs_servers,
    )


def _read_shares(api: Api, namespace: str) -> tuple[Read[Any], str]:
    """Return the shares of the ACL by name, None without an ACL, and why the ACL is invalid."""
    try:
        part = attempt(AclReader(api, namespace).shares)
    except AccessError as error:
        return Unread(""), "; ".join(error.errors)
    return (part["shares"] if part is not None and not isinstance(part, Unread) else part), ""


# -- the configuration -----------------------------------------------------------------------------------------------------


def _read_chart(api: Api, namespace: str, secret: str) -> Configuration:
    """Read the configuration of the chart. Raises PlanRejected if there is no hub."""
    values = attempt(lambda: _values(api, namespace, secret))
    if isinstance(values, Unread):
        return Configuration(values, values, "hub")
    existing = mapping_at(values, "hub").get("existingSecret")
    if isinstance(existing, str) and existing:
        more = attempt(lambda: _values(api, namespace, existing, must_have=False))
        if isinstance(more, Unread):
            return Configuration(more, package_files(values), service_account(values, secret))
        values = merged(values, more)
    return Configuration(chart_settings(values), package_files(values), service_account(values, secret))


def _values(api: Api, namespace: str, name: str, must_have: bool = True) -> dict[str, Any]:
    """Return the Helm values in a Secret. The message of an error has nothing of them, because they have passwords."""
    if yaml is None:
        raise ExternalError(missing_required_lib("PyYAML").rstrip("."), retryable=False)
    found = api.get(SECRETS, namespace, name)
    encoded = ((found or {}).get("data") or {}).get(VALUES_KEY)
    if encoded is None:
        if not must_have:
            return {}
        what = f"has no key {VALUES_KEY}" if found else "does not exist"
        raise PlanRejected(
            [
                f"There is no hub of the chart Zero to JupyterHub in namespace {namespace}, because Secret {name} {what}: "
                "correct `namespace`, `secret` or `flavor`"
            ]
        )
    try:
        values = yaml.safe_load(base64.b64decode(encoded))
    except (yaml.YAMLError, binascii.Error, *UNREADABLE):
        values = None
    if not isinstance(values, dict):
        raise PlanRejected([f"The key {VALUES_KEY} of Secret {name} in namespace {namespace} is not a YAML mapping"])
    return values


def _read_odh(api: Api, namespace: str, _secret: str) -> Configuration:
    """Read the configuration of classic Open Data Hub. Raises PlanRejected if there is no hub."""
    found = attempt(lambda: api.get(CONFIG_MAPS, namespace, CONFIG_MAP))
    if isinstance(found, Unread):
        return Configuration(found, found, SERVICE_ACCOUNT)
    if found is None:
        raise PlanRejected(
            [
                f"There is no hub of classic Open Data Hub in namespace {namespace}, because ConfigMap {CONFIG_MAP} does not "
                "exist: correct `namespace` or `flavor`"
            ]
        )
    return Configuration(odh_settings(found), odh_package(found), SERVICE_ACCOUNT)
