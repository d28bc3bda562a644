# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The census of homes as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..homes.spec import owner_text
from ..visible import visible


def census_text(found: Mapping[str, Any]) -> str:
    """Return a census as sentences, one a line."""
    lost = {row["name"] for row in found["lost"]}
    homes = [user["home"] for user in found["users"] if user["home"]]
    without_volume = sum(1 for home in homes if home in lost)
    lines = [
        f"{len(homes) - without_volume} of {len(found['users'])} homes exist"
        + (
            f", and {without_volume} {'has' if without_volume == 1 else 'have'} lost the volume."
            if without_volume
            else "."
        )
    ]
    for row in found["lost"]:
        lines.append(f"{row['name']} of {owner_text(row['owner'], row['server'])} has lost its volume {row['volume']}.")
    given = found["moves"]["given"]
    for row in given["takeovers"]:
        lines.append(f"DANGER: {_owner(row)} would get {row['claim']}, the home of {row['belongs_to']}.")
    for row in given["empty"]:
        lines.append(f"{_owner(row)} would get an empty home, {row['would_get']}, instead of {row['claim']}.")
    for row in given["switched"]:
        lines.append(f"{_owner(row)} would get another of their homes, {row['would_get']}, instead of {row['claim']}.")
    for row in found["collisions"]:
        if row["scheme"] == "given":
            lines.append(f"{' and '.join(row['owners'])} would share claim {row['name']}.")
    for row in found["duplicates"]:
        mark = (
            f"{row['primary']} is marked as the one to mount"
            if row["primary"]
            else "none is marked as the one to mount"
        )
        lines.append(f"{owner_text(row['owner'], row['server'])} owns {', '.join(row['claims'])}; {mark}.")
    for row in found["orphans"]:
        lines.append(f"{row['name']} belongs to {owner_text(row['owner'], row['server'])}, who is not listed.")
    for row in found["undecided"]:
        lines.append(f"To decide: {row['claim']} ({row['why']}) may belong to {' or '.join(row['owners'])}.")
    if found["adoption"]:
        lines.append(
            f"{len(found['adoption'])} entries in `adoption` keep these homes: pass them to user_pvc as `users`."
        )
    return "\n".join(map(visible, lines))


def _owner(row: Mapping[str, Any]) -> str:
    return owner_text(row["name"], row["server"])
