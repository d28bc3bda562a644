# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The permissions that Zero to JupyterHub omits with `rbac.create: false`, without the right to delete claims.

Source of the rules: templates of the chart 4.4 (hub, user-scheduler, hook-image-awaiter, autohttps), and for the scheduler
the ClusterRoles system:kube-scheduler and system:volume-scheduler of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .doctor.chart import chart_settings
from .permissions import Account, Definition, Rules, cluster_role_for, role_for

_READ = ["get", "list", "watch"]
_WRITE = ["patch", "update"]


def _rule(group: str, resources: list[str], verbs: list[str], names: tuple[str, ...] = ()) -> dict[str, Any]:
    rule: dict[str, Any] = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return {**rule, "resourceNames": list(names)} if names else rule


_HUB: Rules = (
    _rule("", ["pods"], [*_READ, "create", "delete"]),
    _rule("", ["persistentvolumeclaims"], [*_READ, "create"]),
    _rule("", ["events"], [*_READ, "create"]),
)
#: Only for hubs whose servers have Services, or certificates of the hub, or may have them.
_HUB_SERVICES: Rules = (_rule("", ["secrets", "services"], [*_READ, "create", "delete"]),)
_IMAGE_AWAITER: Rules = (_rule("apps", ["daemonsets"], ["get"]),)
_AUTOHTTPS: Rules = (_rule("", ["secrets"], ["get", "patch", "list", "create"]),)


def _scheduler(lock: str) -> Rules:
    return (
        _rule("", ["events"], ["create", *_WRITE]),
        _rule("events.k8s.io", ["events"], ["create", *_WRITE]),
        _rule("coordination.k8s.io", ["leases"], ["create"]),
        _rule("coordination.k8s.io", ["leases"], [*_READ, "update"], (lock,)),
        _rule("coordination.k8s.io", ["leasecandidates"], [*_READ, *_WRITE, "create", "delete", "deletecollection"]),
        _rule("", ["nodes", "namespaces", "replicationcontrollers", "services"], _READ),
        _rule("", ["pods"], [*_READ, "delete"]),
        _rule("", ["bindings", "pods/binding"], ["create"]),
        _rule("", ["pods/status"], _WRITE),
        _rule("", ["pods/finalizers"], ["update"]),
        _rule("apps", ["replicasets", "statefulsets"], _READ),
        _rule("policy", ["poddisruptionbudgets"], _READ),
        _rule("", ["persistentvolumeclaims", "persistentvolumes"], [*_READ, *_WRITE]),
        _rule("authentication.k8s.io", ["tokenreviews"], ["create"]),
        _rule("authorization.k8s.io", ["subjectaccessreviews"], ["create"]),
        _rule(
            "storage.k8s.io",
            ["csinodes", "csidrivers", "csistoragecapacities", "storageclasses", "volumeattachments"],
            _READ,
        ),
        _rule("resource.k8s.io", ["deviceclasses", "resourceslices"], _READ),
        _rule("resource.k8s.io", ["resourceclaims", "resourceclaims/status"], [*_READ, *_WRITE]),
        _rule("resource.k8s.io", ["resourceclaims/binding"], _WRITE),
    )


def chart_permissions(values: Mapping[str, Any], account: Account, release: str) -> list[Definition]:
    """Return the permissions that the chart omits. `values` are those of the hub, with the chart's defaults for the rest."""
    namespace = account.namespace
    prefix = _prefix(values, release)

    def of(*path: str) -> Account:
        """Return the chart's service account that these values configure."""
        return Account(_service_account(values, path, f"{prefix}{_ACCOUNTS[path]}"), namespace)

    found = role_for("odh-persistency-chart-hub", namespace, (*_HUB, *_services(values)), account)
    if _at(values, "scheduling", "userScheduler", "enabled", default=True):
        name = f"odh-persistency-user-scheduler-{namespace}"
        found += cluster_role_for(name, _scheduler(f"{prefix}user-scheduler-lock"), of("scheduling", "userScheduler"))
    if _at(values, "prePuller", "hook", "enabled", default=True):
        found += role_for("odh-persistency-hook-image-awaiter", namespace, _IMAGE_AWAITER, of("prePuller", "hook"))
    https = _at(values, "proxy", "https", default={})
    if (
        isinstance(https, Mapping)
        and https.get("enabled")
        and https.get("hosts")
        and https.get("type", "letsencrypt") == "letsencrypt"
    ):
        found += role_for("odh-persistency-autohttps", namespace, _AUTOHTTPS, of("proxy", "traefik"))
    return found


def hub_account(values: Mapping[str, Any], release: str) -> str:
    """Return the name of the hub's service account."""
    return _service_account(values, ("hub",), f"{_prefix(values, release)}hub")


def server_account(values: Mapping[str, Any]) -> str:
    """Return the name of the service account of the servers."""
    found = chart_settings(values).spawner("service_account").value
    return found if isinstance(found, str) else _at(values, "singleuser", "serviceAccountName", default="default")


def all_chart_permissions(account: Account, release: str) -> list[Definition]:
    """Return the permissions for a chart with all of its parts."""
    return chart_permissions({"proxy": {"https": {"enabled": True, "hosts": ["all"]}}}, account, release)


#: The names of the chart's service accounts, without the prefix of the release, by the path of their values.
_ACCOUNTS: Mapping[tuple[str, ...], str] = {
    ("scheduling", "userScheduler"): "user-scheduler",
    ("prePuller", "hook"): "hook-image-awaiter",
    ("proxy", "traefik"): "autohttps",
}


def _services(values: Mapping[str, Any]) -> Rules:
    """Return the rules for Services and Secrets, unless it is certain that servers have none."""
    settings = chart_settings(values)
    may_have = any(settings.switched(trait).value is not False for trait in ("services_enabled", "internal_ssl"))
    return _HUB_SERVICES if may_have else ()


def _service_account(values: Mapping[str, Any], path: tuple[str, ...], default: str) -> str:
    account = _at(values, *path, "serviceAccount", default={})
    account = account if isinstance(account, Mapping) else {}
    return str(account.get("name") or (default if account.get("create", True) else "default"))


def _prefix(values: Mapping[str, Any], release: str) -> str:
    """Return the prefix of the chart's names: by default none, and with `fullnameOverride: null` that of the release."""
    full = values.get("fullnameOverride", "")
    if isinstance(full, str):
        return f"{full}-" if full else ""
    name = values.get("nameOverride") or "jupyterhub"
    return f"{release}-" if str(name) in release else f"{release}-{name}-"


def _at(values: Any, *path: str, default: Any) -> Any:
    for key in path:
        if not isinstance(values, Mapping) or values.get(key) is None:
            return default
        values = values[key]
    return values
