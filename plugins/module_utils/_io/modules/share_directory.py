# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `share_directory`: options to result."""

from __future__ import annotations

from typing import Any

from ..._core.directories.desired import DesiredDirectories, RootDirectory, desired_directories, root_errors
from ..._core.directories.model import DIRECTORY, DirectorySettings, Node
from ..._core.directories.plan import KIND_DIRECTORY, plan_directories
from ..._core.outcome import Outcome
from ..filesystem.executor import apply_plan
from ..filesystem.reading import read_directories, replan_in
from ..filesystem.root import OpenedRoot, open_root
from ..filesystem.tree import ACCOUNT_NAMES, credentials
from ..module import PlanRejected, finish, refuse
from ..options.result import RESULT_SPEC
from ..options.shares import SHARES_SPEC, require_shares, shares_of


def argument_spec() -> dict[str, Any]:
    """Return the options of `share_directory`."""
    return {
        **SHARES_SPEC,
        **RESULT_SPEC,
        "path": {"type": "path", "required": True},
        "export": {"type": "str"},
        "server": {"type": "str"},
        "elsewhere": {"type": "list", "elements": "str", "default": []},
        "mounted": {"type": "bool"},
        "adopt": {"type": "bool", "default": False},
    }


def manage_directories(module: Any) -> dict[str, Any]:
    """Create and change the directories of shares as the options say; in check mode, only plan that."""
    params = module.params
    errors: list[str] = []
    require_shares(params, errors)
    shares = shares_of(params, errors)
    root = RootDirectory(
        _without_trailing_slash(params["path"]),
        _without_trailing_slash(params["export"] or ""),
        params["server"] or "",
        tuple(params["elsewhere"]),
    )
    desired = DesiredDirectories()
    invalid = root_errors(root, shares)
    if not errors:
        desired = desired_directories(shares, root)
        errors += [*invalid, *desired.errors]
    opened = OpenedRoot() if invalid else open_root(root.path, root.export, params["mounted"])
    try:
        if opened.error and not (opened.may_be_created and module.check_mode):
            errors.append(opened.error)
        if errors:
            raise PlanRejected(errors)
        settings = DirectorySettings(root.path, credentials(), params["adopt"], ACCOUNT_NAMES)
        if opened.tree is None or opened.error:
            # Plan for an empty directory: an earlier task may create it, or mount the file system.
            plan = plan_directories(desired, {(): Node(DIRECTORY)}, {}, settings)
            refuse(plan)
            note = f"{opened.error}; an earlier task may do that, so the plan is that for an empty directory"
            outcome = Outcome(plan, warnings=[note, *desired.warnings])
            return finish(module, outcome, KIND_DIRECTORY, root_error=opened.error)
        plan = plan_directories(desired, *read_directories(opened.tree, desired.directories), settings)
        refuse(plan)
        replan = replan_in(opened.tree, settings)
        outcome = Outcome(plan) if module.check_mode else apply_plan(opened.tree, plan, replan)
        outcome.warnings.extend(desired.warnings)
        return finish(module, outcome, KIND_DIRECTORY, root_error="")
    finally:
        if opened.tree is not None:
            opened.tree.close()


def _without_trailing_slash(path: str) -> str:
    return path.rstrip("/") or path[:1]
