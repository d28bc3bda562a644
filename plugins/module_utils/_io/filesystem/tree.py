# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at directories below a root, on descriptors all the way: no link is followed, nothing can be swapped in between."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Optional

from ..._core.directories.changes import TOLD
from ..._core.directories.model import DIRECTORY, Names, Node, Parts, Runner
from ..errors import ExternalError

#: How often to look at a place that somebody moves while one looks.
LOOKS = 4
#: A directory and nothing else, through no link.
OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)
#: The bits of CapEff in /proc/self/status (capabilities(7)).
_CAP_CHOWN, _CAP_FOWNER, _CAP_FSETID = 0, 3, 4


class RootError(ExternalError):
    """The folder to work in is not there, or is none: one sentence without a full stop."""

    retryable = False


class Moved(Exception):
    """Somebody else changed what was looked at: look again, plan again."""


class Tree:
    """A root folder that is held open, and what is below it."""

    def __init__(self, path: str) -> None:
        """Open the root, through links if need be: its path is the operator's. Raises RootError."""
        self.path = path
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise RootError(
                f"path: {path} does not exist on the host that runs the task: make it, mount what belongs there, or correct it"
            ) from None
        except NotADirectoryError:
            raise RootError(f"path: {path} is not a directory: name the folder that holds the shares") from None
        except PermissionError:
            raise RootError(
                f"path: {path} may not be looked into by {user_name(os.geteuid())}: run it as root (`become: true`)"
            ) from None
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> RootError:
        return RootError(f"path: {self.path} cannot be looked at ({error.strerror}): look at its mount and its server")

    def close(self) -> None:
        """Let go of the root."""
        os.close(self.fd)

    def is_mount_point(self) -> bool:
        """Whether the root is where a file system is mounted (a bind mount is one too, where Linux can be asked)."""
        try:
            # Nothing is read there, so who may only pass through it will do.
            above = os.open("..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            return not _in_one_mount(self.fd, above)
        finally:
            os.close(above)

    def mounted_above(self) -> str:
        """The folder by which the mount that the root lies in begins; "" where that is / or cannot be seen."""
        path = os.path.realpath(self.path)
        while path != "/":
            above = os.path.dirname(path)
            try:
                descriptor = os.open(above, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError:
                return ""
            try:
                if not _in_one_mount(self.fd, descriptor):
                    return path
            finally:
                os.close(descriptor)
            path = above
        return ""

    @contextlib.contextmanager
    def opened(self, parts: Parts) -> Iterator[int]:
        """A descriptor of a directory below the root. Raises Moved where it is none any more, else OSError."""
        descriptor = os.dup(self.fd)
        try:
            for name in parts:
                deeper = open_in(descriptor, name)
                os.close(descriptor)
                descriptor = deeper
            yield descriptor
        finally:
            os.close(descriptor)

    def look(self, places: Iterable[Parts]) -> dict[Parts, Node]:
        """Return what is at the root, at these places, and on the way to them; what is missing is left out."""
        desired: dict[str, Any] = {}
        for parts in places:
            inner = desired
            for name in parts:
                inner = inner.setdefault(name, {})
        try:
            found: dict[Parts, Node] = {(): _node(self.fd, os.fstat(self.fd))}
        except OSError as error:
            raise self._unusable(error) from error
        self._look(self.fd, (), desired, found)
        return found

    def _look(self, above: int, parts: Parts, desired: dict[str, Any], found: dict[Parts, Node]) -> None:
        for name, inner in desired.items():
            here = (*parts, name)
            for _try in range(LOOKS):
                with contextlib.suppress(Moved):
                    self._look_at(above, here, inner, found)
                    break
            else:
                _unseen(here, inner, "somebody keeps moving it", found)

    def _look_at(self, above: int, here: Parts, desired: dict[str, Any], found: dict[Parts, Node]) -> None:
        """Write down what is at one place and below. Raises Moved where somebody changes that meanwhile."""
        try:
            seen = os.stat(here[-1].encode(), dir_fd=above, follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError as error:
            _unseen(here, desired, error.strerror, found)
            return
        if not stat.S_ISDIR(seen.st_mode):
            found[here] = Node(_kind(seen.st_mode), seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode))
            return
        try:
            descriptor = open_in(above, here[-1])
        except OSError as error:
            # Its owners and mode are seen from above all the same, and nothing else matters where they are right.
            found[here] = _bare(seen, found[here[:-1]])
            for deeper, inner in desired.items():
                _unseen((*here, deeper), inner, error.strerror, found)
            return
        try:
            try:
                found[here] = _node(descriptor, os.fstat(descriptor))
            except OSError as error:
                _unseen(here, desired, error.strerror, found)
                return
            self._look(descriptor, here, desired, found)
        finally:
            os.close(descriptor)

    def contents(self, places: Iterable[Parts]) -> dict[Parts, Optional[tuple[str, ...]]]:
        """Return the first names in each of these directories; None for one that cannot be read."""
        found: dict[Parts, Optional[tuple[str, ...]]] = {}
        for parts in places:
            try:
                with self.opened(parts) as descriptor:
                    found[parts] = names_in(descriptor)
            except (Moved, OSError):
                found[parts] = None
        return found


def open_in(above: int, name: str) -> int:
    """Return a descriptor of a directory in another. Raises Moved where none of that name is there, else OSError."""
    try:
        return os.open(name.encode(), OPEN, dir_fd=above)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
            raise Moved(name) from None
        raise


def names_in(descriptor: int) -> tuple[str, ...]:
    """Return the first names in a directory, one more than sentences tell."""
    found = []
    with os.scandir(descriptor) as specs:
        for spec in specs:
            found.append(spec.name)
            if len(found) > TOLD:
                break
    return tuple(sorted(found))


def _unseen(here: Parts, desired: dict[str, Any], why: Optional[str], found: dict[Parts, Node]) -> None:
    """Write down that a place, and those below it, cannot be looked at."""
    found[here] = Node(DIRECTORY, problem=why or "unknown error")
    for deeper, inner in desired.items():
        _unseen((*here, deeper), inner, why, found)


def _bare(seen: os.stat_result, above: Node) -> Node:
    return Node(
        DIRECTORY,
        seen.st_uid,
        seen.st_gid,
        stat.S_IMODE(seen.st_mode),
        (seen.st_dev, seen.st_ino),
        writable=False,
        read_only=above.read_only,
    )


def _node(descriptor: int, seen: os.stat_result) -> Node:
    return Node(
        DIRECTORY,
        seen.st_uid,
        seen.st_gid,
        stat.S_IMODE(seen.st_mode),
        (seen.st_dev, seen.st_ino),
        writable=os.access(".", os.W_OK | os.X_OK, dir_fd=descriptor, effective_ids=True),
        read_only=bool(os.fstatvfs(descriptor).f_flag & os.ST_RDONLY),
        acl=has_acl(descriptor),
    )


#: Where Linux keeps what POSIX access control lists say, of a directory itself and of what is made in it.
ACLS = ("system.posix_acl_access", "system.posix_acl_default")


def has_acl(descriptor: int) -> bool:
    """Whether a directory has an access control list, or hands one down. What cannot have any says so by an error."""
    try:
        return not {*ACLS}.isdisjoint(os.listxattr(descriptor))
    except OSError:
        return False


def _kind(mode: int) -> str:
    return next((word for is_it, word in _KINDS if is_it(mode)), "a device")


def _in_one_mount(one: int, other: int) -> bool:
    """Whether two descriptors are of one mount; of one device, where Linux cannot be asked about mounts."""
    mounts = (_mount_id(one), _mount_id(other))
    if None not in mounts:
        return mounts[0] == mounts[1]
    return os.fstat(one).st_dev == os.fstat(other).st_dev


def _mount_id(descriptor: int) -> Optional[str]:
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as info:
            return next((line.split()[1] for line in info if line.startswith("mnt_id:")), None)
    except OSError:
        return None


@cache
def user_name(uid: int) -> str:
    """Return what a user is called here, the number where nobody knows."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


@cache
def group_name(gid: int) -> str:
    """Return what a group is called here, the number where nobody knows."""
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return str(gid)


NAMES = Names(user_name, group_name)


def runner() -> Runner:
    """Return who runs this."""
    capable = _capabilities()
    return Runner(
        uid=os.geteuid(),
        gid=os.getegid(),
        groups=frozenset(os.getgroups()),
        may_chown=bool(capable >> _CAP_CHOWN & 1),
        may_chmod=bool(capable >> _CAP_FOWNER & 1),
        keeps_setgid=bool(capable >> _CAP_FSETID & 1),
    )


def _capabilities() -> int:
    try:
        with open("/proc/self/status", encoding="utf-8", errors="replace") as status:
            return next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    except (OSError, StopIteration):
        return -1 if os.geteuid() == 0 else 0
