# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of a software tree on the host that runs the task."""

from __future__ import annotations

import os
import pwd
from typing import Any, NamedTuple, Optional

from ..._core.directories.desired import DesiredDirectories
from ..._core.directories.model import DIRECTORY, DirectorySettings, Node
from ..._core.directories.plan import plan_directories
from ..._core.outcome import Outcome
from ..._core.plan import Plan
from ..._core.software.tree_skeleton import FolderOptions, root_error
from ..._software.adopt import has_easybuild_prefix
from ..._software.releases import list_releases
from ..._software.tree_layout import TreeLayout
from ..filesystem.accounts import acting_as
from ..filesystem.executor import apply_plan
from ..filesystem.reading import read_directories, replan_in
from ..filesystem.root import OpenedRoot, open_root
from ..filesystem.tree import ACCOUNT_NAMES, credentials, user_name
from .adoption import Adoption
from .executor import PhaseFailed
from .local import LocalExecutor, LocalSettings, runs_as_root

#: The phases of an adoption need nothing but the standard library.
PYTHON = "/usr/bin/python3"


class FolderSettings(NamedTuple):
    """What applies to the directory. `account` is the build user, None for the user who runs the task."""

    options: FolderOptions
    account: Optional[pwd.struct_passwd]
    mounted: Optional[bool]
    adopt: bool
    lmod_cmd: str
    check_mode: bool


class TreeFolder:
    """Plans and creates the skeleton of a tree, as the build user, and adopts what EasyBuild installed there. To be closed."""

    def __init__(self, settings: FolderSettings, desired: DesiredDirectories) -> None:
        self.settings = settings
        self.desired = desired
        self.errors: list[str] = []
        self._opened = OpenedRoot()
        self._directories: Optional[DirectorySettings] = None
        self._skeleton = Plan()
        self._executor: Optional[LocalExecutor] = None
        self._adoption: Optional[Adoption] = None
        self._adopted = Plan()

    def __enter__(self) -> TreeFolder:
        return self

    def __exit__(self, *_error: Any) -> None:
        if self._opened.tree is not None:
            self._opened.tree.close()
        if self._executor is not None:
            self._executor.close()

    @property
    def is_missing(self) -> bool:
        """Whether the directory does not exist, or its file system is not mounted."""
        return bool(self._opened.error)

    def plan(self) -> Plan:
        """Return the plan. What rejects it as a whole is in `errors`."""
        with acting_as(self.settings.account):
            self._skeleton = self._plan_skeleton()
            is_filled = not (self.errors or self.is_missing) and has_easybuild_prefix(self.settings.options.path)
            has_releases = is_filled and _has_releases(self.settings.options.path)
        user = self.settings.account.pw_name if self.settings.account is not None else None
        if is_filled and self.settings.adopt and not has_releases and runs_as_root(user):
            self.errors.append(
                "build_user: the checks of an adoption run the modulefiles that EasyBuild wrote, which must not run as root: set "
                "it to the user that owns the tree"
            )
        elif is_filled and self.settings.adopt:
            self._adopted = self._plan_adoption(user)
        elif is_filled and not has_releases:
            self._skeleton = self._skeleton.joined(Plan(notes=(_not_adopted(self.settings.options.path),)))
        return self._skeleton.joined(self._adopted)

    def _plan_skeleton(self) -> Plan:
        options = self.settings.options
        self._opened = opened = open_root(options.path, options.export, self.settings.mounted)
        self._directories = DirectorySettings(options.path, credentials(), self.settings.adopt, ACCOUNT_NAMES)
        if opened.error and not (opened.may_be_created and self.settings.check_mode):
            self.errors.append(opened.error)
            return Plan()
        if opened.tree is None or opened.error:
            # An earlier task may create it, or mount the file system.
            return plan_directories(self.desired, {(): Node(DIRECTORY)}, {}, self._directories)
        observed, contents = read_directories(opened.tree, self.desired.directories)
        wrong = root_error(options.path, observed[()], user_name(self._directories.credentials.uid))
        self.errors += [wrong] if wrong else []
        return Plan() if wrong else plan_directories(self.desired, observed, contents, self._directories)

    def _plan_adoption(self, user: Optional[str]) -> Plan:
        options = self.settings.options
        self._executor = LocalExecutor(LocalSettings(options.path, options.prefix, PYTHON, user))
        self._adoption = Adoption(self._executor, options.path, self.settings.lmod_cmd)
        try:
            return self._adoption.plan()
        except PhaseFailed as failed:
            self.errors.append(str(failed))
            return Plan()

    def apply(self) -> Outcome:
        """Apply the plan; in check mode, return it."""
        if self.is_missing:
            note = f"{self._opened.error}; an earlier task may do that, so the plan is that for an empty directory"
            return Outcome(self._skeleton, warnings=[note])
        if self.settings.check_mode:
            return Outcome(self._skeleton.joined(self._adopted))
        outcome = self._apply_skeleton()
        if self._adoption is None or outcome.failures:
            return outcome
        return outcome.followed_by(self._adoption.apply(self._adopted))

    def _apply_skeleton(self) -> Outcome:
        tree, directories = self._opened.tree, self._directories
        if tree is None or directories is None:  # nothing to apply to
            return Outcome(self._skeleton)
        with acting_as(self.settings.account):
            return apply_plan(tree, self._skeleton, replan_in(tree, directories))


def _has_releases(path: str) -> bool:
    tree = TreeLayout(path)
    return os.path.isdir(tree.releases) and bool(list_releases(tree))


def _not_adopted(path: str) -> str:
    return (
        f"{path} has modules of EasyBuild that are in no release, so servers will not see them: set `adopt: true` to make them "
        "the first release"
    )
