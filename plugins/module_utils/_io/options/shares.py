# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that modules about shares have in common, and what becomes of them: entries and groups."""

from __future__ import annotations

from typing import Any

from ..._core.metadata import PRESENT
from ..._core.shares.groups import parse_groups
from ..._core.shares.spec import ShareSpec, parse_shares, positions_of
from ..files.data_files import FileError
from ..files.share_files import load_groups_file, load_shares_file

SHARES_SPEC: dict[str, Any] = {
    "shares": {"type": "list", "elements": "raw"},
    "shares_file": {"type": "path"},
    "home_path": {"type": "str", "default": "/opt/app-root/src"},
    "mount_roots": {"type": "list", "elements": "str", "default": []},
}

GROUPS_SPEC: dict[str, Any] = {
    "groups": {"type": "raw"},
    "groups_file": {"type": "path"},
}


def shares_of(params: dict[str, Any], errors: list[str], run_state: str = PRESENT) -> list[ShareSpec]:
    """Return the shares of both sources as one list; what is wrong with them goes to `faults`.

    Shares of both sources are held against each other too, as if they stood in one list.
    """
    raw: list[Any] = []
    positions: list[str] = []
    if params.get("shares") is not None:
        raw += params["shares"]
        positions += positions_of(params["shares"], "shares")
    path = params.get("shares_file")
    if path is not None:
        try:
            listed = load_shares_file(path)
        except FileError as error:
            errors.append(str(error))
        else:
            raw += listed
            positions += positions_of(listed, path.rpartition("/")[2])
    specs, wrong = parse_shares(raw, "shares", params["home_path"], params["mount_roots"], positions, run_state)
    errors += wrong
    return specs


def groups_of(params: dict[str, Any], errors: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the inventory's groups of both sources; what is wrong with them, and a group in both, goes to `faults`."""
    found: dict[str, tuple[str, ...]] = {}
    if params.get("groups") is not None:
        found, wrong = parse_groups(params["groups"], "groups")
        errors += wrong
    path = params.get("groups_file")
    if path is not None:
        name = path.rpartition("/")[2]
        try:
            more, wrong = parse_groups(load_groups_file(path), name)
        except FileError as error:
            errors.append(str(error))
            return found
        errors += wrong
        errors += [
            f"the group {group} is defined in `groups` and in {name}: remove one of the two"
            for group in more
            if group in found
        ]
        found = {**found, **more}
    return found
