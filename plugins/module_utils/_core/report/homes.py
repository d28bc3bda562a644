# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Homes as rows for programs and as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Optional

from ..homes.spec import owner_text
from ..kubernetes.claims import Claim
from ..kubespawner.manifests import owner_hash
from ..kubespawner.naming import scheme_of
from ..metadata import KIND_LABEL, OWNER_LABEL
from ..quantity import format_size
from ..times import format_span, parse_time
from ..visible import visible
from .tables import columns_of, padded


def home_row(claim: Claim, pods: Optional[Mapping[str, Sequence[str]]], now: datetime) -> dict[str, Any]:
    """Return one home as `user_pvc_info` returns it. Its `pods` are None when `pods` is: they cannot be listed."""
    user = claim.user or ""
    created = parse_time(claim.created)
    return {
        "name": claim.name,
        "owner": user,
        "server": claim.server,
        "size": format_size(claim.size) if claim.size is not None else None,
        "capacity": format_size(claim.capacity) if claim.capacity is not None else None,
        "phase": "Terminating" if claim.deleting else claim.phase,
        "storage_class": claim.storage_class,
        "access_modes": list(claim.access_modes),
        "volume": claim.volume or None,
        "created": claim.created,
        "age": format_span(now - created) if created is not None else None,
        "schemes": scheme_of(claim.name, user, claim.server),
        "pods": None if pods is None else list(pods.get(claim.name, ())),
        "primary": claim.is_primary,
        "retired_at": claim.retired_at,
        "managed": claim.labels.get(KIND_LABEL) == "home" and claim.labels.get(OWNER_LABEL) == owner_hash(user),
    }


COLUMNS = ("OWNER", "CLAIM", "SIZE", "PHASE", "CLASS", "AGE", "STATE")


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return homes as a text table sorted by owner."""
    lines = [COLUMNS]
    for row in sorted(rows, key=lambda item: (item["owner"], item["server"], item["name"])):
        size = row["size"] or "-"
        if row["capacity"] and row["capacity"] != row["size"]:
            size = f"{row['capacity']} of {size}"
        lines.append(
            (
                owner_text(row["owner"], row["server"]),
                row["name"],
                size,
                row["phase"] or "-",
                row["storage_class"] or "-",
                row["age"] or "-",
                _state(row),
            )
        )
    cells = [[visible(cell) for cell in line] for line in lines]
    widths = [max(columns_of(line[column]) for line in cells) for column in range(len(COLUMNS))]
    return "\n".join("  ".join(padded(cell, width) for cell, width in zip(line, widths)).rstrip() for line in cells)


def _state(row: Mapping[str, Any]) -> str:
    states = []
    if row["retired_at"]:
        states.append(f"retired {row['retired_at'][:10]}")
    elif row["managed"]:
        states.append("managed")
    else:
        states.append("not adopted yet")
    if row["primary"]:
        states.append("primary")
    if row["pods"]:
        states.append(f"mounted by {', '.join(row['pods'])}")
    return ", ".join(states)
