# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out a plan of directories: made and changed on descriptors, read back, and what fails told in a sentence."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Callable, Optional

from ..._core.directories.changes import IMMUTABLE
from ..._core.directories.model import SETGID, Chmod, Chown, Mkdir, Operation, Parts, Precondition, Strip
from ..._core.directories.paths import shown_path
from ..._core.outcome import CONFLICT_TRIES, Outcome
from ..._core.plan import KEEP, REFUSE, Change, Failure, Plan
from ..errors import ExternalError
from .tree import ACLS, Moved, Tree, group_name, has_acl, names_in, open_in, user_name

Replan = Callable[[Change], Optional[Change]]


class TreeError(ExternalError):
    """A directory could not be made or changed; `said` is what the system said."""

    def __init__(self, sentence: str, said: str, retryable: bool) -> None:
        super().__init__(sentence, retryable)
        self.said = said


class DirectoryExecutor:
    """Does the steps of one change, and remembers whether anything was written."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.wrote = False

    def do(self, operations: tuple[Operation, ...]) -> None:
        """Do all steps on one descriptor. Raises Moved and TreeError."""
        first = operations[0]
        path = shown_path(self.tree.path, first.parts)
        try:
            with self.tree.opened(first.parts[:-1]) as above:
                if isinstance(first, Mkdir):
                    self._make(above, first)
                descriptor = open_in(above, first.parts[-1])
        except OSError as error:
            raise _explained(error, path, "be made" if isinstance(first, Mkdir) else "be opened") from error
        try:
            if isinstance(first, Mkdir):
                # One that was put in the place of ours would hardly be empty, and an empty one does no harm.
                if len(operations) > 1 and names_in(descriptor):
                    raise Moved(path)
            elif isinstance(first, Precondition):
                _see_that_it_is(first, descriptor)
            self._change_all(operations[1:], descriptor, path)
            _read_back(operations, descriptor, path)
        except OSError as error:
            raise _explained(error, path, "be looked at") from error
        finally:
            os.close(descriptor)

    def _make(self, above: int, step: Mkdir) -> None:
        umask = os.umask(0)
        try:
            os.mkdir(step.parts[-1].encode(), step.mode, dir_fd=above)
        except FileExistsError:
            raise Moved(step.parts[-1]) from None
        finally:
            os.umask(umask)
        self.wrote = True

    def _change_all(self, operations: tuple[Operation, ...], descriptor: int, path: str) -> None:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        for number, step in enumerate(operations):
            try:
                self._change(step, descriptor, path)
            except TreeError:
                if isinstance(step, Chown) and number and not any(isinstance(one, Strip) for one in operations):
                    # What was taken off for the time in between comes back, for its owners stay.
                    with contextlib.suppress(OSError):
                        os.chmod(descriptor, mode)
                raise

    def _change(self, step: Operation, descriptor: int, path: str) -> None:
        now = os.fstat(descriptor)
        if isinstance(step, Chown):
            uid, gid = _owners(step, now)
            if (uid, gid) == (now.st_uid, now.st_gid):
                return
            try:
                os.chown(descriptor, uid if uid != now.st_uid else -1, gid if gid != now.st_gid else -1)
            except OSError as error:
                raise _explained(error, path, f"be given to {user_name(uid)}:{group_name(gid)}") from error
            self.wrote = True
        elif isinstance(step, Chmod) and step.mode != stat.S_IMODE(now.st_mode):
            try:
                os.chmod(descriptor, step.mode)
            except OSError as error:
                raise _explained(error, path, f"get the mode {step.mode:04o}") from error
            self.wrote = True
        elif isinstance(step, Strip) and has_acl(descriptor):
            try:
                # While it goes, the rights of its mask would be the group's.
                os.chmod(descriptor, stat.S_IMODE(now.st_mode) & ~0o077)
                for name in ACLS:
                    _remove(name, descriptor)
            except OSError as error:
                raise _explained(error, path, "be without its access control list") from error
            self.wrote = True


def _remove(name: str, descriptor: int) -> None:
    try:
        os.removexattr(descriptor, name)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise


def apply_plan(tree: Tree, plan: Plan, replan: Replan) -> Outcome:
    """Carry out every pending change of a plan, in order; one that fails stops only what lies in it.

    `replan` looks at one place again and returns its new change, or None where even what it lies in is gone.
    """
    outcome = Outcome(plan)
    replaced: dict[int, Change] = {}
    dropped: list[int] = []
    stuck: dict[Parts, Failure] = {}
    for number, change in enumerate(plan.changes):
        if not change.operations:
            continue
        above = _stuck_above(change.subject.parts, stuck)
        done, failure = change, None if above is None else _not_tried(change, above)
        if failure is None:
            hand = DirectoryExecutor(tree)
            done, failure = _apply_change(hand, change, replan)
            outcome.wrote = outcome.wrote or hand.wrote
        if failure is not None:
            stuck[change.subject.parts] = failure
            outcome.failures.append(failure)
            dropped.append(number)
        elif done is not change:
            replaced[number] = done
    outcome.plan = plan.replaced(replaced).without(dropped)
    return outcome


def _apply_change(hand: DirectoryExecutor, change: Change, replan: Replan) -> tuple[Change, Optional[Failure]]:
    asked = change
    for _round in range(CONFLICT_TRIES):
        try:
            hand.do(change.operations)
            return change, None
        except TreeError as error:
            return change, Failure(change, str(error), error.said, error.retryable)
        except Moved:
            again = replan(change)
        if again is None:
            break
        if again.action == REFUSE:
            return change, Failure(change, again.reason, "", retryable=False)
        if again.action == KEEP:
            # What somebody else finished is not ours to tell, but what was written is.
            return (asked if hand.wrote else again), None
        change = again
    reason = f"{change.name} is being changed by somebody else while this runs: see who that is, and run it again"
    return change, Failure(change, reason)


def _stuck_above(parts: Parts, stuck: dict[Parts, Failure]) -> Optional[Failure]:
    return next((stuck[parts[:length]] for length in range(1, len(parts)) if parts[:length] in stuck), None)


def _not_tried(change: Change, above: Failure) -> Failure:
    # Made all the same, it would be content of a directory that is not as it should be, and so keep it from changing.
    reason = f"{change.name} was not tried, for {above.change.name} failed"
    return Failure(change, reason, above.api, above.retryable)


def _see_that_it_is(step: Precondition, descriptor: int) -> None:
    now = os.fstat(descriptor)
    seen = (now.st_dev, now.st_ino), now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode), has_acl(descriptor)
    if seen != (step.node.identity, step.node.uid, step.node.gid, step.node.mode, step.node.acl):
        raise Moved(step.parts[-1])
    if step.empty and names_in(descriptor):
        raise Moved(step.parts[-1])


def _owners(step: Chown, now: os.stat_result) -> tuple[int, int]:
    return (now.st_uid if step.uid is None else step.uid, now.st_gid if step.gid is None else step.gid)


def _read_back(operations: tuple[Operation, ...], descriptor: int, path: str) -> None:
    """See that the directory now is what was written, for servers and kernels may leave out a part without a word."""
    now = os.fstat(descriptor)
    mode = stat.S_IMODE(now.st_mode)
    modes = [step.mode for step in operations if isinstance(step, Chmod)]
    for step in operations:
        if isinstance(step, Chown) and _owners(step, now) != (now.st_uid, now.st_gid):
            raise TreeError(
                f"{path} belongs to {user_name(now.st_uid)}:{group_name(now.st_gid)} after it was given to "
                f"{'-' if step.uid is None else user_name(step.uid)}:{'-' if step.gid is None else group_name(step.gid)}: the "
                "file system or its server maps owners; run this on the server itself, or correct the mapping",
                "",
                retryable=False,
            )
    if has_acl(descriptor) and any(isinstance(step, Strip) for step in operations):
        raise TreeError(
            f"{path} has an access control list after it was taken away: its file system or server sets one; see to it there",
            "",
            retryable=False,
        )
    if not modes or mode == modes[-1]:
        return
    if mode ^ modes[-1] == SETGID:
        raise TreeError(
            f"{path} lost its setgid bit, as it does for somebody who is not in its group {group_name(now.st_gid)}: run it as "
            "root (`become: true`), on the server itself if that squashes root",
            "",
            retryable=False,
        )
    raise TreeError(
        f"{path} has the mode {mode:04o} after {modes[-1]:04o} was set: its file system does not keep modes as they are; use "
        "one that does, or write the share's `mode` as it can be",
        "",
        retryable=False,
    )


_WAYS_OUT: dict[int, tuple[str, bool]] = {
    errno.EPERM: (
        "it takes its owner or root; where this is an export that squashes root, or a file system without owners, run it on "
        "the server itself, or export to this host with `no_root_squash`; root may be held up by an immutable directory "
        f"({IMMUTABLE})",
        False,
    ),
    errno.EACCES: (
        "whoever runs this may not write there; run it as root (`become: true`), and where this is an export that squashes "
        "root, on the server itself",
        False,
    ),
    errno.EROFS: ("mount the file system with `rw`, or run this on the server", False),
    errno.EINVAL: ("an id may have no meaning here, as in a container that maps users; run it outside", False),
    errno.ENAMETOOLONG: ("shorten the share's `directory`", False),
    errno.EMLINK: ("the directory above has as many as its file system allows; give shares another", False),
    errno.ENOSPC: ("make room on its file system, where inodes may be what is used up", True),
    errno.EDQUOT: ("raise the quota of who owns the directory above, or of its group, or free some of it", True),
}


def _explained(error: OSError, path: str, what: str) -> TreeError:
    name = errno.errorcode.get(error.errno or 0, "unknown")
    way_out, retryable = _WAYS_OUT.get(error.errno or 0, ("look at its file system and its server", True))
    said = f"{name}: {error.strerror}"
    return TreeError(f"{path} cannot {what} ({error.strerror}): {way_out}", said, retryable)
