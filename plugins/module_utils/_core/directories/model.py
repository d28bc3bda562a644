# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The types of directory planning: observed and desired directories, and the operations between them.

A path is a tuple of names below the root directory. The root itself is the empty tuple.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable, Optional, Union

Parts = tuple[str, ...]

DIRECTORY = "a directory"
SETGID = 0o2000
#: The mode of a new directory until it has its owners: nobody but root may enter.
INITIAL_MODE = 0o700
#: The mode of a new parent of a share's directory: everybody may pass, nobody but its owner may write.
PARENT_MODE = 0o755


@dataclass(frozen=True)
class Node:
    """What is at a path, symbolic links not followed.

    `kind` is DIRECTORY, or words for anything else. `mode` has the permission bits with setuid, setgid and sticky.
    `identity` is device and inode. `writable`: the process may create entries in it. `read_only`: its file system is
    mounted read-only. `acl`: it has a POSIX access control list. `problem`: why it could not be examined; the other
    fields are meaningless then.
    """

    kind: str
    uid: int = 0
    gid: int = 0
    mode: int = 0
    identity: tuple[int, int] = (0, 0)
    writable: bool = True
    read_only: bool = False
    problem: str = ""
    acl: bool = False

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory that could be examined."""
        return self.kind == DIRECTORY and not self.problem


@dataclass(frozen=True)
class DesiredDirectory:
    """One directory that a share needs, or that a software tree (`tree:NAME`) needs.

    `subdirectory` is its path inside the share, "" for the share's own directory. A parent of a share's directory
    (`is_parent`) is created when it is missing, and never changed. `uid` and `gid` None: any.
    """

    parts: Parts
    share: str
    subdirectory: str = ""
    is_parent: bool = False
    uid: Optional[int] = None
    gid: Optional[int] = None
    mode: int = PARENT_MODE


@dataclass(frozen=True)
class Credentials:
    """The credentials of the process (credentials(7)): its ids, and the capabilities to chown, to chmod what others own
    (CAP_FOWNER), and to keep setgid for groups that it is not in (CAP_FSETID).
    """

    uid: int = 0
    gid: int = 0
    groups: frozenset[int] = frozenset()
    may_chown: bool = True
    may_chmod: bool = True
    keeps_setgid: bool = True

    def is_in(self, gid: int) -> bool:
        """Whether the process is in a group."""
        return gid == self.gid or gid in self.groups


@dataclass(frozen=True)
class AccountNames:
    """Look up the names of users and groups on this host; an unknown id is its own name."""

    user: Callable[[int], str] = str
    group: Callable[[int], str] = str


@dataclass(frozen=True)
class DirectorySettings:
    """The settings of a run: the absolute path of the root, the credentials, whether directories with content may change."""

    path: str
    credentials: Credentials = field(default_factory=Credentials)
    adopt: bool = False
    names: AccountNames = field(default_factory=AccountNames)

    def absolute(self, parts: Parts) -> str:
        """Return the absolute path of a directory below the root."""
        return absolute_path(self.path, parts)


def absolute_path(root: str, parts: Parts) -> str:
    """Return an absolute path, for messages."""
    return "/".join((root.rstrip("/"), *parts)) if parts else root


@dataclass(frozen=True)
class Mkdir:
    """Create a directory with exactly this mode, whatever the umask is."""

    parts: Parts
    mode: int


@dataclass(frozen=True)
class Precondition:
    """Go on only if the directory is the one that was planned for, unchanged, and still `empty` if it was."""

    parts: Parts
    node: Node
    empty: bool


@dataclass(frozen=True)
class RemoveAcl:
    """Remove access control lists, inherited or not. Until the next Chmod only the owner may enter, if there was one."""

    parts: Parts


@dataclass(frozen=True)
class Chown:
    """Change the owner, the group or both (None: keep)."""

    parts: Parts
    uid: Optional[int]
    gid: Optional[int]


@dataclass(frozen=True)
class Chmod:
    """Set the permission bits."""

    parts: Parts
    mode: int


Operation = Union[Mkdir, Precondition, RemoveAcl, Chown, Chmod]

#: What exists: the root under (), and each desired path that exists. Paths below something that is not a directory are
#: not in it.
ObservedDirectories = Mapping[Parts, Node]
#: The first names in a directory, () when it is empty, None when it cannot be read.
Contents = Mapping[Parts, Optional[tuple[str, ...]]]
