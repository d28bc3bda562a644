# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Descriptions of directories, and the reasons why they change or cannot change."""

from __future__ import annotations

from typing import Optional

from ..metadata import KIND_TREE
from ..shares.naming import describe_share, kind_of, plain_name
from ..validation import quoted
from .model import AccountNames, DesiredDirectory, DirectorySettings, Node

#: How many names of a directory's content a message lists.
MAX_NAMES = 3
AS_ROOT = "run as root (`become: true`)"
IMMUTABLE = "`lsattr -d` shows this, `chattr -i` clears it"


def _is_of_tree(desired: DesiredDirectory) -> bool:
    return kind_of(desired.share) == KIND_TREE


def describe_node(node: Node, names: AccountNames) -> str:
    """Return mode, owner and group, and whether there is an access control list: `2770 root:5000`."""
    text = f"{node.mode:04o} {names.user(node.uid)}:{names.group(node.gid)}"
    return f"{text} with an access control list (`getfacl`)" if node.acl else text


def diff_line(desired: DesiredDirectory, node: Node, settings: DirectorySettings) -> str:
    """Return a directory as one line of a diff."""
    return f"{settings.absolute(desired.parts)}: {describe_node(node, settings.names)}"


def create_reason(desired: DesiredDirectory) -> str:
    """Return why a directory is created."""
    if desired.is_parent:
        return f"it will contain the directory of share {desired.share}"
    if desired.subdirectory:
        return f"the directory {desired.subdirectory} of share {desired.share} does not exist yet"
    if _is_of_tree(desired):
        return f"the software tree {plain_name(desired.share)} needs it"
    return f"share {desired.share} has no directory yet"


def update_reason(node: Node, after: Node, names: AccountNames) -> str:
    """Return why an empty directory is changed."""
    return f"it is {describe_node(node, names)}, not {describe_node(after, names)}"


def adopt_reason(content: Optional[tuple[str, ...]], node: Node, after: Node, names: AccountNames) -> str:
    """Return why a directory with content is changed."""
    return f"{update_reason(node, after, names)}; it {_describe_content(content)}, which does not change"


def _describe_content(content: Optional[tuple[str, ...]]) -> str:
    if content is None:
        return "may have content (it cannot be read)"
    listed = ", ".join(quoted(name, 40) for name in content[:MAX_NAMES])
    return f"has content ({listed}{' and more' if len(content) > MAX_NAMES else ''})"


def describe(desired: DesiredDirectory, settings: DirectorySettings) -> str:
    """Return the absolute path of a directory, and what it is for."""
    role = describe_share(desired.share).partition(" ")[2]
    if desired.is_parent:
        role = f"parent directory of share {desired.share}"
    elif desired.subdirectory:
        role = f"{desired.subdirectory} of share {desired.share}"
    return f"{settings.absolute(desired.parts)} ({role})"


def content_error(
    desired: DesiredDirectory, content: Optional[tuple[str, ...]], node: Node, after: Node, settings: DirectorySettings
) -> str:
    """Return why a directory with content is not changed."""
    attributes = "`mode`, `group` and `build_user`" if _is_of_tree(desired) else "the share's `mode`, `gid` and `owner`"
    return (
        f"{describe(desired, settings)} {_describe_content(content)} and is {describe_node(node, settings.names)}, not "
        f"{describe_node(after, settings.names)}: set `adopt: true` to change the directory itself (its content does not "
        f"change), or set {attributes} to what it has"
    )


def kind_error(desired: DesiredDirectory, node: Node, settings: DirectorySettings) -> str:
    """Return why something that is not a directory is left alone."""
    if desired.subdirectory:
        followed = ", and links are never followed" if node.kind == "a symbolic link" else ", not a directory"
        return (
            f"{describe(desired, settings)} is {node.kind}{followed}: replace it with a directory, or remove it from the "
            "share's `directories`"
        )
    if node.kind == "a symbolic link" and not _is_of_tree(desired):
        return (
            f"{describe(desired, settings)} is a symbolic link, and links are never followed: replace it with a directory, or "
            "set the share's `directory` or backend path to its target"
        )
    other = "set `path` to another one" if _is_of_tree(desired) else "give the share another directory"
    return f"{describe(desired, settings)} is {node.kind}, not a directory: move it away, or {other}"


def left_out_reason(reason: str) -> str:
    """Return the report of a directory inside a share that cannot be as the entry says, `reason` being why."""
    return f"{reason}. It is inside the share, where its members may change everything, so it is left out of this run"


def examine_error(desired: DesiredDirectory, node: Node, settings: DirectorySettings) -> str:
    """Return why something that cannot be examined is left alone."""
    return f"{describe(desired, settings)} cannot be examined ({node.problem}): {AS_ROOT}, or as its owner"


def read_only_error(desired: DesiredDirectory, settings: DirectorySettings) -> str:
    """Return why nothing is written to a read-only file system."""
    return (
        f"{describe(desired, settings)} is on a file system that is mounted read-only: mount it with `rw`, or run this on the "
        "server"
    )


def parent_error(desired: DesiredDirectory, settings: DirectorySettings) -> str:
    """Return why a directory cannot be created in its parent."""
    user, parent = settings.credentials.uid, settings.absolute(desired.parts[:-1])
    way_out = f"{AS_ROOT}, or as its owner" if user else f"it may be immutable ({IMMUTABLE}), or on a remote server"
    return (
        f"{describe(desired, settings)} cannot be created, because {settings.names.user(user)} may not write in {parent}: "
        f"{way_out}"
    )


def permission_error(desired: DesiredDirectory, attribute: str, settings: DirectorySettings) -> str:
    """Return why a directory cannot get an owner, group or mode."""
    user = settings.names.user(settings.credentials.uid)
    way_out = "change that as root, on the server if it squashes root" if _is_of_tree(desired) else AS_ROOT
    return f"{describe(desired, settings)} cannot be given {attribute} by {user}: {way_out}"
