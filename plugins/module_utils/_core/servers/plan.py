# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan which servers are stopped: those with excess access whose time of grace is over, a limited number per run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Optional

from ..access.observed import PublishedAcl
from ..metadata import EXCESS_ANNOTATION, EXCESS_CLAIMS_ANNOTATION
from ..plan import KEEP, STOP, UPDATE, Change, Plan
from ..requests import PODS, ApiRequest, Precondition, patch
from ..text import quote_list
from ..times import format_span, format_time, parse_time
from ..validation import quoted
from .comparison import Comparison
from .pods import ServerPod

KIND = "server"
REPORTED, REVOKED = "reported", "revoked"
#: The value of `max_stops` without a limit.
NO_LIMIT = -1


@dataclass(frozen=True)
class ComparedServer:
    """A server and its differences. `doubt` is why it is not certainly the hub's running server, "" if it is."""

    pod: ServerPod
    access: Comparison
    doubt: str = ""

    @property
    def title(self) -> str:
        """What sentences call it."""
        named = f" {quoted(self.pod.server)}" if self.pod.server else ""
        return f"the server{named} of {quoted(self.pod.user)} (pod {self.pod.name})"

    @property
    def excess(self) -> str:
        """The excess access in words."""
        return quote_list([finding.reason for finding in self.access.excess], 4)


@dataclass(frozen=True)
class RevocationSettings:
    """The settings of a run. `now` is the time of the API server."""

    namespace: str
    grace: timedelta
    max_stops: int
    now: datetime


class StopServer(NamedTuple):
    """A request to the hub: stop a server, if its pod is still the one that was examined."""

    user: str
    server: str
    namespace: str
    pod: str
    uid: str


def excess_since(server: ComparedServer, now: datetime) -> Optional[datetime]:
    """Return the time since which a server has its excess access by its annotations, None without one.

    A time that cannot be true counts as none, and so does one that is about other claims.
    """
    pod = server.pod
    since = parse_time(pod.excess_since)
    if {finding.claim for finding in server.access.excess}.isdisjoint(pod.excess_claims):
        return None
    if since is None or since > now or (pod.created is not None and since < pod.created):
        return None
    return since


def consent_error(acl: PublishedAcl, servers: Sequence[ComparedServer]) -> str:
    """Return why an ACL without shares needs consent before servers are stopped because of it, as a sentence, or ""."""
    concerned = [server.title for server in servers if server.access.excess and not server.doubt]
    if acl.acl.by_name or not concerned:
        return ""
    what = "has no shares" if acl.digest else "does not exist"
    return (
        f"the ACL {what}, so it grants nothing, and this would stop {quote_list(concerned)}: publish the ACL with "
        "share_acl, or set `allow_empty: true`"
    )


def plan_revocation(servers: Sequence[ComparedServer], settings: RevocationSettings) -> Plan:
    """Return the plan: marks for new excess, removed marks for regained access, and the servers to stop.

    The servers with the oldest excess are stopped first, then by user and server.
    """
    due = sorted((server for server in servers if _is_due(server, settings)), key=lambda one: _order(one, settings.now))
    stopped = due if settings.max_stops == NO_LIMIT else due[: settings.max_stops]
    names = {server.pod.name for server in stopped}
    notes = []
    if len(due) > len(stopped):
        rest = [server.title for server in due[len(stopped) :]]
        notes.append(
            f"{len(rest)} more servers have excess access and are stopped by the next runs, because `max_stops` is "
            f"{settings.max_stops}: {quote_list(rest)}"
        )
    doubtful = [f"{server.title} ({server.doubt})" for server in servers if server.access.excess and server.doubt]
    if doubtful:
        notes.append(
            f"Servers with excess access that the hub does not confirm are not stopped: {quote_list(doubtful)}"
        )
    changes = [_stop(server, settings) if server.pod.name in names else mark(server, settings) for server in servers]
    return Plan(tuple(changes), notes=tuple(notes))


def mark(server: ComparedServer, settings: RevocationSettings) -> Change:
    """Return the change of the annotation of a server that is not stopped."""
    pod, now = server.pod, settings.now
    marked = excess_since(server, now)
    if not server.access.excess:
        if not pod.excess_since:
            return _keep(server, settings, "has no access in excess")
        return _update(server, settings, None, "has no access in excess any more")
    if server.doubt:
        if pod.excess_since and marked is None:
            return _update(server, settings, None, "does not have the marked excess access any more")
        return _keep(server, settings, f"is not stopped: {server.doubt}")
    if not settings.grace:
        return _keep(server, settings, "is stopped by a later run")
    until = (marked or now) + settings.grace
    if marked is not None:
        return _keep(server, settings, f"is stopped after {format_time(until)}")
    reason = f"{server.excess}; it is stopped after {format_time(until)}, unless access is granted again"
    return _update(server, settings, format_time(now), reason)


def _is_due(server: ComparedServer, settings: RevocationSettings) -> bool:
    if server.doubt or not server.access.excess:
        return False
    since = excess_since(server, settings.now)
    return not settings.grace or (since is not None and since + settings.grace <= settings.now)


def _order(server: ComparedServer, now: datetime) -> tuple[datetime, str, str]:
    return excess_since(server, now) or now, server.pod.user, server.pod.server


def _stop(server: ComparedServer, settings: RevocationSettings) -> Change:
    pod = server.pod
    since = excess_since(server, settings.now)
    over = f" (since {format_time(since)}, and the grace of {format_span(settings.grace)} is over)" if since else ""
    return Change(
        STOP,
        KIND,
        settings.namespace,
        pod.name,
        f"{server.title} {server.excess}{over}",
        pod.user,
        before=f"{server.title} {server.excess}",
        after=f"{server.title} is stopped",
        operations=(StopServer(pod.user, pod.server, settings.namespace, pod.name, pod.uid),),
        subject=server,
    )


def _keep(server: ComparedServer, settings: RevocationSettings, reason: str) -> Change:
    return Change(KEEP, KIND, settings.namespace, server.pod.name, f"{server.title} {reason}", server.pod.user)


def _update(server: ComparedServer, settings: RevocationSettings, time: Optional[str], reason: str) -> Change:
    pod = server.pod
    return Change(
        UPDATE,
        KIND,
        settings.namespace,
        pod.name,
        f"{server.title} {reason}",
        pod.user,
        before=f"{server.title} {'is marked to be stopped' if pod.excess_since else 'has no mark'}",
        after=f"{server.title} {reason}",
        operations=(_annotate(server, settings.namespace, time),),
        subject=server,
    )


def _annotate(server: ComparedServer, namespace: str, time: Optional[str]) -> ApiRequest:
    pod = server.pod
    claims = ",".join(sorted({finding.claim for finding in server.access.excess})) if time else None
    # Not the resource version, which changes with the status of the pod.
    changes = {"metadata": {"annotations": {EXCESS_ANNOTATION: time, EXCESS_CLAIMS_ANNOTATION: claims}}}
    return patch(PODS, namespace, pod.name, changes, Precondition(uid=pod.uid))
