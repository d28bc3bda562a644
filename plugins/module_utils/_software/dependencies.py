# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What installations were built against. They keep using it when that is built again for a newer release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def with_dependencies(hashes: Iterable[str], store: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the store entries with these hashes, and those that they need, directly or not. What the store lacks is left out.

    An entry is an `entry.json`: `hash`, and `dependencies` as hashes by module.
    """
    by_hash = {str(entry["hash"]): entry for entry in store}
    found: dict[str, Mapping[str, Any]] = {}
    pending = sorted(hashes, reverse=True)
    while pending:
        digest = pending.pop()
        if digest in by_hash and digest not in found:
            found[digest] = by_hash[digest]
            pending += sorted(map(str, by_hash[digest].get("dependencies", {}).values()), reverse=True)
    return list(found.values())
