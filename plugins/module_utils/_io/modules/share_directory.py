# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `share_directory`: options to result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from ..._core.directories.desired import DesiredDirectories, RootDirectory, desired_directories, root_errors
from ..._core.directories.model import (
    DIRECTORY,
    Contents,
    DesiredDirectory,
    DirectorySettings,
    Node,
    ObservedDirectories,
)
from ..._core.directories.plan import KIND_DIRECTORY, drifted, plan_directories, plan_one
from ..._core.outcome import Outcome
from ..._core.plan import Change
from ..filesystem.executor import Replan, apply_plan
from ..filesystem.tree import ACCOUNT_NAMES, READ_TRIES, RootError, Tree, credentials
from ..module import PlanRejected, finish, refuse
from ..options.shares import SHARES_SPEC, require_shares, shares_of


def argument_spec() -> dict[str, Any]:
    """Return the options of `share_directory`."""
    return {
        **SHARES_SPEC,
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
    opened = _OpenedRoot() if invalid else _open(root, params["mounted"])
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


class _OpenedRoot(NamedTuple):
    """The root directory, or what is wrong with it. `may_be_created`: an earlier task may be about to correct that."""

    tree: Optional[Tree] = None
    error: str = ""
    may_be_created: bool = False


def _open(root: RootDirectory, mounted: Optional[bool]) -> _OpenedRoot:
    try:
        tree = Tree(root.path)
    except RootError as error:
        return _OpenedRoot(None, str(error), isinstance(error.__context__, FileNotFoundError))
    # An export that has another path on this host is mounted here.
    if mounted is None:
        mounted = root.export.startswith("/") and root.export != root.path
    if not mounted or tree.is_mount_point():
        return _OpenedRoot(tree)
    mount_point = tree.mount_point()
    found, remedy = "", "mount it"
    if mount_point:
        found = f" itself (it is inside the mount {mount_point})"
        remedy += f", set `path` to {mount_point} if that is the export"
    problem = (
        f"path: nothing is mounted at {root.path}{found}, and the mount point of an export must stay empty until it is "
        f"mounted: {remedy}, or set `mounted: false` if the directory itself is meant"
    )
    return _OpenedRoot(tree, problem, may_be_created=True)


def read_directories(tree: Tree, desired: Sequence[DesiredDirectory]) -> tuple[ObservedDirectories, Contents]:
    """Return what exists, and the content of the directories that differ.

    Another run fills a directory only after it is up to date. So a directory that has content and differs is read again:
    it may have been both, one after the other.
    """
    for _try in range(READ_TRIES):
        observed = tree.read(item.parts for item in desired)
        contents = tree.contents(drifted(desired, observed))
        full = [parts for parts, names in contents.items() if names != ()]
        again = tree.read(full) if full else {}
        if all(again.get(parts) == observed[parts] for parts in full):
            break
    return observed, contents


def replan_in(tree: Tree, settings: DirectorySettings) -> Replan:
    """Return the function that reads and plans one directory again."""

    def replan(change: Change) -> Optional[Change]:
        desired = change.subject
        observed, contents = read_directories(tree, [desired])
        parent = observed.get(desired.parts[:-1])
        if parent is None or not parent.is_directory:
            return None
        return plan_one(desired, parent, observed, contents, settings)[0]

    return replan
