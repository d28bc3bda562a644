# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The differences of running servers, as data and as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..plan import KEEP
from ..servers.plan import ComparedServer
from ..visible import visible

_KINDS = ("excess", "missing", "stale")


def server_rows(servers: Sequence[ComparedServer], actions: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a row for each server with a difference, and for each that the hub does not confirm.

    `actions` are what the run does, by name of the pod.
    """
    rows = []
    for server in servers:
        pod, access = server.pod, server.access
        if not any(access) and not server.doubt:
            continue
        row: dict[str, Any] = {"user": pod.user, "server": pod.server, "pod": pod.name, "acl": pod.acl}
        for kind, findings in zip(_KINDS, access):
            row[kind] = [finding.as_result() for finding in findings]
        row.update(excess_since=pod.excess_since or None, doubt=server.doubt, action=actions.get(pod.name, KEEP))
        rows.append(row)
    return rows


def servers_text(servers: Sequence[ComparedServer], head: str) -> str:
    """Return a line per difference. `head` says what was compared."""
    count = len(servers)
    lines = [f"{head}: {count:,} {'server runs' if count == 1 else 'servers run'}"]
    for number, kind in enumerate(_KINDS):
        found = [(server, finding) for server in servers for finding in server.access[number]]
        if found:
            concerned = len({server.pod.name for server, _finding in found})
            lines += ["", f"{kind.upper()} ({concerned:,} {'server' if concerned == 1 else 'servers'})"]
            lines += [f"  {server.title} {finding.reason}" for server, finding in found]
    doubts = [server for server in servers if server.doubt]
    if doubts:
        lines += ["", f"NOT CONFIRMED BY THE HUB, so never stopped ({len(doubts):,})"]
        lines += [f"  {server.title}: {server.doubt}" for server in doubts]
    return "\n".join(visible(line) for line in lines)
