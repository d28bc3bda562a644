# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check of a release works on, and what it finds."""

from __future__ import annotations

from typing import Any, NamedTuple


class Failure(NamedTuple):
    """Why a release must not be published: one sentence about one module, or about the whole release (module "")."""

    module: str
    check: str
    reason: str


class Subject(NamedTuple):
    """A release as servers see it: at `<prefix>/current`, with the Lmod and the Python of the servers."""

    prefix: str
    release: str
    manifest: dict[str, Any]
    #: The modules to load, in the manifest's order: all, or those that changed and those that depend on them.
    modules: list[str]
    #: The modules of which the installation or the modulefile changed.
    changed: list[str]
    lmod_cmd: str
    #: The Python that runs the kernels of notebooks, or "" if it is unknown.
    python: str
    #: Seconds that one load and unload, one test and one import may take.
    load_seconds: float
    test_seconds: float
