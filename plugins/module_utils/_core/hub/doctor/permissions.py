# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of what the hub's service account may do, by access reviews."""

from __future__ import annotations

from typing import NamedTuple

from .finding import ERROR, OK, WARNING, Finding, Read, Unread, unknown
from .observed import ObservedHub
from .settings import HubSettings
from .spawn_hook import hook_settings

PERMISSIONS = "hub_permissions"
OLD_PERMISSIONS = "old_permissions"
CLAIMS = "persistentvolumeclaims"
_APPLY = "Run the playbook hub.yml with `hub_permissions: true`, which adds the Role odh-persistency-hub."
_CHART = "Restore the hub's own Role, or run the playbook hub.yml with `hub_rbac: replace`."


class Right(NamedTuple):
    """A right that the hub needs, what happens without it, and what to do. `in_acl_namespace`: it is for the access list."""

    resource: str
    verb: str
    severity: str
    without: str
    remedy: str
    in_acl_namespace: bool = False


NEEDED = (
    Right("configmaps", "get", ERROR, "the hub cannot read the access list, so no share is mounted", _APPLY, True),
    Right(
        "events", "create", WARNING, "neither the progress page nor the log of events shows what was mounted", _APPLY
    ),
    Right(CLAIMS, "get", ERROR, "claims in a server's pod are removed, because the hub cannot verify them", _APPLY),
    Right(CLAIMS, "list", ERROR, "the hub finds neither the homes of a user nor the claims of shares", _APPLY),
    Right(CLAIMS, "create", ERROR, "a user without a home cannot start a server", _CHART),
    Right("pods", "list", ERROR, "no server starts", _CHART),
    Right("pods", "watch", WARNING, "servers start slowly", _CHART),
    Right("pods", "create", ERROR, "no server starts", _CHART),
    Right("pods", "delete", ERROR, "the hub forgets servers that it stops, and they run on with their mounts", _CHART),
)
_EVENTS = (
    Right("events", "list", ERROR, "no server starts, because KubeSpawner reads events first", _CHART),
    Right("events", "watch", WARNING, "the progress page does not show why a server does not start", _CHART),
)
_NO_SERVER = "no server starts, because each has {} (`services_enabled` or `internal_ssl`)"
_SERVICES = tuple(
    Right(resource, verb, ERROR, _NO_SERVER.format(what), _CHART)
    for resource, what in (("services", "a Service"), ("secrets", "a Secret"))
    for verb in ("get", "create", "delete")
)
#: Rights that the hub should not have.
UNWANTED = ((CLAIMS, "delete"), (CLAIMS, "deletecollection"))


def _needed(settings: Read[HubSettings]) -> list[Right]:
    """Return the rights that a hub with these settings needs."""
    if isinstance(settings, Unread):
        return [*NEEDED, *_EVENTS]
    has_certificates = settings.switched("internal_ssl").value is True
    used = {
        "services": has_certificates or settings.switched("services_enabled").value is True,
        "secrets": has_certificates,
    }
    events = () if settings.spawner("events_enabled").value is False else _EVENTS
    return [*NEEDED, *events, *(right for right in _SERVICES if used[right.resource])]


def reviewed_rights(settings: Read[HubSettings]) -> list[tuple[str, str, bool]]:
    """Return all rights to review: the resource, the verb, and whether it is for the namespace of the access list."""
    needed = [(right.resource, right.verb, right.in_acl_namespace) for right in _needed(settings)]
    return [*needed, *((resource, verb, False) for resource, verb in UNWANTED)]


def check_old_permissions(hub: ObservedHub) -> list[Finding]:
    """Return a finding for each RoleBinding of the role `hub` in a namespace in which this hub starts no servers (any more)."""
    if isinstance(hub.own_bindings, Unread):
        return [unknown(OLD_PERMISSIONS, "other namespaces", hub.own_bindings)]
    found = [
        Finding(
            OLD_PERMISSIONS,
            f"RoleBinding {name} in namespace {namespace}",
            WARNING,
            f"It gives the hub rights in namespace {namespace}, but its servers run in {hub.place.servers}. It is left of an "
            "earlier `hub_servers_namespace`.",
            f"Run `kubectl delete rolebinding,role {name} --namespace {namespace}`.",
        )
        for namespace, name in sorted(hub.own_bindings)
        if namespace not in (hub.place.namespace, hub.place.servers)
    ]
    return found or [
        Finding(OLD_PERMISSIONS, "other namespaces", OK, "The hub has no rights of this collection there.")
    ]


def check_permissions(hub: ObservedHub) -> list[Finding]:
    """Return the findings about the hub's permissions."""
    account = f"ServiceAccount {hub.place.account}"
    unread = next((review for review in hub.reviews.values() if isinstance(review, Unread)), None)
    if unread is not None or not hub.reviews:
        return [unknown(PERMISSIONS, account, unread or Unread("No access was reviewed."))]
    found = []
    needs_claims = (
        not isinstance(hub.settings, HubSettings) or hook_settings(hub.settings).get("home", "claim") == "claim"
    )
    for right in _needed(hub.settings):
        if right.verb == "create" and right.resource == CLAIMS and not needs_claims:
            continue
        if not hub.reviews.get((right.resource, right.verb)):
            reason = f"It may not {right.verb} {right.resource}: {right.without}."
            found.append(Finding(PERMISSIONS, account, right.severity, reason, right.remedy))
    if any(hub.reviews.get(right) for right in UNWANTED):
        found.append(
            Finding(
                PERMISSIONS,
                account,
                WARNING,
                "It may delete claims, as the chart's own Role allows: a mistake in the hub's configuration can delete homes and "
                "shares.",
                "Run the playbook hub.yml with `hub_rbac: replace`, and apply the Helm values that it writes.",
            )
        )
    if not found:
        found.append(Finding(PERMISSIONS, account, OK, "It has the rights that it needs, and may not delete claims."))
    return found
