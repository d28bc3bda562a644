# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack: the software that a tree has, as an EasyBuild easystack with keys of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class StackEntry:
    """One easyconfig of a stack. `where` is its place in the file, `path` its path if the stack has one."""

    easyconfig: str
    where: str
    path: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False
    default: bool = False
    featured: bool = False
    tests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Named:
    """Commands or modules under a name, and where they are."""

    name: str
    where: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stack:
    """A parsed stack. `easybuild` is the pinned version, "" for none. `tests` are for modules, also for dependencies."""

    source: str
    entries: tuple[StackEntry, ...] = ()
    easybuild: str = ""
    easybuild_where: str = ""
    robot_paths: tuple[str, ...] = ()
    tests: tuple[Named, ...] = ()
    collections: tuple[Named, ...] = ()
    warnings: tuple[str, ...] = ()

    def by_easyconfig(self) -> dict[str, StackEntry]:
        """Return the entries by the names of their easyconfigs."""
        return {entry.easyconfig: entry for entry in self.entries}

    def easystack(self) -> str:
        """Return the stack as a plain easystack, in JSON, which is YAML."""
        listed = [
            {entry.path or entry.easyconfig: {"options": dict(entry.options)}}
            if entry.options
            else entry.path or entry.easyconfig
            for entry in self.entries
        ]
        return json.dumps({"easyconfigs": listed})
