# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give the lock of a tree back."""

from __future__ import annotations

from typing import Any, Callable

from .locks import release
from .releases import open_tree


def run(request: dict[str, Any], emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Unlock the tree, if it is still locked with this token."""
    return {"released": release(open_tree(request["prefix"]), request["token"])}
