# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that the modules for software trees share: where the tree is, and who works on it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping, Sequence
from typing import Any

from ..._core.software.settings import number_errors, place_errors
from ..._software.tree_layout import SKELETON
from ..module import PlanRejected
from ..software.local import LocalExecutor, LocalSettings

PLACES = ("prefix", "path", "source", "easybuild", "lmod_cmd", "build_path")
LEAST = {"jobs": 1, "keep": 1, "lock_timeout": 0}

TREE_SPEC: dict[str, Any] = {
    "prefix": {"type": "path", "required": True},
    "path": {"type": "path"},
    "easybuild": {"type": "path"},
    "build_user": {"type": "str"},
    "lmod_cmd": {"type": "path", "default": "/usr/share/lmod/lmod/libexec/lmod"},
}


def open_executor(
    params: Mapping[str, Any], errors: Sequence[str] = (), path: str = "", is_preview: bool = False
) -> LocalExecutor:
    """Return the executor of a tree, which is at `path` if that is set.

    A preview of a tree that does not exist yet gets an empty one. Raises PlanRejected with these errors and those of the
    options.
    """
    found = [*errors, *place_errors(params, PLACES), *number_errors(params, LEAST)]
    path = path or params["path"] or params["prefix"]
    missing = ""
    if not found:
        option = "source" if path == params.get("source") else "path"
        found += _link_errors(params["prefix"])
        missing = _missing(params["prefix"], path, option)
        if missing and not is_preview:
            found.append(missing)
    python = os.path.join(params["easybuild"], "bin", "python") if params["easybuild"] else "/usr/bin/python3"
    if params["easybuild"] and not found and not os.access(python, os.X_OK):
        found.append(
            f"easybuild: {params['easybuild']} is no Python environment (it has no bin/python): install EasyBuild there "
            "(the role `software` does)"
        )
    user = params["build_user"]
    if user is not None:
        try:
            pwd.getpwnam(user)
        except KeyError:
            found.append(f"build_user: this host has no user {user}: create it (the role `software` does)")
    if found:
        raise PlanRejected(found)
    return LocalExecutor(LocalSettings(path, params["prefix"], python, user, missing))


def _link_errors(prefix: str) -> list[str]:
    if os.path.realpath(prefix) != prefix and os.path.lexists(prefix):
        return [
            f"prefix: {prefix} is, or is below, a symbolic link to {os.path.realpath(prefix)}: set that path, because "
            "modules contain the prefix"
        ]
    return []


def _missing(prefix: str, path: str, option: str) -> str:
    """Return why there is no tree at `path` that could be shown at `prefix`, "" if there is one."""
    missing = [name for name in SKELETON if not os.path.isdir(os.path.join(path, name))]
    if not os.path.isdir(path):
        return f"{option}: the directory {path} does not exist on the host that runs the task: mount it, or correct the path"
    if missing:
        return f"{option}: {path} is no software tree (it has no {', '.join(missing)}): create it with lmod_tree"
    if path != prefix and not os.path.isdir(prefix):
        return (
            f"prefix: the directory {prefix} does not exist on the host that runs the task: create it, empty, because builds "
            f"see {path} there"
        )
    return ""
