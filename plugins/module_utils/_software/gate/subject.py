# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check of a release works on, and what it finds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ..tree_layout import ReleaseLayout, TreeLayout


class Failure(NamedTuple):
    """Why a release must not be published: one sentence about one module, or about the whole release (module "")."""

    module: str
    check: str
    reason: str


class Limits(NamedTuple):
    """Seconds that a program may take."""

    #: One load and unload, one import by the Python of the kernels.
    load: float
    #: One command of `tests`.
    test: float
    #: One program that reads all modulefiles.
    listing: float


class Subject(NamedTuple):
    """A release as servers see it: at `<prefix>/current`, with the Lmod and the Python of the servers."""

    tree: TreeLayout
    manifest: dict[str, Any]
    #: The modules to load, in the manifest's order: all, or those that changed and those that depend on them.
    modules: list[str]
    #: The modules of which the installation or the modulefile changed.
    changed: list[str]
    lmod_cmd: str
    #: The Python that runs the kernels of notebooks, or "" if it is unknown.
    python: str
    limits: Limits
    #: The folder in which builds run, or "" if it is unknown.
    build_path: str = ""
    #: The variables that the image of a server sets. On a host that builds they are unknown.
    image_environment: Mapping[str, str] = MappingProxyType({})

    @property
    def current(self) -> ReleaseLayout:
        """The paths of the release."""
        return ReleaseLayout(self.tree.current)

    @property
    def modulefiles(self) -> dict[str, str]:
        """The modules that the manifest lists, by the paths of their modulefiles."""
        layout = self.current
        return {layout.modulefile(entry["module"]): entry["module"] for entry in self.manifest["entries"]}

    @property
    def changed_entries(self) -> list[dict[str, Any]]:
        """The manifest's entries of the modules that changed."""
        changed = set(self.changed)
        return [entry for entry in self.manifest["entries"] if entry["module"] in changed]

    def module_of(self, path: str) -> str:
        """Return the module of a modulefile, which the manifest may not list."""
        name = os.path.relpath(path, self.current.modules)
        return name[: -len(".lua")] if name.endswith(".lua") else name
