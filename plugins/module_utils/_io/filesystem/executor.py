# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applying a plan of directories, through file descriptors: each is created or changed, and read back."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import replace
from typing import Callable, Optional

from ..._core.directories.changes import AS_ROOT, IMMUTABLE
from ..._core.directories.model import (
    SETGID,
    Chmod,
    Chown,
    Mkdir,
    Operation,
    Parts,
    Precondition,
    RemoveAcl,
    absolute_path,
)
from ..._core.directories.plan import keep_left_out, left_out
from ..._core.outcome import CONFLICT_TRIES, Applied, Outcome, collect
from ..._core.plan import KEEP, REFUSE, Change, Failure, Plan, Unreconcilable
from ..errors import ExternalError
from .tree import ACLS, Conflict, Tree, group_name, has_acl, names_in, open_in, user_name

#: Reads a directory again and returns its new change, None if its parent is gone.
Replan = Callable[[Change], Optional[Change]]


class DirectoryError(ExternalError):
    """A directory could not be created or changed. `system_message`: the error of the system call."""

    def __init__(self, message: str, system_message: str, retryable: bool) -> None:
        super().__init__(message, retryable)
        self.system_message = system_message


class DirectoryExecutor:
    """Performs the operations of one change, and remembers whether anything was written."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.wrote = False

    def perform(self, operations: tuple[Operation, ...]) -> None:
        """Perform all operations on one descriptor. Raises Conflict and DirectoryError."""
        first = operations[0]
        path = absolute_path(self.tree.path, first.parts)
        try:
            with self.tree.opened(first.parts[:-1]) as parent:
                if isinstance(first, Mkdir):
                    self._create(parent, first)
                descriptor = open_in(parent, first.parts[-1])
        except OSError as error:
            raise _directory_error(error, path, "be created" if isinstance(first, Mkdir) else "be opened") from error
        try:
            if isinstance(first, Mkdir):
                # A directory that replaced ours would hardly be empty, and if it is empty it does no harm.
                if len(operations) > 1 and names_in(descriptor):
                    raise Conflict(path)
            elif isinstance(first, Precondition):
                _check_precondition(first, descriptor)
            self._change_all(operations[1:], descriptor, path)
            _read_back(operations, descriptor, path)
        except OSError as error:
            raise _directory_error(error, path, "be examined") from error
        finally:
            os.close(descriptor)

    def _create(self, parent: int, operation: Mkdir) -> None:
        umask = os.umask(0)
        try:
            os.mkdir(operation.parts[-1].encode(), operation.mode, dir_fd=parent)
        except FileExistsError:
            raise Conflict(operation.parts[-1]) from None
        finally:
            os.umask(umask)
        self.wrote = True

    def _change_all(self, operations: tuple[Operation, ...], descriptor: int, path: str) -> None:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        for number, operation in enumerate(operations):
            try:
                self._change(operation, descriptor, path)
            except DirectoryError:
                if (
                    isinstance(operation, Chown)
                    and number
                    and not any(isinstance(one, RemoveAcl) for one in operations)
                ):
                    # Restore the mode that was reduced for the chown, because the owners stay.
                    with contextlib.suppress(OSError):
                        os.chmod(descriptor, mode)
                raise

    def _change(self, operation: Operation, descriptor: int, path: str) -> None:
        now = os.fstat(descriptor)
        if isinstance(operation, Chown):
            uid, gid = _owners(operation, now)
            if (uid, gid) == (now.st_uid, now.st_gid):
                return
            try:
                os.chown(descriptor, uid if uid != now.st_uid else -1, gid if gid != now.st_gid else -1)
            except OSError as error:
                raise _directory_error(error, path, f"be given to {user_name(uid)}:{group_name(gid)}") from error
            self.wrote = True
        elif isinstance(operation, Chmod) and operation.mode != stat.S_IMODE(now.st_mode):
            try:
                os.chmod(descriptor, operation.mode)
            except OSError as error:
                raise _directory_error(error, path, f"get the mode {operation.mode:04o}") from error
            self.wrote = True
        elif isinstance(operation, RemoveAcl) and has_acl(descriptor):
            try:
                # Without the list, the permissions of its mask would be the group's.
                os.chmod(descriptor, stat.S_IMODE(now.st_mode) & ~0o077)
                for name in ACLS:
                    _remove_attribute(name, descriptor)
            except OSError as error:
                raise _directory_error(error, path, "lose its access control list") from error
            self.wrote = True


def _remove_attribute(name: str, descriptor: int) -> None:
    try:
        os.removexattr(descriptor, name)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise


def apply_plan(tree: Tree, plan: Plan, replan: Replan) -> Outcome:
    """Apply every pending change of a plan, in order. One that fails stops only the directories below it.

    A directory inside a share is its members', who may replace it at any time. If it cannot be changed, that is reported
    and is no failure of the run.
    """
    results: dict[int, Applied] = {}
    failures: dict[Parts, Failure] = {}
    unreconcilable: list[Unreconcilable] = []
    for number, change in enumerate(plan.changes):
        if not change.operations:
            continue
        parts = change.subject.parts
        failed = next((failures[parts[:length]] for length in range(1, len(parts)) if parts[:length] in failures), None)
        result = _apply_change(tree, change, replan) if failed is None else _not_tried(change, failed)
        if result.failure is not None:
            failures[parts] = result.failure
            # The failure of the share's own directory is also one of what is inside it.
            if change.subject.subdirectory and (failed is None or failed.change.subject.subdirectory):
                reason = result.failure.reason
                unreconcilable.append(left_out(change, reason))
                result = Applied(keep_left_out(change, reason), wrote=result.wrote)
        results[number] = result
    outcome = collect(plan, results)
    outcome.plan = replace(outcome.plan, unreconcilable=(*outcome.plan.unreconcilable, *unreconcilable))
    return outcome


def _apply_change(tree: Tree, planned: Change, replan: Replan) -> Applied:
    executor, change = DirectoryExecutor(tree), planned
    for _try in range(CONFLICT_TRIES):
        try:
            executor.perform(change.operations)
            return Applied(change, wrote=executor.wrote)
        except DirectoryError as error:
            failure = Failure(change, str(error), error.system_message, error.retryable)
            return Applied(change, failure, executor.wrote)
        except Conflict:
            again = replan(change)
        if again is None:
            break
        if again.action == REFUSE:
            return Applied(change, Failure(change, again.reason, "", retryable=False), executor.wrote)
        if again.action == KEEP:
            # Report what this run wrote, not what another run completed.
            return Applied(planned if executor.wrote else again, wrote=executor.wrote)
        change = again
    reason = f"{change.name} is being changed by somebody else: find out by whom, and run again"
    return Applied(change, Failure(change, reason), executor.wrote)


def _not_tried(change: Change, failed: Failure) -> Applied:
    # If it were created anyway, it would be content, and keep the failed parent from being corrected.
    reason = f"{change.name} was not attempted, because {failed.change.name} failed"
    return Applied(change, Failure(change, reason, failed.api, failed.retryable))


def _check_precondition(precondition: Precondition, descriptor: int) -> None:
    now = os.fstat(descriptor)
    node = precondition.node
    observed = (now.st_dev, now.st_ino), now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode), has_acl(descriptor)
    if observed != (node.identity, node.uid, node.gid, node.mode, node.acl):
        raise Conflict(precondition.parts[-1])
    if precondition.empty and names_in(descriptor):
        raise Conflict(precondition.parts[-1])


def _owners(operation: Chown, now: os.stat_result) -> tuple[int, int]:
    return (
        now.st_uid if operation.uid is None else operation.uid,
        now.st_gid if operation.gid is None else operation.gid,
    )


def _read_back(operations: tuple[Operation, ...], descriptor: int, path: str) -> None:
    """Check that the directory is as written. Servers and kernels may silently ignore a part."""
    now = os.fstat(descriptor)
    mode = stat.S_IMODE(now.st_mode)
    modes = [operation.mode for operation in operations if isinstance(operation, Chmod)]
    group = group_name(now.st_gid)

    def error(message: str) -> DirectoryError:
        return DirectoryError(f"{path} {message}", "", retryable=False)

    for operation in operations:
        if isinstance(operation, Chown) and _owners(operation, now) != (now.st_uid, now.st_gid):
            user = "-" if operation.uid is None else user_name(operation.uid)
            given = f"{user}:{'-' if operation.gid is None else group_name(operation.gid)}"
            raise error(
                f"belongs to {user_name(now.st_uid)}:{group} after it was given to {given}: the file system or its server "
                "maps owners; run this on the server itself, or correct the mapping"
            )
    if has_acl(descriptor) and any(isinstance(operation, RemoveAcl) for operation in operations):
        raise error(
            "has an access control list after it was removed: its file system or server sets one; change that there"
        )
    if not modes or mode == modes[-1]:
        return
    if mode ^ modes[-1] == SETGID:
        raise error(
            f"lost its setgid bit, which only root and members of its group {group} can set: {AS_ROOT}, on the server itself "
            "if it squashes root"
        )
    raise error(
        f"has the mode {mode:04o} after {modes[-1]:04o} was set: its file system does not store modes unchanged; use one that "
        "does, or set the share's `mode` to one that it can store"
    )


#: For each error of a system call: the way out, and whether a rerun may help.
_REMEDIES: dict[int, tuple[str, bool]] = {
    errno.EPERM: (
        "only its owner or root can do this; if this is an export that squashes root, or a file system without owners, run "
        "on the server itself, or export to this host with `no_root_squash`; for root, the directory may be immutable "
        f"({IMMUTABLE})",
        False,
    ),
    errno.EACCES: (
        f"this user may not write there; {AS_ROOT}, and if this is an export that squashes root, on the server itself",
        False,
    ),
    errno.EROFS: ("mount the file system with `rw`, or run this on the server", False),
    errno.EINVAL: ("an id may not exist here, as in a container that maps users; run outside of it", False),
    errno.ENAMETOOLONG: ("shorten the share's `directory`", False),
    errno.EMLINK: (
        "its parent has as many directories as its file system allows; put shares into another directory",
        False,
    ),
    errno.ENOSPC: ("make room on its file system; it may be out of inodes", True),
    errno.EDQUOT: ("raise the quota of the owner or group of its parent, or free some of it", True),
}


def _directory_error(error: OSError, path: str, action: str) -> DirectoryError:
    name = errno.errorcode.get(error.errno or 0, "unknown")
    remedy, retryable = _REMEDIES.get(error.errno or 0, ("check its file system and its server", True))
    message = f"{path} cannot {action} ({error.strerror}): {remedy}"
    return DirectoryError(message, f"{name}: {error.strerror}", retryable)
