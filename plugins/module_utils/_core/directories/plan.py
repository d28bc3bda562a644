# Copyright (c) 2026 odh.persistency contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for the directories of shares: which are created, changed, kept or refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Optional

from ..plan import ADOPT, CREATE, KEEP, REFUSE, UPDATE, Change, Plan, Unreconcilable
from . import changes
from .desired import DesiredDirectories
from .model import (
    DIRECTORY,
    INITIAL_MODE,
    PARENT_MODE,
    SETGID,
    Chmod,
    Chown,
    Contents,
    Credentials,
    DesiredDirectory,
    DirectorySettings,
    Mkdir,
    Node,
    ObservedDirectories,
    Operation,
    Parts,
    Precondition,
    RemoveAcl,
)

KIND_DIRECTORY = "directory"


def drifted(desired: Iterable[DesiredDirectory], observed: ObservedDirectories) -> list[Parts]:
    """Return the directories whose mode or owners differ: for these the plan needs to know whether they have content."""
    return [
        item.parts
        for item in desired
        if not item.is_parent and (node := observed.get(item.parts)) and node.is_directory and _differs(item, node)
    ]


def plan_directories(
    desired: DesiredDirectories, observed: ObservedDirectories, contents: Contents, settings: DirectorySettings
) -> Plan:
    """Return the plan for all directories. `observed` has the root.

    A directory that `contents` does not have counts as one with content. What lies inside a share belongs to its members,
    so what they did there never rejects the plan: it is reported and left out, with what is below it.
    """
    planned: dict[Parts, Node] = {(): observed[()]}
    found: list[Change] = []
    unreconcilable: list[Unreconcilable] = []
    for item in desired.directories:
        parent = planned.get(item.parts[:-1])
        if parent is None:
            continue  # The refusal of the parent covers it.
        decided = plan_one(item, parent, observed, contents, settings)
        if all(change.action != REFUSE for change in decided):
            planned[item.parts] = _after(item, parent, observed.get(item.parts), settings.credentials)
        elif _is_left_to_members(item, observed):
            unreconcilable += [left_out(change, change.reason) for change in decided]
            decided = [keep_left_out(decided[0], decided[0].reason)]
        found += decided
    found += [Change(KEEP, KIND_DIRECTORY, "", name, reason) for name, reason in desired.skipped]
    return Plan(tuple(found), tuple(unreconcilable))


def _is_left_to_members(desired: DesiredDirectory, observed: ObservedDirectories) -> bool:
    """Return whether a directory that cannot be as desired is inside a share. A read-only mount is not its members' doing."""
    node, parent = observed.get(desired.parts), observed.get(desired.parts[:-1])
    is_read_only = parent is not None and parent.read_only and (node is None or node.is_directory)
    return bool(desired.subdirectory) and not is_read_only


def keep_left_out(change: Change, reason: str) -> Change:
    """Return that a directory inside a share stays as its members left it."""
    return Change(KEEP, KIND_DIRECTORY, "", change.name, reason, subject=change.subject)


def left_out(change: Change, reason: str) -> Unreconcilable:
    """Return the report of a directory inside a share that stays as its members left it."""
    return Unreconcilable(KIND_DIRECTORY, "", change.name, changes.left_out_reason(reason))


def plan_one(
    desired: DesiredDirectory,
    parent: Node,
    observed: ObservedDirectories,
    contents: Contents,
    settings: DirectorySettings,
) -> list[Change]:
    """Return the change of one directory, or all its refusals. `parent` is its parent directory as the plan leaves it."""
    path = settings.absolute(desired.parts)
    node = observed.get(desired.parts)
    if node is None:
        reasons = _create_errors(desired, parent, observed, settings)
    elif node.problem:
        reasons = [changes.examine_error(desired, node, settings)]
    elif not node.is_directory:
        reasons = [changes.kind_error(desired, node, settings)]
    elif desired.is_parent or not _differs(desired, node):
        return [Change(KEEP, KIND_DIRECTORY, "", path, "is up to date", subject=desired)]
    else:
        reasons = _update_errors(desired, node, contents.get(desired.parts), settings)
    if reasons:
        return [Change(REFUSE, KIND_DIRECTORY, "", path, reason, subject=desired) for reason in reasons]
    if node is None:
        return [_create(desired, parent, settings)]
    return [_update(desired, node, contents.get(desired.parts), settings)]


def _differs(desired: DesiredDirectory, node: Node) -> bool:
    return (
        node.acl
        or desired.mode != node.mode
        or (desired.uid is not None and desired.uid != node.uid)
        or (desired.gid is not None and desired.gid != node.gid)
    )


def _after(desired: DesiredDirectory, parent: Node, node: Optional[Node], credentials: Credentials) -> Node:
    """Return the directory as the plan leaves it."""
    if node is None:
        # In Linux a directory inherits the group of a setgid parent, and the bit.
        setgid = parent.mode & SETGID
        node = Node(DIRECTORY, credentials.uid, parent.gid if setgid else credentials.gid, PARENT_MODE | setgid)
    if desired.is_parent:
        return node
    return replace(
        node,
        uid=node.uid if desired.uid is None else desired.uid,
        gid=node.gid if desired.gid is None else desired.gid,
        mode=desired.mode,
        acl=False,
    )


def _create(desired: DesiredDirectory, parent: Node, settings: DirectorySettings) -> Change:
    after = _after(desired, parent, None, settings.credentials)
    # The default access control list of the parent would admit users that nobody named.
    operations: list[Operation] = [
        Mkdir(desired.parts, PARENT_MODE if desired.is_parent else INITIAL_MODE),
        RemoveAcl(desired.parts),
    ]
    # Nobody may enter until it has its owners.
    if not desired.is_parent and (desired.uid is not None or desired.gid is not None):
        operations.append(Chown(desired.parts, desired.uid, desired.gid))
    operations.append(Chmod(desired.parts, after.mode))
    return Change(
        CREATE,
        KIND_DIRECTORY,
        "",
        settings.absolute(desired.parts),
        changes.create_reason(desired),
        after=changes.diff_line(desired, after, settings),
        operations=tuple(operations),
        subject=desired,
    )


def _update(
    desired: DesiredDirectory, node: Node, content: Optional[tuple[str, ...]], settings: DirectorySettings
) -> Change:
    after = _after(desired, node, node, settings.credentials)
    operations: list[Operation] = [Precondition(desired.parts, node, empty=content == ())]
    if node.acl:
        operations.append(RemoveAcl(desired.parts))
    if (after.uid, after.gid) != (node.uid, node.gid):
        # The new owners never have what only the old mode grants, nor the old owners what only the new mode grants.
        if node.mode & after.mode != node.mode and not node.acl and _may_chmod(node.uid, settings.credentials):
            operations.append(Chmod(desired.parts, node.mode & after.mode))
        operations.append(Chown(desired.parts, desired.uid, desired.gid))
    if node.acl or node.mode != after.mode:
        # Even if the mode in between was the same: a chown may clear the setgid bit.
        operations.append(Chmod(desired.parts, after.mode))
    if content == ():
        action, reason = UPDATE, changes.update_reason(node, after, settings.names)
    else:
        action, reason = ADOPT, changes.adopt_reason(content, node, after, settings.names)
    return Change(
        action,
        KIND_DIRECTORY,
        "",
        settings.absolute(desired.parts),
        reason,
        before=changes.diff_line(desired, node, settings),
        after=changes.diff_line(desired, after, settings),
        operations=tuple(operations),
        subject=desired,
    )


def _create_errors(
    desired: DesiredDirectory, planned_parent: Node, observed: ObservedDirectories, settings: DirectorySettings
) -> list[str]:
    parent = observed.get(desired.parts[:-1])
    # A parent that this plan creates or changes may be writable by then; if it is not, the run reports it.
    if parent is not None and parent.read_only:
        return [changes.read_only_error(desired, settings)]
    if parent is not None and not parent.writable and parent == planned_parent:
        return [changes.parent_error(desired, settings)]
    created = _after(replace(desired, is_parent=True), planned_parent, None, settings.credentials)
    # A parent directory is created with its final mode, unless it inherits an access control list.
    return _permission_errors(desired, created, planned_parent.acl or not desired.is_parent, settings)


def _update_errors(
    desired: DesiredDirectory, node: Node, content: Optional[tuple[str, ...]], settings: DirectorySettings
) -> list[str]:
    reasons = []
    if content != () and not settings.adopt:
        after = _after(desired, node, node, settings.credentials)
        reasons.append(changes.content_error(desired, content, node, after, settings))
    if node.read_only:
        return [*reasons, changes.read_only_error(desired, settings)]
    return reasons + _permission_errors(desired, node, node.acl or node.mode != desired.mode, settings)


def _permission_errors(
    desired: DesiredDirectory, node: Node, sets_mode: bool, settings: DirectorySettings
) -> list[str]:
    """Return what the process may not change on a directory."""
    credentials, names = settings.credentials, settings.names
    after = _after(desired, node, node, credentials)
    attributes = []
    if after.uid != node.uid and not credentials.may_chown:
        attributes.append(f"the owner {names.user(after.uid)}")
    may_chgrp = credentials.may_chown or (node.uid == credentials.uid and credentials.is_in(after.gid))
    if after.gid != node.gid and not may_chgrp:
        attributes.append(f"the group {names.group(after.gid)}")
    if sets_mode and not attributes:
        if not _may_chmod(after.uid, credentials):
            attributes.append(f"the mode {after.mode:04o}")
        elif after.mode & SETGID and not credentials.keeps_setgid and not credentials.is_in(after.gid):
            attributes.append(f"the setgid bit, which only members of the group {names.group(after.gid)} can set,")
    return [changes.permission_error(desired, attribute, settings) for attribute in attributes]


def _may_chmod(uid: int, credentials: Credentials) -> bool:
    return credentials.may_chmod or credentials.uid == uid
