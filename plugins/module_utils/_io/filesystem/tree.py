# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading directories below a root, through file descriptors: no link is followed, and nothing can be swapped in between."""

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

from ..._core.directories.changes import AS_ROOT, MAX_NAMES
from ..._core.directories.model import DIRECTORY, AccountNames, Credentials, Node, Parts
from ..errors import ExternalError

#: How often to read what somebody keeps changing.
READ_TRIES = 4
#: Opens a directory only, and not through a link.
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)
#: The bits of CapEff in /proc/self/status (capabilities(7)).
_CAP_CHOWN, _CAP_FOWNER, _CAP_FSETID = 0, 3, 4


class RootError(ExternalError):
    """The root directory is missing or unusable."""

    retryable = False


class Conflict(Exception):
    """Somebody else changed a directory meanwhile: read and plan again."""


class Tree:
    """A root directory that is kept open, and the directories below it."""

    def __init__(self, path: str) -> None:
        """Open the root, through links too, because its path is the operator's. Raises RootError."""
        self.path = path
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise RootError(
                f"path: {path} does not exist on the host that runs the task: create it, mount it, or correct the path"
            ) from None
        except NotADirectoryError:
            raise RootError(f"path: {path} is not a directory: correct the path") from None
        except PermissionError:
            raise RootError(f"path: {path} may not be read by {user_name(os.geteuid())}: {AS_ROOT}") from None
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> RootError:
        return RootError(f"path: {self.path} cannot be examined ({error.strerror}): check its mount and its server")

    def close(self) -> None:
        """Close the root."""
        os.close(self.fd)

    def is_mount_point(self) -> bool:
        """Whether a file system is mounted at the root. Bind mounts count if Linux reports mount ids."""
        try:
            # Permission to pass is enough, because nothing is read there.
            parent = os.open("..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            return not _in_one_mount(self.fd, parent)
        finally:
            os.close(parent)

    def mount_point(self) -> str:
        """Return the mount point of the file system of the root; "" if that is / or cannot be determined."""
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
        """Yield a descriptor of a directory below the root. Raises Conflict if it is gone or replaced, and OSError."""
        descriptor = os.dup(self.fd)
        try:
            for name in parts:
                deeper = open_in(descriptor, name)
                os.close(descriptor)
                descriptor = deeper
            yield descriptor
        finally:
            os.close(descriptor)

    def read(self, paths: Iterable[Parts]) -> dict[Parts, Node]:
        """Return what is at the root, at these paths, and at their parents. What does not exist is left out."""
        children: dict[str, Any] = {}
        for parts in paths:
            inner = children
            for name in parts:
                inner = inner.setdefault(name, {})
        try:
            found: dict[Parts, Node] = {(): _node(self.fd, os.fstat(self.fd))}
        except OSError as error:
            raise self._unusable(error) from error
        self._read_children(self.fd, (), children, found)
        return found

    def _read_children(self, parent: int, parts: Parts, children: dict[str, Any], found: dict[Parts, Node]) -> None:
        for name, inner in children.items():
            path = (*parts, name)
            for _try in range(READ_TRIES):
                with contextlib.suppress(Conflict):
                    self._read_path(parent, path, inner, found)
                    break
            else:
                _add_problem(path, inner, "somebody keeps changing it", found)

    def _read_path(self, parent: int, path: Parts, children: dict[str, Any], found: dict[Parts, Node]) -> None:
        """Add what is at one path and below it. Raises Conflict if somebody changes that meanwhile."""
        try:
            seen = os.stat(path[-1].encode(), dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError as error:
            _add_problem(path, children, error.strerror, found)
            return
        if not stat.S_ISDIR(seen.st_mode):
            found[path] = Node(_kind(seen.st_mode), seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode))
            return
        try:
            descriptor = open_in(parent, path[-1])
        except OSError as error:
            # Owners and mode are known without opening it, and enough if they are up to date.
            found[path] = _unopened_node(seen, found[path[:-1]])
            for name, inner in children.items():
                _add_problem((*path, name), inner, error.strerror, found)
            return
        try:
            try:
                found[path] = _node(descriptor, os.fstat(descriptor))
            except OSError as error:
                _add_problem(path, children, error.strerror, found)
                return
            self._read_children(descriptor, path, children, found)
        finally:
            os.close(descriptor)

    def contents(self, paths: Iterable[Parts]) -> dict[Parts, Optional[tuple[str, ...]]]:
        """Return the first names in each of these directories, None if it cannot be read."""
        found: dict[Parts, Optional[tuple[str, ...]]] = {}
        for parts in paths:
            try:
                with self.opened(parts) as descriptor:
                    found[parts] = names_in(descriptor)
            except (Conflict, OSError):
                found[parts] = None
        return found


def open_in(parent: int, name: str) -> int:
    """Return a descriptor of a directory in another. Raises Conflict if there is no directory of that name, and OSError."""
    try:
        return os.open(name.encode(), _OPEN_DIRECTORY, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
            raise Conflict(name) from None
        raise


def names_in(descriptor: int) -> tuple[str, ...]:
    """Return the first names in a directory, one more than messages list."""
    found = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            found.append(entry.name)
            if len(found) > MAX_NAMES:
                break
    return tuple(sorted(found))


def _add_problem(path: Parts, children: dict[str, Any], problem: Optional[str], found: dict[Parts, Node]) -> None:
    """Add that a path, and those below it, cannot be examined."""
    found[path] = Node(DIRECTORY, problem=problem or "unknown error")
    for name, inner in children.items():
        _add_problem((*path, name), inner, problem, found)


def _unopened_node(seen: os.stat_result, parent: Node) -> Node:
    return Node(
        DIRECTORY,
        seen.st_uid,
        seen.st_gid,
        stat.S_IMODE(seen.st_mode),
        (seen.st_dev, seen.st_ino),
        writable=False,
        read_only=parent.read_only,
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


#: The extended attributes with POSIX access control lists: of a directory itself, and for new entries in it.
ACLS = ("system.posix_acl_access", "system.posix_acl_default")


def has_acl(descriptor: int) -> bool:
    """Whether a directory has an access control list, or a default one. A file system without them reports an error."""
    try:
        return not {*ACLS}.isdisjoint(os.listxattr(descriptor))
    except OSError:
        return False


def _kind(mode: int) -> str:
    return next((word for is_it, word in _KINDS if is_it(mode)), "a device")


def _in_one_mount(one: int, other: int) -> bool:
    """Whether two descriptors are on one mount, or on one device if Linux does not report mount ids."""
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
    """Return the name of a user on this host, the id if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


@cache
def group_name(gid: int) -> str:
    """Return the name of a group on this host, the id if it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return str(gid)


ACCOUNT_NAMES = AccountNames(user_name, group_name)


def credentials() -> Credentials:
    """Return the credentials of this process."""
    capable = _capabilities()
    return Credentials(
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
