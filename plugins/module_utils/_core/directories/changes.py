# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What directories are, and why they change or do not, in sentences."""

from __future__ import annotations

from typing import Optional

from ..validation import shown
from .model import Desired, Names, Node, Runner

#: How many names of a directory's content a sentence tells.
TOLD = 3
AS_ROOT = "run it as root (`become: true`)"
IMMUTABLE = "`lsattr -d` shows that, `chattr -i` ends it"


def attributes(uid: int, gid: int, mode: int, names: Names) -> str:
    """Mode and owners as one word each: `2770 root:5000`."""
    return f"{mode:04o} {names.user(uid)}:{names.group(gid)}"


def of_node(node: Node, names: Names) -> str:
    """Mode and owners of what is there, and whether its access control list says more."""
    told = attributes(node.uid, node.gid, node.mode, names)
    return f"{told} with an access control list (`getfacl`)" if node.acl else told


def line(path: str, uid: int, gid: int, mode: int, names: Names) -> str:
    """A directory as one line of a diff."""
    return f"{path}: {attributes(uid, gid, mode, names)}"


def made(desired: Desired) -> str:
    """Why a directory is made."""
    if desired.way:
        return f"the directory of share {desired.share} is to lie in it"
    if desired.inside:
        return f"the directory {desired.inside} of share {desired.share} does not exist yet"
    return f"share {desired.share} has no directory yet"


def differs(before: str, after: str) -> str:
    """What is to become of a directory that exists."""
    return f"it is {before}, and should be {after}"


def adopted(content: Optional[tuple[str, ...]], before: str, after: str) -> str:
    """What is to become of a directory that has content."""
    return f"it {_content(content)}, which stays as it is; itself it is {before}, and should be {after}"


def has_content(path: str, desired: Desired, content: Optional[tuple[str, ...]], before: str, after: str) -> str:
    """Why a directory is not changed, and the way out."""
    return (
        f"{path} ({whose(desired)}) {_content(content)} and is {before}, not {after}: set `adopt: true` to change the directory "
        "itself (nothing in it is touched), or let the share's `mode`, `gid` and `owner` say what it is"
    )


def _content(content: Optional[tuple[str, ...]]) -> str:
    if content is None:
        return "cannot be seen to be empty"
    told = ", ".join(shown(name, 40) for name in content[:TOLD])
    return f"has content ({told}{' and more' if len(content) > TOLD else ''})"


def whose(desired: Desired) -> str:
    """Whose directory it is."""
    if desired.way:
        return f"on the way to share {desired.share}"
    return f"{desired.inside} of share {desired.share}" if desired.inside else f"share {desired.share}"


def no_directory(path: str, desired: Desired, node: Node) -> str:
    """Why nothing is made where something else is."""
    if node.kind == "a symbolic link":
        return (
            f"{path} ({whose(desired)}) is a symbolic link, and links are never followed: put a directory in its place, or let "
            "the share's `directory` or backend name where it leads"
        )
    return (
        f"{path} ({whose(desired)}) is {node.kind}, not a directory: move it away, or give the share another directory"
    )


def not_seen(path: str, desired: Desired, node: Node) -> str:
    """Why nothing is planned where nothing can be seen."""
    return f"{path} ({whose(desired)}) cannot be looked at ({node.problem}): {AS_ROOT}, or let its owner do it"


def read_only(path: str, desired: Desired) -> str:
    """Why nothing is written to a read-only file system."""
    return (
        f"{path} ({whose(desired)}) lies on a file system that is mounted read-only: mount it with `rw`, or run this on the "
        "server"
    )


def not_writable(path: str, desired: Desired, parent: str, runner: Runner, names: Names) -> str:
    """Why nothing is made in a directory."""
    way = (
        f"{AS_ROOT}, or let its owner do it"
        if runner.uid
        else f"it may be immutable ({IMMUTABLE}), or on another's server"
    )
    return f"{path} ({whose(desired)}) cannot be made, for {names.user(runner.uid)} may not write in {parent}: {way}"


def cannot_own(path: str, desired: Desired, what: str, runner: Runner, names: Names) -> str:
    """Why a directory does not get an owner, group or mode."""
    return f"{path} ({whose(desired)}) cannot be given {what} by {names.user(runner.uid)}: {AS_ROOT}"
