# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a sync: the store entries that a file server lacks, then the release, then the link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plan import CREATE, KEEP, UPDATE, Change, Plan
from .plan import KIND_ENTRY, KIND_RELEASE

KIND_LINK = "link"
#: The operations of a change are the steps of the phase `sync`.
SEND, PUBLISH = ("send",), ("publish",)


def plan_sync(target: str, planned: Mapping[str, Any]) -> Plan:
    """Return the plan, given what the phase `sync` would do."""
    release = planned["release"]
    changes = [
        Change(
            CREATE,
            KIND_ENTRY,
            "",
            entry["module"],
            f"{target} lacks it ({entry['size']} bytes)",
            after=f"{entry['path']}, {entry['size']} bytes",
            operations=SEND,
        )
        for entry in planned["entries"]
    ]
    if not planned["has_release"]:
        reason = f"{target} lacks it"
        changes.append(Change(CREATE, KIND_RELEASE, "", release, reason, after=f"release {release}", operations=SEND))
    current = planned["current"]
    if current == release:
        changes.append(Change(KEEP, KIND_LINK, "", "current", f"is up to date: {release}"))
    else:
        reason = f"{target} has {current}" if current else f"{target} has no release yet"
        before, after = f"current: {current}" if current else None, f"current: {release}"
        changes.append(Change(UPDATE, KIND_LINK, "", "current", reason, before=before, after=after, operations=PUBLISH))
    return Plan(tuple(changes))
