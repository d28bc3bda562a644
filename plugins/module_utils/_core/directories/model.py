# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is seen and what is wanted below one root, and the steps between: the words of planning directories.

A place is a tuple of names below the root; the root itself is the empty tuple.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable, Optional, Union

Parts = tuple[str, ...]

DIRECTORY = "a directory"
SETGID = 0o2000
#: What nobody but root may look into until it is somebody's.
BIRTH_MODE = 0o700
#: A directory on the way to a share's: everybody may pass, and nobody but its owner may write.
WAY_MODE = 0o755


@dataclass(frozen=True)
class Node:
    """What the file system has at one place, symbolic links not followed.

    `kind` is DIRECTORY, or what else it is in words; `mode` are the permission bits with setuid, setgid and sticky.
    `identity` is device and inode. `writable`: whoever runs may make something in it. `read_only`: its file system
    takes no writes. `acl`: a POSIX access control list says more of who may than the mode does. `problem`: what kept it
    from being looked at; the other fields mean nothing then.
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
        """Whether it is a directory that was looked at."""
        return self.kind == DIRECTORY and not self.problem


@dataclass(frozen=True)
class Desired:
    """One directory that is to be, for the sake of a share.

    `inside` is its path inside the share ("" for the share's own directory). One that is only on the `way` to a share's
    is made where it is missing and left as it is where it exists. `uid` and `gid` None: leave as is.
    """

    parts: Parts
    share: str
    inside: str = ""
    way: bool = False
    uid: Optional[int] = None
    gid: Optional[int] = None
    mode: int = WAY_MODE


@dataclass(frozen=True)
class Runner:
    """Who runs, as the kernel counts it: ids, and the capabilities to chown, to chmod what others own, and to keep
    setgid for groups that one is not in.
    """

    uid: int = 0
    gid: int = 0
    groups: frozenset[int] = frozenset()
    may_chown: bool = True
    may_chmod: bool = True
    keeps_setgid: bool = True

    def is_in(self, gid: int) -> bool:
        """Whether the runner is in a group."""
        return gid == self.gid or gid in self.groups


@dataclass(frozen=True)
class Names:
    """Looks up what the ids of users and groups are called on this host; the number itself where nobody knows."""

    user: Callable[[int], str] = str
    group: Callable[[int], str] = str


@dataclass(frozen=True)
class Mkdir:
    """Make a directory where nothing is, whatever the umask says."""

    parts: Parts
    mode: int


@dataclass(frozen=True)
class Precondition:
    """Go on only if the place still has what was planned on: this very directory, as it was, and `empty` if it was."""

    parts: Parts
    node: Node
    empty: bool


@dataclass(frozen=True)
class Strip:
    """Take away an access control list, inherited or not, and meanwhile all but the owner's rights, if there is one."""

    parts: Parts


@dataclass(frozen=True)
class Chown:
    """Give the directory to a user or a group or both (None: leave as is)."""

    parts: Parts
    uid: Optional[int]
    gid: Optional[int]


@dataclass(frozen=True)
class Chmod:
    """Set the permission bits of the directory."""

    parts: Parts
    mode: int


Operation = Union[Mkdir, Precondition, Strip, Chown, Chmod]

#: What there is: the root under (), and each wanted place that exists. What lies below something that is no directory
#: is not in it.
ObservedDirectories = Mapping[Parts, Node]
#: The first names in a directory, () where it is empty, None where it cannot be looked into.
Contents = Mapping[Parts, Optional[tuple[str, ...]]]
