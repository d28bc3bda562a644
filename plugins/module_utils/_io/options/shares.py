# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that modules for shares have in common, and the shares and groups that follow from them."""

from __future__ import annotations

from typing import Any

from ..._core.inventory import (
    entries_with_state,
    names_of,
    overridden,
    override_errors,
    overrides_error,
)
from ..._core.metadata import ABSENT, PRESENT, RETIRED
from ..._core.shares.groups import parse_groups
from ..._core.shares.spec import ShareSpec
from ..._core.shares.spec_parser import PositionedList, parse_shares, positions_of
from ..files.data_files import FileError
from ..files.share_files import load_groups_file, load_shares_file

SHARES_SPEC: dict[str, Any] = {
    "shares": {"type": "list", "elements": "raw"},
    "shares_file": {"type": "path"},
    # Raw, because Ansible would make a list of a text: `absent: ab` must be rejected.
    "retired": {"type": "raw"},
    "absent": {"type": "raw"},
    "overrides": {"type": "raw"},
    "home_path": {"type": "str", "default": "/opt/app-root/src"},
    "mount_roots": {"type": "list", "elements": "str", "default": []},
}

GROUPS_SPEC: dict[str, Any] = {
    "groups": {"type": "raw"},
    "groups_file": {"type": "path"},
}


def shares_given(params: dict[str, Any]) -> bool:
    """Return whether the options name shares. An empty `shares` does, empty `retired` and `absent` do not."""
    listed = any(params.get(option) is not None for option in ("shares", "shares_file"))
    return listed or any(params.get(state) for state in (RETIRED, ABSENT))


def require_shares(params: dict[str, Any], errors: list[str]) -> None:
    """Append an error if the options do not name shares."""
    if not shares_given(params):
        errors.append("one of the following is required: shares, shares_file, retired, absent")


def shares_of(params: dict[str, Any], errors: list[str], run_state: str = PRESENT) -> list[ShareSpec]:
    """Return the shares of all sources as one list. Errors are appended to `errors`.

    Shares of different sources are compared with each other too, as if they were in one list.
    """
    raw: list[Any] = _overridden_shares(params, errors)
    positions = positions_of(params.get("shares") or (), "shares")
    path = params.get("shares_file")
    if path is not None:
        try:
            listed = load_shares_file(path)
        except FileError as error:
            errors.append(str(error))
        else:
            raw += listed
            positions += positions_of(listed, path.rpartition("/")[2])
    for state in (RETIRED, ABSENT):
        entries = entries_with_state(params.get(state), state, state, errors)
        raw += entries
        positions += positions_of(entries, state)
    specs, wrong = parse_shares(
        PositionedList(raw, positions), "shares", params["home_path"], params["mount_roots"], run_state
    )
    errors += wrong
    return specs


def _overridden_shares(params: dict[str, Any], errors: list[str]) -> list[Any]:
    shares = list(params.get("shares") or ())
    overrides = params.get("overrides") or {}
    wrong = overrides_error(overrides, "overrides")
    if wrong is not None:
        errors.append(wrong)
        return shares
    errors += override_errors(names_of(shares), overrides, "overrides", "`shares`")
    return overridden(shares, overrides)


def groups_of(params: dict[str, Any], errors: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the inventory's groups of both sources. Errors, and groups in both, are appended to `errors`."""
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
