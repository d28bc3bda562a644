# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A share as the inventory declares it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ..metadata import ABSENT, RETIRED
from ..text import did_you_mean, quote_list
from ..validation import NOTHING, quoted
from .backend_spec import DYNAMIC, Backend
from .grant_spec import NOBODY, Grants
from .groups import source_of

DEFAULT_MODE = "2770"


def _nothing() -> Mapping[str, str]:
    return NOTHING


@dataclass(frozen=True)
class ShareSpec:
    """One share of the inventory, or a software tree, whose ``name`` is `tree:NAME`.

    ``claim`` is the name of its PVC in each namespace. ``size`` is in bytes (None: not set), with ``size_text`` as written.
    ``until`` is the last day of its grants (YYYY-MM-DD). Empty ``namespaces`` mean those of the run, an empty ``directory``
    means the name. ``distinct_from`` names shares whose data differs although all that can be compared is equal.
    ``adopt`` consents to take a claim that merely has the share's name.
    ``position`` is for messages: ``shares[3]`` or ``shares.yml line 12``.
    """

    name: str
    level: str = ""
    claim: str = ""
    size: Optional[int] = None
    size_text: str = ""
    mount_path: str = ""
    gid: Optional[int] = None
    until: Optional[str] = None
    backend: Backend = DYNAMIC
    namespaces: tuple[str, ...] = ()
    read: Grants = NOBODY
    write: Grants = NOBODY
    distinct_from: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    directory: str = ""
    owner: Optional[int] = None
    mode: str = DEFAULT_MODE
    labels: Mapping[str, str] = field(default_factory=_nothing)
    annotations: Mapping[str, str] = field(default_factory=_nothing)
    state: Optional[str] = None
    position: str = ""
    adopt: bool = False


def named_groups(shares: Iterable[ShareSpec]) -> list[str]:
    """Return all groups that shares name, unique and sorted."""
    return sorted({group for share in shares for right in (share.read, share.write) for group in right.groups})


def undefined_groups(shares: Sequence[ShareSpec], groups: Collection[str]) -> list[str]:
    """Return an error for each group of the inventory that a share names and nothing defines, with the nearest defined one.

    Retired and absent shares are not checked: their groups may disappear with them.
    """
    errors = []
    for share in shares:
        if share.state in (RETIRED, ABSENT):
            continue
        for right, grants in (("read", share.read), ("write", share.write)):
            for group in grants.groups:
                if source_of(group) == "inventory" and group not in groups:
                    errors.append(
                        f"{share.position} ({share.name}): `{right}` names the group {quoted(group)}, which is not "
                        f"defined{did_you_mean(group, groups)}: define it in `groups` or `groups_file` ({_defined(groups)}), or "
                        f"write `hub:NAME` or `openshift:NAME` if it is known there{_number_hint(group)}"
                    )
    return errors


def _defined(groups: Collection[str]) -> str:
    return f"they define {quote_list([quoted(group) for group in sorted(groups)])}" if groups else "they define none"


def _number_hint(group: str) -> str:
    """Return the way out for a group that YAML took for a number or a boolean where it was defined or named."""
    if group.lstrip("+-").replace("_", "").replace(".", "").isalnum() and group[:1].isdigit():
        return (
            f'; if it is defined, write its name in quotes in both places ("{group}"): YAML reads 0117 as the number 79'
        )
    if group.lower() in ("true", "false", "none", "null"):
        return "; if it is defined, write its name in quotes in both places: YAML reads yes, no, on, off as booleans"
    return ""
