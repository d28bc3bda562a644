# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `share_directory` does, from options to result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ..._core.directories.model import DIRECTORY, Contents, Desired, Node, ObservedDirectories
from ..._core.directories.paths import Places, Root, place_shares, root_errors
from ..._core.directories.plan import KIND_DIRECTORY, DirectorySettings, differing, plan_directories, plan_one
from ..._core.outcome import Outcome
from ..._core.plan import Change, Plan
from ..filesystem.executor import Replan, apply_plan
from ..filesystem.tree import LOOKS, NAMES, RootError, Tree, runner
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
    """Bring the directories of shares to what the options ask for, or, in check mode, show what that would take."""
    params = module.params
    errors: list[str] = []
    require_shares(params, errors)
    shares = shares_of(params, errors)
    root = Root(
        _bare(params["path"]),
        _bare(params["export"] or ""),
        params["server"] or "",
        tuple(params["elsewhere"]),
    )
    places = Places()
    wrong = root_errors(root, shares)
    if not errors:
        places = place_shares(shares, root)
        errors += [*wrong, *places.errors]
    tree, problem, passing = (None, "", False) if wrong else _open(root, params["mounted"])
    try:
        if problem and not (passing and module.check_mode):
            errors.append(problem)
        if errors:
            raise PlanRejected(errors)
        settings = DirectorySettings(root.path, runner(), params["adopt"], NAMES)
        if tree is None or problem:
            # As it will be: an earlier task may make the folder, or mount what belongs there.
            plan = plan_directories(places.desired, places.left_out, {(): Node(DIRECTORY)}, {}, settings)
            refuse(plan)
            note = f"{problem}; an earlier task may be what does that, so the plan is shown as for an empty folder"
            outcome = Outcome(plan, warnings=[note, *places.notes])
            return finish(module, outcome, KIND_DIRECTORY, root_error=problem)
        plan = _plan(tree, places, settings)
        refuse(plan)
        outcome = Outcome(plan) if module.check_mode else apply_plan(tree, plan, replan_in(tree, settings))
        outcome.warnings.extend(places.notes)
        return finish(module, outcome, KIND_DIRECTORY, root_error="")
    finally:
        if tree is not None:
            tree.close()


def _bare(path: str) -> str:
    """A path without slashes at its end."""
    return path.rstrip("/") or path[:1]


def _open(root: Root, mounted: Optional[bool]) -> tuple[Optional[Tree], str, bool]:
    """Return the root, or what is wrong with it and whether an earlier task may be about to mend that."""
    try:
        tree = Tree(root.path)
    except RootError as error:
        return None, str(error), isinstance(error.__context__, FileNotFoundError)
    # An export that this host sees under another path is seen through a mount.
    if mounted is None:
        mounted = root.export.startswith("/") and root.export != root.path
    if mounted and not tree.is_mount_point():
        above = tree.mounted_above()
        inside = f" itself (it lies in what is mounted at {above})" if above else ""
        way = f"mount it, name {above} in `path` if that is the export" if above else "mount it"
        return (
            tree,
            f"path: nothing is mounted at {root.path}{inside}, and an unmounted export's folder must not be filled: {way}, or "
            "say `mounted: false` if the folder itself is meant",
            True,
        )
    return tree, "", False


def seen_in(tree: Tree, desired: Sequence[Desired]) -> tuple[ObservedDirectories, Contents]:
    """Return what there is, and what is in those directories that differ.

    Another run fills a directory only when it is right, so one that was seen with content but not right is looked at
    again: it may have been both, one after the other.
    """
    for _look in range(LOOKS):
        live = tree.look(item.parts for item in desired)
        contents = tree.contents(differing(desired, live))
        full = [parts for parts, names in contents.items() if names != ()]
        again = tree.look(full) if full else {}
        if all(again.get(parts) == live[parts] for parts in full):
            break
    return live, contents


def _plan(tree: Tree, places: Places, settings: DirectorySettings) -> Plan:
    live, contents = seen_in(tree, places.desired)
    return plan_directories(places.desired, places.left_out, live, contents, settings)


def replan_in(tree: Tree, settings: DirectorySettings) -> Replan:
    """Return what looks at one place again and plans it again."""

    def replan(change: Change) -> Optional[Change]:
        desired = change.subject
        live, contents = seen_in(tree, [desired])
        above = live.get(desired.parts[:-1])
        if above is None or not above.is_directory:
            return None
        return plan_one(desired, above, live, contents, settings)[0]

    return replan
