# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Match pods with the servers that the hub knows. Only a server that is certainly the hub's own is stopped.

A pod that an editor of the namespace created can look like the pod of a server, and the address of another hub can have
users with the same names. So the hub must confirm the pod: by its name, which the hub shows to tokens with the scope
`admin:server_state`, or by the time. The API server sets the creation time of a pod, and the hub creates it soon after the start
of the server. Of several pods that the time confirms, the one with the name that KubeSpawner gives by default is the server's.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from ..hub_activity import HubUser, HubUsers
from ..kubespawner.naming import NamingError, Template
from ..times import format_time
from ..validation import quoted
from .pods import ServerPod

_POD_NAMES = (
    Template.parse("safe", "jupyter-{user_server}"),
    Template.parse("escape", "jupyter-{username}--{servername}"),
    Template.parse("odh", "jupyterhub-nb-{username}"),
)
#: How much later than the server's start its pod is created: less than the hub's `start_timeout`.
_LATEST = timedelta(hours=2)
#: How much earlier it seems to be, because the clocks of the hub and the API server differ.
_EARLIEST = timedelta(minutes=5)


class HubServers:
    """The servers of a hub, and the pods that claim to be theirs."""

    def __init__(self, hub: HubUsers, pods: Iterable[ServerPod]) -> None:
        self._hub = hub
        self._pods = list(pods)
        confirmed = [pod for pod in self._pods if not self._mismatch(pod)]
        self._confirmed = Counter((pod.user, pod.server) for pod in confirmed)
        self._expected = Counter((pod.user, pod.server) for pod in confirmed if _has_expected_name(pod))

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The groups of the users with pods, by the hub's own names."""
        users = {pod.user for pod in self._pods} & set(self._hub.users)
        return {name: self._hub.users[name].groups for name in users}

    @property
    def servers(self) -> list[tuple[str, str]]:
        """The servers that the hub knows, as (user, server). Everybody has the default server."""
        return [(name, server) for name, user in self._hub.users.items() for server in {"", *user.servers}]

    def reason_not_to_stop(self, pod: ServerPod) -> str:
        """Return why a pod is not certainly the running server of its user, as a clause, or ""."""
        reason = self._mismatch(pod)
        server = (pod.user, pod.server)
        is_only_expected = self._expected[server] == 1 and _has_expected_name(pod)
        if not reason and self._confirmed[server] > 1 and not is_only_expected:
            reason = (
                "several pods claim to be this server: give the token the scope `admin:server_state`, which shows the pod of "
                "each server"
            )
        return reason

    def _mismatch(self, pod: ServerPod) -> str:
        user = self._hub.users.get(pod.user)
        if user is None:
            whom = "has no user" if self._hub.complete else "shows the token no user"
            return f"the hub {whom} {quoted(pod.user)}: delete the pod if nobody uses it"
        if not user.servers_known or not user.groups_known:
            return f"the token may not read the servers and groups of {quoted(pod.user)}"
        if pod.server not in user.active:
            return "the hub does not know this server as running: delete the pod if nobody uses it"
        return _unconfirmed(pod, user)


def _has_expected_name(pod: ServerPod) -> bool:
    """Return whether a pod has a name that KubeSpawner gives by default, which no second pod has at the same time."""
    for template in _POD_NAMES:
        with contextlib.suppress(NamingError):
            if template.render(pod.user, pod.server) == pod.name:
                return True
    return False


def _unconfirmed(pod: ServerPod, user: HubUser) -> str:
    known = user.pods.get(pod.server)
    if known is not None:
        return "" if known == pod.name else f"the pod of this server is {known}, says the hub"
    started = user.started.get(pod.server)
    if started is None or pod.created is None:
        return "the hub does not tell when this server was started"
    if -_EARLIEST <= pod.created - started <= _LATEST:
        return ""
    return (
        f"the hub started this server at {format_time(started)}, but the pod was created at {format_time(pod.created)}: check "
        "that `hub` is the hub of this namespace, and that the clocks agree"
    )
