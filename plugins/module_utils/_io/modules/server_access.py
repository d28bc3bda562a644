# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `server_access`: from its options to its result."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Optional

from ..._core.access.observed import PublishedAcl
from ..._core.hub_activity import HubUsers
from ..._core.metadata import NAMESPACE
from ..._core.outcome import Outcome
from ..._core.plan import KEEP, STOP, Change, Plan
from ..._core.report.access import ReportContext
from ..._core.report.servers import server_rows, servers_text
from ..._core.requests import CLAIMS, PODS
from ..._core.servers.comparison import Grants
from ..._core.servers.hub_match import HubServers
from ..._core.servers.plan import (
    NO_LIMIT,
    REPORTED,
    REVOKED,
    ComparedServer,
    RevocationSettings,
    StopServer,
    consent_error,
    mark,
    plan_revocation,
)
from ..._core.servers.pods import ServerPod, server_pod_from
from ..._core.servers.static_homes import SCHEMES, StaticHome, StaticHomes, static_home_errors
from ..._core.shares.paths import place_errors
from ..._core.times import parse_span
from ..._hub.acl_format import AccessError
from ..._hub.hub_settings import covering_root_error
from ..._hub.observed_claims import claim_from
from ..errors import ExternalError
from ..hub.client import DELETE_SERVERS, LIST_USERS, READ_GROUPS, READ_SERVERS
from ..hub.stop import stop_servers
from ..kubernetes.acl_reader import AclReader
from ..kubernetes.api import Api
from ..kubernetes.apply import apply_plan
from ..kubernetes.facts import namespace_error
from ..module import PlanRejected, finish, open_api, timings_result
from ..options.connection import argument_spec as connection_spec
from ..options.hub import HUB_SPEC, hub_client
from ..options.result import RESULT_SPEC
from ..timings import Timings

_SCOPES = (LIST_USERS, READ_GROUPS, READ_SERVERS)


def argument_spec() -> dict[str, Any]:
    """Return the options of `server_access`."""
    return {
        **connection_spec(),
        **RESULT_SPEC,
        "namespace": {"type": "str", "required": True},
        "acl_namespace": {"type": "str"},
        "hub": {**HUB_SPEC, "required": True},
        "state": {"type": "str", "default": REPORTED, "choices": [REPORTED, REVOKED]},
        "grace": {"type": "str", "default": "1h"},
        "max_stops": {"type": "int", "default": 10},
        "allow_empty": {"type": "bool", "default": False},
        "home_path": {"type": "str"},
        "mount_roots": {"type": "list", "elements": "str", "default": []},
        "static_home": {
            "type": "dict",
            "options": {
                "claim": {"type": "str", "required": True},
                "sub_path": {"type": "str", "default": "{username}"},
                "naming": {"type": "str", "default": SCHEMES[0], "choices": list(SCHEMES)},
            },
        },
    }


def manage_access(module: Any) -> dict[str, Any]:
    """Compare running servers with what their users may mount now, and stop those with excess access if asked to."""
    params = module.params
    grace = _grace_of(params)
    timings = Timings()
    api = open_api(module)
    # Pods first: what they mount was granted before, so an ACL that is read later never lacks a new grant.
    observed = Observed(api, params)
    timings.note("read")
    servers = observed.compared()
    timings.note("compare")
    settings = RevocationSettings(params["namespace"], grace, params["max_stops"], api.now())
    if params["state"] == REPORTED:
        outcome = Outcome(Plan(tuple(_reported(server, params["namespace"]) for server in servers)))
    else:
        error = "" if params["allow_empty"] else consent_error(observed.acl, servers)
        if error:
            raise PlanRejected([error])
        outcome = Revocation(api, observed.hub, settings).apply(plan_revocation(servers, settings), module.check_mode)
    timings.note("apply")
    digest = observed.acl.digest
    head = f"ACL {digest[:12]}" if digest else "No ACL"
    head = f"{head} in namespace {observed.acl_namespace}, on {api.now().date().isoformat()}"
    rows = server_rows(servers, {change.name: change.action for change in outcome.plan.changes})
    result = {
        "servers": rows,
        "text": servers_text(servers, head),
        "compared": len(servers),
        "unchanged_excess": sum(bool(row["excess"]) and row["action"] == KEEP for row in rows),
    }
    return finish(module, outcome, "server", **result, **timings_result(timings.seconds))


def _grace_of(params: dict[str, Any]) -> timedelta:
    """Return the time of grace. Raises PlanRejected with all errors of the options."""
    errors = [
        f"`{option}` is {params[option]!r}, which is not a valid name of a namespace: use at most 63 lower-case letters, "
        "digits and '-'"
        for option in ("namespace", "acl_namespace")
        if params[option] is not None and not NAMESPACE.match(params[option])
    ]
    grace = timedelta()
    try:
        grace = parse_span(params["grace"])
    except ValueError as error:
        errors.append(f"grace: {error}")
    if params["max_stops"] < NO_LIMIT:
        errors.append(
            f"max_stops is {params['max_stops']}: set the number of servers that one run may stop, or {NO_LIMIT} for no limit"
        )
    if params["home_path"] is not None:
        wrong = place_errors(params["home_path"], params["mount_roots"])
        covering = (covering_root_error(params["home_path"], root) for root in params["mount_roots"])
        errors += wrong or [error for error in covering if error]
    elif params["mount_roots"]:
        errors.append("`mount_roots` without `home_path` has no effect: set `home_path` to the hub's home path")
    if params["static_home"] is not None:
        errors += static_home_errors(params["static_home"])
    if errors:
        raise PlanRejected(errors)
    return grace


class Observed:
    """What a run reads: pods, claims, the ACL, and the users of the hub, each in one paginated list."""

    def __init__(self, api: Api, params: dict[str, Any]) -> None:
        self._params = params
        namespace = params["namespace"]
        found = api.list_all(PODS, namespace, server_pod_from)
        self.pods: list[ServerPod] = [pod for pod in found if pod is not None and not pod.terminating]
        if not found:
            error, is_missing = namespace_error(api, namespace)
            if is_missing:
                raise PlanRejected([error])
        self._claims = api.list_all(CLAIMS, namespace, claim_from)
        self.acl_namespace = params["acl_namespace"] or namespace
        self.acl: PublishedAcl = AclReader(api, self.acl_namespace).read()
        self.today = api.now().date()
        self.hub = hub_client(params["hub"])
        need = (*_SCOPES, DELETE_SERVERS) if params["state"] == REVOKED else _SCOPES
        self._users: HubUsers = self.hub.servers(need)

    def compared(self) -> list[ComparedServer]:
        """Return the servers with their differences, sorted by user and server."""
        known = HubServers(self._users, self.pods)
        context = ReportContext(self.today, self._params["home_path"] or "", self._params["mount_roots"], known.groups)
        option = self._params["static_home"]
        homes = None if option is None else StaticHomes(StaticHome(**option), known.servers)
        grants = Grants(self.acl.acl, {claim.name: claim for claim in self._claims}, context, homes)
        try:
            return [
                ComparedServer(pod, grants.compare(pod), known.reason_not_to_stop(pod))
                for pod in sorted(self.pods, key=lambda pod: (pod.user, pod.server, pod.name))
            ]
        except AccessError as error:
            raise ExternalError(f"The ACL is invalid, so it grants nothing: {error}", retryable=False) from error


def _reported(server: ComparedServer, namespace: str) -> Change:
    return Change(KEEP, "server", namespace, server.pod.name, f"{server.title} is compared", server.pod.user)


class Revocation:
    """Applies a plan: annotations on pods first, and then the servers to stop."""

    def __init__(self, api: Api, hub: Any, settings: RevocationSettings) -> None:
        self._api, self._hub, self._settings = api, hub, settings

    def apply(self, plan: Plan, dry_run: bool) -> Outcome:
        """Return the outcome. A dry run sends no request to the hub."""
        stops = Plan(tuple(change for change in plan.changes if change.action == STOP))
        marks = replace(plan, changes=tuple(change for change in plan.changes if change.action != STOP))
        outcome = apply_plan(self._api, marks, self._replan, dry_run)
        return outcome.followed_by(Outcome(stops) if dry_run else stop_servers(self._hub, stops, self._is_same))

    def _replan(self, change: Change) -> Change:
        server: ComparedServer = change.subject
        pod = self._read(change.name)
        if pod is None or pod.uid != server.pod.uid or pod.terminating:
            reason = f"{server.title} was stopped meanwhile"
            return replace(change, action=KEEP, reason=reason, before=None, after=None, operations=())
        return mark(replace(server, pod=pod), self._settings)

    def _is_same(self, stop: StopServer) -> bool:
        pod = self._read(stop.pod)
        return pod is not None and pod.uid == stop.uid and not pod.terminating

    def _read(self, name: str) -> Optional[ServerPod]:
        item = self._api.get(PODS, self._settings.namespace, name)
        return None if item is None else server_pod_from(item)
